package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.KernelsChoice;
import dev.puna.tensor.ThreadTeam;
import java.util.Optional;

/** On what a verb computes: the options of every verb with a model. */
final class ComputeOptions {
    private final Value<String> kernels;
    private final Value<Integer> threads;

    ComputeOptions(Options options) {
        kernels = options.text(
                "--kernels",
                "TIER",
                "auto, x86, x86-avx2, vector or reference. Default: auto, or what " + KernelsChoice.VARIABLE
                        + " says.");
        threads = options.integer(
                "--threads", "N", "Threads to compute on; results do not depend on it. Default: every processor.", 1);
    }

    int threads() {
        return threads.or(Runtime.getRuntime().availableProcessors());
    }

    /** The tier that was named on the command line. */
    Optional<String> kernels() {
        return kernels.value();
    }

    /** A team of the wanted size; the caller closes it. */
    ThreadTeam openTeam() {
        return new ThreadTeam("puna", threads());
    }

    KernelsChoice choice() {
        return KernelsChoice.onThisMachine(KernelsChoice.requested(kernels.value(), System.getenv()));
    }

    /** The chosen tier on {@code team}; the caller closes it. */
    Kernels openKernels(ThreadTeam team) {
        return choice().create(team);
    }
}
