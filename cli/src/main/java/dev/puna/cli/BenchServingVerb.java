package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.inference.Engine;
import dev.puna.inference.EngineCounters;
import dev.puna.inference.EngineOptions;
import dev.puna.model.LlamaPreset;
import dev.puna.model.convert.Quantization;
import dev.puna.model.convert.RandomModel;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * {@code puna bench serving}: many clients at once, on an engine in this process or on any server that speaks OpenAI's
 * {@code /v1/completions} with token ids. First the answer is checked: a prompt alone and among others.
 */
final class BenchServingVerb extends Verb {
    private final Value<String> model = options.argument("MODEL", "The model to measure; or --random; or --url.");
    private final Value<String> random =
            options.text("--random", "PRESET", "Measure random weights of this shape, e.g. llama-3.2-1b.");
    private final Value<String> quantize =
            options.text("--quantize", "TYPE", "The type of random weights. Default: Q8_0.");
    private final Value<String> url = options.text(
            "--url", "URL", "Measure a running server (any with /v1/completions), e.g. http://127.0.0.1:8080.");
    private final Value<String> name =
            options.text("--model-name", "NAME", "What the server calls its model. Default: default.");
    private final Value<Integer> vocabulary =
            options.integer("--vocabulary", "N", "With --url: prompts are random ids below N. Default: 32000.", 11);
    private final Value<String> clients = options.text(
            "--clients", "N,N,…", "How many clients at once, one level after the other. Default: 1,4,16,64.");
    private final Value<Integer> requests =
            options.integer("--requests", "N", "Requests of each client in a level. Default: 2.", 1);
    private final Value<Integer> seconds =
            options.integer("--seconds", "N", "No new request after so long in a level. Default: 60.", 1);
    private final Value<Integer> shortest =
            options.integer("--shortest", "N", "Tokens of the shortest prompt. Default: 32.", 1);
    private final Value<Integer> longest =
            options.integer("--longest", "N", "Tokens of the longest prompt. Default: 2000.", 1);
    private final Value<Integer> tokens =
            options.integer("--tokens", "N", "Tokens of an answer in the mean. Default: 128.", 2);
    private final Value<Integer> pause =
            options.integer("--pause", "MILLIS", "Mean pause of a client between requests. Default: 200.", 0);
    private final Value<Integer> repeats = options.integer(
            "--repeats", "N", "Requests that share a beginning of 1,000 tokens; 0 for none. Default: 20.", 0);
    private final Value<Boolean> noInterruption =
            options.flag("--no-interruption", "Do not measure streams while a longest prompt arrives.");
    private final Value<Integer> sequences =
            options.integer("--max-sequences", "N", "Sequences computed together. Default: 64.", 1);
    private final Value<String> memory = options.text("--memory", "SIZE", "Memory for keys and values, e.g. 4GiB.");
    private final Value<String> draft =
            options.text("--draft", "MODEL", "A smaller model of the same vocabulary that guesses ahead.");
    private final Value<Integer> lookup =
            options.integer("--lookup", "N", "Tokens to guess by looking them up in the text. Default: 0.", 0);
    private final Value<Long> seed = options.wholeNumber("--seed", "S", "Of prompts and pauses. Default: 1.");
    private final Value<Boolean> json = options.flag("--json", "Print one JSON document.");
    private final ModelOption.CacheOptions cache = new ModelOption.CacheOptions(options);
    private final ComputeOptions compute = new ComputeOptions(options);

    BenchServingVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna bench serving Llama-3.2-1B-Q8_0.gguf",
                "puna bench serving --random llama-3.2-1b --clients 1,16 --json",
                "puna bench serving --url http://127.0.0.1:8080 --vocabulary 128000");
    }

    /**
     * What the engine itself has counted.
     *
     * @param outsideModel of the engine's busy time, how much was not the model's forward pass
     * @param microsPerTokenOutside that time by generated token
     */
    record EngineFigures(EngineCounters counters, double outsideModel, double microsPerTokenOutside) {}

    record Report(
            String target,
            boolean sameAmongOthers,
            ServingLoad load,
            List<ServingLoad.Level> levels,
            ServingLoad.@Nullable Interruption interruption,
            ServingLoad.@Nullable Repetition repetition,
            @Nullable EngineFigures engine) {}

    @Override
    void run() throws IOException {
        int sources = (model.isGiven() ? 1 : 0) + (random.isGiven() ? 1 : 0) + (url.isGiven() ? 1 : 0);
        if (sources != 1) {
            throw new UsageException("needs one of MODEL, --random PRESET and --url URL");
        }
        if (shortest.or(32) > longest.or(2000)) {
            throw new UsageException("--shortest must not be more than --longest");
        }
        try {
            Report report;
            if (url.isGiven()) {
                report = overHttp();
            } else if (model.isGiven()) {
                report = inProcess(model.get(), ModelOption.resolve(terminal, model.get()));
            } else {
                report = onRandomWeights();
            }
            if (json.isGiven()) {
                terminal.out().println(Json.writePretty(report));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    private Report onRandomWeights() throws IOException, InterruptedException {
        Path directory = Files.createTempDirectory("puna-bench");
        Path file = directory.resolve("random.gguf");
        try {
            Quantization type = Quantization.of(quantize.or("Q8_0"));
            RandomModel.write(file, LlamaPreset.of(random.get()).config(), type, 1);
            return inProcess("random " + random.get() + " " + type, file);
        } finally {
            Files.deleteIfExists(file);
            Files.deleteIfExists(directory);
        }
    }

    private Report overHttp() throws IOException, InterruptedException {
        URI base;
        try {
            base = URI.create(url.get());
        } catch (IllegalArgumentException e) {
            throw new UsageException("--url: " + e.getMessage());
        }
        try (HttpClient client =
                HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()) {
            ServingTarget target = new ServingTarget.Http(client, base, name.or("default"));
            return measure(url.get(), target, vocabulary.or(32_000), Optional.empty());
        }
    }

    private Report inProcess(String what, Path path) throws IOException, InterruptedException {
        EngineOptions how = EngineOptions.defaults()
                .withModel(ModelOption.llamaOptions(compute, cache))
                .withMaxSequences(sequences.or(64))
                .withLookupTokens(lookup.or(0));
        if (memory.isGiven()) {
            how = how.withKvBytes(Quantity.parseBytes(memory.get()));
        }
        if (draft.isGiven()) {
            how = how.withDraft(ModelOption.resolve(terminal, draft.get()));
        }
        try (Engine engine = Engine.load(path, how)) {
            return measure(
                    what + " on " + engine.tier() + ", " + compute.threads() + " threads",
                    new ServingTarget.InProcess(engine),
                    engine.config().vocabularySize(),
                    Optional.of(engine));
        }
    }

    private Report measure(String what, ServingTarget target, int ids, Optional<Engine> engine)
            throws IOException, InterruptedException {
        ServingLoad load = new ServingLoad(
                shortest.or(32),
                longest.or(2000),
                tokens.or(128),
                pause.or(200),
                requests.or(2),
                seconds.or(60),
                ids,
                seed.or(1L));
        progress("checking");
        boolean same = load.sameAmongOthers(target);
        if (!same && engine.isPresent()) {
            throw new IOException("wrong answer: a prompt is answered otherwise among others than alone");
        }
        target.ask(load.prompt(new Random(0), load.longest()), 8); // code and memory that the longest prompt needs
        EngineCounters before = engine.map(Engine::counters).orElse(null);
        List<ServingLoad.Level> levels = new ArrayList<>();
        print(
                "%s, %s",
                what, same ? "the same text alone and among others" : "NOT the same text alone and among others");
        print(
                "%-8s %9s %7s %11s %9s   %-26s %-26s",
                "clients",
                "requests",
                "failed",
                "generated/s",
                "total/s",
                "first token ms 50/95/99",
                "between ms 50/95/99");
        for (int count : levels()) {
            progress(count + " clients");
            levels.add(load.run(target, count));
            print(levels.getLast());
        }
        EngineCounters after = engine.map(Engine::counters).orElse(null);
        ServingLoad.Interruption interruption = null;
        if (!noInterruption.isGiven()) {
            progress("a prompt of " + load.longest() + " tokens among streams");
            interruption = load.interrupt(target, Math.min(8, sequences.or(64)), 96);
            print(interruption);
        }
        ServingLoad.Repetition repetition = null;
        if (repeats.or(20) > 0) {
            progress("a common beginning");
            repetition = load.repeat(target, repeats.or(20), 1000);
            print(repetition);
        }
        EngineFigures figures = null;
        if (before != null && after != null) {
            double busy = after.busyNanos() - before.busyNanos();
            double outside = busy - (after.modelNanos() - before.modelNanos());
            figures = new EngineFigures(
                    engine.orElseThrow().counters(),
                    outside / busy,
                    outside * 1e-3 / (after.generatedTokens() - before.generatedTokens()));
            print(figures);
        }
        return new Report(what, same, load, levels, interruption, repetition, figures);
    }

    private int[] levels() {
        try {
            int[] levels = Arrays.stream(clients.or("1,4,16,64").split(","))
                    .mapToInt(each -> Integer.parseInt(each.strip()))
                    .toArray();
            if (levels.length == 0 || Arrays.stream(levels).anyMatch(level -> level < 1 || level > 4096)) {
                throw new UsageException("--clients: from 1 to 4096 each");
            }
            return levels;
        } catch (NumberFormatException e) {
            throw new UsageException("--clients: expected numbers separated by commas, found '" + clients.or("") + "'");
        }
    }

    private void progress(String what) {
        if (!json.isGiven()) {
            terminal.err().println("… " + what);
        }
    }

    private void print(String format, Object... values) {
        if (!json.isGiven()) {
            terminal.out().printf(Locale.ROOT, format + "%n", values);
            terminal.out().flush();
        }
    }

    private void print(ServingLoad.Level level) {
        print(
                "%-8d %9d %7d %11.1f %9.1f   %-26s %-26s%s",
                level.clients(),
                level.requests(),
                level.failures(),
                level.generatedPerSecond(),
                level.totalPerSecond(),
                shown(level.firstTokenMillis()),
                shown(level.betweenTokensMillis()),
                level.failure());
    }

    private void print(ServingLoad.Interruption interruption) {
        print(
                "%d streams, then a prompt of %d tokens: between ms %s before, %s until its first token after %.0f ms;"
                        + " p99 %.1f × p50",
                interruption.streams(),
                interruption.promptTokens(),
                shown(interruption.before()),
                shown(interruption.during()),
                interruption.firstTokenMillis(),
                interruption.during().p99() / interruption.before().p50());
    }

    private void print(ServingLoad.Repetition repetition) {
        print(
                "%d requests that begin with the same %d tokens: first token after %.0f ms, then %s ms: 1/%.0f",
                repetition.repeats(),
                repetition.tokens(),
                repetition.firstMillis(),
                shown(repetition.againMillis()),
                repetition.firstMillis() / repetition.againMillis().p50());
    }

    private void print(EngineFigures engine) {
        print(
                "outside the model: %.1f %% of the engine's time, %.0f µs per generated token",
                100 * engine.outsideModel(), engine.microsPerTokenOutside());
    }

    private static String shown(ServingLoad.Percentiles percentiles) {
        return String.format(
                Locale.ROOT, "%.0f / %.0f / %.0f", percentiles.p50(), percentiles.p95(), percentiles.p99());
    }
}
