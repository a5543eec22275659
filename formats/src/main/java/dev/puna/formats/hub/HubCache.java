package dev.puna.formats.hub;

import dev.puna.tensor.AtomicFile;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Pattern;

/**
 * The cache's folders: {@code blobs/ETAG} with the bytes, {@code snapshots/COMMIT/FILE} linking to them,
 * {@code refs/REVISION} with a commit, {@code .locks} beside the models for those who fetch at the same time.
 *
 * @param root the folder of {@code models--owner--name}
 */
record HubCache(Path root) {
    private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40,64}");
    /** File locks hold between processes; these hold between the threads of this one. */
    private static final Map<Path, ReentrantLock> THREAD_LOCKS = new ConcurrentHashMap<>();

    /** Brings the bytes of a blob into a file. */
    @FunctionalInterface
    interface Download {
        void into(Path blob) throws IOException;
    }

    static boolean isCommit(String text) {
        return COMMIT.matcher(text).matches();
    }

    private String folderName(HubModel model) {
        return "models--" + model.owner() + "--" + model.name();
    }

    private Path folder(HubModel model) {
        return root.resolve(folderName(model));
    }

    Path snapshot(HubModel model, String commit) {
        return folder(model).resolve("snapshots").resolve(commit);
    }

    /** The commit that the model's revision stands for, if its snapshot is here. */
    Optional<String> commit(HubModel model) throws IOException {
        Path reference = folder(model).resolve("refs").resolve(model.revision());
        String commit =
                Files.isRegularFile(reference) ? Files.readString(reference).strip() : model.revision();
        return isCommit(commit) && Files.isDirectory(snapshot(model, commit)) ? Optional.of(commit) : Optional.empty();
    }

    void reference(HubModel model, String commit) throws IOException {
        if (!model.revision().equals(commit)) {
            AtomicFile.write(
                    folder(model).resolve("refs").resolve(model.revision()), commit.getBytes(StandardCharsets.UTF_8));
        }
    }

    boolean contains(HubModel model, String commit, String file) {
        return Files.isRegularFile(snapshot(model, commit).resolve(file));
    }

    /** Adds a file: fetches its blob if nobody has, and links it into the snapshot. */
    void add(HubModel model, String commit, String file, String etag, Download download) throws IOException {
        Path blob = folder(model).resolve("blobs").resolve(etag);
        Path lockFile = root.resolve(".locks").resolve(folderName(model)).resolve(etag + ".lock");
        Files.createDirectories(blob.resolveSibling("."));
        Files.createDirectories(lockFile.resolveSibling("."));
        ReentrantLock threadLock =
                THREAD_LOCKS.computeIfAbsent(lockFile.toAbsolutePath().normalize(), path -> new ReentrantLock());
        threadLock.lock();
        try (FileChannel channel = FileChannel.open(lockFile, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                FileLock lock = channel.lock()) {
            if (lock.isValid() && !Files.exists(blob)) {
                download.into(blob);
            }
            link(blob, snapshot(model, commit).resolve(file));
        } finally {
            threadLock.unlock();
        }
    }

    /** A relative symbolic link, as the hub's own tools make it; elsewhere a hard link, elsewhere a copy. */
    private static void link(Path blob, Path pointer) throws IOException {
        Path directory = pointer.toAbsolutePath().getParent();
        if (directory == null) {
            throw new IOException(pointer + " has no directory");
        }
        Files.createDirectories(directory);
        Files.deleteIfExists(pointer); // a link that leads nowhere
        try {
            Files.createSymbolicLink(pointer, directory.relativize(blob.toAbsolutePath()));
        } catch (UnsupportedOperationException | FileSystemException noSymbolicLinks) {
            try {
                Files.createLink(pointer, blob);
            } catch (UnsupportedOperationException | FileSystemException noLinks) {
                Files.copy(blob, pointer, StandardCopyOption.REPLACE_EXISTING);
            }
        }
    }
}
