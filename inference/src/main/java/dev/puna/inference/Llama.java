package dev.puna.inference;

import dev.puna.kernels.Kernels;
import dev.puna.model.Activations;
import dev.puna.model.KvCache;
import dev.puna.model.LlamaCheckpoint;
import dev.puna.model.LlamaConfig;
import dev.puna.model.LlamaModel;
import dev.puna.model.LlamaWeights;
import dev.puna.model.TokenBatch;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import dev.puna.tokenizer.EncodeOptions;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A LLaMA, ready to generate and to score.
 *
 * <pre>{@code
 * try (Llama llama = Llama.load(Path.of("Llama-3.2-1B-Q8_0.gguf"))) {
 *     System.out.println(llama.generate("Once upon a time", GenerationOptions.DEFAULT).text());
 * }
 * }</pre>
 *
 * <p>Weights are mapped, not read: loading takes no longer than looking at the header. Memory beyond the mapping is the
 * cache of keys and values, which grows with the text, and the activations of one chunk of a prompt.
 *
 * <p>One sequence at a time: calls from several threads wait for each other. The cache keeps the last sequence, and a
 * prompt that begins like it is computed from where it differs; the results are the same to the bit, because a row of
 * the forward pass depends on nothing but its own sequence.
 */
public final class Llama implements AutoCloseable {
    /** Rows of logits that are held at once while scoring. */
    private static final int SCORED_ROWS = 64;

    /** Enough rows for the kernels of batches. */
    private static final int PREPARED_ROWS = 16;

    private static final int[] NOTHING = {};

    private final LlamaCheckpoint checkpoint;
    private final ThreadTeam threads;
    private final Kernels kernels;
    private final LlamaModel model;
    private final int chunk;
    private final KvCache cache;
    private final ReentrantLock lock = new ReentrantLock();
    private Activations activations;
    private int[] cached = NOTHING;
    private boolean closed;

    private Llama(LlamaCheckpoint checkpoint, ThreadTeam threads, Kernels kernels, LlamaOptions options) {
        this.checkpoint = checkpoint;
        this.threads = threads;
        this.kernels = kernels;
        this.model = new LlamaModel(checkpoint.config(), checkpoint.weights(), kernels);
        this.chunk = options.chunk();
        this.cache = new KvCache(checkpoint.config(), options.kv().dtypeFor(checkpoint));
        this.activations = new Activations(checkpoint.config(), 1);
    }

    /** Opens a model with {@link LlamaOptions#defaults()}. */
    public static Llama load(Path path) throws IOException {
        return load(path, LlamaOptions.defaults());
    }

    /**
     * Opens a Hugging Face directory, a GGUF file or a Meta directory.
     *
     * @throws ConfigurationException if it is no LLaMA, or the tier of kernels cannot serve
     * @throws CorruptFileException if a file is damaged
     */
    public static Llama load(Path path, LlamaOptions options) throws IOException {
        LlamaCheckpoint checkpoint = LlamaCheckpoint.open(path);
        if (options.prepared()) {
            readVocabularyMeanwhile(checkpoint);
        }
        ThreadTeam threads = new ThreadTeam("puna", options.threads());
        try {
            Kernels kernels = Kernels.open(options.kernels(), threads);
            try {
                Llama llama = new Llama(checkpoint, threads, kernels, options);
                if (options.prepared()) {
                    llama.tryKernels();
                }
                return llama;
            } catch (RuntimeException e) {
                kernels.close();
                throw e;
            }
        } catch (RuntimeException e) {
            threads.close();
            checkpoint.close();
            throw e;
        }
    }

    /** Whoever asks for the vocabulary next waits for this reading, and repeats it to see its error if it fails. */
    private static void readVocabularyMeanwhile(LlamaCheckpoint checkpoint) {
        Thread.ofPlatform().daemon().name("puna-vocabulary").start(() -> {
            try {
                checkpoint.tokenizer();
            } catch (RuntimeException _) {
                return; // also what is thrown when the files are closed already
            }
        });
    }

    /** Runs a few rows and one through the first layer and the head: what has to be assembled or compiled, is. */
    private void tryKernels() {
        LlamaWeights all = checkpoint.weights();
        LlamaConfig oneLayer = config().withLayerCount(1);
        LlamaWeights weights = new LlamaWeights(
                all.pairing(), all.embedding(), all.layers().subList(0, 1), all.finalNorm(), all.head());
        int[] ids = new int[Math.min(PREPARED_ROWS, config().contextLength())];
        try (LlamaModel shallow = new LlamaModel(oneLayer, weights, kernels);
                KvCache keysAndValues = new KvCache(oneLayer, cache.dtype());
                Activations rows = new Activations(oneLayer, ids.length);
                Slab slab = new Slab(Slab.bytesFor(DType.F32, 1, config().vocabularySize()))) {
            keysAndValues.reserve(ids.length);
            Tensor hidden = shallow.forward(TokenBatch.lastOf(ids, keysAndValues, 0), rows); // (1, C)
            shallow.logits(slab.allocate(DType.F32, 1, config().vocabularySize()), hidden);
        }
    }

    public LlamaConfig config() {
        return checkpoint.config();
    }

    public LlamaCheckpoint checkpoint() {
        return checkpoint;
    }

    public Kernels kernels() {
        return kernels;
    }

    /**
     * The vocabulary, read when it is first asked for.
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

    /** Bytes of keys and values at present. */
    public long kvBytes() {
        return cache.byteSize();
    }

    /** The ids of a prompt as the model expects it: with a begin-of-text token where it was trained with one. */
    public int[] encodePrompt(String prompt) {
        return tokenizer().encode(prompt, EncodeOptions.prompt(tokenizer()));
    }

    /** A conversation in the model's own chat format ({@link ChatPrompt#of}), without a system message. */
    public ChatSession chat() {
        return chat(ChatPrompt.of(tokenizer()), Optional.empty());
    }

    /** A conversation. */
    public ChatSession chat(ChatPrompt prompt, Optional<String> system) {
        return new ChatSession(this, prompt, system);
    }

    /** Continues a text. */
    public GenerationResult generate(String prompt, GenerationOptions options) {
        return generate(prompt, options, GenerationListener.NONE, new Cancellation());
    }

    /** Continues a text, token by token to a listener. */
    public GenerationResult generate(
            String prompt, GenerationOptions options, GenerationListener listener, Cancellation cancellation) {
        return generate(encodePrompt(prompt), options, listener, cancellation);
    }

    /** Continues a sequence of ids. */
    public GenerationResult generate(int[] prompt, GenerationOptions options) {
        return generate(prompt, options, GenerationListener.NONE, new Cancellation());
    }

    /**
     * Continues a sequence of ids, token by token to a listener.
     *
     * @throws ConfigurationException if the prompt is empty or fills the context, or the options do not fit the
     *     vocabulary
     */
    public GenerationResult generate(
            int[] prompt, GenerationOptions options, GenerationListener listener, Cancellation cancellation) {
        lock.lock();
        try {
            requireOpen();
            return generateLocked(prompt, options, (token, text, end) -> listener.onToken(token, text), cancellation);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Begins to continue a sequence of ids, on a daemon thread of its own, and returns at once. The generation gives its
     * tokens to subscribers at their pace ({@link Generation#tokens}), its result to whoever waits, virtual threads
     * without cost, and can be cancelled.
     *
     * @throws ConfigurationException if the prompt is empty or fills the context
     */
    public Generation start(int[] prompt, GenerationOptions options) {
        requirePrompt(prompt);
        int[] ids = prompt.clone();
        Cancellation cancellation = new Cancellation();
        Generation generation = new Generation(cancellation::cancel);
        long submitted = System.nanoTime();
        Thread.ofPlatform().daemon().name("puna-llama").start(() -> {
            lock.lock();
            try {
                requireOpen();
                long begun = System.nanoTime();
                GenerationResult result = generateLocked(
                        ids,
                        options,
                        (token, text, end) -> generation.publish(new TokenEvent(0, token, text, end)),
                        cancellation);
                generation.complete(new EngineResult(
                        List.of(result),
                        List.of(),
                        new EngineResult.Usage(
                                ids.length,
                                result.timings().reusedTokens(),
                                result.tokens().size()),
                        Duration.ofNanos(begun - submitted)));
            } catch (RuntimeException | Error e) {
                generation.fail(e); // whoever waits shall hear of it, whatever it is
            } finally {
                lock.unlock();
            }
        });
        return generation;
    }

    /** Hears each token, and with the last one why it is the last. */
    private interface Heard {
        void token(GeneratedToken token, String text, Optional<FinishReason> end);
    }

    private GenerationResult generateLocked(
            int[] prompt, GenerationOptions options, Heard heard, Cancellation cancellation) {
        requirePrompt(prompt);
        TextStream stream = new TextStream(checkpoint.tokenizer(), prompt, options.stop());
        Sampler sampler = new Sampler(options.sampling(), config().vocabularySize(), prompt);
        StringBuilder text = new StringBuilder();
        List<GeneratedToken> tokens = new ArrayList<>();
        int room = Math.min(options.maxTokens(), config().contextLength() - prompt.length);
        long start = System.nanoTime();
        int reused = 0;
        FinishReason reason = FinishReason.LENGTH;
        long first = start;
        try (Slab slab = new Slab(Slab.bytesFor(DType.F32, 1, config().vocabularySize()))) {
            Tensor logits = slab.allocate(DType.F32, 1, config().vocabularySize()); // (1, V)
            if (room > 0) {
                reused = reuse(prompt);
                if (!prefill(prompt, reused, logits, cancellation)) {
                    reason = FinishReason.CANCELLED;
                    room = 0;
                }
            }
            first = System.nanoTime();
            float[] raw = new float[room > 0 ? config().vocabularySize() : 0];
            while (tokens.size() < room) {
                if (cancellation.isCancelled() || Thread.currentThread().isInterrupted()) {
                    reason = FinishReason.CANCELLED;
                    break;
                }
                MemorySegment.copy(logits.data(), Tensor.F32_LE, 0, raw, 0, raw.length);
                GeneratedToken token = ActiveSequence.describe(sampler.next(raw), raw, options);
                tokens.add(token);
                boolean end = options.stopIds().contains(token.id())
                        || (!options.ignoreEnd() && stream.endsGeneration(token.id()));
                String piece = end ? "" : stream.accept(token.id());
                if (end || stream.stopped()) {
                    reason = FinishReason.STOP;
                }
                boolean last = end || stream.stopped() || tokens.size() == room;
                if (last) {
                    piece += stream.finish();
                }
                text.append(piece);
                heard.token(token, piece, last ? Optional.of(reason) : Optional.empty());
                if (last) {
                    break;
                }
                step(token.id(), logits);
            }
            if (reason == FinishReason.CANCELLED) {
                text.append(stream.finish());
            }
        }
        long end = System.nanoTime();
        return new GenerationResult(
                text.toString(),
                prompt.clone(),
                tokens,
                reason,
                new GenerationResult.Timings(
                        prompt.length,
                        reused,
                        Duration.ofNanos(first - start),
                        tokens.size(),
                        Duration.ofNanos(end - first)));
    }

    private void requirePrompt(int[] prompt) {
        if (prompt.length == 0) {
            throw new ConfigurationException(
                    "prompt", "(empty)", "this model has no begin-of-text token, so there must be some text");
        }
        if (prompt.length >= config().contextLength()) {
            throw new ConfigurationException(
                    "prompt",
                    prompt.length + " tokens",
                    "the model's context is " + config().contextLength() + " tokens, and the answer needs room in it");
        }
        for (int id : prompt) {
            if (id < 0 || id >= config().vocabularySize()) {
                throw new ConfigurationException(
                        "prompt", "token " + id, "the vocabulary has " + config().vocabularySize() + " tokens");
            }
        }
    }

    /** How much of the prompt is in the cache; the last token is computed again, for its logits. */
    private int reuse(int[] prompt) {
        int same = Arrays.mismatch(cached, prompt);
        int common = same < 0 ? prompt.length : same;
        int reused = Math.min(common, prompt.length - 1);
        cached = Arrays.copyOf(cached, reused);
        return reused;
    }

    /** Computes a prompt from position {@code from} on; false if cancelled. */
    private boolean prefill(int[] prompt, int from, Tensor logits, Cancellation cancellation) {
        int done = from;
        while (done < prompt.length) {
            if (cancellation.isCancelled() || Thread.currentThread().isInterrupted()) {
                return false;
            }
            int count = Math.min(chunk, prompt.length - done);
            int[] ids = Arrays.copyOfRange(prompt, done, done + count);
            boolean last = done + count == prompt.length;
            cache.reserve(done + count);
            TokenBatch batch = last ? TokenBatch.lastOf(ids, cache, done) : TokenBatch.noneOf(ids, cache, done);
            Tensor hidden = model.forward(batch, activations(count)); // (1 or 0, C)
            remember(ids);
            if (last) {
                model.logits(logits, hidden);
            }
            done += count;
        }
        return true;
    }

    private void step(int id, Tensor logits) {
        int position = cached.length;
        cache.reserve(position + 1);
        int[] ids = {id};
        Tensor hidden = model.forward(TokenBatch.lastOf(ids, cache, position), activations(1)); // (1, C)
        remember(ids);
        model.logits(logits, hidden);
    }

    private void remember(int[] ids) {
        int before = cached.length;
        cached = Arrays.copyOf(cached, before + ids.length);
        System.arraycopy(ids, 0, cached, before, ids.length);
    }

    /** Activations for at least that many rows; they grow to what is needed and stay. */
    private Activations activations(int rows) {
        if (rows > activations.maxRows()) {
            Activations larger = new Activations(config(), Math.min(chunk, Math.max(rows, 2 * activations.maxRows())));
            activations.close();
            activations = larger;
        }
        return activations;
    }

    /** Scores a text, begun as a prompt is. */
    public Score score(String text) {
        return score(text, (scored, all) -> {});
    }

    /** Scores a text, begun as a prompt is, telling {@code listener} how far it is. */
    public Score score(String text, ScoreListener listener) {
        return score(encodePrompt(text), text.getBytes(StandardCharsets.UTF_8).length, new Cancellation(), listener);
    }

    /**
     * The log-probability of each id given those before it. A text longer than the context is scored in windows: each
     * after the first repeats the last half of the one before as context.
     *
     * @param byteCount bytes of the text, for {@link Score#bitsPerByte()}
     * @throws java.util.concurrent.CancellationException if cancelled
     */
    public Score score(int[] ids, long byteCount, Cancellation cancellation) {
        return score(ids, byteCount, cancellation, (scored, all) -> {});
    }

    private Score score(int[] ids, long byteCount, Cancellation cancellation, ScoreListener listener) {
        lock.lock();
        try {
            requireOpen();
            for (int id : ids) {
                if (id < 0 || id >= config().vocabularySize()) {
                    throw new ConfigurationException(
                            "ids", "token " + id, "the vocabulary has " + config().vocabularySize() + " tokens");
                }
            }
            double[] logProbabilities = new double[Math.max(0, ids.length - 1)];
            int window = config().contextLength();
            int scored = 1; // the first token has nothing before it
            int start = 0;
            while (scored < ids.length) {
                int end = Math.min(ids.length, start + window);
                scoreWindow(ids, start, end, scored, logProbabilities, cancellation, listener);
                scored = end;
                start = end - window / 2;
            }
            return new Score(
                    ids.length == 0 ? NOTHING : Arrays.copyOfRange(ids, 1, ids.length), logProbabilities, byteCount);
        } finally {
            lock.unlock();
        }
    }

    /** Scores ids {@code [from, end)} in a sequence that begins with id {@code start}. */
    private void scoreWindow(
            int[] ids,
            int start,
            int end,
            int from,
            double[] logProbabilities,
            Cancellation cancellation,
            ScoreListener listener) {
        int vocabulary = config().vocabularySize();
        try (KvCache keysAndValues = new KvCache(config(), cache.dtype());
                Slab slab = new Slab(Slab.bytesFor(DType.F32, SCORED_ROWS, vocabulary))) {
            Tensor logits = slab.allocate(DType.F32, SCORED_ROWS, vocabulary); // (64, V)
            // The last id needs no row: nothing follows it.
            for (int done = start; done < end - 1; done += chunk) {
                if (cancellation.isCancelled() || Thread.currentThread().isInterrupted()) {
                    throw new java.util.concurrent.CancellationException("scoring was cancelled");
                }
                int count = Math.min(chunk, end - 1 - done);
                int firstWanted = Math.max(0, from - 1 - done); // row i predicts id done + i + 1
                int[] part = Arrays.copyOfRange(ids, done, done + count);
                int[] wanted = new int[Math.max(0, count - firstWanted)];
                for (int i = 0; i < wanted.length; i++) {
                    wanted[i] = firstWanted + i;
                }
                keysAndValues.reserve(done - start + count);
                Tensor hidden = model.forward(
                        new TokenBatch(part, List.of(new TokenBatch.Rows(keysAndValues, done - start, count)), wanted),
                        activations(count)); // (wanted, C)
                for (int row = 0; row < wanted.length; row += SCORED_ROWS) {
                    int rows = Math.min(SCORED_ROWS, wanted.length - row);
                    Tensor some = logits.rows(0, rows); // (rows, V)
                    model.logits(some, hidden.rows(row, row + rows));
                    int target = done + firstWanted + row + 1;
                    scoreRows(some, ids, target, logProbabilities);
                }
                listener.onScored(Math.max(from, done + count), ids.length - 1);
            }
        }
    }

    /**
     * A vector for a text: the mean of the last layer's states (behind the final norm) over its tokens, as many as fit the
     * context.
     *
     * @param into C numbers
     */
    public void embed(String text, float[] into) {
        int width = config().width();
        if (into.length != width) {
            throw new IllegalArgumentException(into.length + " numbers for a width of " + width);
        }
        int[] all = encodePrompt(text);
        int[] ids = Arrays.copyOf(all, Math.min(all.length, config().contextLength()));
        double[] sum = new double[width];
        lock.lock();
        try (KvCache keysAndValues = new KvCache(config(), cache.dtype())) {
            requireOpen();
            for (int done = 0; done < ids.length; done += chunk) {
                int count = Math.min(chunk, ids.length - done);
                int[] wanted = new int[count];
                Arrays.setAll(wanted, i -> i);
                keysAndValues.reserve(done + count);
                Tensor hidden = model.forward(
                        new TokenBatch(
                                Arrays.copyOfRange(ids, done, done + count),
                                List.of(new TokenBatch.Rows(keysAndValues, done, count)),
                                wanted),
                        activations(count)); // (count, C)
                float[] row = new float[width];
                for (int i = 0; i < count; i++) {
                    MemorySegment.copy(hidden.row(i).data(), Tensor.F32_LE, 0, row, 0, width);
                    for (int c = 0; c < width; c++) {
                        sum[c] += row[c];
                    }
                }
            }
        } finally {
            lock.unlock();
        }
        for (int c = 0; c < width; c++) {
            into[c] = (float) (sum[c] / Math.max(1, ids.length));
        }
    }

    /** Row i of the logits predicts id {@code target + i}. */
    private void scoreRows(Tensor logits, int[] ids, int target, double[] logProbabilities) {
        int rows = (int) logits.rows();
        threads.run((member, size) -> {
            float[] raw = new float[config().vocabularySize()];
            for (int row = member; row < rows; row += size) {
                MemorySegment.copy(logits.row(row).data(), Tensor.F32_LE, 0, raw, 0, raw.length);
                logProbabilities[target + row - 1] = Sampler.logProbability(raw, ids[target + row]);
            }
        });
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("this model is closed");
        }
    }

    /** Waits for a generation that is running, then frees everything. Idempotent. */
    @Override
    public void close() {
        lock.lock();
        try {
            if (!closed) {
                closed = true;
                activations.close();
                cache.close();
                model.close();
                kernels.close();
                threads.close();
                checkpoint.close();
            }
        } finally {
            lock.unlock();
        }
    }
}
