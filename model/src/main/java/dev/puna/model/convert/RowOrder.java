package dev.puna.model.convert;

import dev.puna.kernels.RopePairing;

/**
 * Which row of a source becomes row {@code i} of a target, when the two elements that RoPE turns together lie next to
 * each other in one and half a head apart in the other. Every head is permuted by itself, so that query and key/value
 * heads are treated alike, however many there are.
 */
@FunctionalInterface
interface RowOrder {
    /** Nothing moves. */
    RowOrder SAME = row -> row;

    long sourceRow(long row);

    static RowOrder between(RopePairing from, RopePairing to, int headSize) {
        if (from == to) {
            return SAME;
        }
        long half = headSize / 2;
        return switch (from) {
            // Row (head, pair, part) of the target is row (head, part, pair) of the source.
            case HALVES ->
                row -> {
                    long within = row % headSize;
                    return row - within + within % 2 * half + within / 2;
                };
            case INTERLEAVED ->
                row -> {
                    long within = row % headSize;
                    return row - within + within % half * 2 + within / half;
                };
        };
    }
}
