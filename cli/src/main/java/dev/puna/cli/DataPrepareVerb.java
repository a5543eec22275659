package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.data.pipeline.Recipe;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** {@code puna data prepare}: a recipe, from dumps to documents and tokens. */
final class DataPrepareVerb extends Verb {
    private final Value<String> recipe = options.argument(
                    "RECIPE.yaml", "Source, stages, what is held out, how it becomes tokens (recipes/data has some).")
            .required();
    private final Value<String> inputs = options.arguments(
            "INPUT", "Dumps in place of those that the recipe names: files, folders, or addresses (https://…).");
    private final Value<String> out =
            options.text("-o,--out", "DIR", "Where everything goes. Default: the recipe's name.");
    private final DataOptions data = new DataOptions(terminal, options);

    DataPrepareVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna data prepare recipes/data/code-small.yaml src.zip --out corpus",
                "puna data prepare recipes/data/wikipedia.yaml enwiki-latest-pages-articles.xml.bz2",
                "puna data prepare recipes/data/commoncrawl.yaml CC-MAIN-*.warc.wet.gz --json",
                "Killed? The same command goes on where it was.");
    }

    @Override
    void run() throws IOException {
        Recipe resolved = Recipe.read(Path.of(recipe.get()), inputs.all().toArray(String[]::new));
        data.run(resolved, Path.of(out.or(resolved.name())));
    }
}
