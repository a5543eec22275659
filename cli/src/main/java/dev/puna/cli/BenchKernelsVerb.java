package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.KernelsChoice;
import dev.puna.kernels.KernelsProvider;
import dev.puna.kernels.bench.KernelBench;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import dev.puna.tensor.ThreadTeam;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SequencedSet;

/** {@code puna bench kernels}: every operation beside the peak of this machine, its answer checked first. */
final class BenchKernelsVerb extends Verb {
    private final Value<String> types = options.texts(
            "--type", "TYPE", "Only this type of weights; may be repeated. Default: all that are worth timing.");
    private final Value<Double> seconds =
            options.number("--seconds", "S", "How long each case runs. Default: 0.5.", 0.01, 60);
    private final Value<String> listing = options.text(
            "--listing", "NAME", "Print the instructions of this generated kernel instead, as far as it is assembled.");
    private final Value<Boolean> json = options.flag("--json", "Print one JSON document.");
    private final ComputeOptions compute = new ComputeOptions(options);

    BenchKernelsVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna bench kernels",
                "puna bench kernels --type Q8_0 --type Q4_K --kernels vector",
                "puna bench kernels --threads 1 --json",
                "puna bench kernels --listing attention-scores");
    }

    record Report(String kernels, Peaks peaks, List<KernelBench.Result> results) {}

    @Override
    void run() {
        if (listing.isGiven()) {
            list(listing.get());
            return;
        }
        List<DType> wanted = new ArrayList<>();
        for (String type : types.all()) {
            wanted.add(dtype(type));
        }
        try (ThreadTeam team = compute.openTeam();
                Kernels kernels = compute.openKernels(team)) {
            Peaks peaks = Peaks.measure(team);
            if (!json.isGiven()) {
                terminal.out().println(kernels.tier() + " kernels, " + team.size() + " threads");
                for (Peaks.Limit limit : peaks.limits()) {
                    terminal.out()
                            .println(String.format(
                                    Locale.ROOT,
                                    "peak %-20s %9s %s",
                                    limit.work(),
                                    Quantity.rate(limit.allThreads()),
                                    limit.unit()));
                }
                terminal.out().flush();
            }
            List<KernelBench.Result> results = new KernelBench(
                            kernels, Peaks.limits(team, kernels.tier()), seconds.or(0.5))
                    .run(wanted.isEmpty() ? KernelBench.weightTypes() : wanted, result -> {
                        if (!json.isGiven()) {
                            terminal.out().println(result.line());
                            terminal.out().flush();
                        }
                    });
            if (json.isGiven()) {
                terminal.out().println(Json.writePretty(new Report(kernels.tier(), peaks, results)));
            }
        }
    }

    record Listing(String kernels, String name, List<String> instructions) {}

    /** Generated code of any tier that the processor at hand need not have. */
    private void list(String name) {
        SequencedSet<String> known = new LinkedHashSet<>();
        for (KernelsChoice.Candidate candidate : compute.choice().considered()) {
            KernelsProvider provider = candidate.provider();
            Optional<String> text = provider.listing(name);
            if (text.isPresent()) {
                terminal.out()
                        .println(
                                json.isGiven()
                                        ? Json.writePretty(new Listing(
                                                provider.name(),
                                                name,
                                                text.get().lines().toList()))
                                        : text.get().stripTrailing());
                return;
            }
            known.addAll(provider.kernelNames());
        }
        throw new ConfigurationException("--listing", name, "known are " + String.join(", ", known));
    }

    private static DType dtype(String name) {
        return KernelBench.weightTypes().stream()
                .filter(dtype -> dtype.name().equalsIgnoreCase(name))
                .findFirst()
                .orElseThrow(() -> new ConfigurationException(
                        "type",
                        name,
                        "use one of " + KernelBench.weightTypes().toString().replaceAll("[\\[\\]]", "")));
    }
}
