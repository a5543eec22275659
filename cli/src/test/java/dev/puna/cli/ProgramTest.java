package dev.puna.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class ProgramTest {
    static List<VerbEntry> verbs() {
        return VerbEntry.ALL;
    }

    @Test
    void helpListsTheVerbsInTheOrderOfTheWay() {
        Session session = Session.of("--help");
        assertThat(session.status()).isZero();
        assertThat(session.err()).isEmpty();
        List<Integer> places = VerbEntry.ALL.stream()
                .map(verb -> session.out().indexOf("  " + verb.words() + " "))
                .toList();
        assertThat(places).isSorted().allMatch(place -> place >= 0);
    }

    @ParameterizedTest
    @MethodSource("verbs")
    void everyVerbHasHelpWithExamplesThatBeginWithItself(VerbEntry verb) {
        String[] words = (verb.words() + " --help").split(" ");
        Session session = Session.of(words);
        assertThat(session.status()).isZero();
        assertThat(session.out())
                .startsWith("Usage: puna " + verb.words())
                .contains("Examples:\n")
                .contains("\n  puna " + verb.words());
        assertThat(session.out().lines()).allMatch(line -> line.length() <= 100, "fits a terminal");
    }

    @Test
    void withoutAVerbTheHelpGoesToStandardError() {
        Session session = Session.of();
        assertThat(session.status()).isEqualTo(2);
        assertThat(session.out()).isEmpty();
        assertThat(session.err()).startsWith("Usage: puna VERB");
    }

    @Test
    void aMistypedVerbIsRefusedWithASuggestion() {
        Session session = Session.of("docter");
        assertThat(session.status()).isEqualTo(2);
        assertThat(session.err())
                .isEqualTo("puna: unknown verb 'docter'; did you mean 'doctor'? (puna --help lists them)\n");
    }

    @Test
    void versionNamesPunaAndJava() {
        assertThat(Session.of("--version").out()).matches("puna \\d+\\.\\d+\\.\\d+ \\(Java 25.*\\)\n");
    }

    @Test
    void theTinyModelNeedsANameThatCanBeWritten(@TempDir Path directory) throws IOException {
        Session session = Session.of("--tiny");
        assertThat(session.status()).isEqualTo(2);
        assertThat(session.err()).isEqualTo("puna: --tiny: needs the name of one file\n");
        Path file = Files.writeString(directory.resolve("file"), "");
        session = Session.of("--tiny", file.resolve("below.gguf").toString());
        assertThat(session.status()).isPositive();
        assertThat(session.err()).startsWith("puna: ").contains("file").doesNotContain("internal error");
        assertThat(session.err().lines()).hasSize(1);
    }

    @Test
    void aPortThatIsNoneIsRefused() {
        Session session = Session.of("train", "none.yaml", "--watch", "70000");
        assertThat(session.status()).isEqualTo(2);
        assertThat(session.err()).contains("--watch: must be at most 65535, found 70000");
    }

    @Test
    void anUnknownTierIsRefusedByName() {
        Session session = Session.of("doctor", "--kernels", "quantum");
        assertThat(session.status()).isEqualTo(2);
        assertThat(session.err()).startsWith("puna: kernels=quantum: use one of: auto");
        assertThat(session.err().lines()).hasSize(1);
    }
}
