package dev.puna.tensor;

import java.nio.file.Path;

/**
 * A file is not what its format promises: truncated, damaged or hostile. The message names the file, the byte offset
 * where reading stopped making sense, what was expected there and what was found.
 */
public final class CorruptFileException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final transient Path path;
    private final long offset;
    private final String expected;
    private final String found;

    public CorruptFileException(Path path, long offset, String expected, String found) {
        super(path + ": damaged at byte " + offset + ": expected " + expected + ", found " + found);
        this.path = path;
        this.offset = offset;
        this.expected = expected;
        this.found = found;
    }

    public Path path() {
        return path;
    }

    /** Byte offset in the file. */
    public long offset() {
        return offset;
    }

    public String expected() {
        return expected;
    }

    public String found() {
        return found;
    }
}
