package dev.puna.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class TensorTest {
    /** Bits per weight as llama.cpp's documentation of its quantized types states them. */
    @ParameterizedTest
    @CsvSource({
        "F32,32",
        "F16,16",
        "BF16,16",
        "Q8_0,8.5",
        "Q4_0,4.5",
        "Q4_1,5",
        "Q5_0,5.5",
        "Q5_1,6",
        "Q2_K,2.625",
        "Q3_K,3.4375",
        "Q4_K,4.5",
        "Q5_K,5.5",
        "Q6_K,6.5625",
        "IQ4_NL,4.5",
        "IQ4_XS,4.25"
    })
    void bitsPerWeight(DType dtype, double bits) {
        assertThat(dtype.byteSize(4096) * 8 / 4096.0).isEqualTo(bits);
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void sizesAreWholeBlocksAndDoNotOverflow(DType dtype) {
        assertThat(dtype.byteSize(0)).isZero();
        assertThat(dtype.byteSize(dtype.blockSize())).isEqualTo(dtype.bytesPerBlock());
        assertThat(dtype.isQuantized()).isEqualTo(dtype.blockSize() > 1);
        assertThatThrownBy(() -> dtype.byteSize(-dtype.blockSize())).isInstanceOf(IllegalArgumentException.class);
        if (dtype.isQuantized()) {
            assertThatThrownBy(() -> dtype.byteSize(dtype.blockSize() + 1L))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining(dtype.name());
        }
        if (dtype.bytesPerBlock() > dtype.blockSize()) {
            long most = Long.MAX_VALUE / dtype.blockSize() * dtype.blockSize();
            assertThatThrownBy(() -> dtype.byteSize(most)).isInstanceOf(ArithmeticException.class);
        }
    }

    @Test
    void shapes() {
        Shape shape = Shape.of(2, 3, 4);
        assertThat(shape.elementCount()).isEqualTo(24);
        assertThat(shape.rows()).isEqualTo(6);
        assertThat(shape.columns()).isEqualTo(4);
        assertThat(shape.dim(-1)).isEqualTo(4);
        assertThat(shape.dim(0)).isEqualTo(2);
        assertThat(shape).hasToString("(2, 3, 4)").isEqualTo(Shape.of(2, 3, 4)).isNotEqualTo(Shape.of(6, 4));
        assertThat(Shape.of().elementCount()).isEqualTo(1);
        assertThat(Shape.of().columns()).isEqualTo(1);
        assertThatThrownBy(() -> Shape.of(2, -1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Shape.of(Long.MAX_VALUE, 2)).isInstanceOf(ArithmeticException.class);
        long[] dims = {5};
        Shape copied = Shape.of(dims);
        dims[0] = 6;
        copied.dims()[0] = 7;
        assertThat(copied.dim(0)).isEqualTo(5);
    }

    @Test
    void rowsAreViewsOfTheSameMemory() {
        Tensor tensor = Tensor.ofFloats(new float[] {0, 1, 2, 3, 4, 5}, 3, 2);
        assertThat(tensor.row(1).toFloats()).containsExactly(2, 3);
        assertThat(tensor.rows(1, 3).toFloats()).containsExactly(2, 3, 4, 5);
        assertThat(tensor.rows(2, 2).rows()).isZero();
        tensor.row(2).setFloat(0, 9);
        assertThat(tensor.getFloat(4)).isEqualTo(9);
        assertThat(tensor.reshape(6).toFloats()).containsExactly(0, 1, 2, 3, 9, 5);
        assertThatThrownBy(() -> tensor.row(3)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> tensor.reshape(5)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void memoryMustFit() {
        MemorySegment memory = MemorySegment.ofArray(new byte[68]);
        Tensor blocks = new Tensor(memory, DType.Q8_0, Shape.of(2, 32));
        assertThat(blocks.rowBytes()).isEqualTo(34);
        assertThat(blocks).hasToString("Q8_0 (2, 32)");
        assertThatThrownBy(() -> new Tensor(memory, DType.Q8_0, Shape.of(3, 32)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("102")
                .hasMessageContaining("68");
        assertThatThrownBy(() -> new Tensor(memory, DType.Q8_0, Shape.of(4, 16)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("(4, 16)");
        assertThatThrownBy(() -> blocks.getFloat(0)).isInstanceOf(IllegalStateException.class);
        Tensor onDevice = new Tensor(MemorySegment.ofAddress(4096), DType.F32, Shape.of(8));
        assertThat(onDevice.rows()).isEqualTo(1);
    }

    @Test
    void slabsHandOutAlignedSlicesUntilTheyAreFull() {
        long bytes = Slab.bytesFor(DType.F32, 3, 5) + Slab.bytesFor(DType.Q8_0, 2, 32);
        assertThat(bytes).isEqualTo(64 + 128);
        Tensor first;
        try (Slab slab = new Slab(bytes)) {
            first = slab.allocate(DType.F32, 3, 5);
            Tensor second = slab.allocate(DType.Q8_0, 2, 32);
            assertThat(first.data().address() % Slab.ALIGNMENT).isZero();
            assertThat(second.data().address() % Slab.ALIGNMENT).isZero();
            assertThat(first.toFloats()).containsOnly(0f);
            assertThat(slab.allocate(DType.F32, 0).data().byteSize()).isZero();
            assertThatThrownBy(() -> slab.allocate(DType.F32, 1))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("192");
        }
        assertThatThrownBy(() -> first.getFloat(0)).isInstanceOf(IllegalStateException.class);
        Slab slab = new Slab(0);
        slab.close();
        assertThatCode(slab::close).doesNotThrowAnyException();
    }
}
