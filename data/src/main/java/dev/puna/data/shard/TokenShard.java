package dev.puna.data.shard;

import dev.puna.tensor.CorruptFileException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Objects;

/**
 * A token shard, mapped into memory and read at any place. Owns its mapping; {@link #close} ends it. Immutable and safe
 * for all threads while open.
 */
public final class TokenShard implements AutoCloseable {
    private static final ValueLayout.OfShort U16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong I64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Path prefix;
    private final Arena arena;
    private final MemorySegment bin;
    private final MemorySegment lengths; // i32 for each sequence
    private final MemorySegment pointers; // i64 for each sequence
    private final MemorySegment boundaries; // i64, one more than documents
    private final int bytesPerToken;
    private final long tokens;

    private TokenShard(
            Path prefix,
            Arena arena,
            MemorySegment bin,
            MemorySegment lengths,
            MemorySegment pointers,
            MemorySegment boundaries,
            int bytesPerToken) {
        this.prefix = prefix;
        this.arena = arena;
        this.bin = bin;
        this.lengths = lengths;
        this.pointers = pointers;
        this.boundaries = boundaries;
        this.bytesPerToken = bytesPerToken;
        this.tokens = bin.byteSize() / bytesPerToken;
    }

    static Path binOf(Path prefix) {
        return prefix.resolveSibling(prefix.getFileName() + ".bin");
    }

    static Path idxOf(Path prefix) {
        return prefix.resolveSibling(prefix.getFileName() + ".idx");
    }

    /**
     * Opens {@code prefix.bin} and {@code prefix.idx}.
     *
     * @param prefix path without the endings; one of the two files itself is accepted too
     * @throws CorruptFileException when the files contradict the format or each other
     */
    public static TokenShard open(Path prefix) throws IOException {
        String name = String.valueOf(prefix.getFileName());
        if (name.endsWith(".bin") || name.endsWith(".idx")) {
            prefix = prefix.resolveSibling(name.substring(0, name.length() - 4));
        }
        Path idx = idxOf(prefix);
        Arena arena = Arena.ofShared();
        try {
            MemorySegment index = map(idx, arena);
            if (index.byteSize() < TokenShardWriter.HEADER_BYTES) {
                throw new CorruptFileException(
                        idx, index.byteSize(), "a header of " + TokenShardWriter.HEADER_BYTES + " bytes", "the end");
            }
            for (int i = 0; i < TokenShardWriter.MAGIC.length; i++) {
                if (index.get(ValueLayout.JAVA_BYTE, i) != TokenShardWriter.MAGIC[i]) {
                    throw new CorruptFileException(idx, i, "MMIDIDX", "other bytes");
                }
            }
            long version = index.get(I64, 9);
            if (version != 1) {
                throw new CorruptFileException(idx, 9, "version 1", Long.toString(version));
            }
            int type = index.get(ValueLayout.JAVA_BYTE, 17);
            int bytesPerToken = switch (type) {
                case TokenShardWriter.UINT16 -> 2;
                case TokenShardWriter.INT32 -> 4;
                default ->
                    throw new CorruptFileException(
                            idx, 17, "element type 8 (uint16) or 4 (int32)", Integer.toString(type));
            };
            long sequences = index.get(I64, 18);
            long documents = index.get(I64, 26);
            long left = index.byteSize() - TokenShardWriter.HEADER_BYTES;
            if (sequences < 0
                    || documents < 1
                    || sequences > left / 12
                    || documents > left / 8
                    || sequences * 12 + documents * 8 != left) {
                throw new CorruptFileException(
                        idx,
                        18,
                        "counts that fill the " + index.byteSize() + " bytes of the file",
                        sequences + " sequences and " + documents + " boundaries");
            }
            MemorySegment lengths = index.asSlice(TokenShardWriter.HEADER_BYTES, sequences * 4);
            long pointersAt = TokenShardWriter.HEADER_BYTES + sequences * 4;
            MemorySegment pointers = index.asSlice(pointersAt, sequences * 8);
            long boundariesAt = pointersAt + sequences * 8;
            MemorySegment boundaries = index.asSlice(boundariesAt, documents * 8);
            MemorySegment bin = map(binOf(prefix), arena);
            long expected = 0;
            for (long i = 0; i < sequences; i++) {
                int length = lengths.get(I32, i * 4);
                long pointer = pointers.get(I64, i * 8);
                if (length < 0 || pointer != expected) {
                    throw new CorruptFileException(
                            idx,
                            pointersAt + i * 8,
                            "sequence " + i + " at byte " + expected + " of the .bin file",
                            "byte " + pointer + ", length " + length);
                }
                expected += (long) length * bytesPerToken;
            }
            if (bin.byteSize() != expected) {
                throw new CorruptFileException(
                        binOf(prefix), bin.byteSize(), expected + " bytes, as its index says", "the end");
            }
            long previous = 0;
            for (long i = 0; i < documents; i++) {
                long boundary = boundaries.get(I64, i * 8);
                if (boundary < previous || boundary > sequences || (i == 0 && boundary != 0)) {
                    throw new CorruptFileException(
                            idx, boundariesAt + i * 8, "a rising document boundary", Long.toString(boundary));
                }
                previous = boundary;
            }
            return new TokenShard(prefix, arena, bin, lengths, pointers, boundaries, bytesPerToken);
        } catch (IOException | RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    private static MemorySegment map(Path path, Arena arena) throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            long size = Files.size(path);
            return size == 0 ? MemorySegment.NULL : channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
        }
    }

    /** Path of both files without their endings. */
    public Path prefix() {
        return prefix;
    }

    /** Ids in the shard. */
    public long tokenCount() {
        return tokens;
    }

    /** Documents in the shard. */
    public long documentCount() {
        return boundaries.byteSize() / 8 - 1;
    }

    /** 2 or 4. */
    public int bytesPerToken() {
        return bytesPerToken;
    }

    /** Index of the first token of a document among all tokens; {@code documentCount()} gives {@link #tokenCount}. */
    public long documentStart(long document) {
        Objects.checkIndex(document, documentCount() + 1);
        long sequence = boundaries.get(I64, document * 8);
        return sequence == lengths.byteSize() / 4 ? tokens : pointers.get(I64, sequence * 8) / bytesPerToken;
    }

    /** The ids of one document. */
    public int[] document(long document) {
        long from = documentStart(document);
        int[] ids = new int[Math.toIntExact(documentStart(document + 1) - from)];
        copy(from, ids, 0, ids.length);
        return ids;
    }

    /** The document that token {@code index} belongs to; of empty documents at that place the last. */
    public long documentOf(long index) {
        Objects.checkIndex(index, tokens);
        long low = 0;
        long high = documentCount();
        while (high - low > 1) {
            long middle = (low + high) >>> 1;
            if (documentStart(middle) <= index) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /** Copies {@code length} ids from token {@code from} on, across documents, to {@code target[offset, …)}. */
    public void copy(long from, int[] target, int offset, int length) {
        Objects.checkFromIndexSize(from, length, tokens);
        Objects.checkFromIndexSize(offset, length, target.length);
        MemorySegment source = bin;
        if (bytesPerToken == 2) {
            for (int i = 0; i < length; i++) {
                target[offset + i] = source.get(U16, (from + i) * 2) & 0xffff;
            }
        } else {
            MemorySegment.copy(source, I32, from * 4, target, offset, length);
        }
    }

    @Override
    public void close() {
        arena.close();
    }
}
