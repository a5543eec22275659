package dev.puna.training;

import dev.puna.formats.OutgoingTensor;
import dev.puna.formats.Safetensors;
import dev.puna.model.HuggingFaceFormat;
import dev.puna.model.LlamaConfig;
import dev.puna.model.ParameterStore;
import dev.puna.model.convert.Vocabulary;
import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;
import dev.puna.tokenizer.SpecialTokens;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.json.JsonMapper;

/**
 * The checkpoints of a run: {@code step-00000500} is a Hugging Face directory that transformers loads as it is, and
 * {@code trainer/} in it holds the moments, the state, the recipe, how many tokens each source has, and the SHA-256 of
 * every file. A checkpoint is written beside its name from a copy in memory while training goes on, forced to the disk,
 * and renamed when it is complete.
 *
 * <p>At any moment a kill leaves only complete checkpoints under names with {@code step-}; what begins with a dot is on
 * its way in or out. Checkpoints of a future that was given up, because the run went on from an earlier one, are renamed
 * {@code abandoned-step-…} and left to their owner.
 */
final class CheckpointStore implements AutoCloseable {
    private static final String PREFIX = "step-";
    private static final String SUMS = "trainer/checksums.json";
    private static final String STATE = "trainer/state.json";
    private static final String OPTIMIZER = "trainer/optimizer.safetensors";

    private static final String DATA = "trainer/data.json";
    private static final String RECIPE = "trainer/recipe.yaml";
    private static final String REPLACED = ".replaced";
    /** For the small files of a checkpoint. */
    private static final long SMALL = 4 << 20;

    private final Path directory;
    private final Recipe recipe;
    private final Optional<Tokenizer> tokenizer;
    private final Map<String, Long> sourceTokens;
    private @Nullable Thread writer;
    private volatile @Nullable Throwable failure;
    private @Nullable Slab snapshot;

    /** @param step where the run goes on: later checkpoints are abandoned */
    CheckpointStore(Recipe recipe, Optional<Tokenizer> tokenizer, Map<String, Long> sourceTokens, long step)
            throws IOException {
        this.recipe = recipe;
        this.tokenizer = tokenizer;
        this.sourceTokens = sourceTokens;
        this.directory = directory(recipe);
        Files.createDirectories(directory);
        recover(directory);
        for (Path left : list(directory, ".")) {
            delete(left); // what a killed run was writing
        }
        for (Path later : list(directory, PREFIX)) {
            if (stepOf(later) > step) {
                Path aside = directory.resolve("abandoned-" + later.getFileName());
                delete(aside);
                Files.move(later, aside, StandardCopyOption.ATOMIC_MOVE);
            }
        }
    }

    /** A kill between the two renames of {@link #publish} leaves the old checkpoint aside: it gets its name back. */
    private static void recover(Path directory) throws IOException {
        for (Path aside : list(directory, "." + PREFIX)) {
            String name = aside.getFileName().toString();
            if (name.endsWith(REPLACED)) {
                Path target = directory.resolve(name.substring(1, name.length() - REPLACED.length()));
                if (!Files.exists(target)) {
                    Files.move(aside, target, StandardCopyOption.ATOMIC_MOVE);
                }
            }
        }
    }

    /** Bytes of the copy from which a checkpoint is written: weights and moments. */
    static long snapshotBytes(LlamaConfig config) {
        return ParameterStore.byteSize(config, false) / 4 * 3;
    }

    /**
     * Looks before the first step whether the disk will hold the run's checkpoints.
     *
     * @throws ConfigurationException if it has too little space
     */
    static void requireSpace(Recipe recipe) throws IOException {
        long one = snapshotBytes(recipe.config()) + SMALL;
        long every = recipe.checkpoints().every();
        long all = every == 0 ? 1 : Math.ceilDiv(recipe.steps(), every);
        long forGood = recipe.checkpoints().keepEvery() == 0
                ? 0
                : recipe.steps() / recipe.checkpoints().keepEvery();
        // The newest is written before the oldest goes.
        long count = Math.min(all, recipe.checkpoints().keepLast() + 1L + Math.min(all, forGood));
        long there = 0;
        for (Path checkpoint : complete(recipe)) {
            for (Path file : files(checkpoint)) {
                there += Files.size(file);
            }
        }
        Path existing = directory(recipe).toAbsolutePath();
        while (existing != null && !Files.exists(existing)) {
            existing = existing.getParent();
        }
        if (existing == null) {
            return;
        }
        long free = Files.getFileStore(existing).getUsableSpace();
        if (one > (free + there) / count) {
            throw new ConfigurationException(
                    "output",
                    recipe.output(),
                    "has " + mebibytes(free) + " free, and up to " + String.format(Locale.ROOT, "%,d", count)
                            + " checkpoints of " + mebibytes(one)
                            + " will lie there; make room, choose another directory, or lower checkpoints.keepLast");
        }
    }

    private static String mebibytes(long bytes) {
        return String.format(Locale.ROOT, "%,d MiB", bytes >> 20);
    }

    static Path directory(Recipe recipe) {
        return Path.of(recipe.output(), "checkpoints");
    }

    private static List<Path> list(Path directory, String prefix) throws IOException {
        if (!Files.isDirectory(directory)) {
            return List.of();
        }
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.filter(entry -> entry.getFileName().toString().startsWith(prefix))
                    .sorted()
                    .toList();
        }
    }

    /** The complete checkpoints of a run, oldest first. */
    static List<Path> complete(Recipe recipe) throws IOException {
        recover(directory(recipe));
        return list(directory(recipe), PREFIX);
    }

    /**
     * Begins to write a checkpoint and returns; waits first for the one before.
     *
     * @throws IOException if the one before could not be written
     */
    void save(ParameterStore parameters, TrainingState state) throws IOException {
        await();
        long free = Files.getFileStore(directory).getUsableSpace();
        long needed = snapshotBytes(parameters.config()) + SMALL;
        if (free < needed) {
            throw new IOException("no room for the checkpoint of step " + state.step() + ": " + directory + " has "
                    + mebibytes(free) + " free, it takes " + mebibytes(needed));
        }
        Slab slab = new Slab(snapshotBytes(parameters.config()));
        snapshot = slab;
        List<OutgoingTensor> weights = new ArrayList<>();
        List<OutgoingTensor> moments = new ArrayList<>();
        for (ParameterStore.Parameter p : parameters.parameters()) {
            weights.add(OutgoingTensor.of(p.name(), copy(slab, p.weight())));
            moments.add(OutgoingTensor.of("first." + p.name(), copy(slab, p.firstMoment())));
            moments.add(OutgoingTensor.of("second." + p.name(), copy(slab, p.secondMoment())));
        }
        LlamaConfig config = parameters.config();
        Thread thread = Thread.ofPlatform().name("checkpoint").unstarted(() -> {
            Path beside = directory.resolve("." + name(state.step()) + ".incomplete");
            try {
                write(beside, config, weights, moments, state);
            } catch (IOException | RuntimeException | Error e) { // an OutOfMemoryError, too, is told by await()
                failure = e;
                clear(beside);
            }
        });
        writer = thread;
        thread.start();
    }

    private static Tensor copy(Slab slab, Tensor tensor) {
        Tensor copy = slab.allocate(DType.F32, tensor.shape().elementCount());
        copy.data().copyFrom(tensor.data());
        return new Tensor(copy.data(), DType.F32, tensor.shape());
    }

    /** Waits until nothing is being written. */
    void await() throws IOException {
        Thread thread = writer;
        if (thread != null) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted while a checkpoint was being written", e);
            }
            writer = null;
        }
        Slab slab = snapshot;
        if (slab != null) {
            slab.close();
            snapshot = null;
        }
        Throwable failed = failure;
        if (failed != null) {
            failure = null;
            throw new IOException(
                    "a checkpoint could not be written to " + directory + " ("
                            + Objects.requireNonNullElse(failed.getMessage(), failed.toString()) + ")",
                    failed);
        }
    }

    /** Gives back the disk space of what could not be completed. */
    private void clear(Path beside) {
        try {
            delete(beside);
        } catch (IOException left) {
            // The next run clears it; the first failure is what is told.
            Objects.requireNonNull(failure).addSuppressed(left);
        }
    }

    private static String name(long step) {
        return String.format(Locale.ROOT, "%s%08d", PREFIX, step);
    }

    private void write(
            Path beside,
            LlamaConfig config,
            List<OutgoingTensor> weights,
            List<OutgoingTensor> moments,
            TrainingState state)
            throws IOException {
        delete(beside);
        Files.createDirectories(beside.resolve("trainer"));
        Optional<SpecialTokens> special = tokenizer.map(Tokenizer::specialTokens);
        text(
                beside,
                HuggingFaceFormat.CONFIG_FILE,
                HuggingFaceFormat.writeConfig(
                        config,
                        DType.F32,
                        special.flatMap(
                                s -> s.bos().isPresent() ? Optional.of(s.bos().getAsInt()) : Optional.empty()),
                        special.<Iterable<Integer>>map(SpecialTokens::endOfGeneration)
                                .orElse(List.of())));
        Safetensors.writeDirectory(beside, Map.of("format", "pt"), weights, Safetensors.DEFAULT_SHARD_BYTES);
        Safetensors.write(beside.resolve(OPTIMIZER), Map.of(), moments);
        text(beside, STATE, json(state));
        text(beside, DATA, json(new TreeMap<>(sourceTokens)));
        text(beside, RECIPE, recipe.toYaml());
        if (tokenizer.isPresent()) {
            Vocabulary.writeHuggingFace(tokenizer.get(), Path.of(recipe.data().tokenizer()), beside);
        }
        Map<String, String> sums = new TreeMap<>();
        for (Path file : files(beside)) {
            sums.put(beside.relativize(file).toString().replace('\\', '/'), sha256(file));
        }
        text(beside, SUMS, json(sums));
        force(beside.resolve("trainer"));
        force(beside);
        publish(beside, directory.resolve(name(state.step())));
        retire();
    }

    /** Gives a complete checkpoint its name. One of that name, from before a rollback, goes when the new one stands. */
    private void publish(Path beside, Path target) throws IOException {
        Path aside = directory.resolve("." + target.getFileName() + REPLACED);
        boolean replaces = Files.exists(target);
        if (replaces) {
            Files.move(target, aside, StandardCopyOption.ATOMIC_MOVE);
        }
        Files.move(beside, target, StandardCopyOption.ATOMIC_MOVE);
        force(directory);
        if (replaces) {
            delete(aside);
        }
    }

    private static String json(Object value) {
        return JsonMapper.shared().writerWithDefaultPrettyPrinter().writeValueAsString(value) + "\n";
    }

    private static void text(Path directory, String name, String content) throws IOException {
        AtomicFile.write(directory.resolve(name), content.getBytes(StandardCharsets.UTF_8));
    }

    @SuppressWarnings("EmptyCatch") // not every system lets a directory be opened
    private static void force(Path directory) {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        } catch (IOException unsupported) {
        }
    }

    /** Removes what is neither among the last nor to be kept for good. */
    private void retire() throws IOException {
        List<Path> all = list(directory, PREFIX);
        for (Path path :
                all.subList(0, Math.max(0, all.size() - recipe.checkpoints().keepLast()))) {
            long keepEvery = recipe.checkpoints().keepEvery();
            if (keepEvery == 0 || stepOf(path) % keepEvery != 0) {
                delete(path);
            }
        }
    }

    private static long stepOf(Path checkpoint) {
        return Long.parseLong(checkpoint.getFileName().toString().substring(PREFIX.length()));
    }

    private static List<Path> files(Path directory) throws IOException {
        try (Stream<Path> walk = Files.walk(directory)) {
            return walk.filter(Files::isRegularFile).sorted().toList();
        }
    }

    private static void delete(Path path) throws IOException {
        if (!Files.exists(path)) {
            return;
        }
        List<Path> all;
        try (Stream<Path> walk = Files.walk(path)) {
            all = walk.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path entry : all) {
            Files.delete(entry);
        }
    }

    private static String sha256(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            java.nio.ByteBuffer buffer = java.nio.ByteBuffer.allocate(1 << 20);
            while (channel.read(buffer) >= 0) {
                digest.update(buffer.flip());
                buffer.clear();
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The state of a checkpoint that was verified. */
    static TrainingState state(Path checkpoint) throws IOException {
        return JsonMapper.shared().readValue(Files.readString(checkpoint.resolve(STATE)), TrainingState.class);
    }

    /** The recipe of a checkpoint that was verified. */
    static Recipe recipe(Path checkpoint) throws IOException {
        return Recipe.read(checkpoint.resolve(RECIPE), List.of());
    }

    /** @throws ConfigurationException if the sources have not the tokens that they had: the cursor would lie */
    static void requireSameData(Path checkpoint, Map<String, Long> sourceTokens) throws IOException {
        Map<String, Long> then = JsonMapper.shared()
                .readValue(Files.readString(checkpoint.resolve(DATA)), new TypeReference<Map<String, Long>>() {});
        if (!then.equals(sourceTokens)) {
            throw new ConfigurationException(
                    "data.sources",
                    "tokens of each: " + new TreeMap<>(sourceTokens),
                    "when the checkpoint was written they had " + new TreeMap<>(then)
                            + "; give back the shards of then, or begin another run");
        }
    }

    /** Fills the parameters from a checkpoint that was verified. */
    static void load(Path checkpoint, ParameterStore parameters) throws IOException {
        try (Safetensors weights = Safetensors.open(checkpoint);
                Safetensors moments = Safetensors.open(checkpoint.resolve(OPTIMIZER))) {
            for (ParameterStore.Parameter p : parameters.parameters()) {
                fill(checkpoint, weights, p.name(), p.weight());
                fill(checkpoint, moments, "first." + p.name(), p.firstMoment());
                fill(checkpoint, moments, "second." + p.name(), p.secondMoment());
            }
        }
    }

    private static void fill(Path checkpoint, Safetensors file, String name, Tensor target) {
        if (!file.contains(name) || !file.describe(name).shape().equals(target.shape())) {
            throw new ConfigurationException(
                    "resume", checkpoint, "has no tensor \"" + name + "\" " + target + ": it is of another model");
        }
        target.data().copyFrom(file.tensor(name).data());
    }

    /**
     * Reads every byte of a checkpoint against its checksums.
     *
     * @throws ConfigurationException if it is damaged, naming the file and the checkpoint before it
     */
    static void verify(Path checkpoint) throws IOException {
        if (!Files.isDirectory(checkpoint)) {
            throw new ConfigurationException("resume", checkpoint, "there is no such directory");
        }
        String damage;
        try {
            Map<String, String> sums = JsonMapper.shared()
                    .readValue(Files.readString(checkpoint.resolve(SUMS)), new TypeReference<Map<String, String>>() {});
            damage = "";
            for (Map.Entry<String, String> entry : sums.entrySet()) {
                Path file = checkpoint.resolve(entry.getKey());
                if (!Files.isRegularFile(file)) {
                    damage = entry.getKey() + " is missing";
                } else if (!sha256(file).equals(entry.getValue())) {
                    damage = entry.getKey() + " is not what was written (SHA-256 differs)";
                }
            }
        } catch (IOException | JacksonException e) {
            damage = SUMS + " is missing or cannot be read";
        }
        if (!damage.isEmpty()) {
            Path parent = checkpoint.toAbsolutePath().getParent();
            List<Path> before = parent == null
                    ? List.of()
                    : list(parent, PREFIX).stream()
                            .filter(other ->
                                    other.getFileName().toString().compareTo(String.valueOf(checkpoint.getFileName()))
                                            < 0)
                            .toList();
            throw new ConfigurationException(
                    "resume",
                    checkpoint,
                    "is damaged: " + damage + "; "
                            + (before.isEmpty()
                                    ? "there is no checkpoint before it"
                                    : "the one before it is " + before.getLast() + ": name it with --resume"));
        }
    }

    /** Weights of a Hugging Face checkpoint as a beginning; they are widened to fp32. */
    static void start(Path model, ParameterStore parameters, dev.puna.kernels.Kernels kernels) throws IOException {
        try (Safetensors weights = Safetensors.open(model)) {
            for (ParameterStore.Parameter p : parameters.parameters()) {
                if (!weights.contains(p.name())
                        || !weights.describe(p.name()).shape().equals(p.weight().shape())) {
                    throw new ConfigurationException(
                            "model.start",
                            model,
                            "has no tensor \"" + p.name() + "\" of shape "
                                    + p.weight().shape() + ": it is of another model than the recipe");
                }
                kernels.dequantize(p.weight(), weights.tensor(p.name()));
            }
        }
    }

    @Override
    public void close() throws IOException {
        await();
    }
}
