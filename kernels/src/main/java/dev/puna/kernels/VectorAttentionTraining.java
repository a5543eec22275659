package dev.puna.kernels;

import static dev.puna.tensor.Tensor.F32_LE;

import dev.puna.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Attention of one document with one key/value head, forward and backward (Dao et al. 2022): blocks of queries meet
 * blocks of keys, and only a block of scores exists at a time. All five products are one small product of a strided
 * matrix with a row-major one. What a document's rows compute depends on nothing outside the document.
 *
 * <p>One instance per thread; it owns the scratch.
 */
final class VectorAttentionTraining {
    private static final VectorSpecies<Float> F = VectorLanes.SPECIES;
    private static final int LANES = VectorLanes.LANES;

    /** Queries in a block. */
    private static final int ROWS = 32;

    /** Keys in a block: a whole number of vectors, whatever their width. */
    private static final int KEYS = 64;

    private final float[] scores = new float[ROWS * KEYS];
    private final float[] slopes = new float[ROWS * KEYS];
    private final float[] maxima = new float[ROWS];
    private final float[] totals = new float[ROWS];
    private final float[] whole = new float[ROWS];
    private float[] keys = new float[0]; // (T, D)
    private float[] keysAcross = new float[0]; // (D, T)
    private float[] values = new float[0]; // (T, D)
    private float[] valuesAcross = new float[0]; // (D, T)
    private float[] dKeys = new float[0];
    private float[] dValues = new float[0];
    private float[] queries = new float[0]; // (ROWS, D)
    private float[] results = new float[0];
    private float[] dResults = new float[0];
    private float[] dQueries = new float[0];

    void forward(
            Tensor y,
            Tensor logSumExp,
            Tensor q,
            Tensor k,
            Tensor v,
            int size,
            int from,
            int to,
            int[] firstVisible,
            int kvHead,
            float scale) {
        int stride = VectorLanes.roundUp(size);
        int across = load(k, v, size, stride, from, to, kvHead);
        int group = (int) (q.columns() / k.columns());
        int heads = (int) (q.columns() / size);
        for (int head = kvHead * group; head < (kvHead + 1) * group; head++) {
            for (int row = from; row < to; row += ROWS) {
                int rows = Math.min(ROWS, to - row);
                copyIn(q, row, rows, head, size, stride, queries);
                Arrays.fill(results, 0, rows * stride, 0);
                Arrays.fill(maxima, Float.NEGATIVE_INFINITY);
                Arrays.fill(totals, 0);
                for (int key = (firstVisible[row] - from) / KEYS * KEYS; key < row + rows - from; key += KEYS) {
                    Arrays.fill(scores, 0);
                    product(rows, KEYS, stride, queries, 0, stride, 1, keysAcross, key, across, scores, 0, KEYS);
                    for (int i = 0; i < rows; i++) {
                        softmaxStep(i, firstVisible[row + i] - from - key, row + i - from - key, stride, scale);
                    }
                    int count = Math.min(KEYS, row + rows - from - key);
                    product(rows, stride, count, scores, 0, KEYS, 1, values, key * stride, stride, results, 0, stride);
                }
                for (int i = 0; i < rows; i++) {
                    float inverse = 1 / totals[i];
                    for (int d = i * stride; d < i * stride + size; d++) {
                        results[d] *= inverse;
                    }
                    logSumExp.setFloat((long) (row + i) * heads + head, (float) (maxima[i] + Math.log(totals[i])));
                }
                copyOut(results, y, row, rows, head, size, stride);
            }
        }
    }

    /** Scores of query {@code i} of the block become exponentials; what it summed before is corrected. */
    private void softmaxStep(int i, int first, int last, int stride, float scale) {
        int at = i * KEYS;
        int begin = Math.max(0, first);
        int end = Math.min(KEYS, last + 1);
        Arrays.fill(scores, at, at + Math.min(begin, KEYS), Float.NEGATIVE_INFINITY);
        Arrays.fill(scores, at + Math.max(end, 0), at + KEYS, Float.NEGATIVE_INFINITY);
        if (end <= begin) {
            Arrays.fill(scores, at, at + KEYS, 0);
            return;
        }
        float max = maxima[i];
        for (int t = at + begin; t < at + end; t++) {
            scores[t] *= scale;
            max = Math.max(max, scores[t]);
        }
        float correction = maxima[i] == Float.NEGATIVE_INFINITY ? 0 : VectorLanes.exp(maxima[i] - max);
        maxima[i] = max;
        var sum = FloatVector.zero(F);
        for (int t = at; t < at + KEYS; t += LANES) {
            var p = VectorLanes.exp(FloatVector.fromArray(F, scores, t).sub(max));
            p.intoArray(scores, t);
            sum = sum.add(p);
        }
        totals[i] = totals[i] * correction + VectorLanes.sum(sum);
        if (correction != 1) {
            for (int d = i * stride; d < (i + 1) * stride; d += LANES) {
                FloatVector.fromArray(F, results, d).mul(correction).intoArray(results, d);
            }
        }
    }

    void backward(
            Tensor dq,
            Tensor dk,
            Tensor dv,
            Tensor dy,
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor y,
            Tensor logSumExp,
            int size,
            int from,
            int to,
            int[] firstVisible,
            int kvHead,
            float scale) {
        int stride = VectorLanes.roundUp(size);
        int across = load(k, v, size, stride, from, to, kvHead);
        Arrays.fill(dKeys, 0, across * stride, 0);
        Arrays.fill(dValues, 0, across * stride, 0);
        int group = (int) (q.columns() / k.columns());
        int heads = (int) (q.columns() / size);
        for (int head = kvHead * group; head < (kvHead + 1) * group; head++) {
            for (int row = from; row < to; row += ROWS) {
                int rows = Math.min(ROWS, to - row);
                copyIn(q, row, rows, head, size, stride, queries);
                copyIn(dy, row, rows, head, size, stride, dResults);
                copyIn(y, row, rows, head, size, stride, results);
                Arrays.fill(dQueries, 0, rows * stride, 0);
                for (int i = 0; i < rows; i++) {
                    var sum = FloatVector.zero(F);
                    for (int d = i * stride; d < (i + 1) * stride; d += LANES) {
                        sum = FloatVector.fromArray(F, dResults, d).fma(FloatVector.fromArray(F, results, d), sum);
                    }
                    whole[i] = VectorLanes.sum(sum);
                    maxima[i] = logSumExp.getFloat((long) (row + i) * heads + head);
                }
                for (int key = (firstVisible[row] - from) / KEYS * KEYS; key < row + rows - from; key += KEYS) {
                    int count = Math.min(KEYS, row + rows - from - key);
                    Arrays.fill(scores, 0);
                    Arrays.fill(slopes, 0);
                    product(rows, KEYS, stride, queries, 0, stride, 1, keysAcross, key, across, scores, 0, KEYS);
                    product(rows, KEYS, stride, dResults, 0, stride, 1, valuesAcross, key, across, slopes, 0, KEYS);
                    for (int i = 0; i < rows; i++) {
                        slope(i, firstVisible[row + i] - from - key, row + i - from - key, scale);
                    }
                    int at = key * stride;
                    product(rows, stride, count, slopes, 0, KEYS, 1, keys, at, stride, dQueries, 0, stride);
                    product(count, stride, rows, slopes, 0, 1, KEYS, queries, 0, stride, dKeys, at, stride);
                    product(count, stride, rows, scores, 0, 1, KEYS, dResults, 0, stride, dValues, at, stride);
                }
                copyOut(dQueries, dq, row, rows, head, size, stride);
            }
        }
        copyOut(dKeys, dk, from, to - from, kvHead, size, stride);
        copyOut(dValues, dv, from, to - from, kvHead, size, stride);
    }

    /** Scores become probabilities, and gradients of probabilities become those of scores. */
    private void slope(int i, int first, int last, float scale) {
        int at = i * KEYS;
        int begin = Math.clamp(first, 0, KEYS);
        int end = Math.clamp(last + 1, begin, KEYS);
        float lse = maxima[i];
        float sum = whole[i];
        for (int t = at; t < at + KEYS; t += LANES) {
            var p = VectorLanes.exp(
                    FloatVector.fromArray(F, scores, t).mul(scale).sub(lse));
            p.intoArray(scores, t);
            FloatVector.fromArray(F, slopes, t).sub(sum).mul(p).mul(scale).intoArray(slopes, t);
        }
        Arrays.fill(scores, at, at + begin, 0);
        Arrays.fill(scores, at + end, at + KEYS, 0);
        Arrays.fill(slopes, at, at + begin, 0);
        Arrays.fill(slopes, at + end, at + KEYS, 0);
    }

    /** Keys and values of the document, as they are and across; the number of keys rounded up to whole blocks. */
    private int load(Tensor k, Tensor v, int size, int stride, int from, int to, int kvHead) {
        int count = to - from;
        int across = (count + KEYS - 1) / KEYS * KEYS;
        if (keys.length < across * stride) {
            keys = new float[across * stride];
            keysAcross = new float[across * stride];
            values = new float[across * stride];
            valuesAcross = new float[across * stride];
            dKeys = new float[across * stride];
            dValues = new float[across * stride];
        }
        if (queries.length < ROWS * stride) {
            queries = new float[ROWS * stride];
            results = new float[ROWS * stride];
            dResults = new float[ROWS * stride];
            dQueries = new float[ROWS * stride];
        }
        copyIn(k, from, count, kvHead, size, stride, keys);
        copyIn(v, from, count, kvHead, size, stride, values);
        Arrays.fill(keys, count * stride, across * stride, 0);
        Arrays.fill(values, count * stride, across * stride, 0);
        turn(keys, keysAcross, across, stride);
        turn(values, valuesAcross, across, stride);
        return across;
    }

    private static void turn(float[] from, float[] to, int rows, int columns) {
        for (int row = 0; row < rows; row++) {
            for (int column = 0; column < columns; column++) {
                to[column * rows + row] = from[row * columns + column];
            }
        }
    }

    private static void copyIn(Tensor x, int row, int rows, int head, int size, int stride, float[] to) {
        for (int i = 0; i < rows; i++) {
            long at = ((row + i) * x.columns() + (long) head * size) * Float.BYTES;
            MemorySegment.copy(x.data(), F32_LE, at, to, i * stride, size);
            Arrays.fill(to, i * stride + size, (i + 1) * stride, 0);
        }
    }

    private static void copyOut(float[] from, Tensor x, int row, int rows, int head, int size, int stride) {
        for (int i = 0; i < rows; i++) {
            long at = ((row + i) * x.columns() + (long) head * size) * Float.BYTES;
            MemorySegment.copy(from, i * stride, x.data(), F32_LE, at, size);
        }
    }

    /**
     * {@code c (m, n) += a (m, k) · b (k, n)}: a with any strides, b and c row-major with n a whole number of vectors.
     */
    private static void product(
            int m,
            int n,
            int k,
            float[] a,
            int aAt,
            int aRow,
            int aColumn,
            float[] b,
            int bAt,
            int bStride,
            float[] c,
            int cAt,
            int cStride) {
        int i = 0;
        for (; i <= m - 4; i += 4) {
            int a0 = aAt + i * aRow;
            int at = cAt + i * cStride;
            int j = 0;
            for (; j <= n - 2 * LANES; j += 2 * LANES) {
                fourByTwo(k, a, a0, aRow, aColumn, b, bAt + j, bStride, c, at + j, cStride);
            }
            for (; j < n; j += LANES) {
                for (int row = 0; row < 4; row++) {
                    oneByOne(k, a, a0 + row * aRow, aColumn, b, bAt + j, bStride, c, at + row * cStride + j);
                }
            }
        }
        for (; i < m; i++) {
            for (int j = 0; j < n; j += LANES) {
                oneByOne(k, a, aAt + i * aRow, aColumn, b, bAt + j, bStride, c, cAt + i * cStride + j);
            }
        }
    }

    private static void fourByTwo(
            int k,
            float[] a,
            int a0,
            int aRow,
            int aColumn,
            float[] b,
            int bAt,
            int bStride,
            float[] c,
            int cAt,
            int cs) {
        var c00 = FloatVector.fromArray(F, c, cAt);
        var c01 = FloatVector.fromArray(F, c, cAt + LANES);
        var c10 = FloatVector.fromArray(F, c, cAt + cs);
        var c11 = FloatVector.fromArray(F, c, cAt + cs + LANES);
        var c20 = FloatVector.fromArray(F, c, cAt + 2 * cs);
        var c21 = FloatVector.fromArray(F, c, cAt + 2 * cs + LANES);
        var c30 = FloatVector.fromArray(F, c, cAt + 3 * cs);
        var c31 = FloatVector.fromArray(F, c, cAt + 3 * cs + LANES);
        for (int t = 0; t < k; t++) {
            var b0 = FloatVector.fromArray(F, b, bAt + t * bStride);
            var b1 = FloatVector.fromArray(F, b, bAt + t * bStride + LANES);
            int at = a0 + t * aColumn;
            var x0 = FloatVector.broadcast(F, a[at]);
            c00 = b0.fma(x0, c00);
            c01 = b1.fma(x0, c01);
            var x1 = FloatVector.broadcast(F, a[at + aRow]);
            c10 = b0.fma(x1, c10);
            c11 = b1.fma(x1, c11);
            var x2 = FloatVector.broadcast(F, a[at + 2 * aRow]);
            c20 = b0.fma(x2, c20);
            c21 = b1.fma(x2, c21);
            var x3 = FloatVector.broadcast(F, a[at + 3 * aRow]);
            c30 = b0.fma(x3, c30);
            c31 = b1.fma(x3, c31);
        }
        c00.intoArray(c, cAt);
        c01.intoArray(c, cAt + LANES);
        c10.intoArray(c, cAt + cs);
        c11.intoArray(c, cAt + cs + LANES);
        c20.intoArray(c, cAt + 2 * cs);
        c21.intoArray(c, cAt + 2 * cs + LANES);
        c30.intoArray(c, cAt + 3 * cs);
        c31.intoArray(c, cAt + 3 * cs + LANES);
    }

    private static void oneByOne(
            int k, float[] a, int a0, int aColumn, float[] b, int bAt, int bStride, float[] c, int cAt) {
        var sum = FloatVector.fromArray(F, c, cAt);
        for (int t = 0; t < k; t++) {
            sum = FloatVector.fromArray(F, b, bAt + t * bStride)
                    .fma(FloatVector.broadcast(F, a[a0 + t * aColumn]), sum);
        }
        sum.intoArray(c, cAt);
    }
}
