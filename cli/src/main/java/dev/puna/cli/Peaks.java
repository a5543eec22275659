package dev.puna.cli;

import dev.puna.assembler.MeasuredPeaks;
import dev.puna.assembler.MeasuredPeaks.Work;
import dev.puna.kernels.ComputePrecision;
import dev.puna.kernels.MachinePeaks;
import dev.puna.kernels.bench.KernelBench;
import dev.puna.kernels.bench.KernelBench.Arithmetic;
import dev.puna.tensor.ThreadTeam;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * What this machine can do at most, measured now: every figure that is shown stands beside these. Clocks, neighbours and
 * power limits change them from minute to minute, so they are never kept.
 *
 * @param threads how many work together
 * @param limits arithmetic, the reading of memory last
 */
record Peaks(int threads, List<Limit> limits) {
    /**
     * One limit.
     *
     * @param work what was measured
     * @param unit of the figures
     * @param oneThread what one thread reached; 0 if only all were measured
     * @param allThreads what all reached at the same time
     */
    record Limit(String work, String unit, double oneThread, double allThreads) {}

    /** Measures for some seconds: assembled loops where the processor takes them, else the JDK's Vector API. */
    static Peaks measure(ThreadTeam team) {
        List<Limit> limits = new ArrayList<>();
        if (dev.puna.assembler.Processor.detect() instanceof dev.puna.assembler.Processor processor) {
            for (MeasuredPeaks.Peak peak : MeasuredPeaks.measure(processor, team.size())) {
                limits.add(limit(peak));
            }
        }
        if (limits.isEmpty()) {
            MachinePeaks peaks = MachinePeaks.measure(team);
            limits.add(
                    new Limit("fp32 multiply-add", "GFLOP/s", peaks.gigaflopsOneThread(), peaks.gigaflopsAllThreads()));
            limits.add(new Limit(
                    "reading memory",
                    "GB/s",
                    peaks.gigabytesPerSecondOneThread(),
                    peaks.gigabytesPerSecondAllThreads()));
        }
        return new Peaks(team.size(), List.copyOf(limits));
    }

    /** What products of a precision are held against on a tier of kernels, measured in this moment. */
    static Limit compute(ThreadTeam team, String tier, ComputePrecision precision) {
        return compute(team, tier, precision == ComputePrecision.BF16 ? Arithmetic.BF16 : Arithmetic.FP32);
    }

    /** The fastest unit that a tier of kernels has for some arithmetic, measured in this moment. */
    static Limit compute(ThreadTeam team, String tier, Arithmetic arithmetic) {
        List<Work> works = works(tier, arithmetic);
        if (!works.isEmpty() && dev.puna.assembler.Processor.detect() instanceof dev.puna.assembler.Processor p) {
            Optional<Limit> highest = works.stream()
                    .flatMap(work -> MeasuredPeaks.measure(p, work, team.size()).stream())
                    .map(Peaks::limit)
                    .max(Comparator.comparingDouble(Limit::allThreads));
            if (highest.isPresent()) {
                return highest.get();
            }
        }
        MachinePeaks peaks = MachinePeaks.measure(team);
        return new Limit("fp32, " + peaks.how(), "GFLOP/s", peaks.gigaflopsOneThread(), peaks.gigaflopsAllThreads());
    }

    /** Without tiles and bf16 on AVX2; the other tiers compute everything in fp32, compiled by the JVM. */
    private static List<Work> works(String tier, Arithmetic arithmetic) {
        boolean avx512 = tier.equals("x86");
        if (!avx512 && !tier.equals("x86-avx2")) {
            return List.of();
        }
        return switch (arithmetic) {
            case FP32 -> List.of(Work.FP32);
            case BF16 -> avx512 ? List.of(Work.FP32, Work.BF16, Work.AMX_BF16) : List.of(Work.FP32);
            case INT8 -> avx512 ? List.of(Work.FP32, Work.INT8, Work.AMX_INT8) : List.of(Work.FP32, Work.INT8);
        };
    }

    /** What the kernels of a tier are held against, on the threads of a team. */
    static KernelBench.Limits limits(ThreadTeam team, String tier) {
        return new KernelBench.Limits() {
            @Override
            public KernelBench.Peak arithmetic(Arithmetic arithmetic) {
                Limit limit = compute(team, tier, arithmetic);
                return new KernelBench.Peak(limit.allThreads(), limit.unit(), limit.work());
            }

            @Override
            public KernelBench.Peak reading() {
                return new KernelBench.Peak(gigabytesPerSecond(team), "GB/s", "reading memory");
            }
        };
    }

    /** Reading memory on all threads, in 10⁹ bytes a second, measured in this moment. */
    static double gigabytesPerSecond(ThreadTeam team) {
        Optional<MeasuredPeaks.Peak> read = Optional.empty();
        if (dev.puna.assembler.Processor.detect() instanceof dev.puna.assembler.Processor processor) {
            read = MeasuredPeaks.measure(processor, Work.READ, team.size());
        }
        return read.map(MeasuredPeaks.Peak::together)
                .orElseGet(() -> MachinePeaks.measure(team).gigabytesPerSecondAllThreads());
    }

    private static Limit limit(MeasuredPeaks.Peak peak) {
        return new Limit(peak.work().title(), peak.work().unit(), peak.alone(), peak.together());
    }

    /** The largest figure on all threads of a work whose name begins so; 0 if it was not measured. */
    double allThreads(String work) {
        return limits.stream()
                .filter(limit -> limit.work().startsWith(work))
                .mapToDouble(Limit::allThreads)
                .max()
                .orElse(0);
    }

    /** The limit of the largest figure on all threads, among those in this unit whose name begins so. */
    Limit highest(String work, String unit) {
        return limits.stream()
                .filter(limit -> limit.unit().equals(unit) && limit.work().startsWith(work))
                .max(Comparator.comparingDouble(Limit::allThreads))
                .orElse(new Limit("no measured", unit, Double.NaN, Double.NaN));
    }
}
