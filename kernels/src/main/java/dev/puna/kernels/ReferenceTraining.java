package dev.puna.kernels;

import static dev.puna.tensor.Tensor.F32_LE;
import static dev.puna.tensor.Tensor.F64_LE;

import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;

/**
 * The truth for training: each operation as its formula reads, in double precision from start to end, rounded once when
 * it is stored. Tensors may be F64 here, so that finite differences can hold the formulas to many digits.
 */
final class ReferenceTraining {
    /** Elements whose squares are added up by themselves before the sums are added in order. */
    static final int NORM_BLOCK = 1 << 16;

    private final ThreadTeam threads;

    ReferenceTraining(ThreadTeam threads) {
        this.threads = threads;
    }

    static double get(Tensor tensor, long i) {
        return tensor.dtype() == DType.F64
                ? tensor.data().get(F64_LE, i * Double.BYTES)
                : tensor.data().get(F32_LE, i * Float.BYTES);
    }

    static void set(Tensor tensor, long i, double value) {
        if (tensor.dtype() == DType.F64) {
            tensor.data().set(F64_LE, i * Double.BYTES, value);
        } else {
            tensor.data().set(F32_LE, i * Float.BYTES, (float) value);
        }
    }

    private static void add(Tensor tensor, long i, double value) {
        set(tensor, i, get(tensor, i) + value);
    }

    /** Rounded to bf16, to nearest even, if the precision says so. */
    static float factor(float value, ComputePrecision precision) {
        return switch (precision) {
            case F32 -> value;
            case BF16 -> {
                int bits = Float.floatToRawIntBits(value);
                yield Float.isNaN(value)
                        ? value
                        : Float.intBitsToFloat((bits + 0x7FFF + ((bits >>> 16) & 1)) & 0xFFFF0000);
            }
        };
    }

    private static double[] factors(Tensor tensor, ComputePrecision precision) {
        double[] values = new double[Math.toIntExact(tensor.shape().elementCount())];
        for (int i = 0; i < values.length; i++) {
            double value = get(tensor, i);
            values[i] = precision == ComputePrecision.BF16 ? factor((float) value, precision) : value;
        }
        return values;
    }

    void matmul(Tensor y, Tensor x, Tensor w, ComputePrecision precision) {
        TrainingArguments.matmul("matmul", y, x, w);
        double[] xs = factors(x, precision);
        double[] ws = factors(w, precision);
        int in = Math.toIntExact(x.columns());
        int out = Math.toIntExact(y.columns());
        threads.forRange(y.rows(), 1, (from, to) -> {
            for (long n = from; n < to; n++) {
                for (int o = 0; o < out; o++) {
                    double sum = 0;
                    for (int i = 0; i < in; i++) {
                        sum += xs[(int) n * in + i] * ws[o * in + i];
                    }
                    set(y, n * out + o, sum);
                }
            }
        });
    }

    void matmulBackwardInput(Tensor dx, Tensor dy, Tensor w, boolean accumulate, ComputePrecision precision) {
        TrainingArguments.matmul("matmulBackwardInput", dy, dx, w);
        double[] dys = factors(dy, precision);
        double[] ws = factors(w, precision);
        int in = Math.toIntExact(dx.columns());
        int out = Math.toIntExact(dy.columns());
        threads.forRange(dx.rows(), 1, (from, to) -> {
            for (long n = from; n < to; n++) {
                for (int i = 0; i < in; i++) {
                    double sum = accumulate ? get(dx, n * in + i) : 0;
                    for (int o = 0; o < out; o++) {
                        sum += dys[(int) n * out + o] * ws[o * in + i];
                    }
                    set(dx, n * in + i, sum);
                }
            }
        });
    }

    void matmulBackwardWeight(Tensor dw, Tensor dy, Tensor x, ComputePrecision precision) {
        TrainingArguments.matmul("matmulBackwardWeight", dy, x, dw);
        double[] dys = factors(dy, precision);
        double[] xs = factors(x, precision);
        int in = Math.toIntExact(x.columns());
        int out = Math.toIntExact(dy.columns());
        int rows = Math.toIntExact(x.rows());
        threads.forRange(out, 1, (from, to) -> {
            for (long o = from; o < to; o++) {
                for (int i = 0; i < in; i++) {
                    double sum = get(dw, o * in + i);
                    for (int n = 0; n < rows; n++) {
                        sum += dys[n * out + (int) o] * xs[n * in + i];
                    }
                    set(dw, o * in + i, sum);
                }
            }
        });
    }

    void embeddingBackward(Tensor dtable, Tensor dy, int[] ids) {
        TrainingArguments.embeddingBackward(dtable, dy, ids);
        long width = dy.columns();
        threads.forRange(width, 16, (from, to) -> {
            for (int row = 0; row < ids.length; row++) {
                for (long c = from; c < to; c++) {
                    add(dtable, ids[row] * width + c, get(dy, row * width + c));
                }
            }
        });
    }

    void rmsNormBackward(Tensor dx, Tensor dweight, Tensor dy, Tensor x, Tensor weight, float epsilon) {
        TrainingArguments.rmsNormBackward(dx, dweight, dy, x, weight);
        int rows = Math.toIntExact(x.rows());
        int width = Math.toIntExact(x.columns());
        double[] factors = new double[rows];
        threads.forRange(rows, 1, (from, to) -> {
            for (long row = from; row < to; row++) {
                double squares = 0;
                double products = 0;
                for (long i = row * width; i < (row + 1) * width; i++) {
                    squares += get(x, i) * get(x, i);
                    products += get(dy, i) * get(weight, i - row * width) * get(x, i);
                }
                double s = 1 / Math.sqrt(squares / width + epsilon);
                factors[(int) row] = s;
                for (long i = row * width; i < (row + 1) * width; i++) {
                    double g = get(dy, i) * get(weight, i - row * width);
                    add(dx, i, s * (g - get(x, i) * s * s * products / width));
                }
            }
        });
        threads.forRange(width, 16, (from, to) -> {
            for (long c = from; c < to; c++) {
                double sum = 0;
                for (int row = 0; row < rows; row++) {
                    sum += get(dy, (long) row * width + c) * get(x, (long) row * width + c) * factors[row];
                }
                add(dweight, c, sum);
            }
        });
    }

    void ropeBackward(Tensor dx, Tensor dy, RopeTable table, RopePairing pairing, int[] positions) {
        TrainingArguments.ropeBackward(dx, dy, table, pairing, positions);
        int size = table.headSize();
        int half = size / 2;
        long width = dy.columns();
        threads.forRange(dy.rows(), 1, (from, to) -> {
            for (long row = from; row < to; row++) {
                long angles = (long) positions[(int) row] * half;
                for (long head = row * width; head < (row + 1) * width; head += size) {
                    for (int i = 0; i < half; i++) {
                        double a = get(dy, head + i);
                        double b = get(dy, head + half + i);
                        double cos = get(table.cos(), angles + i);
                        double sin = get(table.sin(), angles + i);
                        boolean halves = pairing == RopePairing.HALVES;
                        set(dx, head + (halves ? i : 2L * i), a * cos + b * sin);
                        set(dx, head + (halves ? i + half : 2L * i + 1), b * cos - a * sin);
                    }
                }
            }
        });
    }

    private static double dot(Tensor a, long at, Tensor b, long bt, int count) {
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += get(a, at + i) * get(b, bt + i);
        }
        return sum;
    }

    void attention(Tensor y, Tensor lse, Tensor q, Tensor k, Tensor v, int headSize, int[] firstVisible, float scale) {
        TrainingArguments.attention("attention", y, lse, q, k, v, headSize, firstVisible);
        int heads = Math.toIntExact(q.columns() / headSize);
        int group = heads / Math.toIntExact(k.columns() / headSize);
        threads.forRange(q.rows() * heads, 1, (from, to) -> {
            for (long unit = from; unit < to; unit++) {
                int row = (int) (unit / heads);
                int head = (int) (unit % heads);
                int first = firstVisible[row];
                long qAt = (long) row * q.columns() + (long) head * headSize;
                long kvHead = (long) (head / group) * headSize;
                double[] p = new double[row - first + 1];
                double max = Double.NEGATIVE_INFINITY;
                for (int t = first; t <= row; t++) {
                    p[t - first] = scale * dot(q, qAt, k, t * k.columns() + kvHead, headSize);
                    max = Math.max(max, p[t - first]);
                }
                double sum = 0;
                for (int t = 0; t < p.length; t++) {
                    p[t] = Math.exp(p[t] - max);
                    sum += p[t];
                }
                for (int d = 0; d < headSize; d++) {
                    double value = 0;
                    for (int t = first; t <= row; t++) {
                        value += p[t - first] * get(v, t * v.columns() + kvHead + d);
                    }
                    set(y, qAt + d, value / sum);
                }
                set(lse, unit, max + Math.log(sum));
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
            Tensor lse,
            int headSize,
            int[] firstVisible,
            float scale) {
        TrainingArguments.attention("attentionBackward", y, lse, q, k, v, headSize, firstVisible);
        TrainingArguments.sameShape("attentionBackward", "dq", dq, "q", q);
        TrainingArguments.sameShape("attentionBackward", "dk", dk, "k", k);
        TrainingArguments.sameShape("attentionBackward", "dv", dv, "v", v);
        TrainingArguments.sameShape("attentionBackward", "dy", dy, "y", y);
        int heads = Math.toIntExact(q.columns() / headSize);
        int kvHeads = Math.toIntExact(k.columns() / headSize);
        int group = heads / kvHeads;
        int rows = Math.toIntExact(q.rows());
        threads.forRange(kvHeads, 1, (from, to) -> {
            for (long kvHead = from; kvHead < to; kvHead++) {
                double[] dks = new double[rows * headSize];
                double[] dvs = new double[rows * headSize];
                for (long head = kvHead * group; head < (kvHead + 1) * group; head++) {
                    for (int row = 0; row < rows; row++) {
                        long at = row * q.columns() + head * headSize;
                        double whole = dot(dy, at, y, at, headSize);
                        double[] dqs = new double[headSize];
                        for (int t = firstVisible[row]; t <= row; t++) {
                            long kvAt = t * k.columns() + kvHead * headSize;
                            double p = Math.exp(
                                    scale * dot(q, at, k, kvAt, headSize) - get(lse, (long) row * heads + head));
                            double ds = scale * p * (dot(dy, at, v, kvAt, headSize) - whole);
                            for (int d = 0; d < headSize; d++) {
                                dvs[t * headSize + d] += p * get(dy, at + d);
                                dqs[d] += ds * get(k, kvAt + d);
                                dks[t * headSize + d] += ds * get(q, at + d);
                            }
                        }
                        for (int d = 0; d < headSize; d++) {
                            set(dq, at + d, dqs[d]);
                        }
                    }
                }
                for (int row = 0; row < rows; row++) {
                    for (int d = 0; d < headSize; d++) {
                        set(dk, row * k.columns() + kvHead * headSize + d, dks[row * headSize + d]);
                        set(dv, row * k.columns() + kvHead * headSize + d, dvs[row * headSize + d]);
                    }
                }
            }
        });
    }

    void swiGluBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up) {
        TrainingArguments.swiGluBackward(dgate, dup, dy, gate, up);
        threads.forRange(dy.shape().elementCount(), 1024, (from, to) -> {
            for (long i = from; i < to; i++) {
                double d = get(dy, i);
                double g = get(gate, i);
                double sigma = 1 / (1 + Math.exp(-g));
                set(dup, i, d * g * sigma);
                set(dgate, i, d * get(up, i) * sigma * (1 + g * (1 - sigma)));
            }
        });
    }

    void crossEntropy(Tensor losses, Tensor lse, Tensor logits, int[] targets, float scale, float zLoss) {
        TrainingArguments.crossEntropy(losses, lse, logits, targets);
        long width = logits.columns();
        threads.forRange(logits.rows(), 1, (from, to) -> {
            for (long row = from; row < to; row++) {
                int target = targets[(int) row];
                if (target == Kernels.IGNORED) {
                    set(losses, row, 0);
                    set(lse, row, 0);
                    for (long i = row * width; i < (row + 1) * width; i++) {
                        set(logits, i, 0);
                    }
                    continue;
                }
                double max = Double.NEGATIVE_INFINITY;
                for (long i = row * width; i < (row + 1) * width; i++) {
                    max = Math.max(max, get(logits, i));
                }
                double sum = 0;
                for (long i = row * width; i < (row + 1) * width; i++) {
                    sum += Math.exp(get(logits, i) - max);
                }
                double total = max + Math.log(sum);
                set(losses, row, total - get(logits, row * width + target));
                set(lse, row, total);
                for (long i = row * width; i < (row + 1) * width; i++) {
                    double p = Math.exp(get(logits, i) - total);
                    double hit = i - row * width == target ? 1 : 0;
                    set(logits, i, scale * (p - hit + 2 * zLoss * total * p));
                }
            }
        });
    }

    void adamW(Tensor w, Tensor m, Tensor v, Tensor gradient, AdamWStep step) {
        TrainingArguments.adamW(w, m, v, gradient);
        threads.forRange(w.shape().elementCount(), 4096, (from, to) -> {
            double correction1 = 1 - Math.pow(step.beta1(), (double) step.step());
            double correction2 = Math.sqrt(1 - Math.pow(step.beta2(), (double) step.step()));
            for (long i = from; i < to; i++) {
                double g = get(gradient, i) * step.gradientScale();
                double first = step.beta1() * get(m, i) + (1 - step.beta1()) * g;
                double second = step.beta2() * get(v, i) + (1 - step.beta2()) * g * g;
                set(m, i, first);
                set(v, i, second);
                double denominator = Math.sqrt(second) / correction2 + step.epsilon();
                set(
                        w,
                        i,
                        get(w, i) * (1 - step.lr() * step.weightDecay())
                                - step.lr() / correction1 * first / denominator);
            }
        });
    }

    double squaredNorm(Tensor x) {
        long count = x.shape().elementCount();
        double[] sums = new double[Math.toIntExact((count + NORM_BLOCK - 1) / NORM_BLOCK)];
        threads.forRange(sums.length, 1, (from, to) -> {
            for (int block = (int) from; block < to; block++) {
                double sum = 0;
                long end = Math.min(count, (block + 1L) * NORM_BLOCK);
                for (long i = (long) block * NORM_BLOCK; i < end; i++) {
                    sum += get(x, i) * get(x, i);
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
