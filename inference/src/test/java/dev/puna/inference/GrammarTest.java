package dev.puna.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.tensor.ConfigurationException;
import dev.puna.tokenizer.SentencePieceModel;
import dev.puna.tokenizer.SentencePieceModel.Piece;
import dev.puna.tokenizer.TokenKind;
import dev.puna.tokenizer.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GrammarTest {
    private static final Tokenizer TOKENIZER = vocabulary();
    private static final int SIZE = TOKENIZER.vocabularySize() + 3; // padded, as models are

    private static Tokenizer vocabulary() {
        List<Piece> pieces = new ArrayList<>();
        pieces.add(new Piece("<unk>", 0, TokenKind.UNKNOWN));
        pieces.add(new Piece("<s>", 0, TokenKind.CONTROL));
        pieces.add(new Piece("</s>", 0, TokenKind.CONTROL));
        for (int b = 0; b < 256; b++) {
            pieces.add(new Piece(String.format("<0x%02X>", b), 0, TokenKind.BYTE));
        }
        for (String piece :
                List.of("{\"", "\":", "\"}", "},", "true", "tr", "ue", "12", "▁", "é", "€", "ab", "\",\"", "[[")) {
            pieces.add(new Piece(piece, -(pieces.size() - 259), TokenKind.NORMAL));
        }
        return SentencePieceModel.of(pieces, SentencePieceModel.Settings.llama())
                .tokenizer();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '`',
            value = {
                "root ::= \"ab\"* [0-9]+; ab1,ababab07,3; ,ab,a1,1b",
                "root ::= (\"a\" | \"bc\"){2,3} \"x\"?; aa,abc,bcbcbcx,aaa; a,aaaa,abcxx",
                "root ::= [^a-y]; z,é,€,𝄞,A; a,m,zz,",
                "root ::= [à-𐀀] .; éa,€€,𐀀𝄞; aa,𐀁a,é",
                "root ::= \"(\" root? \")\"; (),(()),((())); (,()),)(",
                "root ::= a? b # optional first@a ::= \"x\" a | \"y\"@b ::= \"\\x41\\u00e9\\n\"?; y,xxy; x,yx,xx",
                "root ::= \"a\"{3} | \"\" | \"b\"{2,}; aaa,bb,bbbb; a,aa,b",
            })
    void derivesWhatItSays(String gbnf, String good, String bad) {
        Grammar grammar = Grammar.compile(gbnf.replace('@', '\n'), TOKENIZER, SIZE);
        for (String text : good.split(",", -1)) {
            assertThat(grammar.matches(text)).as(text).isTrue();
        }
        for (String text : bad == null ? new String[0] : bad.split(",", -1)) {
            if (!(text.isEmpty() && gbnf.contains("\"\" |"))) {
                assertThat(grammar.matches(text)).as(text).isFalse();
            }
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '`',
            value = {
                "root ::= root \"a\" | \"b\"; begin with itself",
                "root ::= a? root; begin with itself",
                "root ::= missing; not defined",
                "other ::= \"a\"; root",
                "root ::= \"a; end of a literal",
                "root = \"a\"; expected ::=",
                "root ::= (\"a\"; expected )",
                "root ::= [z-a]; ends before",
                "root ::= \"a\"{5,2}; below",
                "root ::= \"a\"{99999}; bounded",
                "root ::= \"\\q\"; unknown escape",
            })
    void saysWhatIsWrong(String gbnf, String part) {
        assertThatThrownBy(() -> Grammar.compile(gbnf.replace("a? root", "a? root\na ::= \"x\""), TOKENIZER, SIZE))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining(part);
    }

    /** The mask at every place of random answers is what trying every token gives. */
    @Test
    void masksAreWhatTryingEachTokenGives() {
        String gbnf = JsonSchema.anyObject();
        Grammar grammar = Grammar.compile(gbnf, TOKENIZER, SIZE);
        Random random = new Random(3);
        for (int answer = 0; answer < 30; answer++) {
            TokenConstraint.State state = grammar.start();
            java.io.ByteArrayOutputStream written = new java.io.ByteArrayOutputStream();
            for (int step = 0; step < 25; step++) {
                long[] mask = state.allowed();
                List<Integer> allowed = new ArrayList<>();
                for (int id = 0; id < SIZE; id++) {
                    boolean may = (mask[id / 64] >>> id & 1) != 0;
                    if (step % 6 == 0) {
                        assertThat(may).as("token " + id).isEqualTo(mayFollow(gbnf, written.toByteArray(), id));
                    }
                    if (may) {
                        allowed.add(id);
                    }
                }
                int id = allowed.get(random.nextInt(allowed.size()));
                if (TOKENIZER.specialTokens().endsGeneration(id)) {
                    assertThat(grammar.matches(written.toString(StandardCharsets.UTF_8)))
                            .isTrue();
                    break;
                }
                written.writeBytes(TOKENIZER.bytes(id));
                state.accept(id);
            }
        }
    }

    /** Whether a prefix can still become a text: a fresh automaton, byte by byte. */
    private static boolean mayFollow(String gbnf, byte[] written, int id) {
        Grammar fresh = FRESH.computeIfAbsent(gbnf, text -> Grammar.compile(text, TOKENIZER, SIZE));
        if (id >= TOKENIZER.vocabularySize()) {
            return false;
        }
        if (TOKENIZER.specialTokens().endsGeneration(id)) {
            return fresh.matches(new String(written, StandardCharsets.UTF_8));
        }
        byte[] bytes = TOKENIZER.bytes(id);
        byte[] both = java.util.Arrays.copyOf(written, written.length + bytes.length);
        System.arraycopy(bytes, 0, both, written.length, bytes.length);
        return bytes.length > 0 && fresh.begins(both);
    }

    private static final Map<String, Grammar> FRESH = new java.util.HashMap<>();

    @Test
    void schemasBecomeGrammars() {
        Map<String, Object> properties = new LinkedHashMap<>();
        properties.put("name", Map.of("type", "string", "maxLength", 3));
        properties.put("age", Map.of("type", List.of("integer", "null")));
        properties.put(
                "tags",
                Map.of("type", "array", "items", Map.of("enum", List.of("a", "b\"", 3)), "minItems", 1, "maxItems", 2));
        properties.put("child", Map.of("$ref", "#"));
        Map<String, Object> schema = Map.of(
                "type", "object", "title", "person", "properties", properties, "required", List.of("name", "tags"));
        Grammar grammar = Grammar.compile(JsonSchema.grammar(schema), TOKENIZER, SIZE);
        for (String good : List.of(
                "{\"name\":\"abc\",\"tags\":[\"a\"]}",
                "{\"name\": \"é\\n\", \"age\": -12,\"tags\":[3, \"b\\\"\"]}",
                "{\"name\":\"\",\"age\":null,\"tags\":[3],\"child\":{\"name\":\"x\",\"tags\":[\"a\"]}}")) {
            assertThat(grammar.matches(good)).as(good).isTrue();
        }
        for (String bad : List.of(
                "{}",
                "{\"name\":\"abcd\",\"tags\":[\"a\"]}",
                "{\"name\":\"abc\"}",
                "{\"tags\":[\"a\"],\"name\":\"abc\"}",
                "{\"name\":\"a\",\"tags\":[]}",
                "{\"name\":\"a\",\"tags\":[3,3,3]}",
                "{\"name\":\"a\",\"age\":1.5,\"tags\":[3]}",
                "{\"name\":\"a\",\"tags\":[3]}x")) {
            assertThat(grammar.matches(bad)).as(bad).isFalse();
        }
        Grammar optional = Grammar.compile(
                JsonSchema.grammar(Map.of("properties", new LinkedHashMap<>(Map.of("a", Map.of("type", "null"))))),
                TOKENIZER,
                SIZE);
        assertThat(optional.matches("{}")).isTrue();
        assertThat(optional.matches("{\"a\":null}")).isTrue();
        assertThatThrownBy(() -> JsonSchema.grammar(Map.of("type", "string", "pattern", "a+")))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("pattern");
        assertThatThrownBy(() -> JsonSchema.grammar(Map.of("$ref", "#/$defs/x")))
                .isInstanceOf(ConfigurationException.class);
    }

    private static final Map<String, Object> CAT = object("kind", Map.of("const", "cat"));
    private static final Map<String, Object> DOG = object("kind", Map.of("enum", List.of("dog", "wolf")));
    private static final Map<String, Object> NAMED = object("name", Map.of("type", "string"));

    private static Map<String, Object> object(String member, Object schema) {
        return Map.of("type", "object", "properties", Map.of(member, schema), "required", List.of(member));
    }

    /** Of schemas of which exactly one must accept an answer, none may accept what another's grammar writes. */
    @Test
    void oneOfIsForSchemasThatExcludeEachOther() {
        Map<String, Object> integer = Map.of("type", "integer");
        Map<String, Object> number = Map.of("type", "number");
        Map<String, Object> text = Map.of("type", "string");
        Map<String, Object> optional = Map.of("type", "object", "properties", Map.of("kind", Map.of("const", "dog")));
        for (List<Map<String, Object>> good : List.<List<Map<String, Object>>>of(
                List.of(integer, text, Map.of("type", List.of("null", "boolean"))),
                List.of(Map.of("const", 1), Map.of("enum", List.of(2, "1")), Map.of("type", "array")),
                List.of(Map.of("enum", List.of(1.5, "x")), integer),
                List.of(CAT, Map.of("$ref", "#/$defs/dog"), text),
                List.of(CAT, NAMED),
                List.of(Map.of("anyOf", List.of(CAT, integer)), Map.of("oneOf", List.of(NAMED, text))))) {
            Map<String, Object> schema = Map.of("oneOf", good, "$defs", Map.of("dog", DOG));
            assertThat(JsonSchema.grammar(schema)).contains("root");
        }
        for (List<Map<String, Object>> bad : List.<List<Map<String, Object>>>of(
                List.of(integer, number),
                List.of(Map.of("const", 1), Map.of("enum", List.of(1.0, 2))),
                List.of(Map.of("const", 3.0), integer),
                List.of(optional, Map.of("type", "object")),
                List.of(NAMED, with(NAMED, "required", List.of())),
                List.of(Map.of("anyOf", List.of(CAT, integer)), number),
                List.of(Map.of("$ref", "#"), text))) {
            assertThatThrownBy(() -> JsonSchema.grammar(Map.of("oneOf", bad)))
                    .as(bad.toString())
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("anyOf");
        }
        Grammar grammar = compiled(Map.of("oneOf", List.of(CAT, DOG)));
        assertThat(grammar.matches("{\"kind\":\"wolf\"}")).isTrue();
        assertThat(grammar.matches("{\"kind\":\"cow\"}")).isFalse();
    }

    private static Map<String, Object> with(Map<String, Object> schema, String key, Object value) {
        Map<String, Object> changed = new LinkedHashMap<>(schema);
        changed.put(key, value);
        return changed;
    }

    private static Grammar compiled(Map<String, Object> schema) {
        return Grammar.compile(JsonSchema.grammar(schema), TOKENIZER, SIZE);
    }

    @Test
    void typesBesideValuesCount() {
        Grammar grammar = compiled(Map.of("type", List.of("integer", "null"), "enum", listOf("a", 1, 2.5, null, true)));
        assertThat(grammar.matches("1")).isTrue();
        assertThat(grammar.matches("null")).isTrue();
        for (String bad : List.of("\"a\"", "2.5", "true")) {
            assertThat(grammar.matches(bad)).as(bad).isFalse();
        }
        assertThat(compiled(Map.of("type", "number", "const", 3)).matches("3")).isTrue();
        assertThatThrownBy(() -> JsonSchema.grammar(Map.of("type", "string", "const", 3)))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("no value is of this type");
    }

    private static List<Object> listOf(Object... values) {
        return new ArrayList<>(java.util.Arrays.asList(values));
    }

    /** A pair of escapes is one character: it must not count as two. */
    @Test
    void escapesAreWholeCharacters() {
        Grammar grammar = compiled(Map.of("type", "string", "minLength", 2));
        assertThat(grammar.matches("\"\\ud83d\\ude00\"")).isFalse();
        assertThat(grammar.matches("\"\\u00e9\\uD7ff\"")).isTrue();
        assertThat(grammar.matches("\"\uD83D\uDE00x\"")).isTrue();
    }

    /** A model that has fewer tokens than the vocabulary: its last one is the byte a. */
    @Test
    void aDeadEndIsAnError() {
        int letter = 3 + 'a';
        TokenConstraint.State dead =
                Grammar.compile("root ::= \"ab\"", TOKENIZER, letter + 1).start();
        assertThat(ids(dead.allowed())).containsExactly(letter);
        dead.accept(letter);
        assertThatThrownBy(dead::allowed)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("dead end");
        TokenConstraint.State whole =
                Grammar.compile("root ::= \"a\"", TOKENIZER, letter + 1).start();
        whole.accept(letter);
        assertThat(ids(whole.allowed())).containsExactly(2);
        whole.accept(2); // where the end is ignored
        assertThat(ids(whole.allowed())).containsExactly(2);
    }

    private static int[] ids(long[] mask) {
        return java.util.BitSet.valueOf(mask).stream().toArray();
    }

    /** What is open when an answer ends may be more than a thread's stack holds. */
    @Test
    void deepAnswersNeedNoDeepStack() throws InterruptedException {
        Grammar grammar = Grammar.compile("root ::= \"a\" root x | \"a\"\nx ::= \"b\"?", TOKENIZER, SIZE);
        List<Boolean> matched = new ArrayList<>();
        Thread small = new Thread(
                null,
                () -> {
                    matched.add(grammar.matches("a".repeat(1500) + "b"));
                    matched.add(grammar.matches("a".repeat(3) + "b".repeat(3)));
                },
                "small stack",
                200_000);
        small.start();
        small.join();
        assertThat(matched).containsExactly(true, false);
    }
}
