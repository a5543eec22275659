package dev.puna.inference;

import dev.puna.kernels.Kernels;
import dev.puna.model.Activations;
import dev.puna.model.LlamaCheckpoint;
import dev.puna.model.LlamaConfig;
import dev.puna.model.LlamaModel;
import dev.puna.model.TokenBatch;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import dev.puna.tokenizer.Tokenizer;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;

/**
 * A smaller model that guesses what the large one will choose, so that one step of the large one may settle several
 * tokens (Leviathan et al. 2023; Chen et al. 2023). What counts is only what the large model chooses: at every row it
 * draws as it would have drawn without a guess, and the guess stands if it is the same token. So no distribution
 * changes; not even a text does. The draft draws with the very random numbers that the large model will use there.
 *
 * <p>It has pages of its own, as many as the engine, and shares equal beginnings, too. For the engine's thread.
 */
final class DraftModel implements AutoCloseable {
    private final LlamaCheckpoint checkpoint;
    private final ThreadTeam threads;
    private final LlamaModel model;
    private final PagePool pool;
    private final long root;
    private final int stepRows;
    private Activations activations;
    private final Slab logitSlab;
    private final Tensor logits; // (maxSequences, V)
    private final List<Sampler.Workspace> workspaces; // one for each member of the team

    /**
     * @param checkpoint closed with this model
     * @param pages of the pool
     * @param stepRows rows of one forward pass at most
     */
    DraftModel(
            LlamaCheckpoint checkpoint,
            ThreadTeam threads,
            Kernels kernels,
            EngineOptions options,
            int pages,
            int stepRows) {
        LlamaConfig config = checkpoint.config();
        this.checkpoint = checkpoint;
        this.threads = threads;
        this.model = new LlamaModel(config, checkpoint.weights(), kernels);
        this.pool = new PagePool(config, dtype(checkpoint, options), options.pageLength(), pages);
        this.root = pool.newChain();
        this.stepRows = stepRows;
        this.activations = new Activations(config, 1);
        this.logitSlab = new Slab(Slab.bytesFor(DType.F32, options.maxSequences(), config.vocabularySize()));
        this.logits = logitSlab.allocate(DType.F32, options.maxSequences(), config.vocabularySize());
        this.workspaces = Stream.generate(() -> new Sampler.Workspace(config.vocabularySize()))
                .limit(threads.size())
                .toList();
    }

    private static DType dtype(LlamaCheckpoint draft, EngineOptions options) {
        DType wanted = options.model().kv().dtypeFor(draft);
        return draft.config().headSize() % wanted.blockSize() == 0 ? wanted : DType.F16;
    }

    /**
     * Bytes that a page of the draft takes beside one of the model.
     *
     * @throws ConfigurationException if the two have different vocabularies, or the draft's context is shorter
     */
    static long pageBytes(LlamaCheckpoint target, LlamaCheckpoint draft, EngineOptions options) {
        LlamaConfig config = draft.config();
        if (config.vocabularySize() != target.config().vocabularySize()) {
            throw new ConfigurationException(
                    "draft",
                    draft.path(),
                    "has a vocabulary of " + config.vocabularySize() + ", the model one of "
                            + target.config().vocabularySize() + ": a draft must have the model's own");
        }
        if (target.tokenizer().isPresent() && draft.tokenizer().isPresent()) {
            requireSamePieces(target.tokenizer().get(), draft.tokenizer().get(), draft);
        }
        return PagePool.pageBytes(config, dtype(draft, options), options.pageLength());
    }

    private static void requireSamePieces(Tokenizer target, Tokenizer draft, LlamaCheckpoint checkpoint) {
        int size = Math.min(target.vocabularySize(), draft.vocabularySize());
        for (int id = 0; id < size; id++) {
            if (!Arrays.equals(target.bytes(id), draft.bytes(id))) {
                throw new ConfigurationException(
                        "draft",
                        checkpoint.path(),
                        "token " + id + " is " + draft.piece(id) + ", the model's is " + target.piece(id)
                                + ": a draft must have the model's own vocabulary");
            }
        }
    }

    /**
     * Guesses how sequences go on; of those that it has not read up to their end, it reads more.
     *
     * @param most tokens per sequence
     * @param readingRows rows for texts that it does not know yet
     * @return nanoseconds in the model
     */
    long guess(List<ActiveSequence> sequences, int most, int readingRows) {
        List<ActiveSequence> reading = new ArrayList<>();
        List<Integer> rows = new ArrayList<>();
        List<ActiveSequence> ready = new ArrayList<>();
        int budget = Math.min(stepRows, Math.max(readingRows, 2 * sequences.size()));
        for (ActiveSequence sequence : sequences) {
            int wanted = sequence.guessable(most);
            if (reading.size() == logits.rows()
                    || wanted < 1
                    || sequence.length + wanted > checkpoint.config().contextLength()) {
                continue;
            }
            PageTable table = table(sequence);
            int count = Math.min(budget, sequence.length - sequence.draftDone);
            if (count < 1 || !table.reserve(sequence.draftDone, sequence.draftDone + count + wanted)) {
                if (count > 0) {
                    sequence.freeDraft();
                }
                continue;
            }
            budget -= count;
            reading.add(sequence);
            rows.add(count);
            if (sequence.draftDone + count == sequence.length) {
                ready.add(sequence);
                sequence.draft = new int[0];
            }
        }
        if (reading.isEmpty()) {
            return 0;
        }
        long begin = System.nanoTime();
        read(reading, rows, ready);
        for (int ahead = 1; ahead < most && !ready.isEmpty(); ahead++) {
            int guessed = ahead;
            ready.removeIf(sequence ->
                    sequence.guessable(most) <= guessed || sequence.stream.endsGeneration(sequence.draft[guessed - 1]));
            if (!ready.isEmpty()) {
                read(ready, Collections.nCopies(ready.size(), 1), List.copyOf(ready));
            }
        }
        return System.nanoTime() - begin;
    }

    private PageTable table(ActiveSequence sequence) {
        PageTable table = sequence.draftTable;
        if (table == null) {
            table = new PageTable(pool, root, checkpoint.config().layerCount());
            sequence.draftTable = table;
            sequence.draftDone = 0;
        }
        table.publish(sequence.ids, Math.min(sequence.draftDone, sequence.length));
        if (sequence.draftDone == table.publishedPositions()) {
            sequence.draftDone = Math.max(sequence.draftDone, table.adopt(sequence.ids, sequence.length - 1));
        }
        return table;
    }

    /** One forward pass; those that are ready get one more guess each. */
    private void read(List<ActiveSequence> sequences, List<Integer> counts, List<ActiveSequence> ready) {
        int total = counts.stream().mapToInt(Integer::intValue).sum();
        int[] ids = new int[total];
        int[] wanted = new int[ready.size()];
        List<TokenBatch.Rows> rows = new ArrayList<>(sequences.size());
        int row = 0;
        int last = 0;
        for (int i = 0; i < sequences.size(); i++) {
            ActiveSequence sequence = sequences.get(i);
            int count = counts.get(i);
            rows.add(new TokenBatch.Rows(sequence.requireDraftTable(), sequence.draftDone, count));
            for (int j = 0; j < count; j++) {
                ids[row++] = sequence.idAt(sequence.draftDone + j);
            }
            sequence.draftDone += count;
            if (last < ready.size() && ready.get(last).equals(sequence)) {
                wanted[last++] = row - 1;
            }
        }
        if (total > activations.maxRows()) {
            Activations larger = new Activations(checkpoint.config(), Math.min(stepRows, Math.max(total, 64)));
            activations.close();
            activations = larger;
        }
        Tensor hidden = model.forward(new TokenBatch(ids, rows, wanted), activations); // (ready, C)
        if (ready.isEmpty()) {
            return;
        }
        Tensor some = logits.rows(0, ready.size()); // (ready, V)
        model.logits(some, hidden);
        threads.run((member, size) -> {
            Sampler.Workspace workspace = workspaces.get(member);
            float[] values = workspace.raw;
            for (int i = member; i < ready.size(); i += size) {
                ActiveSequence sequence = ready.get(i);
                MemorySegment.copy(some.row(i).data(), Tensor.F32_LE, 0, values, 0, values.length);
                int guessed = sequence.draft.length;
                sequence.draft = Arrays.copyOf(sequence.draft, guessed + 1);
                sequence.draft[guessed] = sequence.sampler.guess(values, guessed, workspace);
            }
        });
    }

    /** Pages that sequences hold. */
    int pagesUsed() {
        return pool.used();
    }

    @Override
    public void close() {
        activations.close();
        logitSlab.close();
        pool.close();
        model.close();
        checkpoint.close();
    }
}
