package dev.puna.kernels.x86;

import static dev.puna.assembler.Vec.zmm;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Vec;

/**
 * Sixteen vectors of sixteen 32-bit lanes become their columns, in registers: four rounds of eight exchanges between
 * two registers, as in a butterfly network. An exchange writes one result over its first operand and the other into a
 * spare register; its second operand is the next spare. So one register beside the sixteen is enough.
 */
final class Transposition {
    private static final int SIZE = 16;
    /** Lanes of 128 bits: the even ones of both operands, and the odd ones. */
    private static final int EVEN = 0x88;

    private static final int ODD = 0xDD;

    private interface Exchange {
        /** From {@code (x, y)}: one result into {@code spare}, the other into {@code x}. */
        void emit(Vec spare, Vec x, Vec y);
    }

    private final Vec[] rows = new Vec[SIZE];
    private Vec spare = zmm(SIZE);

    private Transposition() {
        for (int i = 0; i < SIZE; i++) {
            rows[i] = zmm(i);
        }
    }

    /**
     * Transposes registers 0 to 15, with register 16 as the spare.
     *
     * @return where the columns are, the first first; among registers 0 to 16
     */
    static Vec[] emit(Assembler a) {
        Transposition t = new Transposition();
        for (int i = 0; i < SIZE; i += 2) {
            t.exchange(i, i + 1, (low, x, y) -> {
                a.vunpcklps(low, x, y);
                a.vunpckhps(x, x, y);
            });
        }
        for (int i = 0; i < SIZE; i += 4) {
            for (int half = 0; half < 2; half++) {
                t.exchange(i + half, i + 2 + half, (low, x, y) -> {
                    a.vunpcklpd(low, x, y);
                    a.vunpckhpd(x, x, y);
                });
            }
        }
        // Row 4i + {0, 2, 1, 3} now holds, in its lane of 128 bits number l, rows 4i … 4i+3 of column 4l + {0, 1, 2,
        // 3}.
        for (int distance = 4; distance <= 8; distance *= 2) {
            for (int i = 0; i < SIZE; i++) {
                if ((i & distance) == 0) {
                    t.exchange(i, i + distance, (even, x, y) -> {
                        a.vshuff32x4(even, x, y, EVEN);
                        a.vshuff32x4(x, x, y, ODD);
                    });
                }
            }
        }
        Vec[] columns = new Vec[SIZE];
        int[] withinLane = {0, 2, 1, 3};
        for (int i = 0; i < SIZE; i++) {
            columns[i / 4 * 4 + withinLane[i % 4]] = t.rows[i];
        }
        return columns;
    }

    private void exchange(int first, int second, Exchange exchange) {
        Vec x = rows[first];
        Vec y = rows[second];
        exchange.emit(spare, x, y);
        rows[first] = spare;
        rows[second] = x;
        spare = y;
    }
}
