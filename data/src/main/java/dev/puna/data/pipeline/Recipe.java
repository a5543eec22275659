package dev.puna.data.pipeline;

import dev.puna.data.dedup.Embedder;
import dev.puna.data.source.ArxivSource;
import dev.puna.data.source.BooksSource;
import dev.puna.data.source.CommonCrawlSource;
import dev.puna.data.source.DocumentSource;
import dev.puna.data.source.Download;
import dev.puna.data.source.Fidelity;
import dev.puna.data.source.GitHubSource;
import dev.puna.data.source.JsonlSource;
import dev.puna.data.source.Licences;
import dev.puna.data.source.PiecesSource;
import dev.puna.data.source.StackExchangeSource;
import dev.puna.data.source.TextSource;
import dev.puna.data.source.WikipediaSource;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
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
 * held_out: {one_in: 1000}
 * tokens: {train: byte-level, size: 8000, bos: true, eos: true}
 * </pre>
 *
 * Paths are relative to the recipe's folder. With {@code pieces: 16384} a source cuts longer documents into pieces of so
 * many characters ({@link PiecesSource}). {@code held_out} sets documents aside, chosen by a hash of their text, so
 * that copies are on one side, or with {@code by: id} of their id (of a program: its path), so that a document stays on
 * its side when its text changes; {@code tokens} makes token shards of both parts, with a vocabulary that is trained on the documents
 * ({@code train: byte-level} or {@code sentencepiece}) or that there is ({@code tokenizer: FILE}). Both may be left out.
 *
 * @param name of the pipeline
 * @param folder of the recipe
 * @param source that reads the inputs
 * @param inputs files and folders, in the order in which they count
 * @param addresses of dumps that are fetched first, into the output folder, and count behind the inputs
 * @param memoryBytes for deduplication tables
 * @param stages what happens to documents, as the recipe has it
 * @param heldOut which documents are set aside, or null for none
 * @param tokens how documents become tokens, or null when they stay documents
 * @param embedders opens the models of {@code semantic-dedup}
 * @param text the recipe itself
 */
public record Recipe(
        String name,
        Path folder,
        DocumentSource source,
        List<Path> inputs,
        List<URI> addresses,
        long memoryBytes,
        List<JsonNode> stages,
        @Nullable HeldOut heldOut,
        @Nullable Tokens tokens,
        Embedders embedders,
        String text) {
    /** Opens a model that makes vectors of texts; this module has none. */
    @FunctionalInterface
    public interface Embedders {
        Embedder open(String model) throws IOException;

        /** Refuses. */
        Embedders NONE = model -> {
            throw new ConfigurationException(
                    "semantic-dedup", model, "needs a model for its vectors: run the recipe with puna data prepare");
        };
    }

    /** The same recipe with something that opens models. */
    public Recipe with(Embedders other) {
        return new Recipe(name, folder, source, inputs, addresses, memoryBytes, stages, heldOut, tokens, other, text);
    }

    /**
     * Which documents are set aside.
     *
     * @param oneIn one document in this many
     * @param by what decides
     */
    public record HeldOut(int oneIn, By by) {
        /** What of a document decides on which side it is. */
        public enum By {
            TEXT,
            ID;

            private static By of(String name) {
                return switch (name) {
                    case "text" -> TEXT;
                    case "id" -> ID;
                    default -> throw new ConfigurationException("held_out.by", name, "use text or id");
                };
            }
        }

        public HeldOut {
            if (oneIn < 2) {
                throw new ConfigurationException("held_out.one_in", oneIn, "use at least 2");
            }
        }
    }

    /**
     * How documents become tokens.
     *
     * @param vocabulary with what
     * @param bos whether each document begins with the token for it
     * @param eos whether each document ends with the token for it
     */
    public record Tokens(Vocabulary vocabulary, boolean bos, boolean eos) {}

    /** Where a vocabulary comes from. */
    public sealed interface Vocabulary {
        /** It is trained on the documents. */
        record Trained(VocabularyTraining training) implements Vocabulary {}

        /** It lies in a file or a folder. */
        record Opened(Path path) implements Vocabulary {}
    }

    private static final List<String> FIELDS =
            List.of("name", "source", "inputs", "memory", "stages", "held_out", "tokens");

    public Recipe {
        inputs = List.copyOf(inputs);
        addresses = List.copyOf(addresses);
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
        return read(file, inputs.stream().map(Path::toString).toArray(String[]::new));
    }

    /** The same, where an input may also be the address of a dump: {@code https://…}. */
    public static Recipe read(Path file, String... inputs) throws IOException {
        String text = Files.readString(file);
        JsonNode root;
        try {
            root = new YAMLMapper().readTree(text);
        } catch (JacksonException e) {
            throw new ConfigurationException("recipe", file, "it is not YAML: " + e.getOriginalMessage());
        }
        Path folder = Objects.requireNonNull(file.toAbsolutePath().getParent(), "a recipe is a file in a folder");
        return of(root, folder, String.valueOf(file.getFileName()), List.of(inputs), text);
    }

    /** A recipe that was written as {@code yaml} somewhere else than in a file; paths are relative to {@code folder}. */
    public static Recipe of(String yaml, Path folder, List<String> inputs) throws IOException {
        return of(new YAMLMapper().readTree(yaml), folder, "pipeline", inputs, yaml);
    }

    private static Recipe of(JsonNode root, Path folder, String name, List<String> inputs, String yaml)
            throws IOException {
        for (String field : root.propertyNames()) {
            if (!FIELDS.contains(field)) {
                throw new ConfigurationException("recipe", field, "no such field; use one of " + FIELDS);
            }
        }
        List<Path> found = new ArrayList<>();
        List<URI> addresses = new ArrayList<>();
        for (String input : inputs) {
            if (Download.isAddress(input)) {
                addresses.add(address(input));
            } else if (Files.exists(Path.of(input))) {
                found.add(Path.of(input).toAbsolutePath().normalize()); // as those that are found by a pattern
            } else {
                throw new ConfigurationException("inputs", input, "there is no such file or folder");
            }
        }
        if (inputs.isEmpty()) {
            for (JsonNode pattern : root.path("inputs")) {
                String input = pattern.asString("");
                if (Download.isAddress(input)) {
                    addresses.add(address(input));
                } else {
                    found.addAll(find(folder, input));
                }
            }
        }
        if (found.isEmpty() && addresses.isEmpty()) {
            throw new ConfigurationException("inputs", root.path("inputs"), "no file was found");
        }
        JsonNode source = root.path("source");
        if (source.has("largest")) {
            found = new ArrayList<>(StackExchangeSource.largest(
                    found, settings(source, "mode", "largest").integer("largest", 28, 1)));
        }
        List<JsonNode> stages = new ArrayList<>();
        root.path("stages").forEach(stages::add);
        return new Recipe(
                root.path("name").asString(name),
                folder,
                source(source),
                found,
                addresses,
                bytes(root.path("memory").asString("512MB")),
                stages,
                root.has("held_out") ? heldOut(new Settings("held_out", root.path("held_out"), "one_in", "by")) : null,
                root.has("tokens") ? tokens(root.path("tokens"), folder) : null,
                Embedders.NONE,
                yaml + fingerprint(found) + addresses);
    }

    private static HeldOut heldOut(Settings s) {
        return new HeldOut(s.integer("one_in", 0, 2), HeldOut.By.of(s.text("by", "text")));
    }

    private static Tokens tokens(JsonNode node, Path folder) {
        Settings s = new Settings("tokens", node, "tokenizer", "train", "size", "bos", "eos");
        Vocabulary vocabulary = s.has("tokenizer")
                ? new Vocabulary.Opened(folder.resolve(s.text("tokenizer", "")))
                : new Vocabulary.Trained(new VocabularyTraining(
                        VocabularyTraining.Kind.of(s.text("train", "")), s.integer("size", 8000, 1)));
        return new Tokens(vocabulary, s.flag("bos", true), s.flag("eos", true));
    }

    private static URI address(String text) {
        try {
            return new URI(text);
        } catch (URISyntaxException e) {
            throw new ConfigurationException("inputs", text, "it is no address: " + e.getMessage());
        }
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
        DocumentSource source = switch (kind) {
            case "commoncrawl" ->
                new CommonCrawlSource(settings(node, "min_chars").integer("min_chars", 300, 0));
            case "c4" -> {
                settings(node);
                yield new JsonlSource("c4", true);
            }
            case "github" -> {
                Settings s = settings(node, "mode", "licences");
                Licences licences = switch (s.text("licences", "permissive")) {
                    case "any" -> Licences.any();
                    case "permissive" -> Licences.permissive();
                    default ->
                        throw new ConfigurationException(
                                "source.licences", node.path("licences"), "use permissive or any");
                };
                yield new GitHubSource(GitHubSource.Rules.standard(licences), Fidelity.of(s.text("mode", "paper")));
            }
            case "wikipedia" -> new WikipediaSource(settings(node, "min_chars").integer("min_chars", 1, 0));
            case "books" -> {
                settings(node);
                yield new BooksSource();
            }
            case "arxiv" -> new ArxivSource(Fidelity.of(settings(node, "mode").text("mode", "paper")));
            case "stackexchange" ->
                new StackExchangeSource(
                        Fidelity.of(settings(node, "mode", "largest").text("mode", "paper")));
            case "text" -> {
                settings(node);
                yield new TextSource();
            }
            case "jsonl" -> new JsonlSource(settings(node, "name").text("name", "jsonl"));
            default ->
                throw new ConfigurationException(
                        "source.kind",
                        kind,
                        "use commoncrawl, c4, github, wikipedia, books, arxiv, stackexchange, text or jsonl");
        };
        int pieces = node.path("pieces").asInt(0);
        return pieces > 0 ? new PiecesSource(source, pieces) : source;
    }

    /** The settings of the source, beside those that all have. */
    private static Settings settings(JsonNode node, String... names) {
        List<String> all = new ArrayList<>(List.of("kind", "pieces"));
        all.addAll(List.of(names));
        Settings settings = new Settings("source", node, all.toArray(String[]::new));
        settings.integer("pieces", 0, 1); // refused when it is no number
        return settings;
    }

    /** Names and sizes of the inputs: a run that goes on with others would mix two corpora. */
    private static String fingerprint(List<Path> inputs) throws IOException {
        StringBuilder all = new StringBuilder();
        for (Path input : inputs) {
            long bytes = 0;
            long files = 0;
            try (Stream<Path> walk = Files.walk(input)) {
                for (Path file : (Iterable<Path>) walk.filter(Files::isRegularFile)::iterator) {
                    bytes += Files.size(file);
                    files++;
                }
            } catch (UncheckedIOException e) {
                bytes = -1; // reading it says what is wrong
            }
            all.append('\n').append(input).append(' ').append(files).append(' ').append(bytes);
        }
        return all.toString();
    }
}
