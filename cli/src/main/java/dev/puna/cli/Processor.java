package dev.puna.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * What the operating system says of the processor.
 *
 * @param threads hardware threads that this process may use
 * @param features the ones that matter to matrix products, in Linux's spelling
 * @param caches {@code L1d 48 KiB}, … of one core
 */
record Processor(String name, String architecture, int threads, List<String> features, List<String> caches) {
    private static final List<String> INTERESTING = List.of(
            "avx2",
            "fma",
            "f16c",
            "avx_vnni",
            "avx512f",
            "avx512bw",
            "avx512dq",
            "avx512vl",
            "avx512vbmi",
            "avx512_vnni",
            "avx512_bf16",
            "avx512_fp16",
            "amx_tile",
            "amx_bf16",
            "amx_int8",
            "asimd",
            "asimdhp",
            "asimddp",
            "bf16",
            "i8mm",
            "sve",
            "sve2",
            "sme");

    /** Never fails: what cannot be found out is missing or "unknown". */
    static Processor ofThisMachine() {
        String architecture = System.getProperty("os.arch");
        int threads = Runtime.getRuntime().availableProcessors();
        if (Files.isReadable(Path.of("/proc/cpuinfo"))) {
            return ofLinux(architecture, threads);
        }
        if (System.getProperty("os.name").toLowerCase(Locale.ROOT).startsWith("mac")) {
            return ofMac(architecture, threads);
        }
        return new Processor("unknown", architecture, threads, List.of(), List.of());
    }

    private static Processor ofLinux(String architecture, int threads) {
        String name = "unknown";
        Set<String> found = new LinkedHashSet<>();
        try (BufferedReader lines = Files.newBufferedReader(Path.of("/proc/cpuinfo"))) {
            for (String line = lines.readLine(); line != null && !line.isEmpty(); line = lines.readLine()) {
                int colon = line.indexOf(':');
                String value = colon < 0 ? "" : line.substring(colon + 1).strip();
                if (line.startsWith("model name")) {
                    name = value;
                } else if (line.startsWith("flags") || line.startsWith("Features")) {
                    found.addAll(List.of(value.split(" ")));
                }
            }
        } catch (IOException e) {
            // What is not readable stays unknown; doctor goes on.
            return new Processor(name, architecture, threads, List.of(), List.of());
        }
        return new Processor(
                name,
                architecture,
                threads,
                INTERESTING.stream().filter(found::contains).toList(),
                linuxCaches());
    }

    private static List<String> linuxCaches() {
        List<String> caches = new ArrayList<>();
        for (int index = 0; index < 8; index++) {
            Path cache = Path.of("/sys/devices/system/cpu/cpu0/cache/index" + index);
            try {
                String type = Files.readString(cache.resolve("type")).strip();
                if (!type.equals("Instruction")) {
                    String level = Files.readString(cache.resolve("level")).strip();
                    String size = Files.readString(cache.resolve("size")).strip(); // "48K"
                    caches.add("L" + level + (type.equals("Data") ? "d " : " ")
                            + Quantity.bytes(Long.parseLong(size.substring(0, size.length() - 1)) << 10));
                }
            } catch (IOException | NumberFormatException e) {
                break; // no more levels
            }
        }
        return caches;
    }

    private static Processor ofMac(String architecture, int threads) {
        List<String> caches = new ArrayList<>();
        for (String[] cache :
                new String[][] {{"L1d", "hw.l1dcachesize"}, {"L2", "hw.l2cachesize"}, {"L3", "hw.l3cachesize"}}) {
            String size = sysctl(cache[1]);
            if (!size.isEmpty()) {
                caches.add(cache[0] + " " + Quantity.bytes(Long.parseLong(size)));
            }
        }
        String flags =
                (sysctl("machdep.cpu.features") + " " + sysctl("machdep.cpu.leaf7_features")).toLowerCase(Locale.ROOT);
        Set<String> found = new LinkedHashSet<>(List.of(flags.split(" ")));
        String name = sysctl("machdep.cpu.brand_string");
        return new Processor(
                name.isEmpty() ? "unknown" : name,
                architecture,
                threads,
                INTERESTING.stream().filter(found::contains).toList(),
                caches);
    }

    /** The value of a macOS setting, or nothing. */
    static String sysctl(String key) {
        try {
            Process process = new ProcessBuilder("sysctl", "-n", key)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        } catch (IOException e) {
            return "";
        }
    }
}
