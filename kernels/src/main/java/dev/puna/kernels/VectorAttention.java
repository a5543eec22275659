package dev.puna.kernels;

import static dev.puna.tensor.Tensor.F32_LE;

import dev.puna.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Attention of some rows of one sequence with one key/value head: the keys and values of {@link #BLOCK} positions are
 * decoded into the cache, every query that shares them meets them there, and the softmax is carried along (Milakov and
 * Gimelshein 2018; Dao et al. 2022). Blocks begin at multiples of {@link #BLOCK}, and what a query computes in a block
 * depends on nothing but itself and the keys it sees: so its result does not depend on the other rows.
 *
 * <p>One instance per thread; it owns the scratch.
 */
final class VectorAttention {
    private static final VectorSpecies<Float> F = VectorLanes.SPECIES;
    private static final int LANES = VectorLanes.LANES;

    /** Positions decoded at a time. */
    static final int BLOCK = 64;

    /** Rows that share a decoded block. */
    static final int TILE_ROWS = 16;

    /** Keys per step: the width of {@link VectorTiles#oneByEight}. */
    private static final int KEYS = VectorTiles.LINE_WEIGHTS;

    private float[] keys = new float[0];
    private float[] values = new float[0];
    private float[] queries = new float[0];
    private float[] results = new float[0];
    private float[] maxima = new float[0];
    private float[] totals = new float[0];
    private short[] halves = new short[0];
    private final float[] sums = new float[KEYS * LANES];
    private final float[] scores = new float[BLOCK];

    /**
     * @param firstRow row of q and y where the span begins
     * @param tile which {@link #TILE_ROWS} rows of the span
     * @param kvHead which key/value head; all query heads that share it are computed
     */
    void attend(Tensor y, Tensor q, long firstRow, AttentionSpan span, int tile, int kvHead, float scale) {
        KvView cache = span.cache();
        int size = cache.headSize();
        int stride = VectorLanes.roundUp(size);
        int headCount = (int) (q.columns() / size);
        int group = headCount / cache.kvHeadCount();
        int from = tile * TILE_ROWS;
        int rows = Math.min(TILE_ROWS, span.rowCount() - from);
        int queryCount = rows * group;
        prepare(queryCount, stride);
        for (int i = 0; i < queryCount; i++) {
            MemorySegment.copy(
                    q.data(),
                    F32_LE,
                    offset(q, firstRow + from + i / group, kvHead * group + i % group, size),
                    queries,
                    i * stride,
                    size);
        }
        int firstVisible = span.firstPosition() + from + 1;
        int end = firstVisible + rows - 1;
        for (int block = 0; block < end; block += BLOCK) {
            int count = Math.min(BLOCK, end - block);
            load(cache, kvHead, block, count, size, stride);
            for (int i = 0; i < queryCount; i++) {
                int visible = Math.min(count, firstVisible + i / group - block);
                if (visible > 0) {
                    step(i, visible, stride, scale);
                }
            }
        }
        for (int i = 0; i < queryCount; i++) {
            float inverse = 1 / totals[i];
            for (int d = i * stride; d < i * stride + size; d++) {
                results[d] *= inverse;
            }
            MemorySegment.copy(
                    results,
                    i * stride,
                    y.data(),
                    F32_LE,
                    offset(y, firstRow + from + i / group, kvHead * group + i % group, size),
                    size);
        }
    }

    private static long offset(Tensor tensor, long row, int head, int size) {
        return (row * tensor.columns() + (long) head * size) * Float.BYTES;
    }

    private void prepare(int queryCount, int stride) {
        if (keys.length < BLOCK * stride) {
            keys = new float[BLOCK * stride];
            values = new float[BLOCK * stride];
            halves = new short[stride];
        }
        if (queries.length < queryCount * stride || maxima.length < queryCount) {
            queries = new float[queryCount * stride];
            results = new float[queryCount * stride];
            maxima = new float[queryCount];
            totals = new float[queryCount];
        }
        Arrays.fill(queries, 0, queryCount * stride, 0);
        Arrays.fill(results, 0, queryCount * stride, 0);
        Arrays.fill(maxima, 0, queryCount, Float.NEGATIVE_INFINITY);
        Arrays.fill(totals, 0, queryCount, 0);
    }

    private void load(KvView cache, int head, int first, int count, int size, int stride) {
        for (int t = 0; t < count; t++) {
            int at = t * stride;
            VectorUnpack.unpack(cache.dtype(), cache.pool(), cache.keyOffset(head, first + t), size, keys, at, halves);
            VectorUnpack.unpack(
                    cache.dtype(), cache.pool(), cache.valueOffset(head, first + t), size, values, at, halves);
            Arrays.fill(keys, at + size, at + stride, 0);
            Arrays.fill(values, at + size, at + stride, 0);
        }
    }

    /** Query {@code i} meets the first {@code visible} keys of the block. */
    private void step(int i, int visible, int stride, float scale) {
        float blockMax = Float.NEGATIVE_INFINITY;
        for (int t = 0; t < visible; t += KEYS) {
            Arrays.fill(sums, 0);
            VectorTiles.oneByEight(queries, i * stride, keys, t * stride, stride, stride, sums, 0);
            for (int k = t; k < Math.min(t + KEYS, visible); k++) {
                float score = VectorTiles.total(sums, (k - t) * LANES) * scale;
                scores[k] = score;
                blockMax = Math.max(blockMax, score);
            }
        }
        float max = Math.max(maxima[i], blockMax);
        float correction = maxima[i] == Float.NEGATIVE_INFINITY ? 0 : VectorLanes.exp(maxima[i] - max);
        maxima[i] = max;
        Arrays.fill(scores, visible, BLOCK, Float.NEGATIVE_INFINITY);
        totals[i] = totals[i] * correction + exponentials(scores, visible, max);
        gather(results, i * stride, stride, correction, scores, values, visible);
    }

    /** Replaces the scores by e^(score − max) and returns their sum. */
    private static float exponentials(float[] scores, int visible, float max) {
        var total = FloatVector.zero(F);
        for (int t = 0; t < visible; t += LANES) {
            var p = VectorLanes.exp(FloatVector.fromArray(F, scores, t).sub(max));
            p.intoArray(scores, t);
            total = total.add(p);
        }
        return VectorLanes.sum(total);
    }

    /** {@code result = result · correction + Σ weight[t] · value[t]}. */
    private static void gather(
            float[] result, int at, int stride, float correction, float[] weights, float[] values, int count) {
        int d = 0;
        for (; d <= stride - 4 * LANES; d += 4 * LANES) {
            var a = FloatVector.fromArray(F, result, at + d).mul(correction);
            var b = FloatVector.fromArray(F, result, at + d + LANES).mul(correction);
            var c = FloatVector.fromArray(F, result, at + d + 2 * LANES).mul(correction);
            var e = FloatVector.fromArray(F, result, at + d + 3 * LANES).mul(correction);
            for (int t = 0; t < count; t++) {
                var p = FloatVector.broadcast(F, weights[t]);
                int v = t * stride + d;
                a = FloatVector.fromArray(F, values, v).fma(p, a);
                b = FloatVector.fromArray(F, values, v + LANES).fma(p, b);
                c = FloatVector.fromArray(F, values, v + 2 * LANES).fma(p, c);
                e = FloatVector.fromArray(F, values, v + 3 * LANES).fma(p, e);
            }
            a.intoArray(result, at + d);
            b.intoArray(result, at + d + LANES);
            c.intoArray(result, at + d + 2 * LANES);
            e.intoArray(result, at + d + 3 * LANES);
        }
        for (; d < stride; d += LANES) {
            var a = FloatVector.fromArray(F, result, at + d).mul(correction);
            for (int t = 0; t < count; t++) {
                a = FloatVector.fromArray(F, values, t * stride + d).fma(FloatVector.broadcast(F, weights[t]), a);
            }
            a.intoArray(result, at + d);
        }
    }
}
