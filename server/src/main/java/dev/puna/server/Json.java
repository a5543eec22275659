package dev.puna.server;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** JSON as maps, lists and plain values. */
final class Json {
    private static final JsonMapper MAPPER = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION) // which of two should one believe?
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private Json() {}

    /** @throws tools.jackson.core.JacksonException if it is no JSON object */
    static Map<?, ?> readObject(byte[] bytes) {
        return MAPPER.readValue(bytes, Map.class);
    }

    /** @throws tools.jackson.core.JacksonException if it is no JSON object */
    static Map<?, ?> readObject(String text) {
        return MAPPER.readValue(text, Map.class);
    }

    static byte[] bytes(Object value) {
        return MAPPER.writeValueAsBytes(value);
    }

    static String text(Object value) {
        return MAPPER.writeValueAsString(value);
    }

    /** Names and values in turn; a value may be null. */
    static Map<String, Object> object(@Nullable Object... namesAndValues) {
        Map<String, @Nullable Object> map = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            map.put(String.valueOf(namesAndValues[i]), namesAndValues[i + 1]);
        }
        return cast(map);
    }

    @SuppressWarnings({"unchecked", "NullAway"}) // a JSON object may hold null
    private static Map<String, Object> cast(Map<String, ?> map) {
        return (Map<String, Object>) map;
    }
}
