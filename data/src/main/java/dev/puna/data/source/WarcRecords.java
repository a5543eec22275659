package dev.puna.data.source;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The records of a WARC file (ISO 28500), one after the other. Header fields are found by name, whatever their order.
 * Where a record does not begin as one should, the next place that does is looked for.
 */
final class WarcRecords {
    /**
     * One record.
     *
     * @param offset where it begins in the decompressed file
     * @param fields header fields, names in lower case
     * @param block its content; null when it is larger than the cap
     */
    record WarcRecord(long offset, Map<String, String> fields, byte @Nullable [] block) {
        @Nullable
        String field(String name) {
            return fields.get(name);
        }
    }

    private static final int MAX_HEADER_BYTES = 1 << 16;

    private final InputStream in;
    private final int maxBlockBytes;
    private byte[] buffer = new byte[1 << 18];
    private int position;
    private int limit;
    private long bufferOffset;
    private long resynchronized;

    WarcRecords(InputStream in, int maxBlockBytes) {
        this.in = in;
        this.maxBlockBytes = maxBlockBytes;
    }

    /** How often the beginning of a record had to be looked for. */
    long resynchronized() {
        return resynchronized;
    }

    /** The next record, or null at the end. */
    @Nullable
    WarcRecord next() throws IOException {
        boolean lost = false;
        while (true) {
            long offset = bufferOffset + position;
            String line = line();
            if (line == null) {
                return null;
            }
            if (line.isEmpty()) {
                continue;
            }
            if (!line.startsWith("WARC/")) {
                if (!lost) {
                    lost = true;
                    resynchronized++;
                }
                continue;
            }
            Map<String, String> fields = new HashMap<>();
            int headerBytes = 0;
            String field = line();
            while (field != null && !field.isEmpty() && headerBytes < MAX_HEADER_BYTES) {
                headerBytes += field.length();
                int colon = field.indexOf(':');
                if (colon > 0) {
                    fields.putIfAbsent(
                            field.substring(0, colon).strip().toLowerCase(Locale.ROOT),
                            field.substring(colon + 1).strip());
                }
                field = line();
            }
            long length;
            try {
                length = Long.parseLong(fields.getOrDefault("content-length", "-1"));
            } catch (NumberFormatException e) {
                length = -1;
            }
            if (length < 0) {
                lost = true;
                resynchronized++;
                continue;
            }
            if (length > maxBlockBytes) {
                skip(length);
                return new WarcRecord(offset, fields, null);
            }
            byte[] block = read((int) length);
            if (block.length < length) {
                throw new java.io.EOFException("a record of " + length + " bytes ends after " + block.length);
            }
            return new WarcRecord(offset, fields, block);
        }
    }

    private boolean fill() throws IOException {
        bufferOffset += limit;
        position = 0;
        limit = Math.max(0, in.read(buffer, 0, buffer.length));
        return limit > 0;
    }

    /** A line without its end, at most the header's cap of it; null at the end of the file. */
    private @Nullable String line() throws IOException {
        StringBuilder long_ = null;
        while (true) {
            if (position == limit && !fill()) {
                return long_ == null ? null : long_.toString();
            }
            int end = position;
            while (end < limit && buffer[end] != '\n') {
                end++;
            }
            boolean complete = end < limit;
            int stop = complete && end > position && buffer[end - 1] == '\r' ? end - 1 : end;
            String part =
                    new String(buffer, position, Math.min(stop - position, MAX_HEADER_BYTES), StandardCharsets.UTF_8);
            position = complete ? end + 1 : limit;
            if (complete && long_ == null) {
                return part;
            }
            if (long_ == null) {
                long_ = new StringBuilder();
            }
            if (long_.length() < MAX_HEADER_BYTES) {
                long_.append(part);
            }
            if (complete) {
                String text = long_.toString();
                return text.endsWith("\r") ? text.substring(0, text.length() - 1) : text;
            }
        }
    }

    private byte[] read(int length) throws IOException {
        byte[] block = new byte[length];
        int done = 0;
        while (done < length) {
            if (position == limit && !fill()) {
                return java.util.Arrays.copyOf(block, done);
            }
            int n = Math.min(limit - position, length - done);
            System.arraycopy(buffer, position, block, done, n);
            position += n;
            done += n;
        }
        return block;
    }

    private void skip(long length) throws IOException {
        long left = length;
        while (left > 0) {
            if (position == limit && !fill()) {
                return;
            }
            int n = (int) Math.min(limit - position, left);
            position += n;
            left -= n;
        }
    }
}
