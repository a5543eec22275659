package dev.puna.kernels.x86;

import dev.puna.assembler.Feature;
import dev.puna.assembler.Processor;
import dev.puna.kernels.ComputePrecision;
import dev.puna.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.Set;

/**
 * {@code C (M, N) = A · B}, or added to C, for factors in either direction of memory: what is packed decides, so the
 * three products of training are one algorithm (Goto and van de Geijn, Anatomy of High-Performance Matrix
 * Multiplication, 2008).
 *
 * <pre>
 * for each block of columns, for each block of k, for each block of rows:
 *   pack both factors into panels of sixteen                    (all threads, {@link OperandPanel})
 *   each thread, for its share of C:
 *     for columns whose panels fit half of its own cache:
 *       for each few rows: tile by tile                         ({@link FmaTile}, {@link AmxFloatTile})
 * </pre>
 *
 * An element of C is one chain of additions along k, which goes through memory between blocks of k; so its bits depend
 * neither on the blocks of rows and columns nor on the number of threads.
 */
final class Gemm implements AutoCloseable {
    /** What multiplies. */
    enum Unit {
        /** fp32 fused multiply-add. */
        FMA,
        /** {@code vdpbf16ps}. */
        DOT_BF16,
        /** {@code tdpbf16ps}. */
        AMX_BF16;

        boolean bf16() {
            return this != FMA;
        }

        /** Steps of k in a block, so that the panels of A that a tile reads stay in a first cache of 32 KiB. */
        int panelSteps() {
            return switch (this) {
                case FMA, DOT_BF16 -> 256;
                case AMX_BF16 -> 128;
            };
        }
    }

    /**
     * A factor in memory.
     *
     * @param address of its first element
     * @param stride bytes from one row of its memory to the next
     * @param dtype F32, F16 or BF16
     * @param alongK whether its memory's rows run along k
     */
    record Operand(long address, long stride, DType dtype, boolean alongK) {
        /** Where the part from lane {@code i} and element {@code k} begins. */
        long at(long i, long k) {
            return alongK
                    ? address + i * stride + k * dtype.bytesPerBlock()
                    : address + k * stride + i * dtype.bytesPerBlock();
        }
    }

    /** Where C is: address, and bytes from row to row. */
    record Target(long address, long stride) {
        long at(long row, long column) {
            return address + row * stride + column * Float.BYTES;
        }
    }

    private record TileKey(int rows, int vectors, boolean bf16) {}

    private record AmxKey(int rowTiles, int columnTiles) {}

    private static final Set<Feature> AMX = Set.of(Feature.AMXTILE, Feature.AMXBF16, Feature.AVX512BF16);
    private static final int LANES = OperandPanel.LANES;

    private static final int BLOCK_LANES = 4096;

    private final Workers workers;
    private final CodeCache codes;
    private final Scratch aPanels = new Scratch();
    private final Scratch bPanels = new Scratch();
    private final long cacheBudget;
    private final Unit bf16Unit;

    Gemm(Workers workers, CodeCache codes, Processor processor) {
        this.workers = workers;
        this.codes = codes;
        this.cacheBudget = Math.max(processor.cacheBytes(2), 512 << 10) / 2;
        boolean amx = processor.supports(AMX) && processor.requestTiles().isEmpty();
        // Without any bf16 unit the factors stay fp32, which is nearer to the truth.
        this.bf16Unit =
                amx ? Unit.AMX_BF16 : processor.features().contains(Feature.AVX512BF16) ? Unit.DOT_BF16 : Unit.FMA;
    }

    Unit unit(ComputePrecision precision) {
        return switch (precision) {
            case F32 -> Unit.FMA;
            case BF16 -> bf16Unit;
        };
    }

    /**
     * With {@code k = 0}, C stays as it is.
     *
     * @param a (m, k)
     * @param b (k, n)
     */
    void multiply(Target c, long m, long n, long k, Operand a, Operand b, boolean accumulate, Unit unit) {
        long depthOfBlock = (long) unit.panelSteps() * (unit.bf16() ? 2 : 1);
        for (long column = 0; column < n; column += BLOCK_LANES) {
            long columns = Math.min(BLOCK_LANES, n - column);
            for (long from = 0; from < k; from += depthOfBlock) {
                long depth = Math.min(depthOfBlock, k - from);
                for (long row = 0; row < m; row += BLOCK_LANES) {
                    long rows = Math.min(BLOCK_LANES, m - row);
                    new Block(c, row, rows, column, columns, from, depth, accumulate || from > 0, unit)
                            .run(a, b, row == 0);
                }
            }
        }
    }

    /** One step of the three outer loops. */
    private final class Block {
        private final Target c;
        private final long row;
        private final long rows;
        private final long column;
        private final long columns;
        private final long from;
        private final long depth;
        private final boolean accumulate;
        private final Unit unit;
        private final long steps;
        private final long panelBytes;

        Block(
                Target c,
                long row,
                long rows,
                long column,
                long columns,
                long from,
                long depth,
                boolean accumulate,
                Unit unit) {
            this.c = c;
            this.row = row;
            this.rows = rows;
            this.column = column;
            this.columns = columns;
            this.from = from;
            this.depth = depth;
            this.accumulate = accumulate;
            this.unit = unit;
            this.steps = unit.bf16() ? (depth + 1) / 2 : depth;
            this.panelBytes = (steps + OperandPanel.STEPS - 1) / OperandPanel.STEPS * OperandPanel.BLOCK_BYTES;
        }

        void run(Operand a, Operand b, boolean packB) {
            long aCount = (rows + LANES - 1) / LANES;
            long bCount = (columns + LANES - 1) / LANES;
            long aMemory = aPanels.address(aCount * panelBytes);
            long bMemory = bPanels.address(bCount * panelBytes);
            OperandPanel.Order aOrder = unit == Unit.AMX_BF16 ? OperandPanel.Order.LANES : OperandPanel.Order.STEPS;
            workers.inRanges(aCount + (packB ? bCount : 0), 1, (arguments, first, last) -> {
                for (long i = first; i < last; i++) {
                    if (i < aCount) {
                        pack(arguments, a, row, rows, i, aMemory, aOrder);
                    } else {
                        pack(arguments, b, column, columns, i - aCount, bMemory, OperandPanel.Order.STEPS);
                    }
                }
            });
            int tileRows = unit == Unit.AMX_BF16 ? 2 * AmxFloatTile.ROWS : FmaTile.MAX_ROWS;
            int tileColumns = unit == Unit.AMX_BF16 ? 2 * AmxFloatTile.COLUMNS : LANES * FmaTile.MAX_VECTORS;
            if (columns >= rows) {
                workers.inRanges(
                        columns,
                        tileColumns,
                        (arguments, first, last) -> tiles(arguments, aMemory, 0, rows, bMemory, first, last));
            } else {
                workers.inRanges(
                        rows,
                        tileRows,
                        (arguments, first, last) -> tiles(arguments, aMemory, first, last, bMemory, 0, columns));
            }
        }

        private void pack(
                ArgumentBlock arguments,
                Operand operand,
                long start,
                long total,
                long panel,
                long memory,
                OperandPanel.Order order) {
            int lanes = (int) Math.min(LANES, total - panel * LANES);
            int perBlock = OperandPanel.STEPS * (unit.bf16() ? 2 : 1);
            OperandPanel.Shape shape = new OperandPanel.Shape(
                    operand.dtype, unit.bf16(), operand.alongK, order, lanes, (int) (depth % perBlock));
            arguments
                    .set(OperandPanel.SOURCE, operand.at(start + panel * LANES, from))
                    .set(OperandPanel.STRIDE, operand.stride)
                    .set(OperandPanel.BLOCKS, depth / perBlock)
                    .set(OperandPanel.OUT, memory + panel * panelBytes)
                    .call(codes.get(shape, () -> OperandPanel.code(shape)));
        }

        /** C from row {@code firstRow} to {@code lastRow} and column {@code firstColumn} to {@code lastColumn} of the block. */
        private void tiles(
                ArgumentBlock arguments,
                long aMemory,
                long firstRow,
                long lastRow,
                long bMemory,
                long firstColumn,
                long lastColumn) {
            int tileColumns = unit == Unit.AMX_BF16 ? 2 * AmxFloatTile.COLUMNS : LANES * FmaTile.MAX_VECTORS;
            long together = Math.max(1, cacheBudget / (tileColumns / LANES * panelBytes)) * tileColumns;
            for (long j = firstColumn; j < lastColumn; j += together) {
                long width = Math.min(together, lastColumn - j);
                long whole = width / tileColumns;
                int rest = (int) (width % tileColumns);
                if (unit == Unit.AMX_BF16) {
                    for (long i = firstRow; i < lastRow; i += 2 * AmxFloatTile.ROWS) {
                        int height = (int) Math.min(2 * AmxFloatTile.ROWS, lastRow - i);
                        if (whole > 0) {
                            amxTile(arguments, aMemory, i, height, bMemory, j, tileColumns, whole);
                        }
                        if (rest > 0) {
                            amxTile(arguments, aMemory, i, height, bMemory, j + whole * tileColumns, rest, 1);
                        }
                    }
                } else {
                    for (long i = firstRow; i < lastRow; i += FmaTile.MAX_ROWS) {
                        int height = (int) Math.min(FmaTile.MAX_ROWS, lastRow - i);
                        if (whole > 0) {
                            tile(arguments, aMemory, i, height, bMemory, j, tileColumns, whole);
                        }
                        if (rest > 0) {
                            tile(arguments, aMemory, i, height, bMemory, j + whole * tileColumns, rest, 1);
                        }
                    }
                }
            }
        }

        private void tile(
                ArgumentBlock arguments,
                long aMemory,
                long i,
                int height,
                long bMemory,
                long j,
                int width,
                long groups) {
            int vectors = (width + LANES - 1) / LANES;
            boolean bf16 = unit.bf16();
            MemorySegment code =
                    codes.get(new TileKey(height, vectors, bf16), () -> FmaTile.code(height, vectors, bf16));
            arguments
                    .set(FmaTile.A, aMemory + i / LANES * panelBytes + i % LANES * Float.BYTES)
                    .set(FmaTile.B, bMemory + j / LANES * panelBytes)
                    .set(FmaTile.B_PANEL, panelBytes)
                    .set(FmaTile.STEPS, steps)
                    .set(FmaTile.C, c.at(row + i, column + j))
                    .set(FmaTile.C_STRIDE, c.stride)
                    .set(FmaTile.ACCUMULATE, accumulate ? 1L : 0L)
                    .set(FmaTile.MASK, (1L << (width - (vectors - 1) * LANES)) - 1)
                    .set(FmaTile.GROUPS, groups)
                    .call(code);
        }

        private void amxTile(
                ArgumentBlock arguments,
                long aMemory,
                long i,
                int height,
                long bMemory,
                long j,
                int width,
                long groups) {
            int rowTiles = (height + AmxFloatTile.ROWS - 1) / AmxFloatTile.ROWS;
            int columnTiles = (width + AmxFloatTile.COLUMNS - 1) / AmxFloatTile.COLUMNS;
            MemorySegment code =
                    codes.get(new AmxKey(rowTiles, columnTiles), () -> AmxFloatTile.code(rowTiles, columnTiles));
            AmxFloatTile.configure(arguments, height, width);
            arguments
                    .set(AmxFloatTile.A, aMemory + i / LANES * panelBytes)
                    .set(AmxFloatTile.A_PANEL, panelBytes)
                    .set(AmxFloatTile.B, bMemory + j / LANES * panelBytes)
                    .set(AmxFloatTile.B_PANEL, panelBytes)
                    .set(AmxFloatTile.BLOCKS, panelBytes / OperandPanel.BLOCK_BYTES)
                    .set(AmxFloatTile.C, c.at(row + i, column + j))
                    .set(AmxFloatTile.C_STRIDE, c.stride)
                    .set(AmxFloatTile.ACCUMULATE, accumulate ? 1L : 0L)
                    .set(AmxFloatTile.GROUPS, groups)
                    .call(code);
        }
    }

    @Override
    public void close() {
        aPanels.close();
        bPanels.close();
    }
}
