package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.data.bench.BpeTrainingBenchmark;
import dev.puna.data.bench.Figure;
import dev.puna.data.bench.SourceBenchmark;
import dev.puna.data.bench.StageBenchmark;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** {@code puna bench data}: what sources, the stages for web pages, and the training of vocabularies reach here. */
final class BenchDataVerb extends Verb {
    private static final int ROUNDS = 4;
    private static final int VOCABULARY = 8000;

    private final Value<String> what = options.argument(
                    "WHAT",
                    "A source (github, wikipedia, stackexchange, arxiv, books, commoncrawl, jsonl) on a dump of its kind;"
                            + " stages, on a Wikipedia dump; bpe, on a text.")
            .required();
    private final Value<String> file =
            options.argument("FILE", "The dump or text.").required();
    private final Value<Integer> rounds =
            options.integer("--rounds", "N", "How often; the first warms up. Default: 4.", 1);
    private final Value<Integer> size =
            options.integer("--size", "N", "Tokens of the vocabulary, of bpe. Default: 8000.", 257);
    private final Value<Boolean> json = options.flag("--json", "Print one JSON document.");
    private final ComputeOptions compute = new ComputeOptions(options);

    BenchDataVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna bench data github src.zip",
                "puna bench data stages pages-articles.xml.bz2 --rounds 5",
                "puna bench data bpe text.txt --size 32000 --json");
    }

    @Override
    void run() throws IOException {
        List<Figure> figures = new ArrayList<>();
        Path input = Path.of(file.get());
        int count = rounds.or(ROUNDS);
        switch (what.get()) {
            case "stages" -> StageBenchmark.run(input, count, figure -> tell(figure, figures));
            case "bpe" ->
                BpeTrainingBenchmark.run(
                        input, size.or(VOCABULARY), compute.threads(), count, figure -> tell(figure, figures));
            default -> SourceBenchmark.run(what.get(), input, count, figure -> tell(figure, figures));
        }
        if (json.isGiven()) {
            terminal.out().println(Json.writePretty(figures));
        }
    }

    private void tell(Figure figure, List<Figure> figures) {
        figures.add(figure);
        if (!json.isGiven()) {
            terminal.out()
                    .printf(
                            Locale.ROOT,
                            "%-48s %8.1f %s  (%s)%n",
                            figure.what(),
                            figure.perSecond(),
                            figure.unit(),
                            figure.detail());
            terminal.out().flush();
        }
    }
}
