package dev.puna.data;

import com.github.luben.zstd.Zstd;
import dev.puna.tensor.CorruptFileException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.compressors.snappy.SnappyCompressorInputStream;
import org.jspecify.annotations.Nullable;

/**
 * Reads Parquet files of flat records row by row (format specification 2.12): BigQuery's exports, datasets of code and
 * text. A column at the top level with at most one value in a row is a field; nested and repeated columns are left out.
 * Pages are read one at a time for each column, so that memory is a page and a dictionary a column, whatever the file.
 *
 * <p>Encodings: plain, dictionary, delta for lengths. Compression: none, snappy, gzip, zstd. Numbers, truth values and
 * texts; a column of another type is left out.
 */
public final class ParquetReader implements RecordReader {
    /** The largest page and the largest footer that are read: 256 MiB. */
    public static final int MAX_BYTES = 256 << 20;

    private static final byte[] MAGIC = {'P', 'A', 'R', '1'};
    private static final int HEADER_GUESS = 1 << 12;

    private final Path path;
    private final ReadReport report;
    private final FileChannel channel;
    private final List<Group> groups = new ArrayList<>();
    private final List<Column> columns = new ArrayList<>();
    private int nextGroup;
    private long rowsLeft;
    private long row; // rows given out

    /** A row group. */
    private record Group(long offset, long rows, List<ThriftCompact.Struct> chunks) {}

    /**
     * Opens a file for the row groups that begin in bytes {@code [from, to)}.
     *
     * @throws CorruptFileException when it is not Parquet or its footer is damaged
     */
    public ParquetReader(Path path, long from, long to, ReadReport report) throws IOException {
        this.path = path;
        this.report = report;
        this.channel = FileChannel.open(path, StandardOpenOption.READ);
        try {
            for (Group group : footer()) {
                if (group.offset() >= from && group.offset() < to) {
                    groups.add(group);
                }
            }
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    /** Whether a file's first bytes are those of Parquet. */
    public static boolean isParquet(Path path) throws IOException {
        try (InputStream in = java.nio.file.Files.newInputStream(path)) {
            return java.util.Arrays.equals(in.readNBytes(4), MAGIC);
        }
    }

    /** Where each row group begins. */
    public static List<Long> groupOffsets(Path path) throws IOException {
        try (ParquetReader reader = new ParquetReader(path, 0, Long.MAX_VALUE, new ReadReport())) {
            return reader.groups.stream().map(Group::offset).toList();
        }
    }

    private byte[] bytes(long offset, long length, String what) throws IOException {
        if (offset < 0 || length < 0 || length > MAX_BYTES || offset > channel.size() - length) {
            throw new CorruptFileException(
                    path, offset, what + " of at most " + MAX_BYTES + " bytes inside the file", length + " bytes");
        }
        ByteBuffer buffer = ByteBuffer.allocate((int) length);
        while (buffer.hasRemaining() && channel.read(buffer, offset + buffer.position()) >= 0) {}
        return buffer.array();
    }

    private List<Group> footer() throws IOException {
        long size = channel.size();
        if (size < 12) {
            throw new CorruptFileException(path, size, "a Parquet file", size + " bytes");
        }
        byte[] tail = bytes(size - 8, 8, "an end");
        for (int i = 0; i < 4; i++) {
            if (tail[4 + i] != MAGIC[i]) {
                throw new CorruptFileException(path, size - 4, "PAR1 at the end (is the file cut off?)", "other bytes");
            }
        }
        long length = Integer.toUnsignedLong(
                ByteBuffer.wrap(tail).order(ByteOrder.LITTLE_ENDIAN).getInt());
        byte[] footer = bytes(size - 8 - length, length, "a footer");
        try {
            ThriftCompact.Struct file = new ThriftCompact(footer, 0, footer.length).struct();
            columns(file.list(2));
            if (columns.isEmpty()) {
                throw new CorruptFileException(path, size - 8 - length, "a column of text or numbers", "none");
            }
            List<Group> found = new ArrayList<>();
            for (Object node : file.list(4)) {
                if (!(node instanceof ThriftCompact.Struct group)) {
                    continue;
                }
                List<ThriftCompact.Struct> chunks = new ArrayList<>();
                long first = Long.MAX_VALUE;
                for (Object chunk : group.list(1)) {
                    ThriftCompact.Struct meta = ((ThriftCompact.Struct) chunk).struct(3);
                    chunks.add(meta);
                    first = Math.min(first, begin(meta));
                }
                long rows = group.number(3, 0);
                long values = chunks.isEmpty() ? 0 : chunks.getFirst().number(5, 0);
                if (rows < 0 || rows > Math.max(0, values)) {
                    throw new CorruptFileException(
                            path, first, "a row for each value of a column at most, " + values, rows + " rows");
                }
                found.add(new Group(first, rows, chunks));
            }
            return found;
        } catch (CorruptFileException e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            throw new CorruptFileException(
                    path, size - 8 - length, "a footer of Parquet", String.valueOf(e.getMessage()));
        }
    }

    private static long begin(ThriftCompact.Struct meta) {
        long data = meta.number(9, 0);
        long dictionary = meta.number(11, 0);
        return dictionary > 0 && dictionary < data ? dictionary : data;
    }

    /** The schema is a tree, written depth first; its leaves are the chunks of a row group, in this order. */
    private void columns(List<?> schema) throws IOException {
        int leaf = 0;
        int[] left = new int[64];
        int depth = 0;
        boolean plain = true;
        for (int i = 0; i < schema.size(); i++) {
            ThriftCompact.Struct element = (ThriftCompact.Struct) schema.get(i);
            int children = (int) element.number(5, 0);
            if (i == 0) {
                left[0] = children;
                continue;
            }
            while (depth > 0 && left[depth] == 0) {
                depth--;
            }
            left[depth]--;
            plain = depth == 0;
            if (children > 0) {
                if (++depth == left.length) {
                    throw new IOException("a schema nested deeper than " + left.length);
                }
                left[depth] = children;
                continue;
            }
            int type = (int) element.number(1, -1);
            int repetition = (int) element.number(3, 0);
            if (plain && repetition < 2 && type >= 0 && type != 3 && type != 7) {
                columns.add(new Column(leaf, element.text(4), type, repetition == 1));
            }
            leaf++;
        }
    }

    @Override
    public long offset() {
        return row - 1;
    }

    @Override
    public ReadReport report() {
        return report;
    }

    @Override
    public Path path() {
        return path;
    }

    /** The next row, without the fields that are null; null at the end. */
    @Override
    public @Nullable Map<String, Object> nextRecord() throws IOException {
        while (rowsLeft == 0) {
            if (nextGroup == groups.size()) {
                return null;
            }
            Group group = groups.get(nextGroup++);
            for (Column column : columns) {
                if (column.leaf >= group.chunks().size()) {
                    throw new CorruptFileException(
                            path, group.offset(), "a chunk for the column " + column.name, "none");
                }
                column.begin(group.chunks().get(column.leaf));
            }
            rowsLeft = group.rows();
        }
        rowsLeft--;
        row++;
        Map<String, Object> fields = new LinkedHashMap<>();
        for (Column column : columns) {
            Object value = column.next();
            if (value != null) {
                fields.put(column.name, value);
            }
        }
        return fields;
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }

    /** One column, at a place in its chunk. */
    private final class Column {
        private final int leaf;
        private final String name;
        private final int type;
        private final boolean optional;
        private int codec;
        private long offset; // of the next page
        private long end;
        private Object[] dictionary = new Object[0];
        private @Nullable Object[] page = new Object[0];
        private int at;

        Column(int leaf, String name, int type, boolean optional) {
            this.leaf = leaf;
            this.name = name;
            this.type = type;
            this.optional = optional;
        }

        void begin(ThriftCompact.Struct meta) {
            codec = (int) meta.number(4, 0);
            offset = ParquetReader.begin(meta);
            end = offset + meta.number(7, 0);
            dictionary = new Object[0];
            page = new Object[0];
            at = 0;
        }

        @Nullable
        Object next() throws IOException {
            while (at == page.length) {
                if (offset >= end) {
                    throw broken("a value for every row", "the end of the column");
                }
                readPage();
            }
            return page[at++];
        }

        private CorruptFileException broken(String expected, String found) {
            return new CorruptFileException(path, offset, expected + " in the column " + name, found);
        }

        private void readPage() throws IOException {
            long size = channel.size();
            ThriftCompact.Struct header;
            int headerLength;
            int guess = HEADER_GUESS;
            while (true) { // headers are short, but statistics may make them longer
                byte[] head = bytes(offset, Math.min(guess, size - offset), "the header of a page");
                ThriftCompact thrift = new ThriftCompact(head, 0, head.length);
                try {
                    header = thrift.struct();
                    headerLength = thrift.position();
                    break;
                } catch (IOException e) {
                    guess *= 16;
                    if (head.length >= size - offset || guess > MAX_BYTES) {
                        throw broken("the header of a page", String.valueOf(e.getMessage()));
                    }
                }
            }
            int compressed = (int) header.number(3, -1);
            int plain = (int) header.number(2, -1);
            if (plain < 0 || plain > MAX_BYTES || compressed < 0) {
                throw broken("a page of at most " + MAX_BYTES + " bytes", plain + " from " + compressed);
            }
            byte[] body = bytes(offset + headerLength, compressed, "a page");
            report.addBytes(headerLength + compressed);
            try {
                switch ((int) header.number(1, -1)) {
                    case 0 -> dataPage(header.struct(5), decompress(body, 0, plain));
                    case 2 -> {
                        ThriftCompact.Struct own = header.struct(7);
                        ByteBuffer values = order(ByteBuffer.wrap(decompress(body, 0, plain)));
                        dictionary = plain(values, count(own.number(1, 0), plain));
                    }
                    case 3 -> dataPageV2(header.struct(8), body, plain);
                    default -> {} // an index
                }
            } catch (CorruptFileException e) {
                throw e;
            } catch (IOException
                    | RuntimeException e) { // decompressors and buffers have many ways to say that it is damaged
                throw broken("a whole page", String.valueOf(e));
            }
            offset += headerLength + compressed;
        }

        private int count(long values, int bytes) throws IOException {
            // A bit-packed page has at most eight values in a byte, a run-length one may have more, but not without
            // end.
            if (values < 0 || values > 64L << 20) {
                throw new IOException(values + " values in a page of " + bytes + " bytes");
            }
            return (int) values;
        }

        private byte[] decompress(byte[] body, int from, int plain) throws IOException {
            byte[] out;
            switch (codec) {
                case 0 -> out = from == 0 ? body : java.util.Arrays.copyOfRange(body, from, body.length);
                case 1 -> {
                    try (InputStream in =
                            new SnappyCompressorInputStream(new ByteArrayInputStream(body, from, body.length - from))) {
                        out = in.readNBytes(plain);
                    }
                }
                case 2 -> {
                    try (InputStream in =
                            new GZIPInputStream(new ByteArrayInputStream(body, from, body.length - from))) {
                        out = in.readNBytes(plain);
                    }
                }
                case 6 -> {
                    out = new byte[plain];
                    long written = Zstd.decompressByteArray(out, 0, plain, body, from, body.length - from);
                    if (Zstd.isError(written)) {
                        throw new IOException("zstd: " + Zstd.getErrorName(written));
                    }
                    plain = (int) written;
                }
                default ->
                    throw new IOException(
                            "compression " + codec + " of Parquet; known are none, snappy, gzip and zstd");
            }
            if (out.length < plain) {
                throw new IOException(out.length + " bytes in place of " + plain);
            }
            return out;
        }

        private void dataPage(ThriftCompact.Struct header, byte[] body) throws IOException {
            int count = count(header.number(1, 0), body.length);
            ByteBuffer in = order(ByteBuffer.wrap(body));
            boolean[] present = null;
            if (optional) {
                int length = in.getInt();
                ByteBuffer levels = order(in.slice(in.position(), length));
                in.position(in.position() + length);
                present = present(levels, count);
            }
            fill(in, (int) header.number(2, 0), count, present);
        }

        private void dataPageV2(ThriftCompact.Struct header, byte[] body, int plain) throws IOException {
            int count = count(header.number(1, 0), body.length);
            int repetition = (int) header.number(6, 0);
            int definition = (int) header.number(5, 0);
            if (repetition != 0 || definition < 0 || definition > body.length) {
                throw new IOException("levels of " + repetition + " and " + definition + " bytes");
            }
            boolean[] present = optional
                    ? present(order(ByteBuffer.wrap(body, 0, definition).slice()), count)
                    : null;
            byte[] values = header.truth(7, true)
                    ? decompress(body, definition, plain - definition)
                    : java.util.Arrays.copyOfRange(body, definition, body.length);
            fill(order(ByteBuffer.wrap(values)), (int) header.number(4, 0), count, present);
        }

        private void fill(ByteBuffer in, int encoding, int count, boolean @Nullable [] present) throws IOException {
            int there = count;
            if (present != null) {
                there = 0;
                for (boolean p : present) {
                    there += p ? 1 : 0;
                }
            }
            Object[] values = switch (encoding) {
                case 0 -> plain(in, there);
                case 2, 8 -> {
                    int[] places = new int[there];
                    if (there > 0) {
                        runs(in, in.get() & 0xff, places);
                    }
                    Object[] found = new Object[there];
                    for (int i = 0; i < there; i++) {
                        found[i] = dictionary[places[i]];
                    }
                    yield found;
                }
                case 3 -> { // truth values as runs, with their length before
                    in.getInt();
                    int[] bits = new int[there];
                    runs(in, 1, bits);
                    Object[] found = new Object[there];
                    for (int i = 0; i < there; i++) {
                        found[i] = bits[i] == 1;
                    }
                    yield found;
                }
                case 6 -> {
                    long[] lengths = deltas(in, there);
                    Object[] found = new Object[there];
                    for (int i = 0; i < there; i++) {
                        found[i] = text(in, (int) lengths[i]);
                    }
                    yield found;
                }
                case 5 -> {
                    long[] numbers = deltas(in, there);
                    Object[] found = new Object[there];
                    for (int i = 0; i < there; i++) {
                        found[i] = numbers[i];
                    }
                    yield found;
                }
                default ->
                    throw new IOException("encoding " + encoding
                            + " of Parquet; known are plain, dictionary, runs and delta for numbers and lengths");
            };
            if (present == null) {
                page = values;
            } else {
                @Nullable Object[] spread = new Object[count];
                int next = 0;
                for (int i = 0; i < count; i++) {
                    spread[i] = present[i] ? values[next++] : null;
                }
                page = spread;
            }
            at = 0;
        }

        private boolean[] present(ByteBuffer levels, int count) throws IOException {
            int[] bits = new int[count];
            runs(levels, 1, bits);
            boolean[] present = new boolean[count];
            for (int i = 0; i < count; i++) {
                present[i] = bits[i] == 1;
            }
            return present;
        }

        private Object[] plain(ByteBuffer in, int count) throws IOException {
            Object[] values = new Object[count];
            for (int i = 0; i < count; i++) {
                values[i] = switch (type) {
                    case 0 -> ((in.get(in.position() + i / 8) >>> (i % 8)) & 1) == 1;
                    case 1 -> (long) in.getInt();
                    case 2 -> in.getLong();
                    case 4 -> (double) in.getFloat();
                    case 5 -> in.getDouble();
                    default -> text(in, in.getInt());
                };
            }
            return values;
        }

        private String text(ByteBuffer in, int length) throws IOException {
            if (length < 0 || length > in.remaining()) {
                throw new IOException("a text of " + length + " bytes with " + in.remaining() + " left");
            }
            String text = new String(in.array(), in.arrayOffset() + in.position(), length, StandardCharsets.UTF_8);
            in.position(in.position() + length);
            return text;
        }

        /** Runs and bit-packed groups of eight. */
        private void runs(ByteBuffer in, int width, int[] out) throws IOException {
            if (width > 32) {
                throw new IOException("numbers of " + width + " bits");
            }
            int at = 0;
            while (at < out.length) {
                long head = varint(in);
                if ((head & 1) == 0) {
                    int value = 0;
                    for (int b = 0; b < (width + 7) / 8; b++) {
                        value |= (in.get() & 0xff) << (8 * b);
                    }
                    long length = head >>> 1;
                    if (length == 0) {
                        throw new IOException("an empty run");
                    }
                    int to = (int) Math.min(out.length, at + length);
                    java.util.Arrays.fill(out, at, to, value);
                    at = to;
                } else {
                    long numbers = (head >>> 1) * 8;
                    long bits = 0;
                    int have = 0;
                    long mask = (1L << width) - 1;
                    for (long i = 0; i < numbers; i++) {
                        while (have < width && in.hasRemaining()) {
                            bits |= (in.get() & 0xffL) << have;
                            have += 8;
                        }
                        if (at < out.length) {
                            if (have < width) {
                                throw new IOException("packed numbers end too early");
                            }
                            out[at++] = (int) (bits & mask);
                        } else if (have < width) {
                            break; // padding may be left out
                        }
                        bits >>>= width;
                        have -= width;
                    }
                }
            }
        }

        /** Differences in blocks of packed numbers. */
        private long[] deltas(ByteBuffer in, int count) throws IOException {
            int block = (int) varint(in);
            int minis = (int) varint(in);
            long total = varint(in);
            long value = zigzag(in);
            if (minis < 1 || block < minis || block / minis % 8 != 0 || total < count) {
                throw new IOException("delta blocks of " + block + " in " + minis + " for " + total + " numbers");
            }
            long[] out = new long[count];
            if (count == 0) {
                return out;
            }
            out[0] = value;
            int perMini = block / minis;
            for (int at = 1; at < count; ) {
                long least = zigzag(in);
                byte[] widths = new byte[minis];
                in.get(widths);
                for (int m = 0; m < minis && at < count; m++) {
                    int width = widths[m];
                    byte[] packed = new byte[perMini / 8 * width];
                    in.get(packed);
                    for (int i = 0; i < perMini && at < count; i++) {
                        long delta = 0;
                        for (int bit = 0; bit < width; bit++) {
                            int place = i * width + bit;
                            delta |= (long) ((packed[place >>> 3] >>> (place & 7)) & 1) << bit;
                        }
                        value += least + delta;
                        out[at++] = value;
                    }
                }
            }
            return out;
        }
    }

    private static ByteBuffer order(ByteBuffer buffer) {
        return buffer.order(ByteOrder.LITTLE_ENDIAN);
    }

    private static long varint(ByteBuffer in) throws IOException {
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            int b = in.get() & 0xff;
            value |= (long) (b & 0x7f) << shift;
            if (b < 0x80) {
                return value;
            }
        }
        throw new IOException("a number of more than ten bytes");
    }

    private static long zigzag(ByteBuffer in) throws IOException {
        long n = varint(in);
        return (n >>> 1) ^ -(n & 1);
    }
}
