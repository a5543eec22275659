package dev.puna.formats;

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
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufTest {
    @TempDir
    Path directory;

    private Path path;

    static final GgufMetadata METADATA = GgufMetadata.builder()
            .text("general.architecture", "llama")
            .put("u8", new GgufValue.Whole(GgufType.UINT8, 200))
            .put("i8", new GgufValue.Whole(GgufType.INT8, -100))
            .put("u16", new GgufValue.Whole(GgufType.UINT16, 60_000))
            .put("i16", new GgufValue.Whole(GgufType.INT16, -30_000))
            .uint32("u32", 4_000_000_000L)
            .put("i32", new GgufValue.Whole(GgufType.INT32, -2_000_000_000))
            .uint64("u64", -1)
            .put("i64", new GgufValue.Whole(GgufType.INT64, Long.MIN_VALUE))
            .float32("f32", 1e-5f)
            .put("f64", new GgufValue.Real(GgufType.FLOAT64, Math.PI))
            .bool("yes", true)
            .texts("tokens", List.of("<s>", "", "▁Größe"))
            .floats("scores", 0, -1, -1e9f)
            .ints("types", 1, -2, 3)
            .put(
                    "nested",
                    GgufValue.Array.of(
                            GgufType.ARRAY,
                            List.of(GgufValue.Array.ofInts(1, 2), GgufValue.Array.ofTexts(List.of("x")))))
            .build();

    static final List<OutgoingTensor> TENSORS = List.of(
            OutgoingTensor.of("a", Tensor.ofFloats(new float[] {1, 2, 3, 4, 5, 6}, 2, 3)),
            OutgoingTensor.of("q", new Tensor(MemorySegment.ofArray(new byte[68]), DType.Q8_0, Shape.of(2, 32))),
            OutgoingTensor.of("scalar", Tensor.ofFloats(new float[] {42})),
            OutgoingTensor.of("four", Tensor.ofFloats(new float[24], 1, 2, 3, 4)));

    @BeforeEach
    void name() {
        path = directory.resolve("x.gguf");
    }

    @Test
    void writesAndReads() throws IOException {
        Gguf.write(path, METADATA, TENSORS);
        try (Gguf read = Gguf.open(path)) {
            assertThat(read.version()).isEqualTo(3);
            assertThat(read.alignment()).isEqualTo(32);
            assertThat(read.names()).containsExactly("a", "q", "scalar", "four");
            assertThat(read.tensor("a").shape()).isEqualTo(Shape.of(2, 3));
            assertThat(read.tensor("a").toFloats()).containsExactly(1, 2, 3, 4, 5, 6);
            assertThat(read.tensor("q").dtype()).isEqualTo(DType.Q8_0);
            assertThat(read.tensor("q").data().address() % 32).isZero();
            assertThat(read.metadata()).isEqualTo(METADATA);
            assertThat(List.copyOf(read.metadata().values().keySet()))
                    .isEqualTo(List.copyOf(METADATA.values().keySet()));
            assertThat(read.metadata().texts("tokens")).contains(List.of("<s>", "", "▁Größe"));
            assertThat(read.metadata().floats("scores").orElseThrow()).containsExactly(0, -1, -1e9f);
            assertThat(read.metadata().ints("types").orElseThrow()).containsExactly(1, -2, 3);
            assertThat(read.metadata().real("f32")).hasValue(1e-5f);
            assertThat(read.metadata().whole("u32")).hasValue(4_000_000_000L);
            assertThat(read.metadata().bool("yes")).contains(true);
            assertThat(read.metadata().text("none")).isEmpty();
            assertThat(read.metadata().array("nested").orElseThrow().values())
                    .containsExactly(GgufValue.Array.ofInts(1, 2), GgufValue.Array.ofTexts(List.of("x")));
            assertThatThrownBy(() -> read.metadata().whole("u64"))
                    .as("beyond a signed long")
                    .isInstanceOf(ConfigurationException.class);
            assertThatThrownBy(() -> read.metadata().texts("scores"))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("scores=ARRAY<FLOAT32>(3)");
        }
    }

    @Test
    void anotherAlignment() throws IOException {
        GgufMetadata metadata =
                GgufMetadata.builder().uint32("general.alignment", 4096).build();
        Gguf.write(path, metadata, TENSORS);
        try (Gguf read = Gguf.open(path)) {
            assertThat(read.alignment()).isEqualTo(4096);
            assertThat(read.tensor("q").data().address() % 4096).isZero();
            assertThat(read.tensor("a").toFloats()).containsExactly(1, 2, 3, 4, 5, 6);
        }
    }

    @Test
    void truncatedAnywhere() throws IOException {
        MemorySegment whole = written();
        long needed = whole.byteSize();
        for (long size = 0; size < needed; size++) {
            MemorySegment cut = whole.asSlice(0, size);
            assertThatThrownBy(() -> Gguf.read(path, cut)).isInstanceOf(CorruptFileException.class);
        }
    }

    @Test
    void refusesOtherVersionsAndByteOrders() throws IOException {
        MemorySegment bytes = written();
        bytes.set(Tensor.I32_LE, 4, 2);
        assertThat(Gguf.read(path, bytes).version()).isEqualTo(2);
        bytes.set(Tensor.I32_LE, 4, 1);
        refuse(bytes, "version 1");
        bytes.set(Tensor.I32_LE, 4, 4);
        refuse(bytes, "version 4");
        bytes.set(Tensor.I32_LE, 4, 3 << 24);
        refuse(bytes, "big-endian");
        bytes.set(Tensor.I32_LE, 0, 0x67676a74);
        refuse(bytes, "magic");
    }

    @Test
    void refusesAbsurdCounts() throws IOException {
        for (long count : new long[] {-1, Long.MAX_VALUE, 1L << 32, 1L << 20}) {
            for (int field : new int[] {8, 16}) {
                MemorySegment bytes = written();
                bytes.set(Tensor.I64_LE, field, count);
                refuse(bytes, "of at most");
            }
        }
    }

    @Test
    void refusesArraysThatAreTooLongOrTooDeep() {
        for (GgufType type : GgufType.values()) {
            for (long count : new long[] {-1, Long.MAX_VALUE, Integer.MAX_VALUE, 1000}) {
                GgufEncoder encoder = start(0, 1);
                encoder.text("key");
                encoder.i32(GgufType.ARRAY.number());
                encoder.i32(type.number());
                encoder.i64(count);
                refuse(MemorySegment.ofArray(encoder.toByteArray()), "");
            }
        }
        GgufEncoder deep = start(0, 1);
        deep.text("key");
        deep.i32(GgufType.ARRAY.number());
        for (int i = 0; i < 10_000; i++) {
            deep.i32(GgufType.ARRAY.number());
            deep.i64(1);
        }
        refuse(MemorySegment.ofArray(deep.toByteArray()), "deep");
    }

    @Test
    void refusesDuplicatesAndOverlaps() {
        GgufEncoder keys = start(0, 2);
        for (int i = 0; i < 2; i++) {
            keys.text("key");
            keys.i32(GgufType.BOOL.number());
            keys.value(new GgufValue.Bool(true));
        }
        refuse(MemorySegment.ofArray(keys.toByteArray()), "\"key\" again");

        refuse(tensors("a", 0, "a", 32, 64), "\"a\" again");
        refuse(tensors("a", 0, "b", 0, 64), "overlap");
        refuse(tensors("a", 0, "b", 33, 128), "multiple of 32");
        refuse(tensors("a", 0, "b", 64, 64), "a file with 64 bytes");
        refuse(tensors("a", 0, "b", Long.MAX_VALUE - 31, 64), "a file with");
        refuse(tensors("a", 0, "b", -32, 64), "multiple of 32");
        assertThat(Gguf.read(path, tensors("a", 0, "b", 32, 64)).entries()).hasSize(2);
        assertThat(Gguf.read(path, tensors("b", 32, "a", 0, 64)).entries().keySet())
                .containsExactly("a", "b");
    }

    @Test
    void unknownTensorTypesAreRefusedWhenTouched() throws IOException {
        GgufEncoder encoder = start(1, 0);
        encoder.text("a");
        encoder.i32(1);
        encoder.i64(256);
        encoder.i32(GgmlType.IQ1_S.number());
        encoder.i64(0);
        while (encoder.toByteArray().length % 32 != 0) {
            encoder.value(new GgufValue.Bool(false));
        }
        byte[] header = encoder.toByteArray();
        Files.write(path, java.util.Arrays.copyOf(header, header.length + 50));
        try (Gguf read = Gguf.open(path)) {
            assertThat(read.describe("a").byteSize()).isEqualTo(50);
            assertThatThrownBy(() -> read.tensor("a"))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("IQ1_S");
        }
    }

    @Test
    void refusesToWriteWhatLlamaCppCannotRead() {
        Tensor one = Tensor.ofFloats(new float[1], 1, 1, 1, 1, 1);
        assertThatThrownBy(() -> Gguf.write(path, METADATA, List.of(OutgoingTensor.of("a", one))))
                .isInstanceOf(ConfigurationException.class);
        assertThatThrownBy(() -> Gguf.write(path, METADATA, List.of(OutgoingTensor.of("a".repeat(64), one.reshape(1)))))
                .isInstanceOf(ConfigurationException.class);
        assertThat(SafetensorsTest.list(directory)).isEmpty();
    }

    private void refuse(MemorySegment bytes, String message) {
        assertThatThrownBy(() -> Gguf.read(path, bytes))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining(message);
    }

    private static GgufEncoder start(long tensors, long keys) {
        GgufEncoder encoder = new GgufEncoder();
        encoder.i32(0x46554747);
        encoder.i32(3);
        encoder.i64(tensors);
        encoder.i64(keys);
        return encoder;
    }

    /** Two tensors of 32 bytes and so many bytes of data. */
    private static MemorySegment tensors(String first, long firstAt, String second, long secondAt, int dataBytes) {
        GgufEncoder encoder = start(2, 0);
        for (int i = 0; i < 2; i++) {
            encoder.text(i == 0 ? first : second);
            encoder.i32(1);
            encoder.i64(8);
            encoder.i32(0);
            encoder.i64(i == 0 ? firstAt : secondAt);
        }
        byte[] header = encoder.toByteArray();
        int start = (header.length + 31) & -32;
        return MemorySegment.ofArray(java.util.Arrays.copyOf(header, start + dataBytes));
    }

    private MemorySegment written() throws IOException {
        Gguf.write(path, METADATA, TENSORS);
        return MemorySegment.ofArray(Files.readAllBytes(path)).asSlice(0);
    }

    static byte[] bytes(Tensor tensor) {
        return tensor.data().toArray(ValueLayout.JAVA_BYTE);
    }
}
