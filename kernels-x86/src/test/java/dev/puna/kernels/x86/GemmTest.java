package dev.puna.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.puna.assembler.Feature;
import dev.puna.assembler.Processor;
import dev.puna.kernels.ComputePrecision;
import dev.puna.kernels.blocks.Rows;
import dev.puna.kernels.x86.Gemm.Operand;
import dev.puna.kernels.x86.Gemm.Target;
import dev.puna.kernels.x86.Gemm.Unit;
import dev.puna.kernels.x86.GuardedMemory.Side;
import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Products in every unit that this processor has, from factors of every type in both directions of memory. */
class GemmTest {
    private static final Set<Feature> TILES = Set.of(Feature.AMXTILE, Feature.AMXBF16, Feature.AVX512BF16);

    private final Arena arena = Arena.ofShared();
    private final List<AutoCloseable> opened = new ArrayList<>();

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : opened) {
            each.close();
        }
        arena.close();
    }

    private Gemm gemm(int threads) {
        ThreadTeam team = new ThreadTeam("gemm", threads);
        ArgumentBlock[] arguments = new ArgumentBlock[threads];
        for (int i = 0; i < threads; i++) {
            arguments[i] = new ArgumentBlock(arena);
        }
        Gemm gemm = new Gemm(new Workers(team, arguments), new CodeCache(arena), processor());
        opened.add(gemm);
        opened.add(team);
        return gemm;
    }

    private static Processor processor() {
        return (Processor) Processor.detect();
    }

    private static void assumeUnit(Unit unit) {
        assumeTrue(
                switch (unit) {
                    case FMA, FMA_OF_BF16 -> true;
                    case DOT_BF16 -> processor().features().contains(Feature.AVX512BF16);
                    case AMX_BF16 -> processor().supports(TILES);
                },
                "this processor has no " + unit);
    }

    private static Side side(Random random) {
        return random.nextBoolean() ? Side.BEFORE : Side.AFTER;
    }

    /** A factor whose elements are in memory between inaccessible pages. */
    private record Factor(float[] values, MemorySegment memory, Operand operand) {}

    /** Values of lane i, element k at {@code i * depth + k}. */
    private Factor factor(Random random, GuardedMemory guarded, int lanes, int depth, DType dtype, boolean alongK) {
        int rows = alongK ? lanes : depth;
        int columns = alongK ? depth : lanes;
        int size = dtype.bytesPerBlock();
        // An odd stride: rows begin at any multiple of the element, and the last one ends the memory.
        long stride = (long) columns * size + (columns % 3) * (long) size;
        MemorySegment memory = guarded.allocate(stride * (rows - 1) + (long) columns * size, side(random));
        float[] row = new float[columns];
        float[] values = new float[lanes * depth];
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < columns; c++) {
                row[c] = (float) random.nextGaussian();
            }
            Rows.encode(dtype, memory, stride * r, columns, row, 0);
            Rows.decode(dtype, memory, stride * r, columns, row, 0);
            for (int c = 0; c < columns; c++) {
                values[alongK ? r * depth + c : c * depth + r] = row[c];
            }
        }
        return new Factor(values, memory, new Operand(memory.address(), stride, dtype, alongK));
    }

    private void check(Gemm gemm, Random random, Unit unit, int m, int n, int k, DType aType, DType bType) {
        boolean aAlong = random.nextBoolean();
        boolean bAlong = random.nextBoolean();
        boolean accumulate = random.nextBoolean();
        try (GuardedMemory guarded = new GuardedMemory(5, 1 << 20)) {
            Factor a = factor(random, guarded, m, k, aType, aAlong);
            Factor b = factor(random, guarded, n, k, bType, bAlong);
            MemorySegment c = guarded.allocate(4L * m * n, side(random));
            float[] before = new float[m * n];
            for (int i = 0; i < before.length; i++) {
                before[i] = (float) random.nextGaussian();
                c.set(Tensor.F32_LE, 4L * i, before[i]);
            }
            gemm.multiply(new Target(c.address(), 4L * n), m, n, k, a.operand, b.operand, accumulate, unit);
            for (int i = 0; i < m; i++) {
                for (int j = 0; j < n; j++) {
                    double sum = accumulate ? before[i * n + j] : 0;
                    double magnitude = Math.abs(sum);
                    for (int l = 0; l < k; l++) {
                        double term = (double) factor(a.values[i * k + l], unit) * factor(b.values[j * k + l], unit);
                        sum += term;
                        magnitude += Math.abs(term);
                    }
                    assertThat(Math.abs(c.get(Tensor.F32_LE, 4L * (i * n + j)) - sum))
                            .as(
                                    "%s %d×%d×%d %s %s along k %s %s accumulate %s at (%d, %d)",
                                    unit, m, n, k, aType, bType, aAlong, bAlong, accumulate, i, j)
                            .isLessThanOrEqualTo((4 + Math.sqrt(k)) * 0x1p-24 * magnitude);
                }
            }
        }
    }

    /** Rounded to nearest even where the unit takes bf16. */
    private static float factor(float value, Unit unit) {
        if (unit == Unit.FMA) {
            return value;
        }
        int bits = Float.floatToRawIntBits(value);
        return Float.intBitsToFloat((bits + 0x7FFF + ((bits >>> 16) & 1)) & 0xFFFF0000);
    }

    @ParameterizedTest
    @EnumSource
    void everySizeAroundTheTiles(Unit unit) {
        assumeUnit(unit);
        Random random = new Random(1);
        Gemm gemm = gemm(2);
        DType[] types = {DType.F32, DType.F16, DType.BF16};
        int[] sizes = {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 100, 130};
        for (int round = 0; round < 3; round++) {
            for (int size : sizes) {
                int other = sizes[random.nextInt(sizes.length)];
                int third = sizes[random.nextInt(sizes.length)];
                DType aType = types[random.nextInt(3)];
                DType bType = types[random.nextInt(3)];
                check(gemm, random, unit, size, other, third, aType, bType);
                check(gemm, random, unit, third, size, other, aType, bType);
                check(gemm, random, unit, other, third, size, aType, bType);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void everyDepthToOneHundredAndThirty(Unit unit) {
        assumeUnit(unit);
        Random random = new Random(2);
        Gemm gemm = gemm(1);
        for (int k = 1; k <= 130; k++) {
            check(gemm, random, unit, 1 + k % 5, 1 + k % 37, k, DType.F32, DType.values()[k % 2]);
        }
    }

    @ParameterizedTest
    @EnumSource
    void blocksOfEveryDimension(Unit unit) {
        assumeUnit(unit);
        Random random = new Random(3);
        Gemm gemm = gemm(2);
        for (int depth : new int[] {255, 256, 257, 511, 512, 513, 1111}) {
            check(gemm, random, unit, 9, 50, depth, DType.F32, DType.F32);
        }
        check(gemm, random, unit, 3, 40, 4500, DType.F32, DType.F32);
        check(gemm, random, unit, 40, 3, 4500, DType.F32, DType.F32);
        check(gemm, random, unit, 4100, 3, 5, DType.F32, DType.F32);
        check(gemm, random, unit, 3, 4100, 5, DType.F32, DType.F32);
    }

    @ParameterizedTest
    @EnumSource
    void bitsDependOnNothingButRowAndColumn(Unit unit) {
        assumeUnit(unit);
        int m = 77;
        int n = 141;
        int k = 1300;
        Random random = new Random(4);
        try (GuardedMemory guarded = new GuardedMemory(5, 1 << 20)) {
            Factor a = factor(random, guarded, m, k, DType.F32, true);
            Factor b = factor(random, guarded, n, k, DType.F32, true);
            MemorySegment all = guarded.allocate(4L * m * n, side(random));
            gemm(1).multiply(new Target(all.address(), 4L * n), m, n, k, a.operand, b.operand, false, unit);
            MemorySegment again = guarded.allocate(4L * m * n, side(random));
            gemm(3).multiply(new Target(again.address(), 4L * n), m, n, k, a.operand, b.operand, false, unit);
            assertThat(again.mismatch(all)).isEqualTo(-1);
            MemorySegment alone = guarded.allocate(4L * n, side(random));
            Gemm gemm = gemm(2);
            for (int row : new int[] {0, 15, 16, 76}) {
                Operand one = new Operand(a.operand.at(row, 0), a.operand.stride(), DType.F32, true);
                gemm.multiply(new Target(alone.address(), 4L * n), 1, n, k, one, b.operand, false, unit);
                assertThat(alone.mismatch(all.asSlice(4L * n * row, 4L * n))).isEqualTo(-1);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void nanAndInfinityStayInTheirRow(Unit unit) {
        assumeUnit(unit);
        int n = 21;
        int k = 45;
        for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
            Random random = new Random(5);
            try (GuardedMemory guarded = new GuardedMemory(5, 1 << 20)) {
                Factor a = factor(random, guarded, 5, k, DType.F32, true);
                Factor b = factor(random, guarded, n, k, DType.F32, true);
                a.memory.set(Tensor.F32_LE, a.operand.at(2, k - 1) - a.memory.address(), bad);
                MemorySegment c = guarded.allocate(4L * 5 * n, side(random));
                gemm(1).multiply(new Target(c.address(), 4L * n), 5, n, k, a.operand, b.operand, false, unit);
                for (int i = 0; i < 5 * n; i++) {
                    assertThat(Float.isFinite(c.get(Tensor.F32_LE, 4L * i)))
                            .as("%s %s element %d", unit, bad, i)
                            .isEqualTo(i / n != 2);
                }
            }
        }
    }

    @Test
    void nothingIsWrittenForNothing() {
        try (GuardedMemory guarded = new GuardedMemory(5, 1 << 20)) {
            MemorySegment c = guarded.allocate(64, Side.AFTER);
            c.fill((byte) 7);
            Operand none = new Operand(c.address(), 4, DType.F32, true);
            Gemm gemm = gemm(2);
            gemm.multiply(new Target(c.address(), 16), 0, 4, 4, none, none, false, Unit.FMA);
            gemm.multiply(new Target(c.address(), 16), 4, 0, 4, none, none, false, Unit.FMA);
            gemm.multiply(new Target(c.address(), 16), 4, 4, 0, none, none, false, Unit.FMA);
            assertThat(c.toArray(ValueLayout.JAVA_BYTE)).containsOnly((byte) 7);
        }
    }

    @Test
    void aProcessorWithoutTilesTakesTheVectorUnits() {
        Processor real = processor();
        ThreadTeam team = new ThreadTeam("gemm", 1);
        opened.add(team);
        Workers workers = new Workers(team, new ArgumentBlock[] {new ArgumentBlock(arena)});
        Set<Feature> without = new HashSet<>(real.features());
        without.removeAll(TILES);
        assertThat(unit(workers, "AuthenticAMD", without)).isEqualTo(Unit.FMA_OF_BF16);
        without.add(Feature.AVX512BF16);
        assertThat(unit(workers, "AuthenticAMD", without)).isEqualTo(Unit.DOT_BF16);
        assertThat(unit(workers, "GenuineIntel", without)).isEqualTo(Unit.FMA_OF_BF16);
    }

    private Unit unit(Workers workers, String vendor, Set<Feature> features) {
        Processor real = processor();
        Processor processor = new Processor(vendor, real.brand(), features, real.caches());
        try (Gemm gemm = new Gemm(workers, new CodeCache(arena), processor)) {
            return gemm.unit(ComputePrecision.BF16);
        }
    }
}
