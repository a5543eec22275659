package dev.puna.data.filter;

import dev.puna.data.Document;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Replaces e-mail addresses and public IPv4 addresses by addresses that belong to nobody, in turn (as datatrove does for
 * FineWeb). Never drops.
 */
public record PersonalDataMask() implements DocumentFilter {
    private static final Pattern EMAIL = Pattern.compile(
            "\\b[A-Za-z0-9!#$%&*+/=?^_`{|}~-]{1,64}(?:\\.[A-Za-z0-9!#$%&*+/=?^_`{|}~-]{1,64}){0,8}@(?:[A-Za-z0-9-]{1,63}\\.){1,8}[A-Za-z]{2,24}\\b");
    private static final Pattern IPV4 = Pattern.compile(
            "(?<![\\d.])(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)(?:\\.(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)){3}(?!\\.?\\d)");
    private static final String[] EMAILS = {"email@example.com", "firstname.lastname@example.org"};
    private static final String[] ADDRESSES = {
        "22.214.171.124", "126.96.36.199", "188.8.131.52", "184.108.40.206", "220.127.116.11", "18.104.22.168"
    };

    @Override
    public String name() {
        return "pii-mask";
    }

    @Override
    public Verdict apply(Document document) {
        String text = document.text();
        if (text.indexOf('@') >= 0) {
            text = replace(EMAIL, text, EMAILS, false);
        }
        if (text.indexOf('.') >= 0) {
            text = replace(IPV4, text, ADDRESSES, true);
        }
        return new Verdict.Keep(text.equals(document.text()) ? document : document.withText(text));
    }

    private static String replace(Pattern pattern, String text, String[] by, boolean onlyPublic) {
        Matcher matcher = pattern.matcher(text);
        StringBuilder out = null;
        int at = 0;
        int turn = 0;
        while (matcher.find()) {
            if (onlyPublic && !isPublic(matcher.group())) {
                continue;
            }
            if (out == null) {
                out = new StringBuilder(text.length() + 32);
            }
            out.append(text, at, matcher.start()).append(by[turn++ % by.length]);
            at = matcher.end();
        }
        return out == null ? text : out.append(text, at, text.length()).toString();
    }

    /** Whether an IPv4 address is globally reachable (IANA's special-purpose registry). */
    static boolean isPublic(String address) {
        String[] parts = address.split("\\.");
        int a = Integer.parseInt(parts[0]);
        int b = Integer.parseInt(parts[1]);
        int c = Integer.parseInt(parts[2]);
        return a != 0
                && a != 10
                && a != 127
                && a < 224
                && !(a == 100 && b >= 64 && b < 128)
                && !(a == 169 && b == 254)
                && !(a == 172 && b >= 16 && b < 32)
                && !(a == 192 && b == 168)
                && !(a == 192 && b == 0 && (c == 0 || c == 2))
                && !(a == 198 && (b == 18 || b == 19))
                && !(a == 198 && b == 51 && c == 100)
                && !(a == 203 && b == 0 && c == 113);
    }
}
