package dev.puna.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The memory that this process may use: the machine's, or what its container allows.
 *
 * @param availableBytes what could be taken now without pushing others out; the page cache counts as available
 */
record Memory(long totalBytes, long availableBytes) {
    static Memory ofThisMachine() {
        long total = meminfo("MemTotal:");
        long available = meminfo("MemAvailable:");
        if (total == 0) {
            String size = Processor.sysctl("hw.memsize");
            // The JVM takes a quarter of the memory for its heap unless told otherwise.
            total = size.isEmpty() ? Runtime.getRuntime().maxMemory() * 4 : Long.parseLong(size);
            available = total;
        }
        long limit = containerLimit();
        return new Memory(Math.min(total, limit), Math.min(available, limit));
    }

    /** Bytes that this process holds in memory, mapped files included; 0 where the system does not say. */
    static long residentBytes() {
        return field(Path.of("/proc/self/status"), "VmRSS:");
    }

    /** The most that this process has held in memory so far; 0 where the system does not say. */
    static long peakBytes() {
        return field(Path.of("/proc/self/status"), "VmHWM:");
    }

    /** Lets {@link #peakBytes} begin again at what is held now, where the system can. */
    static void forgetPeak() {
        try {
            Files.writeString(Path.of("/proc/self/clear_refs"), "5");
        } catch (IOException e) {
            return; // the peak stays that of the whole process
        }
    }

    /** Bytes that this process holds and that are not pages of files; 0 where the system does not say. */
    static long anonymousBytes() {
        return field(Path.of("/proc/self/status"), "RssAnon:");
    }

    private static long meminfo(String name) {
        return field(Path.of("/proc/meminfo"), name);
    }

    /** A line {@code "Name:   123 kB"} in bytes. */
    private static long field(Path file, String name) {
        try {
            for (String line : Files.readAllLines(file)) {
                if (line.startsWith(name)) {
                    return Long.parseLong(line.substring(name.length())
                                    .replace("kB", "")
                                    .strip())
                            << 10;
                }
            }
        } catch (IOException | NumberFormatException e) {
            return 0; // not Linux
        }
        return 0;
    }

    private static long containerLimit() {
        try {
            return Long.parseLong(
                    Files.readString(Path.of("/sys/fs/cgroup/memory.max")).strip());
        } catch (IOException | NumberFormatException e) {
            return Long.MAX_VALUE; // no container, or "max"
        }
    }
}
