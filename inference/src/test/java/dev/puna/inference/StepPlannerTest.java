package dev.puna.inference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.model.LlamaConfig;
import dev.puna.model.RopeScaling;
import dev.puna.tensor.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class StepPlannerTest {
    private static final int PAGE = 4;
    private static final int STEP_ROWS = 200;
    private static final LlamaConfig CONFIG =
            new LlamaConfig(64, 32, 1, 2, 1, 16, 32, 512, 1e-5f, 10_000, new RopeScaling.None(), false, false, false);
    private static final EngineOptions OPTIONS =
            EngineOptions.defaults().withPageLength(PAGE).withMaxSequences(4).withMixedPrefill(100);

    private final EngineTally tally = new EngineTally();
    private final List<PagePool> pools = new ArrayList<>();
    private long arrivals;

    @AfterEach
    void close() {
        pools.forEach(PagePool::close);
    }

    private PagePool pool(int pages) {
        PagePool pool = new PagePool(CONFIG, DType.F32, PAGE, pages);
        pools.add(pool);
        return pool;
    }

    private StepPlanner planner(PagePool pool) {
        return new StepPlanner(OPTIONS, pool, STEP_ROWS, null, tally);
    }

    private ActiveSequence sequence(PagePool pool, long chain, Purpose purpose, int... prompt) {
        EngineRequest what = EngineRequest.of(prompt, GenerationOptions.DEFAULT.withMaxTokens(50));
        ActiveRequest request = new ActiveRequest(what, new Generation(() -> {}), CONFIG.vocabularySize(), purpose);
        ActiveSequence sequence = new ActiveSequence(
                request,
                0,
                arrivals++,
                new PageTable(pool, chain, CONFIG.layerCount()),
                50,
                new TextStream(Optional.empty(), prompt, List.of()));
        request.sequences.add(sequence);
        return sequence;
    }

    private ActiveSequence prompt(PagePool pool, int length, int id) {
        int[] ids = new int[length];
        Arrays.fill(ids, id);
        return sequence(pool, pool.newChain(), new Purpose.Answer(), ids);
    }

    /** One whose prompt is computed and that has its first token. */
    private ActiveSequence stream(PagePool pool, int length) {
        ActiveSequence sequence = prompt(pool, length, 5);
        sequence.table.reserve(0, length);
        sequence.done = length;
        sequence.ids[sequence.length++] = 7;
        return sequence;
    }

    private static List<Integer> rows(List<ActiveSequence> batch) {
        return batch.stream().map(sequence -> sequence.rows).toList();
    }

    @Test
    void streamsComeFirstAndPromptsTakeWhatTheyMay() {
        PagePool pool = pool(200);
        StepPlanner planner = planner(pool);
        ActiveSequence early = prompt(pool, 150, 1);
        ActiveSequence stream = stream(pool, 10);
        ActiveSequence late = prompt(pool, 30, 2);
        List.of(early, stream, late).forEach(planner::insert);
        assertThat(planner.plan()).containsExactly(early, stream);
        assertThat(rows(List.of(early, stream, late))).containsExactly(PrefillBudget.UNKNOWN, 1, 0);
    }

    @Test
    void promptsAloneTakeAWholeStep() {
        PagePool pool = pool(200);
        StepPlanner planner = planner(pool);
        ActiveSequence first = prompt(pool, 150, 1);
        ActiveSequence second = prompt(pool, 90, 2);
        planner.insert(second);
        planner.insert(first);
        assertThat(planner.plan()).containsExactly(first, second); // by arrival
        assertThat(rows(List.of(first, second))).containsExactly(150, STEP_ROWS - 150);
    }

    @Test
    void whoCameLastGivesItsPagesBackAndComesAgainFirst() {
        PagePool pool = pool(8);
        StepPlanner planner = planner(pool);
        ActiveSequence first = stream(pool, 16); // four full pages: the next row needs a fifth
        ActiveSequence second = stream(pool, 15); // four pages, one position left
        planner.insert(first);
        planner.insert(second);
        assertThat(planner.plan()).containsExactly(first);
        assertThat(tally.preemptions).isEqualTo(1);
        assertThat(second.table.pageCount()).isZero();
        assertThat(second.done).isZero();
        assertThat(planner.isRunning(second)).isFalse();
        assertThat(planner.readmit()).isFalse();
        first.table.free();
        planner.remove(List.of(first));
        assertThat(planner.readmit()).isTrue();
        assertThat(planner.isRunning(second)).isTrue();
    }

    @Test
    void aPageThatAnotherComputesIsWaitedForAndFound() {
        PagePool pool = pool(100);
        StepPlanner planner = planner(pool);
        long chain = pool.newChain();
        int[] ids = new int[21];
        Arrays.fill(ids, 9);
        ActiveSequence first = sequence(pool, chain, new Purpose.Answer(), ids);
        ActiveSequence second = sequence(pool, chain, new Purpose.Answer(), ids);
        planner.insert(first);
        planner.insert(second);
        assertThat(planner.plan()).containsExactly(first);
        first.done = 21;
        first.table.publish(first.ids, 21);
        first.ids[first.length++] = 7;
        first.clearStep();
        assertThat(planner.plan()).containsExactly(first, second);
        assertThat(second.done).isEqualTo(20);
        assertThat(rows(List.of(first, second))).containsExactly(1, 1);
        assertThat(tally.reusedTokens).isEqualTo(20);
    }

    @Test
    void thoseThatGenerateComeBeforeEmbeddings() {
        PagePool pool = pool(100);
        StepPlanner planner = planner(pool);
        ActiveSequence embedding = sequence(pool, pool.newChain(), new Purpose.Embedding(Pooling.MEAN), 1, 2, 3);
        ActiveSequence answer = prompt(pool, 5, 1);
        planner.insert(embedding);
        planner.insert(answer);
        assertThat(planner.plan()).containsExactly(answer, embedding);
    }

    @Test
    void thereAreAsManyPlacesAsSequencesAndPages() {
        PagePool pool = pool(8);
        StepPlanner planner = planner(pool);
        assertThat(planner.fits(1000, 5)).isTrue(); // nobody else is there
        planner.insert(stream(pool, 16));
        assertThat(planner.fits(16, 1)).isTrue();
        assertThat(planner.fits(17, 1)).isFalse();
        assertThat(planner.fits(4, 3)).isTrue();
        assertThat(planner.fits(4, 4)).isFalse();
    }
}
