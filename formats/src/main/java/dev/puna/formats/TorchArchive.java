package dev.puna.formats;

import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import java.util.zip.CRC32;

/**
 * What {@code torch.save} writes: a zip archive with {@code data.pkl}, which describes the tensors, and a stored member
 * for the bytes of each storage.
 */
final class TorchArchive {
    /** The pickled magic number 0x1950a86a20f9469cfc6c with which files began before PyTorch 1.6. */
    private static final byte[] LEGACY_START = {
        (byte) 0x80,
        2,
        (byte) 0x8a,
        10,
        0x6c,
        (byte) 0xfc,
        (byte) 0x9c,
        0x46,
        (byte) 0xf9,
        0x20,
        0x6a,
        (byte) 0xa8,
        0x50,
        0x19
    };

    private static final String PICKLE = "data.pkl";

    private TorchArchive() {}

    /**
     * A tensor of an archive: a view of the bytes of its storage.
     *
     * @param storage all bytes of the storage
     * @param offset of the first element, in elements
     * @param stride in elements
     */
    @SuppressWarnings("ArrayRecordComponent")
    record View(MemorySegment storage, DType dtype, Shape shape, long offset, long[] stride) {
        boolean isContiguous() {
            long expected = 1;
            for (int d = shape.rank() - 1; d >= 0; d--) {
                if (shape.dim(d) != 1 && stride[d] != expected) {
                    return shape.elementCount() == 0;
                }
                expected *= shape.dim(d);
            }
            return true;
        }

        long byteSize() {
            return dtype.byteSize(shape.elementCount());
        }

        /** The elements one after the other: a slice of the storage if they lie so, else a copy in {@code arena}. */
        MemorySegment contiguous(Arena arena) {
            int elementBytes = dtype.bytesPerBlock();
            if (isContiguous()) {
                return storage.asSlice(shape.elementCount() == 0 ? 0 : offset * elementBytes, byteSize());
            }
            MemorySegment target = arena.allocate(byteSize(), 64);
            gather(target, 0, 0, offset * elementBytes);
            return target;
        }

        /** Copies everything below dimension {@code d}; gives the place behind it. */
        private long gather(MemorySegment target, long to, int d, long from) {
            int elementBytes = dtype.bytesPerBlock();
            if (d == shape.rank() || (d == shape.rank() - 1 && stride[d] == 1)) {
                long bytes = (d == shape.rank() ? 1 : shape.dim(d)) * elementBytes;
                MemorySegment.copy(storage, from, target, to, bytes);
                return to + bytes;
            }
            long next = to;
            for (long i = 0; i < shape.dim(d); i++) {
                next = gather(target, next, d + 1, from + i * stride[d] * elementBytes);
            }
            return next;
        }
    }

    /** The tensors by name, in the order of the dictionary; other values in it are left out. */
    static SequencedMap<String, View> read(Path path, MemorySegment file) {
        refuseOtherFormats(path, file);
        SequencedMap<String, StoredZip.Member> members = StoredZip.read(path, file);
        StoredZip.Member pickle = null;
        for (StoredZip.Member member : members.values()) {
            if (member.name().endsWith("/" + PICKLE)) {
                if (pickle != null) {
                    throw new CorruptFileException(path, member.offset(), "one " + PICKLE, "a second one");
                }
                pickle = member;
            }
        }
        if (pickle == null) {
            throw new CorruptFileException(path, 0, "a member " + PICKLE, "none");
        }
        if (pickle.size() > Unpickler.MAX_BYTES) {
            throw new CorruptFileException(
                    path, pickle.offset(), "a pickle of at most " + Unpickler.MAX_BYTES + " bytes", pickle.size() + "");
        }
        requireChecksum(path, file, pickle);
        String prefix = pickle.name().substring(0, pickle.name().length() - PICKLE.length());
        requireLittleEndian(path, file, members, prefix);
        FileCursor cursor = new FileCursor(path, file, 0, pickle.offset(), pickle.offset() + pickle.size());
        Object top = new Unpickler(cursor).load();
        SequencedMap<String, View> views = new LinkedHashMap<>();
        for (Map.Entry<?, ?> entry : state(path, pickle, top).items().entrySet()) {
            if (entry.getKey() instanceof String name && entry.getValue() instanceof Unpickler.StridedTensor tensor) {
                views.put(name, view(path, file, pickle, members, prefix, name, tensor));
            }
        }
        return views;
    }

    /** The dictionary with the tensors: the top one, or the one that it holds as {@code model} or {@code state_dict}. */
    private static Unpickler.Dict state(Path path, StoredZip.Member pickle, Object top) {
        if (!(top instanceof Unpickler.Dict dict)) {
            throw new CorruptFileException(
                    path,
                    pickle.offset(),
                    "a dictionary of tensors",
                    top.getClass().getSimpleName());
        }
        for (String inner : new String[] {"model", "state_dict"}) {
            if (dict.items().get(inner) instanceof Unpickler.Dict state) {
                return state;
            }
        }
        return dict;
    }

    private static void refuseOtherFormats(Path path, MemorySegment file) {
        if (startsWith(file, 0, LEGACY_START)) {
            throw new CorruptFileException(
                    path,
                    0,
                    "a zip archive",
                    "a checkpoint of PyTorch before 1.6 (load it with torch.load and save it again)");
        }
        if (startsWith(file, 257, "ustar".getBytes(StandardCharsets.US_ASCII))) {
            throw new CorruptFileException(
                    path, 0, "a zip archive", "a tar archive (load it with torch.load and save it again)");
        }
        if (!startsWith(file, 0, new byte[] {'P', 'K', 3, 4})) {
            throw new CorruptFileException(path, 0, "a zip archive as torch.save writes it", "something else");
        }
    }

    private static boolean startsWith(MemorySegment file, long at, byte[] start) {
        return file.byteSize() >= at + start.length
                && file.asSlice(at, start.length).mismatch(MemorySegment.ofArray(start)) < 0;
    }

    private static void requireChecksum(Path path, MemorySegment file, StoredZip.Member member) {
        CRC32 crc32 = new CRC32();
        crc32.update(file.asSlice(member.offset(), member.size()).toArray(ValueLayout.JAVA_BYTE));
        if ((int) crc32.getValue() != member.crc32()) {
            throw new CorruptFileException(
                    path,
                    member.offset(),
                    "member \"" + member.name() + "\" with checksum " + Integer.toHexString(member.crc32()),
                    Long.toHexString(crc32.getValue()));
        }
    }

    private static void requireLittleEndian(
            Path path, MemorySegment file, Map<String, StoredZip.Member> members, String prefix) {
        StoredZip.Member order = members.get(prefix + "byteorder");
        if (order != null && !startsWith(file, order.offset(), "little".getBytes(StandardCharsets.US_ASCII))) {
            throw new CorruptFileException(path, order.offset(), "little-endian tensors", "another byte order");
        }
    }

    private static View view(
            Path path,
            MemorySegment file,
            StoredZip.Member pickle,
            Map<String, StoredZip.Member> members,
            String prefix,
            String name,
            Unpickler.StridedTensor tensor) {
        Unpickler.Storage storage = tensor.storage();
        StoredZip.Member member = members.get(prefix + "data/" + storage.key());
        if (member == null) {
            throw new CorruptFileException(
                    path, pickle.offset(), "a member for the bytes of \"" + name + "\"", "no data/" + storage.key());
        }
        try {
            long storageBytes = storage.dtype().byteSize(storage.elementCount());
            if (member.size() != storageBytes) {
                throw new CorruptFileException(
                        path,
                        member.offset(),
                        storageBytes + " bytes for the storage of \"" + name + "\"",
                        member.size() + " bytes");
            }
            Shape shape = Shape.of(tensor.size());
            long bytes = tensor.dtype().byteSize(shape.elementCount());
            if (shape.elementCount() > 0) {
                long last = tensor.offset();
                for (int d = 0; d < shape.rank(); d++) {
                    last = Math.addExact(last, Math.multiplyExact(shape.dim(d) - 1, tensor.stride()[d]));
                }
                // A view that repeats elements (stride 0) could be larger than its storage: checkpoints have none.
                if (bytes > storageBytes
                        || last >= storageBytes / tensor.dtype().bytesPerBlock()) {
                    throw new CorruptFileException(
                            path,
                            pickle.offset(),
                            "tensor \"" + name + "\" " + shape + " within its storage of " + storageBytes + " bytes",
                            bytes + " bytes, the last element at " + last);
                }
            }
            return new View(
                    file.asSlice(member.offset(), member.size()),
                    tensor.dtype(),
                    shape,
                    tensor.offset(),
                    tensor.stride());
        } catch (ArithmeticException e) {
            throw new CorruptFileException(
                    path,
                    pickle.offset(),
                    "tensor \"" + name + "\" of less than 2^63 bytes",
                    java.util.Arrays.toString(tensor.size()));
        }
    }
}
