package dev.puna.assembler;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;

/**
 * What this machine can do at most, measured with loops that do nothing else: the figure that every other figure is
 * held against. Arithmetic runs on registers alone with enough independent accumulators; reading goes through a slab
 * larger than the caches, slices for each thread, with software prefetch.
 *
 * <p>{@code java --enable-native-access=ALL-UNNAMED -cp assembler/target/classes dev.puna.assembler.MeasuredPeaks}
 * prints the table.
 */
public final class MeasuredPeaks {
    /** Many short ones: whatever else runs on the machine leaves some of them alone. */
    private static final int REPETITIONS = 48;

    private static final double SECONDS_PER_REPETITION = 0.004;
    private static final long BYTES_READ_AT_LEAST = 512L << 20;
    private static final long BYTES_READ_AT_MOST = 1L << 30;
    private static final long BYTES_PER_REPETITION = 64L << 20;
    private static final int PREFETCH_BYTES = 8192;
    private static final int READ_BYTES_PER_ITERATION = 512;
    private static final int UNROLL = 4;

    private MeasuredPeaks() {}

    /** What is measured. */
    public enum Work {
        /** Single-precision fused multiply-add, 512 bits where there are, else 256. */
        FP32("fp32 FMA", "GFLOP/s"),
        /** {@code vdpbf16ps} on 512 bits. */
        BF16("bf16 dot product", "GFLOP/s"),
        /** {@code vpdpbusd} on 512 bits, or 256 where there is only AVX-VNNI. */
        INT8("int8 dot product", "GOP/s"),
        /** {@code tdpbf16ps}. */
        AMX_BF16("AMX bf16", "GFLOP/s"),
        /** {@code tdpbusd}. */
        AMX_INT8("AMX int8", "GOP/s"),
        /** Reading memory in order. */
        READ("reading memory", "GB/s");

        private final String title;
        private final String unit;

        Work(String title, String unit) {
            this.title = title;
            this.unit = unit;
        }

        /** Its name for people. */
        public String title() {
            return title;
        }

        /** The unit of its figures: 10⁹ operations (a multiply-add is two) or bytes per second. */
        public String unit() {
            return unit;
        }
    }

    /**
     * A measured limit.
     *
     * @param work what was measured
     * @param threads how many threads {@code together} is of
     * @param alone what one thread reached, in the work's unit
     * @param together what all threads reached at the same time
     */
    public record Peak(Work work, int threads, double alone, double together) {
        @Override
        public String toString() {
            return String.format(Locale.ROOT, "%-18s %9.1f %9.1f  %s", work.title, alone, together, work.unit);
        }
    }

    /**
     * One thread's loop.
     *
     * @param code {@code void loop(long iterations, const void *data)}
     * @param perIteration operations or bytes of an iteration
     */
    private record Loop(Code code, long perIteration) {}

    /**
     * Measures one limit, best of many short runs (under a second each, reading two).
     *
     * @param threads how many threads run at once for {@link Peak#together}, at least 1
     * @return empty if the processor cannot do this work
     */
    public static Optional<Peak> measure(Processor processor, Work work, int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException("threads=" + threads + " must be at least 1");
        }
        Optional<Loop> loop = loop(processor, work);
        if (loop.isEmpty() || !processor.supports(loop.get().code.features())) {
            return Optional.empty();
        }
        boolean tiles = work == Work.AMX_BF16 || work == Work.AMX_INT8;
        if (tiles && processor.requestTiles().isPresent()) {
            return Optional.empty();
        }
        try (Arena arena = Arena.ofShared()) {
            return switch (ExecutableMemory.map(arena, loop.get().code)) {
                case Refusal _ -> Optional.empty();
                case ExecutableMemory memory ->
                    Optional.of(measure(processor, work, threads, loop.get(), memory, arena));
            };
        }
    }

    /** Measures everything that the processor can do. */
    public static List<Peak> measure(Processor processor, int threads) {
        List<Peak> peaks = new ArrayList<>();
        for (Work work : Work.values()) {
            measure(processor, work, threads).ifPresent(peaks::add);
        }
        return peaks;
    }

    private static Peak measure(
            Processor processor, Work work, int threads, Loop loop, ExecutableMemory memory, Arena arena) {
        MethodHandle function = memory.function(loop.code, FunctionDescriptor.ofVoid(JAVA_LONG, ADDRESS));
        if (work == Work.READ) {
            long bytes = Math.clamp(2 * processor.cacheBytes(3), BYTES_READ_AT_LEAST, BYTES_READ_AT_MOST);
            MemorySegment slab = arena.allocate(bytes, 4096);
            slab.fill((byte) 1); // pages that were never written are all the same page of zeros
            long iterations = BYTES_PER_REPETITION / loop.perIteration;
            return new Peak(
                    work,
                    threads,
                    rate(function, slab, 1, iterations, loop.perIteration),
                    rate(function, slab, threads, iterations, loop.perIteration));
        }
        MemorySegment tileConfiguration = tileConfiguration(arena);
        long iterations = 1000;
        while (seconds(function, tileConfiguration, iterations) < SECONDS_PER_REPETITION / 2) {
            iterations *= 2;
        }
        return new Peak(
                work,
                threads,
                rate(function, tileConfiguration, 1, iterations, loop.perIteration),
                rate(function, tileConfiguration, threads, iterations, loop.perIteration));
    }

    /** Best rate of several repetitions in which all threads start together, in 10⁹ per second. */
    private static double rate(
            MethodHandle function, MemorySegment data, int threads, long iterations, long perIteration) {
        long[] begin = new long[threads];
        long[] end = new long[threads];
        double[] best = new double[1];
        CyclicBarrier start = new CyclicBarrier(threads);
        CyclicBarrier finish = new CyclicBarrier(threads, () -> {
            long first = Long.MAX_VALUE;
            long last = Long.MIN_VALUE;
            for (int i = 0; i < threads; i++) {
                first = Math.min(first, begin[i]);
                last = Math.max(last, end[i]);
            }
            double work = (double) iterations * perIteration * threads;
            best[0] = Math.max(best[0], work / (last - first));
        });
        List<Thread> team = new ArrayList<>();
        long slices = data.byteSize() / (iterations * perIteration); // each repetition reads the next ones
        for (int t = 0; t < threads; t++) {
            int thread = t;
            team.add(Thread.ofPlatform().name("peak-" + t).start(() -> {
                for (int repetition = 0; repetition < REPETITIONS; repetition++) {
                    long slice = slices == 0 ? 0 : (repetition * (long) threads + thread) % slices;
                    MemorySegment part = data.asSlice(slice * iterations * perIteration);
                    await(start);
                    begin[thread] = System.nanoTime();
                    run(function, iterations, part);
                    end[thread] = System.nanoTime();
                    await(finish);
                }
            }));
        }
        for (Thread thread : team) {
            join(thread);
        }
        return best[0];
    }

    private static double seconds(MethodHandle function, MemorySegment data, long iterations) {
        long begin = System.nanoTime();
        run(function, iterations, data);
        return (System.nanoTime() - begin) * 1e-9;
    }

    private static void run(MethodHandle function, long iterations, MemorySegment data) {
        try {
            function.invokeExact(iterations, data);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    private static void await(CyclicBarrier barrier) {
        try {
            barrier.await();
        } catch (InterruptedException | BrokenBarrierException e) {
            throw new IllegalStateException("a measuring thread was interrupted", e);
        }
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new IllegalStateException("measuring was interrupted", e);
        }
    }

    private static Optional<Loop> loop(Processor processor, Work work) {
        boolean wide = processor.features().contains(Feature.AVX512F);
        int bytes = wide ? 64 : 32;
        int accumulators = wide ? 28 : 14;
        return switch (work) {
            case FP32 ->
                Optional.of(vectorLoop(bytes, accumulators, bytes / 4 * 2, (a, c, x, y) -> a.vfmadd231ps(c, x, y)));
            case BF16 -> Optional.of(vectorLoop(64, 28, 64, (a, c, x, y) -> a.vdpbf16ps(c, x, y)));
            case INT8 ->
                Optional.of(
                        processor.features().contains(Feature.AVX512VNNI)
                                ? vectorLoop(64, 28, 128, (a, c, x, y) -> a.vpdpbusd(c, x, y))
                                : vectorLoop(32, 14, 64, (a, c, x, y) -> a.vexVpdpbusd(c, x, y)));
            case AMX_BF16 -> Optional.of(tileLoop(2L * 16 * 16 * 32, (a, c) -> a.tdpbf16ps(c, Tile.TMM6, Tile.TMM7)));
            case AMX_INT8 -> Optional.of(tileLoop(2L * 16 * 16 * 64, (a, c) -> a.tdpbusd(c, Tile.TMM6, Tile.TMM7)));
            case READ -> Optional.of(readLoop(bytes));
        };
    }

    private interface VectorStep {
        void emit(Assembler assembler, Vec accumulator, Vec x, Vec y);
    }

    private interface TileStep {
        void emit(Assembler assembler, Tile accumulator);
    }

    private static Loop vectorLoop(int bytes, int accumulators, int operations, VectorStep step) {
        Assembler a = new Assembler();
        Label again = a.label("again");
        Vec x = Vec.of(bytes, accumulators);
        Vec y = Vec.of(bytes, accumulators + 1);
        for (int i = 0; i < accumulators + 2; i++) {
            // Zero all of it, in the encoding that every processor with vectors has.
            if (i < 16) {
                a.vxorps(Vec.xmm(i), Vec.xmm(i), Vec.xmm(i));
            } else {
                a.vpxord(Vec.of(bytes, i), Vec.of(bytes, i), Vec.of(bytes, i));
            }
        }
        a.align(64);
        a.bind(again);
        for (int u = 0; u < UNROLL; u++) {
            for (int i = 0; i < accumulators; i++) {
                step.emit(a, Vec.of(bytes, i), x, y);
            }
        }
        a.dec(Gp64.RDI);
        a.jne(again);
        a.vzeroupper();
        a.ret();
        return new Loop(a.assemble(), (long) UNROLL * accumulators * operations);
    }

    /** Six accumulating tiles cover the latency of 52 cycles at one product per 16. */
    private static Loop tileLoop(long operations, TileStep step) {
        Assembler a = new Assembler();
        Label again = a.label("again");
        a.ldtilecfg(Memory.at(Gp64.RSI));
        for (Tile tile : Tile.values()) {
            a.tilezero(tile);
        }
        a.align(64);
        a.bind(again);
        for (int u = 0; u < UNROLL; u++) {
            for (int i = 0; i < 6; i++) {
                step.emit(a, Tile.tmm(i));
            }
        }
        a.dec(Gp64.RDI);
        a.jne(again);
        a.tilerelease();
        a.ret();
        return new Loop(a.assemble(), UNROLL * 6 * operations);
    }

    /** Eight tiles of 16 rows of 64 bytes: the 64-byte memory operand of {@code ldtilecfg}, palette 1. */
    private static MemorySegment tileConfiguration(Arena arena) {
        MemorySegment configuration = arena.allocate(64, 64);
        configuration.set(JAVA_BYTE, 0, (byte) 1);
        for (int tile = 0; tile < 8; tile++) {
            configuration.set(JAVA_BYTE, 16 + 2 * tile, (byte) 64);
            configuration.set(JAVA_BYTE, 48 + tile, (byte) 16);
        }
        return configuration;
    }

    private static Loop readLoop(int bytes) {
        Assembler a = new Assembler();
        Label again = a.label("again");
        a.align(64);
        a.bind(again);
        for (int offset = 0; offset < READ_BYTES_PER_ITERATION; offset += 64) {
            a.prefetcht0(Memory.at(Gp64.RSI, offset + PREFETCH_BYTES));
            for (int part = 0; part < 64; part += bytes) {
                a.vmovups(Vec.of(bytes, offset / 64), Memory.at(Gp64.RSI, offset + part));
            }
        }
        a.add(Gp64.RSI, READ_BYTES_PER_ITERATION);
        a.dec(Gp64.RDI);
        a.jne(again);
        a.vzeroupper();
        a.ret();
        return new Loop(a.assemble(), READ_BYTES_PER_ITERATION);
    }

    /** Prints the table of this machine. */
    static void main() {
        switch (Processor.detect()) {
            case Refusal(String reason) -> System.out.println(reason);
            case Processor processor -> {
                int threads = Runtime.getRuntime().availableProcessors();
                System.out.println(processor.brand() + ", " + threads + " threads, " + processor.features());
                System.out.printf(Locale.ROOT, "%-18s %9s %9s%n", "", "1 thread", threads + " threads");
                for (Peak peak : measure(processor, threads)) {
                    System.out.println(peak);
                }
            }
        }
    }
}
