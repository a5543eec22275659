package dev.puna.speedrun;

import java.io.IOException;
import java.util.Map;

/** {@code report.html} (the page of the run, with its plots, as it stood at the end) and {@code report.md}. */
final class Report {
    private Report() {}

    static void write(RunDirectory directory, Picture picture, Results results, int heldOutOneIn) throws IOException {
        Speedrun.write(directory.path("report.html"), SpeedrunPage.standalone(picture.json()));
        Speedrun.write(directory.path("report.md"), markdown(picture, results, heldOutOneIn));
    }

    static String markdown(Picture picture, Results results, int heldOutOneIn) {
        StringBuilder text = new StringBuilder();
        Picture.Snapshot all = picture.snapshot();
        Plan plan = results.plan();
        HeldOutMeasure measure = results.heldOut();
        Yardstick yardstick = results.yardstick();
        line(text, "# A LLaMA in %s minute%s", trim(all.minutes()), all.minutes() == 1 ? "" : "s");
        line(text, "");
        line(text, "Corpus: %s. Held out by a hash of the path: one document in %d.", all.corpus(), heldOutOneIn);
        line(text, "");
        line(
                text,
                "| bits per byte of %,d held-out files, %,d bytes | each file alone | all packed |",
                measure.texts(),
                measure.bytes());
        line(text, "|---|---|---|");
        line(text, "| **this model** | **%.4f** | – |", measure.bitsPerByte());
        line(text, "| `xz -9` | %.4f | %.4f |", yardstick.xzAlone(), yardstick.xzPacked());
        line(text, "| `zstd -19` | %.4f | %.4f |", yardstick.zstdAlone(), yardstick.zstdPacked());
        line(text, "");
        line(
                text,
                "A model's bits are −log₂ of the probability of every token of a file behind a begin-of-text token,"
                        + " in windows of %d tokens that overlap by half; the plan expected %.3f. All figures are sums"
                        + " over the files divided by the sum of their bytes, so a large file weighs more. The weights"
                        + " are not counted, as the program is not for `xz`.",
                plan.shape().contextLength(),
                plan.expectedBitsPerByte());
        line(text, "");
        line(text, "| | |");
        line(text, "|---|---|");
        line(
                text,
                "| parameters | %,d (%d layers of %d, vocabulary %,d, context %d) |",
                plan.parameters(),
                plan.shape().layerCount(),
                plan.shape().width(),
                plan.shape().vocabularySize(),
                plan.shape().contextLength());
        line(
                text,
                "| tokens seen | %,d, %.2f epochs of %,d |",
                results.training().tokens(),
                (double) results.training().tokens() / results.trainingTokens(),
                results.trainingTokens());
        line(
                text,
                "| loss, training / held out | %.4f / %.4f nats per token |",
                results.training().loss(),
                measure.loss());
        line(text, "| tokens per second | %,.0f |", results.training().tokensPerSecond());
        line(
                text,
                "| MFU | %.1f %% of %s GFLOP/s (%s) |",
                100 * results.training().mfu(),
                Figures.text("%,.0f", plan.speed().peakFlops() / 1e9),
                plan.speed().peakName());
        line(
                text,
                "| compute | %.2e FLOP |",
                results.training().tokens() * plan.shape().flopsPerToken());
        line(text, "| peak memory | %sB |", Figures.count(results.peakMemoryBytes()));
        line(text, "");
        line(text, "| stage | seconds | share |");
        line(text, "|---|---|---|");
        for (Results.StageSeconds stage : results.stages()) {
            line(
                    text,
                    "| %s | %.1f | %.1f %% |",
                    stage.stage(),
                    stage.seconds(),
                    100 * stage.seconds() / results.seconds());
        }
        line(text, "| all | %.1f | data and tokenizer %.1f %% |", results.seconds(), 100 * results.dataShare());
        line(text, "");
        line(text, "| data | documents | bytes | gone |");
        line(text, "|---|---|---|---|");
        for (Picture.FunnelStep step : all.funnel()) {
            StringBuilder gone = new StringBuilder();
            for (Map.Entry<String, Long> entry : step.gone().entrySet()) {
                gone.append(gone.isEmpty() ? "" : ", ")
                        .append(entry.getValue())
                        .append(' ')
                        .append(entry.getKey());
            }
            line(text, "| %s | %,d | %,d | %s |", step.name(), step.documents(), step.bytes(), gone);
        }
        line(text, "");
        line(text, "## What it writes");
        for (Samples sample : results.samples()) {
            line(text, "");
            line(text, "```");
            line(text, "%s", (sample.prompt() + "⟨…⟩" + sample.text()).replace("```", "'''"));
            line(text, "```");
        }
        return text.toString();
    }

    private static String trim(double minutes) {
        return minutes == Math.rint(minutes) ? Long.toString((long) minutes) : Double.toString(minutes);
    }

    @SuppressWarnings("AnnotateFormatMethod")
    private static void line(StringBuilder text, String format, Object... values) {
        text.append(Figures.text(format, values)).append('\n');
    }
}
