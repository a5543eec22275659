package dev.puna.formats;

/** The types of GGUF metadata values, in the order of their numbers in the file. */
public enum GgufType {
    UINT8(1),
    INT8(1),
    UINT16(2),
    INT16(2),
    UINT32(4),
    INT32(4),
    FLOAT32(4),
    BOOL(1),
    /** A 64-bit length, then UTF-8. */
    STRING(8),
    /** The type of the elements, a 64-bit count, the elements. */
    ARRAY(12),
    UINT64(8),
    INT64(8),
    FLOAT64(8);

    private final int minBytes;

    GgufType(int minBytes) {
        this.minBytes = minBytes;
    }

    /** Bytes of a value in a file; of texts and arrays, the least that one can take. */
    int minBytes() {
        return minBytes;
    }

    boolean isFixedSize() {
        return this != STRING && this != ARRAY;
    }
}
