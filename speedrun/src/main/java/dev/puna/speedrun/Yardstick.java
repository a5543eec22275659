package dev.puna.speedrun;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdCompressCtx;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.util.List;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.XZ;
import org.tukaani.xz.XZOutputStream;

/**
 * What the usual compressors make of texts, in bits for each byte: {@code xz -9} and {@code zstd -19}, computed here. A
 * model is a compressor, too (its bits for a text are −log₂ of the text's probability), so the figures stand side by
 * side; Delétang et al. 2023, "Language Modeling Is Compression".
 *
 * @param xzAlone every text by itself
 * @param xzPacked all texts one behind the other
 * @param zstdAlone every text by itself
 * @param zstdPacked all texts one behind the other
 * @param bytes of all texts
 * @param texts how many
 */
public record Yardstick(double xzAlone, double xzPacked, double zstdAlone, double zstdPacked, long bytes, int texts) {
    /** Compresses; texts in the order in which they are packed. */
    static Yardstick measure(List<byte[]> texts) {
        long bytes = 0;
        for (byte[] text : texts) {
            bytes += text.length;
        }
        byte[] packed = new byte[Math.toIntExact(bytes)];
        int at = 0;
        long xz = 0;
        long zstd = 0;
        for (byte[] text : texts) {
            System.arraycopy(text, 0, packed, at, text.length);
            at += text.length;
            xz += xz9(text);
            zstd += zstd19(text);
        }
        double bits = 8.0 / Math.max(1, bytes);
        return new Yardstick(bits * xz, bits * xz9(packed), bits * zstd, bits * zstd19(packed), bytes, texts.size());
    }

    /**
     * Bytes of {@code xz -9}, container and checksum as the program writes them. The dictionary is no larger than the
     * text: what lies beyond is never looked at, and memory for it is not taken.
     */
    static long xz9(byte[] text) {
        try {
            LZMA2Options options = new LZMA2Options(9);
            options.setDictSize(Math.clamp(text.length, LZMA2Options.DICT_SIZE_MIN, options.getDictSize()));
            Counter counter = new Counter();
            try (XZOutputStream out = new XZOutputStream(counter, options, XZ.CHECK_CRC64)) {
                out.write(text);
            }
            return counter.count;
        } catch (IOException e) {
            throw new UncheckedIOException(e); // nothing is written anywhere
        }
    }

    /** Bytes of {@code zstd -19}, with the checksum that the program appends. */
    static long zstd19(byte[] text) {
        try (ZstdCompressCtx context = new ZstdCompressCtx()) {
            context.setLevel(19).setChecksum(true);
            byte[] out = new byte[Math.toIntExact(Zstd.compressBound(text.length))];
            return context.compressByteArray(out, 0, out.length, text, 0, text.length);
        }
    }

    private static final class Counter extends OutputStream {
        private long count;

        @Override
        public void write(int b) {
            count++;
        }

        @Override
        public void write(byte[] bytes, int offset, int length) {
            count += length;
        }
    }
}
