package dev.puna.formats;

import dev.puna.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/** A metadata value of a GGUF file. */
public sealed interface GgufValue {
    /** The type in the file. */
    GgufType type();

    /**
     * A whole number.
     *
     * @param type one of the eight integer types
     * @param value the number; of {@link GgufType#UINT64} the 64 bits, to be read as unsigned
     * @throws IllegalArgumentException if the number does not fit the type
     */
    record Whole(GgufType type, long value) implements GgufValue {
        public Whole {
            boolean fits = switch (type) {
                case UINT8 -> value >= 0 && value <= 0xFF;
                case INT8 -> value == (byte) value;
                case UINT16 -> value >= 0 && value <= 0xFFFF;
                case INT16 -> value == (short) value;
                case UINT32 -> value >= 0 && value <= 0xFFFF_FFFFL;
                case INT32 -> value == (int) value;
                case UINT64, INT64 -> true;
                case FLOAT32, FLOAT64, BOOL, STRING, ARRAY -> false;
            };
            if (!fits) {
                throw new IllegalArgumentException(value + " is no " + type);
            }
        }
    }

    /**
     * A floating-point number.
     *
     * @param type {@link GgufType#FLOAT32} or {@link GgufType#FLOAT64}
     */
    record Real(GgufType type, double value) implements GgufValue {
        public Real {
            if (type != GgufType.FLOAT32 && type != GgufType.FLOAT64) {
                throw new IllegalArgumentException("no floating-point type: " + type);
            }
        }
    }

    /** True or false. */
    record Bool(boolean value) implements GgufValue {
        @Override
        public GgufType type() {
            return GgufType.BOOL;
        }
    }

    /** A text. */
    record Text(String value) implements GgufValue {
        @Override
        public GgufType type() {
            return GgufType.STRING;
        }
    }

    /**
     * An array. It keeps the bytes of the file and decodes what is asked for, so a vocabulary costs nothing until it is
     * read; an array of an open file dies with that file.
     */
    final class Array implements GgufValue {
        private final GgufType elementType;
        private final int size;
        private final MemorySegment encoded;

        /** @param encoded the elements as they lie in a file; checked before */
        Array(GgufType elementType, int size, MemorySegment encoded) {
            this.elementType = elementType;
            this.size = size;
            this.encoded = encoded;
        }

        /** An array of texts. */
        public static Array ofTexts(List<String> texts) {
            return ofUtf8(texts.stream()
                    .map(text -> text.getBytes(StandardCharsets.UTF_8))
                    .toList());
        }

        /** An array of texts that are given as bytes, usually UTF-8. */
        public static Array ofUtf8(List<byte[]> texts) {
            long bytes = 0;
            for (byte[] text : texts) {
                bytes += Long.BYTES + text.length;
            }
            MemorySegment encoded = MemorySegment.ofArray(new byte[Math.toIntExact(bytes)]);
            long at = 0;
            for (byte[] text : texts) {
                encoded.set(Tensor.I64_LE, at, text.length);
                MemorySegment.copy(text, 0, encoded, ValueLayout.JAVA_BYTE, at + Long.BYTES, text.length);
                at += Long.BYTES + text.length;
            }
            return new Array(GgufType.STRING, texts.size(), encoded);
        }

        /** An array of {@link GgufType#INT32}. */
        public static Array ofInts(int... values) {
            MemorySegment encoded = MemorySegment.ofArray(new byte[Math.multiplyExact(values.length, Integer.BYTES)]);
            MemorySegment.copy(values, 0, encoded, Tensor.I32_LE, 0, values.length);
            return new Array(GgufType.INT32, values.length, encoded);
        }

        /** An array of {@link GgufType#FLOAT32}. */
        public static Array ofFloats(float... values) {
            MemorySegment encoded = MemorySegment.ofArray(new byte[Math.multiplyExact(values.length, Float.BYTES)]);
            MemorySegment.copy(values, 0, encoded, Tensor.F32_LE, 0, values.length);
            return new Array(GgufType.FLOAT32, values.length, encoded);
        }

        /** An array of numbers, truth values, texts or arrays, all of {@code elementType}. */
        public static Array of(GgufType elementType, List<? extends GgufValue> values) {
            GgufEncoder encoder = new GgufEncoder();
            for (GgufValue value : values) {
                if (value.type() != elementType) {
                    throw new IllegalArgumentException("an array of " + elementType + " cannot hold a " + value.type());
                }
                encoder.value(value);
            }
            return new Array(elementType, values.size(), MemorySegment.ofArray(encoder.toByteArray()));
        }

        @Override
        public GgufType type() {
            return GgufType.ARRAY;
        }

        public GgufType elementType() {
            return elementType;
        }

        public int size() {
            return size;
        }

        MemorySegment encoded() {
            return encoded;
        }

        /**
         * The texts. Bytes that are not UTF-8 become U+FFFD; {@link #utf8()} has them as they are.
         *
         * @throws IllegalStateException if this is no array of texts
         */
        public List<String> texts() {
            requireElements(GgufType.STRING);
            List<String> texts = new ArrayList<>(size);
            byte[] bytes = encoded.toArray(ValueLayout.JAVA_BYTE);
            ByteBuffer lengths = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
            int at = 0;
            for (int i = 0; i < size; i++) {
                int length = (int) lengths.getLong(at);
                texts.add(new String(bytes, at + Long.BYTES, length, StandardCharsets.UTF_8));
                at += Long.BYTES + length;
            }
            return texts;
        }

        /**
         * The bytes of the texts.
         *
         * @throws IllegalStateException if this is no array of texts
         */
        public List<byte[]> utf8() {
            requireElements(GgufType.STRING);
            List<byte[]> texts = new ArrayList<>(size);
            byte[] bytes = encoded.toArray(ValueLayout.JAVA_BYTE);
            ByteBuffer lengths = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
            int at = 0;
            for (int i = 0; i < size; i++) {
                int length = (int) lengths.getLong(at);
                texts.add(Arrays.copyOfRange(bytes, at + Long.BYTES, at + Long.BYTES + length));
                at += Long.BYTES + length;
            }
            return texts;
        }

        /**
         * The numbers of an array of {@link GgufType#FLOAT32}.
         *
         * @throws IllegalStateException if this is an array of something else
         */
        public float[] floats() {
            requireElements(GgufType.FLOAT32);
            return encoded.toArray(Tensor.F32_LE);
        }

        /**
         * The numbers of an array of {@link GgufType#INT32} or {@link GgufType#UINT32}, of the latter the 32 bits.
         *
         * @throws IllegalStateException if this is an array of something else
         */
        public int[] ints() {
            if (elementType != GgufType.UINT32) {
                requireElements(GgufType.INT32);
            }
            return encoded.toArray(Tensor.I32_LE);
        }

        /** Every element, decoded one by one: for tools, and for types that the other methods do not cover. */
        public List<GgufValue> values() {
            List<GgufValue> values = new ArrayList<>(size);
            GgufDecoder decoder = new GgufDecoder(encoded);
            for (int i = 0; i < size; i++) {
                values.add(decoder.value(elementType));
            }
            return values;
        }

        private void requireElements(GgufType wanted) {
            if (elementType != wanted) {
                throw new IllegalStateException("an array of " + elementType + ", not of " + wanted);
            }
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Array array
                    && elementType == array.elementType
                    && size == array.size
                    && encoded.mismatch(array.encoded) < 0;
        }

        @Override
        public int hashCode() {
            long head = Math.min(encoded.byteSize(), 64);
            return Objects.hash(
                    elementType, size, Arrays.hashCode(encoded.asSlice(0, head).toArray(ValueLayout.JAVA_BYTE)));
        }

        /** {@code ARRAY<STRING>(32000)}. */
        @Override
        public String toString() {
            return "ARRAY<" + elementType + ">(" + size + ")";
        }
    }
}
