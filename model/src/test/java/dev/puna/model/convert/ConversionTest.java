package dev.puna.model.convert;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.puna.formats.MetaCheckpoint.EmbeddingSplit;
import dev.puna.kernels.Kernels;
import dev.puna.model.Activations;
import dev.puna.model.KvCache;
import dev.puna.model.LlamaCheckpoint;
import dev.puna.model.LlamaConfig;
import dev.puna.model.LlamaModel;
import dev.puna.model.TokenBatch;
import dev.puna.model.convert.ConversionTarget.GgufFile;
import dev.puna.model.convert.ConversionTarget.HuggingFace;
import dev.puna.model.convert.ConversionTarget.Meta;
import dev.puna.model.convert.ConversionTarget.Weights;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import dev.puna.tokenizer.EncodeOptions;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class ConversionTest {
    private static final Path GOLDEN = Path.of("src/test/resources/golden");
    private static final int[] PROMPT = {1, 17, 4, 95, 53, 8, 8, 61, 30, 2, 77};
    private static ThreadTeam threads;
    private static Kernels kernels;

    @TempDir
    Path directory;

    @BeforeAll
    static void open() {
        threads = new ThreadTeam("test", 1);
        kernels = Kernels.open("reference", threads);
    }

    @AfterAll
    static void close() {
        kernels.close();
        threads.close();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama-1",
                "llama-2-gqa",
                "llama-3",
                "llama-3.1",
                "llama-3.2-tied",
                "shards",
                "bf16",
                "f16",
            })
    void theSameBitsInEveryFormatAndBack(String name) throws IOException {
        Path original = GOLDEN.resolve(name);
        Map<String, ByteBuffer> tensors = tensors(original);
        float[] logits = logits(original);

        Path gguf = directory.resolve("model.gguf");
        convert(original, gguf, GgufFile.usual());
        assertThat(logits(gguf)).isEqualTo(logits);

        Path meta = directory.resolve("meta");
        convert(original, meta, Meta.usual());
        assertThat(logits(meta)).isEqualTo(logits);

        Path metaFromGguf = directory.resolve("meta-from-gguf");
        convert(gguf, metaFromGguf, Meta.usual());
        assertThat(tensors(metaFromGguf)).isEqualTo(tensors(meta));

        Path ggufFromMeta = directory.resolve("from-meta.gguf");
        convert(meta, ggufFromMeta, GgufFile.usual());
        assertThat(tensors(ggufFromMeta)).isEqualTo(tensors(gguf));

        for (Path from : List.of(gguf, meta, metaFromGguf, ggufFromMeta)) {
            Path back = directory.resolve("back-from-" + from.getFileName());
            convert(from, back, HuggingFace.usual());
            assertThat(tensors(back)).as("from %s", from).isEqualTo(tensors);
            assertThat(logits(back)).isEqualTo(logits);
            assertThat(config(back)).as("from %s", from).isEqualTo(config(original));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"odd", "biases", "linear-scaling"})
    void whatMetaCannotHoldPassesThroughGguf(String name) throws IOException {
        Path original = GOLDEN.resolve(name);
        Path gguf = directory.resolve("model.gguf");
        convert(original, gguf, GgufFile.usual());
        assertThat(logits(gguf)).isEqualTo(logits(original));
        Path back = directory.resolve("back");
        convert(gguf, back, HuggingFace.usual());
        assertThat(tensors(back)).isEqualTo(tensors(original));
        assertThat(config(back)).isEqualTo(config(original));
        assertThatThrownBy(() -> convert(original, directory.resolve("meta"), Meta.usual()))
                .isInstanceOf(ConfigurationException.class);
        assertThat(directory.resolve("meta/params.json")).doesNotExist();
    }

    @ParameterizedTest
    @CsvSource({"llama-3, 2, WIDTH", "llama-3, 2, VOCABULARY", "llama-3, 4, VOCABULARY", "llama-1, 1, WIDTH"})
    void metasShardsAreDividedAndPutTogether(String name, int shards, EmbeddingSplit split) throws IOException {
        Path original = GOLDEN.resolve(name);
        Path meta = directory.resolve("meta");
        convert(original, meta, new Meta(new Weights.Unchanged(), shards, split));
        assertThat(logits(meta)).isEqualTo(logits(original));
        assertThat(meta.resolve("consolidated.0" + (shards - 1) + ".pth")).exists();
        Path back = directory.resolve("back");
        convert(meta, back, HuggingFace.usual());
        assertThat(tensors(back)).isEqualTo(tensors(original));
    }

    @Test
    void dividesHuggingFaceFilesBySize() throws IOException {
        Path original = GOLDEN.resolve("llama-1");
        Path out = directory.resolve("out");
        convert(original, out, new HuggingFace(new Weights.Unchanged(), 30_000));
        assertThat(out.resolve("model.safetensors.index.json")).exists();
        assertThat(tensors(out)).isEqualTo(tensors(original));
    }

    @ParameterizedTest
    @EnumSource(Quantization.class)
    void quantizedFilesKeepTheModelAsWellAsTheirBitsAllow(Quantization quantization) throws IOException {
        Path original = GOLDEN.resolve("llama-3.2-tied"); // width 64, F 128: K types fall back to blocks of 32
        Path gguf = directory.resolve("model.gguf");
        convert(original, gguf, new GgufFile(new Weights.Quantized(quantization)));
        float[] expected = logits(original);
        float[] found = logits(gguf);
        double error = 0;
        double size = 0;
        for (int i = 0; i < expected.length; i++) {
            error += (double) (found[i] - expected[i]) * (found[i] - expected[i]);
            size += (double) expected[i] * expected[i];
        }
        double relative = Math.sqrt(error / size);
        double bound = switch (quantization) {
            case F32, BF16 -> 0; // the original is in BF16
            case F16 -> 1e-3;
            case Q8_0, Q6_K -> 0.04;
            case Q5_0, Q5_1, Q5_K_M, Q5_K_S -> 0.2;
            case Q4_0, Q4_1, Q4_K_M, Q4_K_S -> 0.4;
        };
        assertThat(relative).isLessThanOrEqualTo(bound);
        if (quantization.main().isQuantized()) {
            assertThat(relative).isPositive();
        }
    }

    @Test
    void dequantizesForFormatsWithoutQuantizedTypes() throws IOException {
        Path gguf = GOLDEN.resolve("quantized-32.gguf");
        Path out = directory.resolve("out");
        convert(gguf, out, new HuggingFace(new Weights.Quantized(Quantization.F32), 1 << 30));
        assertThat(logits(out)).isEqualTo(logits(gguf)); // fp32 holds every value of every block
        assertThatThrownBy(() -> new HuggingFace(new Weights.Quantized(Quantization.Q8_0), 1 << 30))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("GGUF");
    }

    @Test
    void tellsHowFarItIs() throws IOException {
        List<Long> done = new ArrayList<>();
        try (LlamaCheckpoint checkpoint = LlamaCheckpoint.open(GOLDEN.resolve("llama-1"))) {
            Conversion.convert(
                    checkpoint,
                    directory.resolve("model.gguf"),
                    GgufFile.usual(),
                    kernels,
                    (tensor, bytesDone, bytesTotal) -> {
                        done.add(bytesDone);
                        assertThat(bytesTotal).isEqualTo(4 * 61_200);
                    });
        }
        assertThat(done).isSorted().last().isEqualTo(4L * 61_200);
    }

    @Test
    void leavesNothingBehindWhenItFails() throws IOException {
        try (LlamaCheckpoint checkpoint = LlamaCheckpoint.open(GOLDEN.resolve("llama-1"))) {
            assertThatThrownBy(() -> Conversion.convert(
                            checkpoint,
                            directory.resolve("model.gguf"),
                            GgufFile.usual(),
                            kernels,
                            (tensor, bytesDone, bytesTotal) -> {
                                if (bytesDone > 100_000) {
                                    throw new IllegalStateException("stop here");
                                }
                            }))
                    .hasMessage("stop here");
        }
        try (var files = Files.list(directory)) {
            assertThat(files).isEmpty();
        }
    }

    @Test
    void replacesAModelOfAnyFormat() throws IOException {
        Path older = GOLDEN.resolve("llama-1");
        Path newer = GOLDEN.resolve("llama-3");
        for (ConversionTarget before : List.of(HuggingFace.usual(), Meta.usual())) {
            for (ConversionTarget after : List.of(HuggingFace.usual(), Meta.usual())) {
                Path out = directory.resolve(before.getClass().getSimpleName() + "-"
                        + after.getClass().getSimpleName());
                convert(older, out, before);
                Files.writeString(out.resolve("tokenizer_config.json"), "{}"); // of the older model
                Files.writeString(out.resolve("README.md"), "mine");
                convert(newer, out, after);
                assertThat(config(out)).as("%s", out).isEqualTo(config(newer));
                assertThat(logits(out)).as("%s", out).isEqualTo(logits(newer));
                assertThat(out.resolve("README.md")).hasContent("mine");
                try (var files = Files.list(out)) {
                    assertThat(files).as("%s", out).hasSize(3);
                }
            }
        }
    }

    @Test
    void theOlderModelStaysWholeUntilTheNewOneIsComplete() throws IOException {
        Path out = directory.resolve("out");
        convert(GOLDEN.resolve("llama-1"), out, HuggingFace.usual());
        try (LlamaCheckpoint checkpoint = LlamaCheckpoint.open(GOLDEN.resolve("llama-3"))) {
            for (ConversionTarget target : List.of(HuggingFace.usual(), Meta.usual())) {
                assertThatThrownBy(() -> Conversion.convert(
                                checkpoint, out, target, kernels, (tensor, bytesDone, bytesTotal) -> {
                                    if (bytesDone == bytesTotal) {
                                        throw new IllegalStateException("stop at the last tensor");
                                    }
                                }))
                        .hasMessage("stop at the last tensor");
                assertThat(logits(out)).isEqualTo(logits(GOLDEN.resolve("llama-1")));
            }
        }
        try (var files = Files.list(out)) {
            assertThat(files).hasSize(2);
        }
    }

    @Test
    void theTokenizerGoesAlong() throws IOException {
        Path samples = Path.of("../../shared/samples/tokenizers");
        assumeTrue(Files.isDirectory(samples), "no samples beside the repository: ../shared/samples/tokenizers");
        for (String name : List.of("llama2-sentencepiece.model", "llama3-tiktoken.model")) {
            Path original = directory.resolve(name);
            Files.createDirectories(original);
            for (String file : List.of("config.json", "model.safetensors")) {
                Files.copy(GOLDEN.resolve("llama-1").resolve(file), original.resolve(file));
            }
            Files.copy(samples.resolve(name), original.resolve("tokenizer.model"));
            Files.writeString(original.resolve("tokenizer_config.json"), "{\"chat_template\": \"{{ bos_token }}é\"}");
            Path gguf = directory.resolve(name + ".gguf");
            convert(original, gguf, GgufFile.usual());
            Path meta = directory.resolve(name + "-meta");
            convert(gguf, meta, Meta.usual());
            Path back = directory.resolve(name + "-back");
            convert(gguf, back, HuggingFace.usual());
            Path fromMeta = directory.resolve(name + "-from-meta");
            convert(meta, fromMeta, HuggingFace.usual());
            Path again = directory.resolve(name + "-again.gguf");
            convert(back, again, GgufFile.usual());
            String text = "Hello, wörld 123456\n\n  tabs\tand   spaces – 日本語 👩‍🚀 don't";
            try (LlamaCheckpoint checkpoint = LlamaCheckpoint.open(original)) {
                Tokenizer tokenizer = checkpoint.tokenizer().orElseThrow();
                int[] ids = tokenizer.encode(text, EncodeOptions.TEXT);
                for (Path converted : List.of(gguf, meta, back, fromMeta, again)) {
                    try (LlamaCheckpoint other = LlamaCheckpoint.open(converted)) {
                        Tokenizer same = other.tokenizer().orElseThrow();
                        assertThat(same.encode(text, EncodeOptions.TEXT))
                                .as("%s", converted)
                                .isEqualTo(ids);
                        assertThat(same.specialTokens().bos())
                                .isEqualTo(tokenizer.specialTokens().bos());
                        assertThat(same.specialTokens().endOfGeneration())
                                .containsAll(tokenizer.specialTokens().endOfGeneration());
                    }
                }
                for (Path converted : List.of(gguf, back, again)) {
                    try (LlamaCheckpoint other = LlamaCheckpoint.open(converted)) {
                        assertThat(other.tokenizer().orElseThrow().chatTemplate())
                                .hasValue("{{ bos_token }}é");
                    }
                }
            }
        }
    }

    private static void convert(Path from, Path to, ConversionTarget target) throws IOException {
        try (LlamaCheckpoint checkpoint = LlamaCheckpoint.open(from)) {
            Conversion.convert(checkpoint, to, target, kernels, ConversionListener.NONE);
        }
    }

    private static LlamaConfig config(Path model) throws IOException {
        try (LlamaCheckpoint checkpoint = LlamaCheckpoint.open(model)) {
            return checkpoint.config();
        }
    }

    private static Map<String, ByteBuffer> tensors(Path model) throws IOException {
        Map<String, ByteBuffer> tensors = new LinkedHashMap<>();
        try (LlamaCheckpoint checkpoint = LlamaCheckpoint.open(model)) {
            for (String name : checkpoint.source().names().stream().sorted().toList()) {
                tensors.put(
                        name + " " + checkpoint.source().describe(name).type(),
                        ByteBuffer.wrap(checkpoint.source().tensor(name).data().toArray(ValueLayout.JAVA_BYTE)));
            }
        }
        return tensors;
    }

    private static float[] logits(Path path) throws IOException {
        try (LlamaCheckpoint checkpoint = LlamaCheckpoint.open(path);
                LlamaModel model = new LlamaModel(checkpoint.config(), checkpoint.weights(), kernels);
                KvCache cache = new KvCache(checkpoint.config(), DType.F32);
                Activations activations = new Activations(checkpoint.config(), PROMPT.length);
                Slab slab = new Slab(Slab.bytesFor(
                        DType.F32, PROMPT.length, checkpoint.config().vocabularySize()))) {
            Tensor logits =
                    slab.allocate(DType.F32, PROMPT.length, checkpoint.config().vocabularySize());
            cache.reserve(PROMPT.length);
            model.logits(logits, model.forward(TokenBatch.allOf(PROMPT, cache, 0), activations));
            return logits.toFloats();
        }
    }
}
