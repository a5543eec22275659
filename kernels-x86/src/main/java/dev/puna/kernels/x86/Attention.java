package dev.puna.kernels.x86;

import dev.puna.kernels.AttentionSpan;
import dev.puna.kernels.ComputePrecision;
import dev.puna.kernels.KvView;
import dev.puna.kernels.x86.AttentionProduct.Terms;
import dev.puna.kernels.x86.AttentionStages.Ahead;
import dev.puna.kernels.x86.AttentionStages.Left;
import dev.puna.kernels.x86.AttentionStages.Plan;
import dev.puna.kernels.x86.AttentionStages.Right;
import dev.puna.kernels.x86.Gemm.Unit;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Attention forward, over caches and over whole sequences. A piece of work is some queries that share a key/value head:
 *
 * <pre>
 * queries · scale · log₂ e as a right factor
 * for each block of keys that some query sees:
 *   keys and values as left factors
 *   for each few panels of queries:
 *     scores = keys · queries           ({@link AttentionProduct})
 *     weights = softmax(scores)         ({@link AttentionSoftmax})
 *     results += valuesᵀ · weights
 * y = results / totals
 * </pre>
 *
 * Queries stay in their lanes and blocks begin at multiples of a constant: a query's bits depend neither on its
 * neighbours nor on how queries are cut into calls, pieces and threads.
 */
final class Attention {
    /** Queries of a piece. */
    private static final int QUERIES = 1024;

    /** Panels of queries whose scores exist at a time. */
    private static final int PANELS = 8;

    private static final int KEYS = AttentionStages.KEYS;
    /** Rows of a panel of a left factor. */
    private static final int ROWS = AttentionStages.LANES;

    static final float LOG2_E = (float) (1 / Math.log(2));

    /** Where keys and values come from. */
    private interface Keys {
        /** Puts {@code count} of them from position {@code first} on into fp32 rows of {@code padded} elements. */
        void load(ArgumentBlock arguments, int first, int count, long keys, long values, int padded);

        /** Where the block from position {@code first} on begins in a cache. */
        Ahead at(int first);

        /** Whether a whole block from there on is rows of fp32 without gaps, so that it need not be copied. */
        boolean inPlace(int first);
    }

    /**
     * Rows {@code from … to} of a sequence with one key/value head. Positions count from where its keys begin.
     *
     * @param q address of the first query; the heads of a group follow each other
     * @param y address of its result
     * @param position of the first row
     * @param firstVisible of every row from {@code from} on, or empty if all see from 0
     * @param logSumExp where it is kept, or null
     */
    private record Piece(
            AttentionStages stages,
            Keys keys,
            long q,
            long y,
            long rowBytes,
            int group,
            int headSize,
            int rows,
            int position,
            int[] firstVisible,
            @Nullable LogSumExp logSumExp) {
        int first(int row) {
            return firstVisible.length == 0 ? 0 : firstVisible[row];
        }

        int last(int row) {
            return position + row;
        }

        /** Blocks of keys that are met. */
        long cost() {
            return ((long) position + rows + KEYS - 1 - first(0)) / KEYS * (rows + 8);
        }
    }

    /** A column of (N, H) from some row on, and the next columns of the group. */
    private record LogSumExp(Tensor tensor, long row, long head) {
        void set(int query, int group, double value) {
            tensor.setFloat((row + query / group) * tensor.columns() + head + query % group, (float) value);
        }
    }

    private final Workers workers;
    private final CodeCache codes;
    private final RowOperations rows;
    private final Unit bf16Unit;
    private final Scratch[] scratch;

    Attention(Workers workers, CodeCache codes, RowOperations rows, Unit bf16Unit) {
        this.workers = workers;
        this.codes = codes;
        this.rows = rows;
        this.bf16Unit = bf16Unit;
        this.scratch = new Scratch[workers.threads().size()];
        for (int i = 0; i < scratch.length; i++) {
            scratch[i] = new Scratch();
        }
    }

    /**
     * What multiplies for keys and values of a type: as many bits as they have, and at least bf16's own where that is
     * what they are kept in.
     */
    private AttentionStages stages(DType cache) {
        return switch (cache) {
            case BF16 -> new AttentionStages(codes, rows, bf16Unit, 1);
            case F16, Q8_0 ->
                bf16Unit == Unit.AMX_BF16
                        ? new AttentionStages(codes, rows, bf16Unit, 2)
                        : new AttentionStages(codes, rows, Unit.FMA, 1);
            default -> new AttentionStages(codes, rows, Unit.FMA, 1);
        };
    }

    /** What multiplies in training. */
    AttentionStages stages(ComputePrecision precision) {
        return new AttentionStages(
                codes,
                rows,
                switch (precision) {
                    case F32 -> Unit.FMA;
                    case BF16 -> bf16Unit;
                },
                1);
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
                    cut(pieces, span, pool(borrowed, span.cache()), queries, results, base);
                }
                base += span.rowCount();
            }
            run(pieces, (member, piece) -> attend(member, piece, scale));
        }
    }

    private static long pool(Borrowed borrowed, KvView cache) {
        MemorySegment pool = cache.pool();
        return borrowed.input(new Tensor(pool, DType.U8, Shape.of(pool.byteSize())))
                .data()
                .address();
    }

    private void cut(List<Piece> pieces, AttentionSpan span, long pool, Tensor q, Tensor y, long base) {
        KvView cache = span.cache();
        int size = cache.headSize();
        int group = (int) (q.columns() / size / cache.kvHeadCount());
        int together = Math.max(1, QUERIES / group);
        AttentionStages stages = stages(cache.dtype());
        for (int head = 0; head < cache.kvHeadCount(); head++) {
            Keys keys = new CacheKeys(stages, cache, pool, head);
            long column = (long) head * group * size * Float.BYTES;
            for (int from = 0; from < span.rowCount(); from += together) {
                long at = (base + from) * q.rowBytes() + column;
                pieces.add(new Piece(
                        stages,
                        keys,
                        q.data().address() + at,
                        y.data().address() + at,
                        q.rowBytes(),
                        group,
                        size,
                        Math.min(together, span.rowCount() - from),
                        span.firstPosition() + from,
                        new int[0],
                        null));
            }
        }
    }

    /** A key/value head of a cache; runs of consecutive slots are decoded together. */
    private record CacheKeys(AttentionStages stages, KvView cache, long pool, int head) implements Keys {
        @Override
        public void load(ArgumentBlock arguments, int first, int count, long keys, long values, int padded) {
            long row = (long) padded * Float.BYTES;
            long stride = cache.vectorBytes();
            for (int t = 0; t < count; ) {
                int position = first + t;
                int run = Math.min(count - t, cache.pageLength() - position % cache.pageLength());
                Ahead at = at(position);
                stages.load(arguments, cache.dtype(), cache.headSize(), run, at.keys(), stride, keys + t * row, padded);
                stages.load(
                        arguments, cache.dtype(), cache.headSize(), run, at.values(), stride, values + t * row, padded);
                t += run;
            }
        }

        @Override
        public Ahead at(int first) {
            return new Ahead(
                    pool + cache.keyOffset(head, first), pool + cache.valueOffset(head, first), cache.vectorBytes());
        }

        @Override
        public boolean inPlace(int first) {
            return cache.dtype() == DType.F32
                    && cache.headSize() % ROWS == 0
                    && cache.pageLength() - first % cache.pageLength() >= KEYS;
        }
    }

    /** A key/value head of a document's rows, from addresses on. */
    private record DocumentKeys(
            AttentionStages stages, int size, long keys, long values, long keyStride, long valueStride)
            implements Keys {
        @Override
        public void load(ArgumentBlock arguments, int first, int count, long toKeys, long toValues, int padded) {
            long key = keys + first * keyStride;
            long value = values + first * valueStride;
            stages.load(arguments, DType.F32, size, count, key, keyStride, toKeys, padded);
            stages.load(arguments, DType.F32, size, count, value, valueStride, toValues, padded);
        }

        @Override
        public Ahead at(int first) {
            return Ahead.NOTHING;
        }

        @Override
        public boolean inPlace(int first) {
            return false;
        }
    }

    /** Training's forward pass; {@link AttentionGradient} is its backward. */
    void train(
            Tensor y,
            Tensor logSumExp,
            Tensor q,
            Tensor k,
            Tensor v,
            int size,
            int[] firstVisible,
            float scale,
            ComputePrecision precision) {
        int group = (int) (q.columns() / k.columns());
        int together = Math.max(1, QUERIES / group);
        List<Piece> pieces = new ArrayList<>();
        int[] segments = segments(firstVisible);
        try (Borrowed borrowed = new Borrowed()) {
            Tensor queries = borrowed.input(q);
            Tensor results = borrowed.output(y);
            Tensor allKeys = borrowed.input(k);
            Tensor allValues = borrowed.input(v);
            AttentionStages stages = stages(precision);
            for (int s = 0; s + 1 < segments.length; s++) {
                int start = segments[s];
                for (int head = 0; head < k.columns() / size; head++) {
                    long column = (long) head * size * Float.BYTES;
                    long keyBase = allKeys.data().address() + start * k.rowBytes() + column;
                    long valueBase = allValues.data().address() + start * v.rowBytes() + column;
                    Keys keys = new DocumentKeys(stages, size, keyBase, valueBase, k.rowBytes(), v.rowBytes());
                    for (int from = start; from < segments[s + 1]; from += together) {
                        int rowCount = Math.min(together, segments[s + 1] - from);
                        long at = from * q.rowBytes() + column * group;
                        int[] first = new int[rowCount];
                        for (int i = 0; i < rowCount; i++) {
                            first[i] = firstVisible[from + i] - start;
                        }
                        pieces.add(new Piece(
                                stages,
                                keys,
                                queries.data().address() + at,
                                results.data().address() + at,
                                q.rowBytes(),
                                group,
                                size,
                                rowCount,
                                from - start,
                                first,
                                new LogSumExp(logSumExp, from, (long) head * group)));
                    }
                }
            }
            run(pieces, (member, piece) -> attend(member, piece, scale));
        }
    }

    /** Where documents begin, that is rows before which no later row sees; and the end. */
    static int[] segments(int[] firstVisible) {
        List<Integer> begins = new ArrayList<>();
        for (int row = 0; row < firstVisible.length; row++) {
            if (firstVisible[row] == row) {
                begins.add(row);
            }
        }
        begins.add(firstVisible.length);
        return begins.stream().mapToInt(Integer::intValue).toArray();
    }

    private interface Work {
        void run(int member, Piece piece);
    }

    /** A piece belongs to the member into whose share of the whole cost its middle falls. */
    private void run(List<Piece> pieces, Work work) {
        if (pieces.size() == 1) {
            work.run(0, pieces.getFirst());
            return;
        }
        long all = pieces.stream().mapToLong(Piece::cost).sum();
        workers.threads().run((member, size) -> {
            long before = 0;
            for (Piece piece : pieces) {
                long middle = before + piece.cost() / 2;
                before += piece.cost();
                if (Math.min(middle * size / all, size - 1) == member) {
                    work.run(member, piece);
                }
            }
        });
    }

    /** Where everything of a piece lies in scratch. */
    private static final class Memory {
        final int queries;
        final int panels;
        final int lanes;
        final int line;
        final int padded;
        final long row;
        final long queryRows;
        final long queryFactor;
        final long queryPanel;
        final long keyRows;
        final long valueRows;
        final long keyFactor;
        final long keyPanel;
        final long valueFactor;
        final long valuePanel;
        final long scores;
        final long weights;
        final long results;
        final long maxima;
        final long totals;
        final long first;
        final long last;
        final long end;

        Memory(AttentionStages stages, Piece piece, long base) {
            Plan plan = new Plan(base);
            int size = piece.headSize;
            queries = piece.rows * piece.group;
            panels = stages.panels(queries);
            lanes = stages.lanes();
            line = stages.line();
            padded = AttentionStages.padded(size);
            row = (long) padded * Float.BYTES;
            queryRows = plan.take((long) panels * lanes * row);
            queryPanel = stages.panelBytes(size);
            queryFactor = plan.take(stages.factorBytes(panels, size));
            keyRows = plan.take(KEYS * row);
            valueRows = plan.take(KEYS * row);
            keyPanel = stages.panelBytes(size);
            keyFactor = plan.take(stages.bf16() ? stages.factorBytes(KEYS / ROWS, size) : 0);
            valuePanel = stages.panelBytes(KEYS);
            valueFactor = plan.take(stages.bf16() ? stages.factorBytes(padded / ROWS, KEYS) : 0);
            int together = Math.min(panels, PANELS);
            scores = plan.take(together * AttentionStages.SCORES_PANEL);
            weights = plan.take(stages.bf16() ? stages.factorBytes(together, KEYS) : 0);
            results = plan.take((long) panels * padded * line);
            maxima = plan.take((long) panels * line);
            totals = plan.take((long) panels * line);
            first = plan.take((long) panels * line);
            last = plan.take((long) panels * line);
            end = plan.end();
        }
    }

    private void attend(int member, Piece piece, float scale) {
        AttentionStages stages = piece.stages;
        ArgumentBlock arguments = workers.arguments()[member];
        long bytes = new Memory(stages, piece, 0).end;
        Memory m = new Memory(stages, piece, scratch[member].address(bytes));
        begin(arguments, member, stages, piece, m, scale);
        int end = piece.last(piece.rows - 1) + 1;
        for (int block = piece.first(0) / KEYS * KEYS; block < end; block += KEYS) {
            int count = Math.min(KEYS, end - block);
            Left keys;
            Left values;
            long nextKeys = 0;
            if (!stages.bf16() && count == KEYS && piece.keys.inPlace(block)) {
                Ahead at = piece.keys.at(block);
                keys = stages.along(at.keys(), m.padded);
                values = stages.across(at.values(), m.padded);
                nextKeys = block + KEYS < end ? piece.keys.at(block + KEYS).keys() : at.keys();
            } else {
                piece.keys.load(arguments, block, count, m.keyRows, m.valueRows, m.padded);
                keys = stages.along(m.keyRows, m.padded);
                values = stages.across(m.valueRows, m.padded);
            }
            if (stages.bf16()) {
                int zeros = AttentionStages.roundUp(count, 32) - count;
                if (zeros > 0) {
                    scratch[member]
                            .at(m.valueRows + count * m.row, zeros * m.row)
                            .fill((byte) 0);
                }
                Ahead ahead = block + 2 * KEYS <= end ? piece.keys.at(block + KEYS) : Ahead.NOTHING;
                stages.packKeys(arguments, m.keyRows, m.padded, count, m.keyFactor, m.keyPanel, ahead);
                stages.packValues(arguments, m.valueRows, m.padded, count, m.valueFactor, m.valuePanel);
                keys = AttentionStages.packed(m.keyFactor, m.keyPanel, (long) (KEYS / ROWS) * m.keyPanel);
                values = AttentionStages.packed(m.valueFactor, m.valuePanel, (long) (m.padded / ROWS) * m.valuePanel);
            }
            for (int panel = 0; panel < m.panels; panel += PANELS) {
                meet(
                        arguments,
                        stages,
                        piece,
                        m,
                        keys,
                        values,
                        nextKeys,
                        block,
                        panel,
                        Math.min(PANELS, m.panels - panel));
            }
        }
        finish(arguments, member, stages, piece, m);
    }

    private void begin(
            ArgumentBlock arguments, int member, AttentionStages stages, Piece piece, Memory m, float scale) {
        Scratch memory = scratch[member];
        int size = piece.headSize;
        for (long rows : new long[] {m.queryRows, m.keyRows, m.valueRows}) {
            long count = rows == m.queryRows ? (long) m.panels * m.lanes : KEYS;
            memory.at(rows, count * m.row).fill((byte) 0);
        }
        stages.copy(
                arguments,
                piece.rows,
                piece.group,
                size,
                m.queryRows,
                m.row * piece.group,
                m.row,
                piece.q,
                piece.rowBytes,
                (long) size * Float.BYTES,
                scale * LOG2_E);
        stages.packQueries(arguments, m.queryRows, m.padded, m.panels, size, m.queryFactor, m.queryPanel);
        memory.at(m.results, (long) m.panels * m.padded * m.line).fill((byte) 0);
        memory.at(m.totals, (long) m.panels * m.line).fill((byte) 0);
        MemorySegment maxima = memory.at(m.maxima, (long) m.panels * m.line);
        MemorySegment first = memory.at(m.first, (long) m.panels * m.line);
        MemorySegment last = memory.at(m.last, (long) m.panels * m.line);
        for (int lane = 0; lane < m.panels * m.lanes; lane++) {
            int row = Math.min(lane / piece.group, piece.rows - 1);
            maxima.setAtIndex(ValueLayout.JAVA_FLOAT, lane, AttentionSoftmax.NOTHING);
            first.setAtIndex(ValueLayout.JAVA_INT, lane, piece.first(row));
            last.setAtIndex(ValueLayout.JAVA_INT, lane, piece.last(row));
        }
    }

    /** Some panels of queries meet a block of keys and values. */
    private static void meet(
            ArgumentBlock arguments,
            AttentionStages stages,
            Piece piece,
            Memory m,
            Left keys,
            Left values,
            long nextKeys,
            int block,
            int panel,
            int panels) {
        int firstRow = Math.min(panel * m.lanes / piece.group, piece.rows - 1);
        int lastRow = Math.min(((panel + panels) * m.lanes - 1) / piece.group, piece.rows - 1);
        int visible = Math.min(KEYS, piece.last(lastRow) + 1 - block);
        if (visible <= 0 || piece.first(firstRow) >= block + KEYS) {
            return;
        }
        boolean masked = piece.last(firstRow) < block + KEYS - 1 || piece.first(lastRow) > block;
        Right queries = new Right(m.queryFactor + panel * m.queryPanel, m.queryPanel, m.panels * m.queryPanel);
        Terms terms = stages.terms() == 1 ? Terms.ONE : Terms.TWO;
        int keyPanels = (visible + ROWS - 1) / ROWS;
        stages.product(
                arguments,
                keys,
                queries,
                piece.headSize,
                m.scores,
                AttentionStages.SCORES_PANEL,
                keyPanels,
                panels,
                false,
                terms,
                nextKeys == 0 ? 0 : values.address());
        long resultPanel = (long) m.padded * m.line;
        long weightPanel = stages.panelBytes(KEYS);
        long weightTerm = Math.min(PANELS, m.panels) * weightPanel;
        arguments
                .set(AttentionSoftmax.SCORES, m.scores)
                .set(AttentionSoftmax.SCORES_PANEL, AttentionStages.SCORES_PANEL)
                .set(AttentionSoftmax.COUNT, AttentionStages.roundUp(visible, 32))
                .set(AttentionSoftmax.PANELS, panels)
                .set(AttentionSoftmax.MAXIMA, m.maxima + (long) panel * m.line)
                .set(AttentionSoftmax.TOTALS, m.totals + (long) panel * m.line)
                .set(AttentionSoftmax.RESULTS, m.results + panel * resultPanel)
                .set(AttentionSoftmax.RESULTS_PANEL, resultPanel)
                .set(AttentionSoftmax.RESULT_ROWS, m.padded)
                .set(AttentionSoftmax.FIRST, m.first + (long) panel * m.line)
                .set(AttentionSoftmax.LAST, m.last + (long) panel * m.line)
                .set(AttentionSoftmax.KEY, block)
                .set(AttentionSoftmax.WEIGHTS, m.weights)
                .set(AttentionSoftmax.WEIGHTS_PANEL, weightPanel)
                .set(AttentionSoftmax.WEIGHTS_TERM, weightTerm);
        stages.softmax(arguments, masked);
        Right weights = stages.bf16()
                ? new Right(m.weights, weightPanel, weightTerm)
                : new Right(m.scores, AttentionStages.SCORES_PANEL, 0);
        stages.product(
                arguments,
                values,
                weights,
                visible,
                m.results + panel * resultPanel,
                resultPanel,
                m.padded / ROWS,
                panels,
                true,
                terms,
                nextKeys);
    }

    private void finish(ArgumentBlock arguments, int member, AttentionStages stages, Piece piece, Memory m) {
        stages.turn(arguments, m.results, m.queryRows, m.panels, m.padded, m.totals);
        stages.copy(
                arguments,
                piece.rows,
                piece.group,
                piece.headSize,
                piece.y,
                piece.rowBytes,
                (long) piece.headSize * Float.BYTES,
                m.queryRows,
                m.row * piece.group,
                m.row,
                1);
        LogSumExp logSumExp = piece.logSumExp;
        if (logSumExp != null) {
            MemorySegment maxima = scratch[member].at(m.maxima, (long) m.panels * m.line);
            MemorySegment totals = scratch[member].at(m.totals, (long) m.panels * m.line);
            for (int query = 0; query < m.queries; query++) {
                double max = maxima.getAtIndex(ValueLayout.JAVA_FLOAT, query);
                double total = totals.getAtIndex(ValueLayout.JAVA_FLOAT, query);
                logSumExp.set(query, piece.group, max * Math.log(2) + Math.log(total));
            }
        }
    }

    void close() {
        for (Scratch each : scratch) {
            each.close();
        }
    }
}
