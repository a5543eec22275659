package dev.puna.training;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.data.shard.TokenShardWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What {@code --dry-run} tells, against what a process really takes. */
class MemoryNeedTest {
    /** {@code Other (reserved=…, committed=…)} and, on the next line, {@code (malloc=… tag=Other #7) (peak=… #23)}. */
    private static final Pattern PEAK = Pattern.compile("malloc=(\\d+) tag=Other #\\d+\\) \\((?:peak=(\\d+)|at peak)");

    @TempDir
    Path directory;

    /**
     * Within 5 %, what the kernels pack included: the most that the JVM counted off its heap (native memory tracking, "Other") in a run of three steps and
     * two checkpoints. What the process takes beside that, for its heap and for compiled code, does not depend on the
     * recipe.
     */
    @ParameterizedTest
    @ValueSource(strings = {"everything", "linear-outputs", "layer-inputs"})
    void thePeakIsWhatTheDryRunSays(String keep) throws IOException, InterruptedException {
        try (TokenShardWriter writer = new TokenShardWriter(directory.resolve("train"), 500)) {
            writer.add(new Random(1).ints(9_000, 0, 500).toArray());
        }
        String yaml = """
                steps: 3
                output: %s
                keep: %s
                model: {vocabularySize: 500, width: 256, layerCount: 8, headCount: 4, kvHeadCount: 4,
                        feedForwardWidth: 688, contextLength: 128}
                data: {sources: [{name: a, shards: [%s], weight: 1}], sequenceLength: 128}
                batch: {sequences: 4, microSequences: 4}
                schedule: {warmupSteps: 1}
                checkpoints: {every: 2}
                """.formatted(directory.resolve("run"), keep, directory.resolve("train"));
        Path file = directory.resolve("memory.yaml");
        Files.writeString(file, yaml);
        Path log = directory.resolve("memory.log");
        List<String> command = TrainerChild.command(file);
        command.addAll(
                1,
                List.of(
                        "-XX:NativeMemoryTracking=summary",
                        "-XX:+UnlockDiagnosticVMOptions",
                        "-XX:+PrintNMTStatistics"));
        Process child = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        try {
            assertThat(child.waitFor(10, TimeUnit.MINUTES)).isTrue();
        } finally {
            child.destroyForcibly();
        }
        String told = Files.readString(log);
        assertThat(child.exitValue()).as(told).isZero();
        Recipe.MemoryNeed need = Recipe.parse(yaml, List.of()).memory().stream()
                .filter(one -> one.keep().equals(keep))
                .findFirst()
                .orElseThrow();
        assertThat((double) peak(told) / need.total()).as(told + need).isBetween(0.95, 1.05);
    }

    private static long peak(String told) {
        Matcher matcher = PEAK.matcher(told);
        if (!matcher.find()) {
            throw new AssertionError(told);
        }
        return Long.parseLong(matcher.group(2) == null ? matcher.group(1) : matcher.group(2));
    }
}
