package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.cli.Peaks.Limit;
import dev.puna.formats.hub.HubSettings;
import dev.puna.kernels.KernelsChoice;
import dev.puna.kernels.KernelsChoice.Candidate;
import dev.puna.kernels.KernelsProvider.Availability.Available;
import dev.puna.kernels.KernelsProvider.Availability.Refused;
import dev.puna.tensor.MachineMemory;
import dev.puna.tensor.ThreadTeam;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** {@code puna doctor}: what this machine is, what it can do at most, and which kernels serve on it. */
final class DoctorVerb extends Verb {
    private final Value<Boolean> json = options.flag("--json", "Print one JSON document.");
    private final ComputeOptions compute = new ComputeOptions(options);

    DoctorVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of("puna doctor", "puna doctor --json", "puna doctor --kernels reference --threads 1");
    }

    record Tier(String name, boolean available, boolean chosen, String detail) {}

    record Disk(String path, long freeBytes) {}

    record Java(String version, String vendor, String home, long maxHeapBytes) {}

    record Report(
            String version,
            String system,
            Processor processor,
            String kernels,
            List<Tier> tiers,
            Peaks peaks,
            MachineMemory memory,
            Disk disk,
            Java java) {}

    @Override
    void run() throws IOException {
        KernelsChoice choice = compute.choice();
        Report report;
        try (ThreadTeam team = compute.openTeam()) {
            report = new Report(
                    Program.VERSION,
                    System.getProperty("os.name") + " "
                            + System.getProperty("os.version").replaceFirst("-.*", ""), // a builder's name may follow
                    Processor.ofThisMachine(),
                    choice.chosen().name(),
                    choice.considered().stream()
                            .map(candidate -> tier(candidate, candidate.equals(choice.chosen())))
                            .toList(),
                    Peaks.measure(team),
                    MachineMemory.now(),
                    disk(),
                    new Java(
                            Runtime.version().toString(),
                            System.getProperty("java.vendor"),
                            System.getProperty("java.home"),
                            Runtime.getRuntime().maxMemory()));
        }
        if (json.isGiven()) {
            terminal.out().println(Json.writePretty(report));
        } else {
            print(report);
        }
    }

    private static Tier tier(Candidate candidate, boolean chosen) {
        return switch (candidate.availability()) {
            case Available(String detail) -> new Tier(candidate.name(), true, chosen, detail);
            case Refused(String reason) -> new Tier(candidate.name(), false, chosen, "refused: " + reason);
        };
    }

    private static Disk disk() throws IOException {
        Path place = HubSettings.fromEnvironment().cache().toAbsolutePath(); // where models will be put
        for (Path parent = place.getParent(); !Files.exists(place) && parent != null; parent = place.getParent()) {
            place = parent;
        }
        return new Disk(place.toString(), Files.getFileStore(place).getUsableSpace());
    }

    private void print(Report report) {
        Processor processor = report.processor();
        line("puna", report.version() + " on " + report.system());
        line("processor", processor.name() + ", " + processor.architecture() + ", " + threads(processor.threads()));
        if (!processor.features().isEmpty()) {
            wrapped("", processor.features());
        }
        if (!processor.caches().isEmpty()) {
            line("", "caches of a core: " + String.join(", ", processor.caches()));
        }
        boolean first = true;
        for (Tier tier : report.tiers()) {
            String mark = tier.chosen() ? terminal.color(Terminal.Color.GREEN, "*") : " ";
            line(first ? "kernels" : "", String.format(Locale.ROOT, "%s %-10s", mark, tier.name()) + tier.detail());
            first = false;
        }
        first = true;
        for (Limit limit : report.peaks().limits()) {
            line(
                    first ? "peaks" : "",
                    String.format(Locale.ROOT, "%-18s", limit.work()) + figures(limit, report.peaks()));
            first = false;
        }
        line(
                "memory",
                Quantity.bytes(report.memory().totalBytes()) + ", "
                        + Quantity.bytes(report.memory().availableBytes()) + " available, heap up to "
                        + Quantity.bytes(report.java().maxHeapBytes()));
        line(
                "disk",
                Quantity.bytes(report.disk().freeBytes()) + " free at "
                        + belowHome(report.disk().path()));
        line("java", report.java().version() + ", " + report.java().vendor());
        line("", belowHome(report.java().home()));
    }

    /** {@code ~/.cache} of the user's own; so that the output can be shown to others. */
    private static String belowHome(String path) {
        String home = System.getProperty("user.home");
        return path.equals(home) || path.startsWith(home + "/") ? "~" + path.substring(home.length()) : path;
    }

    private static String figures(Limit limit, Peaks peaks) {
        String all = Quantity.rate(limit.allThreads()) + " " + limit.unit() + " on " + threads(peaks.threads());
        return peaks.threads() == 1 || limit.oneThread() == 0
                ? all
                : all + ", " + Quantity.rate(limit.oneThread()) + " on one";
    }

    private static String threads(int count) {
        return count == 1 ? "1 thread" : count + " threads";
    }

    private void line(String name, String text) {
        terminal.out().println(terminal.color(Terminal.Color.BOLD, String.format(Locale.ROOT, "%-11s", name)) + text);
    }

    private void wrapped(String name, List<String> words) {
        StringBuilder text = new StringBuilder();
        for (String word : words) {
            if (text.length() + word.length() > 66) {
                line(name, text.toString());
                text.setLength(0);
            }
            text.append(text.isEmpty() ? "" : " ").append(word);
        }
        line(name, text.toString());
    }
}
