package dev.puna.kernels.x86;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Mask;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;

/**
 * Which queries see a key, queries in lanes, keys one after the other: {@code first ≤ key ≤ last} in 32-bit integers.
 * Takes four registers from a number on, and mask K2 in 512 bits.
 */
record Visibility(Assembler a, int bytes, int from) {
    Vec first() {
        return Vec.of(bytes, from);
    }

    Vec last() {
        return Vec.of(bytes, from + 1);
    }

    private Vec key() {
        return Vec.of(bytes, from + 2);
    }

    private Vec mask() {
        return Vec.of(bytes, from + 3);
    }

    /** The next key has the number in memory. */
    void begin(Memory number) {
        a.vpbroadcastd(key(), number.bytes(4));
    }

    /** {@code to} = what is in memory for queries that see the key, else {@code otherwise}; then the next key. */
    void keep(Vec to, Vec otherwise, Memory value) {
        next();
        if (bytes == 64) {
            a.vblendmps(to.mask(Mask.K2), otherwise, value);
        } else {
            a.vmovups(to, value);
            a.vblendvps(to, to, otherwise, mask());
        }
    }

    /** Finds out for the key, and moves on: in K2, or the other way round in {@link #mask}. */
    void next() {
        if (bytes == 64) {
            a.vpcmpd(Mask.K1, key(), first(), 5);
            a.vpcmpd(Mask.K2.mask(Mask.K1), key(), last(), 2);
        } else {
            a.vpcmpgtd(mask(), first(), key());
            a.vpcmpgtd(Vec.of(bytes, from + 4), key(), last());
            a.vpor(mask(), mask(), Vec.of(bytes, from + 4));
        }
        a.vpaddd(key(), key(), PowerOfTwo.everywhere(a, bytes, 1));
    }

    /** {@code x = 0} for queries that do not see the key of the last {@link #next}. */
    void clear(Vec x) {
        if (bytes == 64) {
            a.vmovaps(x.maskz(Mask.K2), x);
        } else {
            a.vandnps(x, mask(), x);
        }
    }
}
