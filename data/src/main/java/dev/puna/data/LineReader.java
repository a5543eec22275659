package dev.puna.data;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Cuts a stream of bytes into lines at {@code \n}, in bounded memory: of a line longer than the cap only the place and
 * the length remain.
 *
 * <pre>{@code
 * while (lines.next()) {
 *     if (lines.tooLong()) … else use(lines.bytes(), lines.start(), lines.length());
 * }
 * }</pre>
 */
public final class LineReader implements AutoCloseable {
    private final InputStream in;
    private final int maxBytes;
    private byte[] buffer = new byte[1 << 18];
    private int position; // next unread byte in buffer
    private int limit;
    private long bufferOffset; // offset of buffer[0] in the stream
    private int start;
    private int length;
    private long lineOffset;
    private boolean tooLong;
    private boolean ended;

    /** @param maxBytes the longest line that is kept */
    public LineReader(InputStream in, int maxBytes) {
        this.in = in;
        this.maxBytes = maxBytes;
    }

    /** Moves to the next line; false at the end. */
    public boolean next() throws IOException {
        tooLong = false;
        lineOffset = bufferOffset + position;
        int scanned = position;
        while (true) {
            int end = indexOfNewline(scanned);
            if (end >= 0) {
                start = position;
                length = end - position;
                position = end + 1;
                return true;
            }
            if (limit - position > maxBytes) {
                return skipRest();
            }
            scanned = limit - position;
            if (!fill()) {
                if (position == limit) {
                    return false;
                }
                start = position;
                length = limit - position;
                position = limit;
                return true;
            }
        }
    }

    private int indexOfNewline(int from) {
        byte[] b = buffer;
        int n = limit;
        for (int i = from; i < n; i++) {
            if (b[i] == '\n') {
                return i;
            }
        }
        return -1;
    }

    /** Moves what is unread to the front and reads more behind it. After it {@code position} is 0. */
    private boolean fill() throws IOException {
        if (ended) {
            return false;
        }
        if (position > 0) {
            System.arraycopy(buffer, position, buffer, 0, limit - position);
            bufferOffset += position;
            limit -= position;
            position = 0;
        }
        if (limit == buffer.length) {
            buffer = Arrays.copyOf(
                    buffer, Math.min(buffer.length * 2, Math.max(maxBytes + (1 << 16), buffer.length + 1)));
        }
        int n = in.read(buffer, limit, buffer.length - limit);
        if (n <= 0) {
            ended = true;
            return false;
        }
        limit += n;
        return true;
    }

    private boolean skipRest() throws IOException {
        tooLong = true;
        start = 0;
        length = 0;
        while (true) {
            int end = indexOfNewline(position);
            if (end >= 0) {
                position = end + 1;
                return true;
            }
            position = limit;
            if (!fill()) {
                return true;
            }
        }
    }

    /** True when the line was longer than the cap and is skipped. */
    public boolean tooLong() {
        return tooLong;
    }

    /** The array that holds the line until the next call of {@link #next}. */
    public byte[] bytes() {
        return buffer;
    }

    public int start() {
        return start;
    }

    /** Length in bytes, without the newline. */
    public int length() {
        return length;
    }

    /** Where the line begins in the stream. */
    public long offset() {
        return lineOffset;
    }

    /** The line as UTF-8; bad bytes become U+FFFD. */
    public String string() {
        return new String(buffer, start, length, StandardCharsets.UTF_8);
    }

    @Override
    public void close() throws IOException {
        in.close();
    }
}
