package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.inference.Engine;
import dev.puna.inference.EngineOptions;
import dev.puna.server.PunaServer;
import dev.puna.server.ServerOptions;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import org.jline.utils.Signals;

/**
 * {@code puna serve}: a model behind OpenAI's API, with a page at {@code /}, until SIGTERM or Ctrl-C. What runs then may
 * finish for a while; a second signal ends at once.
 */
final class ServeVerb extends Verb {
    /** The key that clients must send, where {@code --api-key} would show it to everyone who lists processes. */
    static final String KEY_VARIABLE = "PUNA_API_KEY";

    private static final int DEFAULT_GRACE_SECONDS = 30;

    private final ModelOption model = new ModelOption(terminal, options);
    private final Value<Integer> port = options.integer("--port", "P", "Default: 8080; 0 for any that is free.", 0);
    private final Value<String> host = options.text(
            "--host",
            "ADDRESS",
            "Where to listen. Default: 127.0.0.1, this machine only; 0.0.0.0 is the whole network.");
    private final Value<String> name =
            options.text("--name", "NAME", "The model's name for clients. Default: that of its file or directory.");
    private final Value<String> apiKey = options.text(
            "--api-key", "KEY", "What clients must send as their key. Default: " + KEY_VARIABLE + ", or none.");
    private final Value<String> cors =
            options.texts("--cors", "ORIGIN", "A web site whose pages may ask, https://example.org; may be repeated.");
    private final Value<String> memory =
            options.text("--memory", "SIZE", "For keys and values: 4GiB. Default: half of what is available.");
    private final Value<Integer> slots =
            options.integer("--slots", "N", "Answers that are computed together. Default: 64.", 1);
    private final Value<Integer> queue =
            options.integer("--queue", "N", "Requests that may wait; more are told to come back. Default: 512.", 1);
    private final Value<Integer> lookup = options.integer(
            "--lookup", "N", "Tokens to guess per step from how the same words went on before. Default: 0.", 0);
    private final Value<String> draft = options.text(
            "--draft", "MODEL", "A smaller model of the same vocabulary that guesses ahead; answers stay the same.");
    private final Value<Integer> draftTokens =
            options.integer("--draft-tokens", "N", "Tokens that it guesses per step. Default: 4.", 1);
    private final Value<String> lora = options.texts(
            "--lora",
            "NAME=DIR",
            "A LoRA adapter as PEFT writes it: a model of its own for clients, chosen by NAME; may be repeated.");
    private final Value<Integer> grace = options.integer(
            "--grace",
            "SECONDS",
            "How long answers may finish after SIGTERM. Default: " + DEFAULT_GRACE_SECONDS + ".",
            0);
    private final ModelOption.CacheOptions cache = new ModelOption.CacheOptions(options);
    private final ComputeOptions compute = new ComputeOptions(options);

    ServeVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna serve Llama-3.2-1B-Instruct-Q8_0.gguf",
                "puna serve ./Llama-3.2-1B-Instruct --port 9000 --memory 4GiB --slots 16",
                "puna serve Llama-3.1-8B-Instruct-Q4_K_M.gguf --draft Llama-3.2-1B-Instruct-Q8_0.gguf --lookup 4",
                "puna serve ./Llama-3.2-1B --kv q8_0 --lora poet=adapters/poet --lora sql=adapters/sql",
                "PUNA_API_KEY=secret puna serve meta-llama/Llama-3.2-1B-Instruct --host 0.0.0.0");
    }

    @Override
    void run() throws IOException, InterruptedException {
        ServerOptions wanted = serverOptions(); // what is wrong there is said before a model is loaded
        EngineOptions engineOptions = engineOptions();
        Map<String, Path> adapters = adapters();
        Path path = model.path();
        try (Engine engine = Engine.load(path, engineOptions)) {
            for (Map.Entry<String, Path> adapter : adapters.entrySet()) {
                engine.loadAdapter(adapter.getKey(), adapter.getValue());
            }
            serve(engine, name.isGiven() ? wanted : wanted.withModel(nameOf(path)));
        }
    }

    private void serve(Engine engine, ServerOptions wanted) throws InterruptedException {
        try (PunaServer server = PunaServer.start(engine, wanted)) {
            List<String> adapters = engine.adapterNames();
            terminal.out()
                    .println("listening on " + server.address() + "  (model " + server.model()
                            + (adapters.isEmpty() ? "" : ", adapters " + String.join(" ", adapters)) + ", "
                            + engine.tier() + " kernels, context " + engine.contextLength() + ")");
            terminal.out().flush();
            awaitSignal();
            terminal.err().println("finishing what runs; once more ends at once");
            boolean all = server.shutdown(Duration.ofSeconds(grace.or(DEFAULT_GRACE_SECONDS)));
            terminal.err().println(all ? "all answers were finished" : "what still ran was cut off");
        }
    }

    /** {@code poet=adapters/poet} by name, in the order of the command line. */
    private Map<String, Path> adapters() {
        Map<String, Path> adapters = new LinkedHashMap<>();
        for (String each : lora.all()) {
            int equals = each.indexOf('=');
            if (equals < 1 || equals == each.length() - 1) {
                throw new ConfigurationException("--lora", each, "must be NAME=DIR");
            }
            Path directory = Path.of(each.substring(equals + 1));
            if (!Files.isDirectory(directory)) {
                throw new ConfigurationException("--lora", each, "there is no directory " + directory);
            }
            if (adapters.put(each.substring(0, equals), directory) != null) {
                throw new ConfigurationException("--lora", each, "there is one of that name already");
            }
        }
        return adapters;
    }

    private static void awaitSignal() throws InterruptedException {
        CountDownLatch first = new CountDownLatch(1);
        Runnable handler = () -> {
            if (first.getCount() == 0) {
                Runtime.getRuntime().halt(Program.FAILED);
            }
            first.countDown();
        };
        for (String signal : List.of("INT", "TERM")) {
            Signals.register(signal, handler);
        }
        first.await();
    }

    private ServerOptions serverOptions() {
        ServerOptions server = ServerOptions.of(name.or("model"))
                .withPort(port.or(8080))
                .withHost(host.or("127.0.0.1"))
                .withCorsOrigins(cors.all());
        Optional<String> key = apiKey.value().or(() -> Optional.ofNullable(System.getenv(KEY_VARIABLE)));
        return key.isPresent() ? server.withApiKey(key.get()) : server;
    }

    private EngineOptions engineOptions() throws IOException {
        EngineOptions defaults = EngineOptions.defaults();
        EngineOptions engine = defaults.withModel(ModelOption.llamaOptions(compute, cache))
                .withMaxSequences(slots.or(defaults.maxSequences()))
                .withQueueLimit(queue.or(defaults.queueLimit()))
                .withLookupTokens(lookup.or(defaults.lookupTokens()))
                .withDraftTokens(draftTokens.or(defaults.draftTokens()));
        if (draft.isGiven()) {
            engine = engine.withDraft(ModelOption.resolve(terminal, draft.get()));
        } else if (draftTokens.isGiven()) {
            throw new UsageException("--draft-tokens needs --draft MODEL");
        }
        return memory.isGiven() ? engine.withKvBytes(bytes(memory.get())) : engine;
    }

    /** {@code 4GiB}, {@code 512M}, {@code 1073741824}. */
    private static long bytes(String text) {
        try {
            return Quantity.parseBytes(text);
        } catch (IllegalArgumentException e) {
            throw new ConfigurationException("--memory", text, "must be a size: 4GiB, 512MiB");
        }
    }

    /** {@code Llama-3.2-1B-Q8_0} of {@code …/Llama-3.2-1B-Q8_0.gguf}. */
    private static String nameOf(Path path) {
        Path last = path.toAbsolutePath().normalize().getFileName();
        String text = last == null ? "model" : last.toString();
        return text.endsWith(".gguf") ? text.substring(0, text.length() - ".gguf".length()) : text;
    }
}
