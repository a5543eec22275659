package dev.puna.data.pipeline;

/** Told while a pipeline runs, from any thread. */
@FunctionalInterface
public interface Progress {
    /**
     * What is done.
     *
     * @param pass what is being done
     * @param part which of the passes, from 1
     * @param passes how many there are
     * @param bytesDone of the pass's input
     * @param bytesTotal of the pass's input
     * @param documents read in this pass
     */
    void update(String pass, int part, int passes, long bytesDone, long bytesTotal, long documents);

    /** Tells nobody. */
    Progress NONE = (pass, part, passes, done, total, documents) -> {};
}
