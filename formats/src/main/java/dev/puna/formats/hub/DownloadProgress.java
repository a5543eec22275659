package dev.puna.formats.hub;

/** Hears how a download goes, on the thread that downloads. */
@FunctionalInterface
public interface DownloadProgress {
    /** Hears nothing. */
    DownloadProgress SILENT = (file, bytes, totalBytes) -> {};

    /**
     * Called when a file begins (with what is there from an earlier attempt), after each piece, and at its end.
     *
     * @param file the name in the model
     * @param bytes bytes of this file that are here
     * @param totalBytes bytes of this file, or 0 if the hub does not say
     */
    void advanced(String file, long bytes, long totalBytes);
}
