package dev.puna.kernels;

import dev.puna.tensor.ThreadTeam;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What this machine can do at this moment: the figures that a kernel's own are held against. Other work on the machine
 * moves them, the bandwidth most of all; so measure them in the same minute as what is compared with them.
 *
 * @param gigaflopsOneThread fp32 fused multiply-adds in registers, two operations each
 * @param gigaflopsAllThreads the same on every member of the team
 * @param gigabytesPerSecondOneThread reading memory that is larger than the caches, in sequence
 * @param gigabytesPerSecondAllThreads the same on every member of the team, each its own part
 * @param how with what it was measured: {@code "512-bit vectors"}
 */
public record MachinePeaks(
        double gigaflopsOneThread,
        double gigaflopsAllThreads,
        double gigabytesPerSecondOneThread,
        double gigabytesPerSecondAllThreads,
        String how) {
    /** Enough that most of it is not in a cache of the usual size. */
    private static final long BYTES = 384L << 20;

    private static final int FMA_ROUNDS = 400_000;
    private static final int REPEATS = 5;

    /** Takes about half a second, and {@code 384 MiB} of memory for that time. */
    public static MachinePeaks measure(ThreadTeam threads) {
        try (Arena arena = Arena.ofShared();
                ThreadTeam alone = new ThreadTeam("peak", 1)) {
            MemorySegment memory = arena.allocate(BYTES, 64);
            threads.forRange(
                    BYTES,
                    1 << 20,
                    (from, to) -> memory.asSlice(from, to - from).fill((byte) 1));
            gigaflops(alone); // compiles the loop
            double one = gigaflops(alone);
            return new MachinePeaks(
                    one,
                    Math.max(one, gigaflops(threads)),
                    gigabytesPerSecond(alone, memory),
                    gigabytesPerSecond(threads, memory),
                    vectors() ? VectorPeaks.width() + "-bit vectors" : "plain Java");
        }
    }

    /** Reading {@code memory} in sequence, divided among the team: the best of some passes, in 10⁹ bytes per second. */
    public static double gigabytesPerSecond(ThreadTeam threads, MemorySegment memory) {
        boolean vectors = vectors();
        long[] seen = new long[threads.size() * 8]; // a cache line each
        double best = 0;
        for (int i = 0; i < REPEATS; i++) {
            long start = System.nanoTime();
            threads.run((member, size) -> {
                long bytes = memory.byteSize() / size & -1024;
                MemorySegment part = memory.asSlice(member * bytes, bytes);
                seen[8 * member] += vectors ? VectorPeaks.read(part) : read(part);
            });
            best = Math.max(best, memory.byteSize() / (double) (System.nanoTime() - start));
        }
        return best;
    }

    /** Fused multiply-adds in registers on every member: the best of some rounds, in 10⁹ operations per second. */
    public static double gigaflops(ThreadTeam threads) {
        boolean vectors = vectors();
        float[] seen = new float[threads.size() * 16];
        double best = 0;
        for (int i = 0; i < REPEATS; i++) {
            double[] operations = new double[threads.size() * 8];
            long start = System.nanoTime();
            threads.run((member, size) -> {
                for (int round = 0; round < 8; round++) {
                    operations[8 * member] += vectors
                            ? VectorPeaks.multiplyAdd(FMA_ROUNDS, seen, 16 * member)
                            : multiplyAdd(FMA_ROUNDS, seen, 16 * member);
                }
            });
            double total = 0;
            for (double count : operations) {
                total += count;
            }
            best = Math.max(best, total / (System.nanoTime() - start));
        }
        return best;
    }

    private static boolean vectors() {
        return ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
    }

    private static long read(MemorySegment memory) {
        long a = 0;
        long b = 0;
        for (long i = 0; i <= memory.byteSize() - 16; i += 16) {
            a += memory.get(ValueLayout.JAVA_LONG_UNALIGNED, i);
            b += memory.get(ValueLayout.JAVA_LONG_UNALIGNED, i + 8);
        }
        return a + b;
    }

    private static double multiplyAdd(int rounds, float[] seen, int at) {
        float a = seen[at];
        float b = 1;
        float c = 2;
        float d = 3;
        for (int i = 0; i < rounds; i++) {
            a = Math.fma(a, 0.999f, 0.001f);
            b = Math.fma(b, 0.999f, 0.001f);
            c = Math.fma(c, 0.999f, 0.001f);
            d = Math.fma(d, 0.999f, 0.001f);
        }
        seen[at] = a + b + c + d;
        return 8.0 * rounds;
    }
}
