package dev.puna.data.source;

import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Which licences a source of programs accepts, and how one is recognised from the text of a licence file or from an SPDX
 * line.
 *
 * @param prefixes lower-case beginnings of licence names that are accepted; empty: everything, also what has none
 */
public record Licences(List<String> prefixes) {
    public Licences {
        prefixes = List.copyOf(prefixes);
    }

    /** What LLaMA took: Apache, BSD and MIT. */
    public static Licences permissive() {
        return new Licences(List.of("mit", "bsd", "apache"));
    }

    /** Everything, for text whose licence the caller answers for. */
    public static Licences any() {
        return new Licences(List.of());
    }

    /** Whether a file under {@code licence} is taken; null: no licence is known. */
    public boolean accepts(@Nullable String licence) {
        if (prefixes.isEmpty()) {
            return true;
        }
        if (licence == null) {
            return false;
        }
        String lower = licence.toLowerCase(Locale.ROOT);
        return prefixes.stream().anyMatch(lower::startsWith);
    }

    /** Whether a file of this name holds the licence of its folder. */
    static boolean isLicenceFile(String fileName) {
        String upper = fileName.toUpperCase(Locale.ROOT);
        return upper.startsWith("LICENSE") || upper.startsWith("LICENCE") || upper.startsWith("COPYING");
    }

    /** The SPDX-like name of the licence whose text this is, or null. */
    static @Nullable String recognise(String text) {
        String head = text.substring(0, Math.min(text.length(), 6000)).replaceAll("\\s+", " ");
        if (head.contains("Apache License") && head.contains("Version 2.0")) {
            return "apache-2.0";
        }
        if (head.contains("GNU AFFERO GENERAL PUBLIC LICENSE")) {
            return "agpl";
        }
        if (head.contains("GNU LESSER GENERAL PUBLIC LICENSE") || head.contains("GNU LIBRARY GENERAL PUBLIC LICENSE")) {
            return "lgpl";
        }
        if (head.contains("GNU GENERAL PUBLIC LICENSE")
                || head.contains("The GNU General Public License (GPL)")
                || head.contains("GNU General Public License version")) {
            return "gpl";
        }
        if (head.contains("Mozilla Public License")) {
            return "mpl";
        }
        if (head.contains("Redistribution and use in source and binary forms")) {
            return head.contains("Neither the name") ? "bsd-3-clause" : "bsd-2-clause";
        }
        if (head.contains("Permission is hereby granted, free of charge")) {
            return "mit";
        }
        return null;
    }

    /** The licence that an {@code SPDX-License-Identifier} near the beginning of a file names, or null. */
    static @Nullable String spdx(String text) {
        int at = text.indexOf("SPDX-License-Identifier:");
        if (at < 0 || at > 4000) {
            return null;
        }
        int from = at + "SPDX-License-Identifier:".length();
        int to = from;
        while (to < text.length() && text.charAt(to) != '\n' && text.charAt(to) != '*' && to < from + 80) {
            to++;
        }
        String name = text.substring(from, to).strip().toLowerCase(Locale.ROOT);
        return name.isEmpty() ? null : name;
    }
}
