package dev.puna.tensor;

/**
 * How numbers are laid out in memory. Plain types hold one element per block; the quantized types of llama.cpp hold a
 * fixed number of elements in a block with its own scales. Everything is little-endian.
 *
 * <p>Block layouts: {@code ggml-common.h} of llama.cpp, and the class that decodes them.
 */
public enum DType {
    F32(1, 4),
    F16(1, 2),
    BF16(1, 2),
    /** Read only: files may carry it, no kernel computes in it. */
    F64(1, 8),
    I8(1, 1),
    I16(1, 2),
    I32(1, 4),
    I64(1, 8),
    /** Read only: masks and flags. */
    U8(1, 1),
    /** {@code f16 d; i8 q[32]}. */
    Q8_0(32, 34),
    /** {@code f16 d; u4 q[32]}, value {@code d·(q − 8)}. */
    Q4_0(32, 18),
    /** {@code f16 d, m; u4 q[32]}, value {@code d·q + m}. */
    Q4_1(32, 20),
    /** {@code f16 d; u32 high; u4 q[32]}, value {@code d·(q − 16)}. */
    Q5_0(32, 22),
    /** {@code f16 d, m; u32 high; u4 q[32]}, value {@code d·q + m}. */
    Q5_1(32, 24),
    Q2_K(256, 84),
    Q3_K(256, 110),
    Q4_K(256, 144),
    Q5_K(256, 176),
    Q6_K(256, 210),
    /** {@code f16 d; u4 q[32]} through a table of sixteen values. */
    IQ4_NL(32, 18),
    IQ4_XS(256, 136);

    private final int blockSize;
    private final int bytesPerBlock;

    DType(int blockSize, int bytesPerBlock) {
        this.blockSize = blockSize;
        this.bytesPerBlock = bytesPerBlock;
    }

    /** Elements in a block; 1 for plain types. */
    public int blockSize() {
        return blockSize;
    }

    public int bytesPerBlock() {
        return bytesPerBlock;
    }

    public boolean isQuantized() {
        return blockSize > 1;
    }

    /**
     * Bytes that {@code elements} consecutive elements take.
     *
     * @throws IllegalArgumentException if {@code elements} is negative or not a whole number of blocks
     * @throws ArithmeticException if the result does not fit a {@code long}
     */
    public long byteSize(long elements) {
        if (elements < 0 || elements % blockSize != 0) {
            throw new IllegalArgumentException(
                    this + " comes in blocks of " + blockSize + ": " + elements + " elements");
        }
        return Math.multiplyExact(elements / blockSize, (long) bytesPerBlock);
    }
}
