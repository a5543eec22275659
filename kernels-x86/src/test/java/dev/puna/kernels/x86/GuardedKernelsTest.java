package dev.puna.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.kernels.AttentionSpan;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.KvView;
import dev.puna.kernels.ReferenceKernels;
import dev.puna.kernels.RopePairing;
import dev.puna.kernels.RopeTable;
import dev.puna.kernels.blocks.Rows;
import dev.puna.kernels.x86.GuardedMemory.Side;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Random;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every kernel with its inputs and outputs against inaccessible pages, at all small sizes. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class GuardedKernelsTest {
    private static final List<DType> PLAIN = List.of(DType.F32, DType.F16, DType.BF16);

    private final Random random = new Random(1);
    private ThreadTeam team;
    private Kernels kernels;
    private Kernels reference;
    private GuardedMemory memory;

    /** The kernels under test. */
    Kernels create(ThreadTeam threads) {
        return new X86KernelsProvider().create(threads);
    }

    @BeforeAll
    void open() {
        team = new ThreadTeam("guarded", 2);
        kernels = create(team);
        reference = new ReferenceKernels(team);
        memory = new GuardedMemory(8, 1 << 20);
    }

    @AfterAll
    void close() {
        kernels.close();
        team.close();
        memory.close();
    }

    private Tensor normal(Side side, long... dims) {
        Tensor tensor = memory.tensor(DType.F32, side, dims);
        for (long i = 0; i < tensor.shape().elementCount(); i++) {
            tensor.setFloat(i, (float) random.nextGaussian());
        }
        return tensor;
    }

    private Tensor encoded(DType dtype, Side side, int... dims) {
        Tensor tensor =
                dims.length == 1 ? memory.tensor(dtype, side, dims[0]) : memory.tensor(dtype, side, dims[0], dims[1]);
        int count = (int) tensor.shape().elementCount();
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        Rows.encode(dtype, tensor.data(), 0, count, values, 0);
        return tensor;
    }

    private static void close(Tensor actual, Tensor expected, String what) {
        closeWithin(2e-5f, actual, expected, what);
    }

    private static void closeWithin(float tolerance, Tensor actual, Tensor expected, String what) {
        for (long i = 0; i < expected.shape().elementCount(); i++) {
            assertThat(actual.getFloat(i))
                    .as("%s, element %d of %s", what, i, actual)
                    .isCloseTo(expected.getFloat(i), Offset.offset(tolerance * (1 + Math.abs(expected.getFloat(i)))));
        }
    }

    private static Tensor heap(Tensor like) {
        return new Tensor(
                MemorySegment.ofArray(like.data().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE)),
                like.dtype(),
                like.shape());
    }

    @ParameterizedTest
    @EnumSource(Side.class)
    void elementByElement(Side side) {
        for (int width = 0; width <= 130; width++) {
            for (int rows : new int[] {1, 3}) {
                memory.reset();
                Tensor y = normal(side, rows, width);
                Tensor x = normal(side, rows, width);
                Tensor z = normal(side, rows, width);
                Tensor expected = heap(y);
                kernels.swiGlu(y, x, z);
                reference.swiGlu(expected, x, z);
                close(y, expected, "swiGlu");
                kernels.add(y, x);
                reference.add(expected, x);
                close(y, expected, "add");
                for (DType dtype : PLAIN) {
                    memory.reset();
                    y = normal(side, rows, width);
                    x = normal(side, rows, width);
                    Tensor vector = encoded(dtype, side, width);
                    expected = heap(y);
                    kernels.addBias(y, vector);
                    reference.addBias(expected, vector);
                    close(y, expected, "addBias");
                    if (width > 0) {
                        kernels.rmsNorm(y, x, vector, 1e-5f);
                        reference.rmsNorm(expected, x, vector, 1e-5f);
                        close(y, expected, "rmsNorm");
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Side.class)
    void ropeOfEverySize(Side side) {
        for (int size = 2; size <= 130; size += 2) {
            for (RopePairing pairing : RopePairing.values()) {
                memory.reset();
                RopeTable table = new RopeTable(normal(side, 3, size / 2), normal(side, 3, size / 2), size);
                Tensor x = normal(side, 2, 3L * size);
                Tensor y = normal(side, 2, 3L * size);
                Tensor expected = heap(y);
                int[] positions = {2, 0};
                kernels.rope(y, x, table, pairing, positions);
                reference.rope(expected, x, table, pairing, positions);
                close(y, expected, "rope " + pairing + " " + size);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Side.class)
    void embeddingOfEverySize(Side side) {
        for (DType dtype : List.of(DType.F32, DType.F16, DType.BF16, DType.Q8_0)) {
            for (int width = dtype.blockSize(); width <= 160; width += dtype.blockSize()) {
                memory.reset();
                Tensor table = encoded(dtype, side, 3, width);
                Tensor y = normal(side, 4, width);
                Tensor expected = heap(y);
                int[] ids = {2, 0, 1, 2};
                kernels.embedding(y, table, ids);
                reference.embedding(expected, table, ids);
                assertThat(y.data().mismatch(expected.data())).as("%s", table).isEqualTo(-1);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Side.class)
    void cacheOfEverySize(Side side) {
        for (DType dtype : List.of(DType.F32, DType.F16, DType.BF16, DType.Q8_0)) {
            for (int size = dtype.blockSize(); size <= 130; size += dtype.blockSize()) {
                for (int pageLength : new int[] {4, 32}) {
                    memory.reset();
                    int kvHeads = 2;
                    long page = KvView.bytesPerPage(dtype, kvHeads, size, pageLength);
                    int[] pages = pageLength == 4 ? new int[] {2, 0, 1} : new int[] {0};
                    MemorySegment pool = memory.allocate(page * pages.length, side);
                    pool.fill((byte) 0);
                    KvView cache = new KvView(pool, dtype, kvHeads, size, pageLength, pages, page);
                    MemorySegment expectedPool = MemorySegment.ofArray(new byte[(int) pool.byteSize()]);
                    KvView expectedCache = new KvView(expectedPool, dtype, kvHeads, size, pageLength, pages, page);
                    Tensor k = normal(side, 11, (long) kvHeads * size);
                    Tensor v = normal(side, 11, (long) kvHeads * size);
                    kernels.storeKv(cache, 1, k, v);
                    reference.storeKv(expectedCache, 1, k, v);
                    assertThat(pool.mismatch(expectedPool))
                            .as("%s of %d in pages of %d", dtype, size, pageLength)
                            .isEqualTo(-1);
                    kernels.storeKv(cache, 0, k.rows(0, 1), v.rows(0, 1));
                    Tensor q = normal(side, 3, 3L * kvHeads * size);
                    Tensor y = normal(side, 3, 3L * kvHeads * size);
                    Tensor expected = heap(y);
                    List<AttentionSpan> spans = List.of(new AttentionSpan(cache, 9, 3));
                    kernels.attention(y, q, spans, 0.1f);
                    reference.attention(expected, q, spans, 0.1f);
                    closeWithin(dtype == DType.BF16 ? 0x1p-6f : 2e-4f, y, expected, "attention " + dtype + " " + size);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Side.class)
    void longCaches(Side side) {
        int size = 64;
        for (DType dtype : List.of(DType.F32, DType.F16, DType.BF16, DType.Q8_0)) {
            for (int length = 1; length <= 130; length++) {
                memory.reset();
                long page = KvView.bytesPerPage(dtype, 1, size, length);
                KvView cache = new KvView(memory.allocate(page, side), dtype, 1, size, length, new int[] {0}, page);
                Tensor k = normal(side, length, size);
                Tensor v = normal(side, length, size);
                kernels.storeKv(cache, 0, k, v);
                int rows = Math.min(length, 1 + length % 9);
                Tensor q = normal(side, rows, 2L * size);
                Tensor y = normal(side, rows, 2L * size);
                Tensor expected = heap(y);
                List<AttentionSpan> spans = List.of(new AttentionSpan(cache, length - rows, rows));
                kernels.attention(y, q, spans, 0.125f);
                reference.attention(expected, q, spans, 0.125f);
                closeWithin(
                        dtype == DType.BF16 ? 0x1p-6f : 2e-4f, y, expected, "attention " + dtype + " over " + length);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Side.class)
    void quantizedProducts(Side side) {
        for (DType dtype : List.of(DType.Q8_0, DType.Q4_0, DType.Q4_1, DType.Q5_0, DType.Q5_1)) {
            for (int in = 32; in <= 160; in += 32) {
                for (int out : new int[] {1, 15, 16, 17, 31, 32, 33, 47, 48, 65}) {
                    for (int rows : new int[] {1, 3, 7, 17, 22}) {
                        product(dtype, side, rows, in, out);
                    }
                }
            }
        }
        for (DType dtype : List.of(DType.Q4_K, DType.Q5_K, DType.Q6_K)) {
            for (int in = 256; in <= 512; in += 256) {
                for (int out : new int[] {1, 16, 17, 33}) {
                    for (int rows : new int[] {1, 7, 19}) {
                        product(dtype, side, rows, in, out);
                    }
                }
            }
        }
    }

    private void product(DType dtype, Side side, int rows, int in, int out) {
        memory.reset();
        Tensor w = encoded(dtype, side, out, in);
        Tensor x = normal(side, rows, in);
        Tensor y = memory.tensor(DType.F32, side, rows, out);
        kernels.matmul(y, x, w);
        Tensor expected = new Tensor(MemorySegment.ofArray(new byte[rows * out * 4]), DType.F32, Shape.of(rows, out));
        reference.matmul(expected, x, w);
        for (long i = 0; i < (long) rows * out; i++) {
            assertThat(y.getFloat(i)).as("%s · %s", x, w).isCloseTo(expected.getFloat(i), Offset.offset(1f));
        }
    }
}
