package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.data.pipeline.Recipe;
import dev.puna.data.pipeline.Stage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** {@code puna data filter}: documents through filters that are named on the command line. */
final class DataFilterVerb extends Verb {
    private final Value<String> inputs =
            options.arguments("DOCUMENTS", "JSON lines, compressed or not.").required();
    private final Value<String> stages = options.texts(
                    "-s,--stage",
                    "STAGE",
                    "A stage, with settings as a recipe has them: 'gopher-quality min_words=20'. May be repeated: "
                            + String.join(", ", Stage.KINDS) + ".")
            .required();
    private final Value<String> source = options.text(
            "--source", "KIND", "What the inputs are, when not JSON lines: commoncrawl, github, wikipedia, …");
    private final Value<String> out = options.text(
                    "-o,--out", "DIR", "Where the documents that stay and the report go.")
            .required();
    private final DataOptions data = new DataOptions(terminal, options);

    DataFilterVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna data filter web.jsonl.zst --stage gopher-quality --stage gopher-repetition --out clean",
                "puna data filter c4.json.gz --stage 'language keep=[en] min_score=0.65' --stage pii-mask --out en",
                "puna data show clean        # what was dropped, and why");
    }

    @Override
    void run() throws IOException {
        data.run(recipe(source.or("jsonl"), stages.all(), "1GB", inputs.all()), Path.of(out.get()));
    }

    /** A recipe of stages such as {@code c4 min_sentences=5}. */
    static Recipe recipe(String source, List<String> stages, String memory, List<String> inputs) throws IOException {
        StringBuilder yaml = new StringBuilder("source: {kind: " + source + "}\nmemory: " + memory + "\nstages:\n");
        for (String stage : stages) {
            String[] words = stage.strip().split("\\s+(?=[\\w-]+=)", -1);
            yaml.append("  - {kind: ").append(words[0]);
            for (int i = 1; i < words.length; i++) {
                int equals = words[i].indexOf('=');
                yaml.append(", ")
                        .append(words[i], 0, equals)
                        .append(": ")
                        .append(words[i], equals + 1, words[i].length());
            }
            yaml.append("}\n");
        }
        return Recipe.of(yaml.toString(), Path.of("").toAbsolutePath(), inputs);
    }
}
