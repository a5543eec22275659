package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.inference.Llama;
import dev.puna.inference.Score;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.util.List;
import java.util.Locale;

/** {@code puna score}: how probable a model finds a text. */
final class ScoreVerb extends Verb {
    private final ModelOption model = new ModelOption(terminal, options);
    private final Value<String> file = options.text(
                    "--file",
                    "F",
                    "The text, in UTF-8; - is standard input. What is longer than the model's context is scored in"
                            + " windows: each begins with the last half of the one before.")
            .required();
    private final Value<Boolean> json =
            options.flag("--json", "Print one JSON document, with every token's log-probability.");
    private final ModelOption.CacheOptions cache = new ModelOption.CacheOptions(options);
    private final ComputeOptions compute = new ComputeOptions(options);

    ScoreVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna score Llama-3.2-1B-Q8_0.gguf --file README.md",
                "puna score ./Llama-2-7b-hf --file story.txt --json",
                "echo 'The sky is blue.' | puna score model.gguf --file -");
    }

    /** The shape that scripts rely on. */
    record Scores(int[] tokens, double[] logprobs, double sum, double perplexity, double bitsPerByte) {}

    @Override
    void run() throws IOException {
        String text = InputFile.text(terminal, file.get());
        if (text.isEmpty()) {
            throw new ConfigurationException("file", file.get(), "is empty: there is nothing to score");
        }
        try (Llama llama = model.open(compute, cache)) {
            Score score;
            try (ProgressBar bar = new ProgressBar(terminal, "scoring", ProgressBar.Unit.TOKENS)) {
                score = llama.score(text, (scored, all) -> bar.show("", scored, all));
            }
            if (score.ids().length == 0) {
                throw new ConfigurationException(
                        "file", file.get(), "is one token, and this model begins no text with a token of its own");
            }
            if (json.isGiven()) {
                terminal.out()
                        .println(Json.write(new Scores(
                                score.ids(),
                                score.logProbabilities(),
                                score.sum(),
                                score.perplexity(),
                                score.bitsPerByte())));
            } else {
                line("tokens", score.ids().length + ", " + score.byteCount() + " bytes");
                line("sum", exact(score.sum()));
                line("perplexity", exact(score.perplexity()));
                line("bits per byte", exact(score.bitsPerByte()));
            }
        }
    }

    private static String exact(double value) {
        return String.format(Locale.ROOT, "%.6f", value);
    }

    private void line(String name, String text) {
        terminal.out().println(String.format(Locale.ROOT, "%-15s", name) + text);
    }
}
