package dev.puna.tokenizer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** Finds added tokens in text: the leftmost, and of several that start there the longest. Immutable. */
final class AddedTokenMatcher {
    private record Entry(AddedToken token, byte[] text) {}

    private final Entry[] @Nullable [] byFirstByte = new Entry[256][];
    private final boolean anyAlways;
    private final boolean any;

    /** A match: bytes {@code [from, to)}, stripped white space included. */
    record Match(AddedToken token, int from, int to) {}

    /**
     * A matcher.
     *
     * @param form how a token's text is written in the text that is searched
     */
    AddedTokenMatcher(List<AddedToken> tokens, UnaryOperator<String> form) {
        List<Entry> entries = new ArrayList<>();
        boolean always = false;
        for (AddedToken token : tokens) {
            byte[] text = Utf8.bytes(form.apply(token.content()));
            if (text.length > 0) {
                entries.add(new Entry(token, text));
                always |= !token.special();
            }
        }
        entries.sort(Comparator.comparingInt((Entry e) -> e.text().length).reversed());
        for (Entry entry : entries) {
            int first = entry.text()[0] & 0xFF;
            Entry[] same = byFirstByte[first];
            Entry[] more = same == null ? new Entry[1] : Arrays.copyOf(same, same.length + 1);
            more[more.length - 1] = entry;
            byFirstByte[first] = more;
        }
        anyAlways = always;
        any = !entries.isEmpty();
    }

    /** Whether a text must be searched at all. */
    boolean applies(boolean special) {
        return special ? any : anyAlways;
    }

    /** The first match in {@code text[from, to)}, or null; control tokens only when {@code special}. */
    @Nullable
    Match find(byte[] text, int from, int to, boolean special) {
        for (int at = from; at < to; at++) {
            Entry[] candidates = byFirstByte[text[at] & 0xFF];
            if (candidates == null) {
                continue;
            }
            for (Entry entry : candidates) {
                int end = at + entry.text().length;
                if ((special || !entry.token().special())
                        && end <= to
                        && Arrays.equals(text, at, end, entry.text(), 0, entry.text().length)
                        && (!entry.token().singleWord() || isAlone(text, from, to, at, end))) {
                    return stripped(entry.token(), text, from, to, at, end);
                }
            }
        }
        return null;
    }

    private static Match stripped(AddedToken token, byte[] text, int from, int to, int start, int end) {
        int first = start;
        int last = end;
        if (token.leftStrip()) {
            while (first > from) {
                int previous = previousCharacter(text, from, first);
                if (!isSpace(text, previous)) {
                    break;
                }
                first = previous;
            }
        }
        if (token.rightStrip()) {
            while (last < to && isSpace(text, last)) {
                last += Utf8.characterLength(text, last, to);
            }
        }
        return new Match(token, first, last);
    }

    private static int previousCharacter(byte[] text, int from, int at) {
        int previous = at - 1;
        while (previous > from && (text[previous] & 0xC0) == 0x80) {
            previous--;
        }
        return previous;
    }

    private static boolean isSpace(byte[] text, int at) {
        return Unicode.classOf(Utf8.codePoint(text, at)) >= Unicode.SPACE;
    }

    private static boolean isAlone(byte[] text, int from, int to, int start, int end) {
        return (start == from || !isWord(text, previousCharacter(text, from, start)))
                && (end == to || !isWord(text, end));
    }

    private static boolean isWord(byte[] text, int at) {
        int c = Utf8.codePoint(text, at);
        return c == '_' || Character.isLetterOrDigit(c) || Character.getType(c) == Character.NON_SPACING_MARK;
    }
}
