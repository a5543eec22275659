package dev.puna.model;

import dev.puna.kernels.AttentionSpan;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.KvView;
import dev.puna.kernels.RopeTable;
import dev.puna.model.LlamaTensor.Role;
import dev.puna.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The forward pass (LLaMA §2.2): pre-normalised transformer layers of grouped-query attention with rotary embeddings and
 * of SwiGLU, then a norm and the head.
 *
 * <p>Legend: N rows of a batch, C model width, H query heads, KV key/value heads, D head size, F feed-forward width,
 * V vocabulary, L layers.
 *
 * <p>A row's result depends on its own sequence only, to the bit: not on the other rows of the batch, on how a prompt
 * was cut into batches, or on the number of threads. Not for concurrent use: the team of the kernels computes one thing
 * at a time.
 */
public final class LlamaModel implements AutoCloseable {
    private static final List<Role> QKV = List.of(Role.WQ, Role.WK, Role.WV);
    private static final List<Role> KV = List.of(Role.WK, Role.WV);
    private static final List<Role> GATE_UP = List.of(Role.GATE, Role.UP);

    private final LlamaConfig config;
    private final LlamaWeights weights;
    private final Kernels kernels;
    private final RopeAngles ropeAngles;
    private final float attentionScale;

    /** Borrows weights and kernels; owns only the table of rotations. */
    public LlamaModel(LlamaConfig config, LlamaWeights weights, Kernels kernels) {
        this.config = config;
        this.weights = weights;
        this.kernels = kernels;
        this.ropeAngles = new RopeAngles(config);
        this.attentionScale = (float) (1 / Math.sqrt(config.headSize()));
    }

    public LlamaConfig config() {
        return config;
    }

    public LlamaWeights weights() {
        return weights;
    }

    public Kernels kernels() {
        return kernels;
    }

    /**
     * Runs the layers: writes keys and values of every row into its sequence's cache, and gives the wanted rows after
     * the final norm.
     *
     * @param activations for at least N rows
     * @return F32 (wanted, C), a view of {@code activations} that lasts until their next use
     * @throws IllegalArgumentException for an id outside the vocabulary, or more rows than the activations hold
     */
    public Tensor forward(TokenBatch batch, Activations activations) {
        int n = batch.ids().length;
        if (n > activations.maxRows()) {
            throw new IllegalArgumentException(n + " rows for activations of " + activations.maxRows());
        }
        if (n == 0) {
            return activations.h.rows(0, 0);
        }
        Step step = Step.of(batch, ropeAngles);
        Tensor x = activations.x.rows(0, n); // (N, C)
        kernels.embedding(x, weights.embedding(), batch.ids());
        int last = config.layerCount() - 1;
        for (int layer = 0; layer < last; layer++) {
            attention(step, layer, x, activations);
            feedForward(step, layer, x, activations);
        }
        // Of the last layer only keys and values of the unwanted rows are needed.
        int wanted = batch.wanted().length;
        Step lastStep = wanted == n || wanted == 0 ? step : step.only(batch.wanted());
        x = lastAttention(step, lastStep, batch.wanted(), last, x, activations); // (wanted, C)
        Tensor h = activations.h.rows(0, wanted); // (wanted, C)
        if (wanted > 0) {
            feedForward(lastStep, last, x, activations);
            kernels.rmsNorm(h, x, weights.finalNorm(), config.normEpsilon());
        }
        return h;
    }

    /**
     * {@code logits = hidden · headᵀ}.
     *
     * @param logits F32 (N, V)
     * @param hidden F32 (N, C), from {@link #forward}
     */
    public void logits(Tensor logits, Tensor hidden) {
        kernels.matmul(logits, hidden, weights.head());
    }

    /** {@code x += wo · attention(norm(x))}. */
    private void attention(Step step, int index, Tensor x, Activations a) {
        LlamaWeights.Layer layer = weights.layers().get(index);
        long n = x.rows();
        Tensor h = a.h.rows(0, n); // (N, C)
        Tensor q = a.q.rows(0, n); // (N, H·D)
        Tensor k = a.k.rows(0, n); // (N, KV·D)
        Tensor v = a.v.rows(0, n); // (N, KV·D)
        kernels.rmsNorm(h, x, layer.attentionNorm(), config.normEpsilon());
        linear(step, index, List.of(q, k, v), h, QKV, List.of(layer.wq(), layer.wk(), layer.wv()), a);
        storeKeysAndValues(step, index, k, v, a);
        attend(step, index, x, q, a);
    }

    /** The same for the wanted rows only; {@code x} is compacted to them. */
    private Tensor lastAttention(Step step, Step lastStep, int[] wanted, int index, Tensor x, Activations a) {
        if (wanted.length == x.rows()) {
            attention(step, index, x, a);
            return x;
        }
        LlamaWeights.Layer layer = weights.layers().get(index);
        long n = x.rows();
        Tensor h = a.h.rows(0, n); // (N, C)
        Tensor k = a.k.rows(0, n); // (N, KV·D)
        Tensor v = a.v.rows(0, n); // (N, KV·D)
        kernels.rmsNorm(h, x, layer.attentionNorm(), config.normEpsilon());
        linear(step, index, List.of(k, v), h, KV, List.of(layer.wk(), layer.wv()), a);
        storeKeysAndValues(step, index, k, v, a);
        Tensor wantedX = compact(x, wanted); // (wanted, C)
        Tensor wantedH = compact(h, wanted); // (wanted, C)
        if (wanted.length > 0) {
            Tensor q = a.q.rows(0, wanted.length); // (wanted, H·D)
            linear(lastStep, index, List.of(q), wantedH, List.of(Role.WQ), List.of(layer.wq()), a);
            attend(lastStep, index, wantedX, q, a);
        }
        return wantedX;
    }

    private void storeKeysAndValues(Step step, int index, Tensor k, Tensor v, Activations a) {
        Tensor rotatedK = a.rotatedK.rows(0, k.rows()); // (N, KV·D)
        kernels.rope(rotatedK, k, step.rope, weights.pairing(), step.positions);
        long row = 0;
        for (TokenBatch.Rows rows : step.sequences) {
            long end = row + rows.count();
            kernels.storeKv(rows.cache().layer(index), rows.firstPosition(), rotatedK.rows(row, end), v.rows(row, end));
            row = end;
        }
    }

    private void attend(Step step, int index, Tensor x, Tensor q, Activations a) {
        LlamaWeights.Layer layer = weights.layers().get(index);
        long n = x.rows();
        Tensor rotatedQ = a.rotatedQ.rows(0, n); // (N, H·D)
        Tensor out = a.h.rows(0, n); // (N, C)
        kernels.rope(rotatedQ, q, step.rope, weights.pairing(), step.positions);
        kernels.attention(q, rotatedQ, step.spans(index), attentionScale);
        linear(step, index, List.of(out), q, List.of(Role.WO), List.of(layer.wo()), a);
        kernels.add(x, out);
    }

    /** {@code x += down · (silu(gate · norm(x)) ∘ (up · norm(x)))}. */
    private void feedForward(Step step, int index, Tensor x, Activations a) {
        LlamaWeights.Layer layer = weights.layers().get(index);
        long n = x.rows();
        Tensor h = a.h.rows(0, n); // (N, C)
        Tensor gate = a.gate.rows(0, n); // (N, F)
        Tensor up = a.up.rows(0, n); // (N, F)
        kernels.rmsNorm(h, x, layer.feedForwardNorm(), config.normEpsilon());
        linear(step, index, List.of(gate, up), h, GATE_UP, List.of(layer.gate(), layer.up()), a);
        kernels.swiGlu(gate, gate, up);
        linear(step, index, List.of(h), gate, List.of(Role.DOWN), List.of(layer.down()), a);
        kernels.add(x, h);
    }

    private void linear(
            Step step, int index, List<Tensor> y, Tensor x, List<Role> roles, List<Linear> layers, Activations a) {
        kernels.matmul(y, x, layers.stream().map(Linear::weight).toList());
        for (int i = 0; i < layers.size(); i++) {
            if (layers.get(i) instanceof Linear.Biased(Tensor weight, Tensor bias)) {
                kernels.addBias(y.get(i), bias);
            }
        }
        if (step.adapted) {
            for (int i = 0; i < layers.size(); i++) {
                addAdapters(step, index, y.get(i), x, roles.get(i), a);
            }
        }
    }

    /** {@code y += (x · aᵀ) · bᵀ} for the rows of each sequence that has an adapter: neighbours with the same in one go. */
    private void addAdapters(Step step, int index, Tensor y, Tensor x, Role role, Activations activations) {
        long from = 0;
        List<TokenBatch.Rows> sequences = step.sequences;
        for (int i = 0; i < sequences.size(); ) {
            Optional<LoraAdapter> adapter = sequences.get(i).adapter();
            long end = from;
            do {
                end += sequences.get(i).count();
                i++;
            } while (i < sequences.size() && sequences.get(i).adapter().equals(adapter));
            Optional<LoraAdapter.Delta> delta = adapter.flatMap(known -> known.delta(role, index));
            if (delta.isPresent() && end > from) {
                Tensor b = delta.get().b();
                Tensor[] room = activations.adapter(end - from, b.columns(), y.columns());
                kernels.matmul(room[0], x.rows(from, end), delta.get().a()); // (rows, r)
                kernels.matmul(room[1], room[0], b); // (rows, out)
                kernels.add(y.rows(from, end), room[1]);
            }
            from = end;
        }
    }

    /** Moves the wanted rows to the front: they ascend, so no row is overwritten before it has moved. */
    private static Tensor compact(Tensor x, int[] wanted) {
        long rowBytes = x.rowBytes();
        for (int i = 0; i < wanted.length; i++) {
            MemorySegment.copy(x.data(), wanted[i] * rowBytes, x.data(), i * rowBytes, rowBytes);
        }
        return x.rows(0, wanted.length);
    }

    @Override
    public void close() {
        ropeAngles.close();
    }

    /** What every layer needs to know about a batch. */
    private static final class Step {
        private final List<TokenBatch.Rows> sequences;
        private final int[] positions;
        private final RopeTable rope;
        private final boolean adapted;

        private Step(List<TokenBatch.Rows> sequences, int[] positions, RopeTable rope) {
            this.sequences = sequences;
            this.positions = positions;
            this.rope = rope;
            this.adapted = sequences.stream().anyMatch(rows -> rows.adapter().isPresent());
        }

        static Step of(TokenBatch batch, RopeAngles angles) {
            int[] positions = new int[batch.ids().length];
            int row = 0;
            int limit = 0;
            for (TokenBatch.Rows rows : batch.sequences()) {
                for (int i = 0; i < rows.count(); i++) {
                    positions[row++] = rows.firstPosition() + i;
                }
                limit = Math.max(limit, rows.firstPosition() + rows.count());
            }
            return new Step(batch.sequences(), positions, angles.upTo(limit));
        }

        /** The step of the wanted rows alone: runs of consecutive rows within each sequence. */
        Step only(int[] wanted) {
            List<TokenBatch.Rows> runs = new ArrayList<>();
            int[] kept = new int[wanted.length];
            int sequence = 0;
            int end = sequences.getFirst().count();
            int i = 0;
            while (i < wanted.length) {
                while (wanted[i] >= end) {
                    end += sequences.get(++sequence).count();
                }
                int run = i;
                do {
                    kept[i] = positions[wanted[i]];
                    i++;
                } while (i < wanted.length && wanted[i] == wanted[i - 1] + 1 && wanted[i] < end);
                TokenBatch.Rows rows = sequences.get(sequence);
                runs.add(new TokenBatch.Rows(rows.cache(), kept[run], i - run, rows.adapter()));
            }
            return new Step(runs, kept, rope);
        }

        List<AttentionSpan> spans(int layer) {
            List<AttentionSpan> spans = new ArrayList<>(sequences.size());
            for (TokenBatch.Rows rows : sequences) {
                KvView view = rows.cache().layer(layer);
                spans.add(new AttentionSpan(view, rows.firstPosition(), rows.count()));
            }
            return spans;
        }
    }
}
