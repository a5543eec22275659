package dev.puna.data;

import dev.puna.tensor.AtomicFile;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import tools.jackson.core.JsonEncoding;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.StreamWriteFeature;
import tools.jackson.core.json.JsonFactory;

/**
 * Writes documents as JSON lines, compressed as the name's ending says. The file is written as {@code NAME.partial} and
 * gets its name when {@link #close} succeeds; {@link #abandon} removes it.
 */
public final class JsonlWriter implements DocumentSink, AutoCloseable {
    private static final JsonFactory JSON =
            JsonFactory.builder().disable(StreamWriteFeature.AUTO_CLOSE_TARGET).build();

    private final Path target;
    private final Path partial;
    private final CountingOutputStream counted;
    private final OutputStream out;
    private final JsonGenerator json;
    private long documents;
    private boolean closed;

    public JsonlWriter(Path target) throws IOException {
        this.target = target;
        this.partial = target.resolveSibling(target.getFileName() + ".partial");
        Path folder = target.toAbsolutePath().getParent();
        if (folder != null) {
            Files.createDirectories(folder);
        }
        this.counted = new CountingOutputStream(Files.newOutputStream(partial));
        this.out = Compression.ofName(target).compress(counted);
        this.json = JSON.createGenerator(ObjectWriteContext.empty(), out, JsonEncoding.UTF8);
    }

    @Override
    public void accept(Document document) throws IOException {
        json.writeStartObject();
        json.writeStringProperty("id", document.id());
        json.writeName("text");
        writeText(document.text());
        json.writeStringProperty("source", document.source());
        json.writeName("meta");
        writeMap(document.meta());
        json.writeEndObject();
        json.writeRaw('\n');
        documents++;
    }

    private void writeText(String text) {
        json.writeString(wellFormed(text));
    }

    /** JSON must be UTF-8: a lone surrogate becomes U+FFFD. */
    private static String wellFormed(String text) {
        int length = text.length();
        for (int i = 0; i < length; i++) {
            char c = text.charAt(i);
            if (Character.isSurrogate(c)) {
                if (Character.isHighSurrogate(c) && i + 1 < length && Character.isLowSurrogate(text.charAt(i + 1))) {
                    i++;
                } else {
                    return new String(text.getBytes(StandardCharsets.UTF_16LE), StandardCharsets.UTF_16LE);
                }
            }
        }
        return text;
    }

    private void writeMap(Map<?, ?> map) {
        json.writeStartObject();
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            json.writeName(wellFormed(entry.getKey().toString()));
            writeValue(entry.getValue());
        }
        json.writeEndObject();
    }

    private void writeValue(Object value) {
        switch (value) {
            case Map<?, ?> map -> writeMap(map);
            case Iterable<?> list -> {
                json.writeStartArray();
                list.forEach(this::writeValue);
                json.writeEndArray();
            }
            case Integer i -> json.writeNumber(i);
            case Long l -> json.writeNumber(l);
            case java.math.BigInteger i -> json.writeNumber(i);
            case Float f when Float.isFinite(f) -> json.writeNumber(f);
            case Double d when Double.isFinite(d) -> json.writeNumber(d);
            case Boolean b -> json.writeBoolean(b);
            default -> json.writeString(wellFormed(value.toString()));
        }
    }

    public long documents() {
        return documents;
    }

    /** Compressed bytes that have reached the file. */
    public long bytesWritten() {
        return counted.count();
    }

    /** Closes without keeping what was written. */
    public void abandon() throws IOException {
        if (!closed) {
            closed = true;
            try {
                json.close();
                out.close();
            } finally {
                Files.deleteIfExists(partial);
            }
        }
    }

    @Override
    public void close() throws IOException {
        if (!closed) {
            closed = true;
            json.close();
            out.close();
            AtomicFile.publish(partial, target);
        }
    }
}
