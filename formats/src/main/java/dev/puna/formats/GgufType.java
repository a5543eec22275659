package dev.puna.formats;

/** The types of GGUF metadata values, with their numbers in the file. */
public enum GgufType {
    UINT8(0, 1),
    INT8(1, 1),
    UINT16(2, 2),
    INT16(3, 2),
    UINT32(4, 4),
    INT32(5, 4),
    FLOAT32(6, 4),
    BOOL(7, 1),
    /** A 64-bit length, then UTF-8. */
    STRING(8, 8),
    /** The type of the elements, a 64-bit count, the elements. */
    ARRAY(9, 12),
    UINT64(10, 8),
    INT64(11, 8),
    FLOAT64(12, 8);

    private final int number;
    private final int minBytes;

    GgufType(int number, int minBytes) {
        this.number = number;
        this.minBytes = minBytes;
    }

    int number() {
        return number;
    }

    /** Bytes of a value in a file; of texts and arrays, the least that one can take. */
    int minBytes() {
        return minBytes;
    }

    boolean isFixedSize() {
        return this != STRING && this != ARRAY;
    }
}
