package dev.puna.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.Tensor;
import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files made by torch, safetensors, huggingface_hub and gguf: {@code tools/golden/formats.py}. */
class FormatsGoldenTest {
    static final Path GOLDEN = golden();

    /** A line of the manifest; the type is {@code -} if Puna does not read it. */
    private record Expected(String file, String tensor, String type, String shape, String sha256) {}

    @ParameterizedTest
    @ValueSource(
            strings = {
                "types.safetensors",
                "sharded",
                "types.gguf",
                "types-v2.gguf",
                "types.pth",
                "nested.pth",
                "module.pth",
                "meta-llama2",
                "meta-llama3",
                "meta-repeated-heads"
            })
    void everyTensorHasTheBytesThatWereSaved(String file) throws IOException {
        List<Expected> all = expected(file);
        assertThat(all).isNotEmpty();
        try (TensorSource source = open(GOLDEN.resolve(file))) {
            assertThat(source.names())
                    .containsExactlyInAnyOrderElementsOf(
                            all.stream().map(Expected::tensor).toList());
            for (Expected expected : all) {
                TensorDescription description = source.describe(expected.tensor());
                assertThat(shape(description)).as(expected.toString()).isEqualTo(expected.shape());
                if (expected.type().equals("-")) {
                    assertThat(description.dtype()).as(expected.toString()).isEmpty();
                    assertThatThrownBy(() -> source.tensor(expected.tensor()))
                            .isInstanceOf(ConfigurationException.class)
                            .hasMessageContaining(description.type());
                    continue;
                }
                Tensor tensor = source.tensor(expected.tensor());
                assertThat(tensor.dtype().name()).as(expected.toString()).isEqualTo(expected.type());
                assertThat(sha256(GgufTest.bytes(tensor)))
                        .as(expected.toString())
                        .isEqualTo(expected.sha256());
                assertThat(source.tensor(expected.tensor()).data().address())
                        .as("asked twice, put together once")
                        .isEqualTo(tensor.data().address());
            }
        }
    }

    @Test
    void everyKindOfGgufMetadata() throws IOException {
        try (Gguf gguf = Gguf.open(GOLDEN.resolve("types.gguf"))) {
            GgufMetadata metadata = gguf.metadata();
            assertThat(metadata.text("general.architecture")).contains("llama");
            assertThat(metadata.value("t.u8")).contains(new GgufValue.Whole(GgufType.UINT8, 200));
            assertThat(metadata.value("t.i8")).contains(new GgufValue.Whole(GgufType.INT8, -100));
            assertThat(metadata.value("t.u16")).contains(new GgufValue.Whole(GgufType.UINT16, 60_000));
            assertThat(metadata.value("t.i16")).contains(new GgufValue.Whole(GgufType.INT16, -30_000));
            assertThat(metadata.value("t.u32")).contains(new GgufValue.Whole(GgufType.UINT32, 4_000_000_000L));
            assertThat(metadata.value("t.i32")).contains(new GgufValue.Whole(GgufType.INT32, -2_000_000_000));
            assertThat(metadata.value("t.u64")).contains(new GgufValue.Whole(GgufType.UINT64, Long.MAX_VALUE));
            assertThat(metadata.value("t.i64")).contains(new GgufValue.Whole(GgufType.INT64, Long.MIN_VALUE));
            assertThat(metadata.value("t.f32")).contains(new GgufValue.Real(GgufType.FLOAT32, 1e-5f));
            assertThat(metadata.value("t.f64")).contains(new GgufValue.Real(GgufType.FLOAT64, Math.PI));
            assertThat(metadata.bool("t.bool")).contains(true);
            assertThat(metadata.text("t.string")).contains("Größe");
            assertThat(metadata.texts("t.texts")).contains(List.of("<s>", "▁x", "ü"));
            assertThat(metadata.ints("t.ints").orElseThrow()).containsExactly(1, -2, 3);
            assertThat(metadata.floats("t.floats").orElseThrow()).containsExactly(0.5f, -1.5f);
            assertThat(metadata.array("t.bools").orElseThrow().values())
                    .containsExactly(new GgufValue.Bool(true), new GgufValue.Bool(false));
            assertThat(metadata.array("t.nested").orElseThrow().values())
                    .containsExactly(GgufValue.Array.ofInts(1, 2), GgufValue.Array.ofInts(3));
        }
    }

    @Test
    void safetensorsMetadata() throws IOException {
        try (Safetensors read = Safetensors.open(GOLDEN.resolve("types.safetensors"))) {
            assertThat(read.metadata()).containsEntry("format", "pt").containsEntry("über", "ja");
        }
    }

    @Test
    void shardsAreCounted() throws IOException {
        try (MetaCheckpoint read = MetaCheckpoint.open(GOLDEN.resolve("meta-llama3"))) {
            assertThat(read.shardCount()).isEqualTo(4);
        }
    }

    @Test
    void refusesWhatIsNotForPuna() {
        assertThatThrownBy(() -> Gguf.open(GOLDEN.resolve("big-endian.gguf")))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining("big-endian");
        assertThatThrownBy(() -> MetaCheckpoint.open(GOLDEN.resolve("legacy.pth")))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining("PyTorch before 1.6");
        assertThatThrownBy(() -> MetaCheckpoint.open(GOLDEN.resolve("os-system.pth")))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining("posix.system");
    }

    /** Whatever was read is written in the same format, and read again. */
    @ParameterizedTest
    @ValueSource(strings = {"types.safetensors", "types.gguf", "types.pth", "meta-llama2", "meta-llama3"})
    void aRoundTripKeepsEveryByte(String file, @TempDir Path directory) throws IOException {
        Path copy = directory.resolve(file);
        try (TensorSource source = open(GOLDEN.resolve(file))) {
            List<OutgoingTensor> tensors = new ArrayList<>();
            for (String name : source.names()) {
                if (source.describe(name).dtype().isPresent()) {
                    tensors.add(OutgoingTensor.of(source, name));
                }
            }
            switch (source) {
                case Gguf gguf -> Gguf.write(copy, gguf.metadata(), tensors);
                case MetaCheckpoint meta -> {
                    copy = directory;
                    MetaCheckpoint.EmbeddingSplit split = file.equals("meta-llama2")
                            ? MetaCheckpoint.EmbeddingSplit.WIDTH
                            : MetaCheckpoint.EmbeddingSplit.VOCABULARY;
                    assertThat(MetaCheckpoint.write(copy, tensors, meta.shardCount(), split))
                            .hasSize(meta.shardCount());
                }
                default -> Safetensors.write(copy, ((Safetensors) source).metadata(), tensors);
            }
        }
        try (TensorSource source = open(copy)) {
            for (Expected expected : expected(file)) {
                if (!expected.type().equals("-")) {
                    Tensor tensor = source.tensor(expected.tensor());
                    assertThat(tensor.dtype().name()).isEqualTo(expected.type());
                    assertThat(shape(source.describe(expected.tensor()))).isEqualTo(expected.shape());
                    assertThat(sha256(GgufTest.bytes(tensor)))
                            .as(expected.toString())
                            .isEqualTo(expected.sha256());
                }
            }
        }
    }

    static TensorSource open(Path path) throws IOException {
        String name = path.getFileName().toString();
        if (name.endsWith(".gguf")) {
            return Gguf.open(path);
        }
        return name.endsWith(".safetensors") || name.equals("sharded")
                ? Safetensors.open(path)
                : MetaCheckpoint.open(path);
    }

    private static List<Expected> expected(String file) throws IOException {
        return Files.readAllLines(GOLDEN.resolve("MANIFEST.tsv")).stream()
                .map(line -> line.split("\t", -1))
                .map(f -> new Expected(f[0], f[1], f[2], f[3], f[4]))
                .filter(expected -> expected.file().equals(file))
                .toList();
    }

    private static String shape(TensorDescription description) {
        return Arrays.stream(description.shape().dims())
                .mapToObj(Long::toString)
                .collect(Collectors.joining(","));
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Path golden() {
        try {
            URL manifest = Objects.requireNonNull(FormatsGoldenTest.class.getResource("golden/MANIFEST.tsv"));
            return Optional.ofNullable(Path.of(manifest.toURI()).getParent()).orElseThrow();
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }
}
