package dev.puna.tokenizer.train;

import dev.puna.tokenizer.TokenKind;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;

/**
 * A trained SentencePiece vocabulary, ready to be written as {@code tokenizer.model}.
 *
 * @param pieces by id
 * @param training the settings that made it; they are written into the file
 */
public record SentencePieceVocabulary(List<Piece> pieces, SentencePieceTraining training) {
    /**
     * One piece.
     *
     * @param text with U+2581 for a space
     * @param score merges with higher scores come first
     * @param kind what it is for
     */
    public record Piece(String text, float score, TokenKind kind) {}

    public SentencePieceVocabulary {
        pieces = List.copyOf(pieces);
    }

    /** Writes the file that the sentencepiece library, llama.cpp and Meta's code load. */
    public void writeModel(Path file) throws IOException {
        Path partial = file.resolveSibling(file.getFileName() + ".partial");
        Files.write(partial, toBytes());
        Files.move(partial, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    }

    /** The content of {@code tokenizer.model}: a {@code ModelProto} ({@code sentencepiece_model.proto}). */
    public byte[] toBytes() {
        Message model = new Message();
        for (Piece piece : pieces) {
            Message message = new Message();
            message.text(1, piece.text());
            message.real(2, piece.score());
            if (piece.kind() != TokenKind.NORMAL) {
                message.number(3, piece.kind().number());
            }
            model.message(1, message);
        }
        Message trainer = new Message();
        trainer.number(3, 2); // model_type BPE
        trainer.number(4, pieces.size());
        trainer.real(10, (float) training.characterCoverage());
        trainer.number(18, 4192); // max_sentence_length
        trainer.number(20, training.maxPieceLength());
        trainer.flag(21, training.splitByScript());
        trainer.flag(22, true); // split_by_whitespace
        trainer.flag(23, true); // split_by_number
        trainer.flag(25, training.splitDigits());
        trainer.flag(26, true); // allow_whitespace_only_pieces
        trainer.flag(35, true); // byte_fallback
        trainer.number(40, 0); // unk
        trainer.number(41, 1); // bos
        trainer.number(42, 2); // eos
        trainer.number(43, -1); // no pad
        trainer.text(44, " \u2047 "); // unk_surface
        model.message(2, trainer);
        Message normalizer = new Message();
        normalizer.text(1, "identity");
        normalizer.flag(3, true); // add_dummy_prefix
        normalizer.flag(4, false); // remove_extra_whitespaces
        normalizer.flag(5, true); // escape_whitespaces
        model.message(3, normalizer);
        return model.bytes();
    }

    /** A protobuf message being written. */
    private static final class Message {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();

        void number(int field, long value) {
            varint((long) field << 3);
            varint(value);
        }

        void flag(int field, boolean value) {
            number(field, value ? 1 : 0);
        }

        void real(int field, float value) {
            varint((long) field << 3 | 5);
            int bits = Float.floatToRawIntBits(value);
            for (int shift = 0; shift < 32; shift += 8) {
                out.write(bits >>> shift);
            }
        }

        void text(int field, String value) {
            raw(field, value.getBytes(StandardCharsets.UTF_8));
        }

        void message(int field, Message value) {
            raw(field, value.bytes());
        }

        private void raw(int field, byte[] value) {
            varint((long) field << 3 | 2);
            varint(value.length);
            out.writeBytes(value);
        }

        private void varint(long value) {
            while ((value & ~0x7fL) != 0) {
                out.write((int) (value & 0x7f | 0x80));
                value >>>= 7;
            }
            out.write((int) value);
        }

        byte[] bytes() {
            return out.toByteArray();
        }
    }
}
