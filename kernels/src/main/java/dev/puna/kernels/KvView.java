package dev.puna.kernels;

import dev.puna.tensor.DType;
import java.lang.foreign.MemorySegment;

/**
 * Where the keys and values of one sequence in one layer lie. Position {@code p} is in page {@code pages[p / pageLength]}
 * at slot {@code p % pageLength}. A page holds, per key/value head, its keys slot after slot, then its values:
 * {@code (KV, 2, pageLength, D)}. A contiguous cache is one page. Pages begin at {@code pageOffset(i)} of the pool.
 *
 * @param pool memory of all pages of this layer
 * @param dtype F32, F16, BF16 or Q8_0 (then D is a multiple of 32)
 * @param pageLength positions in a page: a power of two when there is more than one page
 * @param pages page numbers, in the order of the positions they hold
 * @param pageStrideBytes bytes from one page of this layer to the next in the pool
 */
public record KvView(
        MemorySegment pool,
        DType dtype,
        int kvHeadCount,
        int headSize,
        int pageLength,
        int[] pages,
        long pageStrideBytes) {

    public KvView {
        if (headSize % dtype.blockSize() != 0) {
            throw new IllegalArgumentException(
                    "headSize=" + headSize + " is no multiple of " + dtype + "'s block size");
        }
        if (pageStrideBytes < bytesPerPage(dtype, kvHeadCount, headSize, pageLength)) {
            throw new IllegalArgumentException("pageStrideBytes=" + pageStrideBytes + " is smaller than a page");
        }
    }

    /** Bytes that one page of one layer takes. */
    public static long bytesPerPage(DType dtype, int kvHeadCount, int headSize, int pageLength) {
        return 2L * kvHeadCount * pageLength * dtype.byteSize(headSize);
    }

    /** Positions that fit. */
    public long capacity() {
        return (long) pages.length * pageLength;
    }

    /** Bytes of one key or value vector of one head. */
    public long vectorBytes() {
        return dtype.byteSize(headSize);
    }

    /** Byte offset in the pool of the key of {@code head} at {@code position}. */
    public long keyOffset(int head, int position) {
        return pages[position / pageLength] * pageStrideBytes
                + (2L * head * pageLength + position % pageLength) * vectorBytes();
    }

    /** Byte offset in the pool of the value of {@code head} at {@code position}. */
    public long valueOffset(int head, int position) {
        return keyOffset(head, position) + pageLength * vectorBytes();
    }
}
