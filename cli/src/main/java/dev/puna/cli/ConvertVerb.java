package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.formats.MetaCheckpoint;
import dev.puna.formats.Safetensors;
import dev.puna.kernels.Kernels;
import dev.puna.model.LlamaCheckpoint;
import dev.puna.model.convert.Conversion;
import dev.puna.model.convert.ConversionTarget;
import dev.puna.model.convert.ConversionTarget.Weights;
import dev.puna.model.convert.VocabularyGrowth;
import dev.puna.tensor.ThreadTeam;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** {@code puna convert}: a model in another format or another type. */
final class ConvertVerb extends Verb {
    private final ModelOption model = new ModelOption(terminal, options);
    private final Value<String> out =
            options.argument("OUT", "A .gguf file, or a directory.").required();
    private final Value<String> to = options.choice(
            "--to",
            "FORMAT",
            "hf, gguf or meta. Default: gguf if OUT ends in .gguf, else hf.",
            List.of("hf", "gguf", "meta"));
    private final Value<String> quantize = options.text(
            "--quantize",
            "TYPE",
            "F32, F16, BF16; for gguf Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K_M, Q4_K_S, Q5_K_M, Q5_K_S, Q6_K. Default: types"
                    + " stay.");
    private final Value<Integer> shards =
            options.integer("--shards", "N", "Model-parallel files of a Meta directory. Default: 1.", 1);
    private final Value<String> vocabulary = options.text(
            "--vocabulary",
            "TOKENIZER",
            "A larger vocabulary (puna tokenizer extend): embedding and head get rows for its new ids. From hf to hf.");
    private final Value<String> newRows = options.choice(
            "--new-rows",
            "HOW",
            "How these begin: mean (of the old rows) or normal (deviation 0.02). Default: mean.",
            List.of("mean", "normal"));
    private final Value<Long> seed = options.wholeNumber("--seed", "S", "Of --new-rows normal. Default: 0.");
    private final Value<Boolean> force =
            options.flag("-f,--force", "Replace what is there; of a directory, the model that is in it.");
    private final Value<Boolean> json = options.flag("--json", "Print one JSON document.");
    private final ComputeOptions compute = new ComputeOptions(options);

    ConvertVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna convert ./Llama-3.2-1B Llama-3.2-1B-Q8_0.gguf --quantize Q8_0",
                "puna convert Llama-2-7b.gguf ./Llama-2-7b-hf --to hf --quantize BF16",
                "puna convert ./Llama-2-13b ./meta-13b --to meta --shards 2",
                "puna convert ./Llama-2-7b-hf ./Llama-2-7b-zh --vocabulary ./merged --new-rows mean");
    }

    @Override
    void run() throws IOException {
        Path target = Path.of(out.get());
        String format = to.or(out.get().endsWith(".gguf") ? "gguf" : "hf");
        if (!force.isGiven() && occupied(target)) {
            throw new FileAlreadyExistsException(target.toString());
        }
        Weights weights = Weights.of(quantize.value());
        ConversionTarget how = switch (format) {
            case "gguf" -> new ConversionTarget.GgufFile(weights);
            case "meta" -> new ConversionTarget.Meta(weights, shards.or(1), MetaCheckpoint.EmbeddingSplit.VOCABULARY);
            default -> new ConversionTarget.HuggingFace(weights, Safetensors.DEFAULT_SHARD_BYTES);
        };
        if (shards.isGiven() && !format.equals("meta")) {
            throw new UsageException("--shards is for --to meta");
        }
        if (vocabulary.isGiven() && (!format.equals("hf") || quantize.isGiven())) {
            throw new UsageException("--vocabulary is for --to hf, and leaves types as they are");
        }
        if (!vocabulary.isGiven() && (newRows.isGiven() || seed.isGiven())) {
            throw new UsageException("--new-rows and --seed are for --vocabulary");
        }
        long begin = System.nanoTime();
        try (LlamaCheckpoint source = LlamaCheckpoint.open(model.path());
                ThreadTeam team = compute.openTeam();
                Kernels kernels = compute.openKernels(team)) {
            if (vocabulary.isGiven()) {
                Path words = ModelOption.resolve(terminal, vocabulary.get());
                try (ProgressBar bar = new ProgressBar(terminal, "growing", ProgressBar.Unit.BYTES)) {
                    VocabularyGrowth.grow(
                            source,
                            Tokenizer.open(words),
                            words,
                            target,
                            VocabularyGrowth.NewRows.valueOf(newRows.or("mean").toUpperCase(Locale.ROOT)),
                            seed.or(0L),
                            kernels,
                            bar::show);
                }
            } else {
                try (ProgressBar bar = new ProgressBar(terminal, "converting", ProgressBar.Unit.BYTES)) {
                    Conversion.convert(source, target, how, kernels, bar::show);
                }
            }
        }
        Summary summary = new Summary(target, format, sizeOf(target), (System.nanoTime() - begin) / 1e9);
        terminal.out()
                .println(
                        json.isGiven()
                                ? Json.writePretty(summary)
                                : target + ": " + Quantity.bytes(summary.bytes()) + " in "
                                        + Quantity.duration(summary.seconds()));
    }

    record Summary(Path out, String format, long bytes, double seconds) {}

    /** Whether something stands where the model should go: a file, or a directory that is not empty. */
    private static boolean occupied(Path target) throws IOException {
        if (!Files.isDirectory(target)) {
            return Files.exists(target);
        }
        try (Stream<Path> files = Files.list(target)) {
            return files.findAny().isPresent();
        }
    }

    static long sizeOf(Path path) throws IOException {
        if (!Files.isDirectory(path)) {
            return Files.size(path);
        }
        long bytes = 0;
        try (Stream<Path> files = Files.list(path)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                bytes += Files.size(file);
            }
        }
        return bytes;
    }
}
