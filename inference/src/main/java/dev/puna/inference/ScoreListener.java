package dev.puna.inference;

/** Hears how far scoring a text is, on the thread that scores. What it throws ends the scoring. */
@FunctionalInterface
public interface ScoreListener {
    /**
     * Some more tokens are scored.
     *
     * @param scored tokens so far
     * @param all tokens of the text that are scored
     */
    void onScored(int scored, int all);
}
