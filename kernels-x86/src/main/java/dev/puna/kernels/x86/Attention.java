package dev.puna.kernels.x86;

import dev.puna.assembler.Code;
import dev.puna.kernels.AttentionSpan;
import dev.puna.kernels.KvView;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * Attention over a cache, on {@link AttentionBlock}. A piece of work is some rows of a span with one key/value head:
 * each block of keys and values is decoded to fp32 once and met by all queries of all those rows.
 */
final class Attention {
    /** Queries that share a decoded block: with their results they stay in the second-level cache. */
    private static final int QUERIES = 192;

    private static final int KEYS = AttentionBlock.KEYS;

    private record TileKey(int queries, int headSize) {}

    private record AcrossKey(int headSize) {}

    private record BeginKey(int headSize) {}

    private record EndKey(int headSize) {}

    /** Rows {@code from … to} of a span whose first row is {@code base} of the batch, with one key/value head. */
    private record Piece(AttentionSpan span, long pool, int kvHead, long base, int from, int to) {
        /** Blocks of keys that are met. */
        long cost() {
            return ((long) span.firstPosition() + to + KEYS - 1) / KEYS * (to - from + 8);
        }
    }

    private final Workers workers;
    private final CodeCache codes;
    private final RowOperations rows;
    private final Scratch[] scratch;

    Attention(Workers workers, CodeCache codes, RowOperations rows) {
        this.workers = workers;
        this.codes = codes;
        this.rows = rows;
        this.scratch = new Scratch[workers.threads().size()];
        for (int i = 0; i < scratch.length; i++) {
            scratch[i] = new Scratch();
        }
    }

    void attend(Tensor y, Tensor q, List<AttentionSpan> spans, float scale) {
        if (q.shape().elementCount() == 0) {
            return;
        }
        try (Borrowed borrowed = new Borrowed()) {
            Tensor queries = borrowed.input(q);
            Tensor results = borrowed.output(y);
            List<Piece> pieces = new ArrayList<>();
            long base = 0;
            for (AttentionSpan span : spans) {
                if (span.rowCount() > 0) {
                    cut(pieces, span, pool(borrowed, span.cache()), base, q.columns());
                }
                base += span.rowCount();
            }
            long total = 0;
            for (Piece piece : pieces) {
                total += piece.cost();
            }
            long all = total;
            if (pieces.size() == 1) {
                attend(0, results, queries, pieces.getFirst(), scale);
                return;
            }
            workers.threads().run((member, size) -> {
                // A piece belongs to the member into whose share of the whole cost its middle falls.
                long before = 0;
                for (Piece piece : pieces) {
                    long middle = before + piece.cost() / 2;
                    before += piece.cost();
                    if (Math.min(middle * size / all, size - 1) == member) {
                        attend(member, results, queries, piece, scale);
                    }
                }
            });
        }
    }

    private static long pool(Borrowed borrowed, KvView cache) {
        MemorySegment pool = cache.pool();
        return borrowed.input(new Tensor(pool, DType.U8, Shape.of(pool.byteSize())))
                .data()
                .address();
    }

    private static void cut(List<Piece> pieces, AttentionSpan span, long pool, long base, long width) {
        KvView cache = span.cache();
        int group = (int) (width / cache.headSize() / cache.kvHeadCount());
        int together = Math.max(1, QUERIES / group);
        for (int head = 0; head < cache.kvHeadCount(); head++) {
            for (int from = 0; from < span.rowCount(); from += together) {
                pieces.add(new Piece(span, pool, head, base, from, Math.min(from + together, span.rowCount())));
            }
        }
    }

    private MemorySegment code(Object key, Supplier<Code> generator) {
        return codes.get(key, generator);
    }

    private void attend(int member, Tensor y, Tensor q, Piece piece, float scale) {
        ArgumentBlock arguments = workers.arguments()[member];
        KvView cache = piece.span.cache();
        int headSize = cache.headSize();
        int group = (int) (q.columns() / headSize / cache.kvHeadCount());
        int positions = piece.to - piece.from;
        int queryCount = positions * group;
        long row = AttentionBlock.padded(headSize) * (long) Float.BYTES;
        // Scratch, each part a multiple of 64 bytes.
        long keys = scratch[member].address((3L * KEYS + 2L * queryCount) * row
                + 2L * roundUp(queryCount)
                + (AttentionBlock.MAX_QUERIES + 1) * 256L);
        long across = keys + KEYS * row;
        long values = across + KEYS * row;
        long queries = values + KEYS * row;
        long results = queries + queryCount * row;
        long maxima = results + queryCount * row;
        long totals = maxima + roundUp(queryCount);
        long weights = totals + roundUp(queryCount);

        long first = piece.base + piece.from;
        long head = (long) piece.kvHead * group * headSize * Float.BYTES;
        RowOperations.vectors(arguments, positions, group, headSize)
                .set(RowKernels.TO, queries)
                .set(RowKernels.FROM, q.data().address() + first * q.rowBytes() + head)
                .set(RowKernels.TO_INNER, row)
                .set(RowKernels.TO_OUTER, row * group)
                .set(RowKernels.FROM_INNER, (long) headSize * Float.BYTES)
                .set(RowKernels.FROM_OUTER, q.rowBytes())
                .set(RowKernels.FACTOR, scale)
                .call(rows.decode(DType.F32));
        arguments
                .set(AttentionBlock.RESULT, results)
                .set(AttentionBlock.MAXIMA, maxima)
                .set(AttentionBlock.TOTALS, totals)
                .set(AttentionBlock.COUNT, queryCount)
                .call(code(new BeginKey(headSize), () -> AttentionBlock.begin(headSize)));
        int firstVisible = piece.span.firstPosition() + piece.from + 1;
        int end = firstVisible + positions - 1;
        for (int block = 0; block < end; block += KEYS) {
            int count = Math.min(KEYS, end - block);
            load(arguments, piece, block, count, keys, values, row);
            arguments
                    .set(AttentionBlock.FROM, keys)
                    .set(AttentionBlock.TO, across)
                    .call(code(new AcrossKey(headSize), () -> AttentionBlock.across(headSize)));
            arguments
                    .set(AttentionBlock.KEYS_ACROSS, across)
                    .set(AttentionBlock.VALUES, values)
                    .set(AttentionBlock.MAXIMA, maxima)
                    .set(AttentionBlock.TOTALS, totals)
                    .set(AttentionBlock.WEIGHTS, weights);
            // Positions that see part of the block go one by one, those that see all of it together.
            int position = Math.max(0, block + 1 - firstVisible);
            for (; position < positions && firstVisible + position - block < KEYS; position++) {
                int visible = firstVisible + position - block;
                tiles(arguments, headSize, queries, results, maxima, totals, row, position * group, group, visible);
            }
            if (position < positions) {
                int done = position * group;
                tiles(arguments, headSize, queries, results, maxima, totals, row, done, queryCount - done, KEYS);
            }
        }
        arguments
                .set(AttentionBlock.Y, y.data().address() + first * y.rowBytes() + head)
                .set(AttentionBlock.RESULT, results)
                .set(AttentionBlock.TOTALS, totals)
                .set(AttentionBlock.GROUP, group)
                .set(AttentionBlock.POSITIONS, positions)
                .set(AttentionBlock.Y_STRIDE, y.rowBytes())
                .call(code(new EndKey(headSize), () -> AttentionBlock.end(headSize)));
    }

    private static long roundUp(int floats) {
        return (floats * (long) Float.BYTES + 63) & -64;
    }

    /** {@code count} queries from {@code first} on: tiles of six, then one of the rest. */
    private void tiles(
            ArgumentBlock arguments,
            int headSize,
            long queries,
            long results,
            long maxima,
            long totals,
            long row,
            int first,
            int count,
            int visible) {
        int at = first;
        int left = count;
        arguments.set(AttentionBlock.VISIBLE, visible);
        while (left > 0) {
            int height = Math.min(left, AttentionBlock.MAX_QUERIES);
            int tiles = left / height;
            arguments
                    .set(AttentionBlock.Q, queries + at * row)
                    .set(AttentionBlock.RESULT, results + at * row)
                    .set(AttentionBlock.MAXIMA, maxima + at * (long) Float.BYTES)
                    .set(AttentionBlock.TOTALS, totals + at * (long) Float.BYTES)
                    .set(AttentionBlock.TILES, tiles)
                    .call(code(new TileKey(height, headSize), () -> AttentionBlock.code(height, headSize)));
            at += tiles * height;
            left -= tiles * height;
        }
    }

    /** Decodes the keys and values of a block, run by run of consecutive slots. */
    private void load(ArgumentBlock arguments, Piece piece, int block, int count, long keys, long values, long row) {
        KvView cache = piece.span.cache();
        MemorySegment decode = rows.decode(cache.dtype());
        for (int t = 0; t < count; ) {
            int position = block + t;
            int run = Math.min(count - t, cache.pageLength() - position % cache.pageLength());
            RowOperations.vectors(arguments, 1, run, cache.headSize())
                    .set(RowKernels.TO_INNER, row)
                    .set(RowKernels.FROM_INNER, cache.vectorBytes())
                    .set(RowKernels.FACTOR, 1f)
                    .set(RowKernels.TO, keys + t * row)
                    .set(RowKernels.FROM, piece.pool + cache.keyOffset(piece.kvHead, position))
                    .call(decode);
            arguments
                    .set(RowKernels.TO, values + t * row)
                    .set(RowKernels.FROM, piece.pool + cache.valueOffset(piece.kvHead, position))
                    .call(decode);
            t += run;
        }
    }

    void close() {
        for (Scratch each : scratch) {
            each.close();
        }
    }
}
