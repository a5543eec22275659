package dev.puna.inference;

import dev.puna.kernels.Kernels;
import dev.puna.model.LlamaCheckpoint;
import dev.puna.model.LlamaConfig;
import dev.puna.model.LlamaModel;
import dev.puna.model.LoraAdapter;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.DType;
import dev.puna.tensor.MachineMemory;
import dev.puna.tensor.ThreadTeam;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A LLaMA for many conversations at once.
 *
 * <pre>{@code
 * try (Engine engine = Engine.load(Path.of("Llama-3.2-1B-Q8_0.gguf"))) {
 *     int[] prompt = engine.encodePrompt("Once upon a time");
 *     System.out.println(engine.generate(EngineRequest.of(prompt, GenerationOptions.DEFAULT)).first().text());
 * }
 * }</pre>
 *
 * <p>One daemon thread computes, step by step; every step is one forward pass over rows of all sequences that are being
 * computed (Yu et al. 2022): one row of each that waits for its next token, and a chunk of those whose prompts are not
 * computed yet (Agrawal et al. 2023), so that a long prompt does not hold up the others. Keys and values lie in pages of
 * one pool; beginnings that requests have in common are computed once. When pages run out, the sequence that came last
 * gives its own back and is computed again later.
 *
 * <p>The same request with the same seed gives the same tokens and log-probabilities, to the bit, alone or among others,
 * whatever is cached, guessed or preempted, on one tier of kernels and one type of keys and values: a row depends on
 * its own sequence only, and draws depend on the request's seed and the number of the token only.
 *
 * <p>For any number of threads; blocking calls cost nothing on virtual threads.
 */
public final class Engine implements AutoCloseable {
    private final LlamaCheckpoint checkpoint;
    private final ThreadTeam threads;
    private final Kernels kernels;
    private final LlamaModel model;
    private final EngineOptions options;
    private final int context;
    private final PagePool pool;
    private final @Nullable DraftModel draft;
    private final ForwardPass forward;
    private final ContinuousBatcher batcher;
    private final AdapterRegistry adapters = new AdapterRegistry();
    private final AtomicLong refused = new AtomicLong();
    private final Thread thread;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition work = lock.newCondition();
    private final Condition quiet = lock.newCondition();
    private final WaitingRequests waiting = new WaitingRequests(); // guarded by lock
    private boolean wakened; // guarded by lock
    private boolean draining; // guarded by lock
    private boolean cancelAll; // guarded by lock
    private boolean closing; // guarded by lock
    private boolean freed; // guarded by lock
    private boolean busy; // guarded by lock

    private Engine(
            LlamaCheckpoint checkpoint,
            Optional<LlamaCheckpoint> draftCheckpoint,
            ThreadTeam threads,
            Kernels kernels,
            EngineOptions options) {
        this.checkpoint = checkpoint;
        this.threads = threads;
        this.kernels = kernels;
        this.options = options;
        LlamaConfig config = checkpoint.config();
        boolean guesses = options.lookupTokens() > 0 || draftCheckpoint.isPresent();
        int stepRows = Math.max(
                options.model().chunk(), Math.max(options.maxSequences(), guesses ? StepPlanner.GUESSING_ROWS : 0));
        DType kv = options.model().kv().dtypeFor(checkpoint);
        if (config.headSize() % kv.blockSize() != 0) {
            throw new ConfigurationException(
                    "kv", kv, "needs heads of a multiple of 32 elements, this model's have " + config.headSize());
        }
        long pageBytes = PagePool.pageBytes(config, kv, options.pageLength());
        if (draftCheckpoint.isPresent()) {
            pageBytes += DraftModel.pageBytes(checkpoint, draftCheckpoint.get(), options);
        }
        long useful = (long) options.maxSequences() * Math.ceilDiv(config.contextLength(), options.pageLength());
        long budget = options.kvBytes().orElseGet(() -> MachineMemory.now().availableBytes() / 2);
        long pages = Math.min(Integer.MAX_VALUE / options.pageLength(), Math.min(useful, budget / pageBytes));
        if (pages < 1) {
            throw new ConfigurationException(
                    "kvBytes", budget, "one page of keys and values takes " + pageBytes + " bytes");
        }
        this.pool = new PagePool(config, kv, options.pageLength(), (int) pages);
        this.context = (int) Math.min(config.contextLength(), pages * options.pageLength());
        this.draft = draftCheckpoint
                .map(opened -> new DraftModel(opened, threads, kernels, options, (int) pages, stepRows))
                .orElse(null);
        this.model = new LlamaModel(config, checkpoint.weights(), kernels);
        EngineTally tally = new EngineTally();
        this.forward = new ForwardPass(model, config, threads, stepRows, tally);
        StepPlanner planner = new StepPlanner(options, pool, stepRows, draft, tally);
        this.batcher =
                new ContinuousBatcher(config, options, checkpoint.tokenizer(), context, pool, planner, forward, tally);
        this.thread = Thread.ofPlatform().daemon().name("puna-engine").unstarted(this::run);
    }

    /** Opens a model with {@link EngineOptions#defaults()}. */
    public static Engine load(Path path) throws IOException {
        return load(path, EngineOptions.defaults());
    }

    /**
     * Opens a Hugging Face directory, a GGUF file or a Meta directory.
     *
     * @throws ConfigurationException if it is no LLaMA, the tier of kernels cannot serve, or the memory for keys and
     *     values does not hold a page
     * @throws CorruptFileException if a file is damaged
     */
    public static Engine load(Path path, EngineOptions options) throws IOException {
        LlamaCheckpoint checkpoint = LlamaCheckpoint.open(path);
        ThreadTeam threads = new ThreadTeam("puna", options.model().threads());
        Optional<LlamaCheckpoint> draft = Optional.empty();
        try {
            if (options.draft().isPresent()) {
                draft = Optional.of(LlamaCheckpoint.open(options.draft().get()));
            }
            Kernels kernels = Kernels.open(options.model().kernels(), threads);
            try {
                Engine engine = new Engine(checkpoint, draft, threads, kernels, options);
                engine.thread.start();
                return engine;
            } catch (RuntimeException e) {
                kernels.close();
                throw e;
            }
        } catch (IOException | RuntimeException e) {
            draft.ifPresent(LlamaCheckpoint::close);
            threads.close();
            checkpoint.close();
            throw e;
        }
    }

    /**
     * Opens a LoRA adapter; requests name it by {@link EngineRequest#withAdapter}, and those of several adapters and of
     * none are computed together. The base is not copied.
     *
     * @param name for {@link #adapter}
     * @param directory as PEFT writes it
     * @throws ConfigurationException if there is one of that name, or it does not fit this model
     * @throws CorruptFileException if a file is damaged
     */
    public LoraAdapter loadAdapter(String name, Path directory) throws IOException {
        LoraAdapter opened =
                LoraAdapter.open(directory, config(), checkpoint.weights().pairing());
        adapters.add(name, opened);
        return opened;
    }

    /** The adapter of that name, if one is loaded. */
    public Optional<LoraAdapter> adapter(String name) {
        return adapters.get(name);
    }

    /** The names of the adapters, in the order in which they were loaded. */
    public List<String> adapterNames() {
        return adapters.names();
    }

    /**
     * Takes an adapter away: no more requests, and its memory is freed when the last one that uses it has ended.
     *
     * @return whether there was one of that name
     */
    public boolean unloadAdapter(String name) {
        boolean retired = adapters.retire(name);
        wake();
        return retired;
    }

    public LlamaConfig config() {
        return checkpoint.config();
    }

    public EngineOptions options() {
        return options;
    }

    /** The tier of kernels that computes. */
    public String tier() {
        return kernels.tier();
    }

    /** The longest sequence, prompt and answer: the model's context, or what all pages together hold. */
    public int contextLength() {
        return context;
    }

    /**
     * The vocabulary.
     *
     * @throws ConfigurationException if none lies with the weights; ids can be used without
     */
    public Tokenizer tokenizer() {
        return checkpoint
                .tokenizer()
                .orElseThrow(() -> new ConfigurationException(
                        "model",
                        checkpoint.path(),
                        "has no tokenizer: put tokenizer.json or tokenizer.model beside the weights"));
    }

    /** The ids of a prompt as the model expects it ({@link Llama#encodePrompt}). */
    public int[] encodePrompt(String prompt) {
        return tokenizer().encode(prompt, dev.puna.tokenizer.EncodeOptions.prompt(tokenizer()));
    }

    /** Tells {@code observer} how the engine works from now on, instead of whom it told before. */
    public void observe(EngineObserver other) {
        batcher.observe(other);
    }

    /** The engine as it stood after its last step; the queue as it stands now. */
    public EngineCounters counters() {
        int queued;
        lock.lock();
        try {
            queued = waiting.size();
        } finally {
            lock.unlock();
        }
        return batcher.counters().withQueue(queued, refused.get());
    }

    /**
     * Takes a request; returns at once.
     *
     * @throws ConfigurationException if the prompt is empty or does not fit the context, or the options do not fit the
     *     vocabulary
     * @throws IllegalStateException if this engine is closed
     */
    public Submission submit(EngineRequest request) {
        ActiveRequest active =
                new ActiveRequest(request, new Generation(this::wake), config().vocabularySize(), new Purpose.Answer());
        return enqueue(active)
                ? new Submission.Accepted(active.generation)
                : new Submission.QueueFull(options.queueLimit(), retryAfter());
    }

    /**
     * Takes a request and waits for its result.
     *
     * @throws RejectedExecutionException if the queue is full
     */
    public EngineResult generate(EngineRequest request) {
        return switch (submit(request)) {
            case Submission.Accepted(Generation generation) -> generation.await();
            case Submission.QueueFull(int limit, Duration retryAfter) -> throw refusal(limit, retryAfter);
        };
    }

    /** Continues a text, and waits for the end. */
    public GenerationResult generate(String prompt, GenerationOptions generation) {
        return generate(EngineRequest.of(encodePrompt(prompt), generation)).first();
    }

    /**
     * The state of a text after the model's last norm: C numbers.
     *
     * @param normalise whether to scale it to length 1
     * @throws RejectedExecutionException if the queue is full
     * @throws ConfigurationException if the text is empty or does not fit the context
     */
    public float[] embed(int[] ids, Pooling pooling, boolean normalise) {
        return embed(ids, pooling, normalise, Optional.empty());
    }

    /**
     * The state of a text in the model with an adapter, else like {@link #embed(int[], Pooling, boolean)}.
     *
     * @param adapter one of {@link #loadAdapter}; empty for the model as it is
     */
    public float[] embed(int[] ids, Pooling pooling, boolean normalise, Optional<LoraAdapter> adapter) {
        EngineRequest plain = EngineRequest.of(ids, GenerationOptions.DEFAULT.withMaxTokens(0));
        EngineRequest request = adapter.map(plain::withAdapter).orElse(plain);
        Purpose.Embedding wanted = new Purpose.Embedding(pooling);
        ActiveRequest active =
                new ActiveRequest(request, new Generation(this::wake), config().vocabularySize(), wanted);
        if (!enqueue(active)) {
            throw refusal(options.queueLimit(), retryAfter());
        }
        active.generation.await();
        float[] embedding = wanted.value();
        if (embedding.length == 0) {
            throw new java.util.concurrent.CancellationException("the engine was closed");
        }
        if (normalise) {
            double squares = 0;
            for (float value : embedding) {
                squares += (double) value * value;
            }
            double scale = squares == 0 ? 0 : 1 / Math.sqrt(squares);
            for (int i = 0; i < embedding.length; i++) {
                embedding[i] = (float) (embedding[i] * scale);
            }
        }
        return embedding;
    }

    private static RejectedExecutionException refusal(int limit, Duration retryAfter) {
        return new RejectedExecutionException(
                limit + " requests wait already; try again in " + retryAfter.toSeconds() + " s");
    }

    private boolean enqueue(ActiveRequest active) {
        EngineRequest request = active.what;
        int length = request.prompt().length;
        int answer = request.options().maxTokens() > 0 ? 1 : 0;
        if (length == 0) {
            throw new ConfigurationException("prompt", "(empty)", "there must be at least one token");
        }
        if (length + answer > context) {
            throw new ConfigurationException(
                    "prompt",
                    length + " tokens",
                    context == config().contextLength()
                            ? "the model's context is " + context + " tokens, and the answer needs room in it"
                            : "all pages together hold " + context + " tokens: give more memory to keys and values");
        }
        if (request.choices() > options.maxSequences()) {
            throw new ConfigurationException(
                    "choices", request.choices(), "at most " + options.maxSequences() + " are computed together");
        }
        for (int id : request.prompt()) {
            if (id < 0 || id >= config().vocabularySize()) {
                throw new ConfigurationException(
                        "prompt", "token " + id, "the vocabulary has " + config().vocabularySize() + " tokens");
            }
        }
        for (int id : request.options().sampling().logitBias().keySet()) {
            if (id >= config().vocabularySize()) {
                throw new ConfigurationException(
                        "logitBias", id, "the vocabulary has " + config().vocabularySize() + " tokens");
            }
        }
        lock.lock();
        try {
            if (closing || draining) {
                throw new IllegalStateException("this engine is closed");
            }
            if (request.adapter().isPresent()
                    && !adapters.contains(request.adapter().get())) {
                throw new ConfigurationException(
                        "adapter", request.adapter().get().path(), "is not loaded in this engine");
            }
            if (waiting.size() >= options.queueLimit()) {
                refused.incrementAndGet();
                return false;
            }
            waiting.add(active);
            work.signal();
            return true;
        } finally {
            lock.unlock();
        }
    }

    private Duration retryAfter() {
        lock.lock();
        try {
            double seconds = batcher.requestSeconds() * waiting.size() / options.maxSequences();
            return Duration.ofSeconds(Math.clamp((long) Math.ceil(seconds), 1, 600));
        } finally {
            lock.unlock();
        }
    }

    private void wake() {
        lock.lock();
        try {
            wakened = true;
            work.signal();
        } finally {
            lock.unlock();
        }
    }

    /** What the engine's thread does until it is closed. */
    private void run() {
        try {
            boolean open = true;
            while (open) {
                try {
                    open = turn();
                } catch (RuntimeException | Error e) {
                    batcher.failAll(e);
                }
            }
        } finally {
            leave();
        }
    }

    /** Waits for work and does some: at most one step. False when the engine is closed. */
    private boolean turn() {
        boolean stop;
        boolean all;
        List<ActiveRequest> dropped;
        lock.lock();
        try {
            while (!closing && !wakened && batcher.isIdle() && waiting.size() == 0) {
                busy = false;
                quiet.signalAll();
                work.awaitUninterruptibly();
            }
            busy = true;
            wakened = false;
            stop = closing;
            all = closing || cancelAll;
            cancelAll = false;
            dropped = waiting.take(all);
        } finally {
            lock.unlock();
        }
        batcher.drop(dropped);
        batcher.dropCancelled(all);
        closeRetired();
        if (stop) {
            batcher.recount();
            return false;
        }
        batcher.turn(this::takeIf);
        return true;
    }

    /** The request whose turn it is, if it passes; else it keeps its place. */
    private @Nullable ActiveRequest takeIf(Predicate<ActiveRequest> test) {
        lock.lock();
        try {
            ActiveRequest request = waiting.peek();
            if (request == null || !test.test(request)) {
                return null;
            }
            waiting.takeFirst();
            return request;
        } finally {
            lock.unlock();
        }
    }

    /** The thread ends, closed or not: nobody comes in any more, and nobody waits for it. */
    private void leave() {
        List<ActiveRequest> left;
        lock.lock();
        try {
            closing = true;
            busy = false;
            left = waiting.take(true);
            quiet.signalAll();
        } finally {
            lock.unlock();
        }
        batcher.abandon(left);
    }

    /** Frees adapters that were unloaded and that nobody uses any more. */
    private void closeRetired() {
        if (!adapters.hasRetired()) {
            return;
        }
        lock.lock(); // nobody submits meanwhile
        try {
            Set<LoraAdapter> used = batcher.adapters();
            waiting.forEach(request -> request.what.adapter().ifPresent(used::add));
            adapters.closeUnused(used).forEach(batcher::forget);
        } finally {
            lock.unlock();
        }
    }

    /** Pages that sequences hold in the draft's pool; for tests. */
    int draftPagesUsed() {
        return draft == null ? 0 : draft.pagesUsed();
    }

    /**
     * Takes no more requests and waits for those it has.
     *
     * @return whether all have ended in that time
     */
    public boolean drain(Duration patience) throws InterruptedException {
        long left = patience.toNanos();
        lock.lock();
        try {
            draining = true;
            while ((busy || waiting.size() > 0) && !closing) {
                if (left <= 0) {
                    return false;
                }
                left = quiet.awaitNanos(left);
            }
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** Whether it takes no more requests: it is closed, or on the way there. */
    public boolean isClosed() {
        lock.lock();
        try {
            return closing || draining;
        } finally {
            lock.unlock();
        }
    }

    /** Cancels every request that waits or is computed, as {@link Generation#cancel} does. */
    public void cancelAll() {
        lock.lock();
        try {
            cancelAll = true;
            wakened = true;
            work.signal();
        } finally {
            lock.unlock();
        }
    }

    /** Cancels everything, waits for the step at hand and frees all memory. Idempotent. */
    @Override
    public void close() {
        boolean first;
        lock.lock();
        try {
            first = !freed;
            freed = true;
            closing = true;
            work.signal();
            quiet.signalAll();
        } finally {
            lock.unlock();
        }
        joinThread();
        if (first) {
            forward.close();
            pool.close();
            if (draft != null) {
                draft.close();
            }
            adapters.close();
            model.close();
            kernels.close();
            threads.close();
            checkpoint.close();
        }
    }

    private void joinThread() {
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join(TimeUnit.SECONDS.toMillis(1));
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
