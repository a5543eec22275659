package dev.puna.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.assembler.Gp64;
import dev.puna.assembler.Memory;
import dev.puna.assembler.Vec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class ExponentialTest {
    private static final int LANES = 16;

    @Test
    void withinOneUnitInTheLastPlaceOverTheWholeRange() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment lanes = arena.allocate(LANES * Float.BYTES, 64);
            MemorySegment code = new CodeCache(arena)
                    .get(
                            "exponential",
                            () -> Leaf.of(a -> {
                                a.mov(Gp64.RAX, Leaf.argument(0));
                                a.vmovups(Vec.zmm(0), Memory.at(Gp64.RAX));
                                Exponential.emit(a, Vec.zmm(0), Vec.zmm(1), Vec.zmm(2));
                                a.vmovups(Memory.at(Gp64.RAX), Vec.zmm(0));
                            }));
            ArgumentBlock arguments = new ArgumentBlock(arena).set(0, lanes.address());
            float[] x = {
                0,
                -0f,
                1,
                Float.NaN,
                Float.POSITIVE_INFINITY,
                Float.NEGATIVE_INFINITY,
                Float.MAX_VALUE,
                -Float.MAX_VALUE,
                Float.MIN_VALUE,
                88.7f,
                88.8f,
                -87.3f,
                -88,
                -103.2f,
                -104,
                -1e-8f
            };
            check(x, lanes, code, arguments);
            for (int bits = 0; bits < Float.floatToRawIntBits(110); ) {
                for (int lane = 0; lane < LANES; lane++) {
                    x[lane] = Float.intBitsToFloat(bits) * (lane % 2 == 0 ? 1 : -1);
                    bits += 1009;
                }
                check(x, lanes, code, arguments);
            }
        }
    }

    private static void check(float[] x, MemorySegment lanes, MemorySegment code, ArgumentBlock arguments) {
        MemorySegment.copy(x, 0, lanes, ValueLayout.JAVA_FLOAT, 0, LANES);
        arguments.call(code);
        for (int lane = 0; lane < LANES; lane++) {
            float actual = lanes.getAtIndex(ValueLayout.JAVA_FLOAT, lane);
            double exact = Math.exp(x[lane]);
            float expected = (float) exact;
            boolean close = Float.isNaN(expected) || Float.isInfinite(expected) || expected == 0
                    ? Float.compare(actual, expected) == 0
                    : Math.abs(actual - exact) <= Math.ulp(expected);
            if (!close) {
                assertThat(actual).as("exp(%s)", x[lane]).isEqualTo(expected);
            }
        }
    }
}
