package dev.puna.tokenizer;

import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeSet;

/**
 * A SentencePiece {@code .model} file: pieces with scores and kinds, how it was trained, how text is normalized
 * (protobuf {@code sentencepiece.ModelProto}, proto2, fields 1 to 5). Read and written by hand, with bounds. Every
 * algorithm can be read, so that vocabularies can be merged; only BPE can encode. Immutable.
 */
public final class SentencePieceModel {
    /** How the model segments ({@code TrainerSpec.ModelType}). */
    public enum Algorithm {
        UNIGRAM(1),
        BPE(2),
        WORD(3),
        CHAR(4);

        private final int number;

        Algorithm(int number) {
            this.number = number;
        }

        private static Algorithm of(int number) {
            return switch (number) {
                case 1 -> UNIGRAM;
                case 2 -> BPE;
                case 3 -> WORD;
                default -> CHAR;
            };
        }
    }

    /**
     * One piece.
     *
     * @param text its name, {@code ▁} for a space
     * @param score the higher, the earlier it merges
     */
    public record Piece(String text, float score, TokenKind kind) {}

    /**
     * What encoding needs of the trainer's and the normalizer's settings.
     *
     * @param normalizer name of the normalization rule; {@code identity} changes nothing
     * @param hasCharacterMap whether a compiled table of character replacements is there
     */
    public record Settings(
            Algorithm algorithm,
            boolean byteFallback,
            boolean whitespaceAsSuffix,
            OptionalInt unknownId,
            OptionalInt bosId,
            OptionalInt eosId,
            OptionalInt padId,
            String normalizer,
            boolean hasCharacterMap,
            boolean addDummyPrefix,
            boolean removeExtraWhitespaces,
            boolean escapeWhitespaces) {
        /** LLaMA-1's and Llama-2's: BPE, byte fallback, identity, a space before the text. */
        public static Settings llama() {
            return new Settings(
                    Algorithm.BPE,
                    true,
                    false,
                    OptionalInt.of(0),
                    OptionalInt.of(1),
                    OptionalInt.of(2),
                    OptionalInt.empty(),
                    "identity",
                    false,
                    true,
                    false,
                    true);
        }
    }

    private final byte[] texts;
    private final int[] offsets;
    private final float[] scores;
    private final byte[] kinds;
    private final Settings settings;
    private final byte[] behindPieces; // the other fields of the file, as they were

    private SentencePieceModel(
            byte[] texts, int[] offsets, float[] scores, byte[] kinds, Settings settings, byte[] behindPieces) {
        this.texts = texts;
        this.offsets = offsets;
        this.scores = scores;
        this.kinds = kinds;
        this.settings = settings;
        this.behindPieces = behindPieces;
    }

    /** A model of these pieces, their ids in this order. */
    public static SentencePieceModel of(List<Piece> pieces, Settings settings) {
        Wire trainer = new Wire();
        trainer.integer(3, settings.algorithm().number);
        trainer.integer(4, pieces.size());
        trainer.integer(24, settings.whitespaceAsSuffix() ? 1 : 0);
        trainer.integer(35, settings.byteFallback() ? 1 : 0);
        trainer.integer(40, settings.unknownId().orElse(-1));
        trainer.integer(41, settings.bosId().orElse(-1));
        trainer.integer(42, settings.eosId().orElse(-1));
        trainer.integer(43, settings.padId().orElse(-1));
        Wire normalizer = new Wire();
        normalizer.bytes(1, Utf8.bytes(settings.normalizer()));
        normalizer.integer(3, settings.addDummyPrefix() ? 1 : 0);
        normalizer.integer(4, settings.removeExtraWhitespaces() ? 1 : 0);
        normalizer.integer(5, settings.escapeWhitespaces() ? 1 : 0);
        Wire behind = new Wire();
        behind.bytes(2, trainer.out.toByteArray());
        behind.bytes(3, normalizer.out.toByteArray());
        return of(pieces, settings, behind.out.toByteArray());
    }

    private static SentencePieceModel of(List<Piece> pieces, Settings settings, byte[] behind) {
        ByteArrayOutputStream texts = new ByteArrayOutputStream();
        int[] offsets = new int[pieces.size() + 1];
        float[] scores = new float[pieces.size()];
        byte[] kinds = new byte[pieces.size()];
        for (int id = 0; id < pieces.size(); id++) {
            Piece piece = pieces.get(id);
            texts.writeBytes(Utf8.bytes(piece.text()));
            offsets[id + 1] = texts.size();
            scores[id] = piece.score();
            kinds[id] = (byte) piece.kind().number();
        }
        return new SentencePieceModel(texts.toByteArray(), offsets, scores, kinds, settings, behind);
    }

    /**
     * Reads a file.
     *
     * @throws CorruptFileException when it is no SentencePiece model or damaged
     */
    public static SentencePieceModel read(Path file) {
        try {
            return parse(Files.readAllBytes(file), file);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + file, e);
        }
    }

    /** Parses the bytes of a file; {@code path} is for messages. */
    public static SentencePieceModel parse(byte[] file, Path path) {
        Reader reader = new Reader(file, 0, file.length, path);
        byte[] texts = new byte[file.length];
        int[] offsets = new int[1024];
        float[] scores = new float[1024];
        byte[] kinds = new byte[1024];
        int count = 0;
        ByteArrayOutputStream behind = new ByteArrayOutputStream();
        Reader trainer = new Reader(file, 0, 0, path);
        Reader normalizer = new Reader(file, 0, 0, path);
        while (reader.more()) {
            int start = reader.at;
            int field = reader.tag();
            if (field != 1) {
                if (field == 2 || field == 3) {
                    Reader message = reader.message();
                    if (field == 2) {
                        trainer = message;
                    } else {
                        normalizer = message;
                    }
                } else {
                    reader.skip();
                }
                behind.write(file, start, reader.at - start);
                continue;
            }
            Reader piece = reader.message();
            if (count == kinds.length) {
                offsets = Arrays.copyOf(offsets, 2 * count);
                scores = Arrays.copyOf(scores, 2 * count);
                kinds = Arrays.copyOf(kinds, 2 * count);
            }
            int textFrom = piece.at;
            int textTo = piece.at;
            kinds[count] = 1;
            while (piece.more()) {
                switch (piece.tag()) {
                    case 1 -> {
                        Reader text = piece.message();
                        textFrom = text.at;
                        textTo = text.end;
                    }
                    case 2 -> scores[count] = piece.floating();
                    case 3 -> {
                        long kind = piece.integer();
                        if (kind < 1 || kind > 6) {
                            throw piece.corrupt("a piece type of 1 to 6", String.valueOf(kind));
                        }
                        kinds[count] = (byte) kind;
                    }
                    default -> piece.skip();
                }
            }
            if (textFrom == textTo) {
                throw piece.corrupt("a text for piece " + count, "none");
            }
            if (!Utf8.isWellFormed(file, textFrom, textTo)) {
                throw new CorruptFileException(path, textFrom, "UTF-8 in piece " + count, "malformed bytes");
            }
            if (Float.isNaN(scores[count])) {
                throw piece.corrupt("a score for piece " + count, "NaN");
            }
            System.arraycopy(file, textFrom, texts, offsets[count], textTo - textFrom);
            if (count + 1 == offsets.length) {
                offsets = Arrays.copyOf(offsets, 2 * count + 2);
            }
            offsets[count + 1] = offsets[count] + textTo - textFrom;
            count++;
        }
        if (count == 0) {
            throw new CorruptFileException(path, 0, "a SentencePiece model", "no pieces");
        }
        return new SentencePieceModel(
                texts,
                Arrays.copyOf(offsets, count + 1),
                Arrays.copyOf(scores, count),
                Arrays.copyOf(kinds, count),
                settings(trainer, normalizer, count),
                behind.toByteArray());
    }

    private static Settings settings(Reader trainer, Reader normalizer, int count) {
        int algorithm = 1;
        boolean byteFallback = false;
        boolean suffix = false;
        int[] special = {0, 1, 2, -1};
        while (trainer.more()) {
            int field = trainer.tag();
            switch (field) {
                case 3 -> {
                    long value = trainer.integer();
                    if (value < 1 || value > 4) {
                        throw trainer.corrupt("a model type of 1 to 4", String.valueOf(value));
                    }
                    algorithm = (int) value;
                }
                case 24 -> suffix = trainer.integer() != 0;
                case 35 -> byteFallback = trainer.integer() != 0;
                case 40, 41, 42, 43 -> {
                    long id = trainer.integer();
                    if (id >= count || id < Integer.MIN_VALUE) {
                        throw trainer.corrupt("an id below " + count, String.valueOf(id));
                    }
                    special[field - 40] = (int) id;
                }
                default -> trainer.skip();
            }
        }
        String name = "";
        boolean map = false;
        boolean prefix = true;
        boolean remove = true;
        boolean escape = true;
        while (normalizer.more()) {
            switch (normalizer.tag()) {
                case 1 -> {
                    Reader text = normalizer.message();
                    name = new String(text.file, text.at, text.end - text.at, StandardCharsets.UTF_8);
                }
                case 2 -> {
                    Reader charsMap = normalizer.message();
                    map = charsMap.end > charsMap.at;
                }
                case 3 -> prefix = normalizer.integer() != 0;
                case 4 -> remove = normalizer.integer() != 0;
                case 5 -> escape = normalizer.integer() != 0;
                default -> normalizer.skip();
            }
        }
        return new Settings(
                Algorithm.of(algorithm),
                byteFallback,
                suffix,
                optional(special[0]),
                optional(special[1]),
                optional(special[2]),
                optional(special[3]),
                name,
                map,
                prefix,
                remove,
                escape);
    }

    private static OptionalInt optional(int id) {
        return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
    }

    /** How many pieces. */
    public int size() {
        return kinds.length;
    }

    /** What encoding needs of the settings. */
    public Settings settings() {
        return settings;
    }

    /** Piece number {@code id}. */
    public Piece piece(int id) {
        String text = new String(texts, offsets[id], offsets[id + 1] - offsets[id], StandardCharsets.UTF_8);
        return new Piece(text, scores[id], TokenKind.of(kinds[id]));
    }

    /** All pieces, by id. */
    public List<Piece> pieces() {
        List<Piece> pieces = new ArrayList<>(size());
        for (int id = 0; id < size(); id++) {
            pieces.add(piece(id));
        }
        return pieces;
    }

    /** The same model with other pieces; everything else of the file stays as it was. */
    public SentencePieceModel withPieces(List<Piece> pieces) {
        return of(pieces, settings, behindPieces);
    }

    /**
     * The tokenizer of this model.
     *
     * @throws ConfigurationException when the model is not BPE, or normalizes text by more than spaces
     */
    public SentencePieceTokenizer tokenizer() {
        require(
                settings.algorithm() == Algorithm.BPE,
                "model_type",
                settings.algorithm(),
                "only BPE models can encode");
        require(
                !settings.hasCharacterMap(),
                "normalizer_spec.name",
                settings.normalizer(),
                "LLaMA's tokenizers do not replace characters (identity); this one does and is not supported");
        require(settings.escapeWhitespaces(), "escape_whitespaces", false, "only true is supported");
        require(!settings.whitespaceAsSuffix(), "treat_whitespace_as_suffix", true, "only false is supported");
        int size = size();
        Vocabulary.Builder builder = new Vocabulary.Builder(size, offsets[size]);
        List<AddedToken> added = new ArrayList<>();
        for (int id = 0; id < size; id++) {
            addTo(builder, added, TokenKind.of(kinds[id]), texts, offsets[id], offsets[id + 1]);
        }
        Vocabulary vocabulary = builder.build();
        SpecialTokens special = new SpecialTokens(
                settings.bosId(),
                settings.eosId(),
                settings.unknownId(),
                settings.padId(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                new TreeSet<>(),
                true,
                false);
        return new SentencePieceTokenizer(
                vocabulary,
                new MergeRule.ByToken(vocabulary, ranks(scores)),
                scores,
                new SentencePieceTokenizer.Rules(
                        settings.addDummyPrefix()
                                ? SentencePieceTokenizer.SpacePrefix.EVERY_SEGMENT
                                : SentencePieceTokenizer.SpacePrefix.NEVER,
                        settings.removeExtraWhitespaces(),
                        settings.byteFallback(),
                        settings.addDummyPrefix() || settings.removeExtraWhitespaces(),
                        false),
                special,
                added,
                Map.of());
    }

    /** Adds a SentencePiece token to a vocabulary: spaces for {@code ▁}, one byte for a byte's name. */
    static void addTo(
            Vocabulary.Builder builder, List<AddedToken> added, TokenKind kind, byte[] texts, int from, int to) {
        switch (kind) {
            case NORMAL, UNUSED -> {
                byte[] target = builder.room(to - from);
                int position = builder.position();
                int written = position;
                for (int at = from; at < to; at++) {
                    if (texts[at] == (byte) 0xE2
                            && at + 2 < to
                            && texts[at + 1] == (byte) 0x96
                            && texts[at + 2] == (byte) 0x81) {
                        target[written++] = ' ';
                        at += 2;
                    } else {
                        target[written++] = texts[at];
                    }
                }
                builder.close(written - position, kind);
            }
            case BYTE -> {
                String name = new String(texts, from, to - from, StandardCharsets.UTF_8);
                int value = SentencePieceTokenizer.byteOf(name);
                if (value < 0) {
                    throw new ConfigurationException("piece " + builder.size(), name, "a byte token is named <0xNN>");
                }
                builder.add(new byte[] {(byte) value}, 0, 1, kind);
            }
            case UNKNOWN, CONTROL, USER_DEFINED -> {
                String name = new String(texts, from, to - from, StandardCharsets.UTF_8);
                boolean user = kind == TokenKind.USER_DEFINED;
                added.add(new AddedToken(builder.size(), name, !user, user, false, false, false));
                byte[] surface = user ? Utf8.bytes(name.replace('\u2581', ' ')) : Utf8.bytes(name);
                builder.add(surface, 0, surface.length, kind);
            }
        }
    }

    private static void require(boolean holds, String field, Object value, String hint) {
        if (!holds) {
            throw new ConfigurationException(field, value, hint);
        }
    }

    /** Dense ranks: the highest score is 0, equal scores share one. */
    static int[] ranks(float[] scores) {
        long[] order = new long[scores.length];
        for (int id = 0; id < scores.length; id++) {
            int bits = Float.floatToIntBits(scores[id] + 0f);
            int ascending = bits ^ (bits >> 31 & 0x7FFF_FFFF);
            order[id] = (long) ~ascending << 32 | id;
        }
        Arrays.sort(order);
        int[] ranks = new int[scores.length];
        int rank = 0;
        for (int i = 0; i < order.length; i++) {
            if (i > 0 && order[i] >> 32 != order[i - 1] >> 32) {
                rank++;
            }
            ranks[(int) order[i]] = rank;
        }
        return ranks;
    }

    /** The file's bytes. */
    public byte[] toBytes() {
        Wire wire = new Wire();
        for (int id = 0; id < size(); id++) {
            Wire piece = new Wire();
            piece.bytes(1, Arrays.copyOfRange(texts, offsets[id], offsets[id + 1]));
            piece.floating(2, scores[id]);
            if (kinds[id] != 1) {
                piece.integer(3, kinds[id]);
            }
            wire.bytes(1, piece.out.toByteArray());
        }
        wire.out.writeBytes(behindPieces);
        return wire.out.toByteArray();
    }

    /** Writes the file; an existing one is replaced when the new one is complete. */
    public void write(Path file) {
        try {
            AtomicFile.write(file, toBytes());
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + file, e);
        }
    }

    /** The model of a tokenizer that has scores; the settings are LLaMA's apart from what the tokenizer does. */
    public static SentencePieceModel of(SentencePieceTokenizer tokenizer) {
        float[] scores = tokenizer.scoresOrRanks();
        List<Piece> pieces = new ArrayList<>(scores.length);
        for (int id = 0; id < scores.length; id++) {
            pieces.add(new Piece(tokenizer.piece(id), scores[id], tokenizer.kind(id)));
        }
        SpecialTokens special = tokenizer.specialTokens();
        SentencePieceTokenizer.Rules rules = tokenizer.rules();
        return of(
                pieces,
                new Settings(
                        Algorithm.BPE,
                        rules.byteFallback(),
                        false,
                        special.unknown(),
                        special.bos(),
                        special.eos(),
                        special.pad(),
                        "identity",
                        false,
                        rules.prefix() != SentencePieceTokenizer.SpacePrefix.NEVER,
                        rules.removeExtraWhitespaces(),
                        true));
    }

    /** Protobuf's wire format, reading, never beyond {@code end}. */
    private static final class Reader {
        private final byte[] file;
        private final int end;
        private final Path path;
        private int at;
        private int wireType;

        Reader(byte[] file, int at, int end, Path path) {
            this.file = file;
            this.at = at;
            this.end = end;
            this.path = path;
        }

        boolean more() {
            return at < end;
        }

        CorruptFileException corrupt(String expected, String found) {
            return new CorruptFileException(path, at, expected, found);
        }

        /** The next field's number. */
        int tag() {
            long tag = varint();
            wireType = (int) tag & 7;
            if (tag >>> 3 == 0 || tag >>> 3 > 0x1FFF_FFFF) {
                throw corrupt("a protobuf field number", String.valueOf(tag >>> 3));
            }
            return (int) (tag >>> 3);
        }

        private long varint() {
            long value = 0;
            for (int shift = 0; shift < 70; shift += 7) {
                if (at >= end) {
                    throw corrupt("the rest of a number", "the end of the message");
                }
                byte next = file[at++];
                value |= (long) (next & 0x7F) << shift;
                if (next >= 0) {
                    return value;
                }
            }
            throw corrupt("a number of at most ten bytes", "more");
        }

        private void wire(int expected) {
            if (wireType != expected) {
                throw corrupt("protobuf wire type " + expected, String.valueOf(wireType));
            }
        }

        long integer() {
            wire(0);
            return varint();
        }

        float floating() {
            wire(5);
            advance(4);
            int bits = (file[at - 4] & 0xFF)
                    | (file[at - 3] & 0xFF) << 8
                    | (file[at - 2] & 0xFF) << 16
                    | (file[at - 1] & 0xFF) << 24;
            return Float.intBitsToFloat(bits);
        }

        Reader message() {
            wire(2);
            long length = varint();
            advance(length);
            return new Reader(file, at - (int) length, at, path);
        }

        void skip() {
            switch (wireType) {
                case 0 -> varint();
                case 1 -> advance(8);
                case 2 -> message();
                case 5 -> advance(4);
                default -> throw corrupt("a protobuf wire type of 0, 1, 2 or 5", String.valueOf(wireType));
            }
        }

        private void advance(long length) {
            if (length < 0 || length > end - at) {
                throw corrupt(length + " bytes", (end - at) + " until the end of the message");
            }
            at += (int) length;
        }
    }

    /** Protobuf's wire format, writing. */
    private static final class Wire {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();

        private void varint(long value) {
            long rest = value;
            while ((rest & ~0x7FL) != 0) {
                out.write((int) ((rest & 0x7F) | 0x80));
                rest >>>= 7;
            }
            out.write((int) rest);
        }

        void integer(int field, long value) {
            varint((long) field << 3);
            varint(value);
        }

        void floating(int field, float value) {
            varint((long) field << 3 | 5);
            int bits = Float.floatToRawIntBits(value);
            for (int shift = 0; shift < 32; shift += 8) {
                out.write(bits >>> shift);
            }
        }

        void bytes(int field, byte[] value) {
            varint((long) field << 3 | 2);
            varint(value.length);
            out.writeBytes(value);
        }
    }
}
