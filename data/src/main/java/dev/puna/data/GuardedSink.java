package dev.puna.data;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Tells what goes wrong behind a sink (a full disk, too many open files) from what is wrong with the input: a source passes
 * both on, and may wrap them.
 */
public final class GuardedSink implements DocumentSink {
    private final DocumentSink sink;
    private @Nullable IOException failure;

    /** A sink that remembers how it failed. */
    public GuardedSink(DocumentSink sink) {
        this.sink = sink;
    }

    @Override
    public void accept(Document document) throws IOException {
        try {
            sink.accept(document);
        } catch (IOException e) {
            failure = e;
            throw e;
        }
    }

    /** Throws what the sink threw, if it did. */
    public void check() throws IOException {
        if (failure != null) {
            throw failure;
        }
    }
}
