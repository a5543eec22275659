package dev.puna.tokenizer.template;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Damaged templates end in text or in a {@link TemplateException}, never in anything else, and soon. */
class TemplateFuzzTest {
    private static final TemplateLimits TIGHT = new TemplateLimits(200_000, 1_000_000, 1_200);
    private static final String[] PIECES = {
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "-",
        "+",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "|",
        ".",
        ",",
        ":",
        "~",
        "*",
        "**",
        "//",
        "%",
        "==",
        "<",
        " in ",
        " is ",
        " not ",
        " if ",
        " else ",
        " for ",
        "'",
        "\"",
        "\\",
        "0",
        "9999999999",
        "1e9",
        "loop",
        "messages",
        "none",
        "{% for x in messages %}",
        "{% endfor %}",
        "{% if 1 %}",
        "{% endif %}",
        "{% else %}",
        "{% set x = ",
        "{% macro m() %}",
        "{% endmacro %}",
        "|tojson",
        "|length",
        "|join",
        "|list",
        "[::-1]",
        "[1:]",
        ".split(",
        "range(100000)",
        "* 99999",
        "\ud83e",
        "\n",
        "\u0000",
        "{% break %}",
        "{% raw %}",
        "namespace(",
        "''*9**9"
    };

    @Test
    void damagedTemplatesNeverEscapeTheirException() {
        Map<String, Object> inputs = Golden.inputs();
        Map<String, Object> conversations = Golden.object(inputs.get("conversations"));
        List<Map<String, Object>> messages = Golden.list(conversations.get("tools"));
        List<String> sources = new ArrayList<>();
        for (Map<String, Object> row : Golden.renderings()) {
            if ("tools".equals(row.get("conversation")) && Boolean.TRUE.equals(row.get("tools"))) {
                sources.add(Golden.template((String) Objects.requireNonNull(row.get("template"))));
            }
        }
        for (Map<String, Object> row : Golden.lines("snippets.jsonl")) {
            sources.add((String) Objects.requireNonNull(row.get("source")));
        }
        Random random = new Random(20241);
        int rendered = 0;
        int refused = 0;
        for (int i = 0; i < 12_000; i++) {
            String source = damaged(sources.get(random.nextInt(sources.size())), random);
            try {
                ChatTemplate.compile(source)
                        .withLimits(TIGHT)
                        .renderMarked(
                                messages,
                                i % 2 == 0 ? Golden.list(inputs.get("tools")) : null,
                                null,
                                true,
                                Golden.object(inputs.get("context")));
                rendered++;
            } catch (TemplateException expected) {
                refused++;
            } catch (RuntimeException | StackOverflowError escaped) {
                throw new AssertionError("escaped from template number " + i + ":\n" + source, escaped);
            }
        }
        assertThat(rendered).isGreaterThan(500);
        assertThat(refused).isGreaterThan(500);
    }

    private static String damaged(String source, Random random) {
        StringBuilder text = new StringBuilder(source);
        int edits = 1 + random.nextInt(4);
        for (int i = 0; i < edits; i++) {
            int at = random.nextInt(text.length() + 1);
            int end = Math.min(text.length(), at + random.nextInt(6));
            switch (random.nextInt(4)) {
                case 0 -> text.delete(at, end);
                case 1 -> text.insert(at, PIECES[random.nextInt(PIECES.length)]);
                case 2 -> text.replace(at, end, PIECES[random.nextInt(PIECES.length)]);
                default -> {
                    int from = random.nextInt(text.length() + 1);
                    int to = Math.min(text.length(), from + random.nextInt(40));
                    text.insert(at, text.substring(from, to));
                }
            }
        }
        return text.toString();
    }
}
