package dev.puna.data.mixture;

import dev.puna.data.shard.TokenSampler;
import dev.puna.data.shard.TokenShard;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/**
 * Shares of the sources of a training run. The recipe is a YAML file:
 *
 * <pre>
 * name: llama-1
 * tokens: 1.4e12
 * sources:
 *   - {name: wikipedia, share: 4.5, unique_tokens: 26e9, shards: "tokens/wikipedia-*.idx"}
 * </pre>
 *
 * Shards are looked for beside the recipe; where there are none, {@code unique_tokens} says what the plan counts with.
 *
 * @param name of the mixture
 * @param tokens how many tokens the run sees
 * @param sources what it is made of
 */
public record Mixture(String name, long tokens, List<Source> sources) {
    /**
     * One source.
     *
     * @param name as in the documents
     * @param share of the run's tokens, relative to the other sources
     * @param uniqueTokens what it holds; 0 when nobody knows
     * @param shards prefixes of its token shards, in the order of their names
     */
    public record Source(String name, double share, long uniqueTokens, List<Path> shards) {
        public Source {
            shards = List.copyOf(shards);
            if (!(share > 0) || Double.isInfinite(share)) {
                throw new ConfigurationException("share of " + name, share, "use a positive number");
            }
        }
    }

    /**
     * What the run sees of one source.
     *
     * @param share of the run, 0 to 1
     * @param tokens drawn from it
     * @param uniqueTokens that it holds
     * @param epochs how often each is seen; NaN when nobody knows
     */
    public record Row(String source, double share, long tokens, long uniqueTokens, double epochs) {}

    public Mixture {
        sources = List.copyOf(sources);
        if (sources.isEmpty()) {
            throw new ConfigurationException("sources", "[]", "name at least one");
        }
        if (tokens < 1) {
            throw new ConfigurationException("tokens", tokens, "say how many tokens the run sees");
        }
    }

    /**
     * Reads a recipe.
     *
     * @throws ConfigurationException when something is missing or is not a number
     */
    public static Mixture read(Path recipe) throws IOException {
        JsonNode root;
        try {
            root = new YAMLMapper().readTree(Files.readAllBytes(recipe));
        } catch (JacksonException e) {
            throw new ConfigurationException("recipe", recipe, "it is not YAML: " + e.getOriginalMessage());
        }
        List<Source> sources = new ArrayList<>();
        for (JsonNode node : root.path("sources")) {
            String name = node.path("name").asString("");
            if (name.isEmpty()) {
                throw new ConfigurationException("sources", node, "each source needs a name");
            }
            List<Path> shards = shards(recipe, node.path("shards").asString(""));
            long unique = number(node, "unique_tokens", 0);
            if (!shards.isEmpty()) {
                unique = 0;
                for (Path shard : shards) {
                    try (TokenShard opened = TokenShard.open(shard)) {
                        unique += opened.tokenCount();
                    }
                }
            }
            sources.add(new Source(name, node.path("share").asDouble(0), unique, shards));
        }
        return new Mixture(
                root.path("name").asString(recipe.getFileName().toString()), number(root, "tokens", 0), sources);
    }

    private static long number(JsonNode node, String field, long otherwise) {
        JsonNode value = node.path(field);
        if (value.isMissingNode()) {
            return otherwise;
        }
        double number = value.asDouble(Double.NaN);
        if (!(number >= 0 && number < 9e18)) {
            throw new ConfigurationException(field, value, "use a number of tokens, such as 26e9");
        }
        return (long) number;
    }

    private static List<Path> shards(Path recipe, String pattern) throws IOException {
        List<Path> found = new ArrayList<>();
        if (pattern.isEmpty()) {
            return found;
        }
        Path folder = recipe.toAbsolutePath().resolveSibling(pattern).getParent();
        String glob = pattern.substring(pattern.lastIndexOf('/') + 1);
        if (folder != null && Files.isDirectory(folder)) {
            try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, glob)) {
                for (Path file : files) {
                    String name = file.getFileName().toString();
                    if (name.endsWith(".idx")) {
                        found.add(file.resolveSibling(name.substring(0, name.length() - 4)));
                    }
                }
            }
        }
        found.sort(null);
        return found;
    }

    /** Tokens and epochs of each source, for this run's number of tokens. */
    public List<Row> plan() {
        double sum = 0;
        for (Source source : sources) {
            sum += source.share();
        }
        List<Row> rows = new ArrayList<>();
        for (Source source : sources) {
            double share = source.share() / sum;
            long drawn = Math.round(share * tokens);
            rows.add(new Row(
                    source.name(),
                    share,
                    drawn,
                    source.uniqueTokens(),
                    source.uniqueTokens() == 0 ? Double.NaN : (double) drawn / source.uniqueTokens()));
        }
        return rows;
    }

    /** The plan as a table for people. */
    public String table() {
        StringBuilder out = new StringBuilder(String.format(
                Locale.ROOT,
                "%s: %s tokens%n%-18s %7s %10s %10s %7s%n",
                name,
                tokens(tokens),
                "source",
                "share",
                "tokens",
                "unique",
                "epochs"));
        for (Row row : plan()) {
            out.append(String.format(
                    Locale.ROOT,
                    "%-18s %6.1f%% %10s %10s %7s%n",
                    row.source(),
                    100 * row.share(),
                    tokens(row.tokens()),
                    row.uniqueTokens() == 0 ? "?" : tokens(row.uniqueTokens()),
                    Double.isNaN(row.epochs()) ? "?" : String.format(Locale.ROOT, "%.2f", row.epochs())));
        }
        return out.toString();
    }

    private static String tokens(long count) {
        if (count >= 1_000_000_000_000L) {
            return String.format(Locale.ROOT, "%.2fT", count / 1e12);
        }
        if (count >= 1_000_000_000L) {
            return String.format(Locale.ROOT, "%.1fB", count / 1e9);
        }
        return count >= 1_000_000 ? String.format(Locale.ROOT, "%.1fM", count / 1e6) : Long.toString(count);
    }

    /**
     * The samples of the run. The shards stay open until the caller closes the given {@code opened}, to which they are
     * added.
     */
    public TokenSampler sampler(int sequenceLength, long seed, List<TokenShard> opened) throws IOException {
        List<TokenSampler.Part> parts = new ArrayList<>();
        for (Source source : sources) {
            if (source.shards().isEmpty()) {
                throw new ConfigurationException("shards of " + source.name(), "[]", "no token shards were found");
            }
            List<TokenShard> shards = new ArrayList<>();
            for (Path prefix : source.shards()) {
                TokenShard shard = TokenShard.open(prefix);
                opened.add(shard);
                shards.add(shard);
            }
            parts.add(new TokenSampler.Part(source.name(), shards, source.share()));
        }
        return new TokenSampler(parts, sequenceLength, seed);
    }
}
