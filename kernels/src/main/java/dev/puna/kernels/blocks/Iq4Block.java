package dev.puna.kernels.blocks;

import dev.puna.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * Four bits through a table of sixteen values that are denser near zero.
 *
 * <ul>
 *   <li>IQ4_NL: 32 elements, {@code f16 d; u4 q[32]}, value {@code d·table[q]}, nibbles as in {@link Q4Block}
 *   <li>IQ4_XS: 256 elements in eight groups of 32, {@code f16 d; u16 scalesHigh; u4 scalesLow[8]; u4 q[256]}, value
 *       {@code d·(scale − 32)·table[q]}; the nibbles of each group as in {@link Q4Block}
 * </ul>
 */
public final class Iq4Block {
    public static final int D = 0;
    public static final int Q_NL = 2;
    public static final int BYTES_NL = 18;
    public static final int SCALES_HIGH = 2;
    public static final int SCALES_LOW = 4;
    public static final int Q_XS = 8;
    public static final int BYTES_XS = 136;

    private static final byte[] TABLE = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

    private Iq4Block() {}

    /** The value of code {@code q}, 0 … 15, before scaling. */
    public static int value(int q) {
        return TABLE[q];
    }

    /** The scale of {@code group} of an IQ4_XS block at {@code offset}, its offset of 32 taken off. */
    public static int scaleXs(MemorySegment memory, long offset, int group) {
        int low = Rows.bits(Rows.u8(memory, offset + SCALES_LOW + group / 2), group % 2 * 4, 4);
        int high = Rows.bits(memory.get(Tensor.I16_LE, offset + SCALES_HIGH), 2 * group, 2);
        return low + 16 * high - 32;
    }

    static void decodeNl(MemorySegment memory, long offset, float[] y, int at) {
        decodeGroup(memory, offset + Q_NL, Rows.f16(memory, offset + D), y, at);
    }

    static void decodeXs(MemorySegment memory, long offset, float[] y, int at) {
        float d = Rows.f16(memory, offset + D);
        for (int group = 0; group < 8; group++) {
            decodeGroup(memory, offset + Q_XS + 16L * group, d * scaleXs(memory, offset, group), y, at + 32 * group);
        }
    }

    private static void decodeGroup(MemorySegment memory, long q, float scale, float[] y, int at) {
        for (int i = 0; i < 16; i++) {
            int both = Rows.u8(memory, q + i);
            y[at + i] = scale * TABLE[both & 15];
            y[at + i + 16] = scale * TABLE[both >> 4];
        }
    }
}
