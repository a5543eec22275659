package dev.puna.model.convert;

import dev.puna.formats.Gguf;
import dev.puna.formats.GgufMetadata;
import dev.puna.formats.OutgoingTensor;
import dev.puna.model.GgufFormat;
import dev.puna.model.LlamaConfig;
import dev.puna.model.LlamaTensor;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A model of any shape with random weights, for measurements: its answers mean nothing, but every kernel has as much to
 * do as with a trained one. Blocks are filled with random bits directly, and get scales such that a product keeps the
 * deviation of its input; so a gigabyte takes about a second, and no fp32 weights ever exist.
 */
public final class RandomModel {
    private static final int PIECE = 1 << 20;
    private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;

    private RandomModel() {}

    /**
     * Writes a GGUF file without a vocabulary.
     *
     * @param seed the same seed gives the same bytes
     */
    public static void write(Path file, LlamaConfig config, Quantization quantization, long seed) throws IOException {
        write(
                file,
                config,
                quantization,
                seed,
                GgufMetadata.builder().text("tokenizer.ggml.model", "no_vocab").build());
    }

    /**
     * Writes a GGUF file.
     *
     * @param vocabulary the {@code tokenizer.*} keys
     * @param seed the same seed gives the same bytes
     */
    public static void write(
            Path file, LlamaConfig config, Quantization quantization, long seed, GgufMetadata vocabulary)
            throws IOException {
        GgufMetadata.Builder metadata = GgufMetadata.builder();
        GgufFormat.writeConfig(config, metadata);
        metadata.text("general.name", "random weights").uint32("general.file_type", quantization.fileType());
        metadata.uint32("general.quantization_version", 2);
        vocabulary.values().forEach(metadata::put);
        List<OutgoingTensor> tensors = new ArrayList<>();
        GgufFormat.ropeFrequencies(config)
                .ifPresent(divisors -> tensors.add(OutgoingTensor.of(GgufFormat.ROPE_FREQUENCIES, divisors)));
        long number = 0;
        for (LlamaTensor tensor : config.tensors()) {
            DType dtype = quantization.dtypeOf(tensor, config);
            String name = GgufFormat.tensorName(tensor);
            if (tensor.shape().rank() == 1) {
                float[] values = new float[Math.toIntExact(tensor.shape().elementCount())];
                Arrays.fill(values, name.endsWith("norm.weight") ? 1 : 0);
                tensors.add(OutgoingTensor.of(name, Tensor.ofFloats(values, values.length)));
            } else {
                long start = seed ^ (++number * GOLDEN_GAMMA);
                tensors.add(new OutgoingTensor(name, dtype, tensor.shape(), sink -> {
                    double deviation = 1 / Math.sqrt((double) tensor.shape().columns());
                    Bits bits = new Bits(start);
                    int blockBytes = dtype.bytesPerBlock();
                    try (Arena arena = Arena.ofConfined()) {
                        MemorySegment piece = arena.allocate((long) PIECE / blockBytes * blockBytes, Long.BYTES);
                        long left = dtype.byteSize(tensor.shape().elementCount());
                        while (left > 0) {
                            MemorySegment part = piece.asSlice(0, Math.min(left, piece.byteSize()));
                            fill(part, dtype, deviation, bits);
                            sink.accept(part);
                            left -= part.byteSize();
                        }
                    }
                }));
            }
        }
        Gguf.write(file, metadata.build(), tensors);
    }

    private static void fill(MemorySegment blocks, DType dtype, double deviation, Bits bits) {
        long size = blocks.byteSize();
        switch (dtype) {
            case F32 -> {
                for (long at = 0; at < size; at += Float.BYTES) {
                    blocks.set(Tensor.F32_LE, at, (float) (deviation * bits.uniform()));
                }
            }
            case F16 -> {
                for (long at = 0; at < size; at += Short.BYTES) {
                    blocks.set(Tensor.I16_LE, at, Float.floatToFloat16((float) (deviation * bits.uniform())));
                }
            }
            case BF16 -> {
                for (long at = 0; at < size; at += Short.BYTES) {
                    float value = (float) (deviation * bits.uniform());
                    blocks.set(Tensor.I16_LE, at, (short) (Float.floatToRawIntBits(value) >>> 16));
                }
            }
            // The offset of the scale in a block, and what random bits deviate by where the scale is 1.
            case Q8_0 -> quantized(blocks, dtype, bits, 0, deviation / 74);
            case Q4_0 -> quantized(blocks, dtype, bits, 0, deviation / 4.6);
            case Q5_0 -> quantized(blocks, dtype, bits, 0, deviation / 9.2);
            case Q6_K -> quantized(blocks, dtype, bits, 208, deviation / 1360);
            // With a minimum beside the scale, such that the mean is 0.
            case Q4_1 -> quantized(blocks, dtype, bits, 0, deviation / 4.6, 2, -deviation * 1.63);
            case Q5_1 -> quantized(blocks, dtype, bits, 0, deviation / 9.2, 2, -deviation * 1.69);
            case Q4_K -> quantized(blocks, dtype, bits, 0, deviation / 190, 2, deviation / 25);
            case Q5_K -> quantized(blocks, dtype, bits, 0, deviation / 380, 2, deviation / 24);
            case F64, I8, I16, I32, I64, U8, Q2_K, Q3_K, IQ4_NL, IQ4_XS ->
                throw new ConfigurationException("quantize", dtype, "no random weights in this type");
        }
    }

    private static void quantized(MemorySegment blocks, DType dtype, Bits bits, int scaleAt, double scale) {
        bits.fill(blocks);
        short half = Float.floatToFloat16((float) scale);
        for (long block = 0; block < blocks.byteSize(); block += dtype.bytesPerBlock()) {
            blocks.set(Tensor.I16_LE, block + scaleAt, half);
        }
    }

    private static void quantized(
            MemorySegment blocks, DType dtype, Bits bits, int scaleAt, double scale, int minimumAt, double minimum) {
        quantized(blocks, dtype, bits, scaleAt, scale);
        short half = Float.floatToFloat16((float) minimum);
        for (long block = 0; block < blocks.byteSize(); block += dtype.bytesPerBlock()) {
            blocks.set(Tensor.I16_LE, block + minimumAt, half);
        }
    }

    /** SplitMix64 (Steele, Lea and Flood 2014). */
    private static final class Bits {
        private long state;

        Bits(long seed) {
            this.state = seed;
        }

        long next() {
            state += GOLDEN_GAMMA;
            long z = state;
            z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
            z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
            return z ^ (z >>> 31);
        }

        /** Uniform with mean 0 and deviation 1. */
        double uniform() {
            return (double) (next() >> 11) * (0x1.0p-52 * Math.sqrt(3)); // the shift keeps the sign: [−1, 1) · √3
        }

        void fill(MemorySegment segment) {
            long size = segment.byteSize();
            long at = 0;
            for (; at + Long.BYTES <= size; at += Long.BYTES) {
                segment.set(Tensor.I64_LE, at, next());
            }
            for (long rest = next(); at < size; at++) {
                segment.set(ValueLayout.JAVA_BYTE, at, (byte) rest);
                rest >>>= 8;
            }
        }
    }
}
