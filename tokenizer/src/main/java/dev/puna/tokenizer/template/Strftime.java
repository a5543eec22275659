package dev.puna.tokenizer.template;

import java.time.LocalDateTime;
import java.time.format.TextStyle;
import java.time.temporal.IsoFields;
import java.util.Locale;

/** {@code strftime} in the C locale, for a time without zone. */
final class Strftime {
    private Strftime() {}

    static String format(String format, LocalDateTime time) {
        StringBuilder out = new StringBuilder(format.length() + 16);
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            if (c != '%' || i + 1 == format.length()) {
                out.append(c);
                continue;
            }
            char directive = format.charAt(++i);
            if (directive == '-' && i + 1 < format.length()) {
                StringBuilder padded = new StringBuilder();
                directive(format.charAt(++i), time, padded);
                int start = 0;
                while (start < padded.length() - 1 && (padded.charAt(start) == '0' || padded.charAt(start) == ' ')) {
                    start++;
                }
                out.append(padded, start, padded.length());
            } else {
                directive(directive, time, out);
            }
        }
        return out.toString();
    }

    private static void directive(char directive, LocalDateTime t, StringBuilder out) {
        int hour12 = t.getHour() % 12 == 0 ? 12 : t.getHour() % 12;
        switch (directive) {
            case 'a' -> out.append(t.getDayOfWeek().getDisplayName(TextStyle.SHORT, Locale.ENGLISH));
            case 'A' -> out.append(t.getDayOfWeek().getDisplayName(TextStyle.FULL, Locale.ENGLISH));
            case 'b', 'h' -> out.append(t.getMonth().getDisplayName(TextStyle.SHORT, Locale.ENGLISH));
            case 'B' -> out.append(t.getMonth().getDisplayName(TextStyle.FULL, Locale.ENGLISH));
            case 'c' -> out.append(format("%a %b %e %H:%M:%S %Y", t));
            case 'C' -> padded(out, t.getYear() / 100, 2, '0');
            case 'd' -> padded(out, t.getDayOfMonth(), 2, '0');
            case 'D', 'x' -> out.append(format("%m/%d/%y", t));
            case 'e' -> padded(out, t.getDayOfMonth(), 2, ' ');
            case 'f' -> padded(out, t.getNano() / 1000, 6, '0');
            case 'F' -> out.append(format("%Y-%m-%d", t));
            case 'g' -> padded(out, t.get(IsoFields.WEEK_BASED_YEAR) % 100, 2, '0');
            case 'G' -> out.append(t.get(IsoFields.WEEK_BASED_YEAR));
            case 'H' -> padded(out, t.getHour(), 2, '0');
            case 'I' -> padded(out, hour12, 2, '0');
            case 'j' -> padded(out, t.getDayOfYear(), 3, '0');
            case 'k' -> padded(out, t.getHour(), 2, ' ');
            case 'l' -> padded(out, hour12, 2, ' ');
            case 'm' -> padded(out, t.getMonthValue(), 2, '0');
            case 'M' -> padded(out, t.getMinute(), 2, '0');
            case 'n' -> out.append('\n');
            case 'p' -> out.append(t.getHour() < 12 ? "AM" : "PM");
            case 'r' -> out.append(format("%I:%M:%S %p", t));
            case 'R' -> out.append(format("%H:%M", t));
            case 'S' -> padded(out, t.getSecond(), 2, '0');
            case 't' -> out.append('\t');
            case 'T', 'X' -> out.append(format("%H:%M:%S", t));
            case 'u' -> out.append(t.getDayOfWeek().getValue());
            case 'U' -> padded(out, (t.getDayOfYear() + 6 - t.getDayOfWeek().getValue() % 7) / 7, 2, '0');
            case 'V' -> padded(out, t.get(IsoFields.WEEK_OF_WEEK_BASED_YEAR), 2, '0');
            case 'w' -> out.append(t.getDayOfWeek().getValue() % 7);
            case 'W' -> padded(out, (t.getDayOfYear() + 6 - (t.getDayOfWeek().getValue() + 6) % 7) / 7, 2, '0');
            case 'y' -> padded(out, t.getYear() % 100, 2, '0');
            case 'Y' -> out.append(t.getYear());
            case 'z', 'Z' -> {}
            case '%' -> out.append('%');
            default -> out.append('%').append(directive);
        }
    }

    private static void padded(StringBuilder out, int value, int width, char pad) {
        String digits = Integer.toString(value);
        for (int i = digits.length(); i < width; i++) {
            out.append(pad);
        }
        out.append(digits);
    }
}
