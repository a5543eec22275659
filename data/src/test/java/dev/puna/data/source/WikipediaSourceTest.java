package dev.puna.data.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.data.Document;
import dev.puna.data.ReadReport;
import dev.puna.data.Samples;
import dev.puna.tensor.CorruptFileException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorOutputStream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class WikipediaSourceTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource(delimiter = '@', quoteCharacter = '~', textBlock = """
            A [[b]] c                                            @ A b c
            A [[b|shown]]s c                                     @ A showns c
            ~'''Bold''' and ''it'' and '''''both'''''~           @ Bold and it and both
            x{{t|a={{u}}|b=[[c]]}}y                              @ xy
            [[File:a.jpg|thumb|A [[cat]] sits]]Text              @ Text
            Text[[Category:Cats| ]][[fr:Chat]]                   @ Text
            See [[:Category:Cats]]                               @ See Category:Cats
            [[Mercury (planet)|]] is hot                         @ Mercury is hot
            [http://a.b/c the site] and [http://d.e]             @ the site and
            a<ref name="x">gone</ref>b<ref name=y />c            @ abc
            a<!-- gone [[ {{ -->b                                @ ab
            <nowiki>[[raw]] {{x}}</nowiki>                       @ [[raw]] {{x}}
            1 &lt; 2 &amp; 3&nbsp;km                             @ 1 < 2 & 3 km
            __NOTOC__x                                           @ x
            <math>x^2</math>f <sub>2</sub>                       @ f 2
            open {{never closed [[ and on                        @ open never closed and on
            a }} b ]] c |} d                                     @ a }} b ]] c |} d
            name ({{lang|grc|x}}; born 1900)                     @ name (born 1900)
            name ({{lang|grc|x}}) is                             @ name is
            [[Datei:x.png|mini|y]]Das [[wikt:Wort|Wort]]         @ Das Wort
            """)
    void markupBecomesText(String markup, String text) {
        assertThat(Wikitext.toText(markup)).isEqualTo(text);
    }

    @Test
    void blocks() {
        String markup = """
                Intro.
                == History ==
                {| class="wikitable"
                |-
                | cell {{x|}} || [[y]]
                {| nested
                | z
                |}
                |}
                * one
                ** two
                : three
                ----

                ;term
                """;
        assertThat(Wikitext.toText(markup)).isEqualTo("Intro.\n\nHistory\n\none\ntwo\nthree\n\nterm");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{{",
                "[[",
                "{|\n",
                "[[a|",
                "<ref>",
                "<",
                "[http://a b",
                "'''",
                "&",
                "{{{",
                "<!--",
                "[[File:a|",
                "__",
                "("
            })
    void hundredThousandOpeningsTakeLinearTime(String opening) {
        Assertions.assertTimeoutPreemptively(Duration.ofSeconds(10), () -> {
            Wikitext.toText(opening.repeat(100_000));
            Wikitext.toText("x " + opening.repeat(100_000) + " }} ]] |} </ref> y");
        });
    }

    @Test
    void aThousandNestedTemplatesVanish() {
        assertThat(Wikitext.toText("a" + "{{t|".repeat(1000) + "deep" + "}}".repeat(1000) + "b"))
                .isEqualTo("ab");
    }

    private static String page(int id, String text) {
        return "  <page>\n    <title>T &amp; " + id + "</title>\n    <ns>0</ns>\n    <id>" + id
                + "</id>\n    <revision>\n      <id>9</id>\n      <timestamp>2022-08-01T00:00:00Z</timestamp>\n"
                + "      <text bytes=\"3\" xml:space=\"preserve\">" + text
                + "</text>\n    </revision>\n  </page>\n";
    }

    private static byte[] bzip2(String text) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (BZip2CompressorOutputStream bzip2 = new BZip2CompressorOutputStream(out)) {
            bzip2.write(text.getBytes(StandardCharsets.UTF_8));
        }
        return out.toByteArray();
    }

    @Test
    void multistreamIsReadInPartsWithEveryPageOnce() throws IOException {
        Path file = folder.resolve("dewiki-multistream.xml.bz2");
        int id = 0;
        try (var out = Files.newOutputStream(file)) {
            out.write(bzip2("<mediawiki>\n"));
            for (int stream = 0; stream < 40; stream++) {
                StringBuilder pages = new StringBuilder();
                for (int i = 0; i < 10; i++) {
                    pages.append(page(id, "Text number " + id++ + ", [[Link|linked]]."));
                }
                out.write(bzip2(pages.toString()));
            }
            out.write(bzip2("</mediawiki>\n"));
        }
        long size = Files.size(file);
        List<String> ids = new ArrayList<>();
        ReadReport report = new ReadReport();
        for (long from = 0; from < size; from += 997) {
            Split split = new Split(file, from, Math.min(size, from + 997));
            new WikipediaSource().read(split, d -> ids.add(d.id() + d.text()), report);
        }
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 400; i++) {
            expected.add(i + "Text number " + i + ", linked.");
        }
        assertThat(ids).isEqualTo(expected);
        assertThat(report.brokenCount()).isZero();
        assertThat(report.bytes()).isEqualTo(size);
        List<Document> whole = new ArrayList<>();
        new WikipediaSource().read(Split.whole(file), whole::add, new ReadReport());
        assertThat(whole).hasSize(400);
        assertThat(whole.get(7).meta())
                .containsEntry("title", "T & 7")
                .containsEntry("language", "de")
                .containsEntry("url", "https://de.wikipedia.org/wiki/T_%26_7");
    }

    @Test
    void brokenPagesAreReportedAndSkipped() throws IOException {
        Path file = folder.resolve("enwiki.xml");
        Files.writeString(
                file,
                page(1, "one") + "  <page>\n    <title>x</title>\n" + page(2, "two") + "  <page>\n  </page>\n"
                        + page(3, "three"));
        ReadReport report = new ReadReport();
        List<String> texts = new ArrayList<>();
        new WikipediaSource().read(Split.whole(file), d -> texts.add(d.text()), report);
        assertThat(texts).containsExactly("one", "two", "three");
        assertThat(report.brokenCount()).isEqualTo(2);
    }

    @Test
    void truncatedFilesAreCorrupt() throws IOException {
        Path file = folder.resolve("enwiki.xml.bz2");
        byte[] whole = bzip2(page(1, "word ".repeat(400_000)));
        Files.write(file, java.util.Arrays.copyOf(whole, whole.length - 40));
        assertThatThrownBy(() -> new WikipediaSource().read(Split.whole(file), d -> {}, new ReadReport()))
                .isInstanceOf(CorruptFileException.class);
    }

    @Test
    void realDump() throws IOException {
        Path file = Samples.of("wikipedia/enwiki-pages-articles-shortened.xml.bz2");
        List<Document> all = new ArrayList<>();
        ReadReport report = new ReadReport();
        new WikipediaSource().read(Split.whole(file), all::add, report);
        assertThat(all).hasSize(106);
        assertThat(report.skipped()).containsEntry("redirect", 99L);
        Document first = all.getFirst();
        assertThat(first.string("title")).isEqualTo("Anarchism");
        assertThat(first.text())
                .startsWith(
                        "Anarchism is a political philosophy that advocates self-governed societies based on voluntary"
                                + " institutions. These are often described as stateless societies, although several authors");
        long bad = 0;
        long chars = 0;
        for (Document d : all) {
            chars += d.text().length();
            for (String mark : new String[] {"{{", "}}", "[[", "]]", "<ref", "{|", "|}"}) {
                bad += d.text().split(java.util.regex.Pattern.quote(mark), -1).length - 1;
            }
        }
        assertThat(chars).isBetween(2_500_000L, 3_500_000L);
        assertThat(bad).isLessThan(chars / 20_000);
    }
}
