package dev.puna.kernels.blocks;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Locale;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Blocks against those of llama.cpp's own library: {@code tools/golden/quants.py}. */
class RowsGoldenTest {
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"
            })
    void decodesAsLlamaCppDoes(DType dtype) throws IOException {
        byte[] blocks = resource(dtype, "blocks");
        MemorySegment expected = MemorySegment.ofArray(resource(dtype, "values"));
        float[] values = new float[blocks.length / dtype.bytesPerBlock() * dtype.blockSize()];
        Rows.decode(dtype, MemorySegment.ofArray(blocks), 0, values.length, values, 0);
        assertThat(values.length * 4L).isEqualTo(expected.byteSize());
        for (int i = 0; i < values.length; i++) {
            // Zero of either sign: C computes -0 where the code is 0 and the scale negative, and so do we.
            assertThat(Float.floatToRawIntBits(values[i]))
                    .as("%s element %d", dtype, i)
                    .isEqualTo(expected.get(Tensor.I32_LE, 4L * i));
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"})
    void encodesAsLlamaCppDoes(DType dtype) throws IOException {
        float[] input = MemorySegment.ofArray(resource("input.f32.bin")).toArray(Tensor.F32_LE);
        byte[] expected = resource(dtype, "encoded");
        byte[] encoded = new byte[(int) dtype.byteSize(input.length)];
        Rows.encode(dtype, MemorySegment.ofArray(encoded), 0, input.length, input, 0);
        assertThat(expected).hasSameSizeAs(encoded);
        for (int i = 0; i < encoded.length; i++) {
            assertThat(encoded[i])
                    .as("%s block %d byte %d", dtype, i / dtype.bytesPerBlock(), i % dtype.bytesPerBlock())
                    .isEqualTo(expected[i]);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K", "F16", "BF16", "F32"})
    void blocksMayLieAnywhere(DType dtype) {
        float[] values = new float[512];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) Math.sin(i);
        }
        long bytes = dtype.byteSize(values.length);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment aligned = arena.allocate(bytes, 64);
            MemorySegment odd = arena.allocate(bytes + 64, 64).asSlice(7, bytes);
            Rows.encode(dtype, aligned, 0, values.length, values, 0);
            Rows.encode(dtype, odd, 0, values.length, values, 0);
            assertThat(odd.mismatch(aligned)).isEqualTo(-1);
            float[] there = new float[values.length];
            float[] here = new float[values.length + 3];
            Rows.decode(dtype, aligned, 0, values.length, there, 0);
            Rows.decode(dtype, odd, 0, values.length, here, 3);
            assertThat(java.util.Arrays.copyOfRange(here, 3, here.length)).isEqualTo(there);
        }
    }

    private static byte[] resource(DType dtype, String what) throws IOException {
        String name = dtype.name();
        String stem = name.startsWith("IQ")
                ? name.toLowerCase(Locale.ROOT)
                : Character.toLowerCase(name.charAt(0)) + name.substring(1);
        return resource(stem + "." + what + ".bin");
    }

    private static byte[] resource(String name) throws IOException {
        try (InputStream in = RowsGoldenTest.class.getResourceAsStream(name)) {
            assertThat(in).as(name).isNotNull();
            return in.readAllBytes();
        }
    }
}
