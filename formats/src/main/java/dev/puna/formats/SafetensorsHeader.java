package dev.puna.formats;

import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import java.io.StringWriter;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/**
 * The header of a safetensors file, checked.
 *
 * @param entries by place in the file
 */
record SafetensorsHeader(SequencedMap<String, String> metadata, List<Entry> entries) {
    /** The limit of the reference implementation. */
    static final long MAX_BYTES = 100_000_000;

    private static final int LENGTH_BYTES = 8;
    private static final int MAX_RANK = 32;
    private static final String METADATA = "__metadata__";

    /** @param offset of the first byte in the file */
    record Entry(TensorDescription description, long offset) {}

    /** A type of the specification, with the bits of an element. */
    private record Type(int bits, Optional<DType> dtype) {}

    private static final Map<String, Type> TYPES = Map.ofEntries(
            type("F64", 64, DType.F64),
            type("F32", 32, DType.F32),
            type("F16", 16, DType.F16),
            type("BF16", 16, DType.BF16),
            type("I64", 64, DType.I64),
            type("I32", 32, DType.I32),
            type("I16", 16, DType.I16),
            type("I8", 8, DType.I8),
            type("U8", 8, DType.U8),
            type("BOOL", 8, DType.U8),
            type("U16", 16, null),
            type("U32", 32, null),
            type("U64", 64, null),
            type("C64", 64, null),
            type("F8_E4M3", 8, null),
            type("F8_E5M2", 8, null),
            type("F8_E4M3FNUZ", 8, null),
            type("F8_E5M2FNUZ", 8, null),
            type("F8_E8M0", 8, null),
            type("F6_E2M3", 6, null),
            type("F6_E3M2", 6, null),
            type("F4", 4, null));

    private static Map.Entry<String, Type> type(String name, int bits, @Nullable DType dtype) {
        return Map.entry(name, new Type(bits, Optional.ofNullable(dtype)));
    }

    /** @param file the whole file */
    static SafetensorsHeader read(Path path, MemorySegment file) {
        FileCursor cursor = new FileCursor(path, file);
        long length = cursor.count(MAX_BYTES, "header length");
        byte[] json = cursor.byteArray(length, "header");
        if (length == 0 || json[0] != '{') {
            throw cursor.corruptAt(LENGTH_BYTES, "a JSON object", length == 0 ? "nothing" : hex(json[0]));
        }
        long dataStart = cursor.position();
        requireUtf8(path, json);
        try (JsonParser parser = Json.parser(json)) {
            return new Parse(path, parser, dataStart, file.byteSize()).header();
        } catch (JacksonException e) {
            throw Json.corrupt(path, LENGTH_BYTES, e);
        }
    }

    private static void requireUtf8(Path path, byte[] json) {
        try {
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(json));
        } catch (CharacterCodingException e) {
            throw new CorruptFileException(path, LENGTH_BYTES, "a header in UTF-8", "bytes that are not UTF-8");
        }
        // A zero byte never stands in JSON, and would make a parser guess at UTF-16.
        for (int i = 0; i < json.length; i++) {
            if (json[i] == 0) {
                throw new CorruptFileException(path, LENGTH_BYTES + (long) i, "JSON text", "a zero byte");
            }
        }
    }

    private static String hex(byte b) {
        return String.format(java.util.Locale.ROOT, "byte 0x%02x", b);
    }

    /** One reading of a header. */
    private static final class Parse {
        private final Path path;
        private final JsonParser parser;
        private final long dataStart;
        private final long fileSize;
        private final Set<String> names = new HashSet<>();
        private final List<Entry> entries = new ArrayList<>();
        private final SequencedMap<String, String> metadata = new LinkedHashMap<>();

        Parse(Path path, JsonParser parser, long dataStart, long fileSize) {
            this.path = path;
            this.parser = parser;
            this.dataStart = dataStart;
            this.fileSize = fileSize;
        }

        private CorruptFileException corrupt(String expected, String found) {
            long at = LENGTH_BYTES + Math.max(0, parser.currentTokenLocation().getByteOffset());
            return new CorruptFileException(path, at, expected, found);
        }

        private void expect(@Nullable JsonToken token, JsonToken wanted, String what) {
            if (token != wanted) {
                throw corrupt(what, String.valueOf(token));
            }
        }

        SafetensorsHeader header() {
            expect(parser.nextToken(), JsonToken.START_OBJECT, "a JSON object");
            for (JsonToken token = parser.nextToken(); token != JsonToken.END_OBJECT; token = parser.nextToken()) {
                expect(token, JsonToken.PROPERTY_NAME, "the name of a tensor");
                String name = parser.currentName();
                if (!names.add(name)) {
                    throw corrupt("each name once", "\"" + name + "\" again");
                }
                parser.nextToken();
                if (name.equals(METADATA)) {
                    readMetadata();
                } else {
                    readTensor(name);
                }
            }
            if (parser.nextToken() != null) {
                throw corrupt("nothing after the header", String.valueOf(parser.currentToken()));
            }
            entries.sort(Comparator.comparingLong(Entry::offset)
                    .thenComparingLong(e -> e.description().byteSize()));
            requireFilled();
            return new SafetensorsHeader(metadata, entries);
        }

        private void requireFilled() {
            long end = dataStart;
            for (Entry entry : entries) {
                if (entry.offset() != end) {
                    throw new CorruptFileException(
                            path,
                            end,
                            "tensors without hole or overlap",
                            "tensor \"" + entry.description().name() + "\" at " + entry.offset());
                }
                end += entry.description().byteSize();
            }
            if (end != fileSize) {
                throw new CorruptFileException(
                        path, end, "the end of the file", (fileSize - end) + " bytes that belong to no tensor");
            }
        }

        private void readMetadata() {
            expect(parser.currentToken(), JsonToken.START_OBJECT, "an object of text entries");
            for (JsonToken token = parser.nextToken(); token != JsonToken.END_OBJECT; token = parser.nextToken()) {
                String key = parser.currentName();
                expect(parser.nextToken(), JsonToken.VALUE_STRING, "text for \"" + key + "\"");
                if (metadata.put(key, parser.getString()) != null) {
                    throw corrupt("each name once", "\"" + key + "\" again");
                }
            }
        }

        private void readTensor(String name) {
            expect(parser.currentToken(), JsonToken.START_OBJECT, "an object for tensor \"" + name + "\"");
            String type = null;
            long[] dims = null;
            long[] range = null;
            for (JsonToken token = parser.nextToken(); token != JsonToken.END_OBJECT; token = parser.nextToken()) {
                String field = parser.currentName();
                JsonToken value = parser.nextToken();
                switch (field) {
                    case "dtype" -> {
                        expect(value, JsonToken.VALUE_STRING, "a type for \"" + name + "\"");
                        type = parser.getString();
                    }
                    case "shape" -> dims = longs(MAX_RANK, name);
                    case "data_offsets" -> range = longs(2, name);
                    default -> throw corrupt("dtype, shape or data_offsets", "\"" + field + "\"");
                }
            }
            if (type == null || dims == null || range == null || range.length != 2) {
                throw corrupt("dtype, shape and two data_offsets of \"" + name + "\"", "fewer");
            }
            Type known = TYPES.get(type);
            if (known == null) {
                throw corrupt("a type of the specification", "\"" + type + "\"");
            }
            Shape shape;
            long byteSize;
            try {
                shape = Shape.of(dims);
                long bits = Math.multiplyExact(shape.elementCount(), (long) known.bits());
                if (bits % 8 != 0) {
                    throw corrupt("whole bytes", bits + " bits in tensor \"" + name + "\"");
                }
                byteSize = bits / 8;
            } catch (ArithmeticException e) {
                throw corrupt("a tensor of less than 2^63 bits", type + " " + Arrays.toString(dims));
            }
            long dataBytes = fileSize - dataStart;
            if (range[0] > range[1] || range[1] > dataBytes) {
                throw corrupt(
                        "data_offsets of \"" + name + "\" within the " + dataBytes + " bytes after the header",
                        Arrays.toString(range));
            }
            if (range[1] - range[0] != byteSize) {
                throw corrupt(
                        byteSize + " bytes for \"" + name + "\", " + type + " " + shape,
                        (range[1] - range[0]) + " bytes");
            }
            entries.add(
                    new Entry(new TensorDescription(name, type, known.dtype(), shape, byteSize), dataStart + range[0]));
        }

        /** An array of at most {@code limit} whole numbers of at least 0. */
        private long[] longs(int limit, String name) {
            expect(parser.currentToken(), JsonToken.START_ARRAY, "an array of numbers for \"" + name + "\"");
            long[] values = new long[limit];
            int count = 0;
            for (JsonToken token = parser.nextToken(); token != JsonToken.END_ARRAY; token = parser.nextToken()) {
                expect(token, JsonToken.VALUE_NUMBER_INT, "a whole number for \"" + name + "\"");
                if (count == limit) {
                    throw corrupt("at most " + limit + " numbers for \"" + name + "\"", "more");
                }
                values[count] = parser.getLongValue();
                if (values[count] < 0) {
                    throw corrupt("a number of at least 0 for \"" + name + "\"", Long.toString(values[count]));
                }
                count++;
            }
            return Arrays.copyOf(values, count);
        }
    }

    /** Length and header, padded with spaces to a multiple of eight bytes. */
    static byte[] encode(Map<String, String> metadata, List<OutgoingTensor> tensors) {
        StringWriter text = new StringWriter();
        try (JsonGenerator json = Json.generator(text)) {
            json.writeStartObject();
            if (!metadata.isEmpty()) {
                json.writeName(METADATA);
                json.writeStartObject();
                metadata.forEach(json::writeStringProperty);
                json.writeEndObject();
            }
            long offset = 0;
            for (OutgoingTensor tensor : tensors) {
                json.writeName(tensor.name());
                json.writeStartObject();
                json.writeStringProperty("dtype", Safetensors.typeName(tensor.dtype()));
                json.writeName("shape");
                json.writeStartArray();
                for (long dim : tensor.shape().dims()) {
                    json.writeNumber(dim);
                }
                json.writeEndArray();
                json.writeName("data_offsets");
                json.writeStartArray();
                json.writeNumber(offset);
                offset = Math.addExact(offset, tensor.byteSize());
                json.writeNumber(offset);
                json.writeEndArray();
                json.writeEndObject();
            }
            json.writeEndObject();
        }
        byte[] utf8 = text.toString().getBytes(StandardCharsets.UTF_8);
        int padded = (utf8.length + 7) & -8;
        if (padded > MAX_BYTES) {
            throw new IllegalArgumentException(
                    "a safetensors header of " + padded + " bytes: the limit is " + MAX_BYTES);
        }
        byte[] encoded = new byte[LENGTH_BYTES + padded];
        MemorySegment.ofArray(encoded).set(Tensor.I64_LE, 0, padded);
        System.arraycopy(utf8, 0, encoded, LENGTH_BYTES, utf8.length);
        Arrays.fill(encoded, LENGTH_BYTES + utf8.length, encoded.length, (byte) ' ');
        return encoded;
    }
}
