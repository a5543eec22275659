package dev.puna.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** Off a terminal: plain lines, with a clock that the test turns. */
final class ProgressBarTest {
    private static final long SECOND = 1_000_000_000L;

    private final AtomicLong clock = new AtomicLong();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private final Terminal terminal = new Terminal(
            new ByteArrayInputStream(new byte[0]),
            new PrintStream(OutputStream.nullOutputStream()),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            false,
            false,
            false,
            80);

    private ProgressBar bar() {
        return new ProgressBar(terminal, "reading", ProgressBar.Unit.TOKENS, clock::get);
    }

    @Test
    void whatTakesLongEndsWithALine() {
        try (ProgressBar bar = bar()) {
            bar.show("", 0, 100);
            for (int done = 1; done <= 100; done++) {
                clock.addAndGet(SECOND / 4); // 25 s together
                bar.show("", done, 100);
            }
        }
        assertThat(err.toString(StandardCharsets.UTF_8).lines())
                .hasSize(3)
                .last()
                .asString()
                .contains("100 %")
                .contains("100 tokens of 100 tokens");
    }

    @Test
    void whatIsQuickSaysNothing() {
        try (ProgressBar bar = bar()) {
            bar.show("", 0, 100);
            clock.addAndGet(2 * SECOND);
            bar.show("", 100, 100);
        }
        assertThat(err.size()).isZero();
    }
}
