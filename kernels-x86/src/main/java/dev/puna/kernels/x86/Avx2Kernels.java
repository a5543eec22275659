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
import java.util.Arrays;
import java.util.List;

/**
 * The tier for processors with AVX2 and without AVX-512: what has generated code on 256-bit registers runs here, every
 * other operation as a whole on the next tier.
 */
final class Avx2Kernels implements Kernels {
    private static final int REGISTER_BYTES = 32;

    private final Kernels fallback;
    private final Arena arena = Arena.ofShared();
    private final Avx2QuantizedMatmul quantized;
    private final Avx2FloatMatmul floats;
    private final RowOperations rowOperations;
    private final Attention attention;

    /** @param fallback what computes the rest; closed with this */
    Avx2Kernels(Kernels fallback, Processor processor) {
        this.fallback = fallback;
        ArgumentBlock[] arguments = new ArgumentBlock[fallback.threads().size()];
        Arrays.setAll(arguments, _ -> new ArgumentBlock(arena));
        CodeCache codes = new CodeCache(arena);
        Workers workers = new Workers(fallback.threads(), arguments);
        Avx2Dot dot = processor.features().contains(Feature.AVXVNNI) ? Avx2Dot.VNNI : Avx2Dot.MULTIPLY_ADD;
        this.floats = new Avx2FloatMatmul(workers, codes, arena);
        this.rowOperations = new RowOperations(workers, codes, REGISTER_BYTES);
        this.attention = new Attention(workers, codes, rowOperations, Gemm.Unit.FMA);
        this.quantized = new Avx2QuantizedMatmul(workers, codes, dot);
    }

    @Override
    public String tier() {
        return Avx2KernelsProvider.NAME;
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
                if (x.columns() > 0 && quantized.serves(ws.get(i).dtype())) {
                    quantizedYs.add(borrowed.output(ys.get(i)));
                    quantizedWs.add(borrowed.input(ws.get(i)));
                } else if (Avx2FloatMatmul.serves(ws.get(i).dtype())) {
                    floats.multiply(borrowed.output(ys.get(i)), nativeX, borrowed.input(ws.get(i)));
                } else {
                    fallback.matmul(ys.get(i), x, ws.get(i));
                }
            }
            quantized.multiply(quantizedYs, nativeX, quantizedWs);
        }
    }

    @Override
    public void matmul(Tensor y, Tensor x, Tensor w, ComputePrecision precision) {
        TrainingArguments.matmul("matmul", y, x, w);
        if (precision != ComputePrecision.F32) {
            fallback.matmul(y, x, w, precision);
            return;
        }
        try (Borrowed borrowed = new Borrowed()) {
            floats.multiply(borrowed.output(y), borrowed.input(x), borrowed.input(w));
        }
    }

    @Override
    public void matmulBackwardInput(Tensor dx, Tensor dy, Tensor w, boolean accumulate, ComputePrecision precision) {
        TrainingArguments.matmul("matmulBackwardInput", dy, dx, w);
        if (precision != ComputePrecision.F32) {
            fallback.matmulBackwardInput(dx, dy, w, accumulate, precision);
            return;
        }
        try (Borrowed borrowed = new Borrowed()) {
            floats.backwardInput(borrowed.output(dx), borrowed.input(dy), borrowed.input(w), accumulate);
        }
    }

    @Override
    public void matmulBackwardWeight(Tensor dw, Tensor dy, Tensor x, ComputePrecision precision) {
        TrainingArguments.matmul("matmulBackwardWeight", dy, x, dw);
        if (precision != ComputePrecision.F32) {
            fallback.matmulBackwardWeight(dw, dy, x, precision);
            return;
        }
        try (Borrowed borrowed = new Borrowed()) {
            floats.backwardWeight(borrowed.output(dw), borrowed.input(dy), borrowed.input(x));
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
    public void embeddingBackward(Tensor dtable, Tensor dy, int[] ids) {
        fallback.embeddingBackward(dtable, dy, ids);
    }

    @Override
    public void rmsNorm(Tensor y, Tensor x, Tensor weight, float epsilon) {
        KernelArguments.rmsNorm(y, x, weight);
        rowOperations.rmsNorm(y, x, weight, epsilon);
    }

    @Override
    public void rmsNormBackward(Tensor dx, Tensor dweight, Tensor dy, Tensor x, Tensor weight, float epsilon) {
        fallback.rmsNormBackward(dx, dweight, dy, x, weight, epsilon);
    }

    @Override
    public void rope(Tensor y, Tensor x, RopeTable table, RopePairing pairing, int[] positions) {
        KernelArguments.rope(y, x, table, pairing, positions);
        rowOperations.rope(y, x, table, pairing, positions);
    }

    @Override
    public void ropeBackward(Tensor dx, Tensor dy, RopeTable table, RopePairing pairing, int[] positions) {
        fallback.ropeBackward(dx, dy, table, pairing, positions);
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
        fallback.attention(y, logSumExp, q, k, v, headSize, firstVisible, scale, precision);
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
        fallback.attentionBackward(dq, dk, dv, dy, q, k, v, y, logSumExp, headSize, firstVisible, scale, precision);
    }

    @Override
    public void swiGlu(Tensor y, Tensor gate, Tensor up) {
        KernelArguments.swiGlu(y, gate, up);
        rowOperations.swiGlu(y, gate, up);
    }

    @Override
    public void swiGluBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up) {
        fallback.swiGluBackward(dgate, dup, dy, gate, up);
    }

    @Override
    public void crossEntropy(Tensor losses, Tensor logSumExp, Tensor logits, int[] targets, float scale, float zLoss) {
        fallback.crossEntropy(losses, logSumExp, logits, targets, scale, zLoss);
    }

    @Override
    public void adamW(Tensor w, Tensor m, Tensor v, Tensor gradient, AdamWStep step) {
        fallback.adamW(w, m, v, gradient, step);
    }

    @Override
    public double squaredNorm(Tensor x) {
        return fallback.squaredNorm(x);
    }

    @Override
    public void dequantize(Tensor y, Tensor x) {
        fallback.dequantize(y, x);
    }

    @Override
    public void quantize(Tensor y, Tensor x) {
        fallback.quantize(y, x);
    }

    @Override
    public void close() {
        quantized.close();
        floats.close();
        attention.close();
        fallback.close();
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
