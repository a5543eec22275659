package dev.puna.data.ngram;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.data.Upstream;
import dev.puna.data.dedup.LineHash;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
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

    /** The hash takes a shorter way than the text it is of. */
    @Test
    void hashesAreOfTheNormalizedLine() throws Exception {
        List<String> lines = new ArrayList<>();
        for (JsonNode c : Upstream.cases("lines.jsonl")) {
            lines.add(c.path("in").asString());
        }
        for (int c = 0; c < 1 << 16; c++) {
            lines.add("A" + (char) c + "b 1" + (char) c);
        }
        lines.add("ΟΔΥΣΣΕΥΣ ΟΔΟΣ");
        lines.add("digits \ud835\udfd8 and letters \ud835\udc00 beyond the first plane, half of one \ud835");
        LineHash hash = new LineHash();
        MessageDigest sha1 = MessageDigest.getInstance("SHA-1");
        for (String line : lines) {
            byte[] digest = sha1.digest(LineHash.normalized(line).getBytes(StandardCharsets.UTF_8));
            assertThat(hash.of(line))
                    .as(line)
                    .isEqualTo(ByteBuffer.wrap(digest)
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .getLong());
        }
    }

    /** Character by character where that is the same. */
    @Test
    void shortWayToNormalizedText() {
        SplittableRandom random = new SplittableRandom(12);
        List<String> texts =
                new ArrayList<>(List.of("Ὀδυσσεύς ΟΔΟΣ", "한국어 Ǆ İI ﬁ ½", "e\u0301\u0327 \u0903\u20dd a\u20dd\u0301"));
        for (int c = 0; c < 1 << 16; c++) {
            texts.add("x" + (char) c + "\u0301y");
        }
        for (int i = 0; i < 20_000; i++) {
            StringBuilder text = new StringBuilder();
            for (int k = random.nextInt(12); k >= 0; k--) {
                text.append((char) random.nextInt(random.nextBoolean() ? 0x500 : 1 << 16));
            }
            texts.add(text.toString());
        }
        for (String text : texts) {
            assertThat(PerplexityFilter.normalized(text))
                    .as(() ->
                            text.chars().mapToObj(Integer::toHexString).toList().toString())
                    .isEqualTo(PerplexityFilter.normalizedWhole(text.strip()));
        }
    }
}
