package dev.puna.data;

import java.io.IOException;

/** Takes documents one after the other. */
@FunctionalInterface
public interface DocumentSink {
    void accept(Document document) throws IOException;
}
