package dev.puna.kernels.x86;

import dev.puna.assembler.Feature;
import dev.puna.assembler.Processor;
import dev.puna.kernels.ComputePrecision;
import dev.puna.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * {@code C (M, N) = A · B}, or added to C, for factors in either direction of memory: what is packed decides, so the
 * three products of training are one algorithm (Goto and van de Geijn, Anatomy of High-Performance Matrix
 * Multiplication, 2008).
 *
 * <pre>
 * for each block of k:
 *   pack the factor with fewer lanes into panels of sixteen       (all threads, {@link OperandPanel})
 *   each thread, for its share of the other factor's lanes, as many at a time as fit its cache:
 *     pack them
 *     for columns whose panels fit half of the cache:
 *       for each part of the block of k:
 *         for each few rows: tile by tile                         ({@link FmaTile}, {@link AmxFloatTile})
 * </pre>
 *
 * Several products of the same A pack it once; a B that is {@linkplain #keep kept} is packed once for all products that
 * follow. An element of C is one chain of additions along k, which goes through
 * memory between parts of k; so its bits depend neither on the blocks nor on the number of threads.
 */
final class Gemm implements AutoCloseable {
    /** What multiplies. */
    enum Unit {
        /** fp32 fused multiply-add. */
        FMA,
        /** The same on factors that were rounded to bf16. */
        FMA_OF_BF16,
        /** {@code vdpbf16ps}. */
        DOT_BF16,
        /** {@code tdpbf16ps}. */
        AMX_BF16;

        /** Whether it takes pairs of bf16. */
        boolean bf16() {
            return this == DOT_BF16 || this == AMX_BF16;
        }

        /** Bytes that a panel of sixteen lanes may have for a tile: a first cache holds some. */
        long partBytes() {
            return switch (this) {
                case FMA, FMA_OF_BF16, DOT_BF16 -> 16 << 10;
                case AMX_BF16 -> 24 << 10;
            };
        }

        int tileRows() {
            return this == AMX_BF16 ? 2 * AmxFloatTile.ROWS : FmaTile.MAX_ROWS;
        }

        int tileColumns() {
            return this == AMX_BF16 ? 2 * AmxFloatTile.COLUMNS : LANES * FmaTile.MAX_VECTORS;
        }

        OperandPanel.Order orderOfRows() {
            return this == AMX_BF16 ? OperandPanel.Order.LANES : OperandPanel.Order.STEPS;
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

    /** A product of the common A: its B, of {@code n} columns, and where it goes. */
    record Product(Operand b, long n, Target c) {}

    private record TileKey(int rows, int vectors, boolean bf16) {}

    private record AmxKey(int rowTiles, int columnTiles) {}

    private static final Set<Feature> AMX = Set.of(Feature.AMXTILE, Feature.AMXBF16, Feature.AVX512BF16);
    private static final int LANES = OperandPanel.LANES;

    /** Elements of k whose panels exist at a time. */
    private static final long DEPTH = 2048;

    /** Bytes of the panels that all threads share, unless one block of k is larger. */
    private static final long SHARED_BYTES = 16 << 20;

    /** Bytes of a member's own panels. */
    private static final long OWN_BYTES = 512 << 10;

    /** Blocks of a panel that are packed before the next panel's, where memory runs across k. */
    private static final long PIECE = 4;

    private final Workers workers;
    private final CodeCache codes;
    private final Scratch shared = new Scratch();
    private final Scratch[] own;
    private final long cacheBudget;
    private final Unit bf16Unit;
    private final Scratch keptMemory = new Scratch();
    private @Nullable Kept kept;

    Gemm(Workers workers, CodeCache codes, Processor processor) {
        this.workers = workers;
        this.codes = codes;
        this.own = new Scratch[workers.threads().size()];
        Arrays.setAll(own, _ -> new Scratch());
        this.cacheBudget = Math.max(processor.cacheBytes(2), 512 << 10) / 2;
        boolean amx = processor.supports(AMX) && processor.requestTiles().isEmpty();
        // vdpbf16ps does twice the work of an FMA on AMD's processors and half of it on Intel's (108 beside 217 GFLOP/s
        // on a core of Sapphire Rapids). A rule and no measurement: bits must not change from run to run.
        boolean dot = processor.features().contains(Feature.AVX512BF16)
                && processor.vendor().equals("AuthenticAMD");
        this.bf16Unit = amx ? Unit.AMX_BF16 : dot ? Unit.DOT_BF16 : Unit.FMA_OF_BF16;
    }

    Unit unit(ComputePrecision precision) {
        return switch (precision) {
            case F32 -> Unit.FMA;
            case BF16 -> bf16Unit;
        };
    }

    /**
     * Until {@link #forget}, {@code b} does not change: its panels stay from the first product that reads it. Of several
     * factors the last one is kept.
     *
     * @param b (k, n)
     */
    void keep(Operand b, long n, long k, Unit unit) {
        kept = new Kept(b, n, k, unit);
    }

    /** The kept factor may change. */
    void forget() {
        kept = null;
    }

    /** All panels of a factor, each with all of k. */
    private final class Kept {
        private final Operand b;
        private final long n;
        private final long k;
        private final Unit unit;
        private final long panelBytes;
        private long memory;

        Kept(Operand b, long n, long k, Unit unit) {
            this.b = b;
            this.n = n;
            this.k = k;
            this.unit = unit;
            this.panelBytes = panelBytes(k, unit);
        }

        boolean is(Operand operand, long columns, long depth, Unit other) {
            return b.equals(operand) && n == columns && k == depth && unit == other;
        }

        /** Where the part from element {@code from} of k begins, which is a multiple of a panel's block. */
        long at(long from) {
            if (memory == 0) {
                memory = keptMemory.address(panels(n) * panelBytes);
                Packing packing = new Packing(b, 0, k, unit, OperandPanel.Order.STEPS, panelBytes);
                packing.all(n, memory);
            }
            return memory + from / elementsPerBlock(unit) * OperandPanel.BLOCK_BYTES;
        }
    }

    private static int elementsPerBlock(Unit unit) {
        return OperandPanel.STEPS * (unit.bf16() ? 2 : 1);
    }

    private static long panelBytes(long depth, Unit unit) {
        int perBlock = elementsPerBlock(unit);
        return (depth + perBlock - 1) / perBlock * OperandPanel.BLOCK_BYTES;
    }

    /** How a factor's elements from {@code from} on, {@code depth} of them, come into panels. */
    private final class Packing {
        private final Operand operand;
        private final long from;
        private final long depth;
        private final Unit unit;
        private final OperandPanel.Order order;
        private final long panelBytes;

        Packing(Operand operand, long from, long depth, Unit unit, OperandPanel.Order order, long panelBytes) {
            this.operand = operand;
            this.from = from;
            this.depth = depth;
            this.unit = unit;
            this.order = order;
            this.panelBytes = panelBytes;
        }

        /** All lanes, by all threads: each reads whole rows of the factor's memory. */
        void all(long lanes, long memory) {
            if (operand.alongK) {
                workers.inRanges(
                        lanes,
                        LANES,
                        (arguments, begin, end) ->
                                some(arguments, begin, end - begin, memory + begin / LANES * panelBytes, 0, depth));
            } else {
                workers.inRanges(
                        depth,
                        PIECE * elementsPerBlock(unit),
                        (arguments, begin, end) -> some(arguments, 0, lanes, memory, begin, end));
            }
        }

        /**
         * Some lanes, and some elements of each.
         *
         * @param memory of the panel of the first of these lanes
         * @param begin after {@code from}, a multiple of a panel's block
         */
        void some(ArgumentBlock arguments, long firstLane, long laneCount, long memory, long begin, long end) {
            int perBlock = elementsPerBlock(unit);
            // Memory is read row by row: where rows run across k, some of them at a time for all lanes.
            long piece = operand.alongK ? panelBytes / OperandPanel.BLOCK_BYTES : PIECE;
            for (long k = begin; k < end; k += piece * perBlock) {
                long elements = Math.min(piece * perBlock, end - k);
                long out = memory + k / perBlock * OperandPanel.BLOCK_BYTES;
                for (long lane = 0; lane < laneCount; lane += LANES) {
                    int lanes = (int) Math.min(LANES, laneCount - lane);
                    OperandPanel.Shape shape = new OperandPanel.Shape(
                            operand.dtype, unit.bf16(), unit == Unit.FMA_OF_BF16, operand.alongK, order, lanes, (int)
                                    (elements % perBlock));
                    arguments
                            .set(OperandPanel.SOURCE, operand.at(firstLane + lane, from + k))
                            .set(OperandPanel.STRIDE, operand.stride)
                            .set(OperandPanel.BLOCKS, elements / perBlock)
                            .set(OperandPanel.OUT, out + lane / LANES * panelBytes)
                            .call(codes.get(shape, () -> OperandPanel.code(shape)));
                }
            }
        }
    }

    /**
     * With {@code k = 0}, C stays as it is.
     *
     * @param a (m, k)
     * @param b (k, n)
     */
    void multiply(Target c, long m, long n, long k, Operand a, Operand b, boolean accumulate, Unit unit) {
        multiply(m, k, a, List.of(new Product(b, n, c)), accumulate, unit);
    }

    /**
     * Products of one A.
     *
     * @param a (m, k)
     * @param products with B of (k, n) each
     */
    void multiply(long m, long k, Operand a, List<Product> products, boolean accumulate, Unit unit) {
        long columns = 0;
        for (Product product : products) {
            columns += panels(product.n);
        }
        boolean byRows = m >= columns * LANES;
        if (!byRows && products.size() > 1) {
            for (Product product : products) {
                multiply(m, k, a, List.of(product), accumulate, unit);
            }
            return;
        }
        Product first = products.getFirst();
        Kept ready = kept != null && products.size() == 1 && kept.is(first.b, first.n, k, unit) ? kept : null;
        long sharedPanels = byRows ? columns : panels(m);
        long bytesPerElement = (unit.bf16() ? 2L : 4L) * LANES;
        long depthOfBlock =
                Math.clamp(SHARED_BYTES / Math.max(1, sharedPanels * bytesPerElement) / 32 * 32, 256, DEPTH);
        for (long from = 0; from < k; from += depthOfBlock) {
            long depth = Math.min(depthOfBlock, k - from);
            Block block = new Block(m, a, products, ready, from, depth, accumulate || from > 0, unit);
            if (byRows) {
                block.byRows(sharedPanels);
            } else {
                block.byColumns(sharedPanels);
            }
        }
    }

    private static long panels(long lanes) {
        return (lanes + LANES - 1) / LANES;
    }

    /** One block of k. */
    private final class Block {
        private final long m;
        private final Operand a;
        private final List<Product> products;
        private final long from;
        private final long depth;
        private final boolean accumulate;
        private final Unit unit;
        private final long steps;
        private final long panelBytes;
        private final @Nullable Kept kept;

        Block(
                long m,
                Operand a,
                List<Product> products,
                @Nullable Kept kept,
                long from,
                long depth,
                boolean accumulate,
                Unit unit) {
            this.m = m;
            this.a = a;
            this.products = products;
            this.kept = kept;
            this.from = from;
            this.depth = depth;
            this.accumulate = accumulate;
            this.unit = unit;
            this.steps = unit.bf16() ? (depth + 1) / 2 : depth;
            this.panelBytes = panelBytes(depth, unit);
        }

        /** All of B is shared; each thread packs and multiplies some rows of A after the others. */
        void byRows(long panels) {
            long memory;
            long bPanelBytes;
            if (kept == null) {
                memory = shared.address(panels * panelBytes);
                bPanelBytes = panelBytes;
                long first = 0;
                for (Product product : products) {
                    packing(product.b, OperandPanel.Order.STEPS).all(product.n, memory + first * panelBytes);
                    first += panels(product.n);
                }
            } else {
                memory = kept.at(from);
                bPanelBytes = kept.panelBytes;
            }
            Packing rowsOfA = packing(a, unit.orderOfRows());
            long together = lanesTogether(2 * LANES);
            workers.inMemberRanges(m, 2 * LANES, (arguments, member, begin, end) -> {
                long mine = own[member].address(together / LANES * panelBytes);
                for (long row = begin; row < end; row += together) {
                    long rows = Math.min(together, end - row);
                    rowsOfA.some(arguments, row, rows, mine, 0, depth);
                    long b = memory;
                    for (Product product : products) {
                        tiles(arguments, mine, row, rows, b, bPanelBytes, 0, product.n, product.c);
                        b += panels(product.n) * bPanelBytes;
                    }
                }
            });
        }

        /** All of A is shared; each thread packs and multiplies some columns of the only B after the others. */
        void byColumns(long panels) {
            long memory = shared.address(panels * panelBytes);
            packing(a, unit.orderOfRows()).all(m, memory);
            Product product = products.getFirst();
            if (kept != null) {
                long b = kept.at(from);
                long bPanelBytes = kept.panelBytes;
                workers.inRanges(product.n, unit.tileColumns(), (arguments, begin, end) -> {
                    long mine = b + begin / LANES * bPanelBytes;
                    tiles(arguments, memory, 0, m, mine, bPanelBytes, begin, end - begin, product.c);
                });
                return;
            }
            Packing columnsOfB = packing(product.b, OperandPanel.Order.STEPS);
            long together = lanesTogether(unit.tileColumns());
            workers.inMemberRanges(product.n, unit.tileColumns(), (arguments, member, begin, end) -> {
                long mine = own[member].address(together / LANES * panelBytes);
                for (long column = begin; column < end; column += together) {
                    long columns = Math.min(together, end - column);
                    columnsOfB.some(arguments, column, columns, mine, 0, depth);
                    tiles(arguments, memory, 0, m, mine, panelBytes, column, columns, product.c);
                }
            });
        }

        private long lanesTogether(int grain) {
            return Math.max(1, OWN_BYTES / (panelBytes / LANES * grain)) * grain;
        }

        private Packing packing(Operand operand, OperandPanel.Order order) {
            return new Packing(operand, from, depth, unit, order, panelBytes);
        }

        /**
         * Some rows times some columns.
         *
         * @param aMemory panels of the rows from {@code row} on
         * @param bMemory panels of the columns from {@code column} on, {@code bPanelBytes} from one to the next
         */
        private void tiles(
                ArgumentBlock arguments,
                long aMemory,
                long row,
                long rows,
                long bMemory,
                long bPanelBytes,
                long column,
                long columns,
                Target c) {
            long blocks = panelBytes / OperandPanel.BLOCK_BYTES;
            long parts = (panelBytes + unit.partBytes() - 1) / unit.partBytes();
            long blocksOfPart = (blocks + parts - 1) / parts;
            int wide = unit.tileColumns();
            long together = Math.max(1, cacheBudget / (wide / LANES * blocksOfPart * OperandPanel.BLOCK_BYTES)) * wide;
            for (long j = 0; j < columns; j += together) {
                long width = Math.min(together, columns - j);
                for (long block = 0; block < blocks; block += blocksOfPart) {
                    Part part = new Part(
                            aMemory + block * OperandPanel.BLOCK_BYTES,
                            bMemory + j / LANES * bPanelBytes + block * OperandPanel.BLOCK_BYTES,
                            bPanelBytes,
                            block * OperandPanel.STEPS,
                            Math.min(blocksOfPart, blocks - block));
                    for (long i = 0; i < rows; i += unit.tileRows()) {
                        int height = (int) Math.min(unit.tileRows(), rows - i);
                        int rest = (int) (width % wide);
                        if (width >= wide) {
                            tile(
                                    arguments,
                                    part,
                                    i,
                                    height,
                                    0,
                                    wide,
                                    width / wide,
                                    c.at(row + i, column + j),
                                    c.stride);
                        }
                        if (rest > 0) {
                            long at = width - rest;
                            tile(arguments, part, i, height, at, rest, 1, c.at(row + i, column + j + at), c.stride);
                        }
                    }
                }
            }
        }

        /** Part of a block of k: where the panels of both factors begin in it, after how many steps, and its length. */
        private record Part(long aMemory, long bMemory, long bPanelBytes, long firstStep, long blocks) {}

        private void tile(
                ArgumentBlock arguments,
                Part part,
                long i,
                int height,
                long j,
                int width,
                long groups,
                long c,
                long stride) {
            long a = part.aMemory + i / LANES * panelBytes + i % LANES * Float.BYTES;
            long b = part.bMemory + j / LANES * part.bPanelBytes;
            long add = accumulate || part.firstStep > 0 ? 1 : 0;
            if (unit == Unit.AMX_BF16) {
                int rowTiles = (int) panels(height);
                int columnTiles = (int) panels(width);
                MemorySegment code =
                        codes.get(new AmxKey(rowTiles, columnTiles), () -> AmxFloatTile.code(rowTiles, columnTiles));
                AmxFloatTile.configure(arguments, height, width);
                arguments
                        .set(AmxFloatTile.A, a)
                        .set(AmxFloatTile.A_PANEL, panelBytes)
                        .set(AmxFloatTile.B, b)
                        .set(AmxFloatTile.B_PANEL, part.bPanelBytes)
                        .set(AmxFloatTile.BLOCKS, part.blocks)
                        .set(AmxFloatTile.C, c)
                        .set(AmxFloatTile.C_STRIDE, stride)
                        .set(AmxFloatTile.ACCUMULATE, add)
                        .set(AmxFloatTile.GROUPS, groups)
                        .call(code);
            } else {
                int vectors = (int) panels(width);
                boolean bf16 = unit.bf16();
                MemorySegment code =
                        codes.get(new TileKey(height, vectors, bf16), () -> FmaTile.code(height, vectors, bf16));
                arguments
                        .set(FmaTile.A, a)
                        .set(FmaTile.B, b)
                        .set(FmaTile.B_PANEL, part.bPanelBytes)
                        .set(FmaTile.STEPS, Math.min(part.blocks * OperandPanel.STEPS, steps - part.firstStep))
                        .set(FmaTile.C, c)
                        .set(FmaTile.C_STRIDE, stride)
                        .set(FmaTile.ACCUMULATE, add)
                        .set(FmaTile.MASK, (1L << (width - (vectors - 1) * LANES)) - 1)
                        .set(FmaTile.GROUPS, groups)
                        .call(code);
            }
        }
    }

    @Override
    public void close() {
        shared.close();
        keptMemory.close();
        for (Scratch scratch : own) {
            scratch.close();
        }
    }
}
