package dev.puna.data.source;

import dev.puna.data.Bzip2InputStream;
import dev.puna.data.ReadReport;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * The streams of a multistream bzip2 file that begin in a range of its bytes. Wikipedia's dumps are such files: each
 * stream is complete XML for a hundred pages. A stream begins at a byte with {@code BZh}, its block size, and the first
 * block's number 0x314159265359.
 */
final class Bzip2Slice {
    private static final byte[] BLOCK = {0x31, 0x41, 0x59, 0x26, 0x53, 0x59};

    private Bzip2Slice() {}

    /** Opens the streams that begin in {@code [from, to)}; null when there is none. */
    static @org.jspecify.annotations.Nullable InputStream open(Path path, long from, long to, ReadReport report)
            throws IOException {
        FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
        try {
            long start = from == 0 ? 0 : nextStream(channel, from);
            long end = to >= channel.size() ? channel.size() : nextStream(channel, to);
            if (start >= end) {
                channel.close();
                return null;
            }
            channel.position(start);
            InputStream raw = new Limited(Channels.newInputStream(channel), end - start, report);
            return new Bzip2InputStream(raw);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    /** The first byte from {@code from} on where a stream begins; the size of the file when there is none. */
    static long nextStream(FileChannel channel, long from) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(1 << 18);
        long size = channel.size();
        long at = from;
        while (at + 10 <= size) {
            buffer.clear();
            int n = 0;
            while (buffer.hasRemaining()) {
                int k = channel.read(buffer, at + n);
                if (k <= 0) {
                    break;
                }
                n += k;
            }
            byte[] b = buffer.array();
            for (int i = 0; i + 10 <= n; i++) {
                if (b[i] == 'B' && b[i + 1] == 'Z' && b[i + 2] == 'h' && b[i + 3] >= '1' && b[i + 3] <= '9') {
                    boolean block = true;
                    for (int k = 0; k < BLOCK.length && block; k++) {
                        block = b[i + 4 + k] == BLOCK[k];
                    }
                    if (block) {
                        return at + i;
                    }
                }
            }
            if (n < 10) {
                break;
            }
            at += n - 9;
        }
        return size;
    }

    private static final class Limited extends FilterInputStream {
        private final ReadReport report;
        private long left;

        Limited(InputStream in, long left, ReadReport report) {
            super(in);
            this.left = left;
            this.report = report;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] b, int off, int len) throws IOException {
            if (left <= 0) {
                return -1;
            }
            int n = in.read(b, off, (int) Math.min(len, left));
            if (n > 0) {
                left -= n;
                report.addBytes(n);
            }
            return n;
        }
    }
}
