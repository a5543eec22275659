package dev.puna.inference;

import dev.puna.tensor.ConfigurationException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads GBNF and turns characters into bytes of UTF-8, repetitions and groups into rules. */
final class GrammarParser {
    /** Largest bound of a repetition: each costs a copy. */
    private static final int REPETITION_LIMIT = 2000;

    private static final int LAST = Character.MAX_CODE_POINT;

    private final String text;
    private int at;
    private final Map<String, Integer> numbers = new LinkedHashMap<>();
    /** Of each rule its alternatives, each a sequence of symbols ({@link Grammar.Rules}). */
    private final List<List<int[]>> rules = new ArrayList<>();

    private final List<long[]> classes = new ArrayList<>();

    GrammarParser(String text) {
        this.text = text;
    }

    Grammar.Rules parse() {
        space(true);
        while (at < text.length()) {
            String name = name();
            space(false);
            if (!text.startsWith("::=", at)) {
                throw wrong("expected ::= after " + name);
            }
            at += 3;
            space(true);
            int rule = rule(name);
            if (!rules.get(rule).isEmpty()) {
                throw wrong("rule " + name + " is there twice");
            }
            rules.get(rule).addAll(alternatives(false));
            space(true);
        }
        numbers.forEach((name, rule) -> {
            if (rules.get(rule).isEmpty()) {
                throw new ConfigurationException("grammar", name, "this rule is used and not defined");
            }
        });
        Integer root = numbers.get("root");
        if (root == null) {
            throw new ConfigurationException("grammar", "(no root)", "the answer is the rule named root");
        }
        refuseLeftRecursion();
        return flatten(root);
    }

    private Grammar.Rules flatten(int root) {
        int length = 0;
        for (List<int[]> rule : rules) {
            for (int[] alternative : rule) {
                length += alternative.length + 1;
            }
        }
        int[] symbols = new int[length];
        int[][] starts = new int[rules.size()][];
        int end = 0;
        for (int rule = 0; rule < rules.size(); rule++) {
            List<int[]> alternatives = rules.get(rule);
            starts[rule] = new int[alternatives.size()];
            for (int i = 0; i < alternatives.size(); i++) {
                int[] alternative = alternatives.get(i);
                starts[rule][i] = end;
                System.arraycopy(alternative, 0, symbols, end, alternative.length);
                end += alternative.length;
                symbols[end++] = Grammar.Rules.END;
            }
        }
        return new Grammar.Rules(classes, symbols, starts, root);
    }

    private int rule(String name) {
        return numbers.computeIfAbsent(name, n -> newRule());
    }

    private int newRule() {
        rules.add(new ArrayList<>());
        return rules.size() - 1;
    }

    private static int reference(int rule) {
        return 2 * rule + 1;
    }

    private List<int[]> alternatives(boolean inGroup) {
        List<int[]> alternatives = new ArrayList<>();
        alternatives.add(sequence(inGroup));
        while (at < text.length() && text.charAt(at) == '|') {
            at++;
            space(true);
            alternatives.add(sequence(inGroup));
        }
        return alternatives;
    }

    private int[] sequence(boolean inGroup) {
        List<Integer> symbols = new ArrayList<>();
        while (at < text.length()) {
            char c = text.charAt(at);
            int[] item;
            if (c == '"') {
                item = literal();
            } else if (c == '[') {
                item = characterClass();
            } else if (c == '.') {
                at++;
                item = new int[] {anyOf(List.of(new int[] {0, LAST}))};
            } else if (c == '(') {
                at++;
                space(true);
                int rule = newRule();
                rules.get(rule).addAll(alternatives(true));
                if (at >= text.length() || text.charAt(at) != ')') {
                    throw wrong("expected )");
                }
                at++;
                item = new int[] {reference(rule)};
            } else if (isNamePart(c)) {
                item = new int[] {reference(rule(name()))};
            } else {
                break;
            }
            for (int symbol : repeated(item)) {
                symbols.add(symbol);
            }
            space(inGroup);
        }
        return symbols.stream().mapToInt(Integer::intValue).toArray();
    }

    private int[] repeated(int[] item) {
        int[] current = item;
        while (at < text.length()) {
            int least;
            int most;
            switch (text.charAt(at)) {
                case '*' -> {
                    least = 0;
                    most = -1;
                    at++;
                }
                case '+' -> {
                    least = 1;
                    most = -1;
                    at++;
                }
                case '?' -> {
                    least = 0;
                    most = 1;
                    at++;
                }
                case '{' -> {
                    int close = text.indexOf('}', at);
                    String[] bounds = close < 0
                            ? new String[0]
                            : text.substring(at + 1, close).split(",", -1);
                    if (bounds.length < 1 || bounds.length > 2) {
                        throw wrong("expected {n}, {n,} or {n,m}");
                    }
                    least = bound(bounds[0].strip());
                    most = bounds.length == 1 ? least : bounds[1].isBlank() ? -1 : bound(bounds[1].strip());
                    if (most >= 0 && most < least) {
                        throw wrong("the upper bound is below the lower one");
                    }
                    at = close + 1;
                }
                default -> {
                    return current;
                }
            }
            current = repetition(current, least, most);
        }
        return current;
    }

    private int bound(String digits) {
        if (!digits.matches("[0-9]{1,4}") || Integer.parseInt(digits) > REPETITION_LIMIT) {
            throw wrong("a repetition is bounded by a number up to " + REPETITION_LIMIT);
        }
        return Integer.parseInt(digits);
    }

    /** {@code least} copies, then one rule per optional copy, or one that refers to itself. */
    private int[] repetition(int[] item, int least, int most) {
        int[] result = new int[0];
        for (int i = 0; i < least; i++) {
            result = concatenate(result, item);
        }
        if (most < 0) {
            int loop = newRule();
            rules.get(loop).add(concatenate(item, reference(loop)));
            rules.get(loop).add(new int[0]);
            return concatenate(result, reference(loop));
        }
        int[] tail = new int[0];
        for (int i = least; i < most; i++) {
            int optional = newRule();
            rules.get(optional).add(concatenate(item, tail));
            rules.get(optional).add(new int[0]);
            tail = new int[] {reference(optional)};
        }
        return concatenate(result, tail);
    }

    private static int[] concatenate(int[] a, int... b) {
        int[] both = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, both, a.length, b.length);
        return both;
    }

    private int[] literal() {
        at++;
        StringBuilder literal = new StringBuilder();
        while (at < text.length() && text.charAt(at) != '"') {
            literal.appendCodePoint(character());
        }
        if (at >= text.length()) {
            throw wrong("expected \" at the end of a literal");
        }
        at++;
        byte[] bytes = literal.toString().getBytes(StandardCharsets.UTF_8);
        int[] symbols = new int[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            symbols[i] = byteClass(bytes[i] & 0xFF, bytes[i] & 0xFF);
        }
        return symbols;
    }

    private int[] characterClass() {
        at++;
        boolean negated = at < text.length() && text.charAt(at) == '^';
        if (negated) {
            at++;
        }
        List<int[]> ranges = new ArrayList<>();
        while (at < text.length() && text.charAt(at) != ']') {
            int first = character();
            int last = first;
            if (at + 1 < text.length() && text.charAt(at) == '-' && text.charAt(at + 1) != ']') {
                at++;
                last = character();
            }
            if (last < first) {
                throw wrong("a range ends before it begins");
            }
            ranges.add(new int[] {first, last});
        }
        if (at >= text.length()) {
            throw wrong("expected ] at the end of a class");
        }
        at++;
        return new int[] {anyOf(negated ? others(ranges) : ranges)};
    }

    private static List<int[]> others(List<int[]> ranges) {
        List<int[]> sorted = new ArrayList<>(ranges);
        sorted.sort((a, b) -> Integer.compare(a[0], b[0]));
        List<int[]> others = new ArrayList<>();
        int next = 0;
        for (int[] range : sorted) {
            if (range[0] > next) {
                others.add(new int[] {next, range[0] - 1});
            }
            next = Math.max(next, range[1] + 1);
        }
        if (next <= LAST) {
            others.add(new int[] {next, LAST});
        }
        return others;
    }

    private int character() {
        int c = text.codePointAt(at);
        at += Character.charCount(c);
        if (c != '\\' || at >= text.length()) {
            return c;
        }
        int escaped = text.codePointAt(at);
        at += Character.charCount(escaped);
        return switch (escaped) {
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'x' -> hexadecimal(2);
            case 'u' -> hexadecimal(4);
            case 'U' -> hexadecimal(8);
            case '"', '\\', '[', ']', '-', '^' -> escaped;
            default -> throw wrong("unknown escape \\" + Character.toString(escaped));
        };
    }

    private int hexadecimal(int digits) {
        if (at + digits > text.length()) {
            throw wrong("expected " + digits + " hexadecimal digits");
        }
        try {
            int value = Integer.parseUnsignedInt(text, at, at + digits, 16);
            if (value < 0 || value > LAST) {
                throw wrong("there is no such character");
            }
            at += digits;
            return value;
        } catch (NumberFormatException e) {
            throw wrong("expected " + digits + " hexadecimal digits");
        }
    }

    /** A symbol that derives the UTF-8 of the characters in these ranges; surrogates have none. */
    private int anyOf(List<int[]> ranges) {
        long[] ascii = new long[4];
        List<int[]> alternatives = new ArrayList<>();
        int[] limits = {0x7F, 0x7FF, 0xD7FF, 0xDFFF, 0xFFFF, LAST};
        for (int[] range : ranges) {
            int from = range[0];
            for (int limit : limits) {
                int to = Math.min(range[1], limit);
                if (from <= to) {
                    if (limit == 0x7F) {
                        for (int b = from; b <= to; b++) {
                            ascii[b >> 6] |= 1L << b;
                        }
                    } else if (limit != 0xDFFF) {
                        split(from, to, alternatives);
                    }
                    from = to + 1;
                }
            }
        }
        boolean hasAscii = (ascii[0] | ascii[1]) != 0;
        if (alternatives.isEmpty()) {
            return byteClass(ascii);
        }
        int rule = newRule();
        if (hasAscii) {
            rules.get(rule).add(new int[] {byteClass(ascii)});
        }
        rules.get(rule).addAll(alternatives);
        return reference(rule);
    }

    /** Ranges of characters with UTF-8 of the same length as sequences of byte ranges. */
    private void split(int from, int to, List<int[]> alternatives) {
        int shift = 6;
        while (shift <= 18) {
            int mask = (1 << shift) - 1;
            if ((from & ~mask) != (to & ~mask)) {
                if ((from & mask) != 0) {
                    split(from, from | mask, alternatives);
                    split((from | mask) + 1, to, alternatives);
                    return;
                }
                if ((to & mask) != mask) {
                    split(from, (to & ~mask) - 1, alternatives);
                    split(to & ~mask, to, alternatives);
                    return;
                }
            }
            shift += 6;
        }
        byte[] first = Character.toString(from).getBytes(StandardCharsets.UTF_8);
        byte[] last = Character.toString(to).getBytes(StandardCharsets.UTF_8);
        int[] symbols = new int[first.length];
        for (int i = 0; i < first.length; i++) {
            symbols[i] = byteClass(first[i] & 0xFF, last[i] & 0xFF);
        }
        alternatives.add(symbols);
    }

    private int byteClass(int from, int to) {
        long[] bytes = new long[4];
        for (int b = from; b <= to; b++) {
            bytes[b >> 6] |= 1L << b;
        }
        return byteClass(bytes);
    }

    private int byteClass(long[] bytes) {
        for (int i = 0; i < classes.size(); i++) {
            if (Arrays.equals(classes.get(i), bytes)) {
                return 2 * i;
            }
        }
        classes.add(bytes);
        return 2 * (classes.size() - 1);
    }

    private String name() {
        int from = at;
        while (at < text.length() && isNamePart(text.charAt(at))) {
            at++;
        }
        if (at == from) {
            throw wrong("expected the name of a rule");
        }
        return text.substring(from, at);
    }

    private static boolean isNamePart(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    }

    /** Skips blanks and comments; line ends only where a rule may go on. */
    private void space(boolean lines) {
        while (at < text.length()) {
            char c = text.charAt(at);
            if (c == '#') {
                while (at < text.length() && text.charAt(at) != '\n') {
                    at++;
                }
            } else if (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r'))) {
                at++;
            } else {
                return;
            }
        }
    }

    /** A rule that can begin with itself has no end. */
    private void refuseLeftRecursion() {
        int count = rules.size();
        boolean[] empty = new boolean[count];
        for (boolean changed = true; changed; ) {
            changed = false;
            for (int rule = 0; rule < count; rule++) {
                for (int[] alternative : rules.get(rule)) {
                    if (!empty[rule] && derivesNothing(alternative, empty)) {
                        empty[rule] = true;
                        changed = true;
                    }
                }
            }
        }
        int[] colour = new int[count];
        for (int rule = 0; rule < count; rule++) {
            descend(rule, empty, colour);
        }
    }

    private static boolean derivesNothing(int[] alternative, boolean[] empty) {
        for (int symbol : alternative) {
            if ((symbol & 1) == 0 || !empty[symbol >> 1]) {
                return false;
            }
        }
        return true;
    }

    private void descend(int rule, boolean[] empty, int[] colour) {
        if (colour[rule] == 2) {
            return;
        }
        if (colour[rule] == 1) {
            String name = "(a group or repetition)";
            for (Map.Entry<String, Integer> entry : numbers.entrySet()) {
                name = entry.getValue() == rule ? entry.getKey() : name;
            }
            throw new ConfigurationException(
                    "grammar", name, "this rule can begin with itself: put something before it");
        }
        colour[rule] = 1;
        for (int[] alternative : rules.get(rule)) {
            for (int symbol : alternative) {
                if ((symbol & 1) == 0) {
                    break;
                }
                descend(symbol >> 1, empty, colour);
                if (!empty[symbol >> 1]) {
                    break;
                }
            }
        }
        colour[rule] = 2;
    }

    private ConfigurationException wrong(String hint) {
        int line = 1
                + (int) text.substring(0, Math.min(at, text.length()))
                        .chars()
                        .filter(c -> c == '\n')
                        .count();
        return new ConfigurationException("grammar", "line " + line, hint);
    }
}
