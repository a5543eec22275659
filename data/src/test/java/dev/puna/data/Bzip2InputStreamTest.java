package dev.puna.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.zip.ZipException;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Against the compressor of commons-compress; real dumps of bzip2's own stand in the tests of WikipediaSource. */
class Bzip2InputStreamTest {
    private static byte[] compressed(byte[] plain, int level) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (BZip2CompressorOutputStream bzip2 = new BZip2CompressorOutputStream(out, level)) {
            bzip2.write(plain);
        }
        return out.toByteArray();
    }

    private static byte[] decompressed(byte[] compressed) throws IOException {
        try (InputStream in = new Bzip2InputStream(new ByteArrayInputStream(compressed))) {
            return in.readAllBytes();
        }
    }

    /** Words of a small vocabulary, with runs of all lengths between. */
    private static byte[] text(int length, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        byte[] text = new byte[length];
        for (int at = 0; at < length; ) {
            int n = Math.min(length - at, random.nextInt(100) == 0 ? random.nextInt(700) : 1 + random.nextInt(5));
            byte b = (byte)
                    (random.nextInt(40) == 0 ? random.nextInt(256) : 'a' + random.nextInt(20) * random.nextInt(2));
            Arrays.fill(text, at, at + n, b);
            at += n;
        }
        return text;
    }

    private static byte[] joined(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 254, 255, 256, 258, 259, 260, 261, 1000, 65_536, 100_000, 250_000})
    void runsOfOneByte(int length) throws IOException {
        byte[] plain = new byte[length];
        Arrays.fill(plain, (byte) 'x');
        assertThat(decompressed(compressed(plain, 1))).isEqualTo(plain);
    }

    /** One block to nineteen: chains alone, in fours, in eights, and what is left of these. */
    @ParameterizedTest
    @ValueSource(ints = {1, 1_000, 99_000, 150_000, 350_000, 720_000, 1_150_000, 1_900_000})
    void blocksOfText(int length) throws IOException {
        byte[] plain = text(length, length);
        assertThat(decompressed(compressed(plain, 1))).isEqualTo(plain);
    }

    @Test
    void bytesWithoutOrder() throws IOException {
        byte[] plain = new byte[500_000];
        new java.util.Random(5).nextBytes(plain);
        assertThat(decompressed(compressed(plain, 2))).isEqualTo(plain);
    }

    /** Wikipedia's dumps are such; a stream of large blocks may stand behind ones of small blocks. */
    @Test
    void streamsInARow() throws IOException {
        byte[] a = text(130_000, 1);
        byte[] b = text(1_300_000, 2);
        byte[] c = text(450_000, 3);
        byte[] nothing = new byte[0];
        byte[] all = joined(
                compressed(a, 1),
                compressed(a, 1),
                compressed(b, 9),
                compressed(nothing, 4),
                compressed(c, 1),
                compressed(b, 5),
                compressed(a, 9));
        assertThat(decompressed(all)).isEqualTo(joined(a, a, b, c, b, a));
    }

    @Test
    void byteByByte() throws IOException {
        byte[] plain = text(1_000, 4);
        try (InputStream in = new Bzip2InputStream(new ByteArrayInputStream(compressed(plain, 1)))) {
            for (byte b : plain) {
                assertThat(in.read()).isEqualTo(b & 0xff);
            }
            assertThat(in.read()).isEqualTo(-1);
            assertThat(in.read()).isEqualTo(-1);
        }
    }

    /** What came before the damage is delivered, what is wrong never. */
    @Test
    void truncated() throws IOException {
        byte[] plain = text(330_000, 6);
        byte[] whole = compressed(plain, 1);
        for (int length = 1; length < whole.length; length += length < 50 ? 1 : 997) {
            byte[] cut = Arrays.copyOf(whole, length);
            ByteArrayOutputStream delivered = new ByteArrayOutputStream();
            assertThatThrownBy(() -> {
                        try (InputStream in = new Bzip2InputStream(new ByteArrayInputStream(cut))) {
                            in.transferTo(delivered);
                        }
                    })
                    .as("after %d bytes", length)
                    .isInstanceOfAny(EOFException.class, ZipException.class);
            byte[] so = delivered.toByteArray();
            assertThat(Arrays.equals(so, 0, so.length, plain, 0, so.length)).isTrue();
            if (length == 50 + 997 * ((whole.length - 50) / 997)) {
                assertThat(so.length).isGreaterThan(200_000);
            }
        }
    }

    @Test
    void flippedBits() throws IOException {
        byte[] plain = text(20_000, 7);
        byte[] whole = compressed(plain, 1);
        SplittableRandom random = new SplittableRandom(8);
        for (int i = 0; i < 2_000; i++) {
            byte[] damaged = whole.clone();
            damaged[i < 200 ? i : random.nextInt(whole.length)] ^= (byte) (1 << random.nextInt(8));
            try {
                assertThat(decompressed(damaged)).isEqualTo(plain); // the last bits are of no block
            } catch (IOException e) {
                assertThat(e).isInstanceOfAny(EOFException.class, ZipException.class);
            }
        }
    }

    @Test
    void somethingElse() throws IOException {
        byte[] whole = compressed(text(100, 9), 1);
        assertThatThrownBy(() -> decompressed("not bzip2 at all".getBytes(java.nio.charset.StandardCharsets.UTF_8)))
                .hasMessageContaining("no stream begins");
        assertThatThrownBy(() -> decompressed(joined(whole, new byte[10])))
                .hasMessageContaining("something else behind a stream");
        assertThatThrownBy(() -> decompressed(new byte[0])).isInstanceOf(EOFException.class);
    }
}
