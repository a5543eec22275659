package dev.puna.inference;

import dev.puna.model.LlamaConfig;
import dev.puna.model.LoraAdapter;
import dev.puna.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The work of an engine's thread, turn by turn: it lets requests in, has one step computed, hands out what came of it, and
 * sees those off that have ended (Yu et al. 2022, "Orca"). Whatever happens, each request that came in is answered.
 * What is public to other threads is {@link #counters}, {@link #observe} and {@link #requestSeconds}.
 */
final class ContinuousBatcher {
    private final LlamaConfig config;
    private final EngineOptions options;
    private final Optional<Tokenizer> tokenizer;
    private final int context;
    private final PagePool pool;
    private final StepPlanner planner;
    private final ForwardPass forward;
    private final EngineTally tally;
    private final long root;
    /** Where the pages of each adapter's sequences begin: they share none with those of others. */
    private final Map<LoraAdapter, Long> roots = new HashMap<>();
    /** Taken off the queue, and not answered yet. */
    private final Set<ActiveRequest> unanswered = new LinkedHashSet<>();

    private long arrivals;
    private volatile double requestSeconds = 1; // a moving average
    private volatile EngineCounters counters;
    private volatile EngineObserver observer = EngineObserver.NONE;

    /** @param context the longest sequence */
    ContinuousBatcher(
            LlamaConfig config,
            EngineOptions options,
            Optional<Tokenizer> tokenizer,
            int context,
            PagePool pool,
            StepPlanner planner,
            ForwardPass forward,
            EngineTally tally) {
        this.config = config;
        this.options = options;
        this.tokenizer = tokenizer;
        this.context = context;
        this.pool = pool;
        this.planner = planner;
        this.forward = forward;
        this.tally = tally;
        this.root = pool.newChain();
        this.counters = tally.counters(pool, 0, 0);
    }

    void observe(EngineObserver other) {
        this.observer = other;
    }

    /** As of the last step, with nothing known about the queue. */
    EngineCounters counters() {
        return counters;
    }

    /** How long a request is computed, about. */
    double requestSeconds() {
        return requestSeconds;
    }

    boolean isIdle() {
        return planner.isIdle();
    }

    /** The adapters of what is computed. */
    Set<LoraAdapter> adapters() {
        Set<LoraAdapter> used = new HashSet<>();
        planner.sequences().forEach(sequence -> sequence.request.what.adapter().ifPresent(used::add));
        return used;
    }

    /** There will be no more requests of an adapter. */
    void forget(LoraAdapter adapter) {
        roots.remove(adapter);
    }

    /**
     * Lets in who has room, and computes one step.
     *
     * @param queue gives the request whose turn it is, if it passes, or null
     */
    void turn(Function<Predicate<ActiveRequest>, @Nullable ActiveRequest> queue) {
        long begin = System.nanoTime();
        admit(queue);
        step();
        tally.busyNanos += System.nanoTime() - begin;
    }

    /** Ends requests that have not begun. */
    void drop(List<ActiveRequest> waiting) {
        unanswered.addAll(waiting);
        for (ActiveRequest request : waiting) {
            if (created(request)) {
                end(request);
            }
        }
    }

    /** Nothing will be computed any more. */
    void abandon(List<ActiveRequest> waiting) {
        unanswered.addAll(waiting);
        for (ActiveRequest request : unanswered) {
            request.generation.fail(new IllegalStateException("this engine has stopped"));
        }
    }

    void recount() {
        counters = tally.counters(pool, planner.runningCount(), 0);
    }

    /** Lets in who waits, as long as there is room: first those that were preempted. */
    private void admit(Function<Predicate<ActiveRequest>, @Nullable ActiveRequest> queue) {
        if (!planner.readmit()) {
            return;
        }
        Predicate<ActiveRequest> fits =
                request -> planner.fits(request.what.prompt().length + 1, request.what.choices());
        for (ActiveRequest request = queue.apply(fits); request != null; request = queue.apply(fits)) {
            unanswered.add(request);
            request.startedNanos = System.nanoTime();
            observer.begun(request.startedNanos - request.submittedNanos);
            if (created(request)) {
                planner.insert(request.sequences.getFirst());
            }
        }
    }

    /** Whether a request has its sequences now; if they cannot be made, it has failed. */
    private boolean created(ActiveRequest request) {
        try {
            createSequences(request);
            return true;
        } catch (RuntimeException | Error e) {
            fail(request, EngineFailure.reason(e));
            return false;
        }
    }

    private void createSequences(ActiveRequest request) {
        EngineRequest what = request.what;
        long start = what.adapter()
                .map(adapter -> roots.computeIfAbsent(adapter, each -> pool.newChain()))
                .orElse(root);
        int room = Math.min(what.options().maxTokens(), context - what.prompt().length);
        for (int choice = 0; choice < what.choices(); choice++) {
            request.sequences.add(new ActiveSequence(
                    request,
                    choice,
                    arrivals++,
                    new PageTable(pool, start, config.layerCount()),
                    room,
                    new TextStream(tokenizer, what.prompt(), what.options().stop())));
        }
    }

    private void step() {
        List<ActiveSequence> batch = planner.plan();
        if (batch.isEmpty()) {
            return;
        }
        int[] lasts = batch.stream().mapToInt(sequence -> sequence.length - 1).toArray();
        int rowCount = batch.stream().mapToInt(sequence -> sequence.rows).sum();
        long start = System.nanoTime();
        try {
            forward.compute(batch, lasts);
        } catch (RuntimeException | Error e) {
            RuntimeException reason = EngineFailure.reason(e);
            for (ActiveSequence sequence : batch) {
                sequence.failure = reason;
            }
        }
        tally.steps++;
        planner.note(batch, System.nanoTime() - start);
        commit(batch, lasts, rowCount);
    }

    /** Takes the step's results over: pages become known, tokens are announced, what has ended leaves. */
    private void commit(List<ActiveSequence> batch, int[] lasts, int rowCount) {
        long now = System.nanoTime();
        Set<ActiveRequest> touched = new HashSet<>();
        for (int i = 0; i < batch.size(); i++) {
            ActiveSequence sequence = batch.get(i);
            ActiveRequest request = sequence.request;
            touched.add(request);
            int computed = sequence.done + sequence.rows;
            boolean reached = computed > lasts[i];
            if (sequence.done < sequence.promptLength) {
                tally.promptTokens += Math.min(computed, sequence.promptLength) - sequence.done;
            }
            if (reached) {
                tally.draftedTokens += sequence.draft.length;
                tally.acceptedTokens += Math.max(0, sequence.accepted - 1);
            }
            tally.generatedTokens += sequence.accepted;
            sequence.done = reached ? Math.min(computed, lasts[i] + Math.max(1, sequence.accepted)) : computed;
            if (options.prefixSharing() && sequence.failure == null) {
                sequence.table.publish(sequence.ids, sequence.done);
            }
            if (sequence.draftTable != null) {
                sequence.draftDone = Math.min(sequence.draftDone, sequence.length - 1);
            }
            if (reached && !request.forked && request.generates()) {
                if (request.firstTokenNanos == 0) {
                    request.firstTokenNanos = now;
                    observer.firstToken(now - request.submittedNanos);
                }
                fork(request, sequence);
            }
            for (int token = 0; token < sequence.accepted; token++) {
                if (sequence.lastTokenNanos != 0) {
                    observer.nextToken(now - sequence.lastTokenNanos);
                }
                sequence.lastTokenNanos = now;
            }
            sequence.clearStep();
        }
        List<ActiveRequest> complete = new ArrayList<>();
        for (ActiveRequest request : touched) {
            @Nullable RuntimeException failure = null;
            boolean ended = true;
            for (ActiveSequence sequence : request.sequences) {
                failure = sequence.failure != null ? sequence.failure : failure;
                if (sequence.finish == null) {
                    ended = false;
                } else if (sequence.table.pageCount() > 0 || planner.isRunning(sequence)) {
                    sequence.table.free();
                    sequence.freeDraft();
                    planner.remove(List.of(sequence));
                }
            }
            if (failure != null) {
                fail(request, failure);
            } else if (ended) {
                complete.add(request);
                tally.finished++;
            }
        }
        counters = tally.counters(pool, planner.runningCount(), rowCount);
        observer.stepped(rowCount, batch.size());
        for (ActiveRequest request : touched) {
            request.sequences.forEach(ActiveSequence::announce);
        }
        for (ActiveRequest request : complete) {
            double average = requestSeconds; // this thread alone writes it
            requestSeconds = average + 0.1 * ((now - request.startedNanos) * 1e-9 - average);
            complete(request, now);
        }
    }

    /** The prompt is computed: the other choices begin with its pages. */
    private void fork(ActiveRequest request, ActiveSequence first) {
        request.forked = true;
        for (ActiveSequence other : request.sequences.subList(1, request.sequences.size())) {
            tally.generatedTokens += other.accepted;
            if (other.finish == null && other.failure == null) {
                other.table = first.table.fork(other.promptLength);
                other.done = other.promptLength;
                other.reused = first.reused;
                other.lastTokenNanos = System.nanoTime();
                planner.insert(other);
            }
            other.clearStep();
        }
    }

    /** Something went wrong that belongs to no request alone: all that were taken fail. */
    void failAll(Throwable cause) {
        RuntimeException reason = EngineFailure.reason(cause);
        List.copyOf(unanswered).forEach(request -> fail(request, reason));
    }

    /** Ends what was cancelled, or everything. */
    void dropCancelled(boolean all) {
        Set<ActiveRequest> requests = new HashSet<>();
        planner.sequences().map(sequence -> sequence.request).forEach(request -> {
            if (all || request.generation.isCancelled()) {
                requests.add(request);
            }
        });
        requests.forEach(this::end);
    }

    /** Ends a request as far as it came. */
    private void end(ActiveRequest request) {
        request.sequences.forEach(ActiveSequence::cancel);
        free(request);
        tally.cancelled++;
        request.sequences.forEach(ActiveSequence::announce);
        recount();
        complete(request, System.nanoTime());
    }

    private void complete(ActiveRequest request, long now) {
        request.generation.complete(request.result(now));
        unanswered.remove(request);
    }

    private void fail(ActiveRequest request, RuntimeException cause) {
        free(request);
        tally.failed++;
        recount();
        request.generation.fail(cause);
        unanswered.remove(request);
    }

    private void free(ActiveRequest request) {
        for (ActiveSequence sequence : request.sequences) {
            sequence.table.free();
            sequence.freeDraft();
            sequence.clearStep();
        }
        planner.remove(request.sequences);
    }
}
