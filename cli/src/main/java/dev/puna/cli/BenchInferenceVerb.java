package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.inference.GenerationOptions;
import dev.puna.inference.GenerationResult;
import dev.puna.inference.Llama;
import dev.puna.inference.LlamaOptions;
import dev.puna.inference.Sampling;
import dev.puna.kernels.bench.KernelBench.Arithmetic;
import dev.puna.model.LlamaConfig;
import dev.puna.model.LlamaPreset;
import dev.puna.model.convert.Quantization;
import dev.puna.model.convert.RandomModel;
import dev.puna.tensor.DType;
import dev.puna.tensor.MachineMemory;
import dev.puna.tensor.ThreadTeam;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.Collectors;

/**
 * {@code puna bench inference}: prefill and decode of a model beside what this machine can do at most, measured in the
 * same run. First the answer is checked: a prompt in one pass and the same prompt token by token must choose the same
 * continuation.
 */
final class BenchInferenceVerb extends Verb {
    private static final int CHECKED_TOKENS = 16;

    private final Value<String> model = options.argument("MODEL", "The model to measure; or --random.");
    private final Value<String> random = options.text(
            "--random",
            "PRESET",
            "Measure random weights of this shape: "
                    + Arrays.stream(LlamaPreset.values())
                            .map(LlamaPreset::spelling)
                            .collect(Collectors.joining(", "))
                    + ".");
    private final Value<String> quantize =
            options.text("--quantize", "TYPE", "The type of random weights. Default: Q8_0.");
    private final Value<Integer> prompt = options.integer("--prompt", "N", "Tokens of the prompt. Default: 512.", 2);
    private final Value<Integer> tokens = options.integer("--tokens", "N", "Tokens to generate. Default: 64.", 2);
    private final Value<Integer> runs = options.integer("--runs", "N", "How often; the best counts. Default: 3.", 1);
    private final Value<Boolean> json = options.flag("--json", "Print one JSON document.");
    private final ModelOption.CacheOptions cache = new ModelOption.CacheOptions(options);
    private final ComputeOptions compute = new ComputeOptions(options);

    BenchInferenceVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna bench inference Llama-3.2-1B-Q8_0.gguf",
                "puna bench inference --random llama-3.2-1b --quantize Q4_K_M",
                "puna bench inference model.gguf --prompt 128 --tokens 32 --threads 1 --json");
    }

    record Report(
            String model,
            String kernels,
            int threads,
            long weightBytes,
            Peaks peaks,
            int promptTokens,
            double prefillTokensPerSecond,
            double prefillGigaflops,
            double prefillOfPeak,
            Peaks.Limit prefillPeak,
            int generatedTokens,
            double decodeTokensPerSecond,
            double decodeGigabytesPerSecond,
            double decodeOfPeak,
            double readGigabytesPerSecondBefore,
            double readGigabytesPerSecondAfter,
            double secondsFromProcessStartToModel,
            double loadSeconds,
            long residentBytes,
            long anonymousBytes) {}

    @Override
    void run() throws IOException {
        if (model.isGiven() == random.isGiven()) {
            throw new UsageException("needs either a MODEL or --random PRESET");
        }
        if (quantize.isGiven() && !random.isGiven()) {
            throw new UsageException("--quantize is for --random; 'puna convert' quantizes a model");
        }
        Report report;
        if (model.isGiven()) {
            report = measure(model.get(), ModelOption.resolve(terminal, model.get()));
        } else {
            Path directory = Files.createTempDirectory("puna-bench");
            Path file = directory.resolve("random.gguf");
            try {
                Quantization type = Quantization.of(quantize.or("Q8_0"));
                RandomModel.write(file, LlamaPreset.of(random.get()).config(), type, 1);
                report = measure("random " + random.get() + " " + type, file);
            } finally {
                Files.deleteIfExists(file);
                Files.deleteIfExists(directory);
            }
        }
        if (json.isGiven()) {
            terminal.out().println(Json.writePretty(report));
        } else {
            print(report);
        }
    }

    private Report measure(String name, Path path) throws IOException {
        LlamaOptions how = ModelOption.llamaOptions(compute, cache);
        int promptTokens = prompt.or(512);
        int answerTokens = tokens.or(64);
        Peaks peaks;
        try (ThreadTeam team = compute.openTeam()) {
            peaks = Peaks.measure(team);
        }
        double sinceStart = RunVerb.secondsSinceProcessStart();
        long begin = System.nanoTime();
        try (Llama llama = Llama.load(path, how)) {
            double loadSeconds = (System.nanoTime() - begin) / 1e9;
            LlamaConfig config = llama.config();
            GenerationOptions greedy =
                    GenerationOptions.DEFAULT.withSampling(Sampling.GREEDY).withIgnoreEnd(true);
            check(path, how, config, greedy);
            double prefill = 0;
            double decode = 0;
            Arithmetic arithmetic =
                    llama.checkpoint().dominantDType().isQuantized() ? Arithmetic.INT8 : Arithmetic.FP32;
            String tier = llama.kernels().tier();
            Peaks.Limit computing = computePeak(tier, arithmetic);
            double before = readPeak();
            for (int run = 0; run < runs.or(3); run++) {
                int[] ids = ids(config, promptTokens, run + 1); // each its own: nothing is reused
                GenerationResult result = llama.generate(ids, greedy.withMaxTokens(answerTokens));
                prefill = Math.max(prefill, result.timings().prefillTokensPerSecond());
                decode = Math.max(decode, result.timings().decodeTokensPerSecond());
            }
            double after = readPeak();
            Peaks.Limit computingAfter = computePeak(tier, arithmetic);
            if (computingAfter.allThreads() > computing.allThreads()) {
                computing = computingAfter;
            }
            long read = bytesPerToken(llama, how.kv().dtypeFor(llama.checkpoint()), promptTokens + answerTokens / 2);
            double flops = flopsPerPromptToken(config, promptTokens);
            double reading = Math.max(before, after);
            return new Report(
                    name,
                    tier,
                    compute.threads(),
                    llama.checkpoint().weights().byteSize(),
                    peaks,
                    promptTokens,
                    prefill,
                    prefill * flops / 1e9,
                    prefill * flops / 1e9 / computing.allThreads(),
                    computing,
                    answerTokens,
                    decode,
                    decode * read / 1e9,
                    decode * read / 1e9 / reading,
                    before,
                    after,
                    sinceStart,
                    loadSeconds,
                    MachineMemory.residentBytes(),
                    MachineMemory.anonymousBytes());
        }
    }

    private Peaks.Limit computePeak(String tier, Arithmetic arithmetic) {
        try (ThreadTeam team = compute.openTeam()) {
            return Peaks.compute(team, tier, arithmetic);
        }
    }

    private double readPeak() {
        try (ThreadTeam team = compute.openTeam()) {
            return Peaks.gigabytesPerSecond(team);
        }
    }

    /** The continuation of a prompt in one pass, and in passes of one token. */
    private static void check(Path path, LlamaOptions how, LlamaConfig config, GenerationOptions greedy)
            throws IOException {
        int[] ids = ids(config, CHECKED_TOKENS, 0);
        int[][] answers = new int[2][];
        for (int i = 0; i < 2; i++) {
            try (Llama llama = Llama.load(path, how.withChunk(i == 0 ? CHECKED_TOKENS : 1))) {
                answers[i] = llama.generate(ids, greedy.withMaxTokens(4)).ids();
            }
        }
        if (!Arrays.equals(answers[0], answers[1])) {
            throw new IOException("wrong answer: a prompt in one pass goes on with " + Arrays.toString(answers[0])
                    + ", token by token with " + Arrays.toString(answers[1]));
        }
    }

    private static int[] ids(LlamaConfig config, int count, long seed) {
        return new Random(seed).ints(count, 0, config.vocabularySize()).toArray();
    }

    /** Bytes that a step reads: every weight but the embedding, of which it reads a row, and the keys and values. */
    private static long bytesPerToken(Llama llama, DType kv, int position) {
        LlamaConfig config = llama.config();
        long weights = llama.checkpoint().weights().byteSize();
        long embedding = config.tiedHead()
                ? 0
                : llama.checkpoint().weights().embedding().data().byteSize();
        return weights - embedding + config.kvBytesPerPosition(kv) * position;
    }

    /** Multiplications and additions in the layers for one token of a prompt; the head is computed for the last only. */
    private static double flopsPerPromptToken(LlamaConfig config, int length) {
        double perLayer = (double) config.width() * (config.queryWidth() + 2.0 * config.kvWidth())
                + (double) config.queryWidth() * config.width()
                + 3.0 * config.width() * config.feedForwardWidth();
        double attention = (double) config.queryWidth() * length; // half of the positions, scores and values
        return 2.0 * config.layerCount() * (perLayer + attention);
    }

    private void print(Report report) {
        line("model", report.model() + ", " + Quantity.bytes(report.weightBytes()) + " of weights");
        line("kernels", report.kernels() + " on " + report.threads() + " threads");
        for (Peaks.Limit limit : report.peaks().limits()) {
            line(
                    "peak",
                    String.format(
                            Locale.ROOT,
                            "%-20s %9s %s",
                            limit.work(),
                            Quantity.rate(limit.allThreads()),
                            limit.unit()));
        }
        line(
                "prefill",
                String.format(
                        Locale.ROOT,
                        "%d tokens: %s tokens/s, %s GFLOP/s, %.0f %% of %s %s (%s)",
                        report.promptTokens(),
                        Quantity.rate(report.prefillTokensPerSecond()),
                        Quantity.rate(report.prefillGigaflops()),
                        100 * report.prefillOfPeak(),
                        Quantity.rate(report.prefillPeak().allThreads()),
                        report.prefillPeak().unit(),
                        report.prefillPeak().work()));
        line(
                "decode",
                String.format(
                        Locale.ROOT,
                        "%d tokens: %s tokens/s, %s GB/s, %.0f %% of reading (%s GB/s before, %s after)",
                        report.generatedTokens(),
                        Quantity.rate(report.decodeTokensPerSecond()),
                        Quantity.rate(report.decodeGigabytesPerSecond()),
                        100 * report.decodeOfPeak(),
                        Quantity.rate(report.readGigabytesPerSecondBefore()),
                        Quantity.rate(report.readGigabytesPerSecondAfter())));
        line("load", String.format(Locale.ROOT, "%.3f s from the file to a model that is ready", report.loadSeconds()));
        if (report.residentBytes() > 0) {
            line(
                    "memory",
                    Quantity.bytes(report.residentBytes()) + " resident, of it "
                            + Quantity.bytes(report.anonymousBytes()) + " beyond the mapped file");
        }
    }

    private void line(String name, String text) {
        terminal.out().println(terminal.color(Terminal.Color.BOLD, String.format(Locale.ROOT, "%-9s", name)) + text);
    }
}
