package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.data.ReadReport;
import dev.puna.data.pipeline.VocabularyTraining;
import dev.puna.data.source.DocumentSource;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** {@code puna tokenizer train}: a vocabulary from text. */
final class TokenizerTrainVerb extends Verb {
    private final Value<String> inputs = options.arguments(
                    "TEXT", "Documents as JSON lines, folders of them, or plain text files (.txt).")
            .required();
    private final Value<String> kind = options.choice(
            "--kind",
            "KIND",
            "byte-level, as Llama-3, or sentencepiece, as LLaMA-1 and Llama-2. Default: byte-level.",
            List.of("byte-level", "sentencepiece"));
    private final Value<Integer> size =
            options.integer("--size", "N", "Ids in all, special ones too. Default: 32000.", 300);
    private final Value<String> source =
            options.text("--source", "KIND", "What the inputs are, when not JSON lines or text: github, wikipedia, …");
    private final Value<String> out =
            options.text("-o,--out", "DIR", "Where the tokenizer's files go.").required();
    private final DataOptions data = new DataOptions(terminal, options);

    TokenizerTrainVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna tokenizer train corpus/documents --size 8000 --out tokenizer",
                "puna tokenizer train book.txt news.jsonl.zst --kind sentencepiece --size 32000 --out tokenizer",
                "puna tokenizer train src.zip --source github --out tokenizer");
    }

    record Summary(String folder, int vocabularySize, long documents, long textBytes, double seconds) {}

    @Override
    void run() throws IOException {
        List<Path> files = DataTokenizeVerb.documents(inputs.all(), source.isGiven());
        Path folder = Path.of(out.get());
        if (Files.exists(folder)) {
            throw new ConfigurationException("--out", folder, "exists already; choose another name");
        }
        long total = 0;
        for (Path file : files) {
            total += Files.size(file);
        }
        DocumentSource reader =
                source.isGiven() ? DataOptions.source(source.get()) : new dev.puna.data.source.TextSource();
        ReadReport report = new ReadReport();
        long begin = System.nanoTime();
        Tokenizer trained;
        try (DataOptions.Bars bars = data.bars()) {
            long all = total;
            trained = new VocabularyTraining(VocabularyTraining.Kind.of(kind.or("byte-level")), size.or(32_000))
                    .train(
                            reader,
                            files,
                            folder,
                            data.threads(),
                            report,
                            () -> bars.update("counting words", 1, 1, report.bytes(), all, report.documents()));
        }
        Summary summary = new Summary(
                folder.toString(),
                trained.vocabularySize(),
                report.documents(),
                report.textBytes(),
                (System.nanoTime() - begin) / 1e9);
        terminal.out()
                .println(
                        data.json()
                                ? Json.writePretty(summary)
                                : folder + ": " + summary.vocabularySize() + " ids from "
                                        + Quantity.bytes(summary.textBytes()) + " of text in "
                                        + Quantity.duration(summary.seconds()));
        report.broken().forEach(broken -> terminal.err().println(broken));
        if (report.brokenCount() > 0) {
            throw new IOException("done, without " + report.brokenCount() + " broken records");
        }
    }
}
