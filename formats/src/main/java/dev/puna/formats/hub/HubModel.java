package dev.puna.formats.hub;

import java.util.Optional;
import java.util.regex.Pattern;

/**
 * The name of a model on a hub: {@code owner/name}, or {@code owner/name@revision} with a branch, tag or commit.
 *
 * @param revision {@code main} if none is named
 */
public record HubModel(String owner, String name, String revision) {
    private static final Pattern PART = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,95}");
    private static final Pattern REVISION = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._/-]{0,255}");

    public HubModel {
        if (!isPart(owner) || !isPart(name)) {
            throw new IllegalArgumentException("no name of a model on a hub: " + owner + "/" + name);
        }
        if (!REVISION.matcher(revision).matches() || revision.contains("..") || revision.contains("//")) {
            throw new IllegalArgumentException("no revision of a model: " + revision);
        }
    }

    /** What {@code text} names, or empty if it does not look like {@code owner/name[@revision]}. */
    public static Optional<HubModel> parse(String text) {
        int at = text.indexOf('@');
        String id = at < 0 ? text : text.substring(0, at);
        String revision = at < 0 ? "main" : text.substring(at + 1);
        int slash = id.indexOf('/');
        if (slash < 0
                || !isPart(id.substring(0, slash))
                || !isPart(id.substring(slash + 1))
                || !REVISION.matcher(revision).matches()
                || revision.contains("..")
                || revision.contains("//")) {
            return Optional.empty();
        }
        return Optional.of(new HubModel(id.substring(0, slash), id.substring(slash + 1), revision));
    }

    private static boolean isPart(String part) {
        return PART.matcher(part).matches() && !part.contains("..") && !part.contains("--");
    }

    /** {@code owner/name}. */
    public String id() {
        return owner + "/" + name;
    }

    /** {@code owner/name@revision}. */
    @Override
    public String toString() {
        return id() + "@" + revision;
    }
}
