package dev.puna.kernels.x86;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Operand;
import dev.puna.assembler.Vec;
import java.util.Arrays;

/**
 * {@code 2ˣ} for {@code x} up to some tens, in registers of 256 or 512 bits: {@code x = n + r} with {@code |r| ≤ ½}, a
 * polynomial in {@code r} (minimax fits of the relative error), and a scaling by {@code 2ⁿ}. −∞ gives 0, NaN stays NaN.
 * Attention's scores are multiplied by {@code log₂ e} beforehand, so that it needs no other exponential.
 */
final class PowerOfTwo {
    /** How good the polynomial is. */
    enum Accuracy {
        /** 2⁻¹³·⁷: for what is rounded to bf16 next. */
        BF16,
        /** 2⁻²³·⁷: for what is kept as a sum of two bf16. */
        TWO_BF16,
        /** 2⁻²⁹, and exactly 1 for 0. */
        F32;

        /** The highest power's first. */
        private float[] coefficients() {
            return switch (this) {
                case BF16 -> new float[] {0x1.c3f760p-5f, 0x1.f0de1ap-3f, 0x1.62f31ap-1f, 0x1.fff692p-1f};
                case TWO_BF16 ->
                    new float[] {
                        0x1.5c08e6p-10f, 0x1.3d0c52p-7f, 0x1.c6b6e4p-5f, 0x1.ebf918p-3f, 0x1.62e428p-1f, 0x1.000002p+0f
                    };
                case F32 ->
                    new float[] {
                        0x1.41d334p-13f,
                        0x1.5f456ap-10f,
                        0x1.3b2dbcp-7f,
                        0x1.c6aed4p-5f,
                        0x1.ebfbdap-3f,
                        0x1.62e430p-1f,
                        1
                    };
            };
        }
    }

    /** Below this, 256-bit code gives 0: the exponent is added as an integer. */
    private static final float LOWEST = -126;

    private PowerOfTwo() {}

    /** A constant in every lane, as an operand of instructions on registers of that size. */
    static Memory everywhere(Assembler a, int bytes, float value) {
        if (bytes == 64) {
            return a.constant(value).broadcast();
        }
        float[] lanes = new float[bytes / Float.BYTES];
        Arrays.fill(lanes, value);
        return a.constant(lanes);
    }

    /** The same of a 32-bit integer. */
    static Memory everywhere(Assembler a, int bytes, int value) {
        return everywhere(a, bytes, Float.intBitsToFloat(value));
    }

    /** The coefficients as operands: in registers from {@code first} on, or as constants where {@code first < 0}. */
    static Operand[] coefficients(Assembler a, int bytes, Accuracy accuracy, int first) {
        float[] values = accuracy.coefficients();
        Operand[] operands = new Operand[values.length];
        for (int i = 0; i < operands.length; i++) {
            if (first < 0) {
                operands[i] = everywhere(a, bytes, values[i]);
            } else {
                Vec register = Vec.of(bytes, first + i);
                a.vbroadcastss(register, a.constant(values[i]));
                operands[i] = register;
            }
        }
        return operands;
    }

    /** {@code x = 2ˣ}, lane by lane; {@code r}, {@code p} and, in 256 bits, {@code t} are overwritten. */
    static void emit(Assembler a, Vec x, Vec r, Vec p, Vec t, Operand[] coefficients) {
        if (x.bytes() == 64) {
            a.vreduceps(r, x, 0);
            a.vsubps(x, x, r);
            polynomial(a, p, r, coefficients);
            a.vscalefps(x, p, x);
            return;
        }
        a.vcmpps(t, x, everywhere(a, x.bytes(), LOWEST), 1);
        a.vandnps(x, t, x);
        a.vroundps(r, x, 0);
        a.vsubps(x, x, r);
        polynomial(a, p, x, coefficients);
        a.vcvtps2dq(r, r);
        a.vpslld(r, r, 23);
        a.vpaddd(x, p, r);
        a.vandnps(x, t, x);
    }

    private static void polynomial(Assembler a, Vec p, Vec r, Operand[] coefficients) {
        if (coefficients[0] instanceof Memory memory && r.bytes() == 64) {
            a.vbroadcastss(p, memory.broadcast(0));
        } else {
            a.vmovaps(p, coefficients[0]);
        }
        for (int i = 1; i < coefficients.length; i++) {
            a.vfmadd213ps(p, r, coefficients[i]);
        }
    }
}
