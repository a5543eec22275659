package dev.puna.tensor;

import java.util.Arrays;
import java.util.stream.Collectors;

/** The extents of a tensor, slowest dimension first. No dimensions at all is a scalar. */
public final class Shape {
    private final long[] dims;
    private final long elementCount;

    private Shape(long[] dims) {
        long count = 1;
        for (long dim : dims) {
            if (dim < 0) {
                throw new IllegalArgumentException("negative extent in shape " + Arrays.toString(dims));
            }
            count = Math.multiplyExact(count, dim);
        }
        this.dims = dims;
        this.elementCount = count;
    }

    /** @throws ArithmeticException if the number of elements does not fit a {@code long} */
    public static Shape of(long... dims) {
        return new Shape(dims.clone());
    }

    public int rank() {
        return dims.length;
    }

    /** The extent of dimension {@code i}; negative {@code i} counts from the end. */
    public long dim(int i) {
        return dims[i < 0 ? dims.length + i : i];
    }

    public long[] dims() {
        return dims.clone();
    }

    public long elementCount() {
        return elementCount;
    }

    /** Elements of the last dimension: what lies next to each other. 1 for a scalar. */
    public long columns() {
        return dims.length == 0 ? 1 : dims[dims.length - 1];
    }

    /** Product of all dimensions but the last. */
    public long rows() {
        long rows = 1;
        for (int i = 0; i < dims.length - 1; i++) {
            rows *= dims[i];
        }
        return rows;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Shape shape && Arrays.equals(dims, shape.dims);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(dims);
    }

    /** {@code (2, 3, 4)}. */
    @Override
    public String toString() {
        return Arrays.stream(dims).mapToObj(Long::toString).collect(Collectors.joining(", ", "(", ")"));
    }
}
