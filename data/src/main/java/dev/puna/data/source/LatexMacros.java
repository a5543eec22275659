package dev.puna.data.source;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The macros that a paper defines for itself, and their expansion in its text: {@code \newcommand},
 * {@code \renewcommand}, {@code \providecommand} with and without arguments and with an optional first argument,
 * {@code \def} with plain parameters, {@code \DeclareMathOperator}.
 *
 * <p>Definitions that program TeX ({@code \if}, {@code \csname}, {@code \expandafter}, names with {@code @}) are left
 * alone. A macro is not expanded within its own expansion, expansions nest at most {@value #MAX_DEPTH} deep, and the text
 * grows to at most {@value #MAX_GROWTH} times its size and a megabyte: what a definition does beyond that stays
 * unexpanded.
 */
final class LatexMacros {
    private static final int MAX_DEPTH = 16;
    private static final int MAX_GROWTH = 4;
    private static final int MAX_BODY = 4000;

    private static final Set<String> PROGRAMMING = Set.of(
            "\\csname",
            "\\expandafter",
            "\\futurelet",
            "\\loop",
            "\\else",
            "\\fi",
            "\\def",
            "\\let",
            "\\edef",
            "\\newcommand",
            "\\renewcommand",
            "\\setcounter",
            "\\addtocounter",
            "\\catcode");

    private record Macro(int arguments, @Nullable String optional, String body) {}

    private final Map<String, Macro> macros = new HashMap<>();
    private final Set<String> active = new HashSet<>();
    private long budget;

    int size() {
        return macros.size();
    }

    /** Learns the definitions in a file without comments. */
    void collect(String tex) {
        for (int at = tex.indexOf('\\'); at >= 0; at = tex.indexOf('\\', at + 1)) {
            int end = name(tex, at);
            int length = end - at;
            if (length < 4 || length > 20) {
                continue;
            }
            char c = tex.charAt(at + 1);
            if (c != 'n' && c != 'r' && c != 'p' && c != 'd' && c != 'D') {
                continue;
            }
            learn(tex, tex.substring(at, end), end);
        }
    }

    /** Learns the definition that follows a command, when it is one; where it ends, or -1 when it was not learned. */
    private int learn(String tex, String command, int end) {
        return switch (command) {
            case "\\newcommand", "\\renewcommand", "\\providecommand", "\\DeclareRobustCommand" -> command(tex, end);
            case "\\def" -> definition(tex, end);
            case "\\DeclareMathOperator" -> operator(tex, end);
            default -> -1;
        };
    }

    /** The end of the control word at the backslash {@code at}: behind its letters, or behind one other character. */
    private static int name(String s, int at) {
        int end = at + 1;
        while (end < s.length() && isLetter(s.charAt(end))) {
            end++;
        }
        return end == at + 1 ? Math.min(s.length(), at + 2) : end;
    }

    private static boolean isLetter(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '@';
    }

    private static int blanks(String s, int at) {
        int i = at;
        while (i < s.length()
                && (s.charAt(i) == ' ' || s.charAt(i) == '\t' || s.charAt(i) == '\n' || s.charAt(i) == '\r')) {
            i++;
        }
        return i;
    }

    /** Behind the brace that closes the group at {@code at}, or -1; a group longer than {@code max} counts as open. */
    private static int group(String s, int at, int max) {
        int depth = 0;
        int limit = (int) Math.min(s.length(), (long) at + max);
        for (int i = at; i < limit; i++) {
            char c = s.charAt(i);
            if (c == '\\') {
                i++;
            } else if (c == '{') {
                depth++;
            } else if (c == '}' && --depth == 0) {
                return i + 1;
            }
        }
        return -1;
    }

    private int command(String s, int from) {
        int at = blanks(s, from);
        if (at < s.length() && s.charAt(at) == '*') {
            at = blanks(s, at + 1);
        }
        if (at >= s.length()) {
            return -1;
        }
        boolean braced = s.charAt(at) == '{';
        if (braced) {
            at = blanks(s, at + 1);
        }
        if (at >= s.length() || s.charAt(at) != '\\') {
            return -1;
        }
        int end = name(s, at);
        String name = s.substring(at, end);
        at = blanks(s, end);
        if (braced) {
            if (at >= s.length() || s.charAt(at) != '}') {
                return -1;
            }
            at = blanks(s, at + 1);
        }
        int arguments = 0;
        String optional = null;
        if (at + 2 < s.length()
                && s.charAt(at) == '['
                && Character.isDigit(s.charAt(at + 1))
                && s.charAt(at + 2) == ']') {
            arguments = s.charAt(at + 1) - '0';
            at = blanks(s, at + 3);
            if (at < s.length() && s.charAt(at) == '[') {
                int close = s.indexOf(']', at);
                if (close < 0 || close > at + 200) {
                    return -1;
                }
                optional = s.substring(at + 1, close);
                at = blanks(s, close + 1);
            }
        }
        return define(name, arguments, optional, s, at);
    }

    private int definition(String s, int from) {
        int at = blanks(s, from);
        if (at >= s.length() || s.charAt(at) != '\\') {
            return -1;
        }
        int end = name(s, at);
        String name = s.substring(at, end);
        at = end;
        int arguments = 0;
        while (at + 1 < s.length() && s.charAt(at) == '#' && s.charAt(at + 1) == '1' + arguments) {
            arguments++;
            at += 2;
        }
        return define(name, arguments, null, s, blanks(s, at));
    }

    private int operator(String s, int from) {
        int at = blanks(s, from);
        boolean star = at < s.length() && s.charAt(at) == '*';
        if (star) {
            at = blanks(s, at + 1);
        }
        if (at >= s.length() || s.charAt(at) != '{') {
            return -1;
        }
        int close = group(s, at, 100);
        if (close < 0) {
            return -1;
        }
        String name = s.substring(at + 1, close - 1).strip();
        int body = blanks(s, close);
        int end = body < s.length() && s.charAt(body) == '{' ? group(s, body, MAX_BODY) : -1;
        if (end > 0 && name.startsWith("\\") && name.length() > 1) {
            macros.put(name, new Macro(0, null, "\\operatorname" + (star ? "*" : "") + s.substring(body, end)));
            return end;
        }
        return -1;
    }

    private int define(String name, int arguments, @Nullable String optional, String s, int at) {
        if (at >= s.length() || s.charAt(at) != '{' || name.length() < 2 || name.indexOf('@') >= 0) {
            return -1;
        }
        int end = group(s, at, MAX_BODY);
        if (end < 0) {
            return -1;
        }
        String body = s.substring(at + 1, end - 1);
        if (programs(body)) {
            macros.remove(name);
            return -1;
        }
        macros.put(name, new Macro(arguments, optional, body));
        return end;
    }

    private static boolean programs(String body) {
        for (int at = body.indexOf('\\'); at >= 0 && at + 1 < body.length(); at = body.indexOf('\\', at + 2)) {
            String word = body.substring(at, name(body, at));
            if (PROGRAMMING.contains(word)
                    || word.indexOf('@') >= 0
                    || (word.startsWith("\\if") && !word.equals("\\iff"))) {
                return true;
            }
        }
        return false;
    }

    /** The text with every known macro replaced. */
    String expand(String tex) {
        if (macros.isEmpty()) {
            return tex;
        }
        budget = (long) (MAX_GROWTH - 1) * tex.length() + (1 << 20);
        StringBuilder out = new StringBuilder(tex.length() + tex.length() / 8);
        expand(tex, out, 0);
        return out.toString();
    }

    private void expand(String s, StringBuilder out, int depth) {
        int n = s.length();
        int at = 0;
        while (at < n) {
            int slash = s.indexOf('\\', at);
            if (slash < 0) {
                break;
            }
            out.append(s, at, slash);
            int end = name(s, slash);
            at = end;
            String name = s.substring(slash, end);
            int definition = depth == 0 && name.length() >= 4 ? learn(s, name, end) : -1;
            if (definition > 0) { // what is expanded everywhere needs no definition
                at = definition;
                continue;
            }
            Macro macro = macros.get(name);
            if (macro == null || depth >= MAX_DEPTH || budget <= 0 || active.contains(name)) {
                out.append(name);
                continue;
            }
            if (out.length() >= 12 && definesHere(out)) {
                out.append(name);
                continue;
            }
            String[] arguments = new String[macro.arguments()];
            int next = arguments(s, end, macro, arguments);
            if (next < 0) {
                out.append(name);
                continue;
            }
            for (int i = 0; i < arguments.length; i++) {
                if (arguments[i].indexOf('\\') >= 0) { // before this macro is active: it may stand in its own argument
                    StringBuilder argument = new StringBuilder(arguments[i].length());
                    expand(arguments[i], argument, depth + 1);
                    arguments[i] = argument.toString();
                }
            }
            String body = substitute(macro.body(), arguments);
            budget -= body.length();
            at = next;
            active.add(name);
            int before = out.length();
            expand(body, out, depth + 1);
            active.remove(name);
            // A control word must not run into the letter that follows the macro.
            if (at < n && isLetter(s.charAt(at)) && out.length() > before && endsInControlWord(out)) {
                out.append(' ');
            }
        }
        out.append(s, Math.min(at, n), n);
    }

    /** Whether what has just been written is the beginning of a definition, whose name must stay. */
    private static boolean definesHere(StringBuilder out) {
        int end = out.length();
        while (end > 0 && (out.charAt(end - 1) == '{' || out.charAt(end - 1) == ' ' || out.charAt(end - 1) == '*')) {
            end--;
        }
        int start = end;
        while (start > 0 && end - start < 24 && isLetter(out.charAt(start - 1))) {
            start--;
        }
        if (start == 0 || out.charAt(start - 1) != '\\') {
            return false;
        }
        return switch (out.substring(start, end)) {
            case "newcommand",
                    "renewcommand",
                    "providecommand",
                    "DeclareRobustCommand",
                    "def",
                    "let",
                    "DeclareMathOperator" -> true;
            default -> false;
        };
    }

    private static boolean endsInControlWord(StringBuilder out) {
        int i = out.length() - 1;
        while (i >= 0 && isLetter(out.charAt(i))) {
            i--;
        }
        return i >= 0 && i < out.length() - 1 && out.charAt(i) == '\\';
    }

    /** Reads the arguments behind the macro's name; where they end, or -1 when they are not there. */
    private static int arguments(String s, int from, Macro macro, String[] arguments) {
        int at = from;
        int first = 0;
        if (macro.arguments() > 0 && macro.optional() != null) {
            first = 1;
            arguments[0] = macro.optional();
            int bracket = blanks(s, at);
            if (bracket < s.length() && s.charAt(bracket) == '[') {
                int close = s.indexOf(']', bracket);
                if (close < 0 || close > bracket + MAX_BODY) {
                    return -1;
                }
                arguments[0] = s.substring(bracket + 1, close);
                at = close + 1;
            }
        }
        for (int i = first; i < arguments.length; i++) {
            at = blanks(s, at);
            if (at >= s.length() || s.charAt(at) == '}') {
                return -1;
            }
            char c = s.charAt(at);
            if (c == '{') {
                int end = group(s, at, 16 * MAX_BODY);
                if (end < 0) {
                    return -1;
                }
                arguments[i] = s.substring(at + 1, end - 1);
                at = end;
            } else if (c == '\\') {
                int end = name(s, at);
                arguments[i] = s.substring(at, end);
                at = end;
            } else {
                int end = s.offsetByCodePoints(at, 1);
                arguments[i] = s.substring(at, end);
                at = end;
            }
        }
        return at;
    }

    private static String substitute(String body, String[] arguments) {
        if (arguments.length == 0) {
            return body;
        }
        StringBuilder out = new StringBuilder(body.length() + 32);
        for (int i = 0; i < body.length(); i++) {
            char c = body.charAt(i);
            if (c == '#' && i + 1 < body.length()) {
                int number = body.charAt(i + 1) - '1';
                if (number >= 0 && number < arguments.length) {
                    out.append(arguments[number]);
                    i++;
                    continue;
                }
            }
            out.append(c);
        }
        return out.toString();
    }
}
