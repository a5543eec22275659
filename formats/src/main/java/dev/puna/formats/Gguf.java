package dev.puna.formats;

import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.Set;

/**
 * llama.cpp's GGUF: magic and version, metadata, the descriptions of the tensors, then their bytes at aligned offsets.
 * Versions 2 and 3 are read, version 3 is written; both little-endian.
 *
 * <p>GGUF lists extents fastest first; here, as everywhere in Puna, the slowest comes first, so a weight matrix is
 * {@code (out, in)}. Types that Puna does not know are described, and refused when they are asked for.
 *
 * @see <a href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md">the format</a>
 */
public final class Gguf implements TensorSource {
    private static final int MAGIC = 0x46554747; // "GGUF"
    private static final int VERSION = 3;
    private static final int DEFAULT_ALIGNMENT = 32;
    private static final int MAX_ALIGNMENT = 1 << 20;
    private static final int MAX_RANK = 4;
    /** llama.cpp stores names in 64 bytes with a zero at the end. */
    private static final int MAX_WRITTEN_NAME_BYTES = 63;

    private static final int MAX_NAME_BYTES = 65_535;
    private static final int MAX_TENSORS = 1 << 20;
    private static final int MAX_KEYS = 1 << 20;
    private static final int MIN_KEY_BYTES = Long.BYTES + Integer.BYTES + 1;
    private static final int MIN_TENSOR_BYTES = Long.BYTES + Integer.BYTES + Integer.BYTES + Long.BYTES;
    private static final String ALIGNMENT_KEY = "general.alignment";

    private final Path path;
    private final MappedFile file;
    private final Content content;

    /** What the header of a file says, checked. */
    record Content(int version, int alignment, GgufMetadata metadata, SequencedMap<String, Entry> entries) {}

    /** @param offset of the first byte in the file */
    record Entry(TensorDescription description, long offset) {}

    private Gguf(Path path, MappedFile file, Content content) {
        this.path = path;
        this.file = file;
        this.content = content;
    }

    /** @throws CorruptFileException if the file is no sound GGUF of version 2 or 3 */
    public static Gguf open(Path path) throws IOException {
        MappedFile file = MappedFile.open(path);
        try {
            return new Gguf(path, file, read(path, file.bytes()));
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    static Content read(Path path, MemorySegment bytes) {
        FileCursor cursor = new FileCursor(path, bytes);
        GgufDecoder decoder = new GgufDecoder(cursor);
        int magic = cursor.i32("magic number");
        if (magic != MAGIC) {
            throw cursor.corruptAt(0, "the magic number of GGUF", String.format("0x%08x", magic));
        }
        int version = cursor.i32("version");
        if ((version & 0xFFFF) == 0 && version != 0) {
            throw cursor.corruptAt(
                    4,
                    "a little-endian GGUF",
                    "a big-endian one of version " + Integer.reverseBytes(version)
                            + " (gguf_convert_endian.py of llama.cpp converts it)");
        }
        if (version != 2 && version != 3) {
            throw cursor.corruptAt(4, "version 2 or 3", "version " + Integer.toUnsignedString(version));
        }
        long tensorCount =
                cursor.count(Math.min(MAX_TENSORS, cursor.remaining() / MIN_TENSOR_BYTES), "number of tensors");
        long keyCount = cursor.count(Math.min(MAX_KEYS, cursor.remaining() / MIN_KEY_BYTES), "number of metadata keys");

        SequencedMap<String, GgufValue> values = new LinkedHashMap<>();
        for (long i = 0; i < keyCount; i++) {
            long at = cursor.offset();
            String key = cursor.utf8(cursor.count(MAX_NAME_BYTES, "length of a metadata key"), "a metadata key");
            GgufValue value = decoder.value(decoder.type("\"" + key + "\""));
            if (values.putIfAbsent(key, value) != null) {
                throw cursor.corruptAt(at, "each metadata key once", "\"" + key + "\" again");
            }
        }
        int alignment = alignment(cursor, values);
        List<Entry> relative = new ArrayList<>();
        Set<String> names = new HashSet<>();
        for (long i = 0; i < tensorCount; i++) {
            relative.add(tensor(cursor, names, alignment));
        }
        long dataStart = (cursor.position() + alignment - 1) & -(long) alignment;
        return new Content(
                version, alignment, GgufMetadata.of(values), place(path, relative, dataStart, bytes.byteSize()));
    }

    private static int alignment(FileCursor cursor, SequencedMap<String, GgufValue> values) {
        GgufValue value = values.get(ALIGNMENT_KEY);
        if (value == null) {
            return DEFAULT_ALIGNMENT;
        }
        if (value instanceof GgufValue.Whole(GgufType type, long alignment)
                && alignment > 0
                && alignment <= MAX_ALIGNMENT
                && Long.bitCount(alignment) == 1) {
            return (int) alignment;
        }
        throw cursor.corrupt(ALIGNMENT_KEY + " that is a power of two up to " + MAX_ALIGNMENT, value.toString());
    }

    /** One description; its offset still counts from the start of the data. */
    private static Entry tensor(FileCursor cursor, Set<String> names, int alignment) {
        long at = cursor.offset();
        String name = cursor.utf8(cursor.count(MAX_NAME_BYTES, "length of a tensor name"), "a tensor name");
        if (!names.add(name)) {
            throw cursor.corruptAt(at, "each tensor name once", "\"" + name + "\" again");
        }
        long rankAt = cursor.offset();
        int rank = cursor.i32("number of dimensions");
        if (rank < 0 || rank > MAX_RANK) {
            throw cursor.corruptAt(
                    rankAt, "at most " + MAX_RANK + " dimensions of \"" + name + "\"", Integer.toUnsignedString(rank));
        }
        long shapeAt = cursor.offset();
        long[] dims = new long[rank];
        for (int d = rank - 1; d >= 0; d--) {
            dims[d] = cursor.i64("an extent of \"" + name + "\"");
        }
        Shape shape = cursor.shape(shapeAt, name, dims);
        long typeAt = cursor.offset();
        int number = cursor.i32("type of \"" + name + "\"");
        GgmlType type = GgmlType.ofNumber(number)
                .orElseThrow(() -> cursor.corruptAt(
                        typeAt, "a tensor type of GGUF for \"" + name + "\"", Integer.toUnsignedString(number)));
        if (shape.columns() % type.blockSize() != 0) {
            throw cursor.corruptAt(
                    shapeAt,
                    "rows of \"" + name + "\" in blocks of " + type.blockSize() + " elements, as " + type + " has them",
                    shape.toString());
        }
        long byteSize;
        try {
            byteSize = Math.multiplyExact(shape.elementCount() / type.blockSize(), (long) type.bytesPerBlock());
        } catch (ArithmeticException e) {
            throw cursor.corruptAt(shapeAt, "a tensor \"" + name + "\" of less than 2^63 bytes", type + " " + shape);
        }
        long offsetAt = cursor.offset();
        long offset = cursor.i64("offset of \"" + name + "\"");
        if (offset < 0 || offset % alignment != 0) {
            throw cursor.corruptAt(
                    offsetAt,
                    "an offset of \"" + name + "\" that is a multiple of " + alignment,
                    Long.toUnsignedString(offset));
        }
        return new Entry(new TensorDescription(name, type.name(), type.dtype(), shape, byteSize), offset);
    }

    /** Makes offsets absolute, puts the tensors in order and finds out-of-range and overlapping ones. */
    private static SequencedMap<String, Entry> place(Path path, List<Entry> relative, long dataStart, long fileSize) {
        List<Entry> ordered = new ArrayList<>(relative);
        ordered.sort(Comparator.comparingLong(Entry::offset)
                .thenComparingLong(entry -> entry.description().byteSize()));
        SequencedMap<String, Entry> entries = new LinkedHashMap<>();
        long end = 0;
        for (Entry entry : ordered) {
            TensorDescription description = entry.description();
            long available = fileSize - dataStart;
            if (entry.offset() > available || description.byteSize() > available - entry.offset()) {
                throw new CorruptFileException(
                        path,
                        fileSize,
                        "tensor \"" + description.name() + "\" of " + description.byteSize() + " bytes at byte "
                                + entry.offset() + " of the data",
                        "a file with " + Math.max(0, available) + " bytes of data");
            }
            if (entry.offset() < end) {
                throw new CorruptFileException(
                        path,
                        dataStart + entry.offset(),
                        "tensors that do not overlap",
                        "tensor \"" + description.name() + "\" before the end of the one before it");
            }
            end = entry.offset() + description.byteSize();
            entries.put(description.name(), new Entry(description, dataStart + entry.offset()));
        }
        return entries;
    }

    /** 2 or 3. */
    public int version() {
        return content.version();
    }

    /** Every tensor begins at a multiple of so many bytes from the first. */
    public int alignment() {
        return content.alignment();
    }

    /** The metadata; its arrays are views of the file and die with {@link #close()}. */
    public GgufMetadata metadata() {
        return content.metadata();
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public SequencedSet<String> names() {
        return Collections.unmodifiableSequencedSet(content.entries().sequencedKeySet());
    }

    @Override
    public TensorDescription describe(String name) {
        return entry(name).description();
    }

    @Override
    public Tensor tensor(String name) {
        Entry entry = entry(name);
        TensorDescription description = entry.description();
        return new Tensor(
                file.bytes().asSlice(entry.offset(), description.byteSize()),
                description.requireDType(),
                description.shape());
    }

    private Entry entry(String name) {
        Entry entry = content.entries().get(name);
        if (entry == null) {
            throw new ConfigurationException("tensor", name, path + " has no tensor of this name");
        }
        return entry;
    }

    @Override
    public void close() {
        file.close();
    }

    /**
     * Writes a file of version 3. Tensors are aligned to 32 bytes, or to {@code general.alignment} if the metadata has
     * it.
     *
     * @throws ConfigurationException for what the format or llama.cpp cannot take: a name of more than 63 bytes, more
     *     than four dimensions, {@link dev.puna.tensor.DType#U8}
     */
    public static void write(Path file, GgufMetadata metadata, List<OutgoingTensor> tensors) throws IOException {
        long alignment = metadata.whole(ALIGNMENT_KEY).orElse(DEFAULT_ALIGNMENT);
        if (alignment <= 0 || alignment > MAX_ALIGNMENT || Long.bitCount(alignment) != 1) {
            throw new ConfigurationException(ALIGNMENT_KEY, alignment, "must be a power of two up to " + MAX_ALIGNMENT);
        }
        try (AtomicFile out = AtomicFile.create(file)) {
            out.write(MemorySegment.ofArray(header(metadata, tensors, alignment)));
            out.padTo((int) alignment);
            for (OutgoingTensor tensor : tensors) {
                Safetensors.writeProduced(out, tensor);
                out.padTo((int) alignment);
            }
            out.publish();
        }
    }

    private static byte[] header(GgufMetadata metadata, List<OutgoingTensor> tensors, long alignment) {
        GgufEncoder encoder = new GgufEncoder();
        encoder.i32(MAGIC);
        encoder.i32(VERSION);
        encoder.i64(tensors.size());
        encoder.i64(metadata.values().size());
        metadata.values().forEach((key, value) -> {
            encoder.text(key);
            encoder.i32(value.type().number());
            encoder.value(value);
        });
        Set<String> names = new HashSet<>();
        long offset = 0;
        for (OutgoingTensor tensor : tensors) {
            if (!names.add(tensor.name())) {
                throw new IllegalArgumentException("two tensors are called \"" + tensor.name() + "\"");
            }
            if (tensor.name().getBytes(StandardCharsets.UTF_8).length > MAX_WRITTEN_NAME_BYTES) {
                throw new ConfigurationException(
                        "tensor name", tensor.name(), "llama.cpp reads names of at most 63 bytes");
            }
            Shape shape = tensor.shape();
            if (shape.rank() > MAX_RANK) {
                throw new ConfigurationException("shape of " + tensor.name(), shape, "GGUF has at most 4 dimensions");
            }
            encoder.text(tensor.name());
            encoder.i32(shape.rank());
            for (int d = shape.rank() - 1; d >= 0; d--) {
                encoder.i64(shape.dim(d));
            }
            encoder.i32(GgmlType.of(tensor.dtype()).number());
            encoder.i64(offset);
            offset = Math.addExact(offset, (tensor.byteSize() + alignment - 1) & -alignment);
        }
        return encoder.toByteArray();
    }
}
