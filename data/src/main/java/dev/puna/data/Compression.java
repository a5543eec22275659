package dev.puna.data;

import com.github.luben.zstd.RecyclingBufferPool;
import com.github.luben.zstd.ZstdInputStreamNoFinalizer;
import com.github.luben.zstd.ZstdOutputStreamNoFinalizer;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import org.jspecify.annotations.Nullable;
import org.tukaani.xz.XZInputStream;

/**
 * How a file is compressed. Reading looks at the first bytes, not at the name; several members or frames in a row are
 * read as one stream. Every stream is guarded against decompression bombs: beyond {@value #BOMB_FREE_BYTES} bytes it
 * may not be more than {@value #BOMB_RATIO} times as large as what was read for it.
 */
public enum Compression {
    NONE,
    GZIP,
    ZSTD,
    BZIP2,
    XZ;

    /** Output below this is never called a bomb. */
    public static final long BOMB_FREE_BYTES = 64L << 20;

    /** gzip reaches about 1,030 at most; real text stays below 100. */
    public static final int BOMB_RATIO = 400;

    private static final int BUFFER = 1 << 16;

    /** What a file's first bytes say. */
    public static Compression of(byte[] head, int length) {
        if (length >= 2 && (head[0] & 0xff) == 0x1f && (head[1] & 0xff) == 0x8b) {
            return GZIP;
        }
        if (length >= 4
                && (head[0] & 0xff) == 0x28
                && (head[1] & 0xff) == 0xb5
                && (head[2] & 0xff) == 0x2f
                && (head[3] & 0xff) == 0xfd) {
            return ZSTD;
        }
        if (length >= 4 && head[0] == 'B' && head[1] == 'Z' && head[2] == 'h' && head[3] >= '1' && head[3] <= '9') {
            return BZIP2;
        }
        if (length >= 6
                && (head[0] & 0xff) == 0xfd
                && head[1] == '7'
                && head[2] == 'z'
                && head[3] == 'X'
                && head[4] == 'Z') {
            return XZ;
        }
        return NONE;
    }

    /** What the end of the name says, for writing. */
    public static Compression ofName(Path path) {
        String name = path.getFileName().toString().toLowerCase(Locale.ROOT);
        if (name.endsWith(".gz")) {
            return GZIP;
        }
        if (name.endsWith(".zst") || name.endsWith(".zstd")) {
            return ZSTD;
        }
        if (name.endsWith(".bz2")) {
            return BZIP2;
        }
        return name.endsWith(".xz") ? XZ : NONE;
    }

    /** Opens a file for reading, decompressed; what is taken from the disk is counted in {@code report}. */
    public static InputStream open(Path file, ReadReport report) throws IOException {
        InputStream raw = Files.newInputStream(file);
        try {
            CountingInputStream counted = new CountingInputStream(raw, report);
            return decompress(counted, file);
        } catch (IOException | RuntimeException e) {
            raw.close();
            throw e;
        }
    }

    /** Decompresses what {@code in} holds; {@code path} is for messages. Closing closes {@code in}. */
    public static InputStream decompress(InputStream in, Path path) throws IOException {
        CountingInputStream counted =
                in instanceof CountingInputStream c ? c : new CountingInputStream(in, new ReadReport());
        BufferedInputStream buffered = new BufferedInputStream(counted, BUFFER);
        buffered.mark(8);
        byte[] head = buffered.readNBytes(6);
        buffered.reset();
        InputStream plain = opened(of(head, head.length), buffered, path);
        return plain == null ? buffered : new BombGuard(plain, counted, path);
    }

    private static @Nullable InputStream opened(Compression compression, InputStream buffered, Path path) {
        try {
            return switch (compression) {
                case NONE -> null;
                case GZIP -> new GZIPInputStream(buffered, BUFFER);
                case ZSTD -> new ZstdInputStreamNoFinalizer(buffered, RecyclingBufferPool.INSTANCE);
                case BZIP2 -> new Bzip2InputStream(buffered);
                case XZ -> new XZInputStream(buffered, 256 << 10);
            };
        } catch (IOException e) {
            throw new CorruptFileException(path, 0, "a " + compression + " stream", String.valueOf(e.getMessage()));
        }
    }

    /** Compresses what is written to the result into {@code out}. */
    public OutputStream compress(OutputStream out) throws IOException {
        BufferedOutputStream buffered = new BufferedOutputStream(out, BUFFER);
        return switch (this) {
            case NONE -> buffered;
            case GZIP -> new GZIPOutputStream(buffered, BUFFER);
            case ZSTD -> new ZstdOutputStreamNoFinalizer(buffered, RecyclingBufferPool.INSTANCE, 1);
            case BZIP2, XZ ->
                throw new ConfigurationException("compression", this, "write .zst, .gz or no compression");
        };
    }
}
