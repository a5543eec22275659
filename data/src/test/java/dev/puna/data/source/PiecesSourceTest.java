package dev.puna.data.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.puna.data.Document;
import dev.puna.data.ReadReport;
import dev.puna.data.pipeline.Recipe;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PiecesSourceTest {
    @TempDir
    Path folder;

    private static List<Document> read(DocumentSource source, Path path, ReadReport report) throws IOException {
        List<Document> all = new ArrayList<>();
        source.read(Split.whole(path), all::add, report);
        return all;
    }

    private List<Document> pieces(String text, int chars) throws IOException {
        Path file = Files.writeString(folder.resolve("a.txt"), text);
        ReadReport report = new ReadReport();
        List<Document> pieces = read(new PiecesSource(new BooksSource(), chars), file, report);
        assertThat(pieces.stream().map(Document::text).collect(Collectors.joining()))
                .isEqualTo(text.strip());
        assertThat(report.documents()).isEqualTo(pieces.size());
        assertThat(report.textBytes())
                .isEqualTo(pieces.stream().mapToLong(Document::utf8Length).sum());
        assertThat(pieces.stream().map(Document::id)).doesNotHaveDuplicates();
        return pieces;
    }

    @Test
    void aLongTextIsCutBehindParagraphsElseLinesElseWordsElseAnywhereAndNothingIsLost() throws IOException {
        String line = "some words of a line\n";
        assertThat(pieces((line.repeat(5) + "\n").repeat(40), 300))
                .hasSizeGreaterThan(10)
                .allSatisfy(piece -> assertThat(piece.text().length()).isLessThanOrEqualTo(450))
                .satisfies(all -> assertThat(all.getFirst().text()).endsWith("\n\n"));
        assertThat(pieces(line.repeat(100), 300).getFirst().text()).endsWith("line\n");
        assertThat(pieces("word ".repeat(400), 300).getFirst().text()).endsWith("word ");
        assertThat(pieces("x" + "😀".repeat(400), 300)) // 😀 is two chars: no cut within
                .allSatisfy(piece -> assertThat(piece.text()).doesNotContain("\ufffd"))
                .satisfies(all -> assertThat(all.getFirst().text()).hasSize(299));
    }

    @Test
    void aShortTextStaysOne() throws IOException {
        assertThat(pieces("x".repeat(450), 300))
                .hasSize(1)
                .first()
                .satisfies(piece -> assertThat(piece.id()).isEqualTo("a.txt"));
        assertThat(pieces("x".repeat(451), 300)).hasSize(2);
    }

    @Test
    void aRecipeAsksForIt() throws IOException {
        Path file = Files.writeString(folder.resolve("b.txt"), "a few words\n".repeat(1000));
        DocumentSource source = Recipe.of("source: {kind: text, pieces: 1000}", folder, List.of(file.toString()))
                .source();
        assertThat(source.name()).isEqualTo("text");
        assertThat(read(source, file, new ReadReport())).hasSize(12);
        assertThatExceptionOfType(ConfigurationException.class)
                .isThrownBy(() -> Recipe.of("source: {kind: text, pieces: few}", folder, List.of(file.toString())))
                .withMessageContaining("pieces");
    }

    @Test
    void textFilesOfAFolderAreToldApart() throws IOException {
        for (String name : List.of("one/x.txt", "two/x.TXT", "two/x.png")) {
            Files.createDirectories(folder.resolve("tree").resolve(name).getParent());
            Files.writeString(folder.resolve("tree").resolve(name), "words of " + name);
        }
        assertThat(read(new TextSource(), folder.resolve("tree"), new ReadReport()))
                .extracting(Document::id)
                .containsExactly("one/x.txt:0", "two/x.TXT:0");
    }
}
