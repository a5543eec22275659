package dev.puna.formats;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * Reads GGUF's metadata values. Arrays are walked to their end, so that everything inside is known to be sound, but not
 * decoded.
 */
final class GgufDecoder {
    /** Arrays within arrays; files have one level, the format allows any. */
    private static final int MAX_DEPTH = 8;

    private static final GgufType[] TYPES = GgufType.values();

    private final FileCursor cursor;
    private int depth;

    GgufDecoder(FileCursor cursor) {
        this.cursor = cursor;
    }

    /** Over bytes that have been checked before. */
    GgufDecoder(MemorySegment bytes) {
        this(new FileCursor(Path.of("metadata"), bytes));
    }

    GgufType type(String what) {
        long at = cursor.offset();
        int number = cursor.i32("type of " + what);
        if (number < 0 || number >= TYPES.length) {
            throw cursor.corruptAt(
                    at, "a type of 0 to " + (TYPES.length - 1) + " for " + what, Integer.toUnsignedString(number));
        }
        return TYPES[number];
    }

    String text(String what) {
        return cursor.utf8(cursor.i64("length of " + what), what);
    }

    GgufValue value(GgufType type) {
        return switch (type) {
            case UINT8 -> new GgufValue.Whole(type, cursor.u8("a number"));
            case INT8 -> new GgufValue.Whole(type, (byte) cursor.u8("a number"));
            case UINT16 -> new GgufValue.Whole(type, cursor.u16("a number"));
            case INT16 -> new GgufValue.Whole(type, (short) cursor.u16("a number"));
            case UINT32 -> new GgufValue.Whole(type, cursor.u32("a number"));
            case INT32 -> new GgufValue.Whole(type, cursor.i32("a number"));
            case UINT64, INT64 -> new GgufValue.Whole(type, cursor.i64("a number"));
            case FLOAT32 -> new GgufValue.Real(type, Float.intBitsToFloat(cursor.i32("a number")));
            case FLOAT64 -> new GgufValue.Real(type, Double.longBitsToDouble(cursor.i64("a number")));
            case BOOL -> new GgufValue.Bool(bool());
            case STRING -> new GgufValue.Text(text("a text"));
            case ARRAY -> array();
        };
    }

    private boolean bool() {
        long at = cursor.offset();
        int value = cursor.u8("a truth value");
        if (value > 1) {
            throw cursor.corruptAt(at, "0 or 1", Integer.toString(value));
        }
        return value == 1;
    }

    private GgufValue.Array array() {
        long at = cursor.offset();
        if (++depth > MAX_DEPTH) {
            throw cursor.corruptAt(at, "arrays at most " + MAX_DEPTH + " deep", "more");
        }
        GgufType elementType = type("array elements");
        long countAt = cursor.offset();
        long count = cursor.i64("array size");
        if (count < 0 || count > cursor.remaining() / elementType.minBytes() || count > Integer.MAX_VALUE - 8) {
            throw cursor.corruptAt(
                    countAt,
                    "an array of " + elementType + " that fits into the " + cursor.remaining() + " bytes left",
                    Long.toUnsignedString(count) + " elements");
        }
        long start = cursor.position();
        if (elementType.isFixedSize()) {
            cursor.skip(count * elementType.minBytes(), "array elements");
        } else if (elementType == GgufType.STRING) {
            cursor.skipTexts(count);
        } else {
            for (long i = 0; i < count; i++) {
                array();
            }
        }
        depth--;
        return new GgufValue.Array(elementType, (int) count, cursor.from(start));
    }
}
