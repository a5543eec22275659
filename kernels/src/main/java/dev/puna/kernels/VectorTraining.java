package dev.puna.kernels;

import static dev.puna.tensor.Tensor.F32_LE;

import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Training on the JDK's Vector API. The three forms of the matrix product are one: the backward ones are
 * {@code dx = dy · (wᵀ)ᵀ} and {@code dw = dyᵀ · (xᵀ)ᵀ}, so factors are transposed (and rounded to bf16 where wanted) on
 * their way into scratch and the forward product does the rest. Every sum has an order that depends on shapes only.
 */
final class VectorTraining implements AutoCloseable {
    private static final VectorSpecies<Float> F = VectorLanes.SPECIES;
    private static final int LANES = VectorLanes.LANES;
    private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;

    /** Side of the squares in which a matrix is transposed. */
    private static final int SQUARE = 16;

    private final Kernels products;
    private final ThreadTeam threads;
    private final VectorAttentionTraining[] attentions;
    private final Slab[] slabs = new Slab[3];

    /** @param products whose forward product is used */
    VectorTraining(Kernels products) {
        this.products = products;
        this.threads = products.threads();
        this.attentions = new VectorAttentionTraining[threads.size()];
        for (int i = 0; i < attentions.length; i++) {
            attentions[i] = new VectorAttentionTraining();
        }
        Arrays.setAll(slabs, i -> new Slab(0));
    }

    @Override
    public void close() {
        for (Slab slab : slabs) {
            slab.close();
        }
    }

    private Tensor scratch(int which, long rows, long columns) {
        long bytes = Slab.bytesFor(DType.F32, rows, columns);
        if (slabs[which].byteSize() < bytes) {
            slabs[which].close();
            slabs[which] = new Slab(bytes);
        }
        return new Tensor(
                slabs[which].whole().asSlice(0, DType.F32.byteSize(rows * columns)),
                DType.F32,
                Shape.of(rows, columns));
    }

    private static FloatVector factor(FloatVector v, boolean round) {
        if (!round) {
            return v;
        }
        var bits = v.reinterpretAsInts();
        var odd = bits.lanewise(jdk.incubator.vector.VectorOperators.LSHR, 16).and(1);
        return bits.add(odd).add(0x7FFF).and(0xFFFF0000).reinterpretAsFloats();
    }

    private Tensor rounded(Tensor x, int which, ComputePrecision precision) {
        if (precision == ComputePrecision.F32) {
            return x;
        }
        Tensor y = scratch(which, x.rows(), x.columns());
        MemorySegment from = x.data();
        MemorySegment to = y.data();
        threads.forRange(x.shape().elementCount(), 1 << 14, (first, end) -> {
            long i = first;
            for (; i <= end - LANES; i += LANES) {
                factor(FloatVector.fromMemorySegment(F, from, 4 * i, LE), true).intoMemorySegment(to, 4 * i, LE);
            }
            for (; i < end; i++) {
                to.set(F32_LE, 4 * i, ReferenceTraining.factor(from.get(F32_LE, 4 * i), precision));
            }
        });
        return y;
    }

    private Tensor transposed(Tensor x, int which, ComputePrecision precision) {
        int rows = Math.toIntExact(x.rows());
        int columns = Math.toIntExact(x.columns());
        Tensor y = scratch(which, columns, rows);
        MemorySegment from = x.data();
        MemorySegment to = y.data();
        threads.forRange(columns, SQUARE, (first, end) -> {
            float[] square = new float[SQUARE * SQUARE];
            for (int c = (int) first; c < end; c += SQUARE) {
                int wide = (int) Math.min(SQUARE, end - c);
                for (int r = 0; r < rows; r += SQUARE) {
                    int high = Math.min(SQUARE, rows - r);
                    for (int i = 0; i < high; i++) {
                        long at = ((long) (r + i) * columns + c) * 4;
                        for (int j = 0; j < wide; j++) {
                            square[j * SQUARE + i] = ReferenceTraining.factor(from.get(F32_LE, at + 4L * j), precision);
                        }
                    }
                    for (int j = 0; j < wide; j++) {
                        MemorySegment.copy(square, j * SQUARE, to, F32_LE, ((long) (c + j) * rows + r) * 4, high);
                    }
                }
            }
        });
        return y;
    }

    void matmul(Tensor y, Tensor x, Tensor w, ComputePrecision precision) {
        TrainingArguments.matmul("matmul", y, x, w);
        products.matmul(y, rounded(x, 0, precision), rounded(w, 1, precision));
    }

    void matmulBackwardInput(Tensor dx, Tensor dy, Tensor w, boolean accumulate, ComputePrecision precision) {
        TrainingArguments.matmul("matmulBackwardInput", dy, dx, w);
        Tensor result = accumulate ? scratch(2, dx.rows(), dx.columns()) : dx;
        products.matmul(result, rounded(dy, 0, precision), transposed(w, 1, precision));
        if (accumulate) {
            products.add(dx, result);
        }
    }

    void matmulBackwardWeight(Tensor dw, Tensor dy, Tensor x, ComputePrecision precision) {
        TrainingArguments.matmul("matmulBackwardWeight", dy, x, dw);
        Tensor result = scratch(2, dw.rows(), dw.columns());
        products.matmul(result, transposed(dy, 0, precision), transposed(x, 1, precision));
        products.add(dw.reshape(dw.rows(), dw.columns()), result);
    }

    void embeddingBackward(Tensor dtable, Tensor dy, int[] ids) {
        TrainingArguments.embeddingBackward(dtable, dy, ids);
        long width = dy.columns();
        MemorySegment to = dtable.data();
        MemorySegment from = dy.data();
        threads.forRange(width, LANES, (first, end) -> {
            for (int row = 0; row < ids.length; row++) {
                long at = ids[row] * width;
                long source = row * width;
                addRange(to, 4 * (at + first), from, 4 * (source + first), (int) (end - first));
            }
        });
    }

    private static void addRange(MemorySegment to, long toAt, MemorySegment from, long fromAt, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector.fromMemorySegment(F, to, toAt + 4L * i, LE)
                    .add(FloatVector.fromMemorySegment(F, from, fromAt + 4L * i, LE))
                    .intoMemorySegment(to, toAt + 4L * i, LE);
        }
        for (; i < count; i++) {
            to.set(F32_LE, toAt + 4L * i, to.get(F32_LE, toAt + 4L * i) + from.get(F32_LE, fromAt + 4L * i));
        }
    }

    void rmsNormBackward(Tensor dx, Tensor dweight, Tensor dy, Tensor x, Tensor weight, float epsilon) {
        TrainingArguments.rmsNormBackward(dx, dweight, dy, x, weight);
        int rows = Math.toIntExact(x.rows());
        int width = Math.toIntExact(x.columns());
        float[] factors = new float[rows];
        float[] gain = weight.toFloats();
        threads.forRange(rows, 8, (from, to) -> {
            float[] xs = new float[width];
            float[] gs = new float[width];
            for (long row = from; row < to; row++) {
                long at = 4 * row * width;
                MemorySegment.copy(x.data(), F32_LE, at, xs, 0, width);
                MemorySegment.copy(dy.data(), F32_LE, at, gs, 0, width);
                double squares = 0;
                double products = 0;
                for (int c = 0; c < width; c++) {
                    gs[c] *= gain[c];
                    squares += (double) xs[c] * xs[c];
                    products += (double) gs[c] * xs[c];
                }
                double s = 1 / Math.sqrt(squares / width + epsilon);
                factors[(int) row] = (float) s;
                float scale = (float) s;
                float back = (float) (s * s * s * products / width);
                for (int c = 0; c < width; c++) {
                    gs[c] = scale * gs[c] - back * xs[c];
                }
                addRange(dx.data(), at, MemorySegment.ofArray(gs), 0, width);
            }
        });
        threads.forRange(width, LANES, (from, to) -> {
            int count = (int) (to - from);
            double[] sums = new double[count];
            float[] xs = new float[count];
            float[] dys = new float[count];
            for (int row = 0; row < rows; row++) {
                long at = 4 * ((long) row * width + from);
                MemorySegment.copy(x.data(), F32_LE, at, xs, 0, count);
                MemorySegment.copy(dy.data(), F32_LE, at, dys, 0, count);
                float factor = factors[row];
                for (int c = 0; c < count; c++) {
                    sums[c] += dys[c] * (xs[c] * factor);
                }
            }
            for (int c = 0; c < count; c++) {
                dweight.setFloat(from + c, (float) (dweight.getFloat(from + c) + sums[c]));
            }
        });
    }

    void ropeBackward(Tensor dx, Tensor dy, RopeTable table, RopePairing pairing, int[] positions) {
        TrainingArguments.ropeBackward(dx, dy, table, pairing, positions);
        int size = table.headSize();
        int half = size / 2;
        int width = Math.toIntExact(dy.columns());
        int step = pairing == RopePairing.HALVES ? 1 : 2;
        int second = pairing == RopePairing.HALVES ? half : 1;
        threads.forRange(dy.rows(), 8, (from, to) -> {
            float[] in = new float[width];
            float[] out = new float[width];
            float[] cos = new float[half];
            float[] sin = new float[half];
            for (long row = from; row < to; row++) {
                long angles = (long) positions[(int) row] * half * Float.BYTES;
                MemorySegment.copy(dy.data(), F32_LE, row * width * 4L, in, 0, width);
                MemorySegment.copy(table.cos().data(), F32_LE, angles, cos, 0, half);
                MemorySegment.copy(table.sin().data(), F32_LE, angles, sin, 0, half);
                for (int head = 0; head < width; head += size) {
                    for (int i = 0; i < half; i++) {
                        float a = in[head + i];
                        float b = in[head + half + i];
                        out[head + step * i] = a * cos[i] + b * sin[i];
                        out[head + second + step * i] = b * cos[i] - a * sin[i];
                    }
                }
                MemorySegment.copy(out, 0, dx.data(), F32_LE, row * width * 4L, width);
            }
        });
    }

    void attention(
            Tensor y, Tensor logSumExp, Tensor q, Tensor k, Tensor v, int headSize, int[] firstVisible, float scale) {
        TrainingArguments.attention("attention", y, logSumExp, q, k, v, headSize, firstVisible);
        int kvHeads = Math.toIntExact(k.columns() / headSize);
        int[] segments = segments(firstVisible);
        long work = (long) kvHeads * (segments.length - 1);
        threads.run((member, size) -> {
            for (long unit = member; unit < work; unit += size) {
                int segment = (int) (unit / kvHeads);
                attentions[member].forward(
                        y,
                        logSumExp,
                        q,
                        k,
                        v,
                        headSize,
                        segments[segment],
                        segments[segment + 1],
                        firstVisible,
                        (int) (unit % kvHeads),
                        scale);
            }
        });
    }

    void attentionBackward(
            Tensor dq,
            Tensor dk,
            Tensor dv,
            Tensor dy,
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor y,
            Tensor logSumExp,
            int headSize,
            int[] firstVisible,
            float scale) {
        TrainingArguments.attention("attentionBackward", y, logSumExp, q, k, v, headSize, firstVisible);
        TrainingArguments.sameShape("attentionBackward", "dq", dq, "q", q);
        TrainingArguments.sameShape("attentionBackward", "dk", dk, "k", k);
        TrainingArguments.sameShape("attentionBackward", "dv", dv, "v", v);
        TrainingArguments.sameShape("attentionBackward", "dy", dy, "y", y);
        int kvHeads = Math.toIntExact(k.columns() / headSize);
        int[] segments = segments(firstVisible);
        long work = (long) kvHeads * (segments.length - 1);
        threads.run((member, size) -> {
            for (long unit = member; unit < work; unit += size) {
                int segment = (int) (unit / kvHeads);
                attentions[member].backward(
                        dq,
                        dk,
                        dv,
                        dy,
                        q,
                        k,
                        v,
                        y,
                        logSumExp,
                        headSize,
                        segments[segment],
                        segments[segment + 1],
                        firstVisible,
                        (int) (unit % kvHeads),
                        scale);
            }
        });
    }

    /** Where rows begin that see nothing before themselves, and the end: between them nothing is shared. */
    private static int[] segments(int[] firstVisible) {
        int[] cuts = new int[firstVisible.length + 1];
        int count = 0;
        for (int row = 0; row < firstVisible.length; row++) {
            if (firstVisible[row] == row) {
                cuts[count++] = row;
            }
        }
        cuts[count] = firstVisible.length;
        return Arrays.copyOf(cuts, count + 1);
    }

    void swiGluBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up) {
        TrainingArguments.swiGluBackward(dgate, dup, dy, gate, up);
        MemorySegment dgates = dgate.data();
        MemorySegment dups = dup.data();
        MemorySegment dys = dy.data();
        MemorySegment gates = gate.data();
        MemorySegment ups = up.data();
        threads.forRange(dy.shape().elementCount(), 1 << 12, (from, to) -> {
            long i = from;
            for (; i <= to - LANES; i += LANES) {
                var g = FloatVector.fromMemorySegment(F, gates, 4 * i, LE);
                var u = FloatVector.fromMemorySegment(F, ups, 4 * i, LE);
                var d = FloatVector.fromMemorySegment(F, dys, 4 * i, LE);
                var one = FloatVector.broadcast(F, 1f);
                var sigma = one.div(VectorLanes.exp(g.neg()).add(1f));
                var dSigma = d.mul(sigma);
                dSigma.mul(g).intoMemorySegment(dups, 4 * i, LE);
                dSigma.mul(u).mul(one.sub(sigma).mul(g).add(1f)).intoMemorySegment(dgates, 4 * i, LE);
            }
            for (; i < to; i++) {
                float g = gates.get(F32_LE, 4 * i);
                float sigma = 1f / (VectorLanes.exp(-g) + 1f);
                float dSigma = dys.get(F32_LE, 4 * i) * sigma;
                float u = ups.get(F32_LE, 4 * i);
                dups.set(F32_LE, 4 * i, dSigma * g);
                dgates.set(F32_LE, 4 * i, dSigma * u * ((1f - sigma) * g + 1f));
            }
        });
    }

    void crossEntropy(Tensor losses, Tensor lse, Tensor logits, int[] targets, float scale, float zLoss) {
        TrainingArguments.crossEntropy(losses, lse, logits, targets);
        int width = Math.toIntExact(logits.columns());
        int padded = VectorLanes.roundUp(width);
        threads.forRange(logits.rows(), 1, (from, to) -> {
            float[] values = new float[padded];
            for (long row = from; row < to; row++) {
                int target = targets[(int) row];
                MemorySegment data = logits.data().asSlice(row * width * 4L, width * 4L);
                if (target == Kernels.IGNORED) {
                    losses.setFloat(row, 0);
                    lse.setFloat(row, 0);
                    data.fill((byte) 0);
                    continue;
                }
                MemorySegment.copy(data, F32_LE, 0, values, 0, width);
                Arrays.fill(values, width, padded, Float.NEGATIVE_INFINITY);
                float hit = values[target];
                var highest = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
                for (int i = 0; i < padded; i += LANES) {
                    highest = highest.max(FloatVector.fromArray(F, values, i));
                }
                float max = highest.reduceLanes(jdk.incubator.vector.VectorOperators.MAX);
                double sum = 0;
                for (int block = 0; block < padded; block += 64 * LANES) {
                    var part = FloatVector.zero(F);
                    for (int i = block; i < Math.min(padded, block + 64 * LANES); i += LANES) {
                        var p = VectorLanes.exp(
                                FloatVector.fromArray(F, values, i).sub(max));
                        p.intoArray(values, i);
                        part = part.add(p);
                    }
                    sum += VectorLanes.sum(part);
                }
                double total = max + Math.log(sum);
                losses.setFloat(row, (float) (total - hit));
                lse.setFloat(row, (float) total);
                float factor = (float) (scale * (1 + 2 * zLoss * total) / sum);
                for (int i = 0; i < padded; i += LANES) {
                    FloatVector.fromArray(F, values, i).mul(factor).intoArray(values, i);
                }
                values[target] -= scale;
                MemorySegment.copy(values, 0, data, F32_LE, 0, width);
            }
        });
    }

    void adamW(Tensor w, Tensor m, Tensor v, Tensor gradient, AdamWStep step) {
        TrainingArguments.adamW(w, m, v, gradient);
        MemorySegment ws = w.data();
        MemorySegment ms = m.data();
        MemorySegment vs = v.data();
        MemorySegment gs = gradient.data();
        float beta1 = (float) step.beta1();
        float beta2 = (float) step.beta2();
        float rest1 = (float) (1 - step.beta1());
        float rest2 = (float) (1 - step.beta2());
        float scale = (float) step.gradientScale();
        float shrink = step.shrink();
        float size = step.stepSize();
        float correction = step.secondMomentCorrection();
        float epsilon = (float) step.epsilon();
        threads.forRange(w.shape().elementCount(), 1 << 12, (from, to) -> {
            long i = from;
            for (; i <= to - LANES; i += LANES) {
                var g = FloatVector.fromMemorySegment(F, gs, 4 * i, LE).mul(scale);
                var first = FloatVector.fromMemorySegment(F, ms, 4 * i, LE)
                        .mul(beta1)
                        .add(g.mul(rest1));
                var second = FloatVector.fromMemorySegment(F, vs, 4 * i, LE)
                        .mul(beta2)
                        .add(g.mul(g).mul(rest2));
                first.intoMemorySegment(ms, 4 * i, LE);
                second.intoMemorySegment(vs, 4 * i, LE);
                var denominator = second.sqrt().mul(correction).add(epsilon);
                FloatVector.fromMemorySegment(F, ws, 4 * i, LE)
                        .mul(shrink)
                        .sub(first.mul(size).div(denominator))
                        .intoMemorySegment(ws, 4 * i, LE);
            }
            for (; i < to; i++) {
                float g = gs.get(F32_LE, 4 * i) * scale;
                float first = ms.get(F32_LE, 4 * i) * beta1 + g * rest1;
                float second = vs.get(F32_LE, 4 * i) * beta2 + g * g * rest2;
                ms.set(F32_LE, 4 * i, first);
                vs.set(F32_LE, 4 * i, second);
                float denominator = (float) Math.sqrt(second) * correction + epsilon;
                ws.set(F32_LE, 4 * i, ws.get(F32_LE, 4 * i) * shrink - first * size / denominator);
            }
        });
    }

    double squaredNorm(Tensor x) {
        long count = x.shape().elementCount();
        double[] sums =
                new double[Math.toIntExact((count + ReferenceTraining.NORM_BLOCK - 1) / ReferenceTraining.NORM_BLOCK)];
        MemorySegment data = x.data();
        threads.forRange(sums.length, 1, (from, to) -> {
            for (int block = (int) from; block < to; block++) {
                long i = (long) block * ReferenceTraining.NORM_BLOCK;
                long end = Math.min(count, i + ReferenceTraining.NORM_BLOCK);
                double sum = 0;
                while (i <= end - LANES) {
                    var part = FloatVector.zero(F);
                    for (int n = 0; n < 64 && i <= end - LANES; n++, i += LANES) {
                        var v = FloatVector.fromMemorySegment(F, data, 4 * i, LE);
                        part = v.fma(v, part);
                    }
                    sum += VectorLanes.sum(part);
                }
                for (; i < end; i++) {
                    double v = data.get(F32_LE, 4 * i);
                    sum += v * v;
                }
                sums[block] = sum;
            }
        });
        double total = 0;
        for (double sum : sums) {
            total += sum;
        }
        return total;
    }
}
