package dev.puna.model.convert;

import dev.puna.formats.Safetensors;
import dev.puna.model.HuggingFaceFormat;
import dev.puna.model.MetaFormat;
import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.UUID;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A model's directory on its way from an older model to a new one. The new files are written into a hidden directory
 * inside; {@link #publish} removes the older model, its configuration first, moves the new files to their place and
 * writes the new configuration last. So nothing is lost before the new model is complete, and at no moment does a
 * configuration stand beside the weights of another model, or one format hide the other.
 *
 * <p>GGUF files, which stand for themselves, and files that belong to no model stay as they are.
 */
final class StagedModel implements AutoCloseable {
    private static final Pattern WEIGHTS = Pattern.compile(
            "model\\.safetensors(\\.index\\.json)?|model-\\d+-of-\\d+\\.safetensors|consolidated(\\.\\d\\d)?\\.pth");
    private static final List<String> CONFIGURATIONS =
            List.of(HuggingFaceFormat.CONFIG_FILE, MetaFormat.PARAMS_FILE, Safetensors.INDEX_FILE);

    private final Path directory;
    private final Path staging;

    private StagedModel(Path directory, Path staging) {
        this.directory = directory;
        this.staging = staging;
    }

    /** Begins a model in a directory, which is made where it is missing. */
    static StagedModel in(Path directory) throws IOException {
        if (Files.exists(directory) && !Files.isDirectory(directory)) {
            throw new ConfigurationException("out", directory, "this format is a directory, and there is a file");
        }
        Files.createDirectories(directory);
        String name = ".model." + UUID.randomUUID().toString().substring(0, 8) + ".incomplete";
        return new StagedModel(directory, Files.createDirectory(directory.resolve(name)));
    }

    /** Where the new files are to be written. */
    Path path() {
        return staging;
    }

    /**
     * Puts the new model in the place of the older one.
     *
     * @param configuration the name of the file that makes the directory a model of its format
     * @param text of that file
     */
    void publish(String configuration, String text) throws IOException {
        for (String name : CONFIGURATIONS) {
            Files.deleteIfExists(directory.resolve(name));
        }
        for (Path old : files(
                directory, name -> WEIGHTS.matcher(name).matches() || Vocabulary.HUGGING_FACE_FILES.contains(name))) {
            Files.delete(old);
        }
        for (Path file : files(staging, _ -> true)) {
            Files.move(file, directory.resolve(file.getFileName()), StandardCopyOption.ATOMIC_MOVE);
        }
        AtomicFile.write(directory.resolve(configuration), text.getBytes(StandardCharsets.UTF_8));
    }

    private static List<Path> files(Path directory, Predicate<String> wanted) throws IOException {
        try (Stream<Path> all = Files.list(directory)) {
            return all.filter(Files::isRegularFile)
                    .filter(file -> wanted.test(file.getFileName().toString()))
                    .toList();
        }
    }

    /** Removes what was not published. */
    @Override
    public void close() {
        try {
            for (Path file : files(staging, _ -> true)) {
                Files.delete(file);
            }
            Files.delete(staging);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
