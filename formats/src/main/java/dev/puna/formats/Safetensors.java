package dev.puna.formats;

import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
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
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Hugging Face's safetensors: eight bytes with the length of a JSON header, the header with type, shape and place of
 * each tensor, then the bytes. One file, or several with an index ({@code model.safetensors.index.json}).
 *
 * <p>The checks of the specification are all made: the header is at most 100 MB of UTF-8, begins with a brace and has
 * no name twice; the tensors fill the rest of the file without hole or overlap; each takes the bytes that its type and
 * shape say. Types that Puna does not compute with (the 8-bit floats, unsigned integers of 16 bits and more) are
 * described, and refused when they are asked for. {@code BOOL} is read as {@link DType#U8}.
 *
 * @see <a href="https://github.com/huggingface/safetensors#format">the format</a>
 */
public final class Safetensors implements TensorSource {
    /** The name of a model in one file. */
    public static final String SINGLE_FILE = "model.safetensors";
    /** The name of the index of a model in several files. */
    public static final String INDEX_FILE = "model.safetensors.index.json";
    /** What transformers writes into a file at most: 5 GB. */
    public static final long DEFAULT_SHARD_BYTES = 5_000_000_000L;

    private final Path path;
    private final List<MappedFile> files;
    private final SequencedMap<String, Entry> entries;
    private final SequencedMap<String, String> metadata;

    private record Entry(TensorDescription description, MemorySegment data) {}

    private Safetensors(
            Path path,
            List<MappedFile> files,
            SequencedMap<String, Entry> entries,
            SequencedMap<String, String> metadata) {
        this.path = path;
        this.files = files;
        this.entries = entries;
        this.metadata = metadata;
    }

    /**
     * Opens a {@code .safetensors} file, an index, or a directory with {@value #SINGLE_FILE} or {@value #INDEX_FILE}
     * (in this order, as transformers looks for them).
     *
     * @throws CorruptFileException if a file is not what the specification says
     */
    public static Safetensors open(Path path) throws IOException {
        if (Files.isDirectory(path)) {
            Path single = path.resolve(SINGLE_FILE);
            Path index = path.resolve(INDEX_FILE);
            if (Files.exists(single)) {
                return openFiles(path, List.of(single), null);
            }
            if (Files.exists(index)) {
                return openIndex(path, index);
            }
            throw new NoSuchFileException(single.toString(), null, "no " + SINGLE_FILE + " and no " + INDEX_FILE);
        }
        return path.toString().endsWith(".json") ? openIndex(path, path) : openFiles(path, List.of(path), null);
    }

    private static Safetensors openIndex(Path path, Path index) throws IOException {
        SafetensorsIndex parsed = SafetensorsIndex.read(index);
        List<Path> shards = new ArrayList<>();
        for (String name : parsed.files()) {
            Path shard = index.resolveSibling(name);
            if (!Files.exists(shard)) {
                throw new NoSuchFileException(shard.toString(), null, "named by " + index);
            }
            shards.add(shard);
        }
        Safetensors opened = openFiles(path, shards, index);
        try {
            parsed.weightMap().forEach((tensor, file) -> {
                if (!opened.contains(tensor)) {
                    throw new CorruptFileException(
                            index, 0, "only tensors that the files have", "\"" + tensor + "\", not in " + file);
                }
            });
            return opened;
        } catch (RuntimeException e) {
            opened.close();
            throw e;
        }
    }

    private static Safetensors openFiles(Path path, List<Path> shards, @Nullable Path index) throws IOException {
        List<MappedFile> files = new ArrayList<>();
        SequencedMap<String, Entry> entries = new LinkedHashMap<>();
        SequencedMap<String, String> metadata = new LinkedHashMap<>();
        try {
            for (Path shard : shards) {
                MappedFile file = MappedFile.open(shard);
                files.add(file);
                SafetensorsHeader header = SafetensorsHeader.read(shard, file.bytes());
                metadata.putAll(header.metadata());
                for (SafetensorsHeader.Entry entry : header.entries()) {
                    Entry previous = entries.putIfAbsent(
                            entry.description().name(),
                            new Entry(
                                    entry.description(),
                                    file.bytes()
                                            .asSlice(
                                                    entry.offset(),
                                                    entry.description().byteSize())));
                    if (previous != null) {
                        throw new CorruptFileException(
                                shard,
                                entry.offset(),
                                "each tensor in one file" + (index == null ? "" : " of " + index),
                                "\"" + entry.description().name() + "\" again");
                    }
                }
            }
        } catch (IOException | RuntimeException e) {
            files.forEach(MappedFile::close);
            throw e;
        }
        return new Safetensors(path, List.copyOf(files), entries, Collections.unmodifiableSequencedMap(metadata));
    }

    /** The files, in the order of the index. */
    public List<Path> files() {
        return files.stream().map(MappedFile::path).toList();
    }

    /** The free text entries of the header ({@code __metadata__}); of several files, all together. */
    public SequencedMap<String, String> metadata() {
        return metadata;
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
        Entry entry = entry(name);
        return new Tensor(
                entry.data(),
                entry.description().requireDType(),
                entry.description().shape());
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
        files.forEach(MappedFile::close);
    }

    /**
     * Writes one file. The tensors are put in the order given, but wider types before narrower ones, so that each lies
     * at a multiple of its element size, as the reference implementation does.
     *
     * @param metadata free text entries; transformers wants {@code format=pt}
     * @throws ConfigurationException for a quantized type, which the format does not have
     */
    public static void write(Path file, Map<String, String> metadata, List<OutgoingTensor> tensors) throws IOException {
        try (AtomicFile out = AtomicFile.create(file)) {
            writeTensors(out, metadata, tensors);
            out.publish();
        }
    }

    /**
     * Writes a model into a directory: {@value #SINGLE_FILE} if it fits, else
     * {@code model-00001-of-0000N.safetensors} and {@value #INDEX_FILE}. Every file is complete before the first gets
     * its name; the index comes last. An index or a single file of an earlier model that would hide the new one is
     * removed at the end.
     *
     * @param maxShardBytes the bytes of tensors in a file at most; a larger tensor gets a file of its own
     * @return the files with tensors, in order
     */
    public static List<Path> writeDirectory(
            Path directory, Map<String, String> metadata, List<OutgoingTensor> tensors, long maxShardBytes)
            throws IOException {
        requireUniqueNames(tensors);
        List<List<OutgoingTensor>> shards = shards(tensors, maxShardBytes);
        Path single = directory.resolve(SINGLE_FILE);
        Path index = directory.resolve(INDEX_FILE);
        if (shards.size() == 1) {
            write(single, metadata, tensors);
            Files.deleteIfExists(index);
            return List.of(single);
        }
        List<AtomicFile> outputs = new ArrayList<>();
        List<Path> files = new ArrayList<>();
        SequencedMap<String, String> weightMap = new LinkedHashMap<>();
        long totalBytes = 0;
        try {
            for (int i = 0; i < shards.size(); i++) {
                String name = String.format(Locale.ROOT, "model-%05d-of-%05d.safetensors", i + 1, shards.size());
                files.add(directory.resolve(name));
                AtomicFile out = AtomicFile.create(directory.resolve(name));
                outputs.add(out);
                writeTensors(out, metadata, shards.get(i));
                out.finish();
                for (OutgoingTensor tensor : shards.get(i)) {
                    weightMap.put(tensor.name(), name);
                    totalBytes += tensor.byteSize();
                }
            }
            for (AtomicFile out : outputs) {
                out.publish();
            }
        } finally {
            outputs.forEach(AtomicFile::close);
        }
        AtomicFile.write(index, new SafetensorsIndex(totalBytes, weightMap).toJson());
        Files.deleteIfExists(single);
        return files;
    }

    private static List<List<OutgoingTensor>> shards(List<OutgoingTensor> tensors, long maxShardBytes) {
        List<List<OutgoingTensor>> shards = new ArrayList<>();
        List<OutgoingTensor> shard = new ArrayList<>();
        long bytes = 0;
        for (OutgoingTensor tensor : tensors) {
            if (!shard.isEmpty() && bytes + tensor.byteSize() > maxShardBytes) {
                shards.add(shard);
                shard = new ArrayList<>();
                bytes = 0;
            }
            shard.add(tensor);
            bytes += tensor.byteSize();
        }
        shards.add(shard);
        return shards;
    }

    private static void requireUniqueNames(List<OutgoingTensor> tensors) {
        Set<String> names = new LinkedHashSet<>();
        for (OutgoingTensor tensor : tensors) {
            if (!names.add(tensor.name())) {
                throw new IllegalArgumentException("two tensors are called \"" + tensor.name() + "\"");
            }
        }
    }

    private static void writeTensors(AtomicFile out, Map<String, String> metadata, List<OutgoingTensor> tensors)
            throws IOException {
        requireUniqueNames(tensors);
        List<OutgoingTensor> ordered = new ArrayList<>(tensors);
        ordered.sort((a, b) ->
                Integer.compare(b.dtype().bytesPerBlock(), a.dtype().bytesPerBlock())); // stable: a filter, not a mix
        out.write(MemorySegment.ofArray(SafetensorsHeader.encode(metadata, ordered)));
        for (OutgoingTensor tensor : ordered) {
            writeProduced(out, tensor);
        }
    }

    /** Lets the tensor's producer write, and holds it to the number of bytes that was announced. */
    static void writeProduced(AtomicFile out, OutgoingTensor tensor) throws IOException {
        long start = out.position();
        long size = tensor.byteSize();
        tensor.producer().produce(piece -> {
            if (piece.byteSize() > size - (out.position() - start)) {
                throw new IllegalStateException(
                        "tensor \"" + tensor.name() + "\" gives more than its " + size + " bytes");
            }
            out.write(piece);
        });
        if (out.position() - start != size) {
            throw new IllegalStateException("tensor \"" + tensor.name() + "\" gives " + (out.position() - start)
                    + " bytes, announced were " + size);
        }
    }

    /** The type as the format spells it. */
    static String typeName(DType dtype) {
        return switch (dtype) {
            case F64, F32, F16, BF16, I64, I32, I16, I8, U8 -> dtype.name();
            case Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS ->
                throw new ConfigurationException(
                        "tensor type", dtype, "safetensors has no quantized types; write GGUF, or F16 or BF16");
        };
    }
}
