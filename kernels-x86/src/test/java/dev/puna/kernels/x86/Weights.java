package dev.puna.kernels.x86;

import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Random;

/** Random blocks of any quantized format: every bit pattern, with scales that are ordinary numbers. */
final class Weights {
    private Weights() {}

    static Tensor random(Arena arena, DType dtype, long out, long in, Random random) {
        Tensor w = new Tensor(arena.allocate(dtype.byteSize(out * in), 64), dtype, Shape.of(out, in));
        byte[] bytes = new byte[1 << 20];
        MemorySegment data = w.data();
        random.nextBytes(bytes);
        for (long at = 0; at < data.byteSize(); at += bytes.length) {
            MemorySegment.copy(MemorySegment.ofArray(bytes), 0, data, at, Math.min(bytes.length, data.byteSize() - at));
        }
        long[] halves = switch (dtype) {
            case Q8_0, Q4_0, Q5_0, IQ4_NL, IQ4_XS -> new long[] {0};
            case Q4_1, Q5_1, Q4_K, Q5_K -> new long[] {0, 2};
            case Q6_K -> new long[] {208};
            case Q3_K -> new long[] {108};
            case Q2_K -> new long[] {80, 82};
            default -> throw new IllegalArgumentException(dtype.toString());
        };
        for (long block = 0; block < data.byteSize(); block += dtype.bytesPerBlock()) {
            for (long half : halves) {
                data.set(Tensor.I16_LE, block + half, Float.floatToFloat16(0.001f + 0.01f * random.nextFloat()));
            }
        }
        return w;
    }
}
