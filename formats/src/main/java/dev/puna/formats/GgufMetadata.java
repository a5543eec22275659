package dev.puna.formats;

import dev.puna.tensor.ConfigurationException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.SequencedMap;
import java.util.function.Function;

/**
 * The metadata of a GGUF file: values by key, in the order of the file. The typed readers accept any type that holds
 * such a value without loss of meaning (a count may be {@code UINT32} in one file and {@code UINT64} in the next).
 */
public final class GgufMetadata {
    private final SequencedMap<String, GgufValue> values;

    private GgufMetadata(SequencedMap<String, GgufValue> values) {
        this.values = Collections.unmodifiableSequencedMap(values);
    }

    public static GgufMetadata of(Map<String, GgufValue> values) {
        return new GgufMetadata(new LinkedHashMap<>(values));
    }

    public static Builder builder() {
        return new Builder();
    }

    /** All values, in the order of the file. */
    public SequencedMap<String, GgufValue> values() {
        return values;
    }

    public Optional<GgufValue> value(String key) {
        return Optional.ofNullable(values.get(key));
    }

    /** @throws ConfigurationException if the value is no text */
    public Optional<String> text(String key) {
        return value(key).map(value -> {
            if (value instanceof GgufValue.Text(String text)) {
                return text;
            }
            throw wrong(key, value, "a text");
        });
    }

    /** @throws ConfigurationException if the value is no whole number, or one above 2^63 − 1 */
    public OptionalLong whole(String key) {
        GgufValue value = values.get(key);
        if (value == null) {
            return OptionalLong.empty();
        }
        if (value instanceof GgufValue.Whole(GgufType type, long number) && !(type == GgufType.UINT64 && number < 0)) {
            return OptionalLong.of(number);
        }
        throw wrong(key, value, "a whole number");
    }

    /** @throws ConfigurationException if the value is no number */
    public OptionalDouble real(String key) {
        GgufValue value = values.get(key);
        return switch (value) {
            case null -> OptionalDouble.empty();
            case GgufValue.Real(GgufType type, double number) -> OptionalDouble.of(number);
            case GgufValue.Whole(GgufType type, long number) -> OptionalDouble.of((double) number);
            case GgufValue.Bool bool -> throw wrong(key, bool, "a number");
            case GgufValue.Text text -> throw wrong(key, text, "a number");
            case GgufValue.Array array -> throw wrong(key, array, "a number");
        };
    }

    /** @throws ConfigurationException if the value is not true or false */
    public Optional<Boolean> bool(String key) {
        return value(key).map(value -> {
            if (value instanceof GgufValue.Bool(boolean truth)) {
                return truth;
            }
            throw wrong(key, value, "true or false");
        });
    }

    /** @throws ConfigurationException if the value is no array */
    public Optional<GgufValue.Array> array(String key) {
        return value(key).map(value -> {
            if (value instanceof GgufValue.Array array) {
                return array;
            }
            throw wrong(key, value, "an array");
        });
    }

    /** @throws ConfigurationException if the value is no array of texts */
    public Optional<List<String>> texts(String key) {
        return elements(key, GgufValue.Array::texts, "an array of texts");
    }

    /** @throws ConfigurationException if the value is no array of 32-bit floating-point numbers */
    public Optional<float[]> floats(String key) {
        return elements(key, GgufValue.Array::floats, "an array of FLOAT32");
    }

    /** @throws ConfigurationException if the value is no array of 32-bit whole numbers */
    public Optional<int[]> ints(String key) {
        return elements(key, GgufValue.Array::ints, "an array of INT32 or UINT32");
    }

    private <T> Optional<T> elements(String key, Function<GgufValue.Array, T> read, String wanted) {
        Optional<GgufValue.Array> array = array(key);
        try {
            return array.map(read);
        } catch (IllegalStateException e) {
            throw wrong(key, array.orElseThrow(), wanted);
        }
    }

    private static ConfigurationException wrong(String key, GgufValue value, String wanted) {
        return new ConfigurationException(key, value, "the GGUF metadata must have " + wanted + " here");
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof GgufMetadata metadata && values.equals(metadata.values);
    }

    @Override
    public int hashCode() {
        return values.hashCode();
    }

    @Override
    public String toString() {
        return values.toString();
    }

    /** Collects values in order; a key may be set again. */
    public static final class Builder {
        private final SequencedMap<String, GgufValue> values = new LinkedHashMap<>();

        private Builder() {}

        public Builder put(String key, GgufValue value) {
            values.put(key, value);
            return this;
        }

        public Builder text(String key, String text) {
            return put(key, new GgufValue.Text(text));
        }

        public Builder uint32(String key, long number) {
            return put(key, new GgufValue.Whole(GgufType.UINT32, number));
        }

        public Builder uint64(String key, long number) {
            return put(key, new GgufValue.Whole(GgufType.UINT64, number));
        }

        public Builder float32(String key, float number) {
            return put(key, new GgufValue.Real(GgufType.FLOAT32, number));
        }

        public Builder bool(String key, boolean truth) {
            return put(key, new GgufValue.Bool(truth));
        }

        public Builder texts(String key, List<String> texts) {
            return put(key, GgufValue.Array.ofTexts(texts));
        }

        public Builder floats(String key, float... numbers) {
            return put(key, GgufValue.Array.ofFloats(numbers));
        }

        public Builder ints(String key, int... numbers) {
            return put(key, GgufValue.Array.ofInts(numbers));
        }

        public GgufMetadata build() {
            return new GgufMetadata(new LinkedHashMap<>(values));
        }
    }
}
