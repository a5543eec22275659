package dev.puna.data.dedup;

/** Makes a vector of a text, near for texts that say the same; a language model's hidden states, for example. */
public interface Embedder extends AutoCloseable {
    /** Numbers of a vector. */
    int width();

    /** Writes the vector of a text to {@code into}, {@code width} numbers; called by one thread at a time. */
    void embed(String text, float[] into);

    @Override
    void close();
}
