package dev.puna.tokenizer.template;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** Renders as transformers does: files made by {@code tools/golden/templates.py} with transformers and jinja2. */
class ChatTemplateGoldenTest {
    private final Map<String, Object> inputs = Golden.inputs();

    @Test
    void everyConversationUnderEveryTemplateRendersTheSameBytes() {
        List<String> wrong = new ArrayList<>();
        int compared = 0;
        for (Map<String, Object> row : Golden.renderings()) {
            compared++;
            String name = (String) Objects.requireNonNull(row.get("template"));
            String place = name + " " + row.get("conversation") + " tools=" + row.get("tools");
            String found;
            try {
                ChatTemplate template =
                        ChatTemplate.compile(Golden.template(name)).withClock(Golden.CLOCK);
                RenderedChat chat = template.renderMarked(
                        Golden.list(Golden.object(inputs.get("conversations")).get((String) row.get("conversation"))),
                        Boolean.TRUE.equals(row.get("tools")) ? Golden.list(inputs.get("tools")) : null,
                        null,
                        Boolean.TRUE.equals(row.get("prompt")),
                        Golden.object(inputs.get("variables")));
                found = chat.text() + spans(chat);
            } catch (TemplateException refusal) {
                found = refusal.kind() == TemplateException.Kind.RAISED ? "raised " + refusal.detail() : "error";
                if (!row.containsKey("error")) {
                    found = refusal.toString();
                }
            }
            String expected = !row.containsKey("error")
                    ? row.get("text") + expectedSpans(row)
                    : Boolean.TRUE.equals(row.get("raised")) ? "raised " + row.get("message") : "error";
            if (!found.equals(expected)) {
                wrong.add(place + "\n--- expected\n" + expected + "\n--- found\n" + found);
            }
        }
        assertThat(compared).isGreaterThanOrEqualTo(18 * 6);
        assertThat(wrong).isEmpty();
    }

    /** Spans as transformers counts them, in code points. */
    private static String spans(RenderedChat chat) {
        StringBuilder spans = new StringBuilder();
        for (RenderedChat.Span span : chat.generated()) {
            spans.append(' ').append(chat.text().codePointCount(0, span.start()));
            spans.append('-').append(chat.text().codePointCount(0, span.end()));
        }
        return spans.toString();
    }

    private static String expectedSpans(Map<String, Object> row) {
        StringBuilder spans = new StringBuilder();
        for (List<Long> span : Golden.<List<Long>>list(row.get("spans"))) {
            spans.append(' ').append(span.get(0)).append('-').append(span.get(1));
        }
        return spans.toString();
    }

    @Test
    void everySnippetGivesWhatJinja2Gives() {
        Map<String, Object> context = Golden.object(inputs.get("context"));
        List<String> wrong = new ArrayList<>();
        int compared = 0;
        for (Map<String, Object> row : Golden.lines("snippets.jsonl")) {
            compared++;
            String source = (String) Objects.requireNonNull(row.get("source"));
            String expected = !row.containsKey("error")
                    ? "" + row.get("text")
                    : Boolean.TRUE.equals(row.get("raised")) ? "raised " + row.get("message") : "error";
            String found;
            try {
                found = ChatTemplate.compile(source).withClock(Golden.CLOCK).render(context);
            } catch (TemplateException refusal) {
                found = refusal.kind() == TemplateException.Kind.RAISED ? "raised " + refusal.detail() : "error";
                if (!row.containsKey("error")) {
                    found = refusal.toString();
                }
            }
            if (!found.equals(expected)) {
                wrong.add(source + "\n  expected: " + expected + "\n  found:    " + found);
            }
        }
        assertThat(compared).isGreaterThan(700);
        assertThat(wrong).isEmpty();
    }
}
