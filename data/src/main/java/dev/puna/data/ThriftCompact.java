package dev.puna.data;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Thrift's compact protocol, as much as Parquet's headers need: a struct becomes a map from field numbers to numbers
 * ({@link Long}), truth values, bytes, lists and structs.
 */
final class ThriftCompact {
    private static final int MAX_DEPTH = 32;

    private final byte[] bytes;
    private final int end;
    private int at;

    ThriftCompact(byte[] bytes, int from, int to) {
        this.bytes = bytes;
        this.at = from;
        this.end = to;
    }

    /** Where the next byte is. */
    int position() {
        return at;
    }

    /** A struct. */
    record Struct(Map<Integer, Object> fields) {
        long number(int field, long otherwise) {
            return fields.get(field) instanceof Long number ? number : otherwise;
        }

        boolean truth(int field, boolean otherwise) {
            return fields.get(field) instanceof Boolean truth ? truth : otherwise;
        }

        String text(int field) {
            return fields.get(field) instanceof byte[] text ? new String(text, StandardCharsets.UTF_8) : "";
        }

        boolean has(int field) {
            return fields.containsKey(field);
        }

        Struct struct(int field) throws IOException {
            if (fields.get(field) instanceof Struct struct) {
                return struct;
            }
            throw new IOException("field " + field + " of a Thrift struct is missing");
        }

        List<?> list(int field) {
            return fields.get(field) instanceof List<?> list ? list : List.of();
        }
    }

    Struct struct() throws IOException {
        return struct(0);
    }

    private Struct struct(int depth) throws IOException {
        if (depth > MAX_DEPTH) {
            throw new IOException("Thrift structs nested deeper than " + MAX_DEPTH);
        }
        Map<Integer, Object> fields = new HashMap<>();
        int number = 0;
        while (true) {
            int head = octet();
            if (head == 0) {
                return new Struct(fields);
            }
            int delta = head >>> 4;
            number = delta == 0 ? (int) zigzag() : number + delta;
            int type = head & 15;
            Object value = switch (type) {
                case 1 -> true;
                case 2 -> false;
                default -> value(type, depth);
            };
            fields.put(number, value);
        }
    }

    private Object value(int type, int depth) throws IOException {
        return switch (type) {
            case 1, 2 -> octet() == 1;
            case 3 -> (long) (byte) octet();
            case 4, 5, 6 -> zigzag();
            case 7 -> {
                skip(8);
                yield 0L; // a double; no header has one that matters
            }
            case 8 -> {
                int length = length(varint());
                byte[] text = new byte[length];
                System.arraycopy(bytes, at, text, 0, length);
                at += length;
                yield text;
            }
            case 9, 10 -> {
                int head = octet();
                int size = (head >>> 4) == 15 ? length(varint()) : head >>> 4;
                List<Object> list = new ArrayList<>();
                for (int i = 0; i < size; i++) {
                    list.add(value(head & 15, depth + 1));
                }
                yield list;
            }
            case 11 -> {
                int size = length(varint());
                int kinds = size == 0 ? 0 : octet();
                for (int i = 0; i < size; i++) {
                    value(kinds >>> 4, depth + 1);
                    value(kinds & 15, depth + 1);
                }
                yield List.of();
            }
            case 12 -> struct(depth + 1);
            default -> throw new IOException("Thrift type " + type + " at byte " + at);
        };
    }

    private int length(long length) throws IOException {
        if (length < 0 || length > end - at) {
            throw new IOException("a length of " + length + " with " + (end - at) + " bytes left");
        }
        return (int) length;
    }

    private void skip(int count) throws IOException {
        at += length(count);
    }

    private int octet() throws IOException {
        if (at >= end) {
            throw new IOException("a Thrift struct ends at byte " + at);
        }
        return bytes[at++] & 0xff;
    }

    private long varint() throws IOException {
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            int b = octet();
            value |= (long) (b & 0x7f) << shift;
            if (b < 0x80) {
                return value;
            }
        }
        throw new IOException("a number of more than ten bytes at byte " + at);
    }

    private long zigzag() throws IOException {
        long n = varint();
        return (n >>> 1) ^ -(n & 1);
    }
}
