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
import java.util.ArrayList;
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
                Settings s = settings(
                        node,
                        "min_words",
                        "max_words",
                        "min_mean_length",
                        "max_mean_length",
                        "max_symbol_share",
                        "max_bullet_lines",
                        "max_ellipsis_lines",
                        "min_alphabetic_share",
                        "min_stop_words");
                yield new Filter(new GopherQuality(
                        s.integer("min_words", d.minWords(), 0),
                        s.integer("max_words", d.maxWords(), 0),
                        s.number("min_mean_length", d.minMeanLength()),
                        s.number("max_mean_length", d.maxMeanLength()),
                        s.number("max_symbol_share", d.maxSymbolShare()),
                        s.number("max_bullet_lines", d.maxBulletLines()),
                        s.number("max_ellipsis_lines", d.maxEllipsisLines()),
                        s.number("min_alphabetic_share", d.minAlphabeticShare()),
                        s.integer("min_stop_words", d.minStopWords(), 0)));
            }
            case "gopher-repetition" -> {
                settings(node);
                yield new Filter(new GopherRepetition());
            }
            case "c4" -> {
                C4Rules d = new C4Rules();
                Settings s = settings(node, "terminal_punctuation", "min_words_per_line", "min_sentences", "bad_words");
                C4Rules rules = new C4Rules(
                        s.flag("terminal_punctuation", true),
                        s.integer("min_words_per_line", d.minWordsPerLine(), 0),
                        s.integer("min_sentences", d.minSentences(), 0),
                        null);
                yield new Filter(s.has("bad_words") ? rules.withBadWords(lines(s, "bad_words", recipe)) : rules);
            }
            case "fineweb" -> {
                FineWebQuality d = new FineWebQuality();
                Settings s = settings(
                        node, "min_terminal_lines", "max_short_lines", "max_duplicate_chars", "max_newlines_per_word");
                yield new Filter(new FineWebQuality(
                        s.number("min_terminal_lines", d.minTerminalLines()),
                        s.number("max_short_lines", d.maxShortLines()),
                        s.number("max_duplicate_chars", d.maxDuplicateChars()),
                        s.number("max_newlines_per_word", d.maxNewlinesPerWord())));
            }
            case "llama3" ->
                new Filter(Llama3Heuristics.standard(set(settings(node, "dirty_words"), "dirty_words", recipe), null));
            case "url-blocklist" -> {
                Settings s = settings(node, "domains", "urls", "words");
                yield new Filter(
                        new UrlBlockList(set(s, "domains", recipe), set(s, "urls", recipe), set(s, "words", recipe)));
            }
            case "pii-mask" -> {
                settings(node);
                yield new Filter(new PersonalDataMask());
            }
            case "language" -> {
                Settings s = settings(node, "model", "keep", "min_score");
                String model = s.text("model", "built-in");
                LanguageIdentifier identifier = model.equals("built-in")
                        ? LanguageIdentifier.builtIn()
                        : LanguageIdentifier.of(recipe.folder().resolve(model));
                yield new Filter(
                        new LanguageFilter(identifier, new HashSet<>(s.texts("keep")), s.number("min_score", 0.5)));
            }
            case "perplexity" -> {
                Settings s = settings(node, "model", "mode", "head", "middle", "drop_tail");
                NgramScorer model = NgramScorer.open(recipe.folder().resolve(s.text("model", "model.arpa")));
                PerplexityFilter d = PerplexityFilter.words(model, s.flag("drop_tail", true));
                yield new Filter(new PerplexityFilter(
                        model,
                        Fidelity.of(s.text("mode", "paper")),
                        d.pieces(),
                        s.number("head", d.head()),
                        s.number("middle", d.middle()),
                        d.dropTail()));
            }
            case "classifier" -> {
                Settings s = settings(node, "name", "model", "label", "threshold", "drop");
                yield new Filter(new ClassifierFilter(
                        s.text("name", "classifier"),
                        FastTextModel.read(recipe.folder().resolve(s.text("model", "model.bin"))),
                        s.text("label", "wiki"),
                        s.number("threshold", 0.25),
                        s.flag("drop", false)));
            }
            case "line-dedup" -> {
                int atLeast = settings(node, "at_least").integer("at_least", 2, 2);
                yield new Deduplication(kind, folder -> new LineDeduplication(atLeast, folder, recipe.memoryBytes()));
            }
            case "exact-dedup", "url-dedup" -> {
                settings(node);
                boolean byUrl = kind.equals("url-dedup");
                yield new Deduplication(kind, folder -> new ExactDeduplication(byUrl, folder, recipe.memoryBytes()));
            }
            case "minhash" -> {
                Settings s = settings(node, "shingle", "bands", "rows");
                int shingle = s.integer("shingle", 5, 1);
                int bands = s.integer("bands", 14, 1);
                int rows = s.integer("rows", 8, 1);
                yield new Deduplication(
                        kind, folder -> new MinHashDeduplication(shingle, bands, rows, folder, recipe.memoryBytes()));
            }
            case "book-dedup" -> {
                double overlap = settings(node, "max_overlap").number("max_overlap", 0.9);
                yield new Deduplication(kind, folder -> new BookStage(20, overlap, folder));
            }
            case "substring-dedup" -> spans(node, recipe, SpanDeduplication.Unit.WORDS, 50);
            case "span-dedup" -> spans(node, recipe, SpanDeduplication.Unit.SENTENCES, 3);
            case "semantic-dedup" -> {
                Settings s = settings(node, "model", "clusters", "eps");
                String model = s.text("model", "");
                int clusters = s.integer("clusters", 1000, 1);
                double epsilon = s.number("eps", 0.05);
                yield new Deduplication(
                        kind,
                        folder -> new SemanticDeduplication(recipe.embedders().open(model), clusters, epsilon, folder));
            }
            case "token-divergence" -> {
                double maxNats = settings(node, "max_nats").number("max_nats", 6);
                yield new Deduplication(kind, folder -> new TokenDivergence(maxNats, recipe.memoryBytes()));
            }
            default -> throw new ConfigurationException("stages.kind", kind, "use one of " + KINDS);
        };
    }

    /** The settings of a stage, beside its kind. */
    private static Settings settings(JsonNode node, String... names) {
        List<String> all = new ArrayList<>(List.of("kind"));
        all.addAll(List.of(names));
        return new Settings(node.path("kind").asString(""), node, all.toArray(String[]::new));
    }

    private static Stage spans(JsonNode node, Recipe recipe, SpanDeduplication.Unit unit, int length) {
        Settings s = settings(node, "window", "min_left");
        int window = s.integer("window", length, 1);
        int minLeft = s.integer("min_left", length, 0);
        return new Deduplication(
                node.path("kind").asString(""),
                folder -> new SpanDeduplication(unit, window, minLeft, folder, recipe.memoryBytes()));
    }

    private static List<String> lines(Settings node, String field, Recipe recipe) throws IOException {
        Path file = recipe.folder().resolve(node.text(field, ""));
        if (!Files.isRegularFile(file)) {
            throw new ConfigurationException(field, file, "there is no such file");
        }
        return Files.readAllLines(file);
    }

    private static Set<String> set(Settings node, String field, Recipe recipe) throws IOException {
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
