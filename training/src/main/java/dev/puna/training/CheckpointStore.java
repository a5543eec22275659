package dev.puna.training;

import dev.puna.formats.AtomicFile;
import dev.puna.formats.OutgoingTensor;
import dev.puna.formats.Safetensors;
import dev.puna.model.HuggingFaceFormat;
import dev.puna.model.LlamaConfig;
import dev.puna.model.ParameterStore;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;
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
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.json.JsonMapper;

/**
 * The checkpoints of a run: {@code step-00000500} is a Hugging Face directory that transformers loads as it is, and
 * {@code trainer/} in it holds the moments, the state, the recipe and the SHA-256 of every file. A checkpoint is written
 * beside its name from a copy in memory while training goes on, forced to the disk, and renamed when it is complete.
 */
final class CheckpointStore implements AutoCloseable {
    private static final String PREFIX = "step-";
    private static final String SUMS = "trainer/checksums.json";
    private static final String STATE = "trainer/state.json";
    private static final String OPTIMIZER = "trainer/optimizer.safetensors";

    private final Path directory;
    private final Recipe recipe;
    private @Nullable Thread writer;
    private volatile @Nullable Exception failure;
    private @Nullable Slab snapshot;

    CheckpointStore(Recipe recipe) throws IOException {
        this.recipe = recipe;
        this.directory = Path.of(recipe.output(), "checkpoints");
        Files.createDirectories(directory);
        for (Path left : list(directory, ".")) {
            delete(left); // what a killed run was writing
        }
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
        return list(directory(recipe), PREFIX);
    }

    /**
     * Begins to write a checkpoint and returns; waits first for the one before.
     *
     * @throws IOException if the one before could not be written
     */
    void save(ParameterStore parameters, TrainingState state) throws IOException {
        await();
        long bytes = 0;
        for (ParameterStore.Parameter p : parameters.parameters()) {
            bytes += 3 * Slab.bytesFor(DType.F32, p.weight().shape().elementCount());
        }
        Slab slab = new Slab(bytes);
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
            try {
                write(config, weights, moments, state);
            } catch (IOException | RuntimeException e) {
                failure = e;
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
        Exception failed = failure;
        if (failed != null) {
            failure = null;
            List<Path> left = list(directory, PREFIX);
            throw new IOException(
                    "a checkpoint could not be written to " + directory + " (" + failed.getMessage() + "); "
                            + (left.isEmpty() ? "there is none yet" : "the last good one is " + left.getLast()),
                    failed);
        }
    }

    private void write(
            LlamaConfig config, List<OutgoingTensor> weights, List<OutgoingTensor> moments, TrainingState state)
            throws IOException {
        String name = String.format(Locale.ROOT, "%s%08d", PREFIX, state.step());
        Path beside = directory.resolve("." + name + ".incomplete");
        delete(beside);
        Files.createDirectories(beside.resolve("trainer"));
        text(
                beside,
                HuggingFaceFormat.CONFIG_FILE,
                HuggingFaceFormat.writeConfig(config, DType.F32, Optional.empty(), List.of()));
        Safetensors.writeDirectory(beside, Map.of("format", "pt"), weights, Safetensors.DEFAULT_SHARD_BYTES);
        Safetensors.write(beside.resolve(OPTIMIZER), Map.of(), moments);
        text(beside, STATE, JsonMapper.shared().writerWithDefaultPrettyPrinter().writeValueAsString(state));
        text(beside, "trainer/recipe.yaml", recipe.toYaml());
        copyTokenizer(beside);
        Map<String, String> sums = new TreeMap<>();
        for (Path file : files(beside)) {
            sums.put(beside.relativize(file).toString().replace('\\', '/'), sha256(file));
        }
        text(beside, SUMS, JsonMapper.shared().writerWithDefaultPrettyPrinter().writeValueAsString(sums));
        force(beside.resolve("trainer"));
        force(beside);
        Path target = directory.resolve(name);
        delete(target);
        Files.move(beside, target, StandardCopyOption.ATOMIC_MOVE);
        force(directory);
        retire();
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

    private void copyTokenizer(Path target) throws IOException {
        if (recipe.data().tokenizer().isEmpty()) {
            return;
        }
        Path source = Path.of(recipe.data().tokenizer());
        List<Path> candidates = new ArrayList<>();
        if (Files.isDirectory(source)) {
            for (String name : List.of("tokenizer.json", "tokenizer.model", "tokenizer_config.json")) {
                candidates.add(source.resolve(name));
            }
        } else {
            candidates.add(source);
        }
        for (Path candidate : candidates) {
            if (Files.isRegularFile(candidate)) {
                AtomicFile.write(target.resolve(candidate.getFileName().toString()), Files.readAllBytes(candidate));
            }
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

    /**
     * Fills the parameters from a checkpoint after checking every byte of it.
     *
     * @throws ConfigurationException if it is damaged, naming the file and the checkpoint before it
     */
    static TrainingState load(Path checkpoint, ParameterStore parameters) throws IOException {
        verify(checkpoint);
        try (Safetensors weights = Safetensors.open(checkpoint);
                Safetensors moments = Safetensors.open(checkpoint.resolve(OPTIMIZER))) {
            for (ParameterStore.Parameter p : parameters.parameters()) {
                fill(checkpoint, weights, p.name(), p.weight());
                fill(checkpoint, moments, "first." + p.name(), p.firstMoment());
                fill(checkpoint, moments, "second." + p.name(), p.secondMoment());
            }
        }
        return JsonMapper.shared().readValue(Files.readString(checkpoint.resolve(STATE)), TrainingState.class);
    }

    private static void fill(Path checkpoint, Safetensors file, String name, Tensor target) {
        if (!file.contains(name) || !file.describe(name).shape().equals(target.shape())) {
            throw new ConfigurationException(
                    "resume", checkpoint, "has no tensor \"" + name + "\" " + target + ": it is of another model");
        }
        target.data().copyFrom(file.tensor(name).data());
    }

    private static void verify(Path checkpoint) throws IOException {
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
            damage = SUMS + " cannot be read";
        }
        if (!damage.isEmpty()) {
            Path parent = checkpoint.toAbsolutePath().getParent();
            List<Path> before = parent == null
                    ? List.of()
                    : list(parent, PREFIX).stream()
                            .filter(other -> other.getFileName().compareTo(checkpoint.getFileName()) < 0)
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
                if (!weights.contains(p.name())) {
                    throw new CorruptFileException(model, 0, "tensor \"" + p.name() + "\"", "none");
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
