package dev.puna.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.puna.data.shard.TokenShardWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What {@code --dry-run} tells, against what a process really takes. */
class MemoryNeedTest {
    @TempDir
    Path directory;

    /**
     * Within 5 %: what the process has beyond its state before the run. The heap is held small, so that what is measured
     * is memory off the heap; what is left are the kernels' packed panels and compiled code.
     */
    @Tag("slow")
    @ParameterizedTest
    @ValueSource(strings = {"everything", "linear-outputs", "layer-inputs"})
    void thePeakIsWhatTheDryRunSays(String keep) throws IOException, InterruptedException {
        assumeTrue(Files.isReadable(Path.of("/proc/self/status")));
        try (TokenShardWriter writer = new TokenShardWriter(directory.resolve("train"), 2000)) {
            writer.add(new Random(1).ints(20_000, 0, 2000).toArray());
        }
        String yaml = """
                steps: 2
                output: %s
                keep: %s
                model: {vocabularySize: 2000, width: 384, layerCount: 6, headCount: 6, kvHeadCount: 6,
                        feedForwardWidth: 1024, contextLength: 256}
                data: {sources: [{name: a, shards: [%s], weight: 1}], sequenceLength: 256}
                batch: {sequences: 16, microSequences: 16}
                schedule: {warmupSteps: 1}
                """.formatted(directory.resolve("run"), keep, directory.resolve("train"));
        Path file = directory.resolve("memory.yaml");
        Files.writeString(file, yaml);
        Path log = directory.resolve("memory.log");
        List<String> command = TrainerChild.command(file);
        command.addAll(1, List.of("-Xmx96m", "-XX:+UseSerialGC"));
        Process child = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        assertThat(child.waitFor(300, TimeUnit.SECONDS)).isTrue();
        String told = Files.readString(log);
        String[] numbers = told.lines()
                .filter(line -> line.startsWith("memory "))
                .findFirst()
                .orElseThrow(() -> new AssertionError(told))
                .split(" ");
        double before = Double.parseDouble(numbers[1]);
        double peak = Double.parseDouble(numbers[2]);
        Recipe.MemoryNeed need = Recipe.parse(yaml, List.of()).memory().stream()
                .filter(one -> one.keep().equals(keep))
                .findFirst()
                .orElseThrow();
        assertThat((peak - before) / need.total()).as(told + need).isBetween(0.95, 1.05);
    }
}
