package dev.puna.tensor;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;

/**
 * A file that appears under its name only when it is complete: written beside its target, forced to the disk by
 * {@link #finish()}, renamed by {@link #publish()}. Closed before that, it disappears and an older file of that name
 * stays as it was.
 */
public final class AtomicFile implements AutoCloseable {
    private static final String INCOMPLETE = ".incomplete";

    /** What goes through one write call; also the largest copy on the way. */
    private static final int CHUNK = 1 << 20;

    private final Path target;
    private final Path beside;
    private final FileChannel channel;
    private @Nullable ByteBuffer staging;
    private long position;
    private boolean finished;
    private boolean published;

    private AtomicFile(Path target, Path beside, FileChannel channel) {
        this.target = target;
        this.beside = beside;
        this.channel = channel;
    }

    /** Begins a new file that will become {@code target}; makes the directory where it is missing. */
    public static AtomicFile create(Path target) throws IOException {
        Path directory = target.toAbsolutePath().getParent();
        if (directory != null) {
            Files.createDirectories(directory);
        }
        Path beside = target.resolveSibling(
                "." + target.getFileName() + "." + UUID.randomUUID().toString().substring(0, 8) + INCOMPLETE);
        return new AtomicFile(
                target,
                beside,
                FileChannel.open(
                        beside, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE));
    }

    /** Writes a whole file at once. */
    public static void write(Path target, byte[] content) throws IOException {
        try (AtomicFile file = create(target)) {
            file.write(MemorySegment.ofArray(content));
            file.publish();
        }
    }

    /** The same for text in UTF-8. */
    public static void write(Path target, CharSequence text) throws IOException {
        write(target, text.toString().getBytes(StandardCharsets.UTF_8));
    }

    /** Forces a file that was written otherwise to the disk, and renames it. */
    public static void publish(Path written, Path target) throws IOException {
        try (FileChannel channel = FileChannel.open(written, StandardOpenOption.WRITE)) {
            channel.force(true);
        }
        Files.move(written, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        forceDirectory(target.toAbsolutePath().getParent());
    }

    /** Removes what a process that was killed has left of files that it was writing, anywhere below a folder. */
    public static void sweep(Path folder) throws IOException {
        List<Path> left;
        try (Stream<Path> walk = Files.walk(folder)) {
            left = walk.filter(file -> {
                        String name = String.valueOf(file.getFileName());
                        return name.startsWith(".") && name.endsWith(INCOMPLETE);
                    })
                    .toList();
        }
        for (Path file : left) {
            Files.deleteIfExists(file);
        }
    }

    /** Bytes written so far. */
    public long position() {
        return position;
    }

    /** Appends all bytes of a segment. */
    public void write(MemorySegment bytes) throws IOException {
        write(bytes, null);
    }

    /** Appends all bytes of a segment and takes them into {@code checksum} on the way. */
    public void write(MemorySegment bytes, @Nullable CRC32 checksum) throws IOException {
        long size = bytes.byteSize();
        for (long from = 0; from < size; from += CHUNK) {
            MemorySegment piece = bytes.asSlice(from, Math.min(CHUNK, size - from));
            ByteBuffer buffer = piece.isNative() ? piece.asByteBuffer() : staged(piece);
            if (checksum != null) {
                checksum.update(buffer.duplicate());
            }
            writeFully(buffer, position);
            position += piece.byteSize();
        }
    }

    /** A copy off the Java heap; the next one replaces it. */
    private ByteBuffer staged(MemorySegment piece) {
        ByteBuffer buffer = staging;
        if (buffer == null || buffer.capacity() < piece.byteSize()) {
            buffer = ByteBuffer.allocateDirect(Math.toIntExact(piece.byteSize()));
            staging = buffer;
        }
        buffer.clear().limit(Math.toIntExact(piece.byteSize()));
        MemorySegment.ofBuffer(buffer).copyFrom(piece);
        return buffer;
    }

    /** Appends zeros until {@link #position()} is a multiple of {@code alignment}. */
    public void padTo(int alignment) throws IOException {
        int missing = Math.toIntExact((alignment - position % alignment) % alignment);
        write(MemorySegment.ofArray(new byte[missing]));
    }

    /** Overwrites bytes that were written before. */
    public void patch(long at, byte[] bytes) throws IOException {
        if (at < 0 || at + bytes.length > position) {
            throw new IllegalArgumentException("only written bytes can be patched");
        }
        writeFully(ByteBuffer.wrap(bytes), at);
    }

    private void writeFully(ByteBuffer buffer, long at) throws IOException {
        long to = at;
        while (buffer.hasRemaining()) {
            to += channel.write(buffer, to);
        }
    }

    /** Forces everything to the disk; the file still has its temporary name. */
    public void finish() throws IOException {
        if (!finished) {
            channel.force(true);
            channel.close();
            finished = true;
        }
    }

    /** Gives the complete file its name, replacing an older one. */
    public void publish() throws IOException {
        finish();
        Files.move(beside, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        published = true;
        forceDirectory(target.toAbsolutePath().getParent());
    }

    /** Makes the rename itself survive a power cut, where the system can do it. */
    @SuppressWarnings("EmptyCatch") // not every system lets a directory be opened; the rename has happened anyway
    private static void forceDirectory(@Nullable Path directory) {
        if (directory == null) {
            return;
        }
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        } catch (IOException unsupported) {
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
            if (!published) {
                Files.deleteIfExists(beside);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
