package dev.puna.tokenizer.template;

/**
 * Text marked with {@code |safe} or {@code |escape}. Templates without autoescaping still notice it: joined to other
 * text with {@code +} or {@code %} it escapes that text for HTML, as markupsafe does.
 */
record Markup(String text) {
    static String escape(String text) {
        StringBuilder escaped = null;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            String replacement = switch (c) {
                case '&' -> "&amp;";
                case '<' -> "&lt;";
                case '>' -> "&gt;";
                case '\'' -> "&#39;";
                case '"' -> "&#34;";
                default -> "";
            };
            if (replacement.isEmpty()) {
                if (escaped != null) {
                    escaped.append(c);
                }
            } else {
                if (escaped == null) {
                    escaped = new StringBuilder(text.length() + 16).append(text, 0, i);
                }
                escaped.append(replacement);
            }
        }
        return escaped == null ? text : escaped.toString();
    }

    /** {@code value} as it may stand beside marked text: itself when marked, else its text escaped. */
    static String escaped(Rendering r, Object value) {
        if (value instanceof Markup markup) {
            return markup.text();
        }
        return r.made(escape(Values.str(r, value)));
    }
}
