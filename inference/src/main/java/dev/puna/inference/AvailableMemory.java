package dev.puna.inference;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** How much memory this machine can give at the moment. */
final class AvailableMemory {
    private static final Path MEMINFO = Path.of("/proc/meminfo");

    private AvailableMemory() {}

    /** Bytes: what Linux calls available, page cache included; elsewhere what the largest heap would take. */
    static long bytes() {
        if (Files.isReadable(MEMINFO)) {
            try {
                return fromMeminfo(Files.readAllLines(MEMINFO));
            } catch (IOException e) {
                return Runtime.getRuntime().maxMemory();
            }
        }
        return Runtime.getRuntime().maxMemory();
    }

    static long fromMeminfo(List<String> lines) {
        for (String line : lines) {
            if (line.startsWith("MemAvailable:")) {
                return Long.parseLong(line.replaceAll("\\D", "")) * 1024;
            }
        }
        return Runtime.getRuntime().maxMemory();
    }
}
