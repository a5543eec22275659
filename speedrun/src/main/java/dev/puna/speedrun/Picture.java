package dev.puna.speedrun;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.puna.training.StepReport;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/** Everything that there is to see of a run at this moment; the live page and the report draw it. For all threads. */
final class Picture {
    /** Points that a curve is drawn with, at most. */
    private static final int POINTS = 1000;

    /** A stage on the page. */
    record StageState(String name, String description, String state, double seconds, String text, double fraction) {}

    /** A bar of the data funnel: documents and bytes of text that are left after a step, and why others went. */
    record FunnelStep(String name, long documents, long bytes, Map<String, Long> gone) {}

    /** A step of training, as the curves need it. */
    record Point(long step, double loss, double tokensPerSecond, double lr, double bitsPerByte) {}

    /** What the model wrote after so many steps. */
    record Grown(long step, String prompt, String text) {}

    /** All of it. */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Snapshot(
            String corpus,
            double minutes,
            double secondsSoFar,
            boolean finished,
            List<StageState> stages,
            List<FunnelStep> funnel,
            @Nullable Plan plan,
            List<Point> points,
            double mfu,
            List<Grown> growing,
            @Nullable Results results) {}

    private final String corpus;
    private final double minutes;
    private final long began = System.nanoTime();
    private final Map<Stage, StageState> stages = new EnumMap<>(Stage.class);
    private final List<FunnelStep> funnel = new ArrayList<>();
    private final List<StepReport> steps = new ArrayList<>();
    private final List<Grown> growing = new ArrayList<>();
    private @Nullable Plan plan;
    private @Nullable Results results;
    private double earlierSeconds;
    private long stageBegan = began;

    Picture(String corpus, double minutes) {
        this.corpus = corpus;
        this.minutes = minutes;
        for (Stage stage : Stage.values()) {
            stages.put(stage, new StageState(stage.title(), stage.description(), "waiting", 0, "", 0));
        }
    }

    synchronized void begins(Stage stage) {
        stageBegan = System.nanoTime();
        put(stage, "running", 0, "", 0);
    }

    synchronized void progress(Stage stage, double fraction, String text) {
        put(stage, "running", (System.nanoTime() - stageBegan) / 1e9, text, fraction);
    }

    synchronized void done(Stage stage, double seconds, String summary, boolean earlier) {
        if (earlier) {
            earlierSeconds += seconds;
        }
        put(stage, "done", seconds, summary, 1);
    }

    private void put(Stage stage, String state, double seconds, String text, double fraction) {
        stages.put(stage, new StageState(stage.title(), stage.description(), state, seconds, text, fraction));
    }

    synchronized void funnel(List<FunnelStep> all) {
        funnel.clear();
        funnel.addAll(all);
    }

    synchronized List<FunnelStep> funnel() {
        return List.copyOf(funnel);
    }

    synchronized void plan(Plan made) {
        plan = made;
    }

    synchronized void results(Results made) {
        results = made;
    }

    /** What earlier starts of this run have logged. */
    synchronized void steps(List<StepReport> earlier) {
        steps.clear();
        steps.addAll(earlier);
    }

    synchronized void step(StepReport report) {
        while (!steps.isEmpty() && steps.getLast().step() >= report.step()) {
            steps.removeLast();
        }
        steps.add(report);
    }

    synchronized Optional<StepReport> lastStep() {
        return steps.isEmpty() ? Optional.empty() : Optional.of(steps.getLast());
    }

    synchronized void sample(long step, String prompt, String text) {
        growing.add(new Grown(step, prompt, text));
    }

    synchronized List<Grown> growing() {
        return List.copyOf(growing);
    }

    synchronized double secondsSoFar() {
        return earlierSeconds + (System.nanoTime() - began) / 1e9;
    }

    synchronized Snapshot snapshot() {
        List<Point> points = new ArrayList<>();
        int every = Math.max(1, steps.size() / POINTS);
        double loss = 0;
        double rate = 0;
        int count = 0;
        for (StepReport report : steps) {
            loss += report.loss();
            rate += report.tokensPerSecond();
            count++;
            if (count == every
                    || report.bitsPerByte().isPresent()
                    || report.step() == steps.getLast().step()) {
                points.add(new Point(
                        report.step(),
                        loss / count,
                        rate / count,
                        report.lr(),
                        report.bitsPerByte().orElse(0.0)));
                loss = 0;
                rate = 0;
                count = 0;
            }
        }
        return new Snapshot(
                corpus,
                minutes,
                secondsSoFar(),
                results != null,
                List.copyOf(stages.values()),
                List.copyOf(funnel),
                plan,
                points,
                steps.isEmpty() ? 0 : steps.getLast().mfu().orElse(0.0),
                List.copyOf(growing),
                results);
    }

    String json() {
        return JsonMapper.shared().writeValueAsString(snapshot());
    }
}
