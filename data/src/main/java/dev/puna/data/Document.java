package dev.puna.data;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One document on its way from a dump to tokens. In a file it is the JSON object
 * {@code {"id":…,"text":…,"source":…,"meta":{…}}} on a line of its own.
 *
 * @param id unique within the source
 * @param text the text that a model will see
 * @param source name of the source, for the mixture: {@code github}, {@code wikipedia}, …
 * @param meta what else is known, in the order in which it is written; values are strings, numbers, booleans, lists or
 *     maps of these
 */
public record Document(String id, String text, String source, Map<String, Object> meta) {
    public Document {
        meta = Collections.unmodifiableMap(meta);
    }

    /** Bytes of the text in UTF-8; a lone surrogate counts as U+FFFD. */
    public long utf8Length() {
        String chars = text;
        int length = chars.length();
        long bytes = length;
        for (int i = 0; i < length; i++) {
            char c = chars.charAt(i);
            if (c >= 0x80) {
                bytes += c < 0x800 ? 1 : 2;
                if (Character.isHighSurrogate(c) && i + 1 < length && Character.isLowSurrogate(chars.charAt(i + 1))) {
                    bytes--; // two chars, four bytes
                    i++;
                }
            }
        }
        return bytes;
    }

    /** The same document with another text. */
    public Document withText(String newText) {
        return new Document(id, newText, source, meta);
    }

    /** The same document with one more thing known about it. */
    public Document with(String key, Object value) {
        Map<String, Object> more = new LinkedHashMap<>(meta);
        more.put(key, value);
        return new Document(id, text, source, more);
    }

    /** The value of {@code key} as a string, or null when nothing is known. */
    public @Nullable String string(String key) {
        Object value = meta.get(key);
        return value == null ? null : value.toString();
    }

    /** The value of {@code key} as a number, or {@code otherwise} when it is not there or not a number. */
    public double number(String key, double otherwise) {
        return meta.get(key) instanceof Number n ? n.doubleValue() : otherwise;
    }
}
