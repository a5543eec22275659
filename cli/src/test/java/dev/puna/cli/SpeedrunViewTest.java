package dev.puna.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.speedrun.Stage;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

final class SpeedrunViewTest {
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private Terminal terminal(boolean interactive, int columns) {
        PrintStream stream = new PrintStream(err, true, StandardCharsets.UTF_8);
        return new Terminal(InputStream.nullInputStream(), stream, stream, false, interactive, interactive, columns);
    }

    private static String working(int width) {
        return SpeedrunView.working(Stage.PRETRAIN, 0.5, "loss 2.429  29.5 K tokens/s  MFU 7.1 %", 300, width);
    }

    @Test
    void theLineOfTheStageAtWorkFitsTheTerminalAndSaysHowLongStill() {
        assertThat(working(200)).contains("[########........]").endsWith("5:00 left");
        assertThat(working(79)).hasSizeLessThanOrEqualTo(79);
        assertThat(working(68)).doesNotContain("[").endsWith("5:00 left");
        assertThat(working(40)).hasSize(40);
    }

    @Test
    void aLongLineIsBrokenAtSpacesAndGoesOnFurtherIn() {
        String line = "pretrain     8:46  88 %  15.5 M tokens, loss 2.429, 29.5 K tokens/s, MFU 7.1 %";
        assertThat(SpeedrunView.wrapped(line, 80, 25)).isEqualTo(line);
        assertThat(SpeedrunView.wrapped(line, 60, 25).lines())
                .allSatisfy(piece -> assertThat(piece).hasSizeLessThanOrEqualTo(60))
                .satisfies(pieces -> assertThat(pieces.get(1)).matches(" {25}\\S.*"));
        assertThat(SpeedrunView.wrapped(line, 60, 25).replaceAll("\\s+", " ")).isEqualTo(line.replaceAll("\\s+", " "));
        assertThat(SpeedrunView.wrapped("x".repeat(100), 60, 25)).hasSize(100); // a path: there is nowhere to break it
    }

    @Test
    void aFileGetsWholeLinesWithoutControlCodes() {
        try (SpeedrunView view = new SpeedrunView(terminal(false, 80), 1, false)) {
            view.begins(Stage.CLEAN);
            for (int i = 0; i < 1000; i++) {
                view.progress(Stage.CLEAN, i / 1000.0, "documents");
            }
            view.done(Stage.CLEAN, 3, "13 documents", false);
            view.done(Stage.TOKENS, 3, "13 tokens", true);
        }
        assertThat(err.toString(StandardCharsets.UTF_8)).isEqualToNormalizingNewlines("""
                        clean       3.0 s   5 %  13 documents
                        tokens      3.0 s   5 %  13 tokens (before)
                        """);
    }

    @Test
    void aTerminalsLineIsTakenAwayBeforeTheNext() throws InterruptedException {
        try (SpeedrunView view = new SpeedrunView(terminal(true, 80), 1, false)) {
            Thread.sleep(250); // it is drawn five times a second at most
            view.progress(Stage.CLEAN, 0.5, "documents");
            view.done(Stage.CLEAN, 3, "13 documents", false);
        }
        assertThat(err.toString(StandardCharsets.UTF_8))
                .startsWith("\rclean     [")
                .contains("\r\u001b[Kclean       3.0 s   5 %  13 documents");
    }

    @Test
    void whatAModelWritesDoesNotCommandTheTerminal() {
        assertThat(SpeedrunVerb.printable("a\u001b[2J\r\tb\n\u0007é")).isEqualTo("a\ufffd[2J\ufffd\tb\n\ufffdé");
    }
}
