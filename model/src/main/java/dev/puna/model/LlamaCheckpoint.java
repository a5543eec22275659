package dev.puna.model;

import dev.puna.formats.Gguf;
import dev.puna.formats.MetaCheckpoint;
import dev.puna.formats.Safetensors;
import dev.puna.formats.TensorSource;
import dev.puna.kernels.RopePairing;
import dev.puna.model.LlamaTensor.Role;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.DType;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A LLaMA on disk, opened: its configuration, and its weights as views of the mapped files. It owns the mapping, so the
 * weights die with {@link #close()}.
 *
 * <p>Opening checks that the files hold exactly the tensors of the configuration, in the right shapes; no byte of a
 * weight is read.
 */
public final class LlamaCheckpoint implements AutoCloseable {
    /** Who spells it how. */
    public enum Format {
        /** A directory with {@code config.json} and safetensors. */
        HUGGING_FACE,
        /** One file of llama.cpp's. */
        GGUF,
        /** A directory with {@code params.json} and {@code consolidated.NN.pth}. */
        META;

        /** The order of the rows of wq and wk in this format. */
        public RopePairing pairing() {
            return switch (this) {
                case HUGGING_FACE -> RopePairing.HALVES;
                case GGUF, META -> RopePairing.INTERLEAVED;
            };
        }

        /** The name of a tensor in this format. */
        public String tensorName(LlamaTensor tensor) {
            return switch (this) {
                case HUGGING_FACE -> HuggingFaceFormat.tensorName(tensor);
                case GGUF -> GgufFormat.tensorName(tensor);
                case META -> MetaFormat.tensorName(tensor);
            };
        }

        private boolean isIgnored(String name, LlamaConfig config) {
            return switch (this) {
                case HUGGING_FACE -> HuggingFaceFormat.isIgnored(name, config);
                case GGUF -> GgufFormat.isIgnored(name);
                case META -> MetaFormat.isIgnored(name);
            };
        }
    }

    private final Path path;
    private final Format format;
    private final TensorSource source;
    private final LlamaConfig config;
    private @Nullable LlamaWeights weights;
    private Optional<Tokenizer> tokenizer = Optional.empty();
    private boolean tokenizerIsRead;

    private LlamaCheckpoint(Path path, Format format, TensorSource source, LlamaConfig config) {
        this.path = path;
        this.format = format;
        this.source = source;
        this.config = config;
        requireExactly(path, format, source, config);
    }

    /**
     * Opens a Hugging Face directory, a GGUF file (or a directory with just one), or a Meta directory.
     *
     * @throws ConfigurationException if it is no LLaMA, or one that Puna cannot compute
     * @throws CorruptFileException if a file is damaged, or a tensor missing or of the wrong shape
     */
    public static LlamaCheckpoint open(Path path) throws IOException {
        return switch (formatOf(path)) {
            case HUGGING_FACE -> openHuggingFace(path);
            case GGUF -> openGguf(Files.isDirectory(path) ? onlyGguf(path) : path);
            case META -> openMeta(path);
        };
    }

    /** What lies at a path, from the names of the files alone. */
    public static Format formatOf(Path path) throws IOException {
        if (!Files.exists(path)) {
            throw new NoSuchFileException(path.toString(), null, "no such model");
        }
        if (Files.isRegularFile(path)) {
            if (path.toString().endsWith(".gguf")) {
                return Format.GGUF;
            }
            throw new ConfigurationException(
                    "model", path, "a model is a .gguf file, or a directory with config.json or params.json");
        }
        if (hasSafetensors(path)) {
            return Format.HUGGING_FACE;
        }
        if (Files.exists(path.resolve(MetaFormat.PARAMS_FILE))) {
            return Format.META;
        }
        try (Stream<Path> files = Files.list(path)) {
            if (files.anyMatch(file -> file.toString().endsWith(".gguf"))) {
                return Format.GGUF;
            }
        }
        if (Files.exists(path.resolve(HuggingFaceFormat.CONFIG_FILE))) {
            return Format.HUGGING_FACE; // one that says what it is, though its weights are not there
        }
        throw new ConfigurationException(
                "model", path, "the directory has no config.json, no params.json and no .gguf file");
    }

    private static boolean hasSafetensors(Path directory) {
        return Files.exists(directory.resolve(Safetensors.SINGLE_FILE))
                || Files.exists(directory.resolve(Safetensors.INDEX_FILE));
    }

    private static Path onlyGguf(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            List<Path> found = files.filter(file -> file.toString().endsWith(".gguf"))
                    .sorted()
                    .toList();
            if (found.size() != 1) {
                throw new ConfigurationException(
                        "model", directory, "has " + found.size() + " .gguf files; name one of them");
            }
            return found.getFirst();
        }
    }

    private static LlamaCheckpoint openHuggingFace(Path directory) throws IOException {
        LlamaConfig config = HuggingFaceFormat.readConfig(directory.resolve(HuggingFaceFormat.CONFIG_FILE));
        if (!hasSafetensors(directory)) {
            throw new ConfigurationException(
                    "model", directory, "has config.json, but neither model.safetensors nor its index");
        }
        return checked(directory, Format.HUGGING_FACE, Safetensors.open(directory), config);
    }

    private static LlamaCheckpoint openGguf(Path file) throws IOException {
        Gguf source = Gguf.open(file);
        try {
            return checked(file, Format.GGUF, source, GgufFormat.readConfig(source));
        } catch (RuntimeException e) {
            source.close();
            throw e;
        }
    }

    private static LlamaCheckpoint openMeta(Path directory) throws IOException {
        MetaCheckpoint source = MetaCheckpoint.open(directory);
        try {
            LlamaConfig config = MetaFormat.readConfig(directory.resolve(MetaFormat.PARAMS_FILE), source);
            return checked(directory, Format.META, source, config);
        } catch (IOException | RuntimeException e) {
            source.close();
            throw e;
        }
    }

    static LlamaCheckpoint checked(Path path, Format format, TensorSource source, LlamaConfig config) {
        try {
            return new LlamaCheckpoint(path, format, source, config);
        } catch (RuntimeException e) {
            source.close();
            throw e;
        }
    }

    /** The tensors of the configuration and no others: a model with more computes something else. */
    private static void requireExactly(Path path, Format format, TensorSource source, LlamaConfig config) {
        Set<String> expected = new HashSet<>();
        for (LlamaTensor tensor : config.tensors()) {
            String name = format.tensorName(tensor);
            expected.add(name);
            if (!source.contains(name)) {
                throw new CorruptFileException(path, 0, "tensor \"" + name + "\" " + tensor.shape(), missing(tensor));
            }
            if (!source.describe(name).shape().equals(tensor.shape())) {
                throw new CorruptFileException(
                        path,
                        0,
                        "tensor \"" + name + "\" " + tensor.shape(),
                        source.describe(name).shape().toString());
            }
            DType dtype = source.describe(name).requireDType();
            if (!isWeight(dtype)) {
                throw new ConfigurationException(
                        name, dtype, "is no type of weights; use F32, F16, BF16 or a quantized one");
            }
            if (tensor.shape().rank() == 1 && dtype.isQuantized()) {
                throw new ConfigurationException(
                        name, dtype, "norms and biases are F32, F16 or BF16 in every known checkpoint");
            }
        }
        for (String name : source.names()) {
            if (!expected.contains(name) && !format.isIgnored(name, config)) {
                throw new ConfigurationException(
                        "tensor", name, path + " has a tensor that a LLaMA of this configuration does not have");
            }
        }
    }

    private static String missing(LlamaTensor tensor) {
        return tensor.role() == Role.HEAD ? "none, although the configuration says that the head is not tied" : "none";
    }

    private static boolean isWeight(DType dtype) {
        return switch (dtype) {
            case F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS -> true;
            case F64, I8, I16, I32, I64, U8 -> false;
        };
    }

    /** The file or directory. */
    public Path path() {
        return path;
    }

    public Format format() {
        return format;
    }

    public LlamaConfig config() {
        return config;
    }

    /**
     * The weights, as views of the mapped files; gathered when they are first asked for, because the parts of a sharded
     * Meta release are copied together then.
     */
    public synchronized LlamaWeights weights() {
        LlamaWeights gathered = weights;
        if (gathered == null) {
            gathered = LlamaWeights.of(config, format.pairing(), wanted -> source.tensor(format.tensorName(wanted)));
            weights = gathered;
        }
        return gathered;
    }

    /** The files behind the weights, with names and types as they are there. */
    public TensorSource source() {
        return source;
    }

    /**
     * The vocabulary that lies with the weights, if there is one; read when it is first asked for.
     *
     * @throws CorruptFileException if its file is damaged
     */
    public synchronized Optional<Tokenizer> tokenizer() {
        if (!tokenizerIsRead) {
            tokenizer = readTokenizer();
            tokenizerIsRead = true;
        }
        return tokenizer;
    }

    private Optional<Tokenizer> readTokenizer() {
        if (source instanceof Gguf gguf) {
            return GgufFormat.readTokenizer(gguf.metadata());
        }
        Path[] candidates = {
            path.resolve("tokenizer.json"),
            path.resolve("tokenizer.model"),
            path.resolve("original").resolve("tokenizer.model"),
            path.toAbsolutePath().resolveSibling("tokenizer.model")
        };
        int known = format == Format.META ? candidates.length : candidates.length - 1;
        for (int i = 0; i < known; i++) {
            if (Files.isRegularFile(candidates[i])) {
                return Optional.of(Tokenizer.open(path));
            }
        }
        return Optional.empty();
    }

    /** The type that most of the matrices' elements have. */
    public DType dominantDType() {
        Map<DType, Long> elements = new EnumMap<>(DType.class);
        for (LlamaTensor tensor : config.tensors()) {
            if (tensor.shape().rank() == 2) {
                DType dtype = source.describe(format.tensorName(tensor)).requireDType();
                elements.merge(dtype, tensor.shape().elementCount(), Long::sum);
            }
        }
        return Collections.max(elements.entrySet(), Map.Entry.comparingByValue())
                .getKey();
    }

    /** Unmaps the files, when a vocabulary that another thread is reading has been read. Idempotent. */
    @Override
    public synchronized void close() {
        source.close();
    }
}
