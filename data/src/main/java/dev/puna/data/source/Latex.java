package dev.puna.data.source;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** LaTeX sources of a paper to the text that a model sees. */
final class Latex {
    private static final String[] SECTIONS = {
        "\\chapter", "\\part", "\\section", "\\subsection", "\\subsubsection", "\\paragraph", "\\subparagraph"
    };
    private static final String[] ENDS = {
        "\\appendix",
        "\\begin{references}",
        "\\begin{REFERENCES}",
        "\\begin{thebibliography}",
        "\\bibliography{",
        "\\printbibliography",
        "\\end{document}"
    };
    private static final int MAX_INPUTS = 1000;

    private Latex() {}

    /**
     * As the paper says: everything before the first section, the bibliography and comments go; macros of the author are
     * expanded, also those with arguments. Files that others include stand in their place; an included file needs no
     * section of its own. Empty when there is no section.
     *
     * @param files content of the {@code .tex} files by name
     */
    static String paper(Map<String, String> files) {
        LatexMacros macros = new LatexMacros();
        Map<String, String> plain = new LinkedHashMap<>();
        for (Map.Entry<String, String> file : files.entrySet()) {
            String text = withoutComments(file.getValue());
            macros.collect(text);
            plain.put(file.getKey(), text);
        }
        Set<String> used = new HashSet<>();
        int[] inputs = new int[1];
        StringBuilder all = new StringBuilder();
        for (boolean main : new boolean[] {true, false}) {
            for (Map.Entry<String, String> file : plain.entrySet()) {
                if (main == file.getValue().contains("\\begin{document}") && !used.contains(file.getKey())) {
                    StringBuilder text = new StringBuilder();
                    include(file.getKey(), plain, used, text, 0, inputs);
                    String body = body(text.toString());
                    if (!body.isEmpty()) {
                        if (!all.isEmpty()) {
                            all.append('\n');
                        }
                        all.append(macros.expand(body));
                    }
                }
            }
        }
        return all.toString().strip();
    }

    /** Appends a file, with the files it includes in their places. */
    private static void include(
            String name, Map<String, String> files, Set<String> used, StringBuilder out, int depth, int[] inputs) {
        used.add(name);
        String text = files.getOrDefault(name, "");
        int at = 0;
        while (true) {
            int slash = text.indexOf("\\in", at);
            if (slash < 0) {
                break;
            }
            int open = text.startsWith("\\input{", slash)
                    ? slash + 6
                    : text.startsWith("\\include{", slash) ? slash + 8 : -1;
            int close = open < 0 ? -1 : text.indexOf('}', open);
            if (close < 0 || close > open + 300) {
                out.append(text, at, slash + 3);
                at = slash + 3;
                continue;
            }
            out.append(text, at, slash);
            at = close + 1;
            String target = text.substring(open + 1, close).strip();
            String found = find(target, files.keySet());
            if (found != null && !used.contains(found) && depth < 20 && inputs[0]++ < MAX_INPUTS) {
                include(found, files, used, out, depth + 1, inputs);
            }
        }
        out.append(text, at, text.length());
    }

    private static @Nullable String find(String target, Set<String> names) {
        String wanted = target.startsWith("./") ? target.substring(2) : target;
        for (String name : names) {
            if (name.equals(wanted)
                    || name.equals(wanted + ".tex")
                    || name.endsWith("/" + wanted + ".tex")
                    || name.endsWith("/" + wanted)) {
                return name;
            }
        }
        return null;
    }

    /** From the first section to the bibliography or the appendix. */
    private static String body(String text) {
        int first = -1;
        for (String section : SECTIONS) {
            for (int at = text.indexOf(section); at >= 0; at = text.indexOf(section, at + 1)) {
                int behind = at + section.length();
                int next = behind < text.length() && text.charAt(behind) == '*' ? behind + 1 : behind;
                while (next < text.length() && text.charAt(next) == ' ') {
                    next++;
                }
                if (next < text.length()
                        && (text.charAt(next) == '{' || text.charAt(next) == '[')
                        && !inDefinition(text, at)) {
                    first = first < 0 ? at : Math.min(first, at);
                    break;
                }
            }
        }
        if (first < 0) {
            return "";
        }
        int end = text.length();
        for (String mark : ENDS) {
            for (int at = text.indexOf(mark, first); at >= 0; at = text.indexOf(mark, at + 1)) {
                int behind = at + mark.length();
                char last = mark.charAt(mark.length() - 1);
                if (last == '{' || last == '}' || behind == text.length() || !Character.isLetter(text.charAt(behind))) {
                    end = Math.min(end, at);
                    break;
                }
            }
        }
        return text.substring(first, end);
    }

    /** Whether the line of {@code at} began a definition before it. */
    private static boolean inDefinition(String text, int at) {
        int lineStart = Math.max(text.lastIndexOf('\n', at) + 1, at - 300);
        String before = text.substring(lineStart, at);
        return before.contains("command") || before.contains("\\def") || before.contains("\\new");
    }

    /** Removes comments; a line that held nothing else goes with its end. Verbatim text keeps its percent signs. */
    static String withoutComments(String text) {
        StringBuilder out = new StringBuilder(text.length());
        int n = text.length();
        int at = 0;
        while (at < n) {
            int end = text.indexOf('\n', at);
            int next = end < 0 ? n : end + 1;
            int stop = end < 0 ? n : end;
            int verbatim = text.startsWith("\\begin{", at) ? verbatimEnd(text, at) : -1;
            if (verbatim > 0) {
                out.append(text, at, verbatim);
                at = verbatim;
                continue;
            }
            if (text.startsWith("\\begin{comment}", at)) {
                int close = text.indexOf("\\end{comment}", at);
                if (close >= 0) {
                    at = close + "\\end{comment}".length();
                    continue;
                }
            }
            int percent = -1;
            for (int i = at; i < stop; i++) {
                char c = text.charAt(i);
                if (c == '\\') {
                    i++;
                } else if (c == '%') {
                    percent = i;
                    break;
                }
            }
            if (percent < 0) {
                out.append(text, at, next);
            } else {
                int keep = percent;
                while (keep > at && (text.charAt(keep - 1) == ' ' || text.charAt(keep - 1) == '\t')) {
                    keep--;
                }
                if (keep > at) {
                    out.append(text, at, keep);
                    out.append('\n');
                }
            }
            at = next;
        }
        return out.toString();
    }

    private static int verbatimEnd(String text, int at) {
        for (String name : new String[] {"verbatim", "lstlisting", "minted", "Verbatim"}) {
            if (text.startsWith("{" + name, at + 6)) {
                int close = text.indexOf("\\end{" + name, at);
                return close < 0 ? -1 : close;
            }
        }
        return -1;
    }

    /** A header as RedPajama looks for it; a missing bar makes a paragraph count only with a subparagraph behind it. */
    private static final Pattern COMPAT_SECTION = Pattern.compile(
            "\\\\(?:"
                    + Stream.of("chapter", "part", "section", "subsection", "subsubsection")
                            .map(Latex::compatHeader)
                            .collect(Collectors.joining("|"))
                    + "|" + compatHeader("paragraph") + "\\\\" + compatHeader("subparagraph") + ")",
            Pattern.DOTALL);

    /** Of the patterns below only a line feed ends a line, as in Python. */
    private static final int LINES = Pattern.MULTILINE | Pattern.UNIX_LINES;

    private static final Pattern COMPAT_COMMENT_LINE = Pattern.compile("^%.*\\n?", LINES);
    private static final Pattern COMPAT_COMMENT = Pattern.compile("[^\\\\]%.+$", LINES);
    private static final Pattern COMPAT_END = Pattern.compile(
            "\\\\appendix|\\\\begin\\{references\\}|\\\\begin\\{REFERENCES\\}|\\\\begin\\{thebibliography\\}|\\\\bibliography\\{.*\\}",
            Pattern.DOTALL);
    private static final Pattern COMPAT_NEWCOMMAND =
            Pattern.compile("\\\\newcommand\\*?\\{(\\\\[a-zA-Z0-9]+?)\\}\\{(.*?)\\}$", LINES);
    private static final Pattern COMPAT_DEF =
            Pattern.compile("\\\\def\\s*(\\\\[a-zA-Z0-9]+?)\\s*\\{(.*?)\\}$", LINES | Pattern.UNICODE_CHARACTER_CLASS);

    private static String compatHeader(String name) {
        return name + "\\*?(?:\\[.*?\\])?\\{.*?\\}";
    }

    /**
     * As RedPajama's {@code arxiv_cleaner.py}, defects included: a paragraph counts only with a subparagraph behind it, a
     * comment takes the character before it along, and macros with arguments stay.
     *
     * @return null where theirs fails, which drops the paper: a macro stands for characters beyond ASCII
     */
    static @Nullable String compat(Map<String, String> files) {
        Map<String, String> macros = new LinkedHashMap<>();
        for (String file : files.values()) {
            for (Pattern pattern : new Pattern[] {COMPAT_NEWCOMMAND, COMPAT_DEF}) {
                Matcher matcher = pattern.matcher(file);
                while (matcher.find()) {
                    macros.put(matcher.group(1), matcher.group(2));
                }
            }
        }
        List<String> bodies = new ArrayList<>();
        for (String file : files.values()) {
            String body = compatBody(file);
            if (!body.isEmpty()) {
                for (Map.Entry<String, String> macro : macros.entrySet()) {
                    if (macro.getValue().chars().anyMatch(c -> c > 126)) {
                        return null;
                    }
                    body = Pattern.compile("(" + Pattern.quote(macro.getKey()) + ")([^a-zA-Z0-9])")
                            .matcher(body)
                            .replaceAll(Matcher.quoteReplacement(macro.getValue()) + "$2");
                }
            }
            bodies.add(body);
        }
        return String.join("\n", bodies);
    }

    /** From the first header to the bibliography, without comments; empty without a header. */
    private static String compatBody(String file) {
        Matcher section = COMPAT_SECTION.matcher(file);
        if (!section.find()) {
            return "";
        }
        String text = file.substring(section.start());
        text = COMPAT_COMMENT_LINE.matcher(text).replaceAll("");
        text = COMPAT_COMMENT.matcher(text).replaceAll("");
        Matcher end = COMPAT_END.matcher(text);
        return end.find() ? text.substring(0, end.start()) : text;
    }
}
