package dev.puna.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.puna.kernels.Kernels;
import dev.puna.model.ParameterStore;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.AbstractMap;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Kills, full disks, damage, and recipes that changed. */
class CheckpointStoreTest {
    @TempDir
    Path directory;

    private ThreadTeam team;
    private Kernels kernels;

    @BeforeEach
    void open() throws IOException {
        team = new ThreadTeam("checkpoints", 2);
        kernels = Kernels.open("vector", team);
        TrainerTest.writeShard(directory.resolve("train"), 40);
        TrainerTest.writeShard(directory.resolve("held"), 6);
    }

    @AfterEach
    void close() {
        kernels.close();
        team.close();
    }

    private Recipe recipe(String output, String... settings) throws IOException {
        return Recipe.parse(TrainerTest.yaml(directory, output), List.of(settings));
    }

    private static List<StepReport> run(Trainer trainer) throws IOException {
        List<StepReport> reports = new ArrayList<>();
        trainer.run(Optional.empty(), reports::add);
        return reports;
    }

    private static List<float[]> weights(Trainer trainer) {
        return trainer.parameters().parameters().stream()
                .map(ParameterStore.Parameter::weight)
                .map(Tensor::toFloats)
                .toList();
    }

    private static void assertSame(List<float[]> found, List<float[]> expected) {
        for (int i = 0; i < expected.size(); i++) {
            assertThat(Arrays.equals(found.get(i), expected.get(i)))
                    .as("parameter " + i)
                    .isTrue();
        }
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.map(p -> p.getFileName().toString()).sorted().toList();
        }
    }

    private void complete(Recipe recipe) throws IOException {
        try (Trainer trainer = Trainer.begin(recipe, kernels)) {
            run(trainer);
        }
    }

    /** An OutOfMemoryError of the writing thread does not pass for a checkpoint. */
    @Test
    void tellsErrorsOfTheWritingThread() throws IOException {
        Recipe recipe = recipe("error");
        Map<String, Long> tokens = new AbstractMap<>() {
            @Override
            public Set<Entry<String, Long>> entrySet() {
                throw new OutOfMemoryError("no heap for this");
            }
        };
        try (Trainer trainer = Trainer.begin(recipe, kernels)) {
            CheckpointStore store = new CheckpointStore(recipe, Optional.empty(), tokens, 0);
            store.save(trainer.parameters(), trainer.state());
            assertThatThrownBy(store::await).isInstanceOf(IOException.class).hasMessageContaining("no heap for this");
            store.close();
        }
        assertThat(names(directory.resolve("error/checkpoints"))).isEmpty();
    }

    // ---------------------------------------------------------------------------------------------- damage

    @ParameterizedTest
    @ValueSource(
            strings = {
                "trainer/optimizer.safetensors",
                "model.safetensors",
                "config.json",
                "trainer/state.json",
                "trainer/recipe.yaml"
            })
    void oneFlippedBitIsNamedAndTheCheckpointBeforeOffered(String name) throws IOException {
        Recipe recipe = recipe("damaged");
        complete(recipe);
        Path file = CheckpointStore.complete(recipe).getLast().resolve(name);
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length / 2] ^= 1;
        Files.write(file, bytes);
        assertThatThrownBy(() -> Trainer.resume(recipe, kernels, Optional.empty()))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining(name)
                .hasMessageContaining("SHA-256")
                .hasMessageContaining("step-00000008");
        Path before = CheckpointStore.complete(recipe).getFirst();
        try (Trainer trainer = Trainer.resume(recipe, kernels, Optional.of(before))) {
            assertThat(trainer.state().step()).isEqualTo(8);
            run(trainer);
        }
        // The damaged one is nobody's future any more, and nothing is thrown away.
        assertThat(names(CheckpointStore.directory(recipe)))
                .containsExactly("abandoned-step-00000012", "step-00000008", "step-00000012");
    }

    @Test
    void aMissingFileIsNamed() throws IOException {
        Recipe recipe = recipe("missing");
        complete(recipe);
        Path last = CheckpointStore.complete(recipe).getLast();
        Files.delete(last.resolve("trainer/optimizer.safetensors"));
        assertThatThrownBy(() -> Trainer.resume(recipe, kernels, Optional.empty()))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("trainer/optimizer.safetensors is missing");
        Files.delete(last.resolve("trainer/checksums.json"));
        assertThatThrownBy(() -> Trainer.resume(recipe, kernels, Optional.empty()))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("trainer/checksums.json");
        assertThatThrownBy(() -> Trainer.resume(recipe, kernels, Optional.of(directory.resolve("nowhere"))))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("nowhere");
    }

    // ----------------------------------------------------------------------------------------------- kills

    private Process child(String log, List<String> command) throws IOException {
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve(log).toFile())
                .start();
    }

    /** A child process killed with -9 again and again, wherever it is, ends with the bits of an undisturbed run. */
    @Tag("slow")
    @Test
    void survivesKills() throws IOException, InterruptedException {
        String[] settings = {"steps=60", "checkpoints.every=1"};
        List<float[]> expected;
        try (Trainer whole = Trainer.begin(recipe("calm", settings), kernels)) {
            run(whole);
            expected = weights(whole);
        }
        Path file = directory.resolve("killed.yaml");
        Files.writeString(file, TrainerTest.yaml(directory, "killed"));
        for (int kill = 0; kill < 3; kill++) {
            Process child = child("child.log", TrainerChild.command(file, settings));
            long wanted = 5L + 13 * kill;
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
            while (child.isAlive() && System.nanoTime() < deadline && lastStep() < wanted) {
                Thread.sleep(3);
            }
            child.destroyForcibly().waitFor();
        }
        try (Trainer rest = Trainer.resume(recipe("killed", settings), kernels, Optional.empty())) {
            assertThat(rest.state().step()).isBetween(5L, 60L);
            run(rest);
            assertSame(weights(rest), expected);
        }
    }

    private long lastStep() throws IOException {
        Path checkpoints = directory.resolve("killed/checkpoints");
        if (!Files.isDirectory(checkpoints)) {
            return 0;
        }
        return names(checkpoints).stream()
                .filter(name -> name.startsWith("step-"))
                .mapToLong(name -> Long.parseLong(name.substring(5)))
                .max()
                .orElse(0);
    }

    /** What a kill in the middle of a write leaves has no checkpoint's name, and goes when the run goes on. */
    @Test
    void halfACheckpointIsNone() throws IOException {
        Recipe recipe = recipe("half");
        complete(recipe);
        Path folder = CheckpointStore.directory(recipe);
        Path half = Files.createDirectories(folder.resolve(".step-00000016.incomplete/trainer"));
        Files.writeString(half.resolve("optimizer.safetensors"), "half");
        Recipe longer = recipe("half", "steps=16", "schedule.kind=constant");
        assertThat(CheckpointStore.complete(longer).getLast().getFileName()).hasToString("step-00000012");
        try (CheckpointStore store = new CheckpointStore(recipe, Optional.empty(), java.util.Map.of(), 12)) {
            assertThat(names(folder)).containsExactly("step-00000008", "step-00000012");
            store.await();
        }
    }

    /** Killed between the two renames that replace a checkpoint: the old one gets its name back. */
    @Test
    void aReplacedCheckpointComesBack() throws IOException {
        Recipe recipe = recipe("replaced");
        complete(recipe);
        Path folder = CheckpointStore.directory(recipe);
        Files.move(folder.resolve("step-00000012"), folder.resolve(".step-00000012.replaced"));
        try (Trainer trainer = Trainer.resume(recipe, kernels, Optional.empty())) {
            assertThat(trainer.state().step()).isEqualTo(12);
        }
        assertThat(names(folder)).containsExactly("step-00000008", "step-00000012");
    }

    // ------------------------------------------------------------------------------------------- full disks

    @Test
    void tooLittleSpaceIsToldBeforeTheFirstStep() throws IOException {
        Recipe hungry = recipe(
                "hungry", "steps=100000000000", "checkpoints={every: 1, keepEvery: 1}", "schedule.warmupSteps=0");
        assertThatThrownBy(() -> Trainer.begin(hungry, kernels))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("output=")
                .hasMessageContaining("MiB free")
                .hasMessageContaining("100,000,000,000 checkpoints");
        assertThat(directory.resolve("hungry")).doesNotExist();
    }

    /** The system refuses the bytes of a checkpoint: the run ends in order, and the one before can be resumed. */
    @Test
    void aDiskThatTakesNoMoreStopsTheRunInOrder() throws IOException, InterruptedException {
        assumeTrue(Files.isExecutable(Path.of("/bin/bash")));
        Path file = directory.resolve("full.yaml");
        Files.writeString(file, TrainerTest.yaml(directory, "full"));
        Recipe first = recipe("full", "steps=4", "schedule={kind: constant, lr: 1e-3, warmupSteps: 0}");
        complete(first);
        // No file may become larger than 100 KiB: the weights fit, the moments do not.
        String[] more = {"steps=12", "schedule={kind: constant, lr: 1e-3, warmupSteps: 0}"};
        List<String> command = new ArrayList<>(List.of("/bin/bash", "-c", "ulimit -f 100; exec \"$@\"", "bash"));
        command.addAll(TrainerChild.command(file, more));
        Process child = child("full.log", command);
        assertThat(child.waitFor(120, TimeUnit.SECONDS)).isTrue();
        String log = Files.readString(directory.resolve("full.log"));
        assertThat(child.exitValue()).as(log).isEqualTo(1);
        assertThat(log)
                .contains("the run stopped after step")
                .contains("a checkpoint could not be written")
                .contains("File too large")
                .contains("the last complete checkpoint is")
                .contains("step-00000004");
        // Nothing incomplete takes the space that is missing.
        assertThat(names(CheckpointStore.directory(first))).containsExactly("step-00000004");
        try (Trainer rest = Trainer.resume(recipe("full", more), kernels, Optional.empty())) {
            assertThat(rest.state().step()).isEqualTo(4);
            assertThat(run(rest)).hasSize(8);
        }
    }

    // ------------------------------------------------------------------------------------------ retirement

    @Test
    void keepsTheLastAndEveryMth() throws IOException {
        Recipe recipe = recipe("kept", "checkpoints={every: 1, keepLast: 2, keepEvery: 5}");
        complete(recipe);
        assertThat(names(CheckpointStore.directory(recipe)))
                .containsExactly("step-00000005", "step-00000010", "step-00000011", "step-00000012");
    }

    @Test
    void goingOnFromAnEarlierCheckpointAbandonsTheLaterOnes() throws IOException {
        Recipe recipe = recipe("earlier", "checkpoints={every: 3, keepLast: 9, keepEvery: 0}");
        List<float[]> expected;
        try (Trainer trainer = Trainer.begin(recipe, kernels)) {
            run(trainer);
            expected = weights(trainer);
        }
        Path sixth = CheckpointStore.directory(recipe).resolve("step-00000006");
        try (Trainer trainer = Trainer.resume(recipe, kernels, Optional.of(sixth))) {
            run(trainer);
            assertSame(weights(trainer), expected);
        }
        assertThat(names(CheckpointStore.directory(recipe)))
                .containsExactly(
                        "abandoned-step-00000009",
                        "abandoned-step-00000012",
                        "step-00000003",
                        "step-00000006",
                        "step-00000009",
                        "step-00000012");
    }

    // ---------------------------------------------------------------------------------- recipes that changed

    @ParameterizedTest
    @ValueSource(
            strings = {
                "seed=2",
                "precision=fp32",
                "zLoss=0.1",
                "stochasticRounding=true",
                "model.feedForwardWidth=64",
                "data.documents=ignored",
                "data.sequenceLength=8",
                "optimizer.beta2=0.99",
                "optimizer.weightDecay=0.2",
                "schedule.lr=5e-3",
                "batch.sequences=7",
                "steps=13"
            })
    void whatWouldHaveChangedThePastIsRefused(String setting) throws IOException {
        complete(recipe("past"));
        String field = setting.substring(0, setting.indexOf('='));
        assertThatThrownBy(() -> Trainer.resume(recipe("past", setting), kernels, Optional.empty()))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining(field + ": ")
                .hasMessageContaining(" -> ")
                .hasMessageContaining("were taken with other values");
    }

    @Test
    void whatChangesOnlyTheFutureIsNamedAndTaken() throws IOException {
        String constant = "schedule={kind: constant, lr: 1e-2, warmupSteps: 3}";
        complete(recipe("future", constant));
        String[] settings = {
            constant,
            "steps=20",
            "keep=everything",
            "checkpoints.every=5",
            "guards.patience=4",
            "batch.ramp=[{afterTokens: 400, sequences: 8}, {afterTokens: 5000, sequences: 10}]"
        };
        try (Trainer trainer = Trainer.resume(recipe("future", settings), kernels, Optional.empty())) {
            assertThat(trainer.changes())
                    .anyMatch(c -> c.equals("steps: 12 -> 20"))
                    .anyMatch(c -> c.equals("keep: \"linear-outputs\" -> \"everything\""))
                    .anyMatch(c -> c.startsWith("batch.ramp: "))
                    .hasSize(5);
            assertThat(run(trainer)).hasSize(8);
        }
    }

    /** A warm-up-stable-decay run can be made longer before its decay begins; after that its past would change. */
    @Test
    void aDecayThatBeganCannotBeMoved() throws IOException {
        String wsd = "schedule={kind: wsd, lr: 1e-2, warmupSteps: 2, decaySteps: 6}";
        complete(recipe("wsd", wsd, "checkpoints={every: 6, keepLast: 5}"));
        Path sixth = CheckpointStore.directory(recipe("wsd")).resolve("step-00000006");
        Recipe longer = recipe("wsd", wsd, "steps=20", "checkpoints={every: 6, keepLast: 5}");
        assertThatThrownBy(() -> Trainer.resume(longer, kernels, Optional.empty()))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("steps: 12 -> 20");
        try (Trainer trainer = Trainer.resume(longer, kernels, Optional.of(sixth))) {
            assertThat(run(trainer)).hasSize(14);
        }
    }

    @Test
    void otherDataUnderTheSameNameAreRefused() throws IOException {
        complete(recipe("data"));
        TrainerTest.writeShard(directory.resolve("train"), 41);
        assertThatThrownBy(() -> Trainer.resume(recipe("data"), kernels, Optional.empty()))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("data.sources")
                .hasMessageContaining("when the checkpoint was written");
    }

    /** With a directory of its own a run may begin as a branch of another, under other rules. */
    @Test
    void aBranchMayChangeTheRules() throws IOException {
        Recipe trunk = recipe("trunk");
        complete(trunk);
        Path end = CheckpointStore.complete(trunk).getLast();
        Recipe branch = recipe("branch", "steps=16", "schedule={kind: linear, lr: 1e-3, warmupSteps: 0}");
        try (Trainer trainer = Trainer.resume(branch, kernels, Optional.of(end))) {
            assertThat(trainer.changes()).anyMatch(c -> c.startsWith("schedule.lr: "));
            assertThat(run(trainer)).hasSize(4);
        }
        assertThat(names(CheckpointStore.directory(trunk))).containsExactly("step-00000008", "step-00000012");
        assertThat(names(CheckpointStore.directory(branch))).containsExactly("step-00000016");
        assertThatThrownBy(() -> Trainer.resume(recipe("other", "model.width=64"), kernels, Optional.of(end)))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("another model");
    }
}
