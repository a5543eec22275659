package dev.puna.kernels.bench;

import dev.puna.kernels.AdamWStep;
import dev.puna.kernels.AttentionSpan;
import dev.puna.kernels.ComputePrecision;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.KvView;
import dev.puna.kernels.RopePairing;
import dev.puna.kernels.RopeTable;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleSupplier;

/** Other kernels with a clock: how long each operation took, products by the shape of their weights. */
public class TimedKernels implements Kernels {
    /**
     * What one operation took since the clock was last cleared.
     *
     * @param operation its name, for products with the shape of the weights
     * @param calls how often
     * @param seconds in all
     * @param flops multiplications and additions in all, 0 where nobody counts them
     */
    public record Time(String operation, long calls, double seconds, double flops) {}

    private static final class Sum {
        long calls;
        long nanos;
        double flops;
    }

    private final Kernels kernels;
    private final Map<String, Sum> sums = new LinkedHashMap<>();

    /** @param kernels that do the work; closed with this */
    public TimedKernels(Kernels kernels) {
        this.kernels = kernels;
    }

    /** The longest first. */
    public List<Time> times() {
        List<Time> times = new ArrayList<>();
        sums.forEach((name, sum) -> times.add(new Time(name, sum.calls, sum.nanos / 1e9, sum.flops)));
        times.sort(Comparator.comparingDouble(Time::seconds).reversed());
        return times;
    }

    /** The times of several clocks, the same operation's added up; the longest first. */
    public static List<Time> together(List<TimedKernels> clocks) {
        Map<String, Time> sums = new LinkedHashMap<>();
        for (TimedKernels clock : clocks) {
            for (Time time : clock.times()) {
                sums.merge(
                        time.operation(),
                        time,
                        (a, b) -> new Time(
                                a.operation(),
                                a.calls() + b.calls(),
                                a.seconds() + b.seconds(),
                                a.flops() + b.flops()));
            }
        }
        List<Time> times = new ArrayList<>(sums.values());
        times.sort(Comparator.comparingDouble(Time::seconds).reversed());
        return times;
    }

    /** Forgets everything so far. */
    public void clear() {
        sums.clear();
    }

    /** Runs something that is no kernel under a name of its own. */
    public void time(String operation, Runnable work) {
        time(operation, 0, work);
    }

    private void time(String operation, double flops, Runnable work) {
        time(operation, flops, () -> {
            work.run();
            return 0;
        });
    }

    private double time(String operation, double flops, DoubleSupplier work) {
        long began = System.nanoTime();
        double result = work.getAsDouble();
        Sum sum = sums.computeIfAbsent(operation, _ -> new Sum());
        sum.nanos += System.nanoTime() - began;
        sum.calls++;
        sum.flops += flops;
        return result;
    }

    private void product(String name, Tensor y, Tensor w, Runnable work) {
        double flops = 2.0 * y.rows() * w.rows() * w.columns();
        time(name + " " + w.rows() + "×" + w.columns(), flops, work);
    }

    @Override
    public String tier() {
        return kernels.tier();
    }

    @Override
    public ThreadTeam threads() {
        return kernels.threads();
    }

    @Override
    public void matmul(Tensor y, Tensor x, Tensor w) {
        product("matmul", y, w, () -> kernels.matmul(y, x, w));
    }

    @Override
    public void matmul(List<Tensor> y, Tensor x, List<Tensor> w) {
        time("matmul, several", () -> kernels.matmul(y, x, w));
    }

    @Override
    public void matmul(Tensor y, Tensor x, Tensor w, ComputePrecision precision) {
        product("matmul", y, w, () -> kernels.matmul(y, x, w, precision));
    }

    @Override
    public void matmulBackwardInput(Tensor dx, Tensor dy, Tensor w, boolean accumulate, ComputePrecision precision) {
        product("matmul dx", dx, w, () -> kernels.matmulBackwardInput(dx, dy, w, accumulate, precision));
    }

    @Override
    public void keepWeights(Tensor w, ComputePrecision precision) {
        kernels.keepWeights(w, precision);
    }

    @Override
    public void forgetWeights() {
        kernels.forgetWeights();
    }

    @Override
    public void matmulBackwardWeight(Tensor dw, Tensor dy, Tensor x, ComputePrecision precision) {
        product("matmul dw", dy, dw, () -> kernels.matmulBackwardWeight(dw, dy, x, precision));
    }

    @Override
    public void addBias(Tensor y, Tensor bias) {
        time("addBias", () -> kernels.addBias(y, bias));
    }

    @Override
    public void add(Tensor y, Tensor x) {
        time("add", () -> kernels.add(y, x));
    }

    @Override
    public void embedding(Tensor y, Tensor table, int[] ids) {
        time("embedding", () -> kernels.embedding(y, table, ids));
    }

    @Override
    public void embeddingBackward(Tensor dtable, Tensor dy, int[] ids) {
        time("embeddingBackward", () -> kernels.embeddingBackward(dtable, dy, ids));
    }

    @Override
    public void rmsNorm(Tensor y, Tensor x, Tensor weight, float epsilon) {
        time("rmsNorm", () -> kernels.rmsNorm(y, x, weight, epsilon));
    }

    @Override
    public void rmsNormBackward(Tensor dx, Tensor dweight, Tensor dy, Tensor x, Tensor weight, float epsilon) {
        time("rmsNormBackward", () -> kernels.rmsNormBackward(dx, dweight, dy, x, weight, epsilon));
    }

    @Override
    public void rope(Tensor y, Tensor x, RopeTable table, RopePairing pairing, int[] positions) {
        time("rope", () -> kernels.rope(y, x, table, pairing, positions));
    }

    @Override
    public void ropeBackward(Tensor dx, Tensor dy, RopeTable table, RopePairing pairing, int[] positions) {
        time("ropeBackward", () -> kernels.ropeBackward(dx, dy, table, pairing, positions));
    }

    @Override
    public void storeKv(KvView cache, int firstPosition, Tensor k, Tensor v) {
        time("storeKv", () -> kernels.storeKv(cache, firstPosition, k, v));
    }

    @Override
    public void attention(Tensor y, Tensor q, List<AttentionSpan> spans, float scale) {
        time("attention", () -> kernels.attention(y, q, spans, scale));
    }

    @Override
    public void attention(
            Tensor y,
            Tensor logSumExp,
            Tensor q,
            Tensor k,
            Tensor v,
            int headSize,
            int[] firstVisible,
            float scale,
            ComputePrecision precision) {
        time(
                "attention",
                attentionFlops(q, firstVisible),
                () -> kernels.attention(y, logSumExp, q, k, v, headSize, firstVisible, scale, precision));
    }

    @Override
    public void attentionBackward(
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
            float scale,
            ComputePrecision precision) {
        time(
                "attentionBackward",
                2.5 * attentionFlops(q, firstVisible),
                () -> kernels.attentionBackward(
                        dq, dk, dv, dy, q, k, v, y, logSumExp, headSize, firstVisible, scale, precision));
    }

    /** Scores and values of the visible half. */
    private static double attentionFlops(Tensor q, int[] firstVisible) {
        double visible = 0;
        for (int row = 0; row < firstVisible.length; row++) {
            visible += row - firstVisible[row] + 1;
        }
        return 4 * visible * q.columns();
    }

    @Override
    public void swiGlu(Tensor y, Tensor gate, Tensor up) {
        time("swiGlu", () -> kernels.swiGlu(y, gate, up));
    }

    @Override
    public void swiGluBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up) {
        time("swiGluBackward", () -> kernels.swiGluBackward(dgate, dup, dy, gate, up));
    }

    @Override
    public void crossEntropy(Tensor losses, Tensor logSumExp, Tensor logits, int[] targets, float scale, float zLoss) {
        time("crossEntropy", () -> kernels.crossEntropy(losses, logSumExp, logits, targets, scale, zLoss));
    }

    @Override
    public void adamW(Tensor w, Tensor m, Tensor v, Tensor gradient, AdamWStep step) {
        time("adamW", () -> kernels.adamW(w, m, v, gradient, step));
    }

    @Override
    public double squaredNorm(Tensor x) {
        return time("squaredNorm", 0, () -> kernels.squaredNorm(x));
    }

    @Override
    public void dequantize(Tensor y, Tensor x) {
        time("dequantize", () -> kernels.dequantize(y, x));
    }

    @Override
    public void quantize(Tensor y, Tensor x) {
        time("quantize", () -> kernels.quantize(y, x));
    }

    @Override
    public void close() {
        kernels.close();
    }
}
