package dev.puna.tensor;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * The memory that this process may use: the machine's, or what its container allows. On Linux from {@code /proc/meminfo}
 * and the limits of the control groups above the process, of version 2 and 1; elsewhere what the JVM knows.
 *
 * @param totalBytes the machine's, or the lowest limit of a control group
 * @param availableBytes what could be taken now without pushing others out; the page cache counts as available
 */
public record MachineMemory(long totalBytes, long availableBytes) {
    private static final Path STATUS = Path.of("/proc/self/status");

    /** As it is at the moment. */
    public static MachineMemory now() {
        return read(Path.of("/"));
    }

    /** @param root in which {@code proc} and {@code sys} lie */
    static MachineMemory read(Path root) {
        Path meminfo = root.resolve("proc/meminfo");
        long total = field(meminfo, "MemTotal:");
        long available = field(meminfo, "MemAvailable:");
        if (total == 0) {
            return elsewhere();
        }
        long machine = total;
        for (String line : lines(root.resolve("proc/self/cgroup"))) {
            String[] parts = line.split(":", 3); // hierarchy:controllers:path
            if (parts.length < 3
                    || !(parts[1].isEmpty() || List.of(parts[1].split(",")).contains("memory"))) {
                continue;
            }
            boolean unified = parts[1].isEmpty();
            Path mount = root.resolve(unified ? "sys/fs/cgroup" : "sys/fs/cgroup/memory");
            // A limit of a group holds for all below it. What a container does not see of the path is not there.
            Path group = mount.resolve(parts[2].substring(1)).normalize();
            if (!group.startsWith(mount)) {
                group = mount; // a group outside of what the container sees
            }
            for (; group != null && group.startsWith(mount); group = group.getParent()) {
                long limit = number(group.resolve(unified ? "memory.max" : "memory.limit_in_bytes"), Long.MAX_VALUE);
                if (limit < machine) {
                    long used = number(group.resolve(unified ? "memory.current" : "memory.usage_in_bytes"), 0);
                    long cached = statistic(group, unified ? "inactive_file " : "total_inactive_file ");
                    total = Math.min(total, limit);
                    available = Math.min(available, Math.max(0, limit - Math.max(0, used - cached)));
                }
            }
        }
        return new MachineMemory(total, Math.min(total, available));
    }

    /** What is free does not count caches there, which the system gives up when it must: a quarter can always be had. */
    private static MachineMemory elsewhere() {
        if (ManagementFactory.getOperatingSystemMXBean() instanceof OperatingSystemMXBean system) {
            long total = system.getTotalMemorySize();
            return new MachineMemory(total, Math.max(total / 4, system.getFreeMemorySize()));
        }
        long heap = Runtime.getRuntime().maxMemory();
        return new MachineMemory(4 * heap, heap); // the JVM's usual quarter
    }

    /** Bytes that this process holds in memory, mapped files included; 0 where the system does not say. */
    public static long residentBytes() {
        return field(STATUS, "VmRSS:");
    }

    /** The most that this process has held in memory so far; 0 where the system does not say. */
    public static long peakBytes() {
        return field(STATUS, "VmHWM:");
    }

    /** Lets {@link #peakBytes} begin again at what is held now, where the system can. */
    public static void forgetPeak() {
        try {
            Files.writeString(Path.of("/proc/self/clear_refs"), "5");
        } catch (IOException e) {
            return; // the peak stays that of the whole process
        }
    }

    /** Bytes that this process holds and that are not pages of files; 0 where the system does not say. */
    public static long anonymousBytes() {
        return field(STATUS, "RssAnon:");
    }

    /** A line {@code "Name:   123 kB"} in bytes; 0 if there is none. */
    private static long field(Path file, String name) {
        for (String line : lines(file)) {
            if (line.startsWith(name)) {
                return number(line.substring(name.length()).replace("kB", ""), 0) << 10;
            }
        }
        return 0;
    }

    private static long statistic(Path group, String name) {
        for (String line : lines(group.resolve("memory.stat"))) {
            if (line.startsWith(name)) {
                return number(line.substring(name.length()), 0);
            }
        }
        return 0;
    }

    private static long number(Path file, long otherwise) {
        List<String> lines = lines(file);
        return lines.isEmpty() ? otherwise : number(lines.getFirst(), otherwise); // "max" is no number
    }

    private static long number(String text, long otherwise) {
        try {
            return Long.parseLong(text.strip());
        } catch (NumberFormatException e) {
            return otherwise;
        }
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException e) {
            return List.of(); // another system
        }
    }
}
