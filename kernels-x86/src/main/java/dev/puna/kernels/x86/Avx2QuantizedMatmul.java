package dev.puna.kernels.x86;

import dev.puna.tensor.DType;
import dev.puna.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * {@code y = x · wᵀ} for the quantized formats that {@link Avx2Decoder} reads: activations become 8-bit integers once
 * per row, then one row streams the file's layout ({@link Avx2VectorProduct}), and several rows share weights that are
 * unpacked once ({@link Avx2Panel}, {@link Avx2Tile}). Both give the same bits, and so do both kinds of dot products.
 */
final class Avx2QuantizedMatmul implements AutoCloseable {
    /** From this many rows on, unpacking pays. */
    private static final int ROWS_FOR_PANELS = 4;

    /** Weights that a few rows read one after the other while they are in the cache. */
    private static final int SHARED_BYTES = 64 << 10;

    private record VectorProductKey(Avx2Decoder decoder) {}

    private record PanelKey(Avx2Decoder decoder) {}

    private record TileKey(Avx2Decoder decoder, int tokens) {}

    private record RowsKey(int groupSize) {}

    /** Activations in {@link QuantizedRows}' layout for one kind of weights. */
    private record Activations(long address, long in, int groupSize, int zeroPoint) {
        long stride() {
            return QuantizedRows.stride(in, groupSize);
        }

        long q(long row) {
            return address + row * stride();
        }

        boolean serves(Avx2Decoder decoder) {
            return groupSize == decoder.scaledElements() && zeroPoint == decoder.zeroPoint();
        }
    }

    private final Workers workers;
    private final CodeCache codes;
    private final Avx2Dot dot;
    private final Scratch activations = new Scratch();
    private final Scratch[] panels;
    private final Scratch[] sums;
    private final Map<DType, Avx2Decoder> decoders = new EnumMap<>(DType.class);

    Avx2QuantizedMatmul(Workers workers, CodeCache codes, Avx2Dot dot) {
        this.workers = workers;
        this.codes = codes;
        this.dot = dot;
        this.panels = new Scratch[workers.threads().size()];
        this.sums = new Scratch[workers.threads().size()];
        for (int i = 0; i < panels.length; i++) {
            panels[i] = new Scratch();
            sums[i] = new Scratch();
        }
        for (DType dtype : DType.values()) {
            Avx2Decoder.of(dtype, dot == Avx2Dot.VNNI).ifPresent(decoder -> decoders.put(dtype, decoder));
        }
    }

    boolean serves(DType dtype) {
        return decoders.containsKey(dtype);
    }

    /** Tensors in native memory; weights of formats that are served. */
    void multiply(List<Tensor> ys, Tensor x, List<Tensor> ws) {
        Activations quantized = null;
        int from = 0;
        // Weights of the same kind share their activations; usually all are.
        for (int i = 0; i <= ws.size(); i++) {
            if (i < ws.size() && quantized != null && quantized.serves(decoder(ws.get(i)))) {
                continue;
            }
            if (quantized != null) {
                run(ys.subList(from, i), quantized, (int) x.rows(), ws.subList(from, i));
            }
            if (i < ws.size()) {
                quantized = quantize(x, decoder(ws.get(i)));
                from = i;
            }
        }
    }

    private Avx2Decoder decoder(Tensor w) {
        return Objects.requireNonNull(decoders.get(w.dtype()));
    }

    private Activations quantize(Tensor x, Avx2Decoder decoder) {
        long in = x.columns();
        int groupSize = decoder.scaledElements();
        long stride = QuantizedRows.stride(in, groupSize);
        Activations out = new Activations(activations.address(stride * x.rows()), in, groupSize, decoder.zeroPoint());
        MemorySegment code = codes.get(new RowsKey(groupSize), () -> Avx2QuantizedRows.code(groupSize));
        workers.inRanges(
                x.rows(),
                in < 1 << 15 ? 4 : 1,
                (arguments, from, to) -> arguments
                        .set(QuantizedRows.X, x.data().address() + from * x.rowBytes())
                        .set(QuantizedRows.X_STRIDE, x.rowBytes())
                        .set(QuantizedRows.OUT, out.q(from))
                        .set(QuantizedRows.OUT_STRIDE, stride)
                        .set(QuantizedRows.IN, in)
                        .set(QuantizedRows.ROWS, to - from)
                        .set(QuantizedRows.ZERO_POINT, out.zeroPoint)
                        .call(code));
        return out;
    }

    private void run(List<Tensor> ys, Activations x, int rows, List<Tensor> ws) {
        workers.threads().run((member, size) -> {
            for (int i = 0; i < ws.size(); i++) {
                Tensor w = ws.get(i);
                if (w.rows() < Avx2Rows.ROWS) {
                    if (member == 0 && w.rows() > 0) {
                        narrow(member, ys.get(i), x, rows, w);
                    }
                } else if (rows < ROWS_FOR_PANELS) {
                    rowByRow(member, size, ys.get(i), x, rows, w);
                } else {
                    inPanels(member, size, ys.get(i), x, rows, w);
                }
            }
        });
    }

    /** Every eight rows of w, in chunks that stay in the cache while each row of x passes. */
    private void rowByRow(int member, int size, Tensor y, Activations x, int rows, Tensor w) {
        long out = w.rows();
        long eights = out / Avx2Rows.ROWS;
        long from = eights * member / size;
        long to = eights * (member + 1) / size;
        long chunk = rows == 1 ? to - from : Math.max(1, SHARED_BYTES / (Avx2Rows.ROWS * w.rowBytes()));
        for (long start = from; start < to; start += chunk) {
            for (int row = 0; row < rows; row++) {
                vector(member, y, x, row, w, start * Avx2Rows.ROWS, Math.min(chunk, to - start));
            }
        }
        if (out % Avx2Rows.ROWS != 0 && member == size - 1) {
            // The last eight overlap those before them: the same values are written twice.
            for (int row = 0; row < rows; row++) {
                vector(member, y, x, row, w, out - Avx2Rows.ROWS, 1);
            }
        }
    }

    private void vector(int member, Tensor y, Activations x, int row, Tensor w, long firstOut, long eights) {
        long to = y.data().address() + row * y.rowBytes() + firstOut * Float.BYTES;
        vector(member, to, x, row, w.data().address() + firstOut * w.rowBytes(), w, eights);
    }

    private void vector(int member, long y, Activations x, int row, long from, Tensor w, long eights) {
        Avx2Decoder decoder = decoder(w);
        long q = x.q(row);
        workers.arguments()[member]
                .set(Avx2VectorProduct.W, from)
                .set(Avx2VectorProduct.W_STRIDE, w.rowBytes())
                .set(Avx2VectorProduct.EIGHTS, eights)
                .set(Avx2VectorProduct.BLOCKS, x.in / w.dtype().blockSize())
                .set(Avx2VectorProduct.Q, q)
                .set(Avx2VectorProduct.SCALES, q + QuantizedRows.scalesOffset(x.in))
                .set(Avx2VectorProduct.STARTS, q + QuantizedRows.startsOffset(x.in))
                .set(Avx2VectorProduct.SUMS, q + QuantizedRows.sumsOffset(x.in, x.groupSize))
                .set(Avx2VectorProduct.Y, y)
                .set(Avx2VectorProduct.SCRATCH, sums[member].address(Avx2VectorProduct.SCRATCH_BYTES))
                .call(codes.get(new VectorProductKey(decoder), () -> Avx2VectorProduct.code(decoder, dot)));
    }

    /** Fewer than eight rows of w: padded with zeros. */
    private void narrow(int member, Tensor y, Activations x, int rows, Tensor w) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment padded = arena.allocate(Avx2Rows.ROWS * w.rowBytes(), 64);
            MemorySegment.copy(w.data(), 0, padded, 0, w.data().byteSize());
            MemorySegment eight = arena.allocate(Avx2Rows.ROWS * Float.BYTES, 64);
            for (int row = 0; row < rows; row++) {
                vector(member, eight.address(), x, row, padded.address(), w, 1);
                MemorySegment.copy(eight, 0, y.data(), row * y.rowBytes(), y.rowBytes());
            }
        }
    }

    /** A panel of sixteen rows at a time, unpacked once; the rows of x pass by fours. */
    private void inPanels(int member, int size, Tensor y, Activations x, int rows, Tensor w) {
        long out = w.rows();
        long whole = out / Avx2Panel.ROWS;
        for (long i = whole * member / size; i < whole * (member + 1) / size; i++) {
            panel(member, y, x, rows, w, i * Avx2Panel.ROWS, Avx2Rows.ROWS);
        }
        if (out % Avx2Panel.ROWS != 0 && member == size - 1) {
            // The last panel ends with the matrix and overlaps the one before it, or its own other half.
            long first = Math.max(0, out - Avx2Panel.ROWS);
            panel(member, y, x, rows, w, first, (int) (out - Avx2Rows.ROWS - first));
        }
    }

    /** Rows {@code first …} and {@code first + second …} of w are unpacked, and multiplied with every row of x. */
    private void panel(int member, Tensor y, Activations x, int rows, Tensor w, long first, int second) {
        Avx2Decoder decoder = decoder(w);
        ArgumentBlock arguments = workers.arguments()[member];
        long panel = panels[member].address(Avx2Panel.bytes(decoder, x.in));
        long scales = panel + Avx2Panel.weightBytes(x.in);
        long minima = scales + Avx2Panel.scalesBytes(decoder, x.in);
        for (int side = 0; side < 2; side++) {
            arguments
                    .set(Avx2Panel.W, w.data().address() + (first + (long) side * second) * w.rowBytes())
                    .set(Avx2Panel.W_STRIDE, w.rowBytes())
                    .set(Avx2Panel.BLOCKS, x.in / w.dtype().blockSize())
                    .set(Avx2Panel.WEIGHTS, panel + (long) side * Avx2Panel.SIDE)
                    .set(Avx2Panel.SCALES, scales + (long) side * Avx2Panel.SIDE)
                    .set(Avx2Panel.MINIMA, minima + (long) side * Avx2Panel.SIDE)
                    .call(codes.get(new PanelKey(decoder), () -> Avx2Panel.code(decoder)));
        }
        for (int row = 0; row < rows; ) {
            int tokens = Math.min(Avx2Tile.MAX_TOKENS, rows - row);
            int tiles = (rows - row) / tokens;
            long q = x.q(row);
            arguments
                    .set(Avx2Tile.WEIGHTS, panel)
                    .set(Avx2Tile.SCALES, scales)
                    .set(Avx2Tile.MINIMA, minima)
                    .set(Avx2Tile.GROUPS, x.in / 32)
                    .set(Avx2Tile.Q, q)
                    .set(Avx2Tile.X_SCALES, q + QuantizedRows.scalesOffset(x.in))
                    .set(Avx2Tile.X_STARTS, q + QuantizedRows.startsOffset(x.in))
                    .set(Avx2Tile.X_SUMS, q + QuantizedRows.sumsOffset(x.in, x.groupSize))
                    .set(Avx2Tile.X_STRIDE, x.stride())
                    .set(Avx2Tile.Y, y.data().address() + row * y.rowBytes() + first * Float.BYTES)
                    .set(Avx2Tile.Y_STRIDE, y.rowBytes())
                    .set(Avx2Tile.Y_SECOND, (long) second * Float.BYTES)
                    .set(Avx2Tile.TILES, tiles)
                    .set(Avx2Tile.X_TILE, tokens * x.stride())
                    .set(Avx2Tile.Y_TILE, tokens * y.rowBytes())
                    .set(Avx2Tile.SCRATCH, sums[member].address(Avx2Tile.SCRATCH_BYTES))
                    .call(codes.get(new TileKey(decoder, tokens), () -> Avx2Tile.code(decoder, dot, tokens)));
            row += tiles * tokens;
        }
    }

    @Override
    public void close() {
        activations.close();
        for (int i = 0; i < panels.length; i++) {
            panels[i].close();
            sums[i].close();
        }
    }
}
