package dev.puna.kernels.x86;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Vec;

/**
 * {@code eˣ} within one unit in the last place: {@code x = n·ln 2 + r} with {@code |r| ≤ ln 2 / 2}, a polynomial of
 * degree six in {@code r} (weighted minimax fit, relative error 2⁻²⁸), and a scaling by {@code 2ⁿ} that rounds into
 * denormals and overflows to infinity by itself. NaN stays NaN.
 */
final class Exponential {
    private static final float LOG2_E = (float) (1 / Math.log(2));

    /** ln 2 in two parts; the first has few bits, so that n times it is exact. */
    private static final float LN2_HIGH = 0x1.63p-1f;

    private static final float LN2_LOW = (float) (Math.log(2) - LN2_HIGH);

    /** Beyond these, the result is 0 and infinity. */
    private static final float LOWEST = -105;

    private static final float HIGHEST = 90;

    /** Of r⁶ … r⁰. */
    private static final float[] COEFFICIENTS = {
        0.0013814596f, 0.0083687175f, 0.04166839f, 0.16666521f, 0.49999994f, 1, 1
    };

    private Exponential() {}

    /** {@code x = eˣ}, lane by lane; {@code n} and {@code p} are overwritten. */
    static void emit(Assembler a, Vec x, Vec n, Vec p) {
        int bytes = x.bytes();
        a.vbroadcastss(n, a.constant(HIGHEST));
        a.vminps(x, n, x);
        a.vbroadcastss(n, a.constant(LOWEST));
        a.vmaxps(x, n, x);
        a.vmulps(n, x, PowerOfTwo.everywhere(a, bytes, LOG2_E));
        if (bytes == 64) {
            a.vrndscaleps(n, n, 0);
        } else {
            a.vroundps(n, n, 0);
        }
        a.vfnmadd231ps(x, n, PowerOfTwo.everywhere(a, bytes, LN2_HIGH));
        a.vfnmadd231ps(x, n, PowerOfTwo.everywhere(a, bytes, LN2_LOW));
        a.vbroadcastss(p, a.constant(COEFFICIENTS[0]));
        for (int i = 1; i < COEFFICIENTS.length; i++) {
            a.vfmadd213ps(p, x, PowerOfTwo.everywhere(a, bytes, COEFFICIENTS[i]));
        }
        if (bytes == 64) {
            a.vscalefps(x, p, n);
            return;
        }
        a.comment("2ⁿ in two factors: the first product is exact, the second rounds into denormals or overflows");
        a.vcvtps2dq(n, n);
        a.vpsrad(x, n, 1);
        a.vpsubd(n, n, x);
        for (Vec power : new Vec[] {x, n}) {
            a.vpaddd(power, power, PowerOfTwo.everywhere(a, bytes, 127));
            a.vpslld(power, power, 23);
            a.vmulps(p, p, power);
        }
        a.vmovaps(x, p);
    }
}
