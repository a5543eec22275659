package dev.puna.speedrun;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.puna.data.shard.TokenShardWriter;
import dev.puna.formats.GgufMetadata;
import dev.puna.inference.Llama;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.KernelsChoice;
import dev.puna.model.LlamaCheckpoint;
import dev.puna.model.LlamaConfig;
import dev.puna.model.RopeScaling;
import dev.puna.model.convert.Conversion;
import dev.puna.model.convert.ConversionListener;
import dev.puna.model.convert.ConversionTarget;
import dev.puna.model.convert.Quantization;
import dev.puna.model.convert.RandomModel;
import dev.puna.tensor.ThreadTeam;
import dev.puna.tokenizer.Tokenizer;
import dev.puna.training.Recipe;
import dev.puna.training.Trainer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the report says is what {@code puna score} says of the model that is handed over. */
final class HeldOutMeasureTest {
    private static final int CONTEXT = 48;

    @TempDir
    Path folder;

    @Test
    void bitsAreThoseOfScoringEachTextByItself() throws IOException {
        LlamaConfig config = new LlamaConfig(
                286, 64, 2, 2, 1, 32, 128, CONTEXT, 1e-5f, 10_000, new RopeScaling.None(), true, false, false);
        Path model = folder.resolve("model");
        Path shard = folder.resolve("random");
        // One shorter than the context, one as long, some longer by little and by much, one of a single byte.
        List<String> texts = List.of("some words", "a".repeat(47), "b c ".repeat(12) + "d", "x y z ".repeat(60), "q");
        try (ThreadTeam team = new ThreadTeam("test", 2);
                Kernels kernels =
                        KernelsChoice.onThisMachine(KernelsChoice.AUTO).create(team)) {
            RandomModel.write(folder.resolve("m.gguf"), config, Quantization.of("F32"), 7, vocabulary());
            try (LlamaCheckpoint source = LlamaCheckpoint.open(folder.resolve("m.gguf"))) {
                Conversion.convert(
                        source, model, ConversionTarget.HuggingFace.usual(), kernels, ConversionListener.NONE);
            }
            try (TokenShardWriter writer = new TokenShardWriter(shard, config.vocabularySize())) {
                writer.add(new int[1000], 0, 1000);
            }
            Files.writeString(folder.resolve("recipe.yaml"), """
                    steps: 1
                    precision: fp32
                    output: "%s"
                    model: {start: "%s", vocabularySize: 286, width: 64, layerCount: 2, headCount: 2, kvHeadCount: 1,
                            feedForwardWidth: 128, contextLength: 48, tiedHead: true}
                    data: {sequenceLength: 48, sources: [{name: random, shards: ["%s"], weight: 1.0}]}
                    schedule: {warmupSteps: 0}
                    """.formatted(folder.resolve("out"), model, shard));
            try (Trainer trainer = Trainer.begin(Recipe.read(folder.resolve("recipe.yaml"), List.of()), kernels);
                    Llama llama = Llama.load(model)) {
                List<byte[]> bytes = texts.stream()
                        .map(text -> text.getBytes(StandardCharsets.UTF_8))
                        .toList();
                List<Double> shares = new ArrayList<>();
                HeldOutMeasure measure =
                        HeldOutMeasure.of(trainer::evaluate, Tokenizer.open(model), bytes, CONTEXT, 3, shares::add);
                double nats = 0;
                long tokens = 0;
                for (String text : texts) {
                    nats -= llama.score(text).sum();
                    tokens += llama.score(text).ids().length;
                }
                // Two orders of the same sums in fp32.
                assertThat(measure.nats()).isCloseTo(nats, within(1e-5 * nats));
                assertThat(measure.tokens()).isEqualTo(tokens);
                assertThat(measure.bytes()).isEqualTo(String.join("", texts).length());
                assertThat(measure.bitsPerByte()).isCloseTo(nats / Math.log(2) / measure.bytes(), within(1e-4));
                assertThat(shares.getLast()).isEqualTo(1.0);
            }
        }
    }

    /** Single bytes, and letters. */
    private static GgufMetadata vocabulary() {
        List<String> pieces = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
        for (int value = 0; value < 256; value++) {
            pieces.add(String.format("<0x%02X>", value));
        }
        pieces.add("▁");
        for (char letter = 'a'; letter <= 'z'; letter++) {
            pieces.add(String.valueOf(letter));
        }
        int[] types = new int[pieces.size()];
        float[] scores = new float[pieces.size()];
        for (int id = 0; id < types.length; id++) {
            types[id] = id == 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1;
            scores[id] = types[id] == 1 ? -id : 0;
        }
        return GgufMetadata.builder()
                .text("tokenizer.ggml.model", "llama")
                .texts("tokenizer.ggml.tokens", pieces)
                .floats("tokenizer.ggml.scores", scores)
                .ints("tokenizer.ggml.token_type", types)
                .uint32("tokenizer.ggml.bos_token_id", 1)
                .uint32("tokenizer.ggml.eos_token_id", 2)
                .uint32("tokenizer.ggml.unknown_token_id", 0)
                .build();
    }
}
