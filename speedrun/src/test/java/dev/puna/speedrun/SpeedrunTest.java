package dev.puna.speedrun;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import tools.jackson.core.exc.JacksonIOException;

final class SpeedrunTest {
    private static final Path OUT = Path.of("my-llama");

    @Test
    void aFullDiskIsToldWithItsStageAndThatTheSameCommandGoesOn() {
        IOException full = new IOException("No space left on device");
        for (Exception failure : new Exception[] {full, JacksonIOException.construct(full)}) {
            assertThatExceptionOfType(IOException.class)
                    .isThrownBy(() -> Speedrun.tried(OUT, Stage.CLEAN, () -> {
                        if (failure instanceof IOException e) {
                            throw e;
                        }
                        throw (JacksonIOException) failure;
                    }))
                    .withMessage(
                            "my-llama, clean: No space left on device; when that is mended, the same command goes on");
        }
    }

    @Test
    void aHeapThatIsTooSmallIsToldWithWhatToDo() {
        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> Speedrun.tried(OUT, Stage.PRETRAIN, () -> {
                    throw new IOException("a checkpoint could not be written", new OutOfMemoryError("Java heap space"));
                }))
                .withMessageContaining("PUNA_JAVA_OPTS=-Xmx256m")
                .withMessageContaining("same command");
    }

    @Test
    void aFailureThatNamesItsFileStaysAsItIs() {
        AccessDeniedException denied = new AccessDeniedException("my-llama/tokens");
        assertThatExceptionOfType(AccessDeniedException.class)
                .isThrownBy(() -> Speedrun.tried(OUT, Stage.TOKENS, () -> {
                    throw denied;
                }))
                .isSameAs(denied);
        assertThat(denied.getFile()).contains("tokens");
    }
}
