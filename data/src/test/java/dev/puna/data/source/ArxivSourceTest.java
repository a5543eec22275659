package dev.puna.data.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.data.Document;
import dev.puna.data.ReadReport;
import dev.puna.data.Samples;
import dev.puna.tensor.CorruptFileException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ArxivSourceTest {
    @TempDir
    Path folder;

    private static String paper(String text) {
        return Latex.paper(Map.of("main.tex", text));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '~', textBlock = """
            \\newcommand{\\R}{\\mathbb{R}}               ~ $x\\in\\R^2$                ~ $x\\in\\mathbb{R}^2$
            \\newcommand\\pair[2]{(#1,#2)}               ~ \\pair{a}{\\pair bc}        ~ (a,(b,c))
            \\newcommand{\\norm}[2][2]{|#2|_{#1}}        ~ \\norm{x}+\\norm[1]{y}      ~ |x|_{2}+|y|_{1}
            \\def\\half#1{\\frac{#1}{2}}                 ~ \\half x                    ~ \\frac{x}{2}
            \\DeclareMathOperator{\\tr}{tr}              ~ \\tr A                      ~ \\operatorname{tr} A
            \\newcommand{\\e}{\\epsilon}                 ~ \\e x, \\eta                ~ \\epsilon x, \\eta
            \\newcommand{\\E}{\\mathbf}                  ~ \\E{x}                      ~ \\mathbf{x}
            \\newcommand{\\a}{\\alpha}                   ~ \\a{}b\\a b                 ~ \\alpha{}b\\alpha b
            \\def\\lp{x\\lp}                             ~ \\lp                        ~ x\\lp
            \\newcommand{\\fix}{\\fixed\\iff}            ~ \\fix                       ~ \\fixed\\iff
            \\newcommand{\\x}{\\if1\\fi}                 ~ \\x                         ~ \\x
            \\newcommand{\\two}[2]{#2#1}                 ~ \\two{a}                    ~ \\two{a}
            """)
    void macrosAreExpanded(String definition, String use, String expected) {
        assertThat(paper(definition + "\n\\section{S}\n" + use)).isEqualTo("\\section{S}\n" + expected);
    }

    @Test
    void beforeTheFirstSectionAndFromTheBibliographyOnAllGoes() {
        String tex =
                "\\documentclass{a}\\title{gone}\n\\begin{document}\nabstract\n\\section*{One} text 50\\% % comment\n"
                        + "  % a whole line\nmore\n\\begin{verbatim}\n% stays\n\\end{verbatim}\n\\begin{comment}\ngone\n\\end{comment}"
                        + "\\appendixname\n\\subsection{Two}\nx\n\\begin{thebibliography}{9}\\bibitem{a} gone";
        assertThat(paper(tex))
                .isEqualTo(
                        "\\section*{One} text 50\\%\nmore\n\\begin{verbatim}\n% stays\n\\end{verbatim}\n\\appendixname\n"
                                + "\\subsection{Two}\nx");
        assertThat(paper("no section here \\sectionmark{x}")).isEmpty();
    }

    @Test
    void aFileAndATarOfFilesAreOnePaper() throws IOException {
        Path tex = Files.writeString(folder.resolve("paper.tex"), "\\section{S} text of \\LaTeX");
        assertThat(read(tex)).singleElement().satisfies(document -> {
            assertThat(document.id()).isEqualTo("paper");
            assertThat(document.text()).startsWith("\\section{S}");
        });
        Path tar = folder.resolve("2302.13971.tar.gz");
        try (TarArchiveOutputStream out =
                new TarArchiveOutputStream(new GZIPOutputStream(Files.newOutputStream(tar)))) {
            for (Map.Entry<String, String> file : Map.of(
                            "main.tex",
                            "\\begin{document}\\section{S}\\input{two}",
                            "two.tex",
                            "text of two",
                            "a.png",
                            "x")
                    .entrySet()) {
                byte[] bytes = file.getValue().getBytes(java.nio.charset.StandardCharsets.UTF_8);
                TarArchiveEntry entry = new TarArchiveEntry(file.getKey());
                entry.setSize(bytes.length);
                out.putArchiveEntry(entry);
                out.write(bytes);
                out.closeArchiveEntry();
            }
        }
        assertThat(read(tar))
                .singleElement()
                .satisfies(document -> assertThat(document.text()).isEqualTo("\\section{S}text of two"));
    }

    private static List<Document> read(Path path) throws IOException {
        List<Document> all = new ArrayList<>();
        new ArxivSource(Fidelity.PAPER).read(Split.whole(path), all::add, new ReadReport());
        return all;
    }

    @Test
    void includedFilesStandInTheirPlaces() {
        Map<String, String> files = new java.util.LinkedHashMap<>();
        files.put("a/one.tex", "text of one \\m\n");
        files.put(
                "main.tex",
                "\\begin{document}\n\\section{S}\n\\input{a/one}\\input{./two.tex}\\input{main}\\end{document} gone");
        files.put("two.tex", "\\newcommand{\\m}{MACRO}text of two\n");
        files.put("unused.tex", "\\section{U} unused");
        assertThat(Latex.paper(files)).isEqualTo("\\section{S}\ntext of one MACRO\ntext of two\n\n\\section{U} unused");
    }

    @Test
    void macrosThatGrowWithoutEndStayBounded() {
        StringBuilder tex = new StringBuilder("\\newcommand{\\a}{xxxxxxxxxxxxxxxxxxxx}\n");
        for (char c = 'b'; c <= 'p'; c++) {
            String previous = "\\" + (char) (c - 1);
            tex.append("\\newcommand{\\")
                    .append(c)
                    .append("}{")
                    .append(previous.repeat(10))
                    .append("}\n");
        }
        tex.append("\\section{S}\n").append("\\p ".repeat(1000));
        Assertions.assertTimeoutPreemptively(Duration.ofSeconds(10), () -> {
            assertThat(paper(tex.toString()).length()).isLessThan(4 << 20);
        });
        Assertions.assertTimeoutPreemptively(Duration.ofSeconds(10), () -> {
            paper("\\section{S}" + "{".repeat(200_000));
            paper("\\newcommand{\\q}[1]{#1}\\section{S}" + "\\q{".repeat(20_000));
            paper("\\section{S}" + "\\input{".repeat(100_000));
            paper("\\section".repeat(100_000));
        });
    }

    private static byte[] gzip(byte[] bytes) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (OutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(bytes);
        }
        return out.toByteArray();
    }

    private static byte[] tar(Map<String, byte[]> files) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(out)) {
            for (Map.Entry<String, byte[]> file : files.entrySet()) {
                TarArchiveEntry entry = new TarArchiveEntry(file.getKey(), true);
                entry.setSize(file.getValue().length);
                tar.putArchiveEntry(entry);
                tar.write(file.getValue());
                tar.closeArchiveEntry();
            }
        }
        return out.toByteArray();
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void archivesOfArchives() throws IOException {
        Map<String, byte[]> members = new java.util.LinkedHashMap<>();
        members.put("2301/2301.00001.gz", gzip(utf8("\\section{Single} one file")));
        members.put(
                "../../../hep-th9901001.gz",
                gzip(tar(Map.of("../../evil.tex", utf8("\\section{Tar} in a tar"), "fig.eps", new byte[100]))));
        members.put("2301/2301.00002.pdf", new byte[10]);
        members.put("2301/2301.00003.gz", utf8("not gzip at all"));
        members.put("2301/2301.00004.gz", gzip(new byte[64 << 20]));
        members.put(
                "2301/2301.00005.gz",
                gzip(new byte[] {'\\', 's', 'e', 'c', 't', 'i', 'o', 'n', '{', (byte) 0xe9, '}'}));
        members.put("2301/2301.00006.gz", gzip(utf8("no sections")));
        byte[] cut = gzip(utf8("\\section{x}".repeat(1000)));
        members.put("2301/2301.00007.gz", java.util.Arrays.copyOf(cut, cut.length / 2));
        Path file = folder.resolve("arXiv_src_2301_001.tar");
        Files.write(file, tar(members));
        List<Document> all = new ArrayList<>();
        ReadReport report = new ReadReport();
        new ArxivSource(Fidelity.PAPER).read(Split.whole(file), all::add, report);
        assertThat(all).extracting(Document::id).containsExactly("2301.00001", "hep-th/9901001", "2301.00005");
        assertThat(all.get(1).text()).isEqualTo("\\section{Tar} in a tar");
        assertThat(all.get(2).text()).isEqualTo("\\section{é}");
        assertThat(report.brokenCount()).isEqualTo(3);
        assertThat(report.broken().get(1).problem()).contains("bomb");
        assertThat(report.skipped())
                .containsEntry("no section", 1L)
                .containsEntry("member that is neither .gz nor .tex", 1L);
        try (var list = Files.list(folder)) {
            assertThat(list).containsExactly(file);
        }
        ReadReport strict = new ReadReport();
        new ArxivSource(Fidelity.COMPAT).read(Split.whole(file), d -> {}, strict);
        assertThat(strict.skipped()).containsEntry("not UTF-8", 1L);
        byte[] whole = Files.readAllBytes(file);
        Files.write(file, java.util.Arrays.copyOf(whole, 700));
        assertThatThrownBy(() -> new ArxivSource(Fidelity.PAPER).read(Split.whole(file), d -> {}, new ReadReport()))
                .isInstanceOf(CorruptFileException.class);
    }

    @Test
    void aRealBook() throws IOException {
        Path book = Samples.of("arxiv");
        List<Document> all = new ArrayList<>();
        new ArxivSource(Fidelity.PAPER).read(Split.whole(book), all::add, new ReadReport());
        assertThat(all).hasSize(1);
        String text = all.getFirst().text();
        assertThat(text.startsWith("\\part{Foundations}")).isTrue();
        for (String there : List.of("The central new idea in homotopy type theory", "\\textbf{$k$-morphism}")) {
            assertThat(text.contains(there)).as(there).isTrue();
        }
        for (String gone : List.of("\\jdeq", "\\newcommand{\\cA}", "\\define{")) {
            assertThat(text.contains(gone)).as(gone).isFalse();
        }
        assertThat(text.length()).isBetween(600_000, 1_500_000);
    }
}
