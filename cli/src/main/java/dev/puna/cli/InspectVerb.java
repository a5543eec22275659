package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.formats.TensorDescription;
import dev.puna.formats.TensorSource;
import dev.puna.model.LlamaCheckpoint;
import dev.puna.model.LlamaConfig;
import dev.puna.model.RopeScaling;
import dev.puna.tensor.DType;
import dev.puna.tokenizer.SpecialTokens;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** {@code puna inspect}: what is in a model. No byte of a weight is read. */
final class InspectVerb extends Verb {
    private final ModelOption model = new ModelOption(terminal, options);
    private final Value<Boolean> tensors = options.flag("--tensors", "List every tensor.");
    private final Value<Boolean> template = options.flag("--template", "Print the chat template and nothing else.");
    private final Value<Boolean> json = options.flag("--json", "Print one JSON document.");

    InspectVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna inspect Llama-3.2-1B-Q8_0.gguf",
                "puna inspect ./Llama-2-7b-hf --tensors",
                "puna inspect model.gguf --json");
    }

    record TensorLine(String name, String type, long[] shape, long bytes) {}

    record TypeTotal(String type, int tensors, long elements, long bytes) {}

    record Vocabulary(
            int size,
            int controlTokens,
            Optional<String> bos,
            Optional<String> eos,
            List<Integer> endOfGeneration,
            boolean addsBos,
            List<String> chatTemplates) {}

    /** Bytes; those of keys and values in F16. */
    record MemoryNeeded(long weights, long kvPer1024Tokens, long kvAtFullContext) {}

    record Content(
            String path,
            String format,
            LlamaConfig config,
            long parameters,
            List<TypeTotal> types,
            Optional<Vocabulary> tokenizer,
            long bytesOnDisk,
            MemoryNeeded memory,
            List<TensorLine> tensors) {}

    @Override
    void run() throws IOException {
        try (LlamaCheckpoint checkpoint = LlamaCheckpoint.open(model.path())) {
            if (template.isGiven()) {
                terminal.out()
                        .println(checkpoint
                                .tokenizer()
                                .flatMap(Tokenizer::chatTemplate)
                                .orElse(""));
                return;
            }
            Content content = content(checkpoint);
            if (json.isGiven()) {
                terminal.out().println(Json.writePretty(content));
            } else {
                print(content);
            }
        }
    }

    private Content content(LlamaCheckpoint checkpoint) throws IOException {
        TensorSource source = checkpoint.source();
        Map<String, TypeTotal> types = new LinkedHashMap<>();
        List<TensorLine> lines = new ArrayList<>();
        for (String name : source.names()) {
            TensorDescription tensor = source.describe(name);
            long elements = tensor.shape().elementCount();
            types.merge(
                    tensor.type(),
                    new TypeTotal(tensor.type(), 1, elements, tensor.byteSize()),
                    (a, b) -> new TypeTotal(
                            a.type(), a.tensors() + b.tensors(), a.elements() + b.elements(), a.bytes() + b.bytes()));
            if (tensors.isGiven()) {
                long[] shape = new long[tensor.shape().rank()];
                Arrays.setAll(shape, i -> tensor.shape().dim(i));
                lines.add(new TensorLine(name, tensor.type(), shape, tensor.byteSize()));
            }
        }
        LlamaConfig config = checkpoint.config();
        long perToken = config.kvBytesPerPosition(DType.F16);
        return new Content(
                checkpoint.path().toString(),
                checkpoint.format().name().toLowerCase(Locale.ROOT),
                config,
                config.parameterCount(),
                List.copyOf(types.values()),
                checkpoint.tokenizer().map(InspectVerb::vocabulary),
                ConvertVerb.sizeOf(checkpoint.path()),
                new MemoryNeeded(source.byteSize(), 1024 * perToken, config.contextLength() * perToken),
                lines);
    }

    private static Vocabulary vocabulary(Tokenizer tokenizer) {
        SpecialTokens special = tokenizer.specialTokens();
        return new Vocabulary(
                tokenizer.vocabularySize(),
                tokenizer.addedTokens().size(),
                piece(tokenizer, special.bos()),
                piece(tokenizer, special.eos()),
                List.copyOf(special.endOfGeneration()),
                special.addBos(),
                List.copyOf(tokenizer.chatTemplates().keySet()));
    }

    private static Optional<String> piece(Tokenizer tokenizer, OptionalInt id) {
        return id.isPresent() ? Optional.of(tokenizer.piece(id.getAsInt())) : Optional.empty();
    }

    private void print(Content content) {
        LlamaConfig config = content.config();
        line("model", content.path());
        line("format", content.format() + ", " + Quantity.bytes(content.bytesOnDisk()));
        line(
                "parameters",
                String.format(Locale.ROOT, "%,d (%s)", content.parameters(), Quantity.count(content.parameters())));
        line(
                "shape",
                config.layerCount() + " layers, width " + config.width() + ", feed-forward "
                        + config.feedForwardWidth());
        line(
                "attention",
                config.headCount() + " heads of " + config.headSize() + ", " + config.kvHeadCount() + " key/value heads"
                        + (config.attentionBias() ? ", with biases" : ""));
        line("context", config.contextLength() + " tokens, RoPE base " + plain(config.ropeBase()) + scaling(config));
        line(
                "vocabulary",
                config.vocabularySize() + " tokens, head "
                        + (config.tiedHead() ? "tied to the embedding" : "of its own"));
        boolean first = true;
        for (TypeTotal type : content.types()) {
            line(
                    first ? "tensors" : "",
                    String.format(
                            Locale.ROOT,
                            "%-6s %4d tensors  %8s elements  %10s",
                            type.type(),
                            type.tensors(),
                            Quantity.count(type.elements()),
                            Quantity.bytes(type.bytes())));
            first = false;
        }
        if (content.tokenizer().isPresent()) {
            Vocabulary tokenizer = content.tokenizer().get();
            line(
                    "tokenizer",
                    tokenizer.size() + " tokens, begins with " + tokenizer.bos().orElse("nothing")
                            + (tokenizer.addsBos() ? "" : " (not by itself)") + ", ends with "
                            + tokenizer.eos().orElse("nothing"));
            line(
                    "template",
                    tokenizer.chatTemplates().isEmpty()
                            ? "none: chat uses a standard one"
                            : String.join(", ", tokenizer.chatTemplates()));
        } else {
            line("tokenizer", "none beside the weights");
        }
        line(
                "memory",
                Quantity.bytes(content.memory().weights()) + " of mapped weights, "
                        + Quantity.bytes(content.memory().kvPer1024Tokens()) + " for keys and values of 1,024 tokens");
        line("", Quantity.bytes(content.memory().kvAtFullContext()) + " for the whole context (F16)");
        for (TensorLine tensor : content.tensors()) {
            terminal.out()
                    .println(String.format(
                            Locale.ROOT,
                            "  %-44s %-6s %-20s %10s",
                            tensor.name(),
                            tensor.type(),
                            Arrays.toString(tensor.shape()),
                            Quantity.bytes(tensor.bytes())));
        }
    }

    private static String scaling(LlamaConfig config) {
        return switch (config.ropeScaling()) {
            case RopeScaling.None() -> "";
            case RopeScaling.Linear(float factor) -> ", stretched linearly by " + plain(factor);
            case RopeScaling.Llama3 formula -> ", stretched by Llama-3.1's formula, factor " + plain(formula.factor());
            case RopeScaling.PerFrequency _ -> ", stretched by a divisor for each frequency";
        };
    }

    private static String plain(double value) {
        return value == Math.rint(value) ? Long.toString((long) value) : Double.toString(value);
    }

    private void line(String name, String text) {
        terminal.out().println(terminal.color(Terminal.Color.BOLD, String.format(Locale.ROOT, "%-11s", name)) + text);
    }
}
