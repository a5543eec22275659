package dev.puna.data.pipeline;

import dev.puna.data.classify.ClassifierFilter;
import dev.puna.data.classify.FastTextModel;
import dev.puna.data.classify.LanguageFilter;
import dev.puna.data.classify.LanguageIdentifier;
import dev.puna.data.dedup.BookStage;
import dev.puna.data.dedup.CorpusDeduplication;
import dev.puna.data.dedup.ExactDeduplication;
import dev.puna.data.dedup.LineDeduplication;
import dev.puna.data.dedup.MinHashDeduplication;
import dev.puna.data.dedup.SemanticDeduplication;
import dev.puna.data.dedup.SpanDeduplication;
import dev.puna.data.filter.C4Rules;
import dev.puna.data.filter.DocumentFilter;
import dev.puna.data.filter.FineWebQuality;
import dev.puna.data.filter.GopherQuality;
import dev.puna.data.filter.GopherRepetition;
import dev.puna.data.filter.Llama3Heuristics;
import dev.puna.data.filter.PersonalDataMask;
import dev.puna.data.filter.TokenDivergence;
import dev.puna.data.filter.UrlBlockList;
import dev.puna.data.ngram.NgramScorer;
import dev.puna.data.ngram.PerplexityFilter;
import dev.puna.data.source.Fidelity;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/** A stage of a recipe. */
public sealed interface Stage {
    /** Its name in counters and reports. */
    String name();

    /** Decides about one document at a time. */
    record Filter(DocumentFilter filter) implements Stage {
        @Override
        public String name() {
            return filter.name();
        }
    }

    /** Needs to see the corpus before it decides. */
    record Deduplication(String name, Maker maker) implements Stage {}

    /** Makes a deduplication that may put temporary files into a folder. */
    @FunctionalInterface
    interface Maker {
        CorpusDeduplication make(Path folder) throws IOException;
    }

    /** The kinds that recipes may name. */
    List<String> KINDS = List.of(
            "gopher-quality",
            "gopher-repetition",
            "c4",
            "fineweb",
            "llama3",
            "url-blocklist",
            "pii-mask",
            "language",
            "classifier",
            "perplexity",
            "line-dedup",
            "exact-dedup",
            "url-dedup",
            "minhash",
            "book-dedup",
            "substring-dedup",
            "span-dedup",
            "semantic-dedup",
            "token-divergence");

    /**
     * The stage that a node of a recipe asks for.
     *
     * @throws ConfigurationException for an unknown kind or a file that is not there
     */
    static Stage of(JsonNode node, Recipe recipe) throws IOException {
        String kind = node.path("kind").asString("");
        return switch (kind) {
            case "gopher-quality" -> {
                GopherQuality d = new GopherQuality();
                yield new Filter(new GopherQuality(
                        node.path("min_words").asInt(d.minWords()),
                        node.path("max_words").asInt(d.maxWords()),
                        node.path("min_mean_length").asDouble(d.minMeanLength()),
                        node.path("max_mean_length").asDouble(d.maxMeanLength()),
                        node.path("max_symbol_share").asDouble(d.maxSymbolShare()),
                        node.path("max_bullet_lines").asDouble(d.maxBulletLines()),
                        node.path("max_ellipsis_lines").asDouble(d.maxEllipsisLines()),
                        node.path("min_alphabetic_share").asDouble(d.minAlphabeticShare()),
                        node.path("min_stop_words").asInt(d.minStopWords())));
            }
            case "gopher-repetition" -> new Filter(new GopherRepetition());
            case "c4" -> {
                C4Rules d = new C4Rules();
                C4Rules rules = new C4Rules(
                        node.path("terminal_punctuation").asBoolean(true),
                        node.path("min_words_per_line").asInt(d.minWordsPerLine()),
                        node.path("min_sentences").asInt(d.minSentences()),
                        null);
                yield new Filter(node.has("bad_words") ? rules.withBadWords(lines(node, "bad_words", recipe)) : rules);
            }
            case "fineweb" -> {
                FineWebQuality d = new FineWebQuality();
                yield new Filter(new FineWebQuality(
                        node.path("min_terminal_lines").asDouble(d.minTerminalLines()),
                        node.path("max_short_lines").asDouble(d.maxShortLines()),
                        node.path("max_duplicate_chars").asDouble(d.maxDuplicateChars()),
                        node.path("max_newlines_per_word").asDouble(d.maxNewlinesPerWord())));
            }
            case "llama3" -> new Filter(Llama3Heuristics.standard(set(node, "dirty_words", recipe), null));
            case "url-blocklist" ->
                new Filter(new UrlBlockList(
                        set(node, "domains", recipe), set(node, "urls", recipe), set(node, "words", recipe)));
            case "pii-mask" -> new Filter(new PersonalDataMask());
            case "language" -> {
                String model = node.path("model").asString("built-in");
                LanguageIdentifier identifier = model.equals("built-in")
                        ? LanguageIdentifier.builtIn()
                        : LanguageIdentifier.of(recipe.folder().resolve(model));
                Set<String> keep = new HashSet<>();
                node.path("keep").forEach(language -> keep.add(language.asString("")));
                yield new Filter(new LanguageFilter(
                        identifier, keep, node.path("min_score").asDouble(0.5)));
            }
            case "perplexity" -> {
                NgramScorer model = NgramScorer.open(
                        recipe.folder().resolve(node.path("model").asString("model.arpa")));
                PerplexityFilter d =
                        PerplexityFilter.words(model, node.path("drop_tail").asBoolean(true));
                yield new Filter(new PerplexityFilter(
                        model,
                        Fidelity.of(node.path("mode").asString("paper")),
                        d.pieces(),
                        node.path("head").asDouble(d.head()),
                        node.path("middle").asDouble(d.middle()),
                        d.dropTail()));
            }
            case "classifier" ->
                new Filter(new ClassifierFilter(
                        node.path("name").asString("classifier"),
                        FastTextModel.read(
                                recipe.folder().resolve(node.path("model").asString("model.bin"))),
                        node.path("label").asString("wiki"),
                        node.path("threshold").asDouble(0.25),
                        node.path("drop").asBoolean(false)));
            case "line-dedup" -> {
                int atLeast = node.path("at_least").asInt(2);
                yield new Deduplication(kind, folder -> new LineDeduplication(atLeast, folder, recipe.memoryBytes()));
            }
            case "exact-dedup" ->
                new Deduplication(kind, folder -> new ExactDeduplication(false, folder, recipe.memoryBytes()));
            case "url-dedup" ->
                new Deduplication(kind, folder -> new ExactDeduplication(true, folder, recipe.memoryBytes()));
            case "minhash" -> {
                int shingle = node.path("shingle").asInt(5);
                int bands = node.path("bands").asInt(14);
                int rows = node.path("rows").asInt(8);
                yield new Deduplication(
                        kind, folder -> new MinHashDeduplication(shingle, bands, rows, folder, recipe.memoryBytes()));
            }
            case "book-dedup" -> {
                double overlap = node.path("max_overlap").asDouble(0.9);
                yield new Deduplication(kind, folder -> new BookStage(20, overlap, folder));
            }
            case "substring-dedup" -> {
                int window = node.path("window").asInt(50);
                int minLeft = node.path("min_left").asInt(50);
                yield new Deduplication(
                        kind,
                        folder -> new SpanDeduplication(
                                SpanDeduplication.Unit.WORDS, window, minLeft, folder, recipe.memoryBytes()));
            }
            case "span-dedup" -> {
                int window = node.path("window").asInt(3);
                int minLeft = node.path("min_left").asInt(3);
                yield new Deduplication(
                        kind,
                        folder -> new SpanDeduplication(
                                SpanDeduplication.Unit.SENTENCES, window, minLeft, folder, recipe.memoryBytes()));
            }
            case "semantic-dedup" -> {
                String model = node.path("model").asString("");
                int clusters = node.path("clusters").asInt(1000);
                double epsilon = node.path("eps").asDouble(0.05);
                yield new Deduplication(
                        kind,
                        folder -> new SemanticDeduplication(recipe.embedders().open(model), clusters, epsilon, folder));
            }
            case "token-divergence" -> {
                double maxNats = node.path("max_nats").asDouble(6);
                yield new Deduplication(kind, folder -> new TokenDivergence(maxNats, recipe.memoryBytes()));
            }
            default -> throw new ConfigurationException("stages.kind", kind, "use one of " + KINDS);
        };
    }

    private static List<String> lines(JsonNode node, String field, Recipe recipe) throws IOException {
        Path file = recipe.folder().resolve(node.path(field).asString(""));
        if (!Files.isRegularFile(file)) {
            throw new ConfigurationException(field, file, "there is no such file");
        }
        return Files.readAllLines(file);
    }

    private static Set<String> set(JsonNode node, String field, Recipe recipe) throws IOException {
        Set<String> set = new HashSet<>();
        if (node.has(field)) {
            for (String line : lines(node, field, recipe)) {
                String word = line.strip().toLowerCase(Locale.ROOT);
                if (!word.isEmpty() && !word.startsWith("#")) {
                    set.add(word);
                }
            }
        }
        return set;
    }
}
