package dev.puna.cli;

import dev.puna.tensor.ThreadTeam;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What this machine can do at most, measured now: every figure that is shown stands beside these. Clocks, neighbours and
 * power limits change them from minute to minute, so they are never kept.
 *
 * @param fp32GigaflopsOneThread multiply-adds in registers, two operations each; 0 if it could not be measured
 * @param fp32GigaflopsAllThreads the same on every thread of the team
 * @param readGigabytesOneThread reading memory once from end to end, 10⁹ bytes a second
 * @param readGigabytesAllThreads the same, every thread its own part
 */
record Peaks(
        int threads,
        double fp32GigaflopsOneThread,
        double fp32GigaflopsAllThreads,
        double readGigabytesOneThread,
        double readGigabytesAllThreads) {

    private static final int ROUNDS = 5;

    /** Measures for about two seconds. Reads at most an eighth of the machine's memory, and one GiB at most. */
    static Peaks measure(ThreadTeam team) {
        PeakLoops loops = PeakLoops.forThisJvm();
        double flopsOne = 0;
        double flopsAll = 0;
        if (loops.multipliesAtFullWidth()) {
            flopsOne = gigaflops(loops, team, 1);
            flopsAll = team.size() == 1 ? flopsOne : gigaflops(loops, team, team.size());
        }
        try (Arena arena = Arena.ofShared()) {
            long bytes = Math.clamp(Memory.ofThisMachine().totalBytes() / 8, 64L << 20, 1L << 30) & -4096L;
            MemorySegment memory = arena.allocate(bytes, 4096);
            // Pages that were never written are all the same page of zeros.
            team.forRange(
                    bytes, 4096, (from, to) -> memory.asSlice(from, to - from).fill((byte) 1));
            double readOne = gigabytes(loops, team, memory, 1);
            double readAll = team.size() == 1 ? readOne : gigabytes(loops, team, memory, team.size());
            return new Peaks(team.size(), flopsOne, flopsAll, readOne, readAll);
        }
    }

    private static double gigaflops(PeakLoops loops, ThreadTeam team, int members) {
        long steps = 200_000;
        float[] sinks = new float[team.size() * 16];
        double best = 0;
        for (int round = 0; round < ROUNDS + 3; round++) { // the first ones meet the interpreter
            long begin = System.nanoTime();
            team.run((member, size) -> {
                if (member < members) {
                    sinks[member * 16] += loops.multiplyAdd(steps);
                }
            });
            best = Math.max(best, (double) loops.flops(steps) * members / (System.nanoTime() - begin));
        }
        return best;
    }

    private static double gigabytes(PeakLoops loops, ThreadTeam team, MemorySegment memory, int members) {
        long bytes = memory.byteSize();
        long[] sinks = new long[team.size() * 8];
        double best = 0;
        for (int round = 0; round < ROUNDS; round++) {
            long begin = System.nanoTime();
            team.run((member, size) -> {
                if (member < members) {
                    long from = bytes / 4096 * member / members * 4096;
                    long to = bytes / 4096 * (member + 1) / members * 4096;
                    sinks[member * 8] ^= loops.read(memory, from, to);
                }
            });
            best = Math.max(best, (double) bytes / (System.nanoTime() - begin));
        }
        return best;
    }
}
