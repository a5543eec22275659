package dev.puna.data.source;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.data.Document;
import dev.puna.data.ReadReport;
import dev.puna.data.Upstream;
import dev.puna.data.source.StackExchangeSource.Post;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The mode {@code compat} beside what RedPajama's own functions returned. */
class RedPajamaTest {
    private static final GitHubSource GITHUB = new GitHubSource(
            GitHubSource.Rules.standard(Licences.permissive())
                    .withTokenCount(text -> text.codePointCount(0, text.length()) / 4 + 1),
            Fidelity.COMPAT);

    @TempDir
    Path folder;

    @Test
    void programs() throws IOException {
        SoftAssertions all = new SoftAssertions();
        JsonMapper json = new JsonMapper();
        Path file = folder.resolve("export.jsonl");
        int kept = 0;
        for (JsonNode c : Upstream.cases("github.jsonl")) {
            String text = GitHubSource.withoutHeaderAsRedPajama(c.path("in").asString());
            all.assertThat(text).as("%s", c.path("in")).isEqualTo(c.path("out").asString());
            if (!text.isEmpty()) {
                GitHubSource.Statistics statistics = GitHubSource.Statistics.asPython(text);
                all.assertThat(statistics.lines())
                        .as("lines of %s", c)
                        .isEqualTo(c.path("lines").asInt());
                all.assertThat(statistics.maxLineLength())
                        .as("longest of %s", c)
                        .isEqualTo(c.path("longest").asInt());
                all.assertThat((double) statistics.alphanumeric() / statistics.length())
                        .as("share of %s", c)
                        .isCloseTo(c.path("alphanumeric").asDouble(), org.assertj.core.data.Offset.offset(1e-6));
            }
            Files.writeString(
                    file,
                    json.writeValueAsString(Map.of(
                            "path",
                            c.path("path").asString(),
                            "license",
                            "mit",
                            "content",
                            c.path("in").asString())));
            List<Document> out = new ArrayList<>();
            GITHUB.read(Split.whole(file), out::add, new ReadReport());
            all.assertThat(out.isEmpty())
                    .as("dropped: %s", c)
                    .isEqualTo(c.path("dropped").asBoolean());
            kept += out.size();
        }
        all.assertAll();
        assertThat(kept).isGreaterThan(30);
    }

    @Test
    void aFileOfAnUnwantedNameMakesItsEqualsDuplicates() throws IOException {
        String record = "{\"path\":\"%s\",\"license\":\"mit\",\"content\":\"int main() { return 0; }\"}%n";
        Path file = folder.resolve("export.jsonl");
        Files.writeString(file, record.formatted("x.bin") + record.formatted("a.c"));
        List<Document> out = new ArrayList<>();
        ReadReport report = new ReadReport();
        GITHUB.read(Split.whole(file), out::add, report);
        assertThat(out).isEmpty();
        assertThat(report.skipped()).containsEntry("suffix", 1L).containsEntry("duplicate file", 1L);
        GitHubSource.paper().read(Split.whole(file), out::add, new ReadReport());
        assertThat(out).hasSize(1);
    }

    @Test
    void papers() throws IOException {
        SoftAssertions all = new SoftAssertions();
        for (JsonNode c : Upstream.cases("arxiv.jsonl")) {
            Map<String, String> files = new LinkedHashMap<>();
            c.path("files").forEach(text -> files.put(files.size() + ".tex", text.asString()));
            all.assertThat(Latex.compat(files))
                    .as("%s", c.path("files"))
                    .isEqualTo(c.path("out").isNull() ? null : c.path("out").asString());
        }
        all.assertAll();
    }

    @Test
    void conversations() throws IOException {
        SoftAssertions all = new SoftAssertions();
        for (JsonNode c : Upstream.cases("stackexchange.jsonl")) {
            String question = c.path("question").asString();
            int space = question.indexOf(' ');
            List<Post> answers = new ArrayList<>();
            for (JsonNode a : c.path("answers")) {
                answers.add(new Post(
                        1,
                        Long.parseLong(a.get(0).asString()),
                        a.get(1).asString(),
                        "",
                        "",
                        a.get(2).asString()));
            }
            Post asked = new Post(0, 1, "3", question.substring(0, space), "", question.substring(space + 1));
            all.assertThat(StackExchangeSource.conversationAsRedPajama(asked, answers))
                    .as("%s", c)
                    .isEqualTo(c.path("out").asString());
        }
        all.assertAll();
    }
}
