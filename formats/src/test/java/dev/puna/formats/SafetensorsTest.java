package dev.puna.formats;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class SafetensorsTest {
    @TempDir
    Path directory;

    private static final List<OutgoingTensor> TENSORS = List.of(
            OutgoingTensor.of("flags", new Tensor(MemorySegment.ofArray(new byte[] {1, 2, 3}), DType.U8, Shape.of(3))),
            OutgoingTensor.of("a", Tensor.ofFloats(new float[] {1, 2, 3, 4, 5, 6}, 2, 3)),
            OutgoingTensor.of("empty", Tensor.ofFloats(new float[0], 0, 7)),
            OutgoingTensor.of("scalar", Tensor.ofFloats(new float[] {42})),
            OutgoingTensor.of("Größe", Tensor.ofFloats(new float[] {-1, Float.NaN}, 2, 1)));

    @Test
    void writesAndReadsOneFile() throws IOException {
        Path file = directory.resolve("x.safetensors");
        Safetensors.write(file, Map.of("format", "pt"), TENSORS);
        try (Safetensors read = Safetensors.open(file)) {
            assertThat(read.names()).containsExactlyInAnyOrder("flags", "a", "empty", "scalar", "Größe");
            assertThat(read.names()).as("narrow types last").last().isEqualTo("flags");
            assertThat(read.metadata()).containsExactly(Map.entry("format", "pt"));
            assertThat(read.tensor("a").toFloats()).containsExactly(1, 2, 3, 4, 5, 6);
            assertThat(read.tensor("a").shape()).isEqualTo(Shape.of(2, 3));
            assertThat(read.tensor("empty").shape()).isEqualTo(Shape.of(0, 7));
            assertThat(read.tensor("flags").data().toArray(ValueLayout.JAVA_BYTE))
                    .containsExactly(1, 2, 3);
            assertThat(read.byteSize()).isEqualTo(3 + 24 + 4 + 8);
            assertThatThrownBy(() -> read.tensor("b"))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("no tensor of this name");
        }
        assertThat(list(directory)).containsExactly("x.safetensors");
    }

    @Test
    void tensorsDieWithTheirSource() throws IOException {
        Path file = directory.resolve("x.safetensors");
        Safetensors.write(file, Map.of(), TENSORS);
        Safetensors read = Safetensors.open(file);
        Tensor a = read.tensor("a");
        read.close();
        read.close();
        assertThatThrownBy(a::toFloats).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void shardsByBytesAndReadsThroughTheIndex() throws IOException {
        Files.writeString(directory.resolve(Safetensors.SINGLE_FILE), "of an earlier model");
        List<Path> files = Safetensors.writeDirectory(directory, Map.of("format", "pt"), TENSORS, 12);
        assertThat(files).hasSize(3);
        assertThat(list(directory))
                .containsExactly(
                        "model-00001-of-00003.safetensors",
                        "model-00002-of-00003.safetensors",
                        "model-00003-of-00003.safetensors",
                        "model.safetensors.index.json");
        assertThat(Files.readString(directory.resolve(Safetensors.INDEX_FILE))).contains("\"total_size\" : 39");
        for (Path path : List.of(directory, directory.resolve(Safetensors.INDEX_FILE))) {
            try (Safetensors read = Safetensors.open(path)) {
                assertThat(read.names()).hasSize(5);
                assertThat(read.files()).isEqualTo(files);
                assertThat(read.tensor("a").toFloats()).containsExactly(1, 2, 3, 4, 5, 6);
            }
        }
    }

    @Test
    void anIndexThatNamesWhatIsNotThere() throws IOException {
        Safetensors.writeDirectory(directory, Map.of(), TENSORS, 12);
        Path index = directory.resolve(Safetensors.INDEX_FILE);
        String json = Files.readString(index);
        Files.writeString(index, json.replace("\"a\"", "\"b\""));
        assertThatThrownBy(() -> Safetensors.open(directory))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining("\"b\"");
        Files.writeString(index, json.replace("model-00001-of", "../model-00001-of"));
        assertThatThrownBy(() -> Safetensors.open(directory))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining("beside the index");
        Files.writeString(index, json);
        Files.delete(directory.resolve("model-00002-of-00003.safetensors"));
        assertThatThrownBy(() -> Safetensors.open(directory))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("00002");
    }

    @Test
    void aProducerThatBreaksItsWordLeavesNothing() {
        Path file = directory.resolve("x.safetensors");
        for (int bytes : new int[] {0, 7, 9}) {
            OutgoingTensor liar = new OutgoingTensor(
                    "a", DType.F32, Shape.of(2), sink -> sink.accept(MemorySegment.ofArray(new byte[bytes])));
            assertThatThrownBy(() -> Safetensors.write(file, Map.of(), List.of(liar)))
                    .isInstanceOf(IllegalStateException.class);
            assertThat(list(directory)).isEmpty();
        }
    }

    @Test
    void quantizedTypesAreNotWritten() {
        OutgoingTensor tensor =
                OutgoingTensor.of("q", new Tensor(MemorySegment.ofArray(new byte[34]), DType.Q8_0, Shape.of(1, 32)));
        assertThatThrownBy(() -> Safetensors.write(directory.resolve("x"), Map.of(), List.of(tensor)))
                .isInstanceOf(ConfigurationException.class);
    }

    @Test
    void unknownTypesAreDescribedAndRefusedWhenTouched() {
        MemorySegment bytes =
                file("{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[2,2],\"data_offsets\":[0,4]}}", new byte[4]);
        SafetensorsHeader header = SafetensorsHeader.read(Path.of("x"), bytes);
        TensorDescription description = header.entries().getFirst().description();
        assertThat(description.type()).isEqualTo("F8_E4M3");
        assertThatThrownBy(description::requireDType)
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("F8_E4M3");
    }

    static Stream<String> refusedHeaders() {
        String t = "\"dtype\":\"U8\",\"shape\":[4]";
        return Stream.of(
                "",
                " {}",
                "[]",
                "{}",
                "{\"a\":{" + t + ",\"data_offsets\":[0,4]}",
                "{\"a\":{" + t + ",\"data_offsets\":[0,4]}}{}",
                "{\"a\":{" + t + ",\"data_offsets\":[0,3]}}",
                "{\"a\":{" + t + ",\"data_offsets\":[1,5]}}",
                "{\"a\":{" + t + ",\"data_offsets\":[4,0]}}",
                "{\"a\":{" + t + ",\"data_offsets\":[-4,0]}}",
                "{\"a\":{" + t + ",\"data_offsets\":[0,4,4]}}",
                "{\"a\":{" + t + ",\"data_offsets\":[0]}}",
                "{\"a\":{" + t + "}}",
                "{\"a\":{" + t + ",\"data_offsets\":[0,4]},\"a\":{" + t + ",\"data_offsets\":[0,4]}}",
                "{\"a\":{" + t + ",\"data_offsets\":[0,4]},\"b\":{" + t + ",\"data_offsets\":[0,4]}}",
                "{\"a\":{" + t + ",\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],"
                        + "\"data_offsets\":[2,4]}}",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
                        + "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},"
                        + "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
                "{\"a\":{\"dtype\":\"U9\",\"shape\":[4],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":8,\"shape\":[4],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[2.0,2],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693953],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"F4\",\"shape\":[7],\"data_offsets\":[0,4]}}",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":" + "[".repeat(5000) + "}}",
                "{\"__metadata__\":{\"a\":1},\"a\":{" + t + ",\"data_offsets\":[0,4]}}",
                "{\"a\":{" + t + ",\"data_offsets\":[0,4],\"more\":1}}");
    }

    @ParameterizedTest
    @MethodSource("refusedHeaders")
    void refuses(String header) {
        assertThatThrownBy(() -> SafetensorsHeader.read(Path.of("x"), file(header, new byte[4])))
                .isInstanceOf(CorruptFileException.class);
    }

    @Test
    void theSmallestHeaderIsAccepted() {
        assertThat(SafetensorsHeader.read(Path.of("x"), file("{}", new byte[0])).entries())
                .isEmpty();
        assertThat(SafetensorsHeader.read(
                                Path.of("x"),
                                file(
                                        "{\"a\":{\"data_offsets\":[0,4],\"shape\":[4],\"dtype\":\"BOOL\"}}  ",
                                        new byte[4]))
                        .entries())
                .hasSize(1);
    }

    @Test
    void anAbsurdHeaderLengthTakesNoMemory() {
        for (long length : new long[] {-1, Long.MAX_VALUE, SafetensorsHeader.MAX_BYTES + 1, 99_000_000, 3}) {
            MemorySegment bytes = MemorySegment.ofArray(new byte[10]);
            bytes.set(Tensor.I64_LE, 0, length);
            assertThatThrownBy(() -> SafetensorsHeader.read(Path.of("x"), bytes))
                    .isInstanceOf(CorruptFileException.class);
        }
    }

    @Test
    void truncatedAnywhere() throws IOException {
        Path file = directory.resolve("x.safetensors");
        Safetensors.write(file, Map.of("format", "pt"), TENSORS);
        MemorySegment whole = MemorySegment.ofArray(Files.readAllBytes(file));
        SafetensorsHeader.read(file, whole);
        for (long size = 0; size < whole.byteSize(); size++) {
            MemorySegment cut = whole.asSlice(0, size);
            assertThatThrownBy(() -> SafetensorsHeader.read(file, cut)).isInstanceOf(CorruptFileException.class);
        }
    }

    static MemorySegment file(String header, byte[] data) {
        byte[] json = header.getBytes(UTF_8);
        MemorySegment file = MemorySegment.ofArray(new byte[8 + json.length + data.length]);
        file.set(Tensor.I64_LE, 0, json.length);
        MemorySegment.copy(json, 0, file, ValueLayout.JAVA_BYTE, 8, json.length);
        MemorySegment.copy(data, 0, file, ValueLayout.JAVA_BYTE, 8 + json.length, data.length);
        return file;
    }

    static List<String> list(Path directory) {
        try (Stream<Path> files = Files.list(directory)) {
            return new ArrayList<>(
                    files.map(file -> file.getFileName().toString()).sorted().toList());
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
