package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.data.ReadReport;
import dev.puna.data.shard.TokenizeStage;
import dev.puna.tokenizer.EncodeOptions;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** {@code puna data tokenize}: documents to a token shard. */
final class DataTokenizeVerb extends Verb {
    private final TokenizerOption tokenizer = new TokenizerOption(terminal, options);
    private final Value<String> inputs = options.arguments(
                    "DOCUMENTS", "JSON lines, compressed or not, or a folder of them.")
            .required();
    private final Value<String> prefix = options.text(
                    "-o,--out", "PREFIX", "Writes PREFIX.bin and PREFIX.idx, Megatron's indexed dataset.")
            .required();
    private final Value<String> source =
            options.text("--source", "KIND", "What the inputs are, when not JSON lines: github, wikipedia, books, …");
    private final Value<Boolean> noBos = options.flag("--no-bos", "No begin-of-text token before each document.");
    private final Value<Boolean> noEos = options.flag("--no-eos", "No end-of-text token behind each document.");
    private final DataOptions data = new DataOptions(terminal, options);

    DataTokenizeVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna data tokenize ./Llama-3.2-1B corpus/documents --out tokens/corpus",
                "puna data tokenize tokenizer.model wiki.jsonl.zst --out tokens/wiki --no-eos --json");
    }

    record Summary(
            String prefix,
            long documents,
            long tokens,
            long utf8Bytes,
            long brokenRecords,
            List<String> brokenFiles,
            double seconds) {}

    @Override
    void run() throws IOException {
        Tokenizer opened = tokenizer.open();
        List<Path> files = documents(inputs.all(), source.isGiven());
        Path target = Path.of(prefix.get());
        ReadReport report = new ReadReport();
        long total = 0;
        for (Path file : files) {
            total += Files.size(file);
        }
        long begin = System.nanoTime();
        TokenizeStage.Result result;
        try (DataOptions.Bars bars = data.bars()) {
            long all = total;
            result = new TokenizeStage(
                            opened, new EncodeOptions(!noBos.isGiven(), !noEos.isGiven(), false, false), data.threads())
                    .run(
                            DataOptions.source(source.or("jsonl")),
                            files,
                            target,
                            report,
                            (bytes, count) -> bars.update("to tokens", 1, 1, bytes, all, count));
        }
        double seconds = (System.nanoTime() - begin) / 1e9;
        if (data.json()) {
            terminal.out()
                    .println(Json.writePretty(new Summary(
                            target.toString(),
                            result.documents(),
                            result.tokens(),
                            result.utf8Bytes(),
                            report.brokenCount(),
                            result.brokenFiles(),
                            seconds)));
        } else {
            terminal.out()
                    .println(target + ".bin, .idx: " + Quantity.count(result.tokens()) + " tokens of "
                            + Quantity.count(result.documents()) + " documents, " + Quantity.bytes(result.utf8Bytes())
                            + " of text in " + Quantity.duration(seconds) + ", "
                            + Quantity.rate(result.utf8Bytes() / seconds / 1e6) + " MB/s");
        }
        report.broken().forEach(broken -> terminal.err().println(broken));
        result.brokenFiles().forEach(broken -> terminal.err().println(broken));
        if (report.brokenCount() > 0 || !result.brokenFiles().isEmpty()) {
            throw new IOException("done, without " + report.brokenCount() + " broken records and the rest of "
                    + result.brokenFiles().size() + " broken files");
        }
    }

    /** The files that are named, and those in folders that are, unless the source reads folders itself. */
    static List<Path> documents(List<String> names, boolean foldersToo) throws IOException {
        List<Path> files = new java.util.ArrayList<>();
        for (Path path : DataOptions.paths(names)) {
            if (Files.isDirectory(path) && !foldersToo) {
                try (Stream<Path> walk = Files.walk(path)) {
                    walk.filter(file -> Files.isRegularFile(file)
                                    && file.getFileName().toString().matches(".*\\.(jsonl(\\.\\w+)?|json\\.\\w+)"))
                            .sorted()
                            .forEach(files::add);
                }
            } else {
                files.add(path);
            }
        }
        return files;
    }
}
