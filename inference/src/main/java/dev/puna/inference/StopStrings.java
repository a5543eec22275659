package dev.puna.inference;

import java.util.List;

/**
 * Finds stop strings in a text that arrives in pieces. What could still become one is held back, so that no part of a
 * stop string ever leaves.
 */
final class StopStrings {
    private final List<String> stops;
    private final StringBuilder held = new StringBuilder();
    private boolean found;

    StopStrings(List<String> stops) {
        this.stops = stops;
    }

    /** Whether a stop string has occurred; nothing leaves any more. */
    boolean found() {
        return found;
    }

    /** Takes the next piece and gives what is certain. */
    String accept(String piece) {
        if (found) {
            return "";
        }
        if (stops.isEmpty()) {
            return piece;
        }
        held.append(piece);
        int first = Integer.MAX_VALUE;
        for (String stop : stops) {
            int at = held.indexOf(stop);
            if (at >= 0) {
                first = Math.min(first, at);
            }
        }
        if (first < Integer.MAX_VALUE) {
            found = true;
            return release(first);
        }
        int longest = 0;
        for (String stop : stops) {
            longest = Math.max(longest, beginningAtEnd(stop));
        }
        return release(held.length() - longest);
    }

    /** The end of the text: what was held back is no stop string. */
    String finish() {
        return found ? "" : release(held.length());
    }

    private String release(int length) {
        String text = held.substring(0, length);
        held.delete(0, length);
        return text;
    }

    /** Length of the longest beginning of {@code stop}, short of all of it, that the held text ends with. */
    private int beginningAtEnd(String stop) {
        for (int length = Math.min(stop.length() - 1, held.length()); length > 0; length--) {
            if (stop.regionMatches(0, held.substring(held.length() - length), 0, length)) {
                return length;
            }
        }
        return 0;
    }
}
