package dev.puna.data;

import java.nio.file.Path;

/**
 * A record that could not be read and was skipped.
 *
 * @param file the file it stands in
 * @param offset where it begins, in bytes of the decompressed file; in an archive, of the archive's member
 * @param problem what is wrong with it
 */
public record BrokenRecord(Path file, long offset, String problem) {
    @Override
    public String toString() {
        return file + " at byte " + offset + ": " + problem;
    }
}
