package dev.puna.kernels.x86;

import dev.puna.assembler.Assembler;
import dev.puna.assembler.Vec;

/**
 * Sixteen vectors of sixteen 32-bit lanes (or eight of eight) become their columns, in registers: four (three) rounds of
 * exchanges between two registers, as in a butterfly network. An exchange writes one result over its first operand and the other into a
 * spare register; its second operand is the next spare. So one register beside them is enough.
 */
final class Transposition {
    /** Lanes of 128 bits: the even ones of both operands, and the odd ones. */
    private static final int EVEN = 0x88;

    private static final int ODD = 0xDD;
    /** The same in 256 bits. */
    private static final int EVEN_OF_TWO = 0x20;

    private static final int ODD_OF_TWO = 0x31;

    private interface Exchange {
        /** From {@code (x, y)}: one result into {@code spare}, the other into {@code x}. */
        void emit(Vec spare, Vec x, Vec y);
    }

    private final Vec[] rows;
    private Vec spare;

    private Transposition(int bytes) {
        int size = bytes / Integer.BYTES;
        rows = new Vec[size];
        for (int i = 0; i < size; i++) {
            rows[i] = Vec.of(bytes, i);
        }
        spare = Vec.of(bytes, size);
    }

    /**
     * Transposes registers 0 to 15, with register 16 as the spare.
     *
     * @return where the columns are, the first first; among registers 0 to 16
     */
    static Vec[] emit(Assembler a) {
        return emit(a, 64);
    }

    /** The same of registers of {@code bytes}: with 32, of registers 0 to 7, and 8 is the spare. */
    static Vec[] emit(Assembler a, int bytes) {
        Transposition t = new Transposition(bytes);
        int size = t.rows.length;
        for (int i = 0; i < size; i += 2) {
            t.exchange(i, i + 1, (low, x, y) -> {
                a.vunpcklps(low, x, y);
                a.vunpckhps(x, x, y);
            });
        }
        for (int i = 0; i < size; i += 4) {
            for (int half = 0; half < 2; half++) {
                t.exchange(i + half, i + 2 + half, (low, x, y) -> {
                    a.vunpcklpd(low, x, y);
                    a.vunpckhpd(x, x, y);
                });
            }
        }
        // Row 4i + {0, 2, 1, 3} now holds, in its lane of 128 bits number l, rows 4i … 4i+3 of column 4l + {0, 1, 2,
        // 3}.
        for (int distance = 4; distance < size; distance *= 2) {
            for (int i = 0; i < size; i++) {
                if ((i & distance) == 0) {
                    t.exchange(i, i + distance, (even, x, y) -> {
                        if (bytes == 64) {
                            a.vshuff32x4(even, x, y, EVEN);
                            a.vshuff32x4(x, x, y, ODD);
                        } else {
                            a.vperm2f128(even, x, y, EVEN_OF_TWO);
                            a.vperm2f128(x, x, y, ODD_OF_TWO);
                        }
                    });
                }
            }
        }
        Vec[] columns = new Vec[size];
        int[] withinLane = {0, 2, 1, 3};
        for (int i = 0; i < size; i++) {
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
