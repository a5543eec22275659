package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tokenizer.SentencePieceModel;
import dev.puna.tokenizer.TokenizerJson;
import dev.puna.tokenizer.train.VocabularyExtension;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** {@code puna tokenizer extend}: a SentencePiece vocabulary with the pieces of another one. */
final class TokenizerExtendVerb extends Verb {
    private final Value<String> base = options.argument("BASE.model", "A SentencePiece model, LLaMA's for example.")
            .required();
    private final Value<String> more = options.argument("MORE.model", "Whose pieces are added where BASE has them not.")
            .required();
    private final Value<String> out = options.text("-o,--out", "DIR", "Where tokenizer.model and tokenizer.json go.")
            .required();
    private final Value<Boolean> json = options.flag("--json", "Print one JSON document.");

    TokenizerExtendVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna tokenizer extend tokenizer.model chinese_sp.model --out merged",
                "puna convert ./Llama-2-7b-hf ./Llama-2-7b-more --vocabulary merged --new-rows mean");
    }

    record Summary(String folder, int pieces, int added) {}

    @Override
    void run() throws IOException {
        Path folder = Path.of(out.get());
        if (Files.exists(folder)) {
            throw new ConfigurationException("--out", folder, "exists already; choose another name");
        }
        SentencePieceModel known = SentencePieceModel.read(Path.of(base.get()));
        SentencePieceModel merged = VocabularyExtension.extend(known, SentencePieceModel.read(Path.of(more.get())));
        Files.createDirectories(folder);
        merged.write(folder.resolve("tokenizer.model"));
        TokenizerJson.write(merged.tokenizer(), folder.resolve("tokenizer.json"));
        int pieces = merged.pieces().size();
        Summary summary =
                new Summary(folder.toString(), pieces, pieces - known.pieces().size());
        terminal.out()
                .println(
                        json.isGiven()
                                ? Json.writePretty(summary)
                                : folder + ": " + pieces + " pieces, " + summary.added() + " of them new");
    }
}
