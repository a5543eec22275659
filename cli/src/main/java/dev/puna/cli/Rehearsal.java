package dev.puna.cli;

import dev.puna.formats.GgufMetadata;
import dev.puna.model.LlamaConfig;
import dev.puna.model.RopeScaling;
import dev.puna.model.convert.Quantization;
import dev.puna.model.convert.RandomModel;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What the launcher runs once after a build, so that the JVM sees which classes the verbs load and keeps them ready: the
 * ways that a person goes most often, on a model of a few hundred kilobytes with random weights, with the output thrown
 * away. It is also a first look whether the program works at all on this machine.
 */
final class Rehearsal {
    private static final int FIRST_BYTE = 3;

    private Rehearsal() {}

    /** 0 if everything that was tried worked. */
    static int run() {
        try {
            Path directory = Files.createTempDirectory("puna-rehearsal");
            Path model = directory.resolve("tiny.gguf");
            try {
                writeTinyModel(model);
                return tryVerbs(model.toString());
            } finally {
                Files.deleteIfExists(model);
                Files.deleteIfExists(directory);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static int tryVerbs(String model) {
        int worst = Program.OK;
        for (List<String> words : List.of(
                List.of("--help"),
                List.of("run", model, "-p", "Once upon a time", "--max-tokens", "24"),
                List.of("run", model, "-p", "Again", "--max-tokens", "4", "--json"),
                List.of("chat", model, "--max-tokens", "8"),
                List.of("score", model, "--file", "-"),
                List.of("tokenizer", "encode", model),
                List.of("inspect", model))) {
            Terminal nowhere = new Terminal(
                    new ByteArrayInputStream("Hello, world!\n".getBytes(StandardCharsets.UTF_8)),
                    new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8),
                    new PrintStream(System.err, true, StandardCharsets.UTF_8),
                    false,
                    false,
                    false,
                    80);
            worst = Math.max(worst, new Program(nowhere).run(words.toArray(String[]::new)));
        }
        return worst;
    }

    /** A model that knows bytes and says nonsense: Q8_0, two layers, a vocabulary of single bytes ({@code --tiny FILE}). */
    static void writeTinyModel(Path file) throws IOException {
        List<String> pieces = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
        for (int value = 0; value < 256; value++) {
            pieces.add(String.format("<0x%02X>", value));
        }
        pieces.add("▁");
        for (char letter = 'a'; letter <= 'z'; letter++) {
            pieces.add(String.valueOf(letter));
        }
        int size = pieces.size();
        int[] types = new int[size];
        float[] scores = new float[size];
        for (int id = 0; id < size; id++) {
            types[id] = id == 0 ? 2 : id < FIRST_BYTE ? 3 : id < FIRST_BYTE + 256 ? 6 : 1;
            scores[id] = types[id] == 1 ? -id : 0;
        }
        GgufMetadata vocabulary = GgufMetadata.builder()
                .text("tokenizer.ggml.model", "llama")
                .texts("tokenizer.ggml.tokens", pieces)
                .floats("tokenizer.ggml.scores", scores)
                .ints("tokenizer.ggml.token_type", types)
                .uint32("tokenizer.ggml.bos_token_id", 1)
                .uint32("tokenizer.ggml.eos_token_id", 2)
                .uint32("tokenizer.ggml.unknown_token_id", 0)
                .build();
        LlamaConfig config = new LlamaConfig(
                size, 256, 2, 4, 2, 64, 512, 512, 1e-5f, 10_000, new RopeScaling.None(), false, false, false);
        RandomModel.write(file, config, Quantization.Q8_0, 1, vocabulary);
    }
}
