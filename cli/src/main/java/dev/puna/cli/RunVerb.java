package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.inference.Cancellation;
import dev.puna.inference.GenerationListener;
import dev.puna.inference.GenerationOptions;
import dev.puna.inference.GenerationResult;
import dev.puna.inference.GenerationResult.Timings;
import dev.puna.inference.Llama;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;

/** {@code puna run}: continues a prompt. The text goes to standard output as it comes, figures to standard error. */
final class RunVerb extends Verb {
    private final ModelOption model = new ModelOption(terminal, options);
    private final Value<String> prompt = options.text("-p,--prompt", "PROMPT", "The text to continue.");
    private final Value<String> file = options.text("--file", "F", "Take the prompt from a file; - is standard input.");
    private final SamplingOptions sampling = new SamplingOptions(options, 256);
    private final Value<Boolean> ignoreEnd =
            options.flag("--ignore-end", "Go on after the model's end of text; for measurements.");
    private final Value<Boolean> json = options.flag("--json", "Print one JSON document.");
    private final Value<Boolean> quiet = options.flag("-q,--quiet", "No figures.");
    private final ModelOption.CacheOptions cache = new ModelOption.CacheOptions(options);
    private final ComputeOptions compute = new ComputeOptions(options);

    RunVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna run Llama-3.2-1B-Q8_0.gguf -p 'Once upon a time'",
                "puna run ./Llama-2-7b-hf -p 'The capital of France is' --max-tokens 8 --temperature 0",
                "puna run meta-llama/Llama-3.2-1B --file story.txt --seed 7 --top-p 0.95 --stop 'THE END' --json");
    }

    record TimingsJson(
            int promptTokens,
            int reusedTokens,
            double prefillSeconds,
            double prefillTokensPerSecond,
            int generatedTokens,
            double decodeSeconds,
            double decodeTokensPerSecond,
            double secondsFromStartToFirstToken) {
        static TimingsJson of(Timings timings, double firstTokenSeconds) {
            return new TimingsJson(
                    timings.promptTokens(),
                    timings.reusedTokens(),
                    timings.prefill().toNanos() / 1e9,
                    timings.prefillTokensPerSecond(),
                    timings.generatedTokens(),
                    timings.decode().toNanos() / 1e9,
                    timings.decodeTokensPerSecond(),
                    firstTokenSeconds);
        }
    }

    record Answer(
            String model,
            String kernels,
            int[] promptIds,
            int[] ids,
            String text,
            String finishReason,
            TimingsJson timings) {}

    @Override
    void run() throws IOException {
        String text = prompt();
        GenerationOptions wanted = sampling.toGenerationOptions().withIgnoreEnd(ignoreEnd.isGiven());
        double[] firstTokenSeconds = {0};
        GenerationListener listener = (token, piece) -> {
            if (firstTokenSeconds[0] == 0) {
                firstTokenSeconds[0] = secondsSinceProcessStart();
            }
            if (!json.isGiven()) {
                terminal.out().print(piece);
                terminal.out().flush();
            }
        };
        try (Llama llama = model.open(compute, cache)) {
            GenerationResult result = llama.generate(text, wanted, listener, new Cancellation());
            if (json.isGiven()) {
                terminal.out()
                        .println(Json.writePretty(new Answer(
                                model.text(),
                                llama.kernels().tier(),
                                result.promptIds(),
                                result.ids(),
                                result.text(),
                                result.finishReason().name().toLowerCase(Locale.ROOT),
                                TimingsJson.of(result.timings(), firstTokenSeconds[0]))));
            } else {
                terminal.out().println();
                terminal.out().flush();
                if (!quiet.isGiven()) {
                    terminal.err()
                            .println(terminal.errColor(
                                    Terminal.Color.FAINT, summary(llama, result.timings(), firstTokenSeconds[0])));
                }
            }
        }
    }

    private String prompt() throws IOException {
        if (prompt.isGiven() == file.isGiven()) {
            throw new UsageException("needs a prompt: -p PROMPT, or --file F");
        }
        if (prompt.isGiven()) {
            return prompt.get();
        }
        return InputFile.text(terminal, file.get());
    }

    private static String summary(Llama llama, Timings timings, double firstTokenSeconds) {
        return String.format(
                Locale.ROOT,
                "[%s: prompt %d tokens in %s (%s/s), answer %d tokens in %s (%s/s), first token %s after the start]",
                llama.kernels().tier(),
                timings.promptTokens(),
                Quantity.duration(timings.prefill().toNanos() / 1e9),
                Quantity.rate(timings.prefillTokensPerSecond()),
                timings.generatedTokens(),
                Quantity.duration(timings.decode().toNanos() / 1e9),
                Quantity.rate(timings.decodeTokensPerSecond()),
                String.format(Locale.ROOT, "%.2f s", firstTokenSeconds));
    }

    /**
     * Since the operating system started this process: the launcher, then the JVM in its place. To a hundredth of a
     * second on Linux; elsewhere the system may know only whole seconds.
     */
    static double secondsSinceProcessStart() {
        try {
            // The name of the program, in parentheses, may contain spaces; field 22 is the start in ticks since boot.
            String stat = Files.readString(Path.of("/proc/self/stat"));
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
            String uptime = Files.readString(Path.of("/proc/uptime"));
            return Double.parseDouble(uptime.substring(0, uptime.indexOf(' '))) - Long.parseLong(fields[19]) / 100.0;
        } catch (IOException e) {
            return ProcessHandle.current()
                    .info()
                    .startInstant()
                    .map(start -> Duration.between(start, Instant.now()).toNanos() / 1e9)
                    .orElse(0.0);
        }
    }
}
