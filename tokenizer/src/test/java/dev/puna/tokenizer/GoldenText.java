package dev.puna.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/** The text of tools/golden/tokenizer.py, made by the same rules. */
final class GoldenText {
    private static final String[] CODE = {
        "public ",
        "static ",
        "final ",
        "int ",
        "void ",
        "return ",
        "if (",
        ") {\n",
        "}\n",
        "    ",
        "\t",
        "\n\n",
        ";\n",
        "System.out.println(",
        "\"",
        "'",
        " = ",
        " == ",
        "i++",
        "null",
        "0x",
        "->",
        "::",
        "/** ",
        " * ",
        "// ",
        "@Override\n",
        "getValue",
        "HashMap<String, List<Integer>>",
        "foo_bar",
        "camelCaseName",
        "ABC",
        "a",
        "x1",
        "[]",
        "()",
        "...",
        "\r\n"
    };
    private static final String[] PROSE = {
        "the",
        "of",
        "and",
        "Whale",
        "was",
        "I've",
        "you'LL",
        "don't",
        "it's",
        "naïve",
        "façade",
        "über",
        "Москва",
        "привет",
        "世界",
        "こんにちは",
        "안녕하세요",
        "नमस्ते",
        "ภาษาไทย",
        "مرحبا",
        "שלום",
        "Ελλάδα",
        "🦙",
        "👩‍👩‍👧",
        "é",
        "e\u0301",
        "ﬁ",
        "½",
        "…",
        "extraordinarily",
        "in",
        "tokenization",
        "counter-revolutionary",
        "a",
        "'ſ",
        "▁",
        "\u00a0",
        "\u3000",
        "\u200b",
        "‘quoted’"
    };
    private static final String[] MARKS = {
        " ", " ", " ", " ", " ", ", ", ". ", "! ", "? ", "; ", " – ", "\n", "\n\n", "  ", " (", ") ", "-"
    };
    private static final int[][] RANGES = {
        {0x20, 0x7f},
        {0x80, 0x24f},
        {0x370, 0x52f},
        {0x590, 0x6ff},
        {0x900, 0xdff},
        {0x1e00, 0x2bff},
        {0x3040, 0x30ff},
        {0x4e00, 0x9fff},
        {0xac00, 0xd7a3},
        {0xe000, 0xfffd},
        {0x10000, 0x107ff},
        {0x1f300, 0x1faff},
        {0x20000, 0x2a6df},
        {0, 0x20}
    };
    private static final String[] RUNS = {
        " ", "a", "q", "=", "-", "\n", "▁", "é", "ab", " a", "\t", "9", "世", "\r\n", "xyz", "\u2003"
    };

    private long state;

    GoldenText(long seed) {
        state = seed;
    }

    /** SplitMix64. */
    int next(int bound) {
        state += 0x9E3779B97F4A7C15L;
        long z = state;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return (int) (((z ^ (z >>> 31)) >>> 33) % bound);
    }

    private String any(String[] list) {
        return list[next(list.length)];
    }

    private static String join(int count, Supplier<String> part) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < count; i++) {
            out.append(part.get());
        }
        return out.toString();
    }

    /** A string, perhaps with unpaired surrogates, or bytes, perhaps malformed UTF-8. */
    Object document() {
        int kind = next(10);
        int length = 1 + next(200);
        return switch (kind) {
            case 0, 1, 2 -> join(length, () -> any(CODE));
            case 3, 4 -> join(length, () -> any(PROSE) + any(MARKS));
            case 5 ->
                join(length, () -> {
                    int[] range = RANGES[next(RANGES.length)];
                    return Character.toString(range[0] + next(range[1] - range[0]));
                });
            case 6 -> {
                byte[] out = join(length / 4 + 1, () -> any(PROSE) + " ").getBytes(StandardCharsets.UTF_8);
                for (int i = 0; i < 1 + length / 10; i++) {
                    byte value = (byte) next(256);
                    out[next(out.length)] = value;
                }
                yield out;
            }
            case 7 -> join(1 + length / 20, () -> any(RUNS).repeat(1 + next(120)) + any(CODE));
            case 8 -> join(length, () -> next(1 << 20) + any(MARKS));
            default ->
                join(length, () -> String.valueOf((char) (next(3) == 0 ? 0xD800 + next(0x800) : 0x20 + next(0x500))));
        };
    }

    /** About a megabyte of documents. */
    static List<Object> block(int number) {
        GoldenText text = new GoldenText(number + 1);
        List<Object> documents = new ArrayList<>();
        int size = 0;
        while (size < 1_000_000) {
            Object document = text.document();
            size += document instanceof byte[] bytes
                    ? bytes.length
                    : document.toString().length();
            documents.add(document);
        }
        return documents;
    }
}
