package dev.puna.data.pipeline;

import dev.puna.data.source.Split;
import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * Where the files of a run lie. Each pass writes one file for each part of its input, beside it what was counted, which
 * appears last: a part with that file is complete.
 *
 * @param out folder of the run
 * @param passes how many the recipe has; the last writes to {@code documents}, those before to {@code pass-0} and on
 */
public record RunFolder(Path out, int passes) {
    /** The last bits of an ordinal are the place in a part. */
    public static final int ORDINAL_BITS = 36;

    /** The place of a document in the corpus of a pass: larger for later parts, and for later documents of a part. */
    public static long ordinal(int part, long index) {
        return ((long) part << ORDINAL_BITS) + index;
    }

    /**
     * Makes the folder, or finds it as an earlier run of the recipe left it.
     *
     * @throws ConfigurationException when it holds the run of another recipe
     */
    public void begin(Recipe recipe) throws IOException {
        Files.createDirectories(out);
        AtomicFile.sweep(out);
        Path mark = out.resolve("recipe.used");
        if (!Files.exists(mark)) {
            AtomicFile.write(mark, recipe.text());
        } else if (!Files.readString(mark).equals(recipe.text())) {
            throw new ConfigurationException(
                    "out", out, "it holds the run of another recipe or of other inputs: use another folder");
        }
    }

    private static String partName(int part) {
        return String.format(Locale.ROOT, "part-%05d", part);
    }

    /** Where a pass writes, counted from 0. */
    public Path folder(int pass) {
        return pass == passes - 1 ? out.resolve("documents") : out.resolve("pass-" + pass);
    }

    /** The documents that a pass leaves of a part. */
    public Path documents(int pass, int part) {
        return folder(pass).resolve(partName(part) + ".jsonl.zst");
    }

    /** The documents that the last pass sets aside of a part. */
    public Path heldOut(int part) {
        return out.resolve("held-out").resolve(partName(part) + ".jsonl.zst");
    }

    /** What was counted in a part of a pass. */
    public Path counts(int pass, int part) {
        return folder(pass).resolve(partName(part) + ".json");
    }

    /** Temporary files of sources. */
    public Path scratch() {
        return out.resolve("scratch");
    }

    /** Temporary files of the deduplication that a pass begins with. */
    public Path deduplication(int pass) {
        return out.resolve("dedup-" + pass);
    }

    /** What the deduplication that a pass begins with knows of a part, when it was found out elsewhere. */
    public Path facts(int pass, int part) {
        return deduplication(pass).resolve(partName(part) + ".facts");
    }

    /** The same of parts of which nothing is known. It is there as soon as all others are. */
    public Path noFacts(int pass) {
        return deduplication(pass).resolve("none.facts");
    }

    /** Whether a pass has done a part. */
    public boolean complete(int pass, int part) {
        return Files.exists(counts(pass, part));
    }

    /** Whether a pass has done all parts. */
    public boolean allComplete(int pass, int parts) {
        for (int part = 0; part < parts; part++) {
            if (!complete(pass, part)) {
                return false;
            }
        }
        return true;
    }

    /** What a pass has written, as the input of the next. */
    public List<Split> written(int pass, int parts) {
        List<Split> written = new ArrayList<>();
        for (int part = 0; part < parts; part++) {
            written.add(Split.whole(documents(pass, part)));
        }
        return written;
    }

    /** What the last pass has set aside; nothing when the recipe holds nothing out. */
    List<Path> heldOut(Recipe recipe, int parts) {
        List<Path> files = new ArrayList<>();
        for (int part = 0; recipe.heldOut() != null && part < parts; part++) {
            files.add(heldOut(part));
        }
        return files;
    }

    /** Removes what only a run that goes on needs. The counts stay: they say that a pass is done. */
    void tidy(int parts) throws IOException {
        for (int pass = 0; pass < passes - 1; pass++) {
            delete(deduplication(pass + 1));
            for (int part = 0; part < parts; part++) {
                Files.deleteIfExists(documents(pass, part));
            }
        }
    }

    /** Removes a folder and what is in it, if it is there. */
    public static void delete(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        List<Path> all;
        try (Stream<Path> walk = Files.walk(folder)) {
            all = walk.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path path : all) {
            Files.delete(path);
        }
    }
}
