package dev.puna.data.shard;

import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.ConfigurationException;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Writes one token shard, document by document, in constant memory. Both files appear under their names when
 * {@link #close} succeeds, the index last; {@link #abandon} leaves nothing. Not thread-safe.
 */
public final class TokenShardWriter implements AutoCloseable {
    static final byte[] MAGIC = {'M', 'M', 'I', 'D', 'I', 'D', 'X', 0, 0};
    static final int INT32 = 4;
    static final int UINT16 = 8;
    static final int HEADER_BYTES = 9 + 8 + 1 + 8 + 8;

    private static final int BUFFER = 1 << 16;

    private final Path bin;
    private final Path idx;
    private final Path binPartial;
    private final Path idxPartial;
    private final Path lengthsPartial;
    private final OutputStream binOut;
    private final OutputStream lengthsOut; // big-endian ints, read again for the index
    private final int bytesPerToken;
    private final int vocabularySize;
    private final byte[] buffer = new byte[BUFFER];
    private final ByteBuffer view = ByteBuffer.wrap(buffer).order(ByteOrder.LITTLE_ENDIAN);
    private long documents;
    private long tokens;
    private boolean closed;

    /**
     * @param prefix path of both files without their endings
     * @param vocabularySize ids are below this; it decides between two and four bytes for an id
     */
    public TokenShardWriter(Path prefix, int vocabularySize) throws IOException {
        if (vocabularySize < 1) {
            throw new ConfigurationException("vocabularySize", vocabularySize, "use the tokenizer's");
        }
        this.vocabularySize = vocabularySize;
        this.bytesPerToken = vocabularySize <= 65_536 ? 2 : 4;
        this.bin = TokenShard.binOf(prefix);
        this.idx = TokenShard.idxOf(prefix);
        this.binPartial = bin.resolveSibling(bin.getFileName() + ".partial");
        this.idxPartial = idx.resolveSibling(idx.getFileName() + ".partial");
        this.lengthsPartial = idx.resolveSibling(idx.getFileName() + ".lengths.partial");
        Path folder = bin.toAbsolutePath().getParent();
        if (folder != null) {
            Files.createDirectories(folder);
        }
        this.binOut = Files.newOutputStream(binPartial);
        this.lengthsOut = new BufferedOutputStream(Files.newOutputStream(lengthsPartial), BUFFER);
    }

    /** Appends a document: {@code ids[from, to)}. An empty one is a document too. */
    public void add(int[] ids, int from, int to) throws IOException {
        for (int at = from; at < to; ) {
            int count = Math.min(to - at, BUFFER / bytesPerToken);
            view.clear();
            for (int i = at; i < at + count; i++) {
                int id = ids[i];
                if (id < 0 || id >= vocabularySize) {
                    throw new ConfigurationException("id", id, "ids must be in [0, " + vocabularySize + ")");
                }
                if (bytesPerToken == 2) {
                    view.putShort((short) id);
                } else {
                    view.putInt(id);
                }
            }
            binOut.write(buffer, 0, count * bytesPerToken);
            at += count;
        }
        int length = to - from;
        length(length);
        documents++;
        tokens += length;
    }

    public void add(int[] ids) throws IOException {
        add(ids, 0, ids.length);
    }

    public long documents() {
        return documents;
    }

    public long tokens() {
        return tokens;
    }

    /** Closes without keeping what was written. */
    public void abandon() throws IOException {
        if (!closed) {
            closed = true;
            try {
                binOut.close();
                lengthsOut.close();
            } finally {
                Files.deleteIfExists(binPartial);
                Files.deleteIfExists(lengthsPartial);
                Files.deleteIfExists(idxPartial);
            }
        }
    }

    @Override
    public void close() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        binOut.close();
        lengthsOut.close();
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(idxPartial), BUFFER)) {
            ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
            header.put(MAGIC).putLong(1).put((byte) (bytesPerToken == 2 ? UINT16 : INT32));
            header.putLong(documents).putLong(documents + 1);
            out.write(header.array());
            ByteBuffer word = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
            try (DataInputStream lengths = lengths()) {
                for (long i = 0; i < documents; i++) {
                    out.write(word.putInt(0, lengths.readInt()).array(), 0, 4);
                }
            }
            try (DataInputStream lengths = lengths()) {
                long offset = 0;
                for (long i = 0; i < documents; i++) {
                    out.write(word.putLong(0, offset).array(), 0, 8);
                    offset += (long) lengths.readInt() * bytesPerToken;
                }
            }
            for (long i = 0; i <= documents; i++) {
                out.write(word.putLong(0, i).array(), 0, 8);
            }
        }
        Files.delete(lengthsPartial);
        AtomicFile.publish(binPartial, bin);
        AtomicFile.publish(idxPartial, idx);
    }

    /**
     * Joins shards of the same vocabulary into one; the parts stay.
     *
     * @param parts prefixes, in the order of their documents
     */
    public static void join(List<Path> parts, Path prefix, int vocabularySize) throws IOException {
        try (TokenShardWriter writer = new TokenShardWriter(prefix, vocabularySize)) {
            try {
                for (Path part : parts) {
                    writer.append(part);
                }
            } catch (IOException | RuntimeException e) {
                writer.abandon();
                throw e;
            }
        }
    }

    private void append(Path part) throws IOException {
        try (TokenShard shard = TokenShard.open(part)) {
            if (shard.bytesPerToken() != bytesPerToken) {
                throw new ConfigurationException("shard", part, "it is of another vocabulary");
            }
            for (long i = 0; i < shard.documentCount(); i++) {
                length((int) (shard.documentStart(i + 1) - shard.documentStart(i)));
            }
            tokens += shard.tokenCount();
            documents += shard.documentCount();
        }
        Files.copy(TokenShard.binOf(part), binOut);
    }

    private void length(int length) throws IOException {
        lengthsOut.write(length >>> 24);
        lengthsOut.write(length >>> 16);
        lengthsOut.write(length >>> 8);
        lengthsOut.write(length);
    }

    private DataInputStream lengths() throws IOException {
        return new DataInputStream(new BufferedInputStream(Files.newInputStream(lengthsPartial), BUFFER));
    }
}
