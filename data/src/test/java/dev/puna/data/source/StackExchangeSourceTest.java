package dev.puna.data.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.data.Document;
import dev.puna.data.ReadReport;
import dev.puna.data.Samples;
import dev.puna.tensor.CorruptFileException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StackExchangeSourceTest {
    private static final String POSTS = """
            <?xml version="1.0" encoding="utf-8"?>
            <posts>
              <row Id="2" PostTypeId="2" ParentId="1" Score="9" Body="&lt;p&gt;nine &amp;amp; a half&lt;/p&gt;" />
              <row Id="3" PostTypeId="2" ParentId="1" Score="10" Body="&lt;ul&gt;&#xA;&lt;li&gt;ten&lt;/li&gt;&#xA;&lt;li&gt;1 &amp;lt; 2&lt;/li&gt;&#xA;&lt;/ul&gt;" />
              <row Id="1" PostTypeId="1" CreationDate="2014" Score="5" Body="&lt;p&gt;Why?&lt;/p&gt;&#xA;" Title="The &quot;title&quot;" Tags="&lt;a&gt;" />
              <row Id="4" PostTypeId="2" ParentId="1" Score="-1" Body="minus" />
              <row Id="5" PostTypeId="1" Score="0" Body="alone" Title="Lonely" />
              <row Id="6" PostTypeId="2" ParentId="999" Score="0" Body="orphan" />
              <row Id="7" PostTypeId="4" Score="0" Body="wiki" />
              <row Id="x" PostTypeId="1" Score="0" Body="bad" />
              <row Id="8" PostTypeId="1" />
            </posts>
            """;

    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(longs = {0, 1 << 20})
    void answersFollowTheirQuestionByScore(long memory) throws IOException {
        Path file = folder.resolve("Posts.xml");
        Files.writeString(file, POSTS);
        ReadReport report = new ReadReport();
        List<Document> all = new ArrayList<>();
        new StackExchangeSource(Fidelity.PAPER, folder.resolve("scratch"), memory)
                .read(Split.whole(file), all::add, report);
        assertThat(all)
                .extracting(Document::text)
                .containsExactly(
                        "Q: The \"title\"\nWhy?\n\nA: * ten\n* 1 < 2\n\nA: nine & a half\n\nA: minus",
                        "Q: Lonely\nalone");
        assertThat(all.getFirst().number("answers", 0)).isEqualTo(3);
        assertThat(report.skipped())
                .containsEntry("answers without their question", 1L)
                .containsEntry("neither question nor answer", 1L);
        assertThat(report.brokenCount()).isEqualTo(2);
    }

    @Test
    void compatSortsScoresAsText() throws IOException {
        Path file = folder.resolve("Posts.xml");
        Files.writeString(file, POSTS);
        List<Document> all = new ArrayList<>();
        new StackExchangeSource(Fidelity.COMPAT).read(Split.whole(file), all::add, new ReadReport());
        assertThat(all.getFirst().text().indexOf("nine"))
                .isLessThan(all.getFirst().text().indexOf("ten"));
    }

    @Test
    void realSite() throws IOException {
        Path site = Samples.of("stackexchange/beer.stackexchange.com.7z");
        List<Document> all = new ArrayList<>();
        ReadReport report = new ReadReport();
        new StackExchangeSource(Fidelity.PAPER).read(Split.whole(site), all::add, report);
        assertThat(all).hasSize(1029);
        assertThat(report.brokenCount()).isZero();
        assertThat(all.getFirst().id()).startsWith("beer.stackexchange.com:");
        assertThat(all.getFirst().text()).startsWith("Q: ").contains("\n\nA: ");
        assertThat(all).noneMatch(d -> d.text().contains("</p>") || d.text().contains("<p>"));
        assertThat(all.stream().mapToDouble(d -> d.number("answers", 0)).sum()).isGreaterThan(1500);
    }

    @Test
    void largestSitesFirst() throws IOException {
        Path small = Files.createDirectories(folder.resolve("small")).resolve("Posts.xml");
        Files.writeString(small, POSTS);
        Path site = Samples.of("stackexchange/beer.stackexchange.com.7z");
        assertThat(StackExchangeSource.largest(List.of(small, site), 28)).containsExactly(site, small);
        assertThat(StackExchangeSource.largest(List.of(small, site), 1)).containsExactly(site);
    }

    @Test
    void aDamagedArchiveIsACorruptFile() throws IOException {
        Path file = folder.resolve("x.7z");
        Files.writeString(file, "7z\u00bc\u00af'\u001c and no more");
        assertThatThrownBy(() ->
                        new StackExchangeSource(Fidelity.PAPER).read(Split.whole(file), d -> {}, new ReadReport()))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining("x.7z");
    }
}
