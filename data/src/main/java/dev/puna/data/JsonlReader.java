package dev.puna.data;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;

/**
 * Reads JSON lines, one record after the other: documents of this project, of Dolma ({@code metadata} in place of
 * {@code meta}), of RedPajama, of C4 ({@code text, timestamp, url}) and of BigQuery's exports ({@code content}). Fields
 * beside {@code id}, {@code text}, {@code source} and {@code meta} are put into the meta data. A line that is not a JSON
 * object, or longer than the cap, is reported and skipped.
 */
public final class JsonlReader implements RecordReader {
    /** The longest line that is read: 64 MiB. */
    public static final int MAX_RECORD_BYTES = 64 << 20;

    static final JsonFactory JSON = JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxStringLength(MAX_RECORD_BYTES)
                    .maxNestingDepth(200)
                    .maxNumberLength(1000)
                    .build())
            .build();

    private final Path path;
    private final ReadReport report;
    private final LineReader lines;

    public JsonlReader(Path path, ReadReport report) throws IOException {
        this(path, Compression.open(path, report), report);
    }

    /** Reads from a stream; {@code path} names it in reports. */
    public JsonlReader(Path path, InputStream in, ReadReport report) {
        this.path = path;
        this.report = report;
        this.lines = new LineReader(in, MAX_RECORD_BYTES);
    }

    /** The next record that is a JSON object, or null at the end. */
    @Override
    public @Nullable Map<String, Object> nextRecord() throws IOException {
        while (lines.next()) {
            if (lines.tooLong()) {
                report.broken(path, lines.offset(), "a line of more than " + (MAX_RECORD_BYTES >> 20) + " MiB");
                continue;
            }
            if (lines.length() == 0) {
                continue;
            }
            try (JsonParser parser =
                    JSON.createParser(ObjectReadContext.empty(), lines.bytes(), lines.start(), lines.length())) {
                if (parser.nextToken() != JsonToken.START_OBJECT) {
                    report.broken(path, lines.offset(), "not a JSON object");
                    continue;
                }
                return object(parser);
            } catch (JacksonException e) {
                report.broken(path, lines.offset(), "not JSON: " + e.getOriginalMessage());
            }
        }
        return null;
    }

    @Override
    public long offset() {
        return lines.offset();
    }

    @Override
    public ReadReport report() {
        return report;
    }

    @Override
    public Path path() {
        return path;
    }

    static Map<String, Object> object(JsonParser parser) {
        Map<String, Object> map = new LinkedHashMap<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = parser.currentName();
            Object value = value(parser, parser.nextToken());
            if (value != null) {
                map.put(name, value);
            }
        }
        return map;
    }

    private static @Nullable Object value(JsonParser parser, @Nullable JsonToken token) {
        if (token == null) {
            return null;
        }
        return switch (token) {
            case START_OBJECT -> object(parser);
            case START_ARRAY -> {
                List<Object> list = new ArrayList<>();
                for (JsonToken t = parser.nextToken(); t != JsonToken.END_ARRAY; t = parser.nextToken()) {
                    Object value = value(parser, t);
                    if (value != null) {
                        list.add(value);
                    }
                }
                yield list;
            }
            case VALUE_STRING -> parser.getString();
            case VALUE_NUMBER_INT -> parser.getNumberValue();
            case VALUE_NUMBER_FLOAT -> parser.getDoubleValue();
            case VALUE_TRUE -> true;
            case VALUE_FALSE -> false;
            case VALUE_NULL, VALUE_EMBEDDED_OBJECT, NOT_AVAILABLE, END_OBJECT, END_ARRAY, PROPERTY_NAME -> null;
        };
    }

    @Override
    public void close() throws IOException {
        lines.close();
    }
}
