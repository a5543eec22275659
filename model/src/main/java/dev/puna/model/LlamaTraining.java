package dev.puna.model;

import dev.puna.kernels.ComputePrecision;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.RopePairing;
import dev.puna.kernels.RopeTable;
import dev.puna.tensor.DType;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The model as training computes it: forward and, read from bottom to top, backward. Legend: N rows, C width, H query
 * heads, KV key/value heads, D head size, F feed-forward width, V vocabulary.
 *
 * <p>Owns the activations; borrows parameters and kernels. Not for concurrent use.
 */
public final class LlamaTraining implements AutoCloseable {
    /** Logits that exist at a time: about 32 MiB of them. */
    private static final long LOGITS = 8 << 20;

    /**
     * What a batch lost.
     *
     * @param sum Σ −log p(target) over the rows that count, in nats, without z-loss
     * @param validCount rows that count
     */
    public record Loss(double sum, long validCount) {
        public Loss plus(Loss other) {
            return new Loss(sum + other.sum, validCount + other.validCount);
        }

        /** Per row that counts; 0 when none does. */
        public double mean() {
            return validCount == 0 ? 0 : sum / validCount;
        }
    }

    /** What a layer keeps, or shares with the other layers when it is computed again. */
    private record Kept(
            Tensor x, // (N, C)
            Tensor h1, // (N, C)
            Tensor q, // (N, H·D), rotated
            Tensor k, // (N, KV·D), rotated
            Tensor v, // (N, KV·D)
            Tensor o, // (N, H·D)
            Tensor logSumExp, // (N, H)
            Tensor x2, // (N, C)
            Tensor h2, // (N, C)
            Tensor gate, // (N, F)
            Tensor up, // (N, F)
            Tensor act) { // (N, F)
        Kept rows(long n) {
            return new Kept(
                    x.rows(0, n),
                    h1.rows(0, n),
                    q.rows(0, n),
                    k.rows(0, n),
                    v.rows(0, n),
                    o.rows(0, n),
                    logSumExp.rows(0, n),
                    x2.rows(0, n),
                    h2.rows(0, n),
                    gate.rows(0, n),
                    up.rows(0, n),
                    act.rows(0, n));
        }
    }

    private final LlamaConfig config;
    private final ParameterStore parameters;
    private final LlamaWeights gradients;
    private final Kernels kernels;
    private final ComputePrecision precision;
    private final KeptActivations keeping;
    private final int maxRows;
    private final int vocabularyUsed;
    private final int logitRows;
    private final Slab slab;
    private final RopeAngles angles;
    private final List<Kept> kept = new ArrayList<>();
    private final Tensor last; // (N, C): what the layers give
    private final Tensor hidden; // (N, C)
    private final Tensor dx; // (N, C)
    private final Tensor dh; // (N, C)
    private final Tensor dq; // (N, H·D)
    private final Tensor dk; // (N, KV·D)
    private final Tensor dv; // (N, KV·D)
    private final Tensor dO; // (N, H·D)
    private final Tensor dgate; // (N, F)
    private final Tensor dup; // (N, F)
    private final Tensor logits; // (rows, V), V without padding
    private final Tensor losses; // (rows)
    private final Tensor logSumExps; // (rows)

    /** @param maxRows of a batch */
    public LlamaTraining(
            ParameterStore parameters,
            Kernels kernels,
            ComputePrecision precision,
            KeptActivations keeping,
            int maxRows) {
        this(
                parameters,
                kernels,
                precision,
                keeping,
                maxRows,
                parameters.config().vocabularySize());
    }

    /**
     * @param maxRows of a batch
     * @param vocabularyUsed ids below this exist; the head's rows above it are padding, which takes no part in the
     *     softmax and gets no gradient
     */
    public LlamaTraining(
            ParameterStore parameters,
            Kernels kernels,
            ComputePrecision precision,
            KeptActivations keeping,
            int maxRows,
            int vocabularyUsed) {
        this(parameters, parameters.gradients(), kernels, precision, keeping, maxRows, vocabularyUsed);
    }

    /**
     * One of several that share parameters.
     *
     * @param gradients to which this one adds: the store's own or a {@link GradientBuffer}'s
     * @param maxRows of a batch
     * @param vocabularyUsed as above
     */
    public LlamaTraining(
            ParameterStore parameters,
            LlamaWeights gradients,
            Kernels kernels,
            ComputePrecision precision,
            KeptActivations keeping,
            int maxRows,
            int vocabularyUsed) {
        this.config = parameters.config();
        this.parameters = parameters;
        this.gradients = gradients;
        this.kernels = kernels;
        this.precision = precision;
        this.keeping = keeping;
        this.maxRows = maxRows;
        this.vocabularyUsed = vocabularyUsed;
        this.logitRows = logitRows(config, maxRows);
        this.angles = new RopeAngles(config);
        this.slab = new Slab(slabBytes(config, keeping, maxRows));
        int c = config.width();
        boolean linear = keeping != KeptActivations.LAYER_INPUTS;
        boolean all = keeping == KeptActivations.EVERYTHING;
        Tensor[] shared = new Tensor[12];
        for (int layer = 0; layer < config.layerCount(); layer++) {
            kept.add(new Kept(
                    rows(c),
                    own(all, shared, 1, c),
                    own(linear, shared, 2, config.queryWidth()),
                    own(linear, shared, 3, config.kvWidth()),
                    own(linear, shared, 4, config.kvWidth()),
                    own(linear, shared, 5, config.queryWidth()),
                    own(linear, shared, 6, config.headCount()),
                    own(linear, shared, 7, c),
                    own(all, shared, 8, c),
                    own(linear, shared, 9, config.feedForwardWidth()),
                    own(linear, shared, 10, config.feedForwardWidth()),
                    own(all, shared, 11, config.feedForwardWidth())));
        }
        this.last = rows(c);
        this.hidden = rows(c);
        this.dx = rows(c);
        this.dh = rows(c);
        this.dq = rows(config.queryWidth());
        this.dk = rows(config.kvWidth());
        this.dv = rows(config.kvWidth());
        this.dO = rows(config.queryWidth());
        this.dgate = rows(config.feedForwardWidth());
        this.dup = rows(config.feedForwardWidth());
        this.logits = slab.allocate(DType.F32, logitRows, vocabularyUsed);
        this.losses = slab.allocate(DType.F32, logitRows);
        this.logSumExps = slab.allocate(DType.F32, logitRows);
    }

    private static int logitRows(LlamaConfig config, int maxRows) {
        return (int) Math.min(maxRows, Math.max(16, LOGITS / config.vocabularySize()));
    }

    private Tensor rows(int width) {
        return slab.allocate(DType.F32, maxRows, width);
    }

    private Tensor own(boolean own, Tensor[] shared, int which, int width) {
        if (own) {
            return rows(width);
        }
        Tensor tensor = shared[which];
        if (tensor == null) {
            tensor = rows(width);
            shared[which] = tensor;
        }
        return tensor;
    }

    /**
     * Bytes of activations and of everything that the backward pass works in, the head's copy in a tier's own order
     * included.
     */
    public static long byteSize(LlamaConfig config, KeptActivations keeping, int maxRows, ComputePrecision precision) {
        boolean headKept = precision == ComputePrecision.BF16 && maxRows > logitRows(config, maxRows);
        return slabBytes(config, keeping, maxRows)
                + (headKept ? Slab.bytesFor(DType.BF16, config.vocabularySize(), config.width()) : 0);
    }

    private static long slabBytes(LlamaConfig config, KeptActivations keeping, int maxRows) {
        long c = Slab.bytesFor(DType.F32, maxRows, config.width());
        long q = Slab.bytesFor(DType.F32, maxRows, config.queryWidth());
        long kv = Slab.bytesFor(DType.F32, maxRows, config.kvWidth());
        long f = Slab.bytesFor(DType.F32, maxRows, config.feedForwardWidth());
        long lse = Slab.bytesFor(DType.F32, maxRows, config.headCount());
        long linear = c + 2 * q + 2 * kv + lse + 2 * f;
        long recomputable = 2 * c + f;
        long layers = config.layerCount();
        long kept = switch (keeping) {
            case EVERYTHING -> layers * (c + linear + recomputable);
            case LINEAR_OUTPUTS -> layers * (c + linear) + recomputable;
            case LAYER_INPUTS -> layers * c + linear + recomputable;
        };
        int rows = logitRows(config, maxRows);
        return kept
                + 4 * c
                + 2 * q
                + 2 * kv
                + 2 * f
                + Slab.bytesFor(DType.F32, rows, config.vocabularySize())
                + 2 * Slab.bytesFor(DType.F32, rows);
    }

    /** The loss of a batch, without gradients. */
    public Loss evaluate(PackedBatch batch) {
        RopeTable rope = begin(batch);
        forward(batch, rope);
        return head(batch, 0, 0, false);
    }

    /**
     * The loss of a batch; gradients are added to those that there are.
     *
     * @param scale what the sum of losses is multiplied by before gradients are taken: usually 1 / (valid tokens of the
     *     global batch)
     * @param zLoss weight of {@code logSumExp²}, 0 for none
     */
    public Loss forwardBackward(PackedBatch batch, float scale, float zLoss) {
        RopeTable rope = begin(batch);
        forward(batch, rope);
        Loss loss = head(batch, scale, zLoss, true);
        backward(batch, rope);
        return loss;
    }

    private RopeTable begin(PackedBatch batch) {
        if (batch.rowCount() > maxRows) {
            throw new IllegalArgumentException(batch.rowCount() + " rows for activations of " + maxRows);
        }
        return angles.upTo(Arrays.stream(batch.positions()).max().orElse(0) + 1);
    }

    private void forward(PackedBatch batch, RopeTable rope) {
        int n = batch.rowCount();
        kernels.embedding(kept.getFirst().x().rows(0, n), weights().embedding(), batch.ids());
        for (int layer = 0; layer < config.layerCount(); layer++) {
            Kept a = kept.get(layer).rows(n);
            LlamaWeights.Layer w = weights().layers().get(layer);
            attentionForward(a, w, batch, rope);
            feedForwardForward(a, w);
            Tensor next =
                    layer + 1 < config.layerCount() ? kept.get(layer + 1).x().rows(0, n) : last.rows(0, n);
            kernels.matmul(next, a.act(), w.down().weight(), precision);
            kernels.add(next, a.x2());
        }
    }

    private void attentionForward(Kept a, LlamaWeights.Layer w, PackedBatch batch, RopeTable rope) {
        kernels.rmsNorm(a.h1(), a.x(), w.attentionNorm(), config.normEpsilon());
        kernels.matmul(a.q(), a.h1(), w.wq().weight(), precision);
        kernels.matmul(a.k(), a.h1(), w.wk().weight(), precision);
        kernels.matmul(a.v(), a.h1(), w.wv().weight(), precision);
        kernels.rope(a.q(), a.q(), rope, RopePairing.HALVES, batch.positions());
        kernels.rope(a.k(), a.k(), rope, RopePairing.HALVES, batch.positions());
        kernels.attention(
                a.o(),
                a.logSumExp(),
                a.q(),
                a.k(),
                a.v(),
                config.headSize(),
                batch.firstVisible(),
                attentionScale(),
                precision);
        kernels.matmul(a.x2(), a.o(), w.wo().weight(), precision);
        kernels.add(a.x2(), a.x());
    }

    private void attentionBackward(
            Kept a, LlamaWeights.Layer w, LlamaWeights.Layer g, PackedBatch batch, RopeTable rope, Tensor dx) {
        long n = dx.rows();
        Tensor dO = this.dO.rows(0, n);
        Tensor dq = this.dq.rows(0, n);
        Tensor dk = this.dk.rows(0, n);
        Tensor dv = this.dv.rows(0, n);
        Tensor dh = this.dh.rows(0, n);
        linearBackward(dO, dx, a.o(), w.wo(), g.wo(), false);
        kernels.attentionBackward(
                dq,
                dk,
                dv,
                dO,
                a.q(),
                a.k(),
                a.v(),
                a.o(),
                a.logSumExp(),
                config.headSize(),
                batch.firstVisible(),
                attentionScale(),
                precision);
        kernels.ropeBackward(dk, dk, rope, RopePairing.HALVES, batch.positions());
        kernels.ropeBackward(dq, dq, rope, RopePairing.HALVES, batch.positions());
        linearBackward(dh, dv, a.h1(), w.wv(), g.wv(), false);
        linearBackward(dh, dk, a.h1(), w.wk(), g.wk(), true);
        linearBackward(dh, dq, a.h1(), w.wq(), g.wq(), true);
        kernels.rmsNormBackward(dx, g.attentionNorm(), dh, a.x(), w.attentionNorm(), config.normEpsilon());
    }

    private void feedForwardForward(Kept a, LlamaWeights.Layer w) {
        kernels.rmsNorm(a.h2(), a.x2(), w.feedForwardNorm(), config.normEpsilon());
        kernels.matmul(a.gate(), a.h2(), w.gate().weight(), precision);
        kernels.matmul(a.up(), a.h2(), w.up().weight(), precision);
        kernels.swiGlu(a.act(), a.gate(), a.up());
    }

    private void feedForwardBackward(Kept a, LlamaWeights.Layer w, LlamaWeights.Layer g, Tensor dx) {
        long n = dx.rows();
        Tensor dgate = this.dgate.rows(0, n);
        Tensor dup = this.dup.rows(0, n);
        Tensor dh = this.dh.rows(0, n);
        linearBackward(dgate, dx, a.act(), w.down(), g.down(), false); // dact, in dgate's place
        kernels.swiGluBackward(dgate, dup, dgate, a.gate(), a.up());
        linearBackward(dh, dup, a.h2(), w.up(), g.up(), false);
        linearBackward(dh, dgate, a.h2(), w.gate(), g.gate(), true);
        kernels.rmsNormBackward(dx, g.feedForwardNorm(), dh, a.x2(), w.feedForwardNorm(), config.normEpsilon());
    }

    /** In the forward pass {@code y = x · wᵀ}. */
    private void linearBackward(Tensor dx, Tensor dy, Tensor x, Linear w, Linear g, boolean accumulate) {
        kernels.matmulBackwardInput(dx, dy, w.weight(), accumulate, precision);
        kernels.matmulBackwardWeight(g.weight(), dy, x, precision);
    }

    private void backward(PackedBatch batch, RopeTable rope) {
        int n = batch.rowCount();
        Tensor dx = this.dx.rows(0, n);
        for (int layer = config.layerCount() - 1; layer >= 0; layer--) {
            Kept a = kept.get(layer).rows(n);
            LlamaWeights.Layer w = weights().layers().get(layer);
            LlamaWeights.Layer g = gradients.layers().get(layer);
            again(a, w, batch, rope);
            feedForwardBackward(a, w, g, dx);
            attentionBackward(a, w, g, batch, rope, dx);
        }
        kernels.embeddingBackward(gradients.embedding(), dx, batch.ids());
    }

    /** Computes again what was not kept of a layer. */
    private void again(Kept a, LlamaWeights.Layer w, PackedBatch batch, RopeTable rope) {
        switch (keeping) {
            case EVERYTHING -> {}
            case LINEAR_OUTPUTS -> {
                kernels.rmsNorm(a.h1(), a.x(), w.attentionNorm(), config.normEpsilon());
                kernels.rmsNorm(a.h2(), a.x2(), w.feedForwardNorm(), config.normEpsilon());
                kernels.swiGlu(a.act(), a.gate(), a.up());
            }
            case LAYER_INPUTS -> {
                attentionForward(a, w, batch, rope);
                feedForwardForward(a, w);
            }
        }
    }

    /** Final norm, head and cross-entropy, a piece of the rows at a time; leaves the residual's gradient in dx. */
    private Loss head(PackedBatch batch, float scale, float zLoss, boolean backward) {
        int n = batch.rowCount();
        Tensor x = last.rows(0, n);
        Tensor h = hidden.rows(0, n);
        Tensor head = weights().head().rows(0, vocabularyUsed);
        kernels.rmsNorm(h, x, weights().finalNorm(), config.normEpsilon());
        double sum;
        if (backward && n > logitRows) {
            kernels.keepWeights(head, precision);
            try {
                sum = pieces(batch, head, h, scale, zLoss, true);
            } finally {
                kernels.forgetWeights();
            }
        } else {
            sum = pieces(batch, head, h, scale, zLoss, backward);
        }
        if (backward) {
            Tensor dx = this.dx.rows(0, n);
            dx.data().fill((byte) 0);
            kernels.rmsNormBackward(
                    dx, gradients.finalNorm(), dh.rows(0, n), x, weights().finalNorm(), config.normEpsilon());
        }
        return new Loss(sum, batch.validCount());
    }

    /** Head and cross-entropy, as many rows at a time as there is room for logits; the sum of the losses. */
    private double pieces(PackedBatch batch, Tensor head, Tensor h, float scale, float zLoss, boolean backward) {
        int n = batch.rowCount();
        double sum = 0;
        for (int row = 0; row < n; row += logitRows) {
            int end = Math.min(n, row + logitRows);
            Tensor piece = logits.rows(0, end - row);
            kernels.matmul(piece, h.rows(row, end), head, precision);
            Tensor loss = flat(losses, end - row);
            int[] targets = Arrays.copyOfRange(batch.targets(), row, end);
            kernels.crossEntropy(loss, flat(logSumExps, end - row), piece, targets, scale, zLoss);
            for (int i = 0; i < end - row; i++) {
                sum += loss.getFloat(i);
            }
            if (backward) {
                Tensor dhead = gradients.head().rows(0, vocabularyUsed);
                kernels.matmulBackwardInput(dh.rows(row, end), piece, head, false, precision);
                kernels.matmulBackwardWeight(dhead, piece, h.rows(row, end), precision);
            }
        }
        return sum;
    }

    private static Tensor flat(Tensor tensor, int count) {
        MemorySegment data = tensor.data().asSlice(0, 4L * count);
        return new Tensor(data, DType.F32, dev.puna.tensor.Shape.of(count));
    }

    private LlamaWeights weights() {
        return parameters.weights();
    }

    private float attentionScale() {
        return (float) (1 / Math.sqrt(config.headSize()));
    }

    @Override
    public void close() {
        slab.close();
        angles.close();
    }
}
