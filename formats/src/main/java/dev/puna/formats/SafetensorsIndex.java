package dev.puna.formats;

import dev.puna.tensor.CorruptFileException;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.SequencedMap;
import java.util.SequencedSet;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/**
 * {@code model.safetensors.index.json}: which tensor lies in which file.
 *
 * @param totalBytes of all tensors
 */
record SafetensorsIndex(long totalBytes, SequencedMap<String, String> weightMap) {
    private static final long MAX_BYTES = 100_000_000;

    static SafetensorsIndex read(Path path) throws IOException {
        long size = Files.size(path);
        if (size > MAX_BYTES) {
            throw new CorruptFileException(path, 0, "an index of at most " + MAX_BYTES + " bytes", size + " bytes");
        }
        SequencedMap<String, String> weightMap = new LinkedHashMap<>();
        try (JsonParser parser = Json.parser(Files.readAllBytes(path))) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw corrupt(path, parser, "a JSON object", String.valueOf(parser.currentToken()));
            }
            boolean seen = false;
            while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                String field = parser.currentName();
                JsonToken value = parser.nextToken();
                if (field.equals("weight_map") && value == JsonToken.START_OBJECT) {
                    seen = true;
                    readWeightMap(path, parser, weightMap);
                } else {
                    parser.skipChildren();
                }
            }
            if (!seen) {
                throw corrupt(path, parser, "an object \"weight_map\"", "none");
            }
        } catch (JacksonException e) {
            throw Json.corrupt(path, 0, e);
        }
        return new SafetensorsIndex(0, weightMap);
    }

    private static void readWeightMap(Path path, JsonParser parser, SequencedMap<String, String> weightMap) {
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String tensor = parser.currentName();
            if (parser.nextToken() != JsonToken.VALUE_STRING) {
                throw corrupt(path, parser, "a file for \"" + tensor + "\"", String.valueOf(parser.currentToken()));
            }
            String file = parser.getString();
            if (!isPlainFileName(file)) {
                throw corrupt(path, parser, "a file beside the index", "\"" + file + "\"");
            }
            weightMap.put(tensor, file);
        }
    }

    /** One name, no path: an index must not lead elsewhere. */
    private static boolean isPlainFileName(String file) {
        return !file.isEmpty()
                && file.indexOf('/') < 0
                && file.indexOf('\\') < 0
                && file.indexOf('\0') < 0
                && !file.equals(".")
                && !file.equals("..");
    }

    private static CorruptFileException corrupt(Path path, JsonParser parser, String expected, String found) {
        return new CorruptFileException(
                path, Math.max(0, parser.currentTokenLocation().getByteOffset()), expected, found);
    }

    /** The files, in the order in which the index first names them. */
    SequencedSet<String> files() {
        return new LinkedHashSet<>(weightMap.values());
    }

    byte[] toJson() {
        StringWriter text = new StringWriter();
        try (JsonGenerator json = Json.prettyGenerator(text)) {
            json.writeStartObject();
            json.writeName("metadata");
            json.writeStartObject();
            json.writeNumberProperty("total_size", totalBytes);
            json.writeEndObject();
            json.writeName("weight_map");
            json.writeStartObject();
            weightMap.forEach(json::writeStringProperty);
            json.writeEndObject();
            json.writeEndObject();
        }
        return (text + "\n").getBytes(StandardCharsets.UTF_8);
    }
}
