package dev.puna.data.source;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Set;
import org.jsoup.Jsoup;
import org.jsoup.nodes.Document;
import org.jsoup.nodes.Element;
import org.jsoup.nodes.Node;
import org.jsoup.nodes.TextNode;
import org.jspecify.annotations.Nullable;

/** HTML to text: the title, then each block on a line of its own; scripts, styles, menus and forms go; alt texts stay. */
final class HtmlText {
    private static final Set<String> HIDDEN = Set.of(
            "script", "style", "noscript", "template", "svg", "nav", "form", "iframe", "button", "select", "head");
    private static final Set<String> BLOCKS = Set.of(
            "p",
            "div",
            "br",
            "li",
            "ul",
            "ol",
            "tr",
            "table",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "section",
            "article",
            "header",
            "footer",
            "main",
            "aside",
            "blockquote",
            "pre",
            "dd",
            "dt",
            "dl",
            "hr",
            "figure",
            "figcaption");

    private HtmlText() {}

    static String of(byte[] html, @Nullable String charset, String uri) throws IOException {
        Document page = Jsoup.parse(new ByteArrayInputStream(html), charset, uri);
        StringBuilder out = new StringBuilder();
        out.append(page.title()).append('\n');
        Node node = page.body();
        int depth = 0;
        // By hand and not by recursion: a hostile page may nest a hundred thousand elements.
        while (node != null) {
            boolean descend = true;
            switch (node) {
                case TextNode text -> append(out, text);
                case Element element -> {
                    String name = element.normalName();
                    if (HIDDEN.contains(name)) {
                        descend = false;
                    } else if (name.equals("img")) {
                        String alt = element.attr("alt").strip();
                        if (!alt.isEmpty()) {
                            out.append(' ').append(alt).append(' ');
                        }
                    } else if (BLOCKS.contains(name)) {
                        newline(out);
                    }
                }
                default -> {}
            }
            if (descend && node.childNodeSize() > 0) {
                node = node.childNode(0);
                depth++;
                continue;
            }
            while (depth > 0 && node.nextSibling() == null) {
                Node parent = node.parent();
                if (parent == null) {
                    return out.toString();
                }
                node = parent;
                depth--;
                if (node instanceof Element element && BLOCKS.contains(element.normalName())) {
                    newline(out);
                }
            }
            if (depth == 0) {
                break;
            }
            node = node.nextSibling();
        }
        return out.toString();
    }

    private static void newline(StringBuilder out) {
        if (!out.isEmpty() && out.charAt(out.length() - 1) != '\n') {
            out.append('\n');
        }
    }

    private static void append(StringBuilder out, TextNode node) {
        String text = node.getWholeText();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
                int last = out.length() - 1;
                if (last >= 0 && out.charAt(last) != ' ' && out.charAt(last) != '\n') {
                    out.append(' ');
                }
            } else {
                out.append(c);
            }
        }
    }
}
