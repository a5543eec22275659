package dev.puna.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.puna.formats.Safetensors;
import dev.puna.kernels.AdamWStep;
import dev.puna.kernels.ComputePrecision;
import dev.puna.kernels.Kernels;
import dev.puna.tensor.Tensor;
import dev.puna.tensor.ThreadTeam;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Losses, every gradient and ten AdamW steps against PyTorch's: {@code tools/golden/training.py}. */
class LlamaTrainingGoldenTest {
    private static final int T = 24;

    @TempDir
    Path temporary;

    private record Golden(Safetensors file, LlamaConfig config, PackedBatch batch) implements AutoCloseable {
        @Override
        public void close() {
            file.close();
        }
    }

    private Golden open(String name) throws IOException {
        Safetensors file = Safetensors.open(Path.of("src/test/resources/golden-training", name + ".safetensors"));
        Path json = temporary.resolve("config.json");
        Files.writeString(
                json,
                "{\"model_type\":\"llama\"," + file.metadata().get("config").substring(1));
        int[] positions = new int[2 * T];
        Arrays.setAll(positions, i -> i % T);
        PackedBatch batch = new PackedBatch(ints(file, "ids"), ints(file, "targets"), positions, ints(file, "first"));
        return new Golden(file, HuggingFaceFormat.readConfig(json), batch);
    }

    private static int[] ints(Safetensors file, String name) {
        return Arrays.stream(file.tensor(name).data().toArray(Tensor.I64_LE))
                .mapToInt(Math::toIntExact)
                .toArray();
    }

    private static void load(ParameterStore store, Safetensors file) {
        for (ParameterStore.Parameter parameter : store.parameters()) {
            parameter
                    .weight()
                    .data()
                    .copyFrom(file.tensor("w/" + parameter.name()).data());
        }
    }

    private static double distance(Tensor found, Tensor expected) {
        double difference = 0;
        double norm = 0;
        for (long i = 0; i < found.shape().elementCount(); i++) {
            double e = expected.getFloat(i);
            difference += (found.getFloat(i) - e) * (found.getFloat(i) - e);
            norm += e * e;
        }
        return Math.sqrt(difference / norm);
    }

    private static double[] tenSteps(ParameterStore store, LlamaTraining training, PackedBatch batch, Kernels kernels) {
        double[] losses = new double[10];
        for (int step = 0; step < 10; step++) {
            store.clearGradients(kernels.threads());
            losses[step] =
                    training.forwardBackward(batch, 1f / batch.validCount(), 0).mean();
            for (ParameterStore.Parameter p : store.parameters()) {
                double decay = p.isMatrix() ? 0.1 : 0;
                kernels.adamW(
                        p.weight(),
                        p.firstMoment(),
                        p.secondMoment(),
                        p.gradient(),
                        new AdamWStep(1e-3, 0.9, 0.95, 1e-8, decay, step + 1, 1));
            }
        }
        return losses;
    }

    @ParameterizedTest
    @CsvSource({
        "llama-1,reference",
        "gqa,reference",
        "tied,reference",
        "documents,reference",
        "llama-1,auto",
        "gqa,auto",
        "tied,auto",
        "documents,auto"
    })
    void lossGradientsAndTenSteps(String name, String tier) throws IOException {
        try (Golden golden = open(name);
                ThreadTeam team = new ThreadTeam("golden", 2);
                Kernels kernels = Kernels.open(tier, team);
                ParameterStore store = new ParameterStore(golden.config());
                LlamaTraining training = new LlamaTraining(
                        store, kernels, ComputePrecision.F32, KeptActivations.LINEAR_OUTPUTS, 2 * T)) {
            load(store, golden.file());
            float[] expected = golden.file().tensor("losses").toFloats();
            PackedBatch batch = golden.batch();
            assertThat(training.evaluate(batch).mean()).isCloseTo(expected[0], within(1e-5 * expected[0]));
            training.forwardBackward(batch, 1f / batch.validCount(), 0);
            for (ParameterStore.Parameter p : store.parameters()) {
                assertThat(distance(p.gradient(), golden.file().tensor("g/" + p.name())))
                        .as(p.name())
                        .isLessThan(1e-5);
            }
            double[] losses = tenSteps(store, training, batch, kernels);
            for (int i = 0; i < 10; i++) {
                assertThat(losses[i]).as("step " + i).isCloseTo(expected[i], within(1e-5 * expected[i]));
            }
            for (ParameterStore.Parameter p : store.parameters()) {
                assertThat(distance(p.weight(), golden.file().tensor("e/" + p.name())))
                        .as(p.name())
                        .isLessThan(1e-5);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama-1", "gqa", "tied", "documents"})
    void tenLossesInBf16(String name) throws IOException {
        try (Golden golden = open(name);
                ThreadTeam team = new ThreadTeam("golden", 2);
                Kernels kernels = Kernels.open("auto", team);
                ParameterStore store = new ParameterStore(golden.config());
                LlamaTraining training = new LlamaTraining(
                        store, kernels, ComputePrecision.BF16, KeptActivations.LINEAR_OUTPUTS, 2 * T)) {
            load(store, golden.file());
            float[] expected = golden.file().tensor("losses_bf16").toFloats();
            double[] losses = tenSteps(store, training, golden.batch(), kernels);
            for (int i = 0; i < 10; i++) {
                assertThat(losses[i]).as("step " + i).isCloseTo(expected[i], within(0.01 * expected[i]));
            }
        }
    }

    /** Whatever is kept, and on any number of threads: the same bits after ten steps. */
    @Test
    void keepingAndThreadsDoNotMatter() throws IOException {
        List<float[]> first = new ArrayList<>();
        try (Golden golden = open("documents")) {
            for (KeptActivations keeping : KeptActivations.values()) {
                for (int threads : new int[] {1, 2, 7}) {
                    try (ThreadTeam team = new ThreadTeam("bits", threads);
                            Kernels kernels = Kernels.open("auto", team);
                            ParameterStore store = new ParameterStore(golden.config());
                            LlamaTraining training =
                                    new LlamaTraining(store, kernels, ComputePrecision.BF16, keeping, 2 * T)) {
                        store.initialize(new ParameterStore.Initialization(0.2, true), 5, team);
                        tenSteps(store, training, golden.batch(), kernels);
                        List<float[]> weights = store.parameters().stream()
                                .map(p -> p.weight().toFloats())
                                .toList();
                        if (first.isEmpty()) {
                            first.addAll(weights);
                        }
                        for (int i = 0; i < weights.size(); i++) {
                            assertThat(Arrays.equals(weights.get(i), first.get(i)))
                                    .as(keeping + " on " + threads)
                                    .isTrue();
                        }
                    }
                }
            }
        }
    }

    /**
     * The sum over valid tokens of the global batch: one piece, two or eight, with ragged masks (and one piece of which
     * nothing counts), give the same loss and gradients. A tied head adds to the embedding's gradient from every piece.
     */
    @ParameterizedTest
    @CsvSource({"gqa,2", "tied,2", "gqa,8", "tied,8"})
    void piecesOfABatch(String name, int pieces) throws IOException {
        try (Golden golden = open(name);
                ThreadTeam team = new ThreadTeam("pieces", 2);
                Kernels kernels = Kernels.open("auto", team);
                ParameterStore store = new ParameterStore(golden.config());
                LlamaTraining training =
                        new LlamaTraining(store, kernels, ComputePrecision.F32, KeptActivations.EVERYTHING, 2 * T)) {
            load(store, golden.file());
            PackedBatch b = ragged(golden.batch(), pieces);
            float scale = 1f / b.validCount();
            LlamaTraining.Loss whole = training.forwardBackward(b, scale, 0);
            List<float[]> expected = store.parameters().stream()
                    .map(p -> p.gradient().toFloats())
                    .toList();
            store.clearGradients(kernels.threads());
            LlamaTraining.Loss sum = new LlamaTraining.Loss(0, 0);
            int rows = 2 * T / pieces;
            for (int from = 0; from < 2 * T; from += rows) {
                int begin = from;
                int[] first = Arrays.stream(b.firstVisible(), from, from + rows)
                        .map(row -> row - begin)
                        .toArray();
                PackedBatch piece = new PackedBatch(
                        Arrays.copyOfRange(b.ids(), from, from + rows),
                        Arrays.copyOfRange(b.targets(), from, from + rows),
                        Arrays.copyOfRange(b.positions(), from, from + rows),
                        first);
                sum = sum.plus(training.forwardBackward(piece, scale, 0));
            }
            assertThat(sum.validCount()).isEqualTo(whole.validCount());
            assertThat(sum.mean()).isCloseTo(whole.mean(), within(1e-6));
            for (int i = 0; i < expected.size(); i++) {
                Tensor gradient = store.parameters().get(i).gradient();
                assertThat(distance(gradient, Tensor.ofFloats(expected.get(i), expected.get(i).length)))
                        .as(store.parameters().get(i).name())
                        .isLessThan(1e-6);
            }
        }
    }

    /** The same tokens as that many sequences of equal length; the second of them, if there are more than two, is masked. */
    private static PackedBatch ragged(PackedBatch batch, int sequences) {
        int rows = batch.rowCount() / sequences;
        int[] targets = batch.targets().clone();
        if (sequences > 2) {
            Arrays.fill(targets, rows, 2 * rows, Kernels.IGNORED);
        }
        int[] positions = new int[batch.rowCount()];
        int[] first = new int[batch.rowCount()];
        Arrays.setAll(positions, i -> i % rows);
        Arrays.setAll(first, i -> i - i % rows);
        return new PackedBatch(batch.ids(), targets, positions, first);
    }

    /**
     * Gradients add up in fp32 also where products are in bf16: of 512 equal pieces all are in the sum. A sum in bf16
     * would stand still after 256.
     */
    @Test
    void gradientsOfManyPiecesDoNotDrift() throws IOException {
        try (Golden golden = open("gqa");
                ThreadTeam team = new ThreadTeam("drift", 2);
                Kernels kernels = Kernels.open("auto", team);
                ParameterStore store = new ParameterStore(golden.config());
                LlamaTraining training =
                        new LlamaTraining(store, kernels, ComputePrecision.BF16, KeptActivations.EVERYTHING, 2 * T)) {
            load(store, golden.file());
            float scale = 1f / golden.batch().validCount();
            training.forwardBackward(golden.batch(), scale, 0);
            List<float[]> one = store.parameters().stream()
                    .map(p -> p.gradient().toFloats())
                    .toList();
            for (int i = 1; i < 512; i++) {
                training.forwardBackward(golden.batch(), scale, 0);
            }
            for (int p = 0; p < one.size(); p++) {
                float[] expected = one.get(p).clone();
                for (int i = 0; i < expected.length; i++) {
                    expected[i] *= 512;
                }
                assertThat(distance(store.parameters().get(p).gradient(), Tensor.ofFloats(expected, expected.length)))
                        .as(store.parameters().get(p).name())
                        .isLessThan(1e-5);
            }
        }
    }

    /** Rows that pad the vocabulary take no part in the softmax and get no gradient, tied or not. */
    @ParameterizedTest
    @ValueSource(strings = {"gqa", "tied"})
    void paddedVocabulary(String name) throws IOException {
        try (Golden golden = open(name)) {
            LlamaConfig c = golden.config();
            LlamaConfig padded = new LlamaConfig(
                    64,
                    c.width(),
                    c.layerCount(),
                    c.headCount(),
                    c.kvHeadCount(),
                    c.headSize(),
                    c.feedForwardWidth(),
                    c.contextLength(),
                    c.normEpsilon(),
                    c.ropeBase(),
                    c.ropeScaling(),
                    c.tiedHead(),
                    false,
                    false);
            try (ThreadTeam team = new ThreadTeam("padded", 2);
                    Kernels kernels = Kernels.open("auto", team);
                    ParameterStore store = new ParameterStore(padded);
                    LlamaTraining training = new LlamaTraining(
                            store, kernels, ComputePrecision.F32, KeptActivations.EVERYTHING, 2 * T, 61)) {
                // Large numbers in the padding: in a softmax they would show.
                store.initialize(new ParameterStore.Initialization(5, false), 3, team);
                for (ParameterStore.Parameter p : store.parameters()) {
                    Tensor stored = golden.file().tensor("w/" + p.name());
                    p.weight().rows(0, stored.rows()).data().copyFrom(stored.data());
                }
                PackedBatch batch = golden.batch();
                double expected = golden.file().tensor("losses").toFloats()[0];
                assertThat(training.forwardBackward(batch, 1f / batch.validCount(), 0)
                                .mean())
                        .isCloseTo(expected, within(1e-5 * expected));
                for (ParameterStore.Parameter p : store.parameters()) {
                    Tensor wanted = golden.file().tensor("g/" + p.name());
                    long rows = wanted.rows();
                    assertThat(distance(p.gradient().rows(0, rows), wanted))
                            .as(p.name())
                            .isLessThan(1e-5);
                    if (p.gradient().rows() > rows) {
                        assertThat(kernels.squaredNorm(
                                        p.gradient().rows(rows, p.gradient().rows())))
                                .isZero();
                    }
                }
            }
        }
    }

    /** A tied head is one parameter: its gradient is in the global norm once. */
    @ParameterizedTest
    @ValueSource(strings = {"gqa", "tied"})
    void globalNormCountsEveryParameterOnce(String name) throws IOException {
        try (Golden golden = open(name);
                ThreadTeam team = new ThreadTeam("norm", 2);
                Kernels kernels = Kernels.open("auto", team);
                ParameterStore store = new ParameterStore(golden.config());
                LlamaTraining training =
                        new LlamaTraining(store, kernels, ComputePrecision.F32, KeptActivations.EVERYTHING, 2 * T)) {
            load(store, golden.file());
            training.forwardBackward(golden.batch(), 1f / golden.batch().validCount(), 0);
            double expected = 0;
            for (String tensor : golden.file().names()) {
                if (tensor.startsWith("g/")) {
                    for (float g : golden.file().tensor(tensor).toFloats()) {
                        expected += (double) g * g;
                    }
                }
            }
            double found = 0;
            for (ParameterStore.Parameter p : store.parameters()) {
                found += kernels.squaredNorm(p.gradient());
            }
            assertThat(Math.sqrt(found)).isCloseTo(Math.sqrt(expected), within(1e-5 * Math.sqrt(expected)));
        }
    }

    /** The z-loss moves gradients, and the loss that is told stays the cross-entropy. */
    @Test
    void zLossIsNotInTheLoss() throws IOException {
        try (Golden golden = open("gqa");
                ThreadTeam team = new ThreadTeam("z", 2);
                Kernels kernels = Kernels.open("auto", team);
                ParameterStore store = new ParameterStore(golden.config());
                LlamaTraining training =
                        new LlamaTraining(store, kernels, ComputePrecision.F32, KeptActivations.EVERYTHING, 2 * T)) {
            load(store, golden.file());
            float scale = 1f / golden.batch().validCount();
            LlamaTraining.Loss plain = training.forwardBackward(golden.batch(), scale, 0);
            float[] gradient = store.gradients().head().toFloats();
            store.clearGradients(team);
            LlamaTraining.Loss regularized = training.forwardBackward(golden.batch(), scale, 0.1f);
            assertThat(regularized).isEqualTo(plain);
            assertThat(distance(store.gradients().head(), Tensor.ofFloats(gradient, gradient.length)))
                    .isGreaterThan(1e-3);
        }
    }

    /** A batch of which nothing counts gives no NaN and no gradient. */
    @Test
    void nothingCounts() throws IOException {
        try (Golden golden = open("gqa");
                ThreadTeam team = new ThreadTeam("nothing", 1);
                Kernels kernels = Kernels.open("auto", team);
                ParameterStore store = new ParameterStore(golden.config());
                LlamaTraining training =
                        new LlamaTraining(store, kernels, ComputePrecision.F32, KeptActivations.LAYER_INPUTS, 2 * T)) {
            load(store, golden.file());
            PackedBatch b = golden.batch();
            int[] none = new int[2 * T];
            Arrays.fill(none, Kernels.IGNORED);
            LlamaTraining.Loss loss =
                    training.forwardBackward(new PackedBatch(b.ids(), none, b.positions(), b.firstVisible()), 1, 0.1f);
            assertThat(loss).isEqualTo(new LlamaTraining.Loss(0, 0));
            for (ParameterStore.Parameter p : store.parameters()) {
                assertThat(kernels.squaredNorm(p.gradient())).isZero();
            }
        }
    }
}
