package dev.puna.formats;

import dev.puna.tensor.Tensor;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/** Puts GGUF's fields into bytes. */
final class GgufEncoder {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final byte[] scratch = new byte[8];
    private final MemorySegment word = MemorySegment.ofArray(scratch);

    void i32(int value) {
        word.set(Tensor.I32_LE, 0, value);
        out.write(scratch, 0, 4);
    }

    void i64(long value) {
        word.set(Tensor.I64_LE, 0, value);
        out.write(scratch, 0, 8);
    }

    void text(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        i64(utf8.length);
        out.writeBytes(utf8);
    }

    /** The value without its type. */
    void value(GgufValue value) {
        switch (value) {
            case GgufValue.Whole(GgufType type, long number) -> {
                word.set(Tensor.I64_LE, 0, number); // little-endian: the low bytes come first
                out.write(scratch, 0, type.minBytes());
            }
            case GgufValue.Real(GgufType type, double number) -> {
                if (type == GgufType.FLOAT32) {
                    i32(Float.floatToRawIntBits((float) number));
                } else {
                    i64(Double.doubleToRawLongBits(number));
                }
            }
            case GgufValue.Bool(boolean truth) -> out.write(truth ? 1 : 0);
            case GgufValue.Text(String text) -> text(text);
            case GgufValue.Array array -> {
                i32(array.elementType().number());
                i64(array.size());
                out.writeBytes(array.encoded().toArray(ValueLayout.JAVA_BYTE));
            }
        }
    }

    byte[] toByteArray() {
        return out.toByteArray();
    }
}
