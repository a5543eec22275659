package dev.puna.speedrun;

import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * The directory of a run. A stage that is done has left {@code stamps/NAME.json} with what the later ones need of it; a
 * stamp appears whole or not at all.
 */
final class RunDirectory implements AutoCloseable {
    private final Path root;
    private final FileChannel lockFile;
    private final FileLock lock;

    /** The run's stamp of one stage: how long it took, what to say of it, and its result. */
    private record Stamp<T>(double seconds, String summary, T result) {}

    /** What a stage left. */
    record Done<T>(double seconds, String summary, T result) {}

    private RunDirectory(Path root, FileChannel lockFile, FileLock lock) {
        this.root = root;
        this.lockFile = lockFile;
        this.lock = lock;
    }

    /**
     * Takes a directory for a run, or for going on with the one in it.
     *
     * @throws ConfigurationException when it cannot be written, another process runs in it, or it holds something else
     */
    static RunDirectory open(Path root, String identity) throws IOException {
        FileChannel channel;
        try {
            requireOurs(root);
            Files.createDirectories(root.resolve("stamps"));
            channel =
                    FileChannel.open(root.resolve("stamps/.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw new ConfigurationException(
                    "--out", root, "cannot be written: " + reason(e) + "; name a folder that can: --out DIR");
        }
        FileLock lock;
        try {
            lock = channel.tryLock();
        } catch (java.nio.channels.OverlappingFileLockException e) {
            lock = null;
        }
        if (lock == null) {
            channel.close();
            throw new ConfigurationException("--out", root, "another speedrun is at work in it");
        }
        RunDirectory directory = new RunDirectory(root, channel, lock);
        Path mark = root.resolve("stamps/run.txt");
        if (!Files.exists(mark)) {
            AtomicFile.write(mark, identity.getBytes(StandardCharsets.UTF_8));
        } else if (!Files.readString(mark).equals(identity)) {
            String other = Files.readString(mark).strip().replace("\n", ", ");
            directory.close();
            throw new ConfigurationException(
                    "--out",
                    root,
                    "holds another run (" + other + "); the same command goes on with it; for a new run name another"
                            + " folder: --out DIR");
        }
        return directory;
    }

    /** What is neither empty nor a run's is left alone: names such as {@code model} may be taken there. */
    private static void requireOurs(Path root) throws IOException {
        if (Files.exists(root) && !Files.isDirectory(root)) {
            throw new ConfigurationException("--out", root, "is a file; name a folder: --out DIR");
        }
        if (!Files.exists(root) || Files.exists(root.resolve("stamps"))) {
            return;
        }
        try (Stream<Path> entries = Files.list(root)) {
            Optional<Path> first = entries.findFirst();
            if (first.isPresent()) {
                throw new ConfigurationException(
                        "--out",
                        root,
                        "holds other things (" + first.get().getFileName()
                                + "); name a folder that is empty or not there yet: --out DIR");
            }
        }
    }

    private static String reason(IOException failure) {
        return switch (failure) {
            case AccessDeniedException e -> "permission denied";
            case FileAlreadyExistsException e -> e.getFile() + " is a file";
            case FileSystemException e when e.getReason() != null -> e.getReason();
            default -> String.valueOf(failure.getMessage());
        };
    }

    Path root() {
        return root;
    }

    Path path(String name) {
        return root.resolve(name);
    }

    /** What a stage left, if it is done. */
    <T> Optional<Done<T>> done(Stage stage, Class<T> type) throws IOException {
        Path file = stamp(stage);
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        JsonMapper json = JsonMapper.shared();
        try {
            Stamp<T> stamp = json.readValue(
                    Files.readString(file), json.getTypeFactory().constructParametricType(Stamp.class, type));
            return Optional.of(new Done<>(stamp.seconds, stamp.summary, stamp.result));
        } catch (JacksonException e) {
            throw new ConfigurationException(
                    "--out", file, "is damaged (" + e.getOriginalMessage() + "); remove it to do this stage again");
        }
    }

    /** Marks a stage as done. */
    void stamp(Stage stage, double seconds, String summary, Object result) throws IOException {
        write(stamp(stage), new Stamp<>(seconds, summary, result));
    }

    /** Notes of a stage that is not done yet. */
    <T> Optional<T> notes(Stage stage, Class<T> type) throws IOException {
        Path file = root.resolve("stamps/" + stage.title() + "-notes.json");
        return Files.exists(file)
                ? Optional.of(JsonMapper.shared().readValue(Files.readString(file), type))
                : Optional.empty();
    }

    void keepNotes(Stage stage, Object notes) throws IOException {
        write(root.resolve("stamps/" + stage.title() + "-notes.json"), notes);
    }

    private static void write(Path file, Object value) throws IOException {
        String text = JsonMapper.shared().writerWithDefaultPrettyPrinter().writeValueAsString(value);
        AtomicFile.write(file, text.getBytes(StandardCharsets.UTF_8));
    }

    private Path stamp(Stage stage) {
        return root.resolve("stamps/" + stage.title() + ".json");
    }

    /** The parent's own space left, in bytes; the files of a run come to a multiple of the text. */
    long usableBytes() throws IOException {
        return Files.getFileStore(root).getUsableSpace();
    }

    @Override
    public void close() throws IOException {
        @Nullable FileLock held = lock;
        if (held != null && held.isValid()) {
            held.release();
        }
        lockFile.close();
    }
}
