package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.formats.hub.Hub;
import dev.puna.formats.hub.HubModel;
import dev.puna.inference.Llama;
import dev.puna.inference.LlamaOptions;
import dev.puna.inference.LlamaOptions.KvType;
import dev.puna.kernels.KernelsChoice;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;

/** The argument MODEL, and how it is opened. */
final class ModelOption {
    private final Terminal terminal;
    private final Value<String> model;

    ModelOption(Terminal terminal, Options options) {
        this.terminal = terminal;
        this.model = options.argument(
                        "MODEL",
                        "A Hugging Face directory, a .gguf file, a directory of Meta's, or owner/name on the Hugging"
                                + " Face hub.")
                .required();
    }

    /** What was typed. */
    String text() {
        return model.get();
    }

    /**
     * Where the model lies.
     *
     * @throws ConfigurationException if there is nothing there, and no hub is meant
     * @throws dev.puna.formats.hub.HubException if the hub does not give it
     */
    Path path() throws IOException {
        return resolve(terminal, model.get());
    }

    /** The path of a model, tokenizer or file that a person named: local first, then the hub. */
    static Path resolve(Terminal terminal, String text) throws IOException {
        Path path = Path.of(text);
        if (Files.exists(path)) {
            return path;
        }
        HubModel hub = HubModel.parse(text)
                .orElseThrow(() -> new ConfigurationException(
                        "MODEL", text, "no such file or directory, and not of the form owner/name"));
        try (ProgressBar bar = new ProgressBar(terminal, "fetching", ProgressBar.Unit.BYTES)) {
            return Hub.fromEnvironment().fetch(hub, bar::show);
        }
    }

    /** Options of verbs that compute with a model's cache of keys and values. */
    static final class CacheOptions {
        private final Value<String> kv;
        private final Value<Integer> chunk;

        CacheOptions(Options options) {
            kv = options.choice(
                    "--kv",
                    "TYPE",
                    "Type of cached keys and values: auto, f32, f16, bf16, q8_0. Default: auto (f32 for f32 weights, else"
                            + " f16).",
                    Arrays.stream(KvType.values())
                            .map(type -> type.name().toLowerCase(Locale.ROOT))
                            .toList());
            chunk = options.integer("--chunk", "N", "Tokens of a prompt per forward pass. Default: 512.", 1);
        }
    }

    /** Opens the model; the caller closes it. */
    Llama open(ComputeOptions compute, CacheOptions cache) throws IOException {
        return Llama.load(path(), llamaOptions(compute, cache).withPrepared(true));
    }

    static LlamaOptions llamaOptions(ComputeOptions compute, CacheOptions cache) {
        LlamaOptions defaults = LlamaOptions.defaults();
        return defaults.withKernels(KernelsChoice.requested(compute.kernels(), System.getenv()))
                .withThreads(compute.threads())
                .withKv(KvType.valueOf(cache.kv.or("auto").toUpperCase(Locale.ROOT)))
                .withChunk(cache.chunk.or(defaults.chunk()));
    }
}
