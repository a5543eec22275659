package dev.puna.inference;

import dev.puna.model.Activations;
import dev.puna.model.LlamaConfig;
import dev.puna.model.LlamaModel;
import dev.puna.model.TokenBatch;
import dev.puna.tensor.DType;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Computes the rows of one step, of all its sequences together, and lets each make of its own rows what it wants: tokens,
 * log-probabilities, states. Owns the memory that a step needs. For the engine's thread.
 */
final class ForwardPass implements AutoCloseable {
    /** Rows of logits that are held at once. */
    private static final int LOGIT_ROWS = 64;

    private final LlamaConfig config;
    private final LlamaModel model;
    private final ThreadTeam threads;
    private final int stepRows;
    private final EngineTally tally;
    private final Slab logitSlab;
    private final Tensor logits; // (64, V)
    private final List<Sampler.Workspace> workspaces; // one for each member of the team
    private Activations activations;

    /** @param stepRows the most that a step has */
    ForwardPass(LlamaModel model, LlamaConfig config, ThreadTeam threads, int stepRows, EngineTally tally) {
        this.config = config;
        this.model = model;
        this.threads = threads;
        this.stepRows = stepRows;
        this.tally = tally;
        this.activations = new Activations(config, 1);
        this.logitSlab = new Slab(Slab.bytesFor(DType.F32, LOGIT_ROWS, config.vocabularySize()));
        this.logits = logitSlab.allocate(DType.F32, LOGIT_ROWS, config.vocabularySize());
        this.workspaces = Stream.generate(() -> new Sampler.Workspace(config.vocabularySize()))
                .limit(threads.size())
                .toList();
    }

    /**
     * One pass over the planned rows.
     *
     * @param batch with rows; those that generate first
     * @param lasts of each, the last committed position when the step begins
     */
    void compute(List<ActiveSequence> batch, int[] lasts) {
        int rowCount = batch.stream().mapToInt(sequence -> sequence.rows).sum();
        int[] ids = new int[rowCount];
        int[] wanted = new int[rowCount];
        int[] owners = new int[rowCount];
        int[] positions = new int[rowCount];
        List<TokenBatch.Rows> rows = new ArrayList<>(batch.size());
        int row = 0;
        int wantedCount = 0;
        int generating = 0;
        for (int i = 0; i < batch.size(); i++) {
            ActiveSequence sequence = batch.get(i);
            rows.add(
                    new TokenBatch.Rows(sequence.table, sequence.done, sequence.rows, sequence.request.what.adapter()));
            for (int position = sequence.done; position < sequence.done + sequence.rows; position++) {
                ids[row] = sequence.idAt(position);
                if (sequence.wants(position)) {
                    wanted[wantedCount] = row;
                    owners[wantedCount] = i;
                    positions[wantedCount] = position;
                    wantedCount++;
                }
                row++;
            }
            if (sequence.request.generates()) {
                generating = wantedCount;
            }
        }
        TokenBatch tokens = new TokenBatch(ids, rows, java.util.Arrays.copyOf(wanted, wantedCount));
        long begin = System.nanoTime();
        Tensor hidden = model.forward(tokens, activations(rowCount)); // (wanted, C)
        tally.modelNanos += System.nanoTime() - begin;
        choose(batch, hidden, owners, positions, lasts, generating);
        for (int i = generating; i < wantedCount; i++) {
            take(batch.get(owners[i]), positions[i], hidden.row(i));
        }
    }

    private Activations activations(int rows) {
        if (rows > activations.maxRows()) {
            Activations larger = new Activations(config, Math.min(stepRows, Math.max(rows, 2 * activations.maxRows())));
            activations.close();
            activations = larger;
        }
        return activations;
    }

    /** Logits of the first {@code count} wanted rows, and what each sequence makes of its own. */
    private void choose(
            List<ActiveSequence> batch, Tensor hidden, int[] owners, int[] positions, int[] lasts, int count) {
        for (int from = 0; from < count; from += LOGIT_ROWS) {
            int first = from;
            int end = Math.min(count, from + LOGIT_ROWS);
            Tensor some = logits.rows(0, end - first); // (rows, V)
            long begin = System.nanoTime();
            model.logits(some, hidden.rows(first, end));
            tally.modelNanos += System.nanoTime() - begin;
            threads.run((member, size) -> {
                for (int i = first; i < end; i++) {
                    if (owners[i] % size == member) {
                        ActiveSequence sequence = batch.get(owners[i]);
                        Sampler.Workspace workspace = workspaces.get(member);
                        MemorySegment.copy(
                                some.row(i - first).data(), Tensor.F32_LE, 0, workspace.raw, 0, workspace.raw.length);
                        try {
                            accept(sequence, positions[i], lasts[owners[i]], workspace);
                        } catch (RuntimeException | Error e) {
                            sequence.failure = EngineFailure.reason(e);
                        }
                    }
                }
            });
        }
    }

    private static void accept(ActiveSequence sequence, int position, int last, Sampler.Workspace workspace) {
        if (position < sequence.promptLength - 1) {
            sequence.acceptPrompt(position, workspace.raw);
            return;
        }
        sequence.accept(position, last, workspace);
        ActiveRequest request = sequence.request;
        if (!request.forked && sequence.choice == 0) {
            for (ActiveSequence other : request.sequences.subList(1, request.sequences.size())) {
                other.accept(position, last, workspace);
            }
        }
    }

    private static void take(ActiveSequence sequence, int position, Tensor state) {
        switch (sequence.request.purpose) {
            case Purpose.Answer answer -> throw new IllegalStateException("an answer wants no states");
            case Purpose.Embedding embedding -> {
                embedding.add(position, state);
                if (position == sequence.length - 1) {
                    embedding.finish();
                    sequence.finish = FinishReason.STOP;
                }
            }
        }
    }

    @Override
    public void close() {
        activations.close();
        logitSlab.close();
    }
}
