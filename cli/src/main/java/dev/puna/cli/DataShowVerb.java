package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.data.Document;
import dev.puna.data.JsonlReader;
import dev.puna.data.ReadReport;
import dev.puna.data.pipeline.Pipeline;
import dev.puna.data.shard.TokenShard;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** {@code puna data show}: what a pipeline did, what documents hold, what a shard holds. */
final class DataShowVerb extends Verb {
    private final Value<String> what = options.argument(
                    "WHAT", "The folder of a pipeline's run, a file of documents, or a token shard (.idx).")
            .required();
    private final Value<String> stage =
            options.text("--stage", "STAGE", "Only what this stage dropped. Default: all stages.");
    private final Value<Integer> count =
            options.integer("-n,--count", "N", "How many documents of a file to show. Default: 5.", 1);
    private final Value<Boolean> json = options.flag("--json", "Print JSON.");

    DataShowVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna data show clean",
                "puna data show clean --stage gopher-quality",
                "puna data show clean/documents/part-00000.jsonl.zst --count 2",
                "puna data show tokens/wiki.idx");
    }

    record Shown(String id, String source, long bytes, String beginning) {}

    record ShardSummary(String prefix, long documents, long tokens, int bytesPerToken, long longestDocument) {}

    record RunSummary(String report, String dropped) {}

    @Override
    void run() throws IOException {
        Path path = Path.of(what.get());
        if (Files.isDirectory(path)) {
            showRun(path);
        } else if (what.get().endsWith(".idx") || what.get().endsWith(".bin")) {
            showShard(path);
        } else if (Files.exists(path)) {
            showDocuments(path);
        } else {
            throw new ConfigurationException("WHAT", path, "there is no such file or folder");
        }
    }

    private void showRun(Path out) throws IOException {
        Path report = out.resolve("report.txt");
        if (!Files.exists(out.resolve("recipe.used"))) {
            throw new ConfigurationException("WHAT", out, "it holds no run of a pipeline");
        }
        String table = Files.exists(report) ? Files.readString(report) : "not finished yet\n";
        String dropped = Pipeline.show(out, stage.or(""));
        if (json.isGiven()) {
            terminal.out().println(Json.writePretty(new RunSummary(table, dropped)));
            return;
        }
        if (!stage.isGiven()) {
            terminal.out().println(table);
        }
        terminal.out().print(dropped);
    }

    private void showDocuments(Path file) throws IOException {
        ReadReport report = new ReadReport();
        try (JsonlReader reader = new JsonlReader(file, report)) {
            Document document = reader.next();
            for (int i = 0; i < count.or(5) && document != null; i++, document = reader.next()) {
                String beginning = document.text()
                        .substring(0, Math.min(400, document.text().length()));
                if (json.isGiven()) {
                    terminal.out()
                            .println(Json.write(
                                    new Shown(document.id(), document.source(), document.utf8Length(), beginning)));
                } else {
                    terminal.out()
                            .println(document.id() + "  " + document.source() + "  "
                                    + Quantity.bytes(document.utf8Length()) + "  " + document.meta() + "\n    "
                                    + beginning.strip().replace("\n", "\n    "));
                }
            }
        }
        for (var broken : report.broken()) {
            terminal.err().println(broken);
        }
    }

    private void showShard(Path prefix) throws IOException {
        try (TokenShard shard = TokenShard.open(prefix)) {
            long longest = 0;
            for (long i = 0; i < shard.documentCount(); i++) {
                longest = Math.max(longest, shard.documentStart(i + 1) - shard.documentStart(i));
            }
            ShardSummary summary = new ShardSummary(
                    shard.prefix().toString(),
                    shard.documentCount(),
                    shard.tokenCount(),
                    shard.bytesPerToken(),
                    longest);
            terminal.out()
                    .println(
                            json.isGiven()
                                    ? Json.writePretty(summary)
                                    : summary.prefix() + ": " + Quantity.count(summary.documents()) + " documents, "
                                            + Quantity.count(summary.tokens()) + " tokens of "
                                            + summary.bytesPerToken() + " bytes, the longest document has "
                                            + Quantity.count(longest));
        }
    }
}
