package dev.puna.kernels.x86;

import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * The fp32 products of weights that are plain numbers on 256-bit registers: {@code y = x · wᵀ} and its two gradients.
 *
 * <pre>
 * for each 24 columns of C, divided over the threads:
 *   for each 256 steps along k:
 *     pack B's lanes               ({@link Avx2FloatPanel})
 *     for all rows, by fours       ({@link Avx2FloatTile}, A where it lies)
 * </pre>
 *
 * An element of C is one chain of additions along k, which goes through memory between blocks of k; so its bits depend
 * neither on the number of rows nor on the number of threads.
 */
final class Avx2FloatMatmul implements AutoCloseable {
    /** Steps whose panels exist at a time: 24 KiB, so that the first cache holds them and some rows of A. */
    private static final int DEPTH = 256;

    private static final int LANES = Avx2FloatPanel.LANES;
    private static final int COLUMNS = LANES * Avx2FloatTile.MAX_VECTORS;

    /** A cache line more than the lines of a panel, so that the three do not fall onto each other in the cache. */
    private static final int PANEL_BYTES = DEPTH * Avx2FloatPanel.LINE + 64;

    /** A factor in memory: where it is, bytes from row to row of its memory, and whether those rows run along k. */
    private record Operand(Tensor tensor, boolean alongK) {
        long at(long lane, long k) {
            int bytes = tensor.dtype().bytesPerBlock();
            return tensor.data().address()
                    + (alongK ? lane * tensor.rowBytes() + k * bytes : k * tensor.rowBytes() + lane * bytes);
        }

        long laneBytes() {
            return alongK ? tensor.rowBytes() : tensor.dtype().bytesPerBlock();
        }

        long stepBytes() {
            return alongK ? tensor.dtype().bytesPerBlock() : tensor.rowBytes();
        }
    }

    private final Workers workers;
    private final CodeCache codes;
    private final Scratch[] panels;
    /** Masks of 0 to 8 columns. */
    private final MemorySegment masks;

    /** @param arena lives as long as this */
    Avx2FloatMatmul(Workers workers, CodeCache codes, Arena arena) {
        this.workers = workers;
        this.codes = codes;
        this.panels = new Scratch[workers.threads().size()];
        Arrays.setAll(panels, _ -> new Scratch());
        this.masks = arena.allocate((LANES + 1) * (long) Avx2FloatPanel.LINE, 64);
        for (int count = 0; count <= LANES; count++) {
            for (int lane = 0; lane < count; lane++) {
                masks.setAtIndex(ValueLayout.JAVA_INT, (long) count * LANES + lane, -1);
            }
        }
    }

    static boolean serves(DType dtype) {
        return dtype == DType.F32 || dtype == DType.F16 || dtype == DType.BF16;
    }

    /** {@code y (N, out) = x (N, in) · wᵀ}, {@code w} F32, F16 or BF16 (out, in). */
    void multiply(Tensor y, Tensor x, Tensor w) {
        multiply(y, x.rows(), w.rows(), x.columns(), new Operand(x, true), new Operand(w, true), false);
    }

    /** {@code dx (N, in) = dy (N, out) · w}, or added to dx. */
    void backwardInput(Tensor dx, Tensor dy, Tensor w, boolean accumulate) {
        multiply(dx, dy.rows(), w.columns(), w.rows(), new Operand(dy, true), new Operand(w, false), accumulate);
    }

    /** {@code dw (out, in) += dyᵀ · x}. */
    void backwardWeight(Tensor dw, Tensor dy, Tensor x) {
        multiply(dw, dy.columns(), x.columns(), dy.rows(), new Operand(dy, false), new Operand(x, false), true);
    }

    /** {@code C (m, n) = A (m, k) · B (k, n)}, or added to C. */
    private void multiply(Tensor c, long m, long n, long k, Operand a, Operand b, boolean accumulate) {
        if (k == 0 && !accumulate) {
            c.data().fill((byte) 0);
        }
        if (m == 0) {
            return;
        }
        workers.inMemberRanges(n, COLUMNS, (arguments, member, from, to) -> {
            long memory = panels[member].address((long) PANEL_BYTES * Avx2FloatTile.MAX_VECTORS);
            for (long column = from; column < to; column += COLUMNS) {
                int columns = (int) Math.min(COLUMNS, to - column);
                for (long step = 0; step < k; step += DEPTH) {
                    long steps = Math.min(DEPTH, k - step);
                    pack(arguments, b, column, columns, step, steps, memory);
                    arguments
                            .set(Avx2FloatTile.A_ROW, a.laneBytes())
                            .set(Avx2FloatTile.A_STEP, a.stepBytes())
                            .set(Avx2FloatTile.B, memory)
                            .set(Avx2FloatTile.STEPS, steps)
                            .set(Avx2FloatTile.C_STRIDE, c.rowBytes())
                            .set(Avx2FloatTile.ACCUMULATE, accumulate || step > 0 ? 1L : 0L)
                            .set(Avx2FloatTile.MASK, masks.address() + columns % LANES * (long) Avx2FloatPanel.LINE);
                    int together = Avx2FloatTile.MAX_ROWS;
                    long at = c.data().address() + column * Float.BYTES;
                    if (m >= together) {
                        tile(arguments, together, columns, m / together, a.at(0, step), at);
                    }
                    long rest = m % together;
                    if (rest > 0) {
                        tile(arguments, (int) rest, columns, 1, a.at(m - rest, step), at + (m - rest) * c.rowBytes());
                    }
                }
            }
        });
    }

    private void pack(
            ArgumentBlock arguments, Operand b, long column, int columns, long step, long steps, long memory) {
        for (int lane = 0; lane < columns; lane += LANES) {
            Avx2FloatPanel.Shape shape =
                    new Avx2FloatPanel.Shape(b.tensor.dtype(), b.alongK, Math.min(LANES, columns - lane));
            arguments
                    .set(Avx2FloatPanel.SOURCE, b.at(column + lane, step))
                    .set(Avx2FloatPanel.STRIDE, b.tensor.rowBytes())
                    .set(Avx2FloatPanel.COUNT, steps)
                    .set(Avx2FloatPanel.OUT, memory + (long) lane / LANES * PANEL_BYTES)
                    .call(codes.get(shape, () -> Avx2FloatPanel.code(shape)));
        }
    }

    private void tile(ArgumentBlock arguments, int rows, int columns, long groups, long a, long c) {
        Avx2FloatTile.Shape shape =
                new Avx2FloatTile.Shape(rows, (columns + LANES - 1) / LANES, columns % LANES != 0, PANEL_BYTES);
        arguments
                .set(Avx2FloatTile.A, a)
                .set(Avx2FloatTile.C, c)
                .set(Avx2FloatTile.GROUPS, groups)
                .call(codes.get(shape, () -> Avx2FloatTile.code(shape)));
    }

    @Override
    public void close() {
        for (Scratch scratch : panels) {
            scratch.close();
        }
    }
}
