package dev.puna.cli;

import dev.puna.cli.Options.Value;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** {@code puna data dedup}: one deduplication. */
final class DataDedupVerb extends Verb {
    private final Value<String> inputs =
            options.arguments("DOCUMENTS", "JSON lines, compressed or not.").required();
    private final Value<String> kind = options.text(
            "--kind",
            "KIND",
            "exact-dedup, url-dedup, line-dedup, minhash, substring-dedup, span-dedup, book-dedup, semantic-dedup; settings as a recipe has them: "
                    + "'line-dedup at_least=7'. Default: minhash.");
    private final Value<String> memory =
            options.text("--memory", "SIZE", "For its tables; what does not fit goes to the disk. Default: 1GB.");
    private final Value<String> out = options.text(
                    "-o,--out", "DIR", "Where the documents that stay and the report go.")
            .required();
    private final DataOptions data = new DataOptions(terminal, options);

    DataDedupVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna data dedup clean/documents/*.zst --out once",
                "puna data dedup dump/*.jsonl.zst --kind 'line-dedup at_least=7' --memory 4GB --out lines",
                "puna data dedup docs.jsonl --kind 'semantic-dedup model=model.gguf' --out meaning");
    }

    @Override
    void run() throws IOException {
        data.run(
                DataFilterVerb.recipe("jsonl", List.of(kind.or("minhash")), memory.or("1GB"), inputs.all()),
                Path.of(out.get()));
    }
}
