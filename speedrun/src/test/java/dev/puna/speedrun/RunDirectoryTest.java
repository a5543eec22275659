package dev.puna.speedrun;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class RunDirectoryTest {
    @TempDir
    Path folder;

    @Test
    void stampsAndNotesOutliveTheProcess() throws IOException {
        try (RunDirectory first = RunDirectory.open(folder, "a\n")) {
            first.stamp(Stage.PRETRAIN, 12.5, "fine", new Pretraining.Result(10, 20, 1.5, 1.6, 2000, 0.1, 12));
            first.keepNotes(Stage.PRETRAIN, new Pretraining.Progress(7, 3.5, 0, 0));
        }
        try (RunDirectory again = RunDirectory.open(folder, "a\n")) {
            RunDirectory.Done<Pretraining.Result> done =
                    again.done(Stage.PRETRAIN, Pretraining.Result.class).orElseThrow();
            assertThat(done.seconds()).isEqualTo(12.5);
            assertThat(done.result().validationLoss()).isEqualTo(1.6);
            assertThat(again.notes(Stage.PRETRAIN, Pretraining.Progress.class))
                    .contains(new Pretraining.Progress(7, 3.5, 0, 0));
            assertThat(again.done(Stage.EXPORT, Speedrun.Written.class)).isEmpty();
        }
    }

    @Test
    void anotherRunIsNotMixedIntoIt() throws IOException {
        RunDirectory.open(folder, "corpus a\n").close();
        assertThatExceptionOfType(ConfigurationException.class)
                .isThrownBy(() -> RunDirectory.open(folder, "corpus b\n"))
                .withMessageContaining("corpus a")
                .withMessageContaining("--out DIR");
        RunDirectory.open(folder, "corpus a\n").close(); // the refusal has given the lock back
    }

    @Test
    void twoAtATimeAreRefused() throws IOException {
        try (RunDirectory first = RunDirectory.open(folder, "a\n")) {
            assertThat(first.root()).isEqualTo(folder);
            assertThatExceptionOfType(ConfigurationException.class)
                    .isThrownBy(() -> RunDirectory.open(folder, "a\n"))
                    .withMessageContaining("at work");
        }
    }

    @Test
    void aDamagedStampSaysWhichFileToRemove() throws IOException {
        try (RunDirectory directory = RunDirectory.open(folder, "a\n")) {
            Files.writeString(folder.resolve("stamps/export.json"), "{\"seconds\":");
            assertThatExceptionOfType(ConfigurationException.class)
                    .isThrownBy(() -> directory.done(Stage.EXPORT, Speedrun.Written.class))
                    .withMessageContaining("export.json")
                    .withMessageContaining("remove it");
        }
    }

    @Test
    void aPlaceThatCannotBeWrittenIsRefusedWithWhatToDo() throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "");
        assertThatExceptionOfType(ConfigurationException.class)
                .isThrownBy(() -> RunDirectory.open(file.resolve("below"), "a\n"))
                .withMessageContaining("--out");
    }

    @Test
    void aFileAndAFolderOfOtherThingsAreLeftAlone() throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "");
        assertThatExceptionOfType(ConfigurationException.class)
                .isThrownBy(() -> RunDirectory.open(file, "a\n"))
                .withMessageContaining("is a file");
        assertThatExceptionOfType(ConfigurationException.class)
                .isThrownBy(() -> RunDirectory.open(folder, "a\n"))
                .withMessageContaining("holds other things (file)")
                .withMessageContaining("--out DIR");
        assertThat(folder.resolve("stamps")).doesNotExist();
        Files.delete(file);
        RunDirectory.open(folder, "a\n").close();
    }
}
