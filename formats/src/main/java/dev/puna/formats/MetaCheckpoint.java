package dev.puna.formats;

import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/**
 * Meta's releases: {@code consolidated.00.pth} and its siblings, one for each model-parallel rank. Of a single file,
 * tensors are views of the mapping. Of several, each tensor is put together from its parts when it is asked for:
 * {@code wq wk wv w1 w3 output} row by row of parts, {@code wo w2} column by column, the embedding along the axis that
 * its shape shows (LLaMA-1 and Llama-2 divide its width, Llama-3 its vocabulary). {@code rope.freqs}, which is
 * computed and not learned, is left out.
 *
 * <p>Where {@code params.json} says that there are fewer key-value heads than shards, each head stands in several
 * shards and is taken once.
 */
public final class MetaCheckpoint implements TensorSource {
    private static final Pattern SHARD = Pattern.compile("consolidated\\.(\\d\\d)\\.pth");
    private static final String SINGLE_FILE = "consolidated.pth";
    private static final String PARAMS_FILE = "params.json";
    private static final long MAX_PARAMS_BYTES = 1 << 20;

    private final Path path;
    private final List<MappedFile> files;
    private final SequencedMap<String, Entry> entries;
    private final Arena arena;
    private final Map<String, Tensor> merged = new ConcurrentHashMap<>();

    /** A tensor and its parts, one in most cases. */
    record Entry(TensorDescription description, List<TorchArchive.View> parts, ModelParallel axis) {}

    /** Along which axis the token embedding is divided among shards. */
    public enum EmbeddingSplit {
        /** Each shard has all tokens and some of the model's width: LLaMA-1, Llama-2. */
        WIDTH,
        /** Each shard has some of the tokens: Llama-3 and later. */
        VOCABULARY
    }

    private MetaCheckpoint(Path path, List<MappedFile> files, SequencedMap<String, Entry> entries, Arena arena) {
        this.path = path;
        this.files = files;
        this.entries = entries;
        this.arena = arena;
    }

    /**
     * Opens a directory with {@code consolidated.*.pth}, or one {@code .pth} file by itself.
     *
     * @throws CorruptFileException if a file is not what {@code torch.save} writes, or names code to run
     * @throws ConfigurationException if shards are missing or do not fit each other
     */
    public static MetaCheckpoint open(Path path) throws IOException {
        List<Path> shards = Files.isDirectory(path) ? shardsIn(path) : List.of(path);
        Map<String, Long> params = Files.isDirectory(path) ? params(path.resolve(PARAMS_FILE)) : Map.of();
        List<MappedFile> files = new ArrayList<>();
        try {
            List<SequencedMap<String, TorchArchive.View>> views = new ArrayList<>();
            for (Path shard : shards) {
                MappedFile file = MappedFile.open(shard);
                files.add(file);
                views.add(TorchArchive.read(shard, file.bytes()));
            }
            return new MetaCheckpoint(path, files, merge(path, views, params), Arena.ofShared());
        } catch (IOException | RuntimeException e) {
            files.forEach(MappedFile::close);
            throw e;
        }
    }

    private static List<Path> shardsIn(Path directory) throws IOException {
        List<Path> shards;
        try (Stream<Path> all = Files.list(directory)) {
            shards = all.filter(
                            file -> SHARD.matcher(file.getFileName().toString()).matches())
                    .sorted()
                    .toList();
        }
        if (shards.isEmpty()) {
            Path single = directory.resolve(SINGLE_FILE);
            if (!Files.exists(single)) {
                throw new NoSuchFileException(
                        directory.resolve("consolidated.00.pth").toString());
            }
            return List.of(single);
        }
        for (int i = 0; i < shards.size(); i++) {
            Path expected = directory.resolve(shardName(i));
            if (!shards.get(i).equals(expected)) {
                throw new NoSuchFileException(
                        expected.toString(),
                        null,
                        "the model has " + shards.getLast().getFileName());
            }
        }
        return shards;
    }

    private static String shardName(int rank) {
        return String.format(Locale.ROOT, "consolidated.%02d.pth", rank);
    }

    /** The whole numbers of {@code params.json}; nothing if there is no such file. */
    private static Map<String, Long> params(Path file) throws IOException {
        Map<String, Long> params = new LinkedHashMap<>();
        if (!Files.exists(file)) {
            return params;
        }
        long size = Files.size(file);
        if (size > MAX_PARAMS_BYTES) {
            throw new CorruptFileException(file, 0, "at most " + MAX_PARAMS_BYTES + " bytes", size + " bytes");
        }
        try (JsonParser parser = Json.parser(Files.readAllBytes(file))) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new CorruptFileException(file, 0, "a JSON object", String.valueOf(parser.currentToken()));
            }
            while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                String field = parser.currentName();
                if (parser.nextToken() == JsonToken.VALUE_NUMBER_INT) {
                    params.put(field, parser.getLongValue());
                } else {
                    parser.skipChildren();
                }
            }
        } catch (JacksonException e) {
            throw Json.corrupt(file, 0, e);
        }
        return params;
    }

    static SequencedMap<String, Entry> merge(
            Path path, List<SequencedMap<String, TorchArchive.View>> shards, Map<String, Long> params) {
        SequencedSet<String> names = new LinkedHashSet<>();
        shards.forEach(shard -> names.addAll(shard.keySet()));
        SequencedMap<String, Entry> entries = new LinkedHashMap<>();
        for (String name : names) {
            if (name.endsWith("rope.freqs")) {
                continue;
            }
            List<TorchArchive.View> parts = new ArrayList<>();
            for (int rank = 0; rank < shards.size(); rank++) {
                TorchArchive.View part = shards.get(rank).get(name);
                if (part == null) {
                    throw new ConfigurationException(
                            "tensor", name, "shard " + rank + " of " + shards.size() + " in " + path + " lacks it");
                }
                parts.add(part);
            }
            entries.put(name, entry(path, name, parts, width(shards.getFirst(), params), params));
        }
        return entries;
    }

    /** The model's width, from {@code params.json} or the length of the last norm; 0 if neither is there. */
    private static long width(Map<String, TorchArchive.View> shard, Map<String, Long> params) {
        TorchArchive.View norm = shard.get("norm.weight");
        return params.getOrDefault("dim", norm == null ? 0L : norm.shape().elementCount());
    }

    private static Entry entry(
            Path path, String name, List<TorchArchive.View> parts, long width, Map<String, Long> params) {
        TorchArchive.View first = parts.getFirst();
        if (parts.size() == 1) {
            return new Entry(describe(name, first.dtype(), first.shape()), parts, ModelParallel.REPLICATED);
        }
        for (TorchArchive.View part : parts) {
            if (part.dtype() != first.dtype() || !part.shape().equals(first.shape())) {
                throw new ConfigurationException(
                        "tensor",
                        name,
                        "its parts in " + path + " differ: " + first.dtype() + " " + first.shape() + " and "
                                + part.dtype() + " " + part.shape());
            }
        }
        Shape shape = first.shape();
        ModelParallel axis = switch (ModelParallel.of(name)) {
            case ROWS -> ModelParallel.ROWS;
            case COLUMNS -> ModelParallel.COLUMNS;
            case REPLICATED -> ModelParallel.REPLICATED;
            case EMBEDDING -> embeddingAxis(path, name, shape, parts.size(), width);
            case UNKNOWN -> {
                requireEqual(path, name, parts);
                yield ModelParallel.REPLICATED;
            }
        };
        int rank = axis == ModelParallel.ROWS ? 1 : 2;
        if (axis != ModelParallel.REPLICATED && shape.rank() < rank) {
            throw new ConfigurationException("tensor", name, "a part of shape " + shape + " cannot be put together");
        }
        return switch (axis) {
            case REPLICATED, EMBEDDING, UNKNOWN ->
                new Entry(describe(name, first.dtype(), shape), List.of(first), ModelParallel.REPLICATED);
            case ROWS -> {
                List<TorchArchive.View> distinct = withoutRepeatedHeads(name, parts, params);
                long[] dims = shape.dims();
                dims[0] = Math.multiplyExact(dims[0], (long) distinct.size());
                yield new Entry(describe(name, first.dtype(), Shape.of(dims)), distinct, axis);
            }
            case COLUMNS -> {
                long[] dims = shape.dims();
                dims[dims.length - 1] = Math.multiplyExact(dims[dims.length - 1], (long) parts.size());
                yield new Entry(describe(name, first.dtype(), Shape.of(dims)), parts, axis);
            }
        };
    }

    private static ModelParallel embeddingAxis(Path path, String name, Shape part, int shards, long width) {
        if (width == part.columns()) {
            return ModelParallel.ROWS;
        }
        if (width == part.columns() * shards) {
            return ModelParallel.COLUMNS;
        }
        throw new ConfigurationException(
                "tensor",
                name,
                "a part of shape " + part + " in " + path + " fits neither way into a model of width " + width);
    }

    /** With fewer key-value heads than shards, neighbouring shards hold the same head. */
    private static List<TorchArchive.View> withoutRepeatedHeads(
            String name, List<TorchArchive.View> parts, Map<String, Long> params) {
        Long width = params.get("dim");
        Long heads = params.get("n_heads");
        Long kvHeads = params.get("n_kv_heads");
        boolean keyOrValue = name.contains(".attention.wk.") || name.contains(".attention.wv.");
        if (!keyOrValue || width == null || heads == null || kvHeads == null || heads <= 0 || kvHeads <= 0) {
            return parts;
        }
        long rows = width / heads * kvHeads;
        long found = parts.getFirst().shape().dim(0) * parts.size();
        if (rows <= 0 || found <= rows || found % rows != 0 || parts.size() % (found / rows) != 0) {
            return parts;
        }
        int copies = Math.toIntExact(found / rows);
        List<TorchArchive.View> distinct = new ArrayList<>();
        for (int rank = 0; rank < parts.size(); rank += copies) {
            distinct.add(parts.get(rank));
        }
        return distinct;
    }

    private static void requireEqual(Path path, String name, List<TorchArchive.View> parts) {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment first = parts.getFirst().contiguous(scratch);
            for (TorchArchive.View part : parts) {
                if (part.contiguous(scratch).mismatch(first) >= 0) {
                    throw new ConfigurationException(
                            "tensor",
                            name,
                            "unknown name, and its parts in " + path + " differ: no way to put them together");
                }
            }
        }
    }

    private static TensorDescription describe(String name, DType dtype, Shape shape) {
        return new TensorDescription(
                name, dtype.name(), java.util.Optional.of(dtype), shape, dtype.byteSize(shape.elementCount()));
    }

    /** The number of files, which is the number of model-parallel ranks. */
    public int shardCount() {
        return files.size();
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public SequencedSet<String> names() {
        return Collections.unmodifiableSequencedSet(entries.sequencedKeySet());
    }

    @Override
    public TensorDescription describe(String name) {
        return entry(name).description();
    }

    @Override
    public Tensor tensor(String name) {
        return merged.computeIfAbsent(name, wanted -> tensor(wanted, arena));
    }

    @Override
    public Tensor tensor(String name, Arena memory) {
        Entry entry = entry(name);
        TensorDescription description = entry.description();
        return new Tensor(bytes(entry, memory), description.requireDType(), description.shape());
    }

    private static MemorySegment bytes(Entry entry, Arena memory) {
        List<TorchArchive.View> parts = entry.parts();
        if (parts.size() == 1) {
            return parts.getFirst().contiguous(memory);
        }
        MemorySegment whole = memory.allocate(entry.description().byteSize(), 64);
        try (Arena scratch = Arena.ofConfined()) {
            for (int i = 0; i < parts.size(); i++) {
                MemorySegment part = parts.get(i).contiguous(scratch);
                // Rows: one piece for each part. Columns: one piece for each part and row.
                long piece = entry.axis() == ModelParallel.ROWS
                        ? part.byteSize()
                        : parts.get(i).dtype().byteSize(parts.get(i).shape().columns());
                long from = 0;
                for (long to = i * piece; from < part.byteSize(); to += parts.size() * piece) {
                    MemorySegment.copy(part, from, whole, to, piece);
                    from += piece;
                }
            }
        }
        return whole;
    }

    private Entry entry(String name) {
        Entry entry = entries.get(name);
        if (entry == null) {
            throw new ConfigurationException("tensor", name, path + " has no tensor of this name");
        }
        return entry;
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
        files.forEach(MappedFile::close);
    }

    /**
     * Writes {@code consolidated.00.pth} and its siblings, readable by {@code torch.load(…, weights_only=True)}. Names
     * are Meta's; they decide how a tensor is divided. All files are written side by side, each tensor once, and get
     * their names when all are complete. {@code params.json} is the caller's.
     *
     * @param shards the number of model-parallel ranks; at most the number of key-value heads
     * @throws ConfigurationException if a tensor cannot be divided so, or its type is not one of PyTorch's
     */
    public static List<Path> write(
            Path directory, List<OutgoingTensor> tensors, int shards, EmbeddingSplit embeddingSplit)
            throws IOException {
        return write(directory, tensors, shards, embeddingSplit, StoredZip.MAX_32);
    }

    static List<Path> write(
            Path directory, List<OutgoingTensor> tensors, int shards, EmbeddingSplit embeddingSplit, long zipLimit32)
            throws IOException {
        if (shards < 1 || shards > 100) {
            throw new ConfigurationException("shards", shards, "must be 1 to 100");
        }
        List<ModelParallel> axes = new ArrayList<>();
        List<Shape> shapes = new ArrayList<>();
        for (OutgoingTensor tensor : tensors) {
            ModelParallel axis = axis(tensor, shards, embeddingSplit);
            axes.add(axis);
            shapes.add(partShape(tensor, axis, shards));
        }
        byte[] pickle = TorchPickle.encode(tensors, shapes);
        List<Path> paths = new ArrayList<>();
        List<AtomicFile> files = new ArrayList<>();
        try {
            List<StoredZipWriter> zips = new ArrayList<>();
            List<String> prefixes = new ArrayList<>();
            for (int rank = 0; rank < shards; rank++) {
                String name = shardName(rank);
                paths.add(directory.resolve(name));
                AtomicFile file = AtomicFile.create(directory.resolve(name));
                files.add(file);
                StoredZipWriter zip = new StoredZipWriter(file, zipLimit32);
                String prefix = name.substring(0, name.length() - ".pth".length()) + "/";
                zip.member(prefix + "data.pkl", pickle);
                zip.member(prefix + "byteorder", "little".getBytes(StandardCharsets.US_ASCII));
                zips.add(zip);
                prefixes.add(prefix);
            }
            for (int i = 0; i < tensors.size(); i++) {
                OutgoingTensor tensor = tensors.get(i);
                long partBytes = tensor.dtype().byteSize(shapes.get(i).elementCount());
                for (int rank = 0; rank < shards; rank++) {
                    zips.get(rank).begin(prefixes.get(rank) + "data/" + i, partBytes);
                }
                tensor.producer().produce(new Divider(zips, tensor, axes.get(i), partBytes, shards));
                for (StoredZipWriter zip : zips) {
                    zip.end();
                }
            }
            for (int rank = 0; rank < shards; rank++) {
                zips.get(rank).member(prefixes.get(rank) + "version", "3\n".getBytes(StandardCharsets.US_ASCII));
                zips.get(rank).finish();
                files.get(rank).finish();
            }
            for (AtomicFile file : files) {
                file.publish();
            }
        } finally {
            files.forEach(AtomicFile::close);
        }
        for (int stale = shards; Files.deleteIfExists(directory.resolve(shardName(stale))); stale++) {}
        return paths;
    }

    private static ModelParallel axis(OutgoingTensor tensor, int shards, EmbeddingSplit embeddingSplit) {
        ModelParallel axis = ModelParallel.of(tensor.name());
        return switch (shards == 1 ? ModelParallel.REPLICATED : axis) {
            case EMBEDDING -> embeddingSplit == EmbeddingSplit.WIDTH ? ModelParallel.COLUMNS : ModelParallel.ROWS;
            case UNKNOWN, REPLICATED -> ModelParallel.REPLICATED;
            case ROWS -> ModelParallel.ROWS;
            case COLUMNS -> ModelParallel.COLUMNS;
        };
    }

    private static Shape partShape(OutgoingTensor tensor, ModelParallel axis, int shards) {
        if (axis == ModelParallel.REPLICATED) {
            return tensor.shape();
        }
        long[] dims = tensor.shape().dims();
        int d = axis == ModelParallel.ROWS ? 0 : dims.length - 1;
        if (dims.length == 0 || dims[d] % shards != 0) {
            throw new ConfigurationException(
                    "shards", shards, tensor.name() + " " + tensor.shape() + " cannot be divided among so many");
        }
        dims[d] /= shards;
        return Shape.of(dims);
    }

    /** Deals the bytes of one tensor out to the shards, as they come. */
    private static final class Divider implements ByteSink {
        private final List<StoredZipWriter> zips;
        private final ModelParallel axis;
        private final long piece;
        private long position;

        Divider(List<StoredZipWriter> zips, OutgoingTensor tensor, ModelParallel axis, long partBytes, int shards) {
            this.zips = zips;
            this.axis = axis;
            this.piece = axis == ModelParallel.COLUMNS
                    ? tensor.dtype().byteSize(tensor.shape().columns()) / shards
                    : partBytes;
        }

        @Override
        public void accept(MemorySegment bytes) throws IOException {
            if (axis == ModelParallel.REPLICATED) {
                for (StoredZipWriter zip : zips) {
                    zip.write(bytes);
                }
                return;
            }
            long from = 0;
            while (from < bytes.byteSize()) {
                if (piece == 0) {
                    throw new IllegalStateException("bytes for an empty tensor");
                }
                long run = Math.min(piece - position % piece, bytes.byteSize() - from);
                int rank = (int) (position / piece % zips.size());
                zips.get(rank).write(bytes.asSlice(from, run));
                position += run;
                from += run;
            }
        }
    }
}
