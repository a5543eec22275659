package dev.puna.kernels.x86;

import static dev.puna.assembler.Vec.zmm;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Gp32;
import dev.puna.assembler.Mask;
import dev.puna.assembler.Vec;
import dev.puna.tensor.DType;
import java.util.Optional;

/**
 * How a quantized format is unpacked: instructions that turn the blocks of sixteen rows into unsigned bytes, and the
 * scales (and minima) of a group of 32 elements into fp32 with a row per lane. A weight is
 * {@code scale · (byte − zeroPoint) + minimum}. Everything else about a product is the same for every format.
 *
 * <p>Registers: decoders own 24 to 31, and use 10 to 13 as temporaries. Layouts: {@code ggml-common.h} of llama.cpp.
 */
abstract class BlockDecoder {
    private static final Vec NIBBLES = zmm(31);
    private static final Vec D = zmm(24);
    private static final Vec MINIMUM_D = zmm(25);

    private final DType dtype;
    private final SixteenRows layout;
    private final int scaledElements;
    private final int zeroPoint;
    private final boolean affine;
    private final RowsAhead ahead;

    private BlockDecoder(DType dtype, SixteenRows layout, int scaledElements, int zeroPoint, boolean affine) {
        this.dtype = dtype;
        this.layout = layout;
        this.scaledElements = scaledElements;
        this.zeroPoint = zeroPoint;
        this.affine = affine;
        this.ahead = new RowsAhead(dtype);
    }

    /** The decoder of a quantized format; empty for plain types. */
    static Optional<BlockDecoder> of(DType dtype) {
        return switch (dtype) {
            case F32, F16, BF16, F64, I8, I16, I32, I64, U8 -> Optional.empty();
            case Q8_0 -> Optional.of(new Q8());
            case Q4_0 -> Optional.of(new Nibbles(dtype, 2, 8, false));
            case Q4_1 -> Optional.of(new Nibbles(dtype, 4, 0, true));
            case Q5_0 -> Optional.of(new FiveBits(dtype, 2, 16, false));
            case Q5_1 -> Optional.of(new FiveBits(dtype, 4, 0, true));
            case IQ4_NL -> Optional.of(new Table(dtype, 2));
            case IQ4_XS -> Optional.of(new ScaledTable());
            case Q2_K -> Optional.of(new Q2K());
            case Q3_K -> Optional.of(new Q3K());
            case Q4_K -> Optional.of(new Q4K(dtype, 16));
            case Q5_K -> Optional.of(new Q5K());
            case Q6_K -> Optional.of(new Q6K());
        };
    }

    DType dtype() {
        return dtype;
    }

    SixteenRows layout() {
        return layout;
    }

    /** Elements that share a scale: 32 or 16. */
    int scaledElements() {
        return scaledElements;
    }

    /** What to subtract from an unpacked byte. */
    int zeroPoint() {
        return zeroPoint;
    }

    /** Whether weights have a minimum to add. */
    boolean affine() {
        return affine;
    }

    /** Groups of 32 elements in a block. */
    int groups() {
        return dtype.blockSize() / 32;
    }

    /** How kernels over this format ask memory ahead. */
    RowsAhead ahead() {
        return ahead;
    }

    /** Once per kernel: constants into registers. */
    void prepare(Assembler a) {
        a.vpbroadcastd(NIBBLES, a.constant(0x0f0f0f0f));
    }

    /** Once per block of the sixteen rows: raw scales into registers. */
    abstract void beginBlock(Assembler a);

    /** HALVES: the bytes of rows {@code j} and {@code j + 8} of a group into {@code to}. */
    void halves(Assembler a, int group, int j, Vec to) {
        throw new IllegalStateException(dtype + " comes in quarters");
    }

    /** QUARTERS: the bytes of rows {@code j, j + 4, …}: elements 0–15 into {@code low}, 16–31 into {@code high}. */
    void quarters(Assembler a, int group, int j, Vec low, Vec high) {
        throw new IllegalStateException(dtype + " comes in halves");
    }

    /** The scale of the group (or of its half 0 or 1, where 16 elements share one), fp32, a row per lane. */
    abstract void scale(Assembler a, int group, int half, Vec to);

    /** What is added to every weight of the group or half, fp32, a row per lane. */
    void minimum(Assembler a, int group, int half, Vec to) {
        throw new IllegalStateException(dtype + " has no minima");
    }

    /** The fp16 in the low half of every lane of {@code raw}. */
    private static void lowHalfPrecision(Assembler a, Vec to, Vec raw) {
        a.vpmovdw(to.ymm(), raw);
        a.vcvtph2ps(to, to.ymm());
    }

    /** The fp16 in the high half of every lane of {@code raw}, which may be {@code to}. */
    private static void highHalfPrecision(Assembler a, Vec to, Vec raw) {
        a.vpsrld(to, raw, 16);
        lowHalfPrecision(a, to, to);
    }

    /** Bits {@code [shift, shift + count)} of every lane. */
    private static void bits(Assembler a, Vec to, Vec from, int shift, int count) {
        Vec source = from;
        if (shift > 0) {
            a.vpsrld(to, from, shift);
            source = to;
        }
        a.vpandd(to, source, a.constant((1 << count) - 1).broadcast());
    }

    /** The nibble of every byte: the low ones, or the high ones. {@code to} may be {@code from}. */
    private static void nibbles(Assembler a, Vec to, Vec from, boolean high) {
        Vec source = from;
        if (high) {
            a.vpsrlw(to, from, 4);
            source = to;
        }
        a.vpandd(to, source, NIBBLES);
    }

    /** {@code f16 d; i8 q[32]}: signed bytes, moved up by 128 by flipping their sign bit. */
    private static final class Q8 extends BlockDecoder {
        private static final Vec SIGNS = zmm(30);

        Q8() {
            super(DType.Q8_0, SixteenRows.HALVES, 32, 128, false);
        }

        @Override
        void prepare(Assembler a) {
            a.vpbroadcastd(SIGNS, a.constant(0x80808080));
        }

        @Override
        void beginBlock(Assembler a) {
            SixteenRows.gather(a, D, 0);
            lowHalfPrecision(a, D, D);
        }

        @Override
        void halves(Assembler a, int group, int j, Vec to) {
            SixteenRows.loadHalves(a, to, j, 2);
            a.vpxord(to, to, SIGNS);
        }

        @Override
        void scale(Assembler a, int group, int half, Vec to) {
            a.vmovaps(to, D);
        }
    }

    /** {@code f16 d[, m]; u4 q[32]}: the low nibbles are elements 0–15, the high ones 16–31. */
    private static class Nibbles extends BlockDecoder {
        private final int offset;

        Nibbles(DType dtype, int offset, int zeroPoint, boolean affine) {
            super(dtype, SixteenRows.QUARTERS, 32, zeroPoint, affine);
            this.offset = offset;
        }

        @Override
        void beginBlock(Assembler a) {
            SixteenRows.gather(a, D, 0);
            if (affine()) {
                highHalfPrecision(a, MINIMUM_D, D);
            }
            lowHalfPrecision(a, D, D);
        }

        @Override
        void quarters(Assembler a, int group, int j, Vec low, Vec high) {
            SixteenRows.loadQuarters(a, low, j, offset);
            nibbles(a, high, low, true);
            nibbles(a, low, low, false);
        }

        @Override
        void scale(Assembler a, int group, int half, Vec to) {
            a.vmovaps(to, D);
        }

        @Override
        void minimum(Assembler a, int group, int half, Vec to) {
            a.vmovaps(to, MINIMUM_D);
        }
    }

    /** {@code f16 d[, m]; u32 high; u4 q[32]}: bit e of {@code high} is the fifth bit of element e. */
    private static final class FiveBits extends BlockDecoder {
        private static final Vec BIT_OF_BYTE = zmm(30);
        private static final Vec LOW_SPREAD = zmm(29);
        private static final Vec HIGH_SPREAD = zmm(28);
        private static final Vec SIXTEEN = zmm(27);

        private final int highOffset;

        FiveBits(DType dtype, int highOffset, int zeroPoint, boolean affine) {
            super(dtype, SixteenRows.QUARTERS, 32, zeroPoint, affine);
            this.highOffset = highOffset;
        }

        @Override
        void prepare(Assembler a) {
            super.prepare(a);
            a.vpbroadcastq(BIT_OF_BYTE, a.constant(0x8040201008040201L));
            a.vbroadcasti32x4(LOW_SPREAD, a.constant(0L, 0x0101010101010101L));
            a.vbroadcasti32x4(HIGH_SPREAD, a.constant(0x0202020202020202L, 0x0303030303030303L));
            a.vpbroadcastd(SIXTEEN, a.constant(0x10101010));
            int lanes = 0xf;
            for (Mask mask : new Mask[] {Mask.K2, Mask.K3, Mask.K4}) {
                lanes <<= 4;
                a.mov(Gp32.R13D, lanes);
                a.kmovw(mask, Gp32.R13D);
            }
        }

        @Override
        void beginBlock(Assembler a) {
            SixteenRows.gather(a, D, 0);
            if (affine()) {
                highHalfPrecision(a, MINIMUM_D, D);
            }
            lowHalfPrecision(a, D, D);
        }

        @Override
        void quarters(Assembler a, int group, int j, Vec low, Vec high) {
            Vec bits = zmm(10);
            Vec spread = zmm(11);
            SixteenRows.loadQuarters(a, low, j, highOffset + 4);
            nibbles(a, high, low, true);
            nibbles(a, low, low, false);
            a.vpbroadcastd(bits, SixteenRows.row(j, highOffset));
            a.vpbroadcastd(bits.mask(Mask.K2), SixteenRows.row(j + 4, highOffset));
            a.vpbroadcastd(bits.mask(Mask.K3), SixteenRows.row(j + 8, highOffset));
            a.vpbroadcastd(bits.mask(Mask.K4), SixteenRows.row(j + 12, highOffset));
            a.vpshufb(spread, bits, LOW_SPREAD);
            a.vptestmb(Mask.K5, spread, BIT_OF_BYTE);
            a.vpaddb(low.mask(Mask.K5), low, SIXTEEN);
            a.vpshufb(spread, bits, HIGH_SPREAD);
            a.vptestmb(Mask.K5, spread, BIT_OF_BYTE);
            a.vpaddb(high.mask(Mask.K5), high, SIXTEEN);
        }

        @Override
        void scale(Assembler a, int group, int half, Vec to) {
            a.vmovaps(to, D);
        }

        @Override
        void minimum(Assembler a, int group, int half, Vec to) {
            a.vmovaps(to, MINIMUM_D);
        }
    }

    /** {@code f16 d; u4 q[32]} through a table of sixteen signed values, stored here moved up by 128. */
    private static class Table extends Nibbles {
        private static final Vec VALUES = zmm(30);

        Table(DType dtype, int offset) {
            super(dtype, offset, 128, false);
        }

        @Override
        void prepare(Assembler a) {
            super.prepare(a);
            loadTable(a, VALUES);
        }

        @Override
        void quarters(Assembler a, int group, int j, Vec low, Vec high) {
            super.quarters(a, group, j, low, high);
            a.vpshufb(low, VALUES, low);
            a.vpshufb(high, VALUES, high);
        }
    }

    private static void loadTable(Assembler a, Vec to) {
        int[] values = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
        byte[] bytes = new byte[16];
        for (int i = 0; i < 16; i++) {
            bytes[i] = (byte) (values[i] + 128);
        }
        a.vbroadcasti32x4(to, a.constant(bytes));
    }

    /** {@code f16 d; u16 scales_h; u8 scales_l[4]; u4 q[256]} through the same table, scales of 6 bits less 32. */
    private static final class ScaledTable extends BlockDecoder {
        private static final Vec VALUES = zmm(30);
        private static final Vec SCALES_HIGH = zmm(26);
        private static final Vec SCALES_LOW = zmm(27);

        ScaledTable() {
            super(DType.IQ4_XS, SixteenRows.QUARTERS, 32, 128, false);
        }

        @Override
        void prepare(Assembler a) {
            super.prepare(a);
            loadTable(a, VALUES);
        }

        @Override
        void beginBlock(Assembler a) {
            SixteenRows.gather(a, D, 0);
            a.vpsrld(SCALES_HIGH, D, 16);
            lowHalfPrecision(a, D, D);
            SixteenRows.gather(a, SCALES_LOW, 4);
        }

        @Override
        void quarters(Assembler a, int group, int j, Vec low, Vec high) {
            SixteenRows.loadQuarters(a, low, j, 8 + 16 * group);
            nibbles(a, high, low, true);
            nibbles(a, low, low, false);
            a.vpshufb(low, VALUES, low);
            a.vpshufb(high, VALUES, high);
        }

        @Override
        void scale(Assembler a, int group, int half, Vec to) {
            Vec high = zmm(10);
            bits(a, to, SCALES_LOW, 4 * group, 4);
            bits(a, high, SCALES_HIGH, 2 * group, 2);
            a.vpslld(high, high, 4);
            a.vpord(to, to, high);
            a.vpsubd(to, to, a.constant(32).broadcast());
            a.vcvtdq2ps(to, to);
            a.vmulps(to, to, D);
        }
    }

    /**
     * {@code f16 d, dmin; u8 scales[12]; …; u4 q[256]}: eight groups with 6-bit scales and minima. Bytes 0–3 hold the
     * scales of groups 0–3, bytes 4–7 their minima; the top two bits there and bytes 8–11 hold those of groups 4–7.
     */
    private static class Q4K extends BlockDecoder {
        private static final Vec SCALES = zmm(26);
        private static final Vec MINIMA = zmm(27);
        private static final Vec BOTH_HIGH = zmm(28);

        private final int offset;

        Q4K(DType dtype, int offset) {
            super(dtype, SixteenRows.HALVES, 32, 0, true);
            this.offset = offset;
        }

        @Override
        void beginBlock(Assembler a) {
            SixteenRows.gather(a, D, 0);
            highHalfPrecision(a, MINIMUM_D, D);
            a.vxorps(MINIMUM_D, MINIMUM_D, a.constant(-0f).broadcast());
            lowHalfPrecision(a, D, D);
            SixteenRows.gather(a, SCALES, 4);
            SixteenRows.gather(a, MINIMA, 8);
            SixteenRows.gather(a, BOTH_HIGH, 12);
        }

        @Override
        void halves(Assembler a, int group, int j, Vec to) {
            SixteenRows.loadHalves(a, to, j, offset + 32 * (group / 2));
            nibbles(a, to, to, group % 2 == 1);
        }

        @Override
        void scale(Assembler a, int group, int half, Vec to) {
            sixBits(a, group, SCALES, 0, to);
            a.vmulps(to, to, D);
        }

        @Override
        void minimum(Assembler a, int group, int half, Vec to) {
            sixBits(a, group, MINIMA, 4, to);
            a.vmulps(to, to, MINIMUM_D);
        }

        private static void sixBits(Assembler a, int group, Vec low, int highShift, Vec to) {
            if (group < 4) {
                bits(a, to, low, 8 * group, 6);
            } else {
                Vec high = zmm(10);
                bits(a, to, BOTH_HIGH, 8 * (group - 4) + highShift, 4);
                bits(a, high, low, 8 * (group - 4) + 6, 2);
                a.vpslld(high, high, 4);
                a.vpord(to, to, high);
            }
            a.vcvtdq2ps(to, to);
        }
    }

    /** Q4_K with a fifth bit: {@code u8 high[32]} before the nibbles, bit g of byte e for element e of group g. */
    private static final class Q5K extends Q4K {
        private static final Vec SIXTEEN = zmm(30);

        Q5K() {
            super(DType.Q5_K, 48);
        }

        @Override
        void prepare(Assembler a) {
            super.prepare(a);
            a.vpbroadcastd(SIXTEEN, a.constant(0x10101010));
        }

        @Override
        void halves(Assembler a, int group, int j, Vec to) {
            super.halves(a, group, j, to);
            Vec high = zmm(10);
            SixteenRows.loadHalves(a, high, j, 16);
            if (group < 4) {
                a.vpsllw(high, high, 4 - group);
            } else if (group > 4) {
                a.vpsrlw(high, high, group - 4);
            }
            // to |= high & 0x10
            a.vpternlogd(to, high, SIXTEEN, 0xf8);
        }
    }

    /**
     * {@code u8 low[128]; u8 high[64]; i8 scales[16]; f16 d}: in each half of 128 elements, group q takes low nibbles
     * of bytes {@code 32·(q mod 2) …} (high nibbles for q ≥ 2) and two bits of the same 32 high bytes.
     */
    private static final class Q6K extends BlockDecoder {
        private static final Vec THIRTY_TWO_AND_SIXTEEN = zmm(30);

        Q6K() {
            super(DType.Q6_K, SixteenRows.HALVES, 16, 32, false);
        }

        @Override
        void prepare(Assembler a) {
            super.prepare(a);
            a.vpbroadcastd(THIRTY_TWO_AND_SIXTEEN, a.constant(0x30303030));
        }

        @Override
        void beginBlock(Assembler a) {
            SixteenRows.gather(a, D, 206); // four bytes that end with the block
            highHalfPrecision(a, D, D);
            for (int i = 0; i < 4; i++) {
                SixteenRows.gather(a, zmm(25 + i), 192 + 4 * i);
            }
        }

        @Override
        void halves(Assembler a, int group, int j, Vec to) {
            int half = group / 4;
            int quarter = group % 4;
            SixteenRows.loadHalves(a, to, j, 64 * half + 32 * (quarter % 2));
            nibbles(a, to, to, quarter >= 2);
            Vec high = zmm(10);
            SixteenRows.loadHalves(a, high, j, 128 + 32 * half);
            switch (quarter) {
                case 0 -> a.vpsllw(high, high, 4);
                case 1 -> a.vpsllw(high, high, 2);
                case 3 -> a.vpsrlw(high, high, 2);
                default -> {}
            }
            a.vpternlogd(to, high, THIRTY_TWO_AND_SIXTEEN, 0xf8);
        }

        @Override
        void scale(Assembler a, int group, int half, Vec to) {
            int index = 2 * group + half;
            signedByte(a, to, zmm(25 + index / 4), index % 4);
            a.vcvtdq2ps(to, to);
            a.vmulps(to, to, D);
        }

        private static void signedByte(Assembler a, Vec to, Vec from, int index) {
            Vec source = from;
            if (index < 3) {
                a.vpslld(to, from, 24 - 8 * index);
                source = to;
            }
            a.vpsrad(to, source, 24);
        }
    }

    /**
     * {@code u8 high[32]; u2 low[256]; u6 scales[16]; f16 d}: group g has bits {@code 2·(g mod 4)} of 32 low bytes of
     * its half, and bit g of the 32 high bytes.
     */
    private static final class Q3K extends BlockDecoder {
        private static final Vec THREE = zmm(30);
        private static final Vec FOUR = zmm(29);
        private static final Vec SCALES_LOW = zmm(25);
        private static final Vec SCALES_MIDDLE = zmm(26);
        private static final Vec SCALES_HIGH = zmm(27);

        Q3K() {
            super(DType.Q3_K, SixteenRows.HALVES, 16, 4, false);
        }

        @Override
        void prepare(Assembler a) {
            a.vpbroadcastd(THREE, a.constant(0x03030303));
            a.vpbroadcastd(FOUR, a.constant(0x04040404));
        }

        @Override
        void beginBlock(Assembler a) {
            SixteenRows.gather(a, D, 106); // four bytes that end with the block
            highHalfPrecision(a, D, D);
            SixteenRows.gather(a, SCALES_LOW, 96);
            SixteenRows.gather(a, SCALES_MIDDLE, 100);
            SixteenRows.gather(a, SCALES_HIGH, 104);
        }

        @Override
        void halves(Assembler a, int group, int j, Vec to) {
            SixteenRows.loadHalves(a, to, j, 32 + 32 * (group / 4));
            if (group % 4 > 0) {
                a.vpsrlw(to, to, 2 * (group % 4));
            }
            a.vpandd(to, to, THREE);
            Vec high = zmm(10);
            SixteenRows.loadHalves(a, high, j, 0);
            if (group < 2) {
                a.vpsllw(high, high, 2 - group);
            } else if (group > 2) {
                a.vpsrlw(high, high, group - 2);
            }
            a.vpternlogd(to, high, FOUR, 0xf8);
        }

        @Override
        void scale(Assembler a, int group, int half, Vec to) {
            int index = 2 * group + half;
            Vec high = zmm(10);
            Vec low = index / 4 % 2 == 0 ? SCALES_LOW : SCALES_MIDDLE;
            bits(a, to, low, 8 * (index % 4) + (index < 8 ? 0 : 4), 4);
            bits(a, high, SCALES_HIGH, 8 * (index % 4) + 2 * (index / 4), 2);
            a.vpslld(high, high, 4);
            a.vpord(to, to, high);
            a.vpsubd(to, to, a.constant(32).broadcast());
            a.vcvtdq2ps(to, to);
            a.vmulps(to, to, D);
        }
    }

    /** {@code u4 scales[16], minima[16]; u2 q[256]; f16 d, dmin}: scale and minimum share a byte. */
    private static final class Q2K extends BlockDecoder {
        private static final Vec THREE = zmm(30);

        Q2K() {
            super(DType.Q2_K, SixteenRows.HALVES, 16, 0, true);
        }

        @Override
        void prepare(Assembler a) {
            a.vpbroadcastd(THREE, a.constant(0x03030303));
        }

        @Override
        void beginBlock(Assembler a) {
            SixteenRows.gather(a, D, 80);
            highHalfPrecision(a, zmm(31), D);
            a.vxorps(zmm(31), zmm(31), a.constant(-0f).broadcast());
            lowHalfPrecision(a, D, D);
            for (int i = 0; i < 4; i++) {
                SixteenRows.gather(a, zmm(25 + i), 4 * i);
            }
        }

        @Override
        void halves(Assembler a, int group, int j, Vec to) {
            SixteenRows.loadHalves(a, to, j, 16 + 32 * (group / 4));
            if (group % 4 > 0) {
                a.vpsrlw(to, to, 2 * (group % 4));
            }
            a.vpandd(to, to, THREE);
        }

        @Override
        void scale(Assembler a, int group, int half, Vec to) {
            int index = 2 * group + half;
            bits(a, to, zmm(25 + index / 4), 8 * (index % 4), 4);
            a.vcvtdq2ps(to, to);
            a.vmulps(to, to, D);
        }

        @Override
        void minimum(Assembler a, int group, int half, Vec to) {
            int index = 2 * group + half;
            bits(a, to, zmm(25 + index / 4), 8 * (index % 4) + 4, 4);
            a.vcvtdq2ps(to, to);
            a.vmulps(to, to, zmm(31));
        }
    }
}
