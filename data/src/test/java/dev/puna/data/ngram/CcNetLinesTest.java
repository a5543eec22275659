package dev.puna.data.ngram;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.data.Upstream;
import dev.puna.data.dedup.LineHash;
import java.io.IOException;
import java.util.List;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Lines as cc_net compares and scores them. */
class CcNetLinesTest {
    @Test
    void linesAreNormalizedAsByCcNet() throws IOException {
        List<JsonNode> cases = Upstream.cases("lines.jsonl");
        assertThat(cases).hasSizeGreaterThan(300);
        SoftAssertions all = new SoftAssertions();
        for (JsonNode c : cases) {
            String line = c.path("in").asString();
            all.assertThat(LineHash.normalized(line))
                    .as("to compare: %s", line)
                    .isEqualTo(c.path("dedup").asString());
            all.assertThat(PerplexityFilter.normalizedAsCcNet(line))
                    .as("to score: %s", line)
                    .isEqualTo(c.path("normalized").asString());
        }
        all.assertAll();
    }
}
