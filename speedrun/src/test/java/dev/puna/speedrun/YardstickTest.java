package dev.puna.speedrun;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class YardstickTest {
    private static final String[] WORDS = {
        "public", "static", "int", "return", "value", "index", "null", "if", "for", "String", "list", "size"
    };

    /** Words by chance, the same always. */
    private static byte[] text(int length) {
        StringBuilder text = new StringBuilder();
        long state = 1;
        while (text.length() < length) {
            state = state * 0x5851F42D4C957F2DL + 0x14057B7EF767814FL;
            text.append(WORDS[(int) ((state >>> 33) % WORDS.length)]).append((state >>> 50 & 3) != 0 ? ' ' : '\n');
        }
        return Arrays.copyOf(text.toString().getBytes(StandardCharsets.US_ASCII), length);
    }

    /**
     * Sizes of {@code xz -9 -c FILE | wc -c} (XZ Utils 5.4.1) and {@code zstd -19 -c FILE | wc -c} (1.5.4) of the same
     * bytes. The Java encoder searches as the C one does and may differ by some bytes in what it finds; zstd's versions
     * differ in their tables: half a percent and eight bytes.
     */
    @ParameterizedTest
    @CsvSource({"100, 124, 78", "5000, 1112, 1030", "200000, 30028, 30360"})
    void sizesAreThoseOfThePrograms(int length, long xz, long zstd) {
        assertThat(Yardstick.xz9(text(length))).isCloseTo(xz, within(8 + xz / 200));
        assertThat(Yardstick.zstd19(text(length))).isCloseTo(zstd, within(8 + zstd / 200));
    }

    @Test
    void whatRepeatsInAnotherTextIsFreeWhenPackedOnly() {
        byte[] text = text(20_000);
        Yardstick twice = Yardstick.measure(List.of(text, text.clone()));
        assertThat(twice.texts()).isEqualTo(2);
        assertThat(twice.bytes()).isEqualTo(40_000);
        assertThat(twice.xzPacked()).isCloseTo(twice.xzAlone() / 2, within(0.02));
        assertThat(twice.zstdPacked()).isCloseTo(twice.zstdAlone() / 2, within(0.02));
        assertThat(twice.xzAlone()).isEqualTo(8.0 * Yardstick.xz9(text) / text.length, within(1e-12));
    }
}
