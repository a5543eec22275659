package dev.puna.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A shaped view of memory: dense, row-major. It owns nothing and is never closed. Rows of a quantized tensor begin on a
 * block boundary. Device memory is a zero-length segment with an address, so that the host cannot read it by mistake.
 *
 * @param data exactly {@code dtype.byteSize(shape.elementCount())} bytes, at any alignment (mapped files give what they
 *     give); zero-length for device memory
 */
public record Tensor(MemorySegment data, DType dtype, Shape shape) {
    public static final ValueLayout.OfFloat F32_LE =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    public static final ValueLayout.OfShort I16_LE =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    public static final ValueLayout.OfInt I32_LE = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    public static final ValueLayout.OfLong I64_LE = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    public static final ValueLayout.OfDouble F64_LE =
            ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    public Tensor {
        if (shape.columns() % dtype.blockSize() != 0) {
            throw new IllegalArgumentException(
                    dtype + " rows come in blocks of " + dtype.blockSize() + " elements: shape " + shape);
        }
        long bytes = dtype.byteSize(shape.elementCount());
        boolean onDevice = data.byteSize() == 0 && data.address() != 0;
        if (data.byteSize() != bytes && !onDevice) {
            throw new IllegalArgumentException(
                    dtype + " " + shape + " takes " + bytes + " bytes, the memory has " + data.byteSize());
        }
    }

    /** A tensor over a copy of {@code values} on the Java heap; for tests and small tables. */
    public static Tensor ofFloats(float[] values, long... dims) {
        return new Tensor(MemorySegment.ofArray(values.clone()), DType.F32, Shape.of(dims));
    }

    public long rows() {
        return shape.rows();
    }

    public long columns() {
        return shape.columns();
    }

    /** Bytes from the start of one row to the start of the next. */
    public long rowBytes() {
        return dtype.byteSize(shape.columns());
    }

    /** Rows {@code [from, to)} of the tensor seen as a matrix: {@code (to − from, columns)}, the same memory. */
    public Tensor rows(long from, long to) {
        long rowBytes = rowBytes();
        return new Tensor(
                data.asSlice(from * rowBytes, (to - from) * rowBytes), dtype, Shape.of(to - from, shape.columns()));
    }

    /** Row {@code i} of the tensor seen as a matrix: {@code (columns)}. */
    public Tensor row(long i) {
        long rowBytes = rowBytes();
        return new Tensor(data.asSlice(i * rowBytes, rowBytes), dtype, Shape.of(shape.columns()));
    }

    /** The same memory under another shape of the same number of elements. */
    public Tensor reshape(long... dims) {
        return new Tensor(data, dtype, Shape.of(dims));
    }

    /** Element {@code index} (row-major) of an F32 tensor. For tests and edges, not for loops that matter. */
    public float getFloat(long index) {
        requireF32();
        return data.get(F32_LE, index * Float.BYTES);
    }

    /** Sets element {@code index} (row-major) of an F32 tensor. */
    public void setFloat(long index, float value) {
        requireF32();
        data.set(F32_LE, index * Float.BYTES, value);
    }

    /** A copy of an F32 tensor's elements. */
    public float[] toFloats() {
        requireF32();
        return data.toArray(F32_LE);
    }

    private void requireF32() {
        if (dtype != DType.F32) {
            throw new IllegalStateException("expected F32, found " + dtype + " " + shape);
        }
    }

    /** {@code Q8_0 (2048, 8192)}. */
    @Override
    public String toString() {
        return dtype + " " + shape;
    }
}
