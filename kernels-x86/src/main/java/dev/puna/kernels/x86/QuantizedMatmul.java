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

/**
 * {@code y = x · wᵀ} for every quantized format: activations become 8-bit integers once per row, then one row streams
 * the file's layout ({@link QuantizedVectorProduct}), a few rows stream it too and unpack in registers
 * ({@link QuantizedFewRows}), and many rows share weights that are unpacked once ({@link Panel}, {@link PanelTile},
 * {@link AmxTile}). All give the same bits.
 */
final class QuantizedMatmul {
    /** Up to this many rows stream the weights; for more, unpacked weights are kept in the cache. */
    static final int FEW_ROWS = 16;

    private record VectorProductKey(BlockDecoder decoder) {}

    private record FewRowsKey(BlockDecoder decoder) {}

    private record PanelKey(BlockDecoder decoder, boolean signed) {}

    private record TileKey(int tokens, int scaledElements, boolean zeroPoint, boolean affine) {}

    private record AmxKey(int tokens, int scaledElements, boolean affine) {}

    private record RowsKey(int groupSize, boolean records) {}

    /** Activations in {@link QuantizedRows}' layout for one kind of weights. */
    private record Activations(long address, long in, int groupSize, int zeroPoint) {
        long stride() {
            return QuantizedRows.stride(in, groupSize);
        }

        long q(long row) {
            return address + row * stride();
        }

        long record(long row) {
            return address + row * QuantizedRows.RECORD_BYTES;
        }

        boolean serves(BlockDecoder decoder) {
            return groupSize == decoder.scaledElements() && zeroPoint == decoder.zeroPoint();
        }
    }

    private final ThreadTeam threads;
    private final CodeCache codes;
    private final ArgumentBlock[] arguments;
    private final Scratch activations;
    private final Scratch[] panels;
    private final Scratch[] dots;
    private final Map<DType, BlockDecoder> decoders = new EnumMap<>(DType.class);
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
        for (int i = 0; i < panels.length; i++) {
            panels[i] = new Scratch();
            dots[i] = new Scratch();
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
        long stride = QuantizedRows.stride(in, groupSize);
        boolean records = records(x.rows());
        long bytes = records ? x.rows() * recordStep(in) : x.rows() * stride;
        Activations out = new Activations(activations.address(bytes), in, groupSize, decoder.zeroPoint());
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
                        .set(QuantizedRows.ZERO_POINT, out.zeroPoint)
                        .set(QuantizedRows.RECORD_STEP, x.rows() * QuantizedRows.RECORD_BYTES)
                        .call(code));
        return out;
    }

    /** Whether so many rows of activations lie in records. */
    private static boolean records(long rows) {
        return 1 < rows && rows <= FEW_ROWS;
    }

    /** Bytes of a row's records. */
    private static long recordStep(long in) {
        return in / QuantizedRows.BLOCK * QuantizedRows.RECORD_BYTES;
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
        for (int i = 0; i < ws.size(); i++) {
            BlockDecoder decoder = decoder(ws.get(i));
            if (records(rows)) {
                streamed[i] = codes.get(new FewRowsKey(decoder), () -> QuantizedFewRows.code(decoder));
            } else if (rows == 1 || ws.get(i).rows() < SixteenRows.ROWS) {
                streamed[i] = codes.get(new VectorProductKey(decoder), () -> QuantizedVectorProduct.code(decoder));
            } else {
                prepareTiles(decoder, rows);
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
            if (records(rows)) {
                fewRows(member, sums.address(), sumBytes, x, rows, padded.address(), w, 1, code);
            } else {
                for (int row = 0; row < rows; row++) {
                    vector(member, sums.address() + row * sumBytes, x, row, padded.address(), w, 1, code);
                }
            }
            for (int row = 0; row < rows; row++) {
                MemorySegment.copy(sums, row * sumBytes, y.data(), row * y.rowBytes(), y.rowBytes());
            }
        }
    }

    private void prepareTiles(BlockDecoder decoder, int rows) {
        panelCode(decoder);
        int together = tokensTogether();
        if (rows >= together) {
            tileCode(decoder, together);
        }
        if (rows % together != 0) {
            tileCode(decoder, rows % together);
        }
    }

    private MemorySegment panelCode(BlockDecoder decoder) {
        return codes.get(new PanelKey(decoder, amx), () -> Panel.code(decoder, amx));
    }

    private long alignedDots(int member) {
        long alignment = AmxTile.SCRATCH_ALIGNMENT;
        return dots[member].address(AmxTile.SCRATCH_BYTES + alignment) + alignment - 1 & -alignment;
    }

    private int tokensTogether() {
        return amx ? AmxTile.MAX_TOKENS : PanelTile.MAX_TOKENS;
    }

    private MemorySegment tileCode(BlockDecoder decoder, int tokens) {
        if (amx) {
            return codes.get(
                    new AmxKey(tokens, decoder.scaledElements(), decoder.affine()),
                    () -> AmxTile.code(tokens, decoder.scaledElements(), decoder.affine()));
        }
        boolean zeroPoint = decoder.zeroPoint() != 0;
        return codes.get(
                new TileKey(tokens, decoder.scaledElements(), zeroPoint, decoder.affine()),
                () -> PanelTile.code(tokens, decoder.scaledElements(), zeroPoint, decoder.affine()));
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
        int together = tokensTogether();
        int row = 0;
        while (row < rows) {
            int tokens = Math.min(together, rows - row);
            long tiles = tokens == together ? (rows - row) / together : 1;
            long q = x.q(row);
            long outAddress = y.data().address() + row * y.rowBytes() + firstOut * Float.BYTES;
            long secondBytes = (long) second * Float.BYTES;
            long panelWidth = (long) Panel.ROWS * Float.BYTES;
            if (amx) {
                block.set(AmxTile.WEIGHTS, panel)
                        .set(AmxTile.SCALES, scales)
                        .set(AmxTile.MINIMA, minima)
                        .set(AmxTile.SIDES, 2 * panelCount)
                        .set(AmxTile.GROUPS, x.in / 32)
                        .set(AmxTile.Q, q)
                        .set(AmxTile.X_SCALES, q + QuantizedRows.scalesOffset(x.in))
                        .set(AmxTile.X_SUMS, q + QuantizedRows.sumsOffset(x.in, x.groupSize))
                        .set(AmxTile.X_STRIDE, x.stride())
                        .set(AmxTile.Y, outAddress)
                        .set(AmxTile.Y_STRIDE, y.rowBytes())
                        .set(AmxTile.SCRATCH, alignedDots(member))
                        .set(AmxTile.PANEL_STEP, 64)
                        .set(AmxTile.PANEL_STEP_AFTER, panelBytes - 64)
                        .set(AmxTile.Y_STEP, secondBytes)
                        .set(AmxTile.Y_STEP_AFTER, panelWidth - secondBytes)
                        .set(AmxTile.TILES, tiles)
                        .set(AmxTile.X_TILE, tokens * x.stride())
                        .set(AmxTile.Y_TILE, tokens * y.rowBytes() - panelCount * panelWidth)
                        .set(AmxTile.PANEL_REWIND, -panelCount * panelBytes);
            } else {
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
                        .set(PanelTile.Y, outAddress)
                        .set(PanelTile.Y_STRIDE, y.rowBytes())
                        .set(PanelTile.Y_SECOND, secondBytes)
                        .set(PanelTile.TILES, tiles)
                        .set(PanelTile.X_TILE, tokens * x.stride())
                        .set(PanelTile.Y_TILE, tokens * y.rowBytes())
                        .set(PanelTile.PANEL_REWIND, -panelCount * panelBytes);
            }
            block.call(tileCode(decoder, tokens));
            row += Math.toIntExact(tiles * tokens);
        }
    }

    void close() {
        activations.close();
        for (int i = 0; i < panels.length; i++) {
            panels[i].close();
            dots[i].close();
        }
    }
}
