package dev.puna.cli;

import java.io.ByteArrayInputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * What the launcher runs once after a build, so that the JVM sees which classes the verbs load and keeps them ready: the
 * ways that a person goes most often, on something small, with the output thrown away.
 */
final class Rehearsal {
    private Rehearsal() {}

    static int run() {
        Terminal nowhere = new Terminal(
                new ByteArrayInputStream(new byte[0]),
                new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8),
                new PrintStream(System.err, true, StandardCharsets.UTF_8),
                false,
                false,
                false,
                80);
        int worst = Program.OK;
        for (List<String> words : List.of(List.of("--help"), List.of("doctor", "--help"))) {
            worst = Math.max(worst, new Program(nowhere).run(words.toArray(String[]::new)));
        }
        return worst;
    }
}
