package dev.puna.inference;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Which rows the next step computes: one of each stream, with what is guessed after it, then parts of prompts as long as
 * there is room. When pages run out, the sequence that came last gives its own back and comes again before anybody new.
 * For the engine's thread.
 */
final class StepPlanner {
    /** Rows of a step that streams fill with guesses: so many take hardly longer than one. */
    static final int GUESSING_ROWS = 16;

    private final EngineOptions options;
    private final PagePool pool;
    private final int stepRows;
    private final @Nullable DraftModel draft;
    private final EngineTally tally;
    private final PrefillBudget budget;
    /** By arrival. */
    private final List<ActiveSequence> running = new ArrayList<>();
    /** Those that lost their pages, by arrival. */
    private final List<ActiveSequence> preempted = new ArrayList<>();

    /** @param stepRows the most that a step computes */
    StepPlanner(EngineOptions options, PagePool pool, int stepRows, @Nullable DraftModel draft, EngineTally tally) {
        this.options = options;
        this.pool = pool;
        this.stepRows = stepRows;
        this.draft = draft;
        this.tally = tally;
        this.budget = new PrefillBudget(options.mixedPrefill());
    }

    boolean isIdle() {
        return running.isEmpty() && preempted.isEmpty();
    }

    int runningCount() {
        return running.size();
    }

    boolean isRunning(ActiveSequence sequence) {
        return running.contains(sequence);
    }

    /** Those that are computed, and those that lost their pages. */
    Stream<ActiveSequence> sequences() {
        return Stream.concat(running.stream(), preempted.stream());
    }

    void remove(Collection<ActiveSequence> sequences) {
        running.removeAll(sequences);
        preempted.removeAll(sequences);
    }

    /** Lets those in again that lost their pages; false if somebody still waits for room. */
    boolean readmit() {
        while (!preempted.isEmpty() && fits(preempted.getFirst().length + 1, places(preempted.getFirst()))) {
            insert(preempted.removeFirst());
        }
        return preempted.isEmpty();
    }

    /** Whether so many more sequences have their places, and one of them its pages. */
    boolean fits(int positions, int sequences) {
        return running.isEmpty()
                || (running.stream().mapToInt(StepPlanner::places).sum() + sequences <= options.maxSequences()
                        && Math.ceilDiv(positions, pool.pageLength()) <= pool.available());
    }

    /** How many are computed where this one is: the first of several choices stands for all until it has forked. */
    private static int places(ActiveSequence sequence) {
        return sequence.request.forked ? 1 : sequence.request.what.choices();
    }

    /** Lets a sequence in. */
    void insert(ActiveSequence sequence) {
        running.add(sequence);
        running.sort(Comparator.comparingLong(each -> each.arrival));
    }

    /** Gives each sequence its rows of the next step. */
    List<ActiveSequence> plan() {
        int free = stepRows;
        boolean streams = false;
        guess();
        for (ActiveSequence sequence : List.copyOf(running)) {
            if (sequence.decodes() && running.contains(sequence) && free > 0) {
                streams = true;
                int rows = 1 + sequence.draft.length;
                if (reserve(sequence, sequence.done + rows)) {
                    sequence.rows = rows;
                    free -= rows;
                }
            }
        }
        int prefill = streams ? Math.min(free, budget.rows()) : free;
        Set<PagePool.Key> underway = new HashSet<>();
        for (ActiveSequence sequence : List.copyOf(running)) {
            if (sequence.rows > 0 || sequence.decodes() || !running.contains(sequence) || prefill == 0) {
                continue;
            }
            PagePool.Key key = share(sequence);
            if (key != null && underway.contains(key)) {
                continue; // another computes this page: it will be found in the next step
            }
            int rows = Math.min(prefill, sequence.length - sequence.done);
            if (reserve(sequence, sequence.done + rows)) {
                sequence.rows = rows;
                prefill -= rows;
                if (key != null) {
                    underway.add(key);
                }
            }
        }
        List<ActiveSequence> batch = new ArrayList<>();
        for (ActiveSequence sequence : running) {
            if (sequence.rows > 0 && sequence.request.generates()) {
                batch.add(sequence);
            }
        }
        for (ActiveSequence sequence : running) {
            if (sequence.rows > 0 && !sequence.request.generates()) {
                batch.add(sequence);
            }
        }
        return batch;
    }

    /** How long the step took that was planned last. */
    void note(List<ActiveSequence> batch, long nanos) {
        int streamRows = 0;
        int promptRows = 0;
        for (ActiveSequence sequence : batch) {
            if (sequence.done >= sequence.promptLength) {
                streamRows += sequence.rows;
            } else {
                promptRows += sequence.rows;
            }
        }
        budget.note(streamRows, promptRows, nanos);
    }

    /** Guesses what streams will say: as much as fits into a step that takes hardly longer than one without. */
    private void guess() {
        if (options.lookupTokens() == 0 && draft == null) {
            return;
        }
        List<ActiveSequence> streams = new ArrayList<>();
        for (ActiveSequence sequence : running) {
            if (sequence.decodes() && sequence.request.generates()) {
                streams.add(sequence);
            }
        }
        if (streams.isEmpty()) {
            return;
        }
        int each = GUESSING_ROWS / streams.size() - 1;
        List<ActiveSequence> unguessed = new ArrayList<>();
        for (ActiveSequence sequence : streams) {
            sequence.guess(Math.min(options.lookupTokens(), each));
            if (sequence.draft.length == 0) {
                unguessed.add(sequence);
            }
        }
        if (draft != null && each > 0) {
            tally.modelNanos += draft.guess(unguessed, Math.min(options.draftTokens(), each), options.mixedPrefill());
        }
    }

    /** Takes what others have computed; gives the key of the page that comes next, if others may want it. */
    private PagePool.@Nullable Key share(ActiveSequence sequence) {
        if (!options.prefixSharing() || sequence.wantsPrompt()) {
            return null;
        }
        PageTable table = sequence.table;
        if (sequence.done != table.publishedPositions()) {
            return null;
        }
        int before = sequence.done;
        sequence.done = Math.max(before, table.adopt(sequence.ids, sequence.length - 1));
        int found = sequence.done - before;
        if (sequence.tokens.isEmpty()) {
            sequence.reused += found;
        }
        tally.reusedTokens += found;
        return sequence.done + pool.pageLength() < sequence.length ? table.nextKey(sequence.ids) : null;
    }

    /** Makes room up to a position, at the cost of those who came later. */
    private boolean reserve(ActiveSequence sequence, int end) {
        while (!sequence.table.reserve(sequence.done, end)) {
            ActiveSequence youngest = running.getLast();
            preempt(youngest);
            if (youngest.equals(sequence)) {
                return false;
            }
        }
        return true;
    }

    private void preempt(ActiveSequence sequence) {
        sequence.table.free();
        sequence.freeDraft();
        sequence.done = 0;
        sequence.clearStep();
        running.remove(sequence);
        preempted.add(sequence);
        preempted.sort(Comparator.comparingLong(each -> each.arrival));
        tally.preemptions++;
    }
}
