package dev.puna.kernels.x86;

import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * {@code y = x · wᵀ} for every quantized format: activations become 8-bit integers once per row, then one row streams
 * the file's layout ({@link QuantizedVectorProduct}), a few rows stream it too and unpack in registers
 * ({@link QuantizedFewRows}), and many rows share weights that are unpacked once ({@link Panel} and {@link PanelTile}, or
 * {@link SidePanel} and {@link AmxTile}). All give the same bits.
 */
final class QuantizedMatmul {
    /** Up to this many rows stream the weights; for more, unpacked weights are kept in the cache. */
    static final int FEW_ROWS = 16;

    private record VectorProductKey(BlockDecoder decoder) {}

    private record FewRowsKey(BlockDecoder decoder) {}

    private record PanelKey(BlockDecoder decoder) {}

    private record SideKey(BlockDecoder decoder) {}

    private record TileKey(int tokens, int scaledElements, boolean zeroPoint, boolean affine) {}

    private record AmxKey(int tokens, int scaledElements, boolean affine) {}

    private record RowsKey(int groupSize, boolean records) {}

    private record TokensKey(int tokens, int groupSize) {}

    /** How activations lie: {@link QuantizedRows} one way or the other, or {@link TokenTiles}. */
    private enum Layout {
        ROWS,
        RECORDS,
        TILES
    }

    /** Quantized activations for one kind of weights. */
    private record Activations(Layout layout, long address, long in, int groupSize, int zeroPoint) {
        long stride() {
            return QuantizedRows.stride(in, groupSize);
        }

        long q(long row) {
            return address + row * stride();
        }

        long record(long row) {
            return address + row * QuantizedRows.RECORD_BYTES;
        }

        long tile(long tile) {
            return address + tile * TokenTiles.tileBytes(in, groupSize);
        }

        /** How many times four products a tile of tokens has by a side. */
        long tileFours() {
            return TokenTiles.groups(in, groupSize) * QuantizedRows.BLOCK / groupSize / AmxTile.RESULTS;
        }

        boolean serves(BlockDecoder decoder) {
            return groupSize == decoder.scaledElements()
                    && (layout == Layout.TILES || zeroPoint == decoder.zeroPoint());
        }
    }

    private final ThreadTeam threads;
    private final CodeCache codes;
    private final ArgumentBlock[] arguments;
    private final Scratch activations;
    private final Scratch[] panels;
    private final Scratch[] dots;
    private final Scratch[] partialSums;
    private final Map<DType, BlockDecoder> decoders = new EnumMap<>(DType.class);
    private final Map<TileSchedule.Shape, MemorySegment> schedules = new ConcurrentHashMap<>();
    private final Arena arena = Arena.ofShared();
    private final long panelBudget;
    private final boolean amx;

    /**
     * @param panelBudget bytes of unpacked weights that a thread keeps while all rows pass: half its own cache
     * @param amx whether tile registers multiply; the results are the same
     */
    QuantizedMatmul(ThreadTeam threads, CodeCache codes, ArgumentBlock[] arguments, long panelBudget, boolean amx) {
        this.amx = amx;
        this.threads = threads;
        this.codes = codes;
        this.arguments = arguments;
        this.panelBudget = panelBudget;
        this.activations = new Scratch();
        this.panels = new Scratch[threads.size()];
        this.dots = new Scratch[threads.size()];
        this.partialSums = new Scratch[threads.size()];
        for (int i = 0; i < panels.length; i++) {
            panels[i] = new Scratch();
            dots[i] = new Scratch();
            partialSums[i] = new Scratch();
        }
        for (DType dtype : DType.values()) {
            BlockDecoder.of(dtype).ifPresent(decoder -> decoders.put(dtype, decoder));
        }
    }

    /** Tensors in native memory; weights quantized, of any formats. */
    void multiply(List<Tensor> ys, Tensor x, List<Tensor> ws) {
        int rows = Math.toIntExact(x.rows());
        Activations quantized = null;
        int from = 0;
        // Weights of the same kind share their activations; usually all are.
        for (int i = 0; i <= ws.size(); i++) {
            if (i < ws.size() && quantized != null && quantized.serves(decoder(ws.get(i)))) {
                continue;
            }
            if (quantized != null) {
                run(ys.subList(from, i), quantized, rows, ws.subList(from, i));
            }
            if (i < ws.size()) {
                quantized = quantize(x, decoder(ws.get(i)));
                from = i;
            }
        }
    }

    private BlockDecoder decoder(Tensor w) {
        return Objects.requireNonNull(decoders.get(w.dtype()));
    }

    private Activations quantize(Tensor x, BlockDecoder decoder) {
        long in = x.columns();
        int groupSize = decoder.scaledElements();
        return switch (layout(x.rows())) {
            case ROWS, RECORDS -> quantizeRows(x, in, groupSize, decoder.zeroPoint());
            case TILES -> quantizeTiles(x, in, groupSize);
        };
    }

    private Activations quantizeRows(Tensor x, long in, int groupSize, int zeroPoint) {
        Layout layout = layout(x.rows());
        boolean records = layout == Layout.RECORDS;
        long stride = QuantizedRows.stride(in, groupSize);
        long bytes = x.rows() * (records ? in / QuantizedRows.BLOCK * QuantizedRows.RECORD_BYTES : stride);
        Activations out = new Activations(layout, activations.address(bytes), in, groupSize, zeroPoint);
        MemorySegment code = codes.get(new RowsKey(groupSize, records), () -> QuantizedRows.code(groupSize, records));
        inRanges(
                x.rows(),
                in < 1 << 15 ? 4 : 1,
                (member, from, to) -> arguments[member]
                        .set(QuantizedRows.X, x.data().address() + from * x.rowBytes())
                        .set(QuantizedRows.X_STRIDE, x.rowBytes())
                        .set(QuantizedRows.OUT, records ? out.record(from) : out.q(from))
                        .set(QuantizedRows.OUT_STRIDE, records ? QuantizedRows.RECORD_BYTES : stride)
                        .set(QuantizedRows.IN, in)
                        .set(QuantizedRows.ROWS, to - from)
                        .set(QuantizedRows.ZERO_POINT, zeroPoint)
                        .set(QuantizedRows.RECORD_STEP, x.rows() * QuantizedRows.RECORD_BYTES)
                        .call(code));
        return out;
    }

    private Activations quantizeTiles(Tensor x, long in, int groupSize) {
        long rows = x.rows();
        long tileBytes = TokenTiles.tileBytes(in, groupSize);
        long groups = in / QuantizedRows.BLOCK;
        long filled = groups * TokenTiles.groupBytes(groupSize);
        Activations out = new Activations(
                Layout.TILES, activations.address(TokenTiles.bytes(rows, in, groupSize)), in, groupSize, 0);
        MemorySegment whole = tokensCode(TokenTiles.TOKENS, groupSize);
        int rest = Math.toIntExact(rows % TokenTiles.TOKENS);
        MemorySegment last = rest == 0 ? whole : tokensCode(rest, groupSize);
        inRanges((rows + TokenTiles.TOKENS - 1) / TokenTiles.TOKENS, 1, (member, from, to) -> {
            for (long tile = from; tile < to; tile++) {
                long first = tile * TokenTiles.TOKENS;
                arguments[member]
                        .set(TokenTiles.ROWS_IN, x.data().address() + first * x.rowBytes())
                        .set(TokenTiles.ROW_STRIDE, x.rowBytes())
                        .set(TokenTiles.OUT, out.tile(tile))
                        .set(TokenTiles.GROUPS, groups)
                        .call(first + TokenTiles.TOKENS <= rows ? whole : last);
                clear(activations, out.tile(tile) + filled, tileBytes - filled);
            }
        });
        return out;
    }

    private MemorySegment tokensCode(int tokens, int groupSize) {
        return codes.get(new TokensKey(tokens, groupSize), () -> TokenTiles.code(tokens, groupSize));
    }

    private static void clear(Scratch scratch, long address, long bytes) {
        if (bytes > 0) {
            scratch.at(address, bytes).fill((byte) 0);
        }
    }

    private Layout layout(long rows) {
        if (rows == 1) {
            return Layout.ROWS;
        }
        if (rows <= FEW_ROWS) {
            return Layout.RECORDS;
        }
        return amx ? Layout.TILES : Layout.ROWS;
    }

    private interface RangeOfMember {
        void run(int member, long from, long to);
    }

    /** As {@link ThreadTeam#forRange}, and tells which member runs. */
    private void inRanges(long total, long grain, RangeOfMember task) {
        long grains = (total + grain - 1) / grain;
        if (grains <= 1) {
            if (total > 0) {
                task.run(0, 0, total);
            }
            return;
        }
        threads.run((member, size) -> {
            long from = grains * member / size * grain;
            long to = Math.min(grains * (member + 1) / size * grain, total);
            if (from < to) {
                task.run(member, from, to);
            }
        });
    }

    private void run(List<Tensor> ys, Activations x, int rows, List<Tensor> ws) {
        if (rows == 0) {
            return;
        }
        MemorySegment[] streamed = new MemorySegment[ws.size()];
        AtomicLong[] shares = new AtomicLong[ws.size()];
        for (int i = 0; i < ws.size(); i++) {
            shares[i] = new AtomicLong();
            BlockDecoder decoder = decoder(ws.get(i));
            switch (x.layout) {
                case RECORDS -> streamed[i] = codes.get(new FewRowsKey(decoder), () -> QuantizedFewRows.code(decoder));
                case TILES -> prepareSides(decoder, rows);
                case ROWS -> {
                    if (rows == 1 || ws.get(i).rows() < SixteenRows.ROWS) {
                        streamed[i] =
                                codes.get(new VectorProductKey(decoder), () -> QuantizedVectorProduct.code(decoder));
                    } else {
                        preparePanels(decoder, rows);
                    }
                }
            }
        }
        threads.run((member, size) -> {
            for (int i = 0; i < ws.size(); i++) {
                Tensor w = ws.get(i);
                Tensor y = ys.get(i);
                if (w.rows() < SixteenRows.ROWS) {
                    if (member == size - 1) {
                        narrow(member, y, x, rows, w, streamed[i]);
                    }
                } else if (rows <= FEW_ROWS) {
                    stream(member, size, y, x, rows, w, streamed[i]);
                } else if (amx) {
                    inSides(member, size, shares[i], y, x, rows, w);
                } else {
                    inPanels(member, size, y, x, rows, w);
                }
            }
        });
    }

    /** Every sixteen rows of w. */
    private void stream(int member, int size, Tensor y, Activations x, int rows, Tensor w, MemorySegment code) {
        long out = w.rows();
        long sixteens = out / SixteenRows.ROWS;
        long from = sixteens * member / size;
        long to = sixteens * (member + 1) / size;
        if (from < to) {
            stream(member, y, x, rows, w, from * SixteenRows.ROWS, to - from, code);
        }
        if (out % SixteenRows.ROWS != 0 && member == size - 1) {
            // The last sixteen overlap those before them: the same values are written twice.
            stream(member, y, x, rows, w, out - SixteenRows.ROWS, 1, code);
        }
    }

    private void stream(
            int member, Tensor y, Activations x, int rows, Tensor w, long firstOut, long sixteens, MemorySegment code) {
        long yAddress = y.data().address() + firstOut * Float.BYTES;
        long wAddress = w.data().address() + firstOut * w.rowBytes();
        if (rows == 1) {
            vector(member, yAddress, x, 0, wAddress, w, sixteens, code);
        } else {
            fewRows(member, yAddress, y.rowBytes(), x, rows, wAddress, w, sixteens, code);
        }
    }

    private void fewRows(
            int member,
            long y,
            long yStride,
            Activations x,
            int rows,
            long wAddress,
            Tensor w,
            long sixteens,
            MemorySegment code) {
        decoder(w).ahead().set(arguments[member], w.rowBytes());
        arguments[member]
                .set(QuantizedFewRows.W, wAddress)
                .set(QuantizedFewRows.W_STRIDE, w.rowBytes())
                .set(QuantizedFewRows.SIXTEENS, sixteens)
                .set(QuantizedFewRows.BLOCKS, x.in / w.dtype().blockSize())
                .set(QuantizedFewRows.X, x.address)
                .set(QuantizedFewRows.TOKENS, rows)
                .set(QuantizedFewRows.SUMS, panels[member].address(QuantizedFewRows.sumBytes(rows)))
                .set(QuantizedFewRows.Y, y)
                .set(QuantizedFewRows.Y_STRIDE, yStride)
                .call(code);
    }

    private void vector(
            int member, long y, Activations x, int row, long wAddress, Tensor w, long sixteens, MemorySegment code) {
        long q = x.q(row);
        decoder(w).ahead().set(arguments[member], w.rowBytes());
        arguments[member]
                .set(QuantizedVectorProduct.W, wAddress)
                .set(QuantizedVectorProduct.W_STRIDE, w.rowBytes())
                .set(QuantizedVectorProduct.SIXTEENS, sixteens)
                .set(QuantizedVectorProduct.BLOCKS, x.in / w.dtype().blockSize())
                .set(QuantizedVectorProduct.Q, q)
                .set(QuantizedVectorProduct.SCALES, q + QuantizedRows.scalesOffset(x.in))
                .set(QuantizedVectorProduct.STARTS, q + QuantizedRows.startsOffset(x.in))
                .set(QuantizedVectorProduct.SUMS, q + QuantizedRows.sumsOffset(x.in, x.groupSize))
                .set(QuantizedVectorProduct.Y, y)
                .call(code);
    }

    /** Fewer than sixteen rows of w: padded with zeros. */
    private void narrow(int member, Tensor y, Activations x, int rows, Tensor w, MemorySegment code) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment padded = arena.allocate(SixteenRows.ROWS * w.rowBytes(), 64);
            MemorySegment.copy(w.data(), 0, padded, 0, w.data().byteSize());
            long sumBytes = SixteenRows.ROWS * Float.BYTES;
            MemorySegment sums = arena.allocate(rows * sumBytes, 64);
            switch (x.layout) {
                case RECORDS -> fewRows(member, sums.address(), sumBytes, x, rows, padded.address(), w, 1, code);
                case TILES -> {
                    long panel = panels[member].address(SidePanel.bytes(decoder(w), x.in));
                    unpackSide(member, w, padded.address(), x.in, panel);
                    sides(member, w, panel, 1, sums.address(), sumBytes, x, rows, panel, 0);
                }
                case ROWS -> {
                    for (int row = 0; row < rows; row++) {
                        vector(member, sums.address() + row * sumBytes, x, row, padded.address(), w, 1, code);
                    }
                }
            }
            for (int row = 0; row < rows; row++) {
                MemorySegment.copy(sums, row * sumBytes, y.data(), row * y.rowBytes(), y.rowBytes());
            }
        }
    }

    private void preparePanels(BlockDecoder decoder, int rows) {
        panelCode(decoder);
        if (rows >= PanelTile.MAX_TOKENS) {
            tileCode(decoder, PanelTile.MAX_TOKENS);
        }
        if (rows % PanelTile.MAX_TOKENS != 0) {
            tileCode(decoder, rows % PanelTile.MAX_TOKENS);
        }
    }

    private void prepareSides(BlockDecoder decoder, int rows) {
        sideCode(decoder);
        amxCode(decoder, TokenTiles.TOKENS);
        if (rows % TokenTiles.TOKENS != 0) {
            amxCode(decoder, rows % TokenTiles.TOKENS);
        }
    }

    private MemorySegment panelCode(BlockDecoder decoder) {
        return codes.get(new PanelKey(decoder), () -> Panel.code(decoder));
    }

    private MemorySegment sideCode(BlockDecoder decoder) {
        return codes.get(new SideKey(decoder), () -> SidePanel.code(decoder));
    }

    private MemorySegment amxCode(BlockDecoder decoder, int tokens) {
        return codes.get(
                new AmxKey(tokens, decoder.scaledElements(), decoder.affine()),
                () -> AmxTile.code(tokens, decoder.scaledElements(), decoder.affine()));
    }

    private MemorySegment tileCode(BlockDecoder decoder, int tokens) {
        boolean zeroPoint = decoder.zeroPoint() != 0;
        return codes.get(
                new TileKey(tokens, decoder.scaledElements(), zeroPoint, decoder.affine()),
                () -> PanelTile.code(tokens, decoder.scaledElements(), zeroPoint, decoder.affine()));
    }

    /**
     * Sides of sixteen rows, several at a time, unpacked once; the rows of x pass by sixteens. Members take the next
     * several when they are done with theirs: which one computes an output changes nothing of it.
     */
    private void inSides(int member, int size, AtomicLong shares, Tensor y, Activations x, int rows, Tensor w) {
        BlockDecoder decoder = decoder(w);
        long sideBytes = SidePanel.bytes(decoder, x.in);
        long all = w.rows() / SixteenRows.ROWS;
        long most = Math.clamp(panelBudget / sideBytes, 1, 16);
        long rounds = (all + most * size - 1) / (most * size);
        long together = (all + rounds * size - 1) / (rounds * size);
        long panel = panels[member].address(sideBytes * together);
        long wAddress = w.data().address();
        long yAddress = y.data().address();
        long bytesTogether = together * SixteenRows.ROWS * w.rowBytes();
        for (long first = shares.getAndAdd(together); first < all; first = shares.getAndAdd(together)) {
            int count = Math.toIntExact(Math.min(together, all - first));
            long from = wAddress + first * SixteenRows.ROWS * w.rowBytes();
            for (int i = 0; i < count; i++) {
                unpackSide(member, w, from + (long) i * SixteenRows.ROWS * w.rowBytes(), x.in, panel + i * sideBytes);
            }
            long next = from + size * bytesTogether;
            long end = wAddress + all * SixteenRows.ROWS * w.rowBytes();
            long nextBytes = Math.clamp(end - next, 0, bytesTogether);
            long to = yAddress + first * SixteenRows.ROWS * Float.BYTES;
            sides(member, w, panel, count, to, y.rowBytes(), x, rows, next, nextBytes);
        }
        if (w.rows() % SixteenRows.ROWS != 0 && member == size - 1) {
            // The last side ends with the matrix and overlaps the one before it: the same values are written twice.
            long first = w.rows() - SixteenRows.ROWS;
            unpackSide(member, w, wAddress + first * w.rowBytes(), x.in, panel);
            sides(member, w, panel, 1, yAddress + first * Float.BYTES, y.rowBytes(), x, rows, panel, 0);
        }
    }

    private void unpackSide(int member, Tensor w, long from, long in, long panel) {
        BlockDecoder decoder = decoder(w);
        decoder.ahead().set(arguments[member], w.rowBytes());
        arguments[member]
                .set(SidePanel.W, from)
                .set(SidePanel.W_STRIDE, w.rowBytes())
                .set(SidePanel.BLOCKS, in / w.dtype().blockSize())
                .set(SidePanel.SIDE, panel)
                .call(sideCode(decoder));
        long filled = SidePanel.filledBytes(decoder, in);
        clear(panels[member], panel + filled, SidePanel.bytes(decoder, in) - filled);
    }

    /** All tokens by so many sides, while {@code nextBytes} of memory that comes next are asked for. */
    private void sides(
            int member,
            Tensor w,
            long panel,
            int count,
            long y,
            long yStride,
            Activations x,
            int rows,
            long next,
            long nextBytes) {
        BlockDecoder decoder = decoder(w);
        long asked = (long) TileSchedule.TILES * count * x.tileFours() * AmxTile.LINE;
        int tiles = rows / TokenTiles.TOKENS;
        arguments[member]
                .set(AmxTile.SIDES, panel)
                .set(AmxTile.Y_STRIDE, yStride)
                .set(AmxTile.SCRATCH, dots[member].address(AmxTile.SCRATCH_BYTES))
                .set(AmxTile.SUMS, partialSums[member].address(TileSchedule.sumBytes(count)));
        long left = nextBytes;
        for (int tile = 0; tile < tiles; tile += TileSchedule.TILES) {
            int together = Math.min(TileSchedule.TILES, tiles - tile);
            arguments[member]
                    .set(AmxTile.NEXT, next + nextBytes - left)
                    .set(AmxTile.NEXT_STEP, left > 0 ? AmxTile.LINE : 0);
            left = Math.max(0, left - asked);
            tiles(member, decoder, tile, together, TokenTiles.TOKENS, count, y, yStride, x);
        }
        if (rows % TokenTiles.TOKENS != 0) {
            arguments[member].set(AmxTile.NEXT, panel).set(AmxTile.NEXT_STEP, 0);
            tiles(member, decoder, tiles, 1, rows % TokenTiles.TOKENS, count, y, yStride, x);
        }
    }

    private void tiles(
            int member,
            BlockDecoder decoder,
            int tile,
            int together,
            int tokens,
            int sides,
            long y,
            long yStride,
            Activations x) {
        TileSchedule.Shape shape =
                new TileSchedule.Shape(together, sides, x.in, decoder.scaledElements(), decoder.affine(), yStride);
        arguments[member]
                .set(AmxTile.X, x.tile(tile))
                .set(AmxTile.Y, y + (long) tile * TokenTiles.TOKENS * yStride)
                .set(AmxTile.UNITS, schedule(shape).address())
                .set(AmxTile.UNIT_COUNT, shape.units())
                .call(amxCode(decoder, tokens));
    }

    private MemorySegment schedule(TileSchedule.Shape shape) {
        return schedules.computeIfAbsent(shape, s -> TileSchedule.of(s, arena));
    }

    /** Panels of 32 rows, several at a time, unpacked once; the rows of x pass by sixes. */
    private void inPanels(int member, int size, Tensor y, Activations x, int rows, Tensor w) {
        BlockDecoder decoder = decoder(w);
        long panelBytes = Panel.bytes(decoder, x.in);
        long out = w.rows();
        long whole = out / Panel.ROWS;
        long from = whole * member / size;
        long to = whole * (member + 1) / size;
        long together = Math.clamp(panelBudget / panelBytes, 1, 8);
        long panel = panels[member].address(panelBytes * together);
        for (long first = from; first < to; first += together) {
            long count = Math.min(together, to - first);
            for (long i = 0; i < count; i++) {
                unpack(member, decoder, x.in, w, (first + i) * Panel.ROWS, Panel.ROWS - 16, panel + i * panelBytes);
            }
            tiles(member, decoder, panel, count, y, first * Panel.ROWS, 16, x, rows);
        }
        if (out % Panel.ROWS != 0 && member == size - 1) {
            // The last panel ends with the matrix and overlaps the one before it, or its own other half.
            long first = Math.max(0, out - Panel.ROWS);
            int second = (int) (out - SixteenRows.ROWS - first);
            unpack(member, decoder, x.in, w, first, second, panel);
            tiles(member, decoder, panel, 1, y, first, second, x, rows);
        }
    }

    /** Rows {@code first …} and {@code first + second …} of w into the two sides of a panel. */
    private void unpack(int member, BlockDecoder decoder, long in, Tensor w, long first, int second, long panel) {
        long scales = panel + Panel.weightBytes(in);
        long minima = scales + Panel.scalesBytes(decoder, in);
        decoder.ahead().set(arguments[member], w.rowBytes());
        for (int side = 0; side < 2; side++) {
            arguments[member]
                    .set(Panel.W, w.data().address() + (first + (long) side * second) * w.rowBytes())
                    .set(Panel.W_STRIDE, w.rowBytes())
                    .set(Panel.BLOCKS, in / w.dtype().blockSize())
                    .set(Panel.WEIGHTS, panel + side * 64L)
                    .set(Panel.SCALES, scales + side * 64L)
                    .set(Panel.MINIMA, minima + side * 64L)
                    .call(panelCode(decoder));
        }
    }

    private void tiles(
            int member,
            BlockDecoder decoder,
            long panel,
            long panelCount,
            Tensor y,
            long firstOut,
            int second,
            Activations x,
            int rows) {
        long scales = panel + Panel.weightBytes(x.in);
        long minima = scales + Panel.scalesBytes(decoder, x.in);
        long panelBytes = Panel.bytes(decoder, x.in);
        ArgumentBlock block = arguments[member];
        int row = 0;
        while (row < rows) {
            int tokens = Math.min(PanelTile.MAX_TOKENS, rows - row);
            long tiles = tokens == PanelTile.MAX_TOKENS ? (rows - row) / tokens : 1;
            long q = x.q(row);
            block.set(PanelTile.WEIGHTS, panel)
                    .set(PanelTile.SCALES, scales)
                    .set(PanelTile.MINIMA, minima)
                    .set(PanelTile.PANEL_STRIDE, panelBytes)
                    .set(PanelTile.PANELS, panelCount)
                    .set(PanelTile.GROUPS, x.in / 32)
                    .set(PanelTile.Q, q)
                    .set(PanelTile.X_SCALES, q + QuantizedRows.scalesOffset(x.in))
                    .set(PanelTile.X_STARTS, q + QuantizedRows.startsOffset(x.in))
                    .set(PanelTile.X_SUMS, q + QuantizedRows.sumsOffset(x.in, x.groupSize))
                    .set(PanelTile.X_STRIDE, x.stride())
                    .set(PanelTile.Y, y.data().address() + row * y.rowBytes() + firstOut * Float.BYTES)
                    .set(PanelTile.Y_STRIDE, y.rowBytes())
                    .set(PanelTile.Y_SECOND, (long) second * Float.BYTES)
                    .set(PanelTile.TILES, tiles)
                    .set(PanelTile.X_TILE, tokens * x.stride())
                    .set(PanelTile.Y_TILE, tokens * y.rowBytes())
                    .set(PanelTile.PANEL_REWIND, -panelCount * panelBytes);
            block.call(tileCode(decoder, tokens));
            row += Math.toIntExact(tiles * tokens);
        }
    }

    void close() {
        activations.close();
        if (arena.scope().isAlive()) {
            arena.close();
        }
        for (int i = 0; i < panels.length; i++) {
            panels[i].close();
            dots[i].close();
            partialSums[i].close();
        }
    }
}
