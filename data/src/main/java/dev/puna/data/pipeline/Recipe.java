package dev.puna.data.pipeline;

import dev.puna.data.source.ArxivSource;
import dev.puna.data.source.BooksSource;
import dev.puna.data.source.CommonCrawlSource;
import dev.puna.data.source.DocumentSource;
import dev.puna.data.source.Fidelity;
import dev.puna.data.source.GitHubSource;
import dev.puna.data.source.JsonlSource;
import dev.puna.data.source.Licences;
import dev.puna.data.source.StackExchangeSource;
import dev.puna.data.source.WikipediaSource;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/**
 * What a pipeline does:
 *
 * <pre>
 * name: crawl
 * source: {kind: commoncrawl, min_chars: 300}
 * inputs: ["dumps/*.warc.wet.gz"]
 * memory: 1GB
 * stages:
 *   - {kind: gopher-quality}
 *   - {kind: line-dedup, at_least: 2}
 * </pre>
 *
 * Paths are relative to the recipe's folder.
 *
 * @param name of the pipeline
 * @param folder of the recipe
 * @param source that reads the inputs
 * @param inputs files and folders, in the order in which they count
 * @param memoryBytes for deduplication tables
 * @param stages what happens to documents, as the recipe has it
 * @param text the recipe itself
 */
public record Recipe(
        String name,
        Path folder,
        DocumentSource source,
        List<Path> inputs,
        long memoryBytes,
        List<JsonNode> stages,
        String text) {
    public Recipe {
        inputs = List.copyOf(inputs);
        stages = List.copyOf(stages);
    }

    /**
     * Reads a recipe and finds its inputs.
     *
     * @throws ConfigurationException when something is missing, unknown or finds no file
     */
    public static Recipe read(Path file) throws IOException {
        return read(file, List.of());
    }

    /** Reads a recipe with other inputs than it names, unless {@code inputs} is empty. */
    public static Recipe read(Path file, List<Path> inputs) throws IOException {
        String text = Files.readString(file);
        JsonNode root;
        try {
            root = new YAMLMapper().readTree(text);
        } catch (JacksonException e) {
            throw new ConfigurationException("recipe", file, "it is not YAML: " + e.getOriginalMessage());
        }
        Path folder = Objects.requireNonNull(file.toAbsolutePath().getParent(), "a recipe is a file in a folder");
        List<Path> found = new ArrayList<>(inputs);
        if (inputs.isEmpty()) {
            for (JsonNode pattern : root.path("inputs")) {
                found.addAll(find(folder, pattern.asString("")));
            }
        }
        if (found.isEmpty()) {
            throw new ConfigurationException("inputs", root.path("inputs"), "no file was found");
        }
        List<JsonNode> stages = new ArrayList<>();
        root.path("stages").forEach(stages::add);
        return new Recipe(
                root.path("name").asString(String.valueOf(file.getFileName())),
                folder,
                source(root.path("source")),
                found,
                bytes(root.path("memory").asString("512MB")),
                stages,
                text + found);
    }

    private static List<Path> find(Path folder, String pattern) throws IOException {
        Path absolute = folder.resolve(pattern).normalize();
        if (Files.exists(absolute)) {
            return List.of(absolute);
        }
        int wild = 0;
        while (wild < pattern.length() && "*?[{".indexOf(pattern.charAt(wild)) < 0) {
            wild++;
        }
        int slash = pattern.lastIndexOf('/', wild);
        Path root = slash < 0
                ? folder
                : folder.resolve(pattern.substring(0, slash + 1)).normalize();
        if (!Files.isDirectory(root)) {
            return List.of();
        }
        PathMatcher matcher = FileSystems.getDefault().getPathMatcher("glob:" + pattern.substring(slash + 1));
        try (Stream<Path> walk = Files.walk(root)) {
            return walk.filter(Files::isRegularFile)
                    .filter(p -> matcher.matches(root.relativize(p)))
                    .sorted()
                    .toList();
        }
    }

    private static long bytes(String text) {
        String upper = text.strip().toUpperCase(Locale.ROOT).replace("IB", "B");
        long unit =
                upper.endsWith("GB") ? 1L << 30 : upper.endsWith("MB") ? 1L << 20 : upper.endsWith("KB") ? 1L << 10 : 1;
        String number = upper.replaceAll("[GMK]?B?$", "").strip();
        try {
            return (long) (Double.parseDouble(number) * unit);
        } catch (NumberFormatException e) {
            throw new ConfigurationException("memory", text, "use a size such as 512MB");
        }
    }

    private static DocumentSource source(JsonNode node) {
        String kind = node.path("kind").asString("");
        Fidelity fidelity = switch (node.path("mode").asString("paper")) {
            case "paper" -> Fidelity.PAPER;
            case "compat" -> Fidelity.COMPAT;
            default -> throw new ConfigurationException("mode", node.path("mode"), "use paper or compat");
        };
        return switch (kind) {
            case "commoncrawl" -> new CommonCrawlSource(node.path("min_chars").asInt(300));
            case "c4" -> new JsonlSource("c4", true);
            case "github" -> {
                Licences licences = node.path("licences").asString("permissive").equals("any")
                        ? Licences.any()
                        : Licences.permissive();
                yield new GitHubSource(GitHubSource.Rules.standard(licences), fidelity);
            }
            case "wikipedia" -> new WikipediaSource(node.path("min_chars").asInt(1));
            case "books" -> new BooksSource();
            case "arxiv" -> new ArxivSource(fidelity);
            case "stackexchange" -> new StackExchangeSource(fidelity, 256L << 20);
            case "jsonl" -> new JsonlSource(node.path("name").asString("jsonl"));
            default ->
                throw new ConfigurationException(
                        "source.kind",
                        kind,
                        "use commoncrawl, c4, github, wikipedia, books, arxiv, stackexchange or jsonl");
        };
    }
}
