package dev.puna.assembler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The processor's own answers against the kernel's. */
class ProcessorTest {
    private static final Map<Feature, String> LINUX_NAMES = Map.ofEntries(
            Map.entry(Feature.POPCNT, "popcnt"),
            Map.entry(Feature.BMI1, "bmi1"),
            Map.entry(Feature.BMI2, "bmi2"),
            Map.entry(Feature.AVX, "avx"),
            Map.entry(Feature.AVX2, "avx2"),
            Map.entry(Feature.FMA, "fma"),
            Map.entry(Feature.F16C, "f16c"),
            Map.entry(Feature.AVXVNNI, "avx_vnni"),
            Map.entry(Feature.GFNI, "gfni"),
            Map.entry(Feature.AVX512F, "avx512f"),
            Map.entry(Feature.AVX512VL, "avx512vl"),
            Map.entry(Feature.AVX512BW, "avx512bw"),
            Map.entry(Feature.AVX512DQ, "avx512dq"),
            Map.entry(Feature.AVX512VNNI, "avx512_vnni"),
            Map.entry(Feature.AVX512BF16, "avx512_bf16"),
            Map.entry(Feature.AVX512FP16, "avx512_fp16"),
            Map.entry(Feature.AVX512VBMI, "avx512vbmi"),
            Map.entry(Feature.AVX512VBMI2, "avx512_vbmi2"),
            Map.entry(Feature.AVX512BITALG, "avx512_bitalg"),
            Map.entry(Feature.AMXTILE, "amx_tile"),
            Map.entry(Feature.AMXBF16, "amx_bf16"),
            Map.entry(Feature.AMXINT8, "amx_int8"));

    private static Processor processor() {
        assumeTrue(Processor.detect() instanceof Processor, "assembled code is refused here");
        return (Processor) Processor.detect();
    }

    private static String information(String name) throws IOException {
        Path file = Path.of("/proc/cpuinfo");
        assumeTrue(Files.exists(file), "no /proc/cpuinfo");
        for (String line : Files.readAllLines(file)) {
            if (line.startsWith(name) && line.contains(":")) {
                return line.substring(line.indexOf(':') + 1).trim();
            }
        }
        throw new AssertionError("no " + name + " in " + file);
    }

    @Test
    void agreesWithTheKernel() throws IOException {
        Processor processor = processor();
        assertThat(processor.vendor()).isEqualTo(information("vendor_id"));
        assertThat(processor.brand()).isEqualTo(information("model name"));
        Set<String> flags = new HashSet<>(Arrays.asList(information("flags").split(" ")));
        assertThat(LINUX_NAMES.keySet()).hasSize(Feature.values().length - 1);
        LINUX_NAMES.forEach((feature, name) ->
                assertThat(processor.features().contains(feature)).as(name).isEqualTo(flags.contains(name)));
    }

    @Test
    void cachesAgreeWithTheKernel() throws IOException {
        Processor processor = processor();
        int caches = 0;
        for (int i = 0; i < 8; i++) {
            Path directory = Path.of("/sys/devices/system/cpu/cpu0/cache/index" + i);
            if (!Files.exists(directory)
                    || Files.readString(directory.resolve("type")).startsWith("Instruction")) {
                continue;
            }
            int level = Integer.parseInt(
                    Files.readString(directory.resolve("level")).trim());
            String size = Files.readString(directory.resolve("size")).trim();
            assertThat(size).endsWith("K");
            assertThat(processor.cacheBytes(level))
                    .isEqualTo(1024 * Long.parseLong(size.substring(0, size.length() - 1)));
            caches++;
        }
        assumeTrue(caches > 0, "the kernel lists no caches");
        assertThat(processor.caches()).hasSize(caches);
    }

    @Test
    void saysWhatIsMissing() {
        Processor old = new Processor("V", "B", EnumSet.of(Feature.BASE, Feature.AVX), List.of());
        assertThat(old.supports(EnumSet.of(Feature.BASE))).isTrue();
        assertThat(old.supports(EnumSet.of(Feature.AVX, Feature.AVX2))).isFalse();
        assertThat(old.missing(EnumSet.of(Feature.AVX, Feature.AVX2))).containsExactly(Feature.AVX2);
        assertThat(old.cacheBytes(1)).isZero();
        assertThat(old.requestTiles())
                .get()
                .extracting(Refusal::reason)
                .asString()
                .contains("no AMX tiles");
    }

    @Test
    void peaksAreMeasured() {
        Processor processor = processor();
        MeasuredPeaks.Peak peak =
                MeasuredPeaks.measure(processor, MeasuredPeaks.Work.FP32, 1).orElseThrow();
        // Any processor with vectors that can run at all: 1 to 1,000 GFLOP/s for a thread.
        assertThat(peak.alone()).isBetween(1.0, 1000.0);
        assertThat(peak.together()).isBetween(1.0, 1000.0);
        Processor old = new Processor("V", "B", EnumSet.of(Feature.BASE), List.of());
        assertThat(MeasuredPeaks.measure(old, 1)).isEmpty();
    }
}
