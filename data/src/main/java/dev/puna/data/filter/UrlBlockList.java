package dev.puna.data.filter;

import dev.puna.data.Document;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Drops documents from listed domains and their subdomains, listed addresses, or addresses that contain listed words:
 * lists of adult sites, of sites rich in personal data (Llama-2), or of unsafe sites (Llama-3). Documents without an
 * address stay.
 *
 * @param domains such as {@code example.org}, in lower case
 * @param urls without scheme and {@code www.}, in lower case
 * @param words in lower case, found anywhere in an address
 */
public record UrlBlockList(Set<String> domains, Set<String> urls, Set<String> words) implements DocumentFilter {
    public UrlBlockList {
        domains = Set.copyOf(domains);
        urls = Set.copyOf(urls);
        words = Set.copyOf(words);
    }

    @Override
    public String name() {
        return "url-blocklist";
    }

    @Override
    public Verdict apply(Document document) {
        String url = document.string("url");
        if (url == null) {
            return new Verdict.Keep(document);
        }
        String lower = url.replace("<", "").replace(">", "").strip().toLowerCase(Locale.ROOT);
        String host = host(lower);
        for (String at = host == null ? "" : host; !at.isEmpty(); ) {
            if (domains.contains(at)) {
                return new Verdict.Drop("domain", at);
            }
            int dot = at.indexOf('.');
            at = dot < 0 ? "" : at.substring(dot + 1);
        }
        if (urls.contains(normalized(lower))) {
            return new Verdict.Drop("address", lower);
        }
        for (String word : words) {
            if (lower.contains(word)) {
                return new Verdict.Drop("word in the address", word);
            }
        }
        return new Verdict.Keep(document);
    }

    /** As C4 writes an address: no scheme, no {@code www.}, no campaign parameters, no slash at the end. */
    public static String normalized(String url) {
        String s = url.replaceFirst("^https?://(www\\.)?", "").replaceFirst("\\?(utm_|ref|feed).*$", "");
        return s.endsWith("/") ? s.substring(0, s.length() - 1) : s;
    }

    private static @Nullable String host(String url) {
        try {
            String host = new URI(url).getHost();
            if (host != null) {
                return host;
            }
        } catch (URISyntaxException e) {
            // Addresses on the web are often not well formed; the part up to the first slash will do.
        }
        String s = url.replaceFirst("^[a-z]+://", "");
        int end = 0;
        while (end < s.length() && "/?#:".indexOf(s.charAt(end)) < 0) {
            end++;
        }
        return end == 0 ? null : s.substring(0, end);
    }
}
