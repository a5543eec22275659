package dev.puna.formats;

import dev.puna.tensor.CorruptFileException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * The directory of a zip archive whose members are stored, not compressed: as {@code torch.save} writes it, so that a
 * member can be mapped. Compressed members, encrypted ones and archives in several parts are refused; so are members
 * that overlap, which is what a zip bomb is made of. With the zip64 extensions.
 *
 * @see <a href="https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT">APPNOTE.TXT, 4.3</a>
 */
final class StoredZip {
    static final int LOCAL_SIGNATURE = 0x04034b50;
    static final int CENTRAL_SIGNATURE = 0x02014b50;
    static final int END_SIGNATURE = 0x06054b50;
    static final int END64_SIGNATURE = 0x06064b50;
    static final int LOCATOR64_SIGNATURE = 0x07064b50;
    static final int LOCAL_BYTES = 30;
    static final int CENTRAL_BYTES = 46;
    static final int END_BYTES = 22;
    static final int LOCATOR64_BYTES = 20;
    static final int END64_BYTES = 56;
    static final int EXTRA64_ID = 1;
    static final long MAX_32 = 0xFFFF_FFFFL;
    static final int MAX_16 = 0xFFFF;

    private static final int ENCRYPTED_FLAG = 1;
    private static final int MAX_COMMENT = 0xFFFF;

    /**
     * A stored member.
     *
     * @param offset of its first byte in the file
     */
    record Member(String name, long offset, long size, int crc32) {}

    private final Path path;
    private final MemorySegment file;

    private StoredZip(Path path, MemorySegment file) {
        this.path = path;
        this.file = file;
    }

    /** The members by name, in the order of the directory. */
    static SequencedMap<String, Member> read(Path path, MemorySegment file) {
        return new StoredZip(path, file).members();
    }

    private FileCursor at(long position) {
        if (position < 0 || position > file.byteSize()) {
            throw new CorruptFileException(
                    path, 0, "a place in the file of " + file.byteSize() + " bytes", Long.toUnsignedString(position));
        }
        return new FileCursor(path, file, 0, position, file.byteSize());
    }

    private SequencedMap<String, Member> members() {
        long end = findEnd();
        FileCursor cursor = at(end);
        cursor.skip(4, "end record");
        int disk = cursor.u16("disk number");
        int directoryDisk = cursor.u16("disk number");
        cursor.skip(2, "entries on this disk");
        long count = cursor.u16("number of members");
        long size = cursor.u32("size of the directory");
        long start = cursor.u32("start of the directory");
        if (end >= LOCATOR64_BYTES && at(end - LOCATOR64_BYTES).i32("signature") == LOCATOR64_SIGNATURE) {
            FileCursor locator = at(end - LOCATOR64_BYTES);
            locator.skip(8, "zip64 locator");
            FileCursor end64 = at(locator.i64("place of the zip64 end record"));
            if (end64.i32("signature") != END64_SIGNATURE) {
                throw end64.corrupt("a zip64 end record", "something else");
            }
            end64.skip(28, "zip64 end record");
            count = end64.i64("number of members");
            size = end64.i64("size of the directory");
            start = end64.i64("start of the directory");
        } else if ((disk != 0 && disk != MAX_16) || (directoryDisk != 0 && directoryDisk != MAX_16)) {
            throw cursor.corruptAt(end, "an archive in one part", "part " + disk);
        }
        if (size < 0 || start < 0 || start > end || size > end - start) {
            throw cursor.corruptAt(
                    end,
                    "a directory before byte " + end,
                    Long.toUnsignedString(size) + " bytes at " + Long.toUnsignedString(start));
        }
        if (count < 0 || count > size / CENTRAL_BYTES) {
            throw cursor.corruptAt(
                    end, "members that fit into a directory of " + size + " bytes", Long.toUnsignedString(count));
        }
        return members(new FileCursor(path, file, 0, start, start + size), count, start);
    }

    private long findEnd() {
        long last = file.byteSize() - END_BYTES;
        for (long p = last; p >= Math.max(0, last - MAX_COMMENT); p--) {
            FileCursor cursor = at(p);
            if (cursor.i32("signature") == END_SIGNATURE) {
                cursor.skip(16, "end record");
                if (cursor.u16("length of the comment") == cursor.remaining()) {
                    return p;
                }
            }
        }
        throw new CorruptFileException(
                path, file.byteSize(), "the end record of a zip archive", "none: is the file complete?");
    }

    private SequencedMap<String, Member> members(FileCursor cursor, long count, long directoryStart) {
        SequencedMap<String, Member> members = new LinkedHashMap<>();
        List<long[]> ranges = new ArrayList<>();
        for (long i = 0; i < count; i++) {
            long at = cursor.offset();
            if (cursor.i32("signature") != CENTRAL_SIGNATURE) {
                throw cursor.corruptAt(at, "a directory entry", "something else");
            }
            cursor.skip(4, "versions");
            int flags = cursor.u16("flags");
            int method = cursor.u16("compression method");
            cursor.skip(4, "time");
            int crc32 = cursor.i32("checksum");
            long stored = cursor.u32("stored size");
            long size = cursor.u32("size");
            int nameLength = cursor.u16("length of the name");
            int extraLength = cursor.u16("length of the extra field");
            int commentLength = cursor.u16("length of the comment");
            cursor.skip(8, "disk and attributes");
            long local = cursor.u32("place of the member");
            String name = cursor.utf8(nameLength, "name of a member");
            cursor.require(extraLength, "extra field");
            FileCursor extra = new FileCursor(path, file, 0, cursor.position(), cursor.position() + extraLength);
            while (extra.remaining() >= 4) {
                int id = extra.u16("extra field");
                int length = extra.u16("extra field");
                extra.require(length, "extra field");
                FileCursor field = new FileCursor(path, file, 0, extra.position(), extra.position() + length);
                if (id == EXTRA64_ID) {
                    size = size == MAX_32 ? field.i64("size") : size;
                    stored = stored == MAX_32 ? field.i64("stored size") : stored;
                    local = local == MAX_32 ? field.i64("place of the member") : local;
                }
                extra.skip(length, "extra field");
            }
            cursor.skip(extraLength + (long) commentLength, "extra field and comment");
            if ((flags & ENCRYPTED_FLAG) != 0) {
                throw cursor.corruptAt(at, "a member that is not encrypted", "\"" + name + "\" is");
            }
            if (method != 0 || stored != size) {
                throw cursor.corruptAt(
                        at,
                        "members that are stored, as torch.save does",
                        "\"" + name + "\" compressed with method " + method);
            }
            Member member = new Member(name, dataOffset(name, at, local, size, directoryStart), size, crc32);
            if (members.putIfAbsent(name, member) != null) {
                throw cursor.corruptAt(at, "each member once", "\"" + name + "\" again");
            }
            ranges.add(new long[] {local, member.offset() + size});
        }
        requireDisjoint(ranges);
        return members;
    }

    /** Follows a directory entry to the member and checks that both agree. */
    private long dataOffset(String name, long entryAt, long local, long size, long directoryStart) {
        if (local < 0 || local > directoryStart - LOCAL_BYTES) {
            throw new CorruptFileException(
                    path,
                    entryAt,
                    "member \"" + name + "\" before the directory at " + directoryStart,
                    "at " + Long.toUnsignedString(local));
        }
        FileCursor cursor = new FileCursor(path, file, 0, local, directoryStart);
        if (cursor.i32("signature") != LOCAL_SIGNATURE) {
            throw cursor.corruptAt(local, "member \"" + name + "\"", "something else");
        }
        cursor.skip(22, "member header");
        int nameLength = cursor.u16("length of the name");
        int extraLength = cursor.u16("length of the extra field");
        String localName = cursor.utf8(nameLength, "name of a member");
        if (!localName.equals(name)) {
            throw cursor.corruptAt(local, "member \"" + name + "\"", "\"" + localName + "\"");
        }
        cursor.skip(extraLength, "extra field");
        cursor.require(size, "member \"" + name + "\"");
        return cursor.offset();
    }

    private void requireDisjoint(List<long[]> ranges) {
        ranges.sort(Comparator.comparingLong(range -> range[0]));
        long end = 0;
        for (long[] range : ranges) {
            if (range[0] < end) {
                throw new CorruptFileException(
                        path, range[0], "members that do not overlap", "a member inside another");
            }
            end = range[1];
        }
    }
}
