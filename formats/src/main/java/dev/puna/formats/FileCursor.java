package dev.puna.formats;

import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Reads little-endian fields one after the other, each after a look at what is left of the file. Every failure is a
 * {@link CorruptFileException} that names the field.
 */
final class FileCursor {
    private final Path path;
    private final MemorySegment bytes;
    private final long base;
    private final long end;
    private long position;

    /** Over the whole of {@code bytes}, the content of {@code path}. */
    FileCursor(Path path, MemorySegment bytes) {
        this(path, bytes, 0, 0, bytes.byteSize());
    }

    /** Over {@code [from, to)} of {@code bytes}, which begin at byte {@code base} of the file. */
    FileCursor(Path path, MemorySegment bytes, long base, long from, long to) {
        this.path = path;
        this.bytes = bytes;
        this.base = base;
        this.position = from;
        this.end = to;
    }

    long position() {
        return position;
    }

    long remaining() {
        return end - position;
    }

    /** Where the next field lies in the file. */
    long offset() {
        return base + position;
    }

    CorruptFileException corrupt(String expected, String found) {
        return corruptAt(offset(), expected, found);
    }

    CorruptFileException corruptAt(long offset, String expected, String found) {
        return new CorruptFileException(path, offset, expected, found);
    }

    void require(long count, String what) {
        if (count < 0 || count > end - position) {
            throw corrupt(Long.toUnsignedString(count) + " bytes of " + what, (end - position) + " bytes");
        }
    }

    void skip(long count, String what) {
        require(count, what);
        position += count;
    }

    int u8(String what) {
        require(1, what);
        return Byte.toUnsignedInt(bytes.get(ValueLayout.JAVA_BYTE, position++));
    }

    int u16(String what) {
        require(2, what);
        int value = Short.toUnsignedInt(bytes.get(Tensor.I16_LE, position));
        position += 2;
        return value;
    }

    int i32(String what) {
        require(4, what);
        int value = bytes.get(Tensor.I32_LE, position);
        position += 4;
        return value;
    }

    long u32(String what) {
        return Integer.toUnsignedLong(i32(what));
    }

    long i64(String what) {
        require(8, what);
        long value = bytes.get(Tensor.I64_LE, position);
        position += 8;
        return value;
    }

    /** A count or size of 64 bits that must lie in {@code [0, limit]}. */
    long count(long limit, String what) {
        long at = offset();
        long value = i64(what);
        if (value < 0 || value > limit) {
            throw corruptAt(at, what + " of at most " + limit, Long.toUnsignedString(value));
        }
        return value;
    }

    /**
     * Skips {@code count} texts, each behind its 64-bit length. Vocabularies have hundreds of thousands, and they are
     * walked when nothing is compiled yet: a buffer is far cheaper there than a memory segment.
     */
    void skipTexts(long count) {
        ByteBuffer window = bytes.asSlice(position, Math.min(remaining(), Integer.MAX_VALUE))
                .asByteBuffer()
                .order(ByteOrder.LITTLE_ENDIAN);
        int limit = window.limit();
        int at = 0;
        for (long i = 0; i < count; i++) {
            long length = at <= limit - Long.BYTES ? window.getLong(at) : -1;
            if (length < 0 || length > limit - Long.BYTES - at) {
                position += at;
                require(Long.BYTES, "length of a text");
                throw corrupt("a text within the file", Long.toUnsignedString(i64("length of a text")) + " bytes");
            }
            at += Long.BYTES + (int) length;
        }
        position += at;
    }

    MemorySegment slice(long count, String what) {
        require(count, what);
        MemorySegment slice = bytes.asSlice(position, count);
        position += count;
        return slice;
    }

    /** The bytes from {@code start}, an earlier {@link #position()}, to here. */
    MemorySegment from(long start) {
        return bytes.asSlice(start, position - start);
    }

    byte[] byteArray(long count, String what) {
        return slice(count, what).toArray(ValueLayout.JAVA_BYTE);
    }

    /** {@code count} bytes that must be valid UTF-8. */
    String utf8(long count, String what) {
        long at = offset();
        byte[] array = byteArray(count, what);
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(array))
                    .toString();
        } catch (CharacterCodingException e) {
            throw corruptAt(at, what + " in UTF-8", "bytes that are not UTF-8");
        }
    }

    /** A shape whose number of elements must fit a {@code long}. */
    Shape shape(long at, String tensor, long... dims) {
        for (long dim : dims) {
            if (dim < 0) {
                throw corruptAt(at, "extents of tensor \"" + tensor + "\" of at least 0", Long.toUnsignedString(dim));
            }
        }
        try {
            return Shape.of(dims);
        } catch (ArithmeticException e) {
            throw corruptAt(
                    at,
                    "a shape of tensor \"" + tensor + "\" with fewer than 2^63 elements",
                    java.util.Arrays.toString(dims));
        }
    }
}
