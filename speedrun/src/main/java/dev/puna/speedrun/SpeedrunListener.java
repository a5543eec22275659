package dev.puna.speedrun;

/** Told while a run goes on, by the thread that runs it and sometimes by others; calls do not overlap. */
public interface SpeedrunListener {
    /** A stage begins. */
    void begins(Stage stage);

    /**
     * How far a stage is.
     *
     * @param fraction of the stage, in [0, 1]
     * @param text what there is to say, in about 50 characters
     */
    void progress(Stage stage, double fraction, String text);

    /**
     * A stage is done.
     *
     * @param seconds that it took
     * @param summary what came of it
     * @param earlier whether an earlier start of this run did it
     */
    void done(Stage stage, double seconds, String summary, boolean earlier);

    /** Something to know: an address, what the model writes now. */
    void note(String line);
}
