package dev.puna.data.source;

import java.nio.file.Path;

/**
 * A part of an input file that can be read by itself: the records that begin in bytes {@code [from, to)}.
 *
 * @param path the file or the folder
 * @param from first byte
 * @param to behind the last byte; {@link Long#MAX_VALUE} for everything
 */
public record Split(Path path, long from, long to) {
    /** The whole of a file. */
    public static Split whole(Path path) {
        return new Split(path, 0, Long.MAX_VALUE);
    }
}
