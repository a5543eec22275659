package dev.puna.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.tensor.ConfigurationException;
import dev.puna.tokenizer.SentencePieceModel;
import dev.puna.tokenizer.SentencePieceModel.Piece;
import dev.puna.tokenizer.TokenKind;
import dev.puna.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Calls as Llama 3.1 writes them. */
class ToolCallingTest {
    private static final Tool WEATHER = new Tool(
            "get_weather",
            "",
            Map.of(
                    "type",
                    "object",
                    "properties",
                    Map.of("city", Map.of("$ref", "#/$defs/city")),
                    "required",
                    List.of("city"),
                    "$defs",
                    Map.of("city", Map.of("type", "string"))),
            true);
    private static final Tool NOW = new Tool("now", "", Map.of(), false);
    private static final List<Tool> TOOLS = List.of(WEATHER, NOW);

    private static Grammar compile(String gbnf) {
        List<Piece> pieces = new ArrayList<>(List.of(
                new Piece("<unk>", 0, TokenKind.UNKNOWN),
                new Piece("<s>", 0, TokenKind.CONTROL),
                new Piece("</s>", 0, TokenKind.CONTROL)));
        for (int b = 0; b < 256; b++) {
            pieces.add(new Piece(String.format("<0x%02X>", b), 0, TokenKind.BYTE));
        }
        Tokenizer tokenizer = SentencePieceModel.of(pieces, SentencePieceModel.Settings.llama())
                .tokenizer();
        return Grammar.compile(gbnf, tokenizer, tokenizer.vocabularySize());
    }

    @Test
    void callsAreRead() {
        assertThat(ToolCalling.parse("{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Köln\"}}", TOOLS))
                .containsExactly(new ToolCall("get_weather", "{\"city\":\"Köln\"}"));
        assertThat(ToolCalling.parse(
                        " {\"name\":\"now\",\"arguments\":{}}; {\"name\":\"get_weather\",\"parameters\":{\"city\":\"é\"}}\n",
                        TOOLS))
                .containsExactly(new ToolCall("now", "{}"), new ToolCall("get_weather", "{\"city\":\"é\"}"));
    }

    @Test
    void whatIsNoCallStaysText() {
        for (String text : List.of(
                "",
                "It is {\"name\":\"now\",\"parameters\":{}}",
                "{\"name\":\"now\",\"parameters\":{}} said the cat",
                "{\"name\":\"other\",\"parameters\":{}}",
                "{\"name\":\"now\",\"parameters\":3}",
                "{\"name\":\"now\",\"parameters\":{",
                "{}",
                "{\"name\":\"now\"}")) {
            assertThat(ToolCalling.parse(text, TOOLS)).as(text).isEmpty();
        }
    }

    @Test
    void theGrammarIsOfCallsThatFit() {
        Grammar call = compile(ToolCalling.grammarOfCall(TOOLS));
        assertThat(call.matches("{\"name\": \"get_weather\", \"parameters\": {\"city\": \"x\"}}"))
                .isTrue();
        assertThat(call.matches("{\"name\": \"now\", \"parameters\": {\"any\": 3}}"))
                .isTrue();
        assertThat(call.matches("{\"name\": \"get_weather\", \"parameters\": {\"city\": 1}}"))
                .isFalse();
        assertThat(call.matches("{\"name\": \"later\", \"parameters\": {}}")).isFalse();
        assertThat(call.matches("hello")).isFalse();
        Grammar either = compile(ToolCalling.grammarOfCallOrText(TOOLS));
        assertThat(either.matches("{\"name\": \"now\", \"parameters\": {}}")).isTrue();
        assertThat(either.matches("Hello {world}\n")).isTrue();
        assertThat(either.matches("")).isTrue();
        assertThat(either.matches("{hello}")).isFalse();
        Grammar or = compile(ToolCalling.grammarOfCallOr(TOOLS, Map.of("type", "integer")));
        assertThat(or.matches("17")).isTrue();
        assertThat(or.matches("{\"name\": \"now\", \"parameters\": {}}")).isTrue();
        assertThat(or.matches("\"17\"")).isFalse();
    }

    @Test
    void aSchemaThatIsNotUnderstoodIsRefused() {
        Map<String, Object> schema = new LinkedHashMap<>(Map.of("type", "object", "patternProperties", Map.of()));
        assertThatThrownBy(() -> ToolCalling.grammarOfCall(List.of(new Tool("f", "", schema, true))))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("patternProperties");
    }
}
