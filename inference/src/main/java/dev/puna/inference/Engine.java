package dev.puna.inference;

import dev.puna.kernels.Kernels;
import dev.puna.model.Activations;
import dev.puna.model.LlamaCheckpoint;
import dev.puna.model.LlamaConfig;
import dev.puna.model.LlamaModel;
import dev.puna.model.LoraAdapter;
import dev.puna.model.TokenBatch;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.DType;
import dev.puna.tensor.MachineMemory;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;
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
    /** Rows of a step that streams fill with guesses: so many take hardly longer than one. */
    private static final int GUESSING_ROWS = 16;

    /** How many times as long as streams alone a step with a part of a prompt may take. */
    private static final double STRETCH = 4;

    /** Rows of prompts in such a step: at least, and before anything is known about times. */
    private static final int LEAST_PREFILL = 32;

    private static final int UNKNOWN_PREFILL = 64;

    /** Rows of logits that are held at once. */
    private static final int LOGIT_ROWS = 64;

    private final LlamaCheckpoint checkpoint;
    private final ThreadTeam threads;
    private final Kernels kernels;
    private final LlamaModel model;
    private final EngineOptions options;
    private final int stepRows;
    private final int context;
    private final PagePool pool;
    private final long root;
    private final @Nullable DraftModel draft;
    private final Slab logitSlab;
    private final Tensor logits; // (64, V)
    private final List<Sampler.Workspace> workspaces; // one for each member of the team
    private final Thread thread;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition work = lock.newCondition();
    private final Condition quiet = lock.newCondition();
    private final WaitingRequests waiting = new WaitingRequests(); // guarded by lock
    private final Map<String, LoraAdapter> adapters = new LinkedHashMap<>(); // guarded by lock
    private final List<LoraAdapter> retired = new ArrayList<>(); // guarded by lock
    private boolean wakened; // guarded by lock
    private boolean draining; // guarded by lock
    private boolean cancelAll; // guarded by lock
    private boolean closing; // guarded by lock
    private boolean freed; // guarded by lock
    private boolean busy; // guarded by lock
    private double requestSeconds = 1; // guarded by lock: a moving average

    // The engine's thread only.
    private Activations activations;
    /** By arrival. */
    private final List<ActiveSequence> running = new ArrayList<>();
    /** Those that lost their pages, by arrival. */
    private final List<ActiveSequence> preempted = new ArrayList<>();

    /** Taken off the queue, and not answered yet: whatever happens, each of them hears of it. */
    private final Set<ActiveRequest> unanswered = new LinkedHashSet<>();

    /** Where the pages of each adapter's sequences begin: they share none with those of others. */
    private final Map<LoraAdapter, Long> roots = new HashMap<>();

    private long arrivals;

    private final AtomicLong refused = new AtomicLong();
    private long steps;
    private long promptTokens;
    private long reusedTokens;
    private long generatedTokens;
    private long draftedTokens;
    private long acceptedTokens;
    private long preemptions;
    private long finished;
    private long cancelled;
    private long failed;
    /** Moving averages: a step of streams alone, and what a row of a prompt adds to it. */
    private double streamStepNanos;

    private double promptRowNanos;
    private long busyNanos;
    private long modelNanos;
    private volatile EngineCounters counters;
    private volatile EngineObserver observer = EngineObserver.NONE;

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
        this.stepRows =
                Math.max(options.model().chunk(), Math.max(options.maxSequences(), guesses ? GUESSING_ROWS : 0));
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
        this.root = pool.newChain();
        this.model = new LlamaModel(config, checkpoint.weights(), kernels);
        this.activations = new Activations(config, 1);
        this.logitSlab = new Slab(Slab.bytesFor(DType.F32, LOGIT_ROWS, config.vocabularySize()));
        this.logits = logitSlab.allocate(DType.F32, LOGIT_ROWS, config.vocabularySize());
        this.workspaces = Stream.generate(() -> new Sampler.Workspace(config.vocabularySize()))
                .limit(threads.size())
                .toList();
        this.counters = count(0, 0);
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
        lock.lock();
        try {
            if (closing || adapters.containsKey(name)) {
                opened.close();
                throw closing
                        ? new IllegalStateException("this engine is closed")
                        : new ConfigurationException("adapter", name, "there is one of that name already");
            }
            adapters.put(name, opened);
            return opened;
        } finally {
            lock.unlock();
        }
    }

    /** The adapter of that name, if one is loaded. */
    public Optional<LoraAdapter> adapter(String name) {
        lock.lock();
        try {
            return Optional.ofNullable(adapters.get(name));
        } finally {
            lock.unlock();
        }
    }

    /** The names of the adapters, in the order in which they were loaded. */
    public List<String> adapterNames() {
        lock.lock();
        try {
            return List.copyOf(adapters.keySet());
        } finally {
            lock.unlock();
        }
    }

    /**
     * Takes an adapter away: no more requests, and its memory is freed when the last one that uses it has ended.
     *
     * @return whether there was one of that name
     */
    public boolean unloadAdapter(String name) {
        lock.lock();
        try {
            LoraAdapter removed = adapters.remove(name);
            if (removed == null) {
                return false;
            }
            retired.add(removed);
            wakened = true;
            work.signal();
            return true;
        } finally {
            lock.unlock();
        }
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
        this.observer = other;
    }

    /** The engine as it stood after its last step; the queue as it stands now. */
    public EngineCounters counters() {
        EngineCounters last = counters;
        int queued;
        lock.lock();
        try {
            queued = waiting.size();
        } finally {
            lock.unlock();
        }
        return new EngineCounters(
                last.pageLimit(),
                last.pagesUsed(),
                last.pagesCached(),
                queued,
                last.running(),
                last.batchRows(),
                last.steps(),
                last.promptTokens(),
                last.reusedTokens(),
                last.generatedTokens(),
                last.draftedTokens(),
                last.acceptedTokens(),
                last.preemptions(),
                last.finished(),
                last.cancelled(),
                last.failed(),
                refused.get(),
                last.busyNanos(),
                last.modelNanos());
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
                    && !adapters.containsValue(request.adapter().get())) {
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
            double seconds = requestSeconds * waiting.size() / options.maxSequences();
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
                    failAll(e);
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
            while (!closing && !wakened && running.isEmpty() && preempted.isEmpty() && waiting.size() == 0) {
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
        unanswered.addAll(dropped);
        for (ActiveRequest request : dropped) {
            if (created(request)) {
                end(request);
            }
        }
        dropCancelled(all);
        closeRetired();
        if (stop) {
            counters = count(0, 0);
            return false;
        }
        long begin = System.nanoTime();
        admit();
        step();
        busyNanos += System.nanoTime() - begin;
        return true;
    }

    /** The thread ends, closed or not: nobody comes in any more, and nobody waits for it. */
    private void leave() {
        lock.lock();
        try {
            closing = true;
            busy = false;
            unanswered.addAll(waiting.take(true));
            quiet.signalAll();
        } finally {
            lock.unlock();
        }
        for (ActiveRequest request : unanswered) {
            request.generation.fail(new IllegalStateException("this engine has stopped"));
        }
    }

    /** What a request that fails is told. */
    private static RuntimeException reason(Throwable thrown) {
        return switch (thrown) {
            case RuntimeException e -> e;
            case OutOfMemoryError e ->
                new IllegalStateException("memory ran out: use a smaller kvBytes, or fewer slots at once", e);
            default -> new IllegalStateException("the computation met " + thrown, thrown);
        };
    }

    /** Frees adapters that were unloaded and that nobody uses any more. */
    private void closeRetired() {
        lock.lock();
        try {
            if (retired.isEmpty()) {
                return;
            }
            Set<LoraAdapter> used = new HashSet<>();
            waiting.forEach(request -> request.what.adapter().ifPresent(used::add));
            for (List<ActiveSequence> list : List.of(running, preempted)) {
                list.forEach(sequence -> sequence.request.what.adapter().ifPresent(used::add));
            }
            for (LoraAdapter adapter : List.copyOf(retired)) {
                if (!used.contains(adapter)) {
                    retired.remove(adapter);
                    roots.remove(adapter);
                    adapter.close();
                }
            }
        } finally {
            lock.unlock();
        }
    }

    private void failAll(Throwable cause) {
        RuntimeException reason = reason(cause);
        List.copyOf(unanswered).forEach(request -> fail(request, reason));
    }

    private void dropCancelled(boolean all) {
        Set<ActiveRequest> requests = new HashSet<>();
        for (List<ActiveSequence> list : List.of(running, preempted)) {
            for (ActiveSequence sequence : list) {
                if (all || sequence.request.generation.isCancelled()) {
                    requests.add(sequence.request);
                }
            }
        }
        requests.forEach(this::end);
        if (!requests.isEmpty()) {
            counters = count(running.size(), 0);
        }
    }

    /** Ends a request as far as it came. */
    private void end(ActiveRequest request) {
        request.sequences.forEach(ActiveSequence::cancel);
        free(request);
        cancelled++;
        request.sequences.forEach(ActiveSequence::announce);
        counters = count(running.size(), 0);
        complete(request, System.nanoTime());
    }

    private void complete(ActiveRequest request, long now) {
        request.generation.complete(request.result(now));
        unanswered.remove(request);
    }

    private void fail(ActiveRequest request, RuntimeException cause) {
        free(request);
        failed++;
        counters = count(running.size(), 0);
        request.generation.fail(cause);
        unanswered.remove(request);
    }

    private void free(ActiveRequest request) {
        for (ActiveSequence sequence : request.sequences) {
            sequence.table.free();
            sequence.freeDraft();
            sequence.clearStep();
        }
        running.removeAll(request.sequences);
        preempted.removeAll(request.sequences);
    }

    /** Whether a request has its sequences now; if they cannot be made, it has failed. */
    private boolean created(ActiveRequest request) {
        try {
            createSequences(request);
            return true;
        } catch (RuntimeException | Error e) {
            fail(request, reason(e));
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
                    new PageTable(pool, start, config().layerCount()),
                    room,
                    new TextStream(
                            checkpoint.tokenizer(),
                            what.prompt(),
                            what.options().stop())));
        }
    }

    /** Lets in who waits, as long as there is room: first those that were preempted. */
    private void admit() {
        while (!preempted.isEmpty() && fits(preempted.getFirst().length + 1, places(preempted.getFirst()))) {
            insert(preempted.removeFirst());
        }
        if (!preempted.isEmpty()) {
            return;
        }
        while (true) {
            ActiveRequest request;
            lock.lock();
            try {
                request = waiting.peek();
                if (request == null || !fits(request.what.prompt().length + 1, request.what.choices())) {
                    return;
                }
                waiting.takeFirst();
                unanswered.add(request);
            } finally {
                lock.unlock();
            }
            request.startedNanos = System.nanoTime();
            observer.begun(request.startedNanos - request.submittedNanos);
            if (created(request)) {
                insert(request.sequences.getFirst());
            }
        }
    }

    private boolean fits(int positions, int sequences) {
        return running.isEmpty()
                || (running.stream().mapToInt(Engine::places).sum() + sequences <= options.maxSequences()
                        && Math.ceilDiv(positions, pool.pageLength()) <= pool.available());
    }

    /** How many are computed where this one is: the first of several choices stands for all until it has forked. */
    private static int places(ActiveSequence sequence) {
        return sequence.request.forked ? 1 : sequence.request.what.choices();
    }

    private void insert(ActiveSequence sequence) {
        running.add(sequence);
        running.sort(Comparator.comparingLong(each -> each.arrival));
    }

    /** Gives each sequence its rows of the next step. */
    private List<ActiveSequence> plan() {
        int budget = stepRows;
        boolean streams = false;
        guess();
        for (ActiveSequence sequence : List.copyOf(running)) {
            if (sequence.decodes() && running.contains(sequence) && budget > 0) {
                streams = true;
                int rows = 1 + sequence.draft.length;
                if (reserve(sequence, sequence.done + rows)) {
                    sequence.rows = rows;
                    budget -= rows;
                }
            }
        }
        int prefill = streams ? Math.min(budget, mixedPrefill()) : budget;
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

    /** How many rows of prompts a step of streams takes along, so that it takes not too many times as long as without. */
    private int mixedPrefill() {
        int most = options.mixedPrefill();
        if (streamStepNanos == 0 || promptRowNanos == 0) {
            return Math.min(most, UNKNOWN_PREFILL);
        }
        double rows = (STRETCH - 1) * streamStepNanos / promptRowNanos;
        return (int) Math.clamp(rows, Math.min(most, LEAST_PREFILL), most);
    }

    private void noteStep(int streamRows, int promptRows, long nanos) {
        if (streamRows > 0 && promptRows == 0) {
            streamStepNanos += (streamStepNanos == 0 ? 1 : 0.1) * (nanos - streamStepNanos);
        } else if (streamRows > 0 && promptRows >= LEAST_PREFILL && streamStepNanos > 0) {
            double perRow = Math.max(1.0, nanos - streamStepNanos) / promptRows;
            promptRowNanos += (promptRowNanos == 0 ? 1 : 0.1) * (perRow - promptRowNanos);
        }
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
            modelNanos += draft.guess(unguessed, Math.min(options.draftTokens(), each), options.mixedPrefill());
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
        reusedTokens += found;
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
        preemptions++;
    }

    private void step() {
        List<ActiveSequence> batch = plan();
        long start = System.nanoTime();
        int rowCount = 0;
        for (ActiveSequence sequence : batch) {
            rowCount += sequence.rows;
        }
        if (rowCount == 0) {
            return;
        }
        int[] ids = new int[rowCount];
        int[] wanted = new int[rowCount];
        int[] owners = new int[rowCount];
        int[] positions = new int[rowCount];
        int[] lasts = new int[batch.size()]; // the last committed position when the step begins
        List<TokenBatch.Rows> rows = new ArrayList<>(batch.size());
        int row = 0;
        int wantedCount = 0;
        int generating = 0;
        for (int i = 0; i < batch.size(); i++) {
            ActiveSequence sequence = batch.get(i);
            lasts[i] = sequence.length - 1;
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
        try {
            TokenBatch tokens = new TokenBatch(ids, rows, java.util.Arrays.copyOf(wanted, wantedCount));
            long begin = System.nanoTime();
            Tensor hidden = model.forward(tokens, activations(rowCount)); // (wanted, C)
            modelNanos += System.nanoTime() - begin;
            choose(batch, hidden, owners, positions, lasts, generating);
            for (int i = generating; i < wantedCount; i++) {
                take(batch.get(owners[i]), positions[i], hidden.row(i));
            }
        } catch (RuntimeException | Error e) {
            RuntimeException reason = reason(e);
            for (ActiveSequence sequence : batch) {
                sequence.failure = reason;
            }
        }
        steps++;
        int streamRows = 0;
        for (ActiveSequence sequence : batch) {
            streamRows += sequence.done >= sequence.promptLength ? sequence.rows : 0;
        }
        noteStep(streamRows, rowCount - streamRows, System.nanoTime() - start);
        commit(batch, lasts, rowCount);
    }

    private Activations activations(int rows) {
        if (rows > activations.maxRows()) {
            Activations larger =
                    new Activations(config(), Math.min(stepRows, Math.max(rows, 2 * activations.maxRows())));
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
            modelNanos += System.nanoTime() - begin;
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
                            sequence.failure = reason(e);
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
                promptTokens += Math.min(computed, sequence.promptLength) - sequence.done;
            }
            if (reached) {
                draftedTokens += sequence.draft.length;
                acceptedTokens += Math.max(0, sequence.accepted - 1);
            }
            generatedTokens += sequence.accepted;
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
                } else if (sequence.table.pageCount() > 0 || running.contains(sequence)) {
                    sequence.table.free();
                    sequence.freeDraft();
                    running.remove(sequence);
                }
            }
            if (failure != null) {
                fail(request, failure);
            } else if (ended) {
                complete.add(request);
                finished++;
            }
        }
        counters = count(running.size(), rowCount);
        observer.stepped(rowCount, batch.size());
        for (ActiveRequest request : touched) {
            request.sequences.forEach(ActiveSequence::announce);
        }
        for (ActiveRequest request : complete) {
            noteDuration((now - request.startedNanos) * 1e-9);
            complete(request, now);
        }
    }

    /** The prompt is computed: the other choices begin with its pages. */
    private void fork(ActiveRequest request, ActiveSequence first) {
        request.forked = true;
        for (ActiveSequence other : request.sequences.subList(1, request.sequences.size())) {
            generatedTokens += other.accepted;
            if (other.finish == null && other.failure == null) {
                other.table = first.table.fork(other.promptLength);
                other.done = other.promptLength;
                other.reused = first.reused;
                other.lastTokenNanos = System.nanoTime();
                insert(other);
            }
            other.clearStep();
        }
    }

    private void noteDuration(double seconds) {
        lock.lock();
        try {
            requestSeconds += 0.1 * (seconds - requestSeconds);
        } finally {
            lock.unlock();
        }
    }

    /** Pages that sequences hold in the draft's pool; for tests. */
    int draftPagesUsed() {
        return draft == null ? 0 : draft.pagesUsed();
    }

    private EngineCounters count(int active, int rows) {
        return new EngineCounters(
                pool.pageLimit(),
                pool.used(),
                pool.cached(),
                0,
                active,
                rows,
                steps,
                promptTokens,
                reusedTokens,
                generatedTokens,
                draftedTokens,
                acceptedTokens,
                preemptions,
                finished,
                cancelled,
                failed,
                0,
                busyNanos,
                modelNanos);
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
            activations.close();
            logitSlab.close();
            pool.close();
            if (draft != null) {
                draft.close();
            }
            closeAdapters();
            model.close();
            kernels.close();
            threads.close();
            checkpoint.close();
        }
    }

    private void closeAdapters() {
        lock.lock();
        try {
            adapters.values().forEach(LoraAdapter::close);
            retired.forEach(LoraAdapter::close);
            adapters.clear();
            retired.clear();
        } finally {
            lock.unlock();
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
