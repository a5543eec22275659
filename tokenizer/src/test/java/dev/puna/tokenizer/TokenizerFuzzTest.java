package dev.puna.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** Damaged files are refused, or opened; nothing else, and soon. */
class TokenizerFuzzTest {
    private static final Path PATH = Path.of("fuzzed");

    private static byte[] model() {
        return SentencePieceModel.of(MergerTest.random(new SplittableRandom(3), true))
                .toBytes();
    }

    private static byte[] json() {
        return TokenizerJson.toText(MergerTest.random(new SplittableRandom(3), true))
                .getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] ranks() {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (int id = 0; id < 400; id++) {
            byte[] token = id < 256 ? new byte[] {(byte) id} : new byte[] {(byte) (id - 256), 'x'};
            out.writeBytes(
                    (Base64.getEncoder().encodeToString(token) + " " + id + "\n").getBytes(StandardCharsets.UTF_8));
        }
        return out.toByteArray();
    }

    private static void fuzz(byte[] valid, int rounds, Consumer<byte[]> open) {
        open.accept(valid);
        SplittableRandom random = new SplittableRandom(4);
        int refused = 0;
        for (int round = 0; round < rounds; round++) {
            byte[] bytes = valid.clone();
            int changes = 1 + random.nextInt(4);
            for (int i = 0; i < changes; i++) {
                int at = random.nextInt(bytes.length);
                switch (random.nextInt(4)) {
                    case 0 -> bytes[at] = (byte) random.nextInt(256);
                    case 1 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                    case 2 -> bytes = Arrays.copyOf(bytes, Math.max(1, at));
                    default -> {
                        int length = Math.min(random.nextInt(20), bytes.length - at);
                        System.arraycopy(bytes, random.nextInt(bytes.length - length + 1), bytes, at, length);
                    }
                }
            }
            try {
                open.accept(bytes);
            } catch (CorruptFileException | ConfigurationException e) {
                refused++;
            }
        }
        assertThat(refused).isGreaterThan(rounds / 4);
    }

    @Test
    void sentencePieceModels() {
        fuzz(
                model(),
                20_000,
                bytes -> SentencePieceModel.parse(bytes, PATH).tokenizer().encode("ab ba", EncodeOptions.TEXT));
    }

    @Test
    void tiktokenRanks() {
        fuzz(ranks(), 20_000, bytes -> TiktokenRanks.parse(bytes, PATH).encode("ab ba", EncodeOptions.TEXT));
    }

    @Test
    void tokenizerJsons() {
        fuzz(
                json(),
                10_000,
                bytes -> TokenizerJson.parse(bytes, PATH, TokenizerJson.MergeOrder.RANKS)
                        .encode("ab ba", EncodeOptions.TEXT));
    }

    @Test
    void truncatedAtAnyByte() {
        byte[] model = model();
        byte[] json = json();
        for (int length = 0; length < json.length - 2; length += 1 + length / 50) {
            byte[] start = Arrays.copyOf(json, length);
            assertThatThrownBy(() -> TokenizerJson.parse(start, PATH, TokenizerJson.MergeOrder.RANKS))
                    .isInstanceOf(CorruptFileException.class);
        }
        byte[] inTheMiddle = Arrays.copyOf(model, 1000);
        assertThatThrownBy(() -> SentencePieceModel.parse(inTheMiddle, PATH)).isInstanceOf(CorruptFileException.class);
        byte[] endless = new byte[11];
        Arrays.fill(endless, (byte) 0xFF);
        assertThatThrownBy(() -> SentencePieceModel.parse(endless, PATH)).isInstanceOf(CorruptFileException.class);
        byte[] deep = "[".repeat(100_000).getBytes(StandardCharsets.UTF_8);
        assertThatThrownBy(() -> Json.parse(deep, PATH)).isInstanceOf(CorruptFileException.class);
    }
}
