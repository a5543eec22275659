package dev.puna.formats;

import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32;

/**
 * Writes a zip archive of stored members whose bytes begin at multiples of 64, as {@code torch.save} does, so that a
 * reader can map them. Sizes are known before the bytes; the checksum is put in afterwards. Zip64 records appear where
 * a size or place needs them.
 */
final class StoredZipWriter {
    private static final int ALIGNMENT = 64;
    private static final int PADDING_ID = 0x4246; // "FB", PyTorch's own
    private static final int VERSION_64 = 45;
    private static final int VERSION = 20;
    private static final int UTF8_FLAG = 1 << 11;
    private static final int DATE_1980_01_01 = (1 << 5) | 1;

    private final AtomicFile out;
    /** From here on a size or place gets 64 bits; smaller in tests. */
    private final long limit32;

    private final List<Entry> entries = new ArrayList<>();
    private final CRC32 crc32 = new CRC32();
    private long memberStart;

    private record Entry(byte[] name, long local, long size, int crc32) {}

    StoredZipWriter(AtomicFile out, long limit32) {
        this.out = out;
        this.limit32 = limit32;
    }

    void member(String name, byte[] content) throws IOException {
        begin(name, content.length);
        write(MemorySegment.ofArray(content));
        end();
    }

    /** Begins a member of exactly {@code size} bytes. */
    void begin(String name, long size) throws IOException {
        byte[] utf8 = name.getBytes(StandardCharsets.UTF_8);
        boolean wide = size >= limit32;
        long local = out.position();
        int wideExtra = wide ? 20 : 0;
        long unpadded = local + StoredZip.LOCAL_BYTES + utf8.length + wideExtra + 4;
        int padding = (int) ((ALIGNMENT - unpadded % ALIGNMENT) % ALIGNMENT);
        Fields fields = new Fields();
        fields.i32(StoredZip.LOCAL_SIGNATURE);
        fields.i16(wide ? VERSION_64 : VERSION);
        fields.i16(UTF8_FLAG);
        fields.i16(0); // stored
        fields.i16(0);
        fields.i16(DATE_1980_01_01);
        fields.i32(0); // the checksum, put in by end()
        fields.i32(wide ? StoredZip.MAX_32 : size);
        fields.i32(wide ? StoredZip.MAX_32 : size);
        fields.i16(utf8.length);
        fields.i16(wideExtra + 4 + padding);
        fields.bytes(utf8);
        if (wide) {
            fields.i16(StoredZip.EXTRA64_ID);
            fields.i16(16);
            fields.i64(size);
            fields.i64(size);
        }
        fields.i16(PADDING_ID);
        fields.i16(padding);
        fields.bytes(new byte[padding]);
        out.write(fields.segment());
        entries.add(new Entry(utf8, local, size, 0));
        crc32.reset();
        memberStart = out.position();
    }

    void write(MemorySegment bytes) throws IOException {
        Entry entry = entries.getLast();
        if (bytes.byteSize() > entry.size() - (out.position() - memberStart)) {
            throw new IllegalStateException(new String(entry.name(), StandardCharsets.UTF_8) + " gets more than its "
                    + entry.size() + " bytes");
        }
        out.write(bytes, crc32);
    }

    void end() throws IOException {
        Entry entry = entries.removeLast();
        if (out.position() - memberStart != entry.size()) {
            throw new IllegalStateException(new String(entry.name(), StandardCharsets.UTF_8) + " got "
                    + (out.position() - memberStart) + " bytes, announced were " + entry.size());
        }
        int checksum = (int) crc32.getValue();
        byte[] encoded = new byte[4];
        MemorySegment.ofArray(encoded).set(Tensor.I32_LE, 0, checksum);
        out.patch(entry.local() + 14, encoded);
        entries.add(new Entry(entry.name(), entry.local(), entry.size(), checksum));
    }

    /** Writes the directory; the archive is complete then. */
    void finish() throws IOException {
        long start = out.position();
        for (Entry entry : entries) {
            out.write(central(entry));
        }
        long size = out.position() - start;
        long end64 = out.position();
        boolean wide = start >= limit32 || size >= limit32 || entries.size() >= StoredZip.MAX_16;
        Fields fields = new Fields();
        if (wide) {
            fields.i32(StoredZip.END64_SIGNATURE);
            fields.i64(StoredZip.END64_BYTES - 12);
            fields.i16(VERSION_64);
            fields.i16(VERSION_64);
            fields.i32(0);
            fields.i32(0);
            fields.i64(entries.size());
            fields.i64(entries.size());
            fields.i64(size);
            fields.i64(start);
            fields.i32(StoredZip.LOCATOR64_SIGNATURE);
            fields.i32(0);
            fields.i64(end64);
            fields.i32(1);
        }
        int count = wide ? StoredZip.MAX_16 : entries.size();
        fields.i32(StoredZip.END_SIGNATURE);
        fields.i16(0);
        fields.i16(0);
        fields.i16(count);
        fields.i16(count);
        fields.i32(wide ? StoredZip.MAX_32 : size);
        fields.i32(wide ? StoredZip.MAX_32 : start);
        fields.i16(0);
        out.write(fields.segment());
    }

    private MemorySegment central(Entry entry) {
        boolean wideSize = entry.size() >= limit32;
        boolean widePlace = entry.local() >= limit32;
        int extraBytes = (wideSize ? 16 : 0) + (widePlace ? 8 : 0);
        Fields fields = new Fields();
        fields.i32(StoredZip.CENTRAL_SIGNATURE);
        fields.i16(extraBytes > 0 ? VERSION_64 : VERSION);
        fields.i16(extraBytes > 0 ? VERSION_64 : VERSION);
        fields.i16(UTF8_FLAG);
        fields.i16(0);
        fields.i16(0);
        fields.i16(DATE_1980_01_01);
        fields.i32(entry.crc32());
        fields.i32(wideSize ? StoredZip.MAX_32 : entry.size());
        fields.i32(wideSize ? StoredZip.MAX_32 : entry.size());
        fields.i16(entry.name().length);
        fields.i16(extraBytes > 0 ? extraBytes + 4 : 0);
        fields.i16(0); // comment
        fields.i16(0); // disk
        fields.i16(0); // internal attributes
        fields.i32(0); // external attributes
        fields.i32(widePlace ? StoredZip.MAX_32 : entry.local());
        fields.bytes(entry.name());
        if (extraBytes > 0) {
            fields.i16(StoredZip.EXTRA64_ID);
            fields.i16(extraBytes);
            if (wideSize) {
                fields.i64(entry.size());
                fields.i64(entry.size());
            }
            if (widePlace) {
                fields.i64(entry.local());
            }
        }
        return fields.segment();
    }

    /** Little-endian fields, one after the other. */
    private static final class Fields {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();

        void i16(int value) {
            little(value, 2);
        }

        void i32(long value) {
            little(value, 4);
        }

        void i64(long value) {
            little(value, 8);
        }

        private void little(long value, int bytes) {
            for (int i = 0; i < bytes; i++) {
                out.write((int) (value >>> (8 * i)));
            }
        }

        void bytes(byte[] bytes) {
            out.writeBytes(bytes);
        }

        MemorySegment segment() {
            return MemorySegment.ofArray(out.toByteArray());
        }
    }
}
