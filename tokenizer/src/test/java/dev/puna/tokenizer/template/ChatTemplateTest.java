package dev.puna.tokenizer.template;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ChatTemplateTest {
    private static final List<Map<String, String>> CHAT = List.of(
            Map.of("role", "user", "content", "Hi {{ 7*7 }}"), Map.of("role", "assistant", "content", "Hello 🦙"));
    private static final Map<String, String> TOKENS = Map.of("bos_token", "<s>", "eos_token", "</s>");

    @Test
    void aUsersTextIsNeverEvaluated() {
        for (StandardTemplate standard : StandardTemplate.values()) {
            String text = ChatTemplate.compile(standard.source()).render(CHAT, null, null, true, TOKENS);
            assertThat(text).contains("Hi {{ 7*7 }}").contains("Hello 🦙").doesNotContain("49");
        }
    }

    @Test
    void generationSpansAreTheModelsOwnText() {
        for (StandardTemplate standard : StandardTemplate.values()) {
            ChatTemplate template = ChatTemplate.compile(standard.source());
            assertThat(template.marksGeneration()).isTrue();
            RenderedChat chat = template.renderMarked(CHAT, null, null, false, TOKENS);
            assertThat(chat.generated()).hasSize(1);
            RenderedChat.Span span = chat.generated().get(0);
            assertThat(chat.text().substring(span.start(), span.end())).startsWith("Hello 🦙");
        }
    }

    @Test
    void aGenerationBlockWithoutAKnownPlaceIsRefusedOnlyWhenSpansAreAsked() {
        ChatTemplate template =
                ChatTemplate.compile("{% set x %}{% generation %}a{% endgeneration %}{% endset %}{{ x }}");
        assertThat(template.render(Map.of())).isEqualTo("a");
        assertThatThrownBy(() -> template.renderMarked(CHAT, null, null, false, TOKENS))
                .isInstanceOf(TemplateException.class)
                .hasMessageContaining("no known place");
    }

    @Test
    void llama2PutsTheSystemMessageIntoTheFirstTurn() {
        List<Map<String, String>> chat =
                List.of(Map.of("role", "system", "content", "Be brief."), Map.of("role", "user", "content", "Hi"));
        assertThat(ChatTemplate.compile(StandardTemplate.LLAMA_2.source()).render(chat, null, null, true, TOKENS))
                .isEqualTo("<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST]");
    }

    @Test
    void errorsNameTheLineAndWhatWasExpected() {
        assertThatThrownBy(() -> ChatTemplate.compile("a\nb {{ x\n+ }}"))
                .isInstanceOfSatisfying(TemplateException.class, e -> {
                    assertThat(e.kind()).isEqualTo(TemplateException.Kind.SYNTAX);
                    assertThat(e.line()).isEqualTo(3);
                    assertThat(e).hasMessage("chat template, line 3: expected an expression, found '}}'");
                });
        assertThatThrownBy(() -> ChatTemplate.compile("{% if x %}\n\ny"))
                .hasMessage("chat template, line 3: expected {% elif %} or {% else %} or {% endif %}, found the end of"
                        + " the template");
        assertThatThrownBy(() -> ChatTemplate.compile("\n{{ 'a' + 1 }}").render(Map.of()))
                .hasMessage("chat template, line 2: can only concatenate str (not \"int\") to str");
        assertThatThrownBy(() -> ChatTemplate.compile("\n\n{{ a.b }}").render(Map.of()))
                .hasMessage("chat template, line 3: 'a' is undefined");
        assertThatThrownBy(() ->
                        ChatTemplate.compile("{{ raise_exception('not so') }}").render(Map.of()))
                .isInstanceOfSatisfying(TemplateException.class, e -> {
                    assertThat(e.kind()).isEqualTo(TemplateException.Kind.RAISED);
                    assertThat(e.detail()).isEqualTo("not so");
                });
        assertThatThrownBy(() -> ChatTemplate.compile("{% include 'x' %}")).hasMessageContaining("only itself");
    }

    @ParameterizedTest
    @Timeout(20)
    @ValueSource(
            strings = {
                "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
                "{% for a in range(100000) %}{{ 'x' * 100000 }}{% endfor %}",
                "{{ 'x' * 10 ** 12 }}",
                "{{ [0] * 10 ** 12 }}",
                "{{ 9 ** (9 ** 9) }}",
                "{% set ns = namespace(x='ab') %}{% for a in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
                "{% set ns = namespace(x=[1]) %}{% for a in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
                "{% set ns = namespace(x=[1]) %}{% for a in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
                "{% set ns = namespace(x=[1], y=[1]) %}{% for a in range(60) %}{% set ns.x = [ns.x, ns.x] %}"
                        + "{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
                "{% set ns = namespace(x=[1]) %}{% for a in range(5000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
                "{% set ns = namespace(x=(1,)) %}{% for a in range(60) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}{{ {ns.x: 1} }}",
                "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
                "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
                "{% macro m(n) %}{% for i in range(9) %}{{ m(n + 1) if n < 30 }}{% endfor %}{% endmacro %}{{ m(0) }}",
                "{% for x in [[]] recursive %}{{ loop([x]) }}{% endfor %}",
                "{{ '%1000000000d' % 5 }}",
                "{{ '{:>1000000000}'.format('a') }}",
                "{{ '%.1000000000f' % 1.5 }}",
                "{{ 'a'.center(10 ** 10) }}",
                "{{ 'a'|indent(10 ** 10) }}",
                "{{ [1]|tojson(indent=10 ** 10) }}",
                "{{ [1]|batch(10 ** 9, 0)|list }}",
                "{{ [1]|slice(10 ** 9)|list }}",
                "{{ ('a' * 100000).replace('', 'b' * 100000) }}",
                "{% for a in range(100000) %}{% set x = ('a' * 1000).count('a') %}{% endfor %}"
            })
    void aHostileTemplateEndsSoonAndClearly(String source) {
        ChatTemplate template =
                ChatTemplate.compile(source).withLimits(new TemplateLimits(3_000_000, 10_000_000, 1_200));
        assertThatThrownBy(() -> template.render(Map.of()))
                .isInstanceOfSatisfying(
                        TemplateException.class, e -> assertThat(e.kind()).isEqualTo(TemplateException.Kind.LIMIT));
    }

    @Test
    @Timeout(60)
    void theDefaultLimitsStopAnEndlessTemplateToo() {
        ChatTemplate template =
                ChatTemplate.compile("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}");
        assertThatThrownBy(() -> template.render(Map.of())).hasMessageContaining("50000000 steps");
    }

    @Test
    @Timeout(20)
    void deepAndLongSourcesEndSoonAndClearly() {
        for (String deep : List.of(
                "{{ " + "(".repeat(100_000) + " }}",
                "{{ " + "[".repeat(100_000) + " }}",
                "{{ 1" + " + 1".repeat(100_000) + " }}",
                "{{ a" + ".a".repeat(100_000) + " }}",
                "{{ a" + "|trim".repeat(100_000) + " }}",
                "{{ " + "not ".repeat(100_000) + "a }}",
                "{{ " + "-".repeat(100_000) + "1 }}",
                "{{ a" + " if a else a".repeat(80_000) + " }}",
                "{% if a %}".repeat(90_000),
                "{% for a in b %}".repeat(60_000))) {
            assertThatThrownBy(() -> ChatTemplate.compile(deep)).isInstanceOf(TemplateException.class);
        }
        String branches = "{% if a %}" + "{% elif b %}{% set c = 1 %}".repeat(30_000) + "{% endif %}";
        assertThat(ChatTemplate.compile(branches).render(Map.of())).isEmpty();
    }

    @Test
    void theConversationIsCopiedAndForeignValuesAreRefused() {
        List<Object> cycle = new ArrayList<>();
        cycle.add(cycle);
        ChatTemplate template = ChatTemplate.compile("{{ x }}");
        assertThatThrownBy(() -> template.render(Map.of("x", cycle))).hasMessageContaining("levels deep");
        assertThatThrownBy(() -> template.render(Map.of("x", Duration.ZERO)))
                .hasMessageContaining("java.time.Duration");
        assertThat(template.render(Map.of("x", List.of(1, 2L, 1.5f, (short) 3))))
                .isEqualTo("[1, 2, 1.5, 3]");
    }

    @Test
    void oneTemplateServesManyThreads() throws InterruptedException {
        ChatTemplate template = ChatTemplate.compile(StandardTemplate.LLAMA_3.source());
        String expected = template.render(CHAT, null, null, true, TOKENS);
        List<String> wrong = java.util.Collections.synchronizedList(new ArrayList<>());
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 4; t++) {
            threads.add(Thread.ofPlatform().start(() -> {
                for (int i = 0; i < 500; i++) {
                    String text = template.render(CHAT, null, null, true, TOKENS);
                    if (!text.equals(expected)) {
                        wrong.add(text);
                    }
                }
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(wrong).isEmpty();
    }
}
