package dev.puna.speedrun;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;

/** Memory of this machine and of this process, as far as the system tells. */
final class MemorySize {
    private MemorySize() {}

    /** Bytes that a process may take without pushing others out. */
    static long available() {
        long available = 1024 * field(Path.of("/proc/meminfo"), "MemAvailable:");
        if (available > 0) {
            return available;
        }
        if (ManagementFactory.getOperatingSystemMXBean() instanceof com.sun.management.OperatingSystemMXBean system) {
            return system.getFreeMemorySize();
        }
        return 2L << 30;
    }

    /** The largest resident size of this process so far; 0 where the system does not tell. */
    static long peakOfProcess() {
        return 1024 * field(Path.of("/proc/self/status"), "VmHWM:");
    }

    private static long field(Path file, String name) {
        try {
            for (String line : Files.readAllLines(file)) {
                if (line.startsWith(name)) {
                    return Long.parseLong(line.replaceAll("[^0-9]", ""));
                }
            }
        } catch (IOException notLinux) {
            return 0;
        }
        return 0;
    }
}
