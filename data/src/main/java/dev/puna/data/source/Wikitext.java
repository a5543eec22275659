package dev.puna.data.source;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jsoup.parser.Parser;

/**
 * Wiki markup to plain text: links become their text; templates, tables, references, comments, files and categories go;
 * headings and list items stay as lines; formulas and galleries go, code stays.
 *
 * <p>One pass from left to right with a stack of what is open. Everything that is not yet known to be text is already in
 * the output; when a template or a table closes, the output is cut back to where it began, so that depth costs nothing.
 * What never closes stays as text. Links nest in each other at most {@value #LINK_DEPTH} deep, because closing one moves
 * its text. Time and memory are linear in the input.
 */
final class Wikitext {
    private static final int LINK_DEPTH = 8;

    private static final byte TEMPLATE = 1;
    private static final byte TABLE = 2;
    private static final byte LINK = 3;

    /** Elements that go with what they hold. */
    private static final Set<String> INVISIBLE = Set.of(
            "ref",
            "math",
            "chem",
            "ce",
            "gallery",
            "timeline",
            "score",
            "imagemap",
            "references",
            "templatestyles",
            "graph",
            "mapframe",
            "maplink",
            "hiero",
            "inputbox",
            "categorytree",
            "style",
            "script");

    /** Elements whose content is not markup. */
    private static final Set<String> VERBATIM = Set.of("nowiki", "pre", "code", "syntaxhighlight", "source");

    /** Prefixes of links that go, in the languages of LLaMA's Wikipedia and some more. */
    private static final Set<String> HIDDEN_NAMESPACES = Set.copyOf(List.of(
            ("file,image,media,category,datei,bild,kategorie,fichier,catégorie,archivo,imagen,categoría,file,immagine,"
                            + "categoria,bestand,afbeelding,categorie,ficheiro,imagem,arquivo,fișier,imagine,категория,файл,"
                            + "изображение,зображення,категорія,слика,датотека,категорија,slika,datoteka,kategorija,fil,kategori,"
                            + "billede,kép,fájl,kategória,plik,grafika,kategoria,soubor,obrázek,fitxer,imatge,картинка,slika,"
                            + "ファイル,画像,カテゴリ,文件,檔案,档案,图像,圖像,分类,分類,파일,그림,분류")
                    .split(",")));

    private static final Map<String, String> ENTITIES = Map.ofEntries(
            Map.entry("nbsp", " "),
            Map.entry("ndash", "–"),
            Map.entry("mdash", "—"),
            Map.entry("amp", "&"),
            Map.entry("lt", "<"),
            Map.entry("gt", ">"),
            Map.entry("quot", "\""),
            Map.entry("minus", "−"),
            Map.entry("times", "×"),
            Map.entry("thinsp", " "),
            Map.entry("hellip", "…"));

    private final String in;
    private final StringBuilder out;
    private byte[] kinds = new byte[64];
    private int[] starts = new int[64]; // length of the output where it opened
    private int[] pipes = new int[64]; // where the first bar of a link stands in the output, or -1
    private int depth;
    private int templates;
    private int tables;
    private int links;
    private final Map<String, Boolean> unclosed = new HashMap<>();

    private Wikitext(String in) {
        this.in = in;
        this.out = new StringBuilder(in.length() / 2 + 16);
    }

    static String toText(String markup) {
        Wikitext parser = new Wikitext(markup);
        parser.parse();
        return lines(parser.out);
    }

    private void parse() {
        String s = in;
        int n = s.length();
        int i = 0;
        while (i < n) {
            char c = s.charAt(i);
            switch (c) {
                case '{' -> {
                    if (starts(i, "{{")) {
                        open(TEMPLATE);
                        templates++;
                        i += 2;
                    } else if (starts(i, "{|") && atLineStart(i)) {
                        open(TABLE);
                        tables++;
                        i += 2;
                    } else {
                        out.append(c);
                        i++;
                    }
                }
                case '}' -> {
                    if (templates > 0 && starts(i, "}}")) {
                        closeTo(TEMPLATE);
                        i += 2;
                    } else {
                        out.append(c);
                        i++;
                    }
                }
                case '|' -> {
                    if (tables > 0 && starts(i, "|}") && !starts(i, "|}}") && kinds[depth - 1] != TEMPLATE) {
                        closeTo(TABLE);
                        i += 2;
                    } else {
                        if (depth > 0 && kinds[depth - 1] == LINK && pipes[depth - 1] < 0) {
                            pipes[depth - 1] = out.length();
                        }
                        out.append(c);
                        i++;
                    }
                }
                case '[' -> i = openBracket(i);
                case ']' -> {
                    if (starts(i, "]]") && depth > 0 && kinds[depth - 1] == LINK) {
                        closeLink();
                        i += 2;
                    } else {
                        out.append(c);
                        i++;
                    }
                }
                case '\'' -> {
                    int end = i;
                    while (end < n && s.charAt(end) == '\'') {
                        end++;
                    }
                    int run = end - i;
                    int literal = run == 1 ? 1 : run == 4 ? 1 : Math.max(0, run - 5);
                    out.repeat('\'', literal);
                    i = end;
                }
                case '<' -> i = tag(i);
                case '&' -> i = entity(i);
                case '_' -> {
                    int end = magicWord(i);
                    if (end < 0) {
                        out.append(c);
                        i++;
                    } else {
                        i = end;
                    }
                }
                default -> {
                    out.append(c);
                    i++;
                }
            }
        }
    }

    private boolean starts(int at, String what) {
        return in.startsWith(what, at);
    }

    private boolean atLineStart(int at) {
        int i = at - 1;
        while (i >= 0 && at - i < 64 && (in.charAt(i) == ' ' || in.charAt(i) == ':' || in.charAt(i) == '\t')) {
            i--;
        }
        return i < 0 || in.charAt(i) == '\n';
    }

    private void open(byte kind) {
        if (depth == kinds.length) {
            kinds = Arrays.copyOf(kinds, depth * 2);
            starts = Arrays.copyOf(starts, depth * 2);
            pipes = Arrays.copyOf(pipes, depth * 2);
        }
        kinds[depth] = kind;
        starts[depth] = out.length();
        pipes[depth] = -1;
        depth++;
    }

    /** Closes everything down to the innermost frame of this kind, and forgets what it held. */
    private void closeTo(byte kind) {
        while (true) {
            depth--;
            byte top = kinds[depth];
            switch (top) {
                case TEMPLATE -> templates--;
                case TABLE -> tables--;
                default -> links--;
            }
            if (top == kind) {
                out.setLength(starts[depth]);
                return;
            }
        }
    }

    private int openBracket(int i) {
        if (starts(i, "[[")) {
            if (links < LINK_DEPTH) {
                open(LINK);
                links++;
            }
            return i + 2;
        }
        for (String scheme : new String[] {"http://", "https://", "//", "ftp://", "mailto:"}) {
            if (in.startsWith(scheme, i + 1)) {
                int end = i + 1;
                int limit = Math.min(in.length(), i + 4000);
                while (end < limit && " ]\n<|".indexOf(in.charAt(end)) < 0) {
                    end++;
                }
                if (end < limit && in.charAt(end) == ' ') {
                    int close = end;
                    int within = Math.min(in.length(), end + 4000);
                    while (close < within && in.charAt(close) != ']' && in.charAt(close) != '\n') {
                        close++;
                    }
                    if (close < within
                            && in.charAt(close) == ']'
                            && !in.substring(end, close).contains("[[")) {
                        out.append(in, end + 1, close);
                        return close + 1;
                    }
                } else if (end < limit && in.charAt(end) == ']') {
                    return end + 1;
                }
                break;
            }
        }
        out.append('[');
        return i + 1;
    }

    private void closeLink() {
        depth--;
        links--;
        int start = starts[depth];
        int pipe = pipes[depth];
        int targetEnd = pipe < 0 ? out.length() : pipe;
        int colon = -1;
        for (int i = start; i < targetEnd && i < start + 40; i++) {
            if (out.charAt(i) == ':') {
                colon = i;
                break;
            }
        }
        if (colon > start) {
            String prefix = out.substring(start, colon).strip().toLowerCase(Locale.ROOT);
            if (HIDDEN_NAMESPACES.contains(prefix) || (pipe < 0 && isLanguage(prefix))) {
                out.setLength(start);
                return;
            }
        }
        if (pipe >= 0) {
            if (pipe + 1 == out.length()) { // [[Mercury (planet)|]] shows Mercury
                String target = out.substring(start, pipe);
                int bracket = target.indexOf(" (");
                out.setLength(start);
                out.append(bracket > 0 ? target.substring(0, bracket) : target);
            } else {
                out.delete(start, pipe + 1);
            }
        } else if (colon == start) {
            out.deleteCharAt(start);
        }
    }

    private static boolean isLanguage(String prefix) {
        int dash = prefix.indexOf('-');
        int letters = dash < 0 ? prefix.length() : dash;
        if (letters < 2 || letters > 3) {
            return prefix.equals("simple");
        }
        for (int i = 0; i < prefix.length(); i++) {
            char c = prefix.charAt(i);
            if (!(c >= 'a' && c <= 'z') && c != '-') {
                return false;
            }
        }
        return true;
    }

    private int tag(int i) {
        String s = in;
        int n = s.length();
        if (starts(i, "<!--")) {
            int end = s.indexOf("-->", i + 4);
            return end < 0 ? n : end + 3;
        }
        int at = i + 1;
        boolean closing = at < n && s.charAt(at) == '/';
        if (closing) {
            at++;
        }
        int nameStart = at;
        while (at < n && at - nameStart < 20 && isLetter(s.charAt(at))) {
            at++;
        }
        if (at == nameStart) {
            out.append('<');
            return i + 1;
        }
        String name = s.substring(nameStart, at).toLowerCase(Locale.ROOT);
        int limit = Math.min(n, at + 2000);
        int end = at;
        while (end < limit && s.charAt(end) != '>' && s.charAt(end) != '<') {
            end++;
        }
        if (end == limit || s.charAt(end) == '<') {
            if (INVISIBLE.contains(name) || VERBATIM.contains(name)) {
                return end == limit ? i + 1 : end;
            }
            out.append('<');
            return i + 1;
        }
        boolean alone = s.charAt(end - 1) == '/';
        int after = end + 1;
        if (!closing && !alone) {
            if (INVISIBLE.contains(name)) {
                int close = closing(name, after);
                return close < 0 ? after : afterTag(close);
            }
            if (VERBATIM.contains(name)) {
                int close = closing(name, after);
                if (close >= 0) {
                    out.append(s, after, close);
                    return afterTag(close);
                }
                return after;
            }
        }
        if (name.equals("br") || name.equals("p") || name.equals("div") || name.equals("li") || name.equals("tr")) {
            out.append('\n');
        }
        return after;
    }

    private static boolean isLetter(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    }

    private int afterTag(int close) {
        int end = in.indexOf('>', close);
        return end < 0 ? in.length() : end + 1;
    }

    /** Where {@code </name} begins from {@code from} on, or -1; a name that was not found once is not looked for again. */
    private int closing(String name, int from) {
        if (unclosed.containsKey(name)) {
            return -1;
        }
        for (int at = in.indexOf("</", from); at >= 0; at = in.indexOf("</", at + 2)) {
            if (in.regionMatches(true, at + 2, name, 0, name.length())) {
                return at;
            }
        }
        unclosed.put(name, true);
        return -1;
    }

    private int entity(int i) {
        int end = i + 1;
        int limit = Math.min(in.length(), i + 12);
        while (end < limit && (isLetter(in.charAt(end)) || in.charAt(end) == '#')) {
            end++;
        }
        if (end < limit && end > i + 1 && in.charAt(end) == ';') {
            String name = in.substring(i + 1, end);
            String known = ENTITIES.get(name);
            out.append(known != null ? known : Parser.unescapeEntities(in.substring(i, end + 1), false));
            return end + 1;
        }
        out.append('&');
        return i + 1;
    }

    /** {@code __NOTOC__} and its kind: where it ends, or -1. */
    private int magicWord(int i) {
        if (!starts(i, "__")) {
            return -1;
        }
        int end = i + 2;
        int limit = Math.min(in.length(), i + 32);
        while (end < limit && Character.isUpperCase(in.charAt(end))) {
            end++;
        }
        return end > i + 2 && starts(end, "__") ? end + 2 : -1;
    }

    /** Takes markers off lines, drops what is left of removed things, and joins with at most one empty line between. */
    private static String lines(StringBuilder raw) {
        StringBuilder out = new StringBuilder(raw.length());
        int n = raw.length();
        int at = 0;
        boolean gap = false;
        while (at < n) {
            int end = at;
            while (end < n && raw.charAt(end) != '\n') {
                end++;
            }
            int from = at;
            int to = end;
            while (from < to && ("*#:; \t\u00a0".indexOf(raw.charAt(from)) >= 0)) {
                from++;
            }
            while (to > from && Character.isWhitespace(raw.charAt(to - 1))) {
                to--;
            }
            int level = 0;
            while (from < to && level < 6 && raw.charAt(from) == '=' && raw.charAt(to - 1) == '=' && to - from > 2) {
                from++;
                to--;
                level++;
            }
            boolean heading = level > 0;
            while (from < to && Character.isWhitespace(raw.charAt(from))) {
                from++;
            }
            while (to > from && Character.isWhitespace(raw.charAt(to - 1))) {
                to--;
            }
            if (from < to && hasLetterOrDigit(raw, from, to)) {
                if (!out.isEmpty()) {
                    out.append(gap || heading ? "\n\n" : "\n");
                }
                appendTidy(raw, from, to, out);
                gap = heading;
            } else {
                gap = true;
            }
            at = end + 1;
        }
        return out.toString();
    }

    private static boolean hasLetterOrDigit(StringBuilder s, int from, int to) {
        for (int i = from; i < to; i++) {
            if (Character.isLetterOrDigit(s.charAt(i)) || Character.isSurrogate(s.charAt(i))) {
                return true;
            }
        }
        return false;
    }

    /** Copies a line, one space for many, without the brackets and commas whose content was a template. */
    private static void appendTidy(StringBuilder s, int from, int to, StringBuilder out) {
        int lineStart = out.length();
        for (int i = from; i < to; i++) {
            char c = s.charAt(i);
            if (c == '(') {
                int end = i + 1;
                while (end < to && end < i + 40 && " ,;:/–—-\u00a0".indexOf(s.charAt(end)) >= 0) {
                    end++;
                }
                if (end < to && s.charAt(end) == ')') {
                    i = end;
                    continue;
                }
                if (end < to && end > i + 1 && ",;".indexOf(s.charAt(i + 1)) >= 0) {
                    out.append('(');
                    i = end - 1;
                    continue;
                }
            }
            boolean space = c == ' ' || c == '\t' || c == '\u00a0';
            int length = out.length();
            if (space) {
                if (length > lineStart && out.charAt(length - 1) != ' ') {
                    out.append(' ');
                }
                continue;
            }
            if ((c == ',' || c == '.' || c == ')' || c == ';') && length > lineStart && out.charAt(length - 1) == ' ') {
                boolean number = c == '.' && i + 1 < to && Character.isLetterOrDigit(s.charAt(i + 1));
                if (!number) {
                    out.setLength(length - 1);
                }
            }
            out.append(c);
        }
    }
}
