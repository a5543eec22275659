package dev.puna.kernels.x86;

import dev.puna.assembler.Feature;
import dev.puna.assembler.Processor;
import dev.puna.kernels.AdamWStep;
import dev.puna.kernels.AttentionSpan;
import dev.puna.kernels.ComputePrecision;
import dev.puna.kernels.KernelArguments;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.KvView;
import dev.puna.kernels.RopePairing;
import dev.puna.kernels.RopeTable;
import dev.puna.kernels.TrainingArguments;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** The tier of AVX-512 code that is assembled for this processor when it is first needed. */
final class X86Kernels implements Kernels {
    private final Kernels fallback;
    private final Arena arena = Arena.ofShared();
    private final QuantizedMatmul quantized;
    private final FloatMatmul floats;
    private final RowOperations rowOperations;
    private final TrainingOperations trainingOperations;
    private final Attention attention;
    private final AttentionGradient gradient;

    X86Kernels(Kernels fallback, Processor processor) {
        this.fallback = fallback;
        ThreadTeam threads = fallback.threads();
        ArgumentBlock[] arguments = new ArgumentBlock[threads.size()];
        for (int i = 0; i < arguments.length; i++) {
            arguments[i] = new ArgumentBlock(arena);
        }
        CodeCache codes = new CodeCache(arena);
        Workers workers = new Workers(threads, arguments);
        this.rowOperations = new RowOperations(workers, codes, 64);
        this.trainingOperations = new TrainingOperations(workers, codes);
        Gemm gemm = new Gemm(workers, codes, processor);
        this.floats = new FloatMatmul(workers, codes, gemm);
        this.attention = new Attention(workers, codes, rowOperations, gemm.unit(ComputePrecision.BF16));
        this.gradient = new AttentionGradient(workers, attention);
        Set<Feature> tiles = Set.of(Feature.AMXTILE, Feature.AMXINT8);
        boolean amx = processor.supports(tiles) && processor.requestTiles().isEmpty();
        long panelBudget = Math.max(processor.cacheBytes(2), 512 << 10) / 2;
        this.quantized = new QuantizedMatmul(threads, codes, arguments, panelBudget, amx);
    }

    @Override
    public String tier() {
        return "x86";
    }

    @Override
    public ThreadTeam threads() {
        return fallback.threads();
    }

    @Override
    public void matmul(Tensor y, Tensor x, Tensor w) {
        matmul(List.of(y), x, List.of(w));
    }

    @Override
    public void matmul(List<Tensor> ys, Tensor x, List<Tensor> ws) {
        KernelArguments.matmul(ys, x, ws);
        if (x.rows() == 0) {
            return;
        }
        try (Borrowed borrowed = new Borrowed()) {
            Tensor nativeX = borrowed.input(x);
            List<Tensor> quantizedYs = new ArrayList<>(ys.size());
            List<Tensor> quantizedWs = new ArrayList<>(ws.size());
            for (int i = 0; i < ws.size(); i++) {
                if (ws.get(i).dtype().isQuantized() && x.columns() > 0) {
                    quantizedYs.add(borrowed.output(ys.get(i)));
                    quantizedWs.add(borrowed.input(ws.get(i)));
                } else if (FloatMatmul.serves(ws.get(i).dtype())) {
                    floats.multiply(
                            borrowed.output(ys.get(i)), nativeX, borrowed.input(ws.get(i)), ComputePrecision.F32);
                } else {
                    fallback.matmul(ys.get(i), x, ws.get(i));
                }
            }
            quantized.multiply(quantizedYs, nativeX, quantizedWs);
        }
    }

    @Override
    public void addBias(Tensor y, Tensor bias) {
        KernelArguments.addBias(y, bias);
        rowOperations.addBias(y, bias);
    }

    @Override
    public void add(Tensor y, Tensor x) {
        KernelArguments.add(y, x);
        rowOperations.add(y, x);
    }

    @Override
    public void embedding(Tensor y, Tensor table, int[] ids) {
        KernelArguments.embedding(y, table, ids);
        rowOperations.embedding(y, table, ids);
    }

    @Override
    public void rmsNorm(Tensor y, Tensor x, Tensor weight, float epsilon) {
        KernelArguments.rmsNorm(y, x, weight);
        rowOperations.rmsNorm(y, x, weight, epsilon);
    }

    @Override
    public void rope(Tensor y, Tensor x, RopeTable table, RopePairing pairing, int[] positions) {
        KernelArguments.rope(y, x, table, pairing, positions);
        rowOperations.rope(y, x, table, pairing, positions);
    }

    @Override
    public void storeKv(KvView cache, int firstPosition, Tensor k, Tensor v) {
        KernelArguments.storeKv(cache, firstPosition, k, v);
        rowOperations.storeKv(cache, firstPosition, k, v);
    }

    @Override
    public void attention(Tensor y, Tensor q, List<AttentionSpan> spans, float scale) {
        KernelArguments.attention(y, q, spans);
        attention.attend(y, q, spans, scale);
    }

    @Override
    public void swiGlu(Tensor y, Tensor gate, Tensor up) {
        KernelArguments.swiGlu(y, gate, up);
        rowOperations.swiGlu(y, gate, up);
    }

    @Override
    public void dequantize(Tensor y, Tensor x) {
        fallback.dequantize(y, x);
    }

    @Override
    public void quantize(Tensor y, Tensor x) {
        fallback.quantize(y, x);
    }

    // ---- training

    @Override
    public void matmul(Tensor y, Tensor x, Tensor w, ComputePrecision precision) {
        TrainingArguments.matmul("matmul", y, x, w);
        try (Borrowed borrowed = new Borrowed()) {
            floats.multiply(borrowed.output(y), borrowed.input(x), borrowed.input(w), precision);
        }
    }

    @Override
    public void matmulBackwardInput(Tensor dx, Tensor dy, Tensor w, boolean accumulate, ComputePrecision precision) {
        TrainingArguments.matmul("matmulBackwardInput", dy, dx, w);
        try (Borrowed borrowed = new Borrowed()) {
            floats.backwardInput(borrowed.output(dx), borrowed.input(dy), borrowed.input(w), accumulate, precision);
        }
    }

    @Override
    public void keepWeights(Tensor w, ComputePrecision precision) {
        if (w.data().isNative()) {
            floats.keep(w, precision);
        }
    }

    @Override
    public void forgetWeights() {
        floats.forget();
    }

    @Override
    public void matmulBackwardWeight(Tensor dw, Tensor dy, Tensor x, ComputePrecision precision) {
        TrainingArguments.matmul("matmulBackwardWeight", dy, x, dw);
        try (Borrowed borrowed = new Borrowed()) {
            floats.backwardWeight(borrowed.output(dw), borrowed.input(dy), borrowed.input(x), precision);
        }
    }

    @Override
    public void embeddingBackward(Tensor dtable, Tensor dy, int[] ids) {
        TrainingArguments.embeddingBackward(dtable, dy, ids);
        if (TrainingOperations.serves(dtable, dy)) {
            trainingOperations.embeddingBackward(dtable, dy, ids);
        } else {
            fallback.embeddingBackward(dtable, dy, ids);
        }
    }

    @Override
    public void rmsNormBackward(Tensor dx, Tensor dweight, Tensor dy, Tensor x, Tensor weight, float epsilon) {
        TrainingArguments.rmsNormBackward(dx, dweight, dy, x, weight);
        if (TrainingOperations.serves(dx, dweight, dy, x, weight)) {
            trainingOperations.rmsNormBackward(dx, dweight, dy, x, weight, epsilon);
        } else {
            fallback.rmsNormBackward(dx, dweight, dy, x, weight, epsilon);
        }
    }

    @Override
    public void ropeBackward(Tensor dx, Tensor dy, RopeTable table, RopePairing pairing, int[] positions) {
        TrainingArguments.ropeBackward(dx, dy, table, pairing, positions);
        if (pairing == RopePairing.HALVES && TrainingOperations.serves(dx, dy)) {
            trainingOperations.ropeBackward(dx, dy, table, positions);
        } else {
            fallback.ropeBackward(dx, dy, table, pairing, positions);
        }
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
        TrainingArguments.attention("attention", y, logSumExp, q, k, v, headSize, firstVisible);
        if (q.rows() > 0) {
            attention.train(y, logSumExp, q, k, v, headSize, firstVisible, scale, precision);
        }
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
        TrainingArguments.attention("attentionBackward", y, logSumExp, q, k, v, headSize, firstVisible);
        TrainingArguments.sameShape("attentionBackward", "dq", dq, "q", q);
        TrainingArguments.sameShape("attentionBackward", "dk", dk, "k", k);
        TrainingArguments.sameShape("attentionBackward", "dv", dv, "v", v);
        TrainingArguments.sameShape("attentionBackward", "dy", dy, "y", y);
        if (q.rows() > 0) {
            gradient.train(dq, dk, dv, dy, q, k, v, y, logSumExp, headSize, firstVisible, scale, precision);
        }
    }

    @Override
    public void swiGluBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up) {
        TrainingArguments.swiGluBackward(dgate, dup, dy, gate, up);
        if (TrainingOperations.serves(dgate, dup, dy, gate, up)) {
            trainingOperations.swiGluBackward(dgate, dup, dy, gate, up);
        } else {
            fallback.swiGluBackward(dgate, dup, dy, gate, up);
        }
    }

    @Override
    public void crossEntropy(Tensor losses, Tensor logSumExp, Tensor logits, int[] targets, float scale, float zLoss) {
        TrainingArguments.crossEntropy(losses, logSumExp, logits, targets);
        if (TrainingOperations.serves(losses, logSumExp, logits)) {
            trainingOperations.crossEntropy(losses, logSumExp, logits, targets, scale, zLoss);
        } else {
            fallback.crossEntropy(losses, logSumExp, logits, targets, scale, zLoss);
        }
    }

    @Override
    public void adamW(Tensor w, Tensor m, Tensor v, Tensor gradient, AdamWStep step) {
        TrainingArguments.adamW(w, m, v, gradient);
        if (TrainingOperations.serves(w, m, v, gradient)) {
            trainingOperations.adamW(w, m, v, gradient, step);
        } else {
            fallback.adamW(w, m, v, gradient, step);
        }
    }

    @Override
    public double squaredNorm(Tensor x) {
        return TrainingOperations.serves(x) ? trainingOperations.squaredNorm(x) : fallback.squaredNorm(x);
    }

    @Override
    public void close() {
        quantized.close();
        floats.close();
        trainingOperations.close();
        attention.close();
        gradient.close();
        fallback.close();
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
