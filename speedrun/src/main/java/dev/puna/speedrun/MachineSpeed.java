package dev.puna.speedrun;

import dev.puna.assembler.MeasuredPeaks;
import dev.puna.assembler.Processor;
import dev.puna.data.shard.TokenShardWriter;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.MachinePeaks;
import dev.puna.model.LlamaConfig;
import dev.puna.training.StepReport;
import dev.puna.training.Trainer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.DoubleConsumer;
import java.util.stream.Stream;

/**
 * How fast this machine trains, from real steps of the real trainer on two shapes. A token's time is modelled as
 * {@code flops / flopsPerSecond + elements / elementsPerSecond}: what products and attention compute, and what passes
 * through memory beside them (norms, rotations, SwiGLU, softmax over the vocabulary).
 *
 * @param flopsPerSecond in products
 * @param elementsPerSecond beside products
 * @param peakFlops the largest rate of multiply-adds that was measured on all threads: what MFU is of
 * @param peakName what gave it
 * @param steps what was measured
 */
public record MachineSpeed(
        double flopsPerSecond, double elementsPerSecond, double peakFlops, String peakName, List<MeasuredShape> steps) {
    /**
     * One measurement.
     *
     * @param shape what was trained
     * @param tokensPerSecond of the steps after the first, the median
     * @param count of these steps
     */
    public record MeasuredShape(Shape shape, double tokensPerSecond, int count) {}

    public MachineSpeed {
        steps = List.copyOf(steps);
    }

    /** Shapes far enough apart, both near what runs of minutes to hours choose. */
    static final List<Shape> SHAPES = List.of(Shape.of(192, 4, 4096, 1024), Shape.of(384, 6, 4096, 1024));

    private static final int LEAST_SEQUENCES = 4; // a small step: a slow machine takes three of them at least
    private static final int LEAST_STEPS = 3;
    private static final long SYNTHETIC_TOKENS = 1 << 20;

    /** Ends a measurement from inside the trainer. */
    private static final class Enough extends RuntimeException {
        private static final long serialVersionUID = 1;

        Enough() {
            super("enough", null, false, false);
        }
    }

    /** Seconds that training on one token takes. */
    double secondsPerToken(Shape shape) {
        return shape.flopsPerToken() / flopsPerSecond + shape.elementsPerToken() / elementsPerSecond;
    }

    /**
     * Takes about {@code seconds}, and writes below {@code scratch} what it removes again.
     *
     * @param progress told the share that is done
     */
    static MachineSpeed measure(Kernels kernels, Path scratch, double seconds, DoubleConsumer progress)
            throws IOException {
        delete(scratch); // of a run that was killed here
        Files.createDirectories(scratch);
        try {
            Path shard = scratch.resolve("random");
            try (TokenShardWriter writer =
                    new TokenShardWriter(shard, SHAPES.getFirst().vocabularySize())) {
                int[] ids = new int[1 << 16];
                long state = 1;
                for (long done = 0; done < SYNTHETIC_TOKENS; done += ids.length) {
                    for (int i = 0; i < ids.length; i++) {
                        state = state * 0x5851F42D4C957F2DL + 0x14057B7EF767814FL;
                        ids[i] = (int) ((state >>> 33) % SHAPES.getFirst().vocabularySize());
                    }
                    writer.add(ids, 0, ids.length);
                }
            }
            List<MeasuredShape> measured = new ArrayList<>();
            for (int i = 0; i < SHAPES.size(); i++) {
                double before = i;
                measured.add(steps(
                        SHAPES.get(i),
                        kernels,
                        scratch,
                        shard,
                        seconds / SHAPES.size(),
                        share -> progress.accept((before + share) / SHAPES.size())));
            }
            MeasuredPeaks.Work[] works = {MeasuredPeaks.Work.AMX_BF16, MeasuredPeaks.Work.BF16, MeasuredPeaks.Work.FP32
            };
            double peak = 0;
            String name = "";
            if (Processor.detect() instanceof Processor processor) {
                for (MeasuredPeaks.Work work : works) {
                    Optional<MeasuredPeaks.Peak> found = MeasuredPeaks.measure(
                            processor, work, kernels.threads().size());
                    if (found.isPresent() && 1e9 * found.get().together() > peak) {
                        peak = 1e9 * found.get().together();
                        name = work.title();
                    }
                }
            }
            if (peak == 0) {
                peak = 1e9 * MachinePeaks.gigaflops(kernels.threads());
                name = "fp32 multiply-add";
            }
            return solve(measured, peak, name);
        } finally {
            delete(scratch);
        }
    }

    /** Two equations, two unknowns; where noise makes one negative, all of the time is put to products. */
    static MachineSpeed solve(List<MeasuredShape> measured, double peak, String peakName) {
        MeasuredShape a = measured.getFirst();
        MeasuredShape b = measured.getLast();
        double ta = 1 / a.tokensPerSecond();
        double tb = 1 / b.tokensPerSecond();
        double determinant = a.shape().flopsPerToken() * b.shape().elementsPerToken()
                - b.shape().flopsPerToken() * a.shape().elementsPerToken();
        double perFlop = (ta * b.shape().elementsPerToken() - tb * a.shape().elementsPerToken()) / determinant;
        double perElement = (a.shape().flopsPerToken() * tb - b.shape().flopsPerToken() * ta) / determinant;
        if (!(perFlop > 0)) {
            perFlop = 0;
            perElement =
                    Math.max(ta / a.shape().elementsPerToken(), tb / b.shape().elementsPerToken());
        } else if (!(perElement > 0)) {
            perElement = 0;
            perFlop = Math.max(ta / a.shape().flopsPerToken(), tb / b.shape().flopsPerToken());
        }
        return new MachineSpeed(1 / perFlop, 1 / perElement, peak, peakName, measured);
    }

    private static MeasuredShape steps(
            Shape shape, Kernels kernels, Path scratch, Path shard, double seconds, DoubleConsumer progress)
            throws IOException {
        LlamaConfig config = shape.config();
        int replicas = kernels.threads().size();
        int sequences = Math.ceilDiv(LEAST_SEQUENCES, replicas) * replicas;
        RunRecipe recipe = new RunRecipe(
                config,
                shape.contextLength(),
                "measure",
                scratch.resolve("steps-" + config.width()),
                shard,
                List.of(),
                0,
                "",
                sequences,
                1,
                replicas,
                1e-3,
                0,
                0,
                1_000_000,
                "");
        List<Double> rates = new ArrayList<>();
        long begin = System.nanoTime();
        try (Trainer trainer = Trainer.begin(recipe.write(scratch.resolve("measure.yaml")), kernels)) {
            trainer.run(Optional.empty(), (StepReport step) -> {
                rates.add(step.tokensPerSecond());
                double elapsed = (System.nanoTime() - begin) / 1e9;
                progress.accept(Math.min(1, Math.min(elapsed / seconds, rates.size() / (double) LEAST_STEPS)));
                if (rates.size() >= LEAST_STEPS && elapsed > seconds) {
                    throw new Enough();
                }
            });
        } catch (Enough enough) {
            // The last third: by then the JIT has done its work.
            List<Double> warm = new ArrayList<>(rates.subList(2 * rates.size() / 3, rates.size()));
            warm.sort(Comparator.naturalOrder());
            return new MeasuredShape(shape, warm.get(warm.size() / 2), rates.size());
        }
        throw new IllegalStateException("the measurement ended by itself");
    }

    private static void delete(Path directory) throws IOException {
        if (!Files.exists(directory)) {
            return;
        }
        List<Path> all;
        try (Stream<Path> walk = Files.walk(directory)) {
            all = walk.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path path : all) {
            Files.deleteIfExists(path);
        }
    }
}
