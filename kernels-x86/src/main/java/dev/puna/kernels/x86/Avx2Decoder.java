package dev.puna.kernels.x86;

import static dev.puna.assembler.Vec.ymm;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Gp64;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;
import dev.puna.tensor.DType;
import java.util.Optional;

/**
 * How a quantized format is unpacked on 256-bit registers: 32 weights of one row into bytes, and the scales (and minima)
 * of all groups of a block of eight rows into fp32 with a row per lane. A weight is
 * {@code scale · (byte − zeroPoint) + minimum}. What {@link BlockDecoder} is for 512 bits.
 *
 * <p>Registers: decoders own 13 and 15; {@link #weights} also uses 10 and 11, {@link #scales} 0 to 11.
 */
abstract class Avx2Decoder {
    private static final Vec NIBBLES = ymm(13);
    private static final Vec HIGH_BITS = ymm(15);

    private final DType dtype;
    private final int scaledElements;
    private final int zeroPoint;
    private final boolean affine;
    private final int largest;

    private Avx2Decoder(DType dtype, int scaledElements, int zeroPoint, boolean affine, int largest) {
        this.dtype = dtype;
        this.scaledElements = scaledElements;
        this.zeroPoint = zeroPoint;
        this.affine = affine;
        this.largest = largest;
    }

    /**
     * The decoder of a format that has one here.
     *
     * @param vnni whether unsigned bytes up to 255 can be multiplied; without, the sum of two products has 16 bits
     */
    static Optional<Avx2Decoder> of(DType dtype, boolean vnni) {
        return switch (dtype) {
            case Q8_0 -> Optional.of(vnni ? new Q8(128, 255) : new Q8(0, -1));
            case Q4_0 -> Optional.of(new Nibbles(dtype, 2, 8, false));
            case Q4_1 -> Optional.of(new Nibbles(dtype, 4, 0, true));
            case Q4_K -> Optional.of(new Q4K(dtype, 16, 15));
            case Q5_K -> Optional.of(new Q5K());
            case Q6_K -> Optional.of(new Q6K());
            case F32, F16, BF16, F64, I8, I16, I32, I64, U8, Q5_0, Q5_1, Q2_K, Q3_K, IQ4_NL, IQ4_XS -> Optional.empty();
        };
    }

    DType dtype() {
        return dtype;
    }

    /** Elements that share a scale: 32 or 16. */
    int scaledElements() {
        return scaledElements;
    }

    /** Scales of a group of 32 elements. */
    int halves() {
        return 32 / scaledElements;
    }

    /** What to subtract from an unpacked byte. */
    int zeroPoint() {
        return zeroPoint;
    }

    /** Whether weights have a minimum to add. */
    boolean affine() {
        return affine;
    }

    /** Whether bytes are signed; then their magnitude is at most 128. */
    boolean signed() {
        return largest < 0;
    }

    /** The largest unsigned byte that occurs. */
    int largest() {
        return largest;
    }

    /** Groups of 32 elements in a block. */
    int groups() {
        return dtype.blockSize() / 32;
    }

    /** Once per kernel: constants into registers. */
    void prepare(Assembler a) {
        a.vpbroadcastd(NIBBLES, a.constant(0x0f0f0f0f));
    }

    /**
     * Once per block: the scale of every group (and half of a group) to {@code scales + i·step}, the minima likewise; a
     * row per lane.
     */
    abstract void scales(Assembler a, Gp64 scales, Gp64 minima, int step);

    /** The bytes of a group of the row whose block is at {@link Avx2Rows#row}. */
    abstract void weights(Assembler a, int group, int row, Vec to);

    /** The nibbles of every byte: the low ones, or the high ones. */
    private static void nibbles(Assembler a, Vec to, Memory from, boolean high) {
        if (high) {
            a.vmovdqu(to, from);
            a.vpsrlw(to, to, 4);
            a.vpand(to, to, NIBBLES);
        } else {
            a.vpand(to, NIBBLES, from);
        }
    }

    /** {@code to = from · 2^shift} in words, either way; {@code to} may be {@code from}. */
    private static void shiftWords(Assembler a, Vec to, int shift) {
        if (shift > 0) {
            a.vpsllw(to, to, shift);
        } else if (shift < 0) {
            a.vpsrlw(to, to, -shift);
        }
    }

    /** {@code f16 d; i8 q[32]}: as they are, or moved up by 128 by flipping their sign bit. */
    private static final class Q8 extends Avx2Decoder {
        private static final Vec SIGNS = ymm(13);

        Q8(int zeroPoint, int largest) {
            super(DType.Q8_0, 32, zeroPoint, false, largest);
        }

        @Override
        void prepare(Assembler a) {
            a.vpbroadcastd(SIGNS, a.constant(0x80808080));
        }

        @Override
        void scales(Assembler a, Gp64 scales, Gp64 minima, int step) {
            Avx2Rows.halfPrecision(a, ymm(0), 0);
            a.vmovups(Memory.at(scales), ymm(0));
        }

        @Override
        void weights(Assembler a, int group, int row, Vec to) {
            if (signed()) {
                a.vmovdqu(to, Avx2Rows.row(row, 2));
            } else {
                a.vpxor(to, SIGNS, Avx2Rows.row(row, 2));
            }
        }
    }

    /** {@code f16 d[, m]; u4 q[32]}: the low nibbles are elements 0–15, the high ones 16–31. */
    private static final class Nibbles extends Avx2Decoder {
        private static final Vec SHIFTS = ymm(15);

        private final int offset;

        Nibbles(DType dtype, int offset, int zeroPoint, boolean affine) {
            super(dtype, 32, zeroPoint, affine, 15);
            this.offset = offset;
        }

        @Override
        void prepare(Assembler a) {
            super.prepare(a);
            a.vmovdqu(SHIFTS, a.constant(0, 0, 0, 0, 4, 4, 4, 4));
        }

        @Override
        void scales(Assembler a, Gp64 scales, Gp64 minima, int step) {
            Avx2Rows.halfPrecision(a, ymm(0), 0);
            a.vmovups(Memory.at(scales), ymm(0));
            if (affine()) {
                Avx2Rows.halfPrecision(a, ymm(1), 2);
                a.vmovups(Memory.at(minima), ymm(1));
            }
        }

        @Override
        void weights(Assembler a, int group, int row, Vec to) {
            a.vbroadcasti128(to, Avx2Rows.row(row, offset));
            a.vpsrlvd(to, to, SHIFTS);
            a.vpand(to, to, NIBBLES);
        }
    }

    /**
     * {@code f16 d, dmin; u8 scales[12]; …; u4 q[256]}: eight groups with 6-bit scales and minima. Bytes 0–3 hold the
     * scales of groups 0–3, bytes 4–7 their minima; the top two bits there and bytes 8–11 hold those of groups 4–7.
     */
    private static class Q4K extends Avx2Decoder {
        private final int offset;

        Q4K(DType dtype, int offset, int largest) {
            super(dtype, 32, 0, true, largest);
            this.offset = offset;
        }

        @Override
        void scales(Assembler a, Gp64 scales, Gp64 minima, int step) {
            Vec d = ymm(4);
            Vec minimumD = ymm(5);
            Avx2Rows.columns(a, 0);
            Vec low = ymm(6);
            a.vpbroadcastd(low, a.constant(0xffff));
            a.vpand(d, ymm(0), low);
            a.vpsrld(minimumD, ymm(0), 16);
            for (Vec halves : new Vec[] {d, minimumD}) {
                a.vpackusdw(halves, halves, halves);
                a.vpermq(halves, halves, 0b1000);
                a.vcvtph2ps(halves, halves.xmm());
            }
            a.vbroadcastss(low, a.constant(-0f));
            a.vxorps(minimumD, minimumD, low);
            // Four groups at a time are the bytes of a doubleword; a byte's lane is its row.
            Vec six = ymm(6);
            Vec four = ymm(7);
            Vec two = ymm(8);
            a.vpbroadcastd(six, a.constant(0x3f3f3f3f));
            a.vpbroadcastd(two, a.constant(0x30303030));
            Vec[] first = {ymm(9), ymm(10)};
            for (int i = 0; i < 2; i++) {
                a.vpand(first[i], ymm(1 + i), six);
            }
            // Of groups 4 to 7: a nibble of the third doubleword, and the top two bits of the first or second.
            a.vpsrld(ymm(1), ymm(1), 2);
            a.vpsrld(ymm(2), ymm(2), 2);
            a.vpand(ymm(1), ymm(1), two);
            a.vpand(ymm(2), ymm(2), two);
            a.vpbroadcastd(four, a.constant(0x0f0f0f0f));
            a.vpand(ymm(0), ymm(3), four);
            a.vpor(ymm(1), ymm(1), ymm(0));
            a.vpsrld(ymm(3), ymm(3), 4);
            a.vpand(ymm(3), ymm(3), four);
            a.vpor(ymm(2), ymm(2), ymm(3));
            for (int group = 0; group < 8; group++) {
                byteTimes(a, group < 4 ? first[0] : ymm(1), group % 4, d, Memory.at(scales, step * group));
                byteTimes(a, group < 4 ? first[1] : ymm(2), group % 4, minimumD, Memory.at(minima, step * group));
            }
        }

        private static void byteTimes(Assembler a, Vec from, int index, Vec factor, Memory to) {
            Vec t = ymm(11);
            if (index < 3) {
                a.vpslld(t, from, 24 - 8 * index);
                a.vpsrld(t, t, 24);
            } else {
                a.vpsrld(t, from, 24);
            }
            a.vcvtdq2ps(t, t);
            a.vmulps(t, t, factor);
            a.vmovups(to, t);
        }

        @Override
        void weights(Assembler a, int group, int row, Vec to) {
            nibbles(a, to, Avx2Rows.row(row, offset + 32 * (group / 2)), group % 2 == 1);
        }
    }

    /** Q4_K with a fifth bit: {@code u8 high[32]} before the nibbles, bit g of byte e for element e of group g. */
    private static final class Q5K extends Q4K {
        Q5K() {
            super(DType.Q5_K, 48, 31);
        }

        @Override
        void prepare(Assembler a) {
            super.prepare(a);
            a.vpbroadcastd(HIGH_BITS, a.constant(0x10101010));
        }

        @Override
        void weights(Assembler a, int group, int row, Vec to) {
            Vec high = ymm(10);
            super.weights(a, group, row, to);
            a.vmovdqu(high, Avx2Rows.row(row, 16));
            shiftWords(a, high, 4 - group);
            a.vpand(high, high, HIGH_BITS);
            a.vpor(to, to, high);
        }
    }

    /**
     * {@code u8 low[128]; u8 high[64]; i8 scales[16]; f16 d}: in each half of 128 elements, group q takes low nibbles
     * of bytes {@code 32·(q mod 2) …} (high nibbles for q ≥ 2) and two bits of the same 32 high bytes.
     */
    private static final class Q6K extends Avx2Decoder {
        Q6K() {
            super(DType.Q6_K, 16, 32, false, 63);
        }

        @Override
        void prepare(Assembler a) {
            super.prepare(a);
            a.vpbroadcastd(HIGH_BITS, a.constant(0x30303030));
        }

        @Override
        void scales(Assembler a, Gp64 scales, Gp64 minima, int step) {
            Vec d = ymm(4);
            Vec t = ymm(5);
            Avx2Rows.columns(a, 192);
            Avx2Rows.halfPrecision(a, d, 208);
            for (int index = 0; index < 16; index++) {
                if (index % 4 < 3) {
                    a.vpslld(t, ymm(index / 4), 24 - 8 * (index % 4));
                    a.vpsrad(t, t, 24);
                } else {
                    a.vpsrad(t, ymm(index / 4), 24);
                }
                a.vcvtdq2ps(t, t);
                a.vmulps(t, t, d);
                a.vmovups(Memory.at(scales, step * index), t);
            }
        }

        @Override
        void weights(Assembler a, int group, int row, Vec to) {
            int half = group / 4;
            int quarter = group % 4;
            Vec high = ymm(10);
            nibbles(a, to, Avx2Rows.row(row, 64 * half + 32 * (quarter % 2)), quarter >= 2);
            a.vmovdqu(high, Avx2Rows.row(row, 128 + 32 * half));
            shiftWords(a, high, 4 - 2 * quarter);
            a.vpand(high, high, HIGH_BITS);
            a.vpor(to, to, high);
        }
    }
}
