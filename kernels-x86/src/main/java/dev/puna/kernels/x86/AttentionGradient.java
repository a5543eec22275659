package dev.puna.kernels.x86;

import dev.puna.kernels.ComputePrecision;
import dev.puna.kernels.x86.AttentionProduct.Terms;
import dev.puna.kernels.x86.AttentionStages.Left;
import dev.puna.kernels.x86.AttentionStages.Plan;
import dev.puna.kernels.x86.AttentionStages.Right;
import dev.puna.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * Attention backward (Dao et al. 2022). A piece of work is one document with one key/value head, so that every gradient
 * has one writer and one order of additions:
 *
 * <pre>
 * queries · scale · log₂ e and dy as right factors, in both directions
 * for each block of keys:
 *   keys and values as left factors
 *   for each few panels of queries that see some of it:
 *     scores = keys · queries,  dp = values · dy
 *     p, ds = slope(scores, dp)             ({@link AttentionSlope})
 *     dv += p · dy,  dk += ds · queries,  dq += keysᵀ · ds
 *   dk, dv are done
 * dq is done
 * </pre>
 */
final class AttentionGradient {
    /** Panels of queries whose scores exist at a time; even. */
    private static final int PANELS = 8;

    private static final int KEYS = AttentionStages.KEYS;
    private static final int LANES = AttentionStages.LANES;
    private static final int LINE = AttentionStages.LINE;

    /** The logarithm of the sum of a lane that is no query: its probabilities are 0. */
    private static final float NO_QUERY = 1e30f;

    private static final float LN2 = (float) Math.log(2);

    private final Workers workers;
    private final Attention forward;
    private final Scratch[] scratch;

    AttentionGradient(Workers workers, Attention forward) {
        this.workers = workers;
        this.forward = forward;
        this.scratch = new Scratch[workers.threads().size()];
        for (int i = 0; i < scratch.length; i++) {
            scratch[i] = new Scratch();
        }
    }

    /** What a call is about; tensors are native. */
    private record Call(
            AttentionStages stages,
            Tensor dq,
            Tensor dk,
            Tensor dv,
            Tensor dy,
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor y,
            Tensor logSumExp,
            int size,
            int[] firstVisible,
            float scale) {
        int group() {
            return (int) (q.columns() / k.columns());
        }

        /** Where row {@code row}, key/value head {@code head} of queries or what is shaped like them begins. */
        long query(Tensor like, int row, int head) {
            return like.data().address() + row * like.rowBytes() + (long) head * group() * size * Float.BYTES;
        }

        long key(Tensor like, int row, int head) {
            return like.data().address() + row * like.rowBytes() + (long) head * size * Float.BYTES;
        }
    }

    /** Rows {@code start … end} with a key/value head. */
    private record Piece(int start, int end, int head) {
        long cost() {
            return (long) (end - start) * (end - start + KEYS);
        }
    }

    void train(
            Tensor dq,
            Tensor dk,
            Tensor dv,
            Tensor dy,
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor y,
            Tensor logSumExp,
            int size,
            int[] firstVisible,
            float scale,
            ComputePrecision precision) {
        List<Piece> pieces = new ArrayList<>();
        int[] segments = Attention.segments(firstVisible);
        for (int s = 0; s + 1 < segments.length; s++) {
            for (int head = 0; head < k.columns() / size; head++) {
                pieces.add(new Piece(segments[s], segments[s + 1], head));
            }
        }
        try (Borrowed borrowed = new Borrowed()) {
            Call call = new Call(
                    forward.stages(precision),
                    borrowed.output(dq),
                    borrowed.output(dk),
                    borrowed.output(dv),
                    borrowed.input(dy),
                    borrowed.input(q),
                    borrowed.input(k),
                    borrowed.input(v),
                    borrowed.input(y),
                    logSumExp,
                    size,
                    firstVisible,
                    scale);
            long all = pieces.stream().mapToLong(Piece::cost).sum();
            workers.threads().run((member, team) -> {
                long before = 0;
                for (Piece piece : pieces) {
                    long middle = before + piece.cost() / 2;
                    before += piece.cost();
                    if (Math.min(middle * team / all, team - 1) == member) {
                        new Run(call, piece, workers.arguments()[member], scratch[member]).run();
                    }
                }
            });
        }
    }

    /** Where everything of a piece lies in scratch. */
    private static final class Memory {
        final int panels;
        final int padded;
        final long row;
        final long queryRows;
        final long dyRows;
        final long queries;
        final long dys;
        final long queryPanel;
        final long queriesAcross;
        final long dysAcross;
        final long acrossPanel;
        final long dQueries;
        final long lanes;
        final long keyRows;
        final long valueRows;
        final long keys;
        final long values;
        final long keyPanel;
        final long keysAcross;
        final long keyAcrossPanel;
        final long scores;
        final long slopes;
        final long leftP;
        final long leftSlopes;
        final long leftPanel;
        final long rightSlopes;
        final long rightPanel;
        final long dKeys;
        final long dValues;
        final long end;

        Memory(AttentionStages stages, int queryCount, int size, long base) {
            Plan plan = new Plan(base);
            panels = AttentionStages.roundUp(queryCount, 2 * LANES) / LANES;
            padded = AttentionStages.padded(size);
            row = (long) padded * Float.BYTES;
            int headPanels = padded / LANES;
            int blocks = (panels + PANELS - 1) / PANELS;
            queryRows = plan.take((long) panels * LANES * row);
            dyRows = plan.take((long) panels * LANES * row);
            queryPanel = stages.panelBytes(size);
            queries = plan.take(panels * queryPanel);
            dys = plan.take(panels * queryPanel);
            acrossPanel = stages.panelBytes(PANELS * LANES);
            queriesAcross = plan.take((long) blocks * headPanels * acrossPanel);
            dysAcross = plan.take((long) blocks * headPanels * acrossPanel);
            dQueries = plan.take((long) panels * padded * LINE);
            lanes = plan.take(4L * panels * LINE);
            keyRows = plan.take(KEYS * row);
            valueRows = plan.take(KEYS * row);
            long packed = stages.bf16() ? 1 : 0;
            keyPanel = stages.panelBytes(size);
            keys = plan.take(packed * KEYS / LANES * keyPanel);
            values = plan.take(packed * KEYS / LANES * keyPanel);
            keyAcrossPanel = stages.panelBytes(KEYS);
            keysAcross = plan.take(packed * headPanels * keyAcrossPanel);
            scores = plan.take(PANELS * AttentionStages.SCORES_PANEL);
            slopes = plan.take(PANELS * AttentionStages.SCORES_PANEL);
            leftPanel = stages.panelBytes(PANELS * LANES);
            leftP = plan.take(packed * KEYS / LANES * leftPanel);
            leftSlopes = plan.take(packed * KEYS / LANES * leftPanel);
            rightPanel = stages.panelBytes(KEYS);
            rightSlopes = plan.take(packed * PANELS * rightPanel);
            dKeys = plan.take(headPanels * AttentionStages.SCORES_PANEL);
            dValues = plan.take(headPanels * AttentionStages.SCORES_PANEL);
            end = plan.end();
        }

        /** Of each panel a line: the logarithm of the sum, dy · y, the first and the last key. */
        long lane(int which) {
            return lanes + (long) which * panels * LINE;
        }
    }

    /** One piece on one thread. */
    private static final class Run {
        private final Call call;
        private final Piece piece;
        private final ArgumentBlock arguments;
        private final Scratch scratch;
        private final AttentionStages stages;
        private final int group;
        private final int rows;
        private final Memory m;
        private final int headPanels;

        Run(Call call, Piece piece, ArgumentBlock arguments, Scratch scratch) {
            this.call = call;
            this.piece = piece;
            this.arguments = arguments;
            this.scratch = scratch;
            this.stages = call.stages;
            this.group = call.group();
            this.rows = piece.end - piece.start;
            int queryCount = rows * group;
            long bytes = new Memory(stages, queryCount, call.size, 0).end;
            this.m = new Memory(stages, queryCount, call.size, scratch.address(bytes));
            this.headPanels = m.padded / LANES;
        }

        private int first(int row) {
            return call.firstVisible[piece.start + row] - piece.start;
        }

        void run() {
            begin();
            for (int block = 0; block < rows; block += KEYS) {
                int count = Math.min(KEYS, rows - block);
                load(block, count);
                zero(m.dKeys, headPanels * AttentionStages.SCORES_PANEL);
                zero(m.dValues, headPanels * AttentionStages.SCORES_PANEL);
                for (int panel = 0; panel < m.panels; panel += PANELS) {
                    meet(block, panel, Math.min(PANELS, m.panels - panel));
                }
                store(call.dk, m.dKeys, block, count, LN2);
                store(call.dv, m.dValues, block, count, 1);
            }
            stages.turn(arguments, m.dQueries, m.queryRows, m.panels, m.padded, 0);
            stages.copy(
                    arguments,
                    rows,
                    group,
                    call.size,
                    call.query(call.dq, piece.start, piece.head),
                    call.dq.rowBytes(),
                    (long) call.size * Float.BYTES,
                    m.queryRows,
                    m.row * group,
                    m.row,
                    call.scale);
        }

        private void zero(long address, long bytes) {
            scratch.at(address, bytes).fill((byte) 0);
        }

        /** Rows of queries, or what is shaped like them, times a factor. */
        private void queryRows(Tensor from, long to, float factor) {
            zero(to, (long) m.panels * LANES * m.row);
            stages.copy(
                    arguments,
                    rows,
                    group,
                    call.size,
                    to,
                    m.row * group,
                    m.row,
                    call.query(from, piece.start, piece.head),
                    from.rowBytes(),
                    (long) call.size * Float.BYTES,
                    factor);
        }

        private void begin() {
            queryRows(call.dy, m.dyRows, 1);
            queryRows(call.y, m.queryRows, 1);
            stages.dots(arguments, m.dyRows, m.queryRows, m.lane(1), m.panels * LANES, m.padded);
            queryRows(call.q, m.queryRows, call.scale * Attention.LOG2_E);
            rightFactors(m.queryRows, m.queries, m.queriesAcross);
            rightFactors(m.dyRows, m.dys, m.dysAcross);
            zero(m.dQueries, (long) m.panels * m.padded * LINE);
            zero(m.keyRows, KEYS * m.row);
            zero(m.valueRows, KEYS * m.row);
            MemorySegment sums = scratch.at(m.lane(0), (long) m.panels * LINE);
            MemorySegment first = scratch.at(m.lane(2), (long) m.panels * LINE);
            MemorySegment last = scratch.at(m.lane(3), (long) m.panels * LINE);
            long heads = call.logSumExp.columns();
            for (int lane = 0; lane < m.panels * LANES; lane++) {
                int row = lane / group;
                boolean query = row < rows;
                long at = (piece.start + row) * heads + (long) piece.head * group + lane % group;
                sums.setAtIndex(
                        ValueLayout.JAVA_FLOAT,
                        lane,
                        query ? call.logSumExp.getFloat(at) * Attention.LOG2_E : NO_QUERY);
                first.setAtIndex(ValueLayout.JAVA_INT, lane, first(Math.min(row, rows - 1)));
                last.setAtIndex(ValueLayout.JAVA_INT, lane, Math.min(row, rows - 1));
            }
        }

        /** Rows of queries as columns of the first products, and as rows of the later ones. */
        private void rightFactors(long from, long along, long across) {
            stages.pack(
                    arguments,
                    from,
                    m.padded,
                    m.panels * LANES,
                    call.size,
                    true,
                    OperandPanel.Order.STEPS,
                    along,
                    m.queryPanel,
                    0);
            for (int panel = 0; panel < m.panels; panel += PANELS) {
                stages.pack(
                        arguments,
                        from + (long) panel * LANES * m.row,
                        m.padded,
                        m.padded,
                        Math.min(PANELS, m.panels - panel) * LANES,
                        false,
                        OperandPanel.Order.STEPS,
                        across + (long) panel / PANELS * headPanels * m.acrossPanel,
                        m.acrossPanel,
                        0);
            }
        }

        private void load(int block, int count) {
            int row = piece.start + block;
            Tensor[] from = {call.k, call.v};
            long[] to = {m.keyRows, m.valueRows};
            for (int i = 0; i < 2; i++) {
                stages.copy(
                        arguments,
                        1,
                        count,
                        call.size,
                        to[i],
                        0,
                        m.row,
                        call.key(from[i], row, piece.head),
                        0,
                        from[i].rowBytes(),
                        1);
            }
            if (stages.bf16()) {
                OperandPanel.Order order = OperandPanel.Order.LANES;
                int size = call.size;
                stages.pack(arguments, m.keyRows, m.padded, count, size, true, order, m.keys, m.keyPanel, 0);
                stages.pack(arguments, m.valueRows, m.padded, count, size, true, order, m.values, m.keyPanel, 0);
                stages.pack(
                        arguments, m.keyRows, m.padded, size, count, false, order, m.keysAcross, m.keyAcrossPanel, 0);
            }
        }

        private void meet(int block, int panel, int panels) {
            int firstRow = Math.min(panel * LANES / group, rows - 1);
            int lastRow = Math.min(((panel + panels) * LANES - 1) / group, rows - 1);
            int visible = Math.min(KEYS, lastRow + 1 - block);
            if (visible <= 0 || first(firstRow) >= block + KEYS) {
                return;
            }
            boolean masked = firstRow < block + KEYS - 1 || first(lastRow) > block;
            int count = AttentionStages.roundUp(visible, 32);
            int keyPanels = (visible + LANES - 1) / LANES;
            boolean bf16 = stages.bf16();
            long scoresPanel = AttentionStages.SCORES_PANEL;
            product(
                    bf16 ? AttentionStages.packed(m.keys, m.keyPanel, 0) : stages.along(m.keyRows, m.padded),
                    new Right(m.queries + panel * m.queryPanel, m.queryPanel, 0),
                    call.size,
                    m.scores,
                    scoresPanel,
                    keyPanels,
                    panels,
                    false);
            product(
                    bf16 ? AttentionStages.packed(m.values, m.keyPanel, 0) : stages.along(m.valueRows, m.padded),
                    new Right(m.dys + panel * m.queryPanel, m.queryPanel, 0),
                    call.size,
                    m.slopes,
                    scoresPanel,
                    keyPanels,
                    panels,
                    false);
            long lane = (long) panel * LINE;
            arguments
                    .set(AttentionSlope.SCORES, m.scores)
                    .set(AttentionSlope.SLOPES, m.slopes)
                    .set(AttentionSlope.PANEL, scoresPanel)
                    .set(AttentionSlope.COUNT, count)
                    .set(AttentionSlope.PANELS, panels)
                    .set(AttentionSlope.LOG_SUM_EXP, m.lane(0) + lane)
                    .set(AttentionSlope.WHOLE, m.lane(1) + lane)
                    .set(AttentionSlope.FIRST, m.lane(2) + lane)
                    .set(AttentionSlope.LAST, m.lane(3) + lane)
                    .set(AttentionSlope.KEY, block)
                    .set(AttentionSlope.LEFT_P, m.leftP)
                    .set(AttentionSlope.LEFT_DS, m.leftSlopes)
                    .set(AttentionSlope.LEFT_PANEL, m.leftPanel)
                    .set(AttentionSlope.RIGHT_DS, m.rightSlopes)
                    .set(AttentionSlope.RIGHT_PANEL, m.rightPanel);
            stages.slope(arguments, masked);
            Left p = bf16 ? AttentionStages.packed(m.leftP, m.leftPanel, 0) : AttentionStages.panelsOfKeys(m.scores);
            Left ds = bf16
                    ? AttentionStages.packed(m.leftSlopes, m.leftPanel, 0)
                    : AttentionStages.panelsOfKeys(m.slopes);
            long across = (long) panel / PANELS * headPanels * m.acrossPanel;
            Right dys = new Right(m.dysAcross + across, m.acrossPanel, 0);
            Right queries = new Right(m.queriesAcross + across, m.acrossPanel, 0);
            int k = panels * LANES;
            product(p, dys, k, m.dValues, scoresPanel, count / LANES, headPanels, true);
            product(ds, queries, k, m.dKeys, scoresPanel, count / LANES, headPanels, true);
            product(
                    bf16
                            ? AttentionStages.packed(m.keysAcross, m.keyAcrossPanel, 0)
                            : stages.across(m.keyRows, m.padded),
                    bf16 ? new Right(m.rightSlopes, m.rightPanel, 0) : new Right(m.slopes, scoresPanel, 0),
                    visible,
                    m.dQueries + (long) panel * m.padded * LINE,
                    (long) m.padded * LINE,
                    headPanels,
                    panels,
                    true);
        }

        private void product(
                Left left, Right right, int k, long c, long cPanel, int rowPanels, int columnPanels, boolean add) {
            stages.product(arguments, left, right, k, c, cPanel, rowPanels, columnPanels, add, Terms.ONE, 0);
        }

        /** The gradient of a block of keys or values, panels of elements, to rows of a tensor. */
        private void store(Tensor to, long from, int block, int count, float factor) {
            for (int panel = 0; panel < headPanels; panel++) {
                stages.copy(
                        arguments,
                        1,
                        count,
                        Math.min(LANES, call.size - panel * LANES),
                        call.key(to, piece.start + block, piece.head) + (long) panel * LINE,
                        0,
                        to.rowBytes(),
                        from + panel * AttentionStages.SCORES_PANEL,
                        0,
                        LINE,
                        factor);
            }
        }
    }

    void close() {
        for (Scratch each : scratch) {
            each.close();
        }
    }
}
