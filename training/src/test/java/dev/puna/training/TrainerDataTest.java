package dev.puna.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.puna.data.shard.TokenShardWriter;
import dev.puna.kernels.Kernels;
import dev.puna.model.PackedBatch;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import dev.puna.tensor.ThreadTeam;
import dev.puna.tokenizer.EncodeOptions;
import dev.puna.tokenizer.SentencePieceModel;
import dev.puna.tokenizer.Tokenizer;
import dev.puna.tokenizer.TokenizerJson;
import dev.puna.tokenizer.train.CorpusCounter;
import dev.puna.tokenizer.train.SentencePieceTraining;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Shards, sources, stages and tokenizers of a run. */
class TrainerDataTest {
    @TempDir
    Path directory;

    private ThreadTeam team;
    private Kernels kernels;

    @BeforeEach
    void open() throws IOException {
        team = new ThreadTeam("data", 2);
        kernels = Kernels.open("vector", team);
        TrainerTest.writeShard(directory.resolve("train"), 40);
        TrainerTest.writeShard(directory.resolve("held"), 6);
    }

    @AfterEach
    void close() {
        kernels.close();
        team.close();
    }

    private Recipe recipe(String output, String... settings) throws IOException {
        return Recipe.parse(TrainerTest.yaml(directory, output), List.of(settings));
    }

    /** A shard whose every token is its own place: what is drawn tells where it comes from. */
    private Path counting(String name, int from, int tokens) throws IOException {
        Path prefix = directory.resolve(name);
        try (TokenShardWriter writer = new TokenShardWriter(prefix, from + tokens)) {
            writer.add(IntStream.range(from, from + tokens).toArray());
        }
        return prefix;
    }

    private List<StepReport> run(Trainer trainer) throws IOException {
        List<StepReport> reports = new ArrayList<>();
        trainer.run(Optional.empty(), reports::add);
        return reports;
    }

    // ------------------------------------------------------------------------------------------------- refusals

    @Test
    void aMissingShardIsNamedWithItsField() {
        assertThatThrownBy(() -> Trainer.begin(
                        recipe("missing", "data.sources=[{name: web, shards: [nowhere/web], weight: 1}]"), kernels))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("data.sources.web=nowhere/web")
                .hasMessageContaining("nowhere/web.idx");
        assertThatThrownBy(() -> Trainer.begin(recipe("missing", "data.validation=[nowhere/held]"), kernels))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("data.validation");
        assertThatThrownBy(() -> Trainer.begin(recipe("missing", "data.sources=[]"), kernels))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("data.sources");
        assertThat(directory.resolve("missing")).doesNotExist();
    }

    @Test
    void aShortenedShardIsNamed() throws IOException {
        Path bin = directory.resolve("train.bin");
        byte[] bytes = Files.readAllBytes(bin);
        Files.write(bin, Arrays.copyOf(bytes, bytes.length - 10));
        assertThatThrownBy(() -> Trainer.begin(recipe("cut"), kernels))
                .isInstanceOf(CorruptFileException.class)
                .hasMessageContaining("train.bin");
    }

    @Test
    void idsBeyondTheVocabularyAreRefusedBeforeTheFirstStep() {
        for (String setting : List.of("model.vocabularySize=40", "model.vocabularyUsed=40")) {
            assertThatThrownBy(() -> Trainer.begin(recipe("vocabulary", setting), kernels))
                    .as(setting)
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("data.sources.a=")
                    .hasMessageContaining("ends at 40")
                    .hasMessageContaining("another tokenizer");
        }
    }

    private static final String TEXT = "the quick brown fox jumps over the lazy dog and the dog sleeps on; ";

    private SentencePieceModel train(String name, String text, int size) throws IOException {
        Path file = directory.resolve(name + ".txt");
        Files.writeString(file, text.repeat(40));
        SentencePieceTraining training = SentencePieceTraining.llama(size);
        SentencePieceModel model = training.train(CorpusCounter.count(List.of(file), training.splitter(), team));
        Path folder = Files.createDirectories(directory.resolve(name));
        model.write(folder.resolve("tokenizer.model"));
        TokenizerJson.write(model.tokenizer(), folder.resolve("tokenizer.json"));
        return model;
    }

    private long shard(String name, Tokenizer tokenizer, List<String> documents) throws IOException {
        long tokens = 0;
        try (TokenShardWriter writer = new TokenShardWriter(directory.resolve(name), tokenizer.vocabularySize())) {
            for (String document : documents) {
                writer.add(tokenizer.encode(document, EncodeOptions.DOCUMENT));
            }
            tokens = writer.tokens();
        }
        return tokens;
    }

    private String[] textSettings(String tokenizer, String shard, int vocabularySize, String... more) {
        List<String> settings = new ArrayList<>(List.of(
                "model.vocabularySize=" + vocabularySize,
                "data.tokenizer='" + directory.resolve(tokenizer) + "'",
                "data.sources=[{name: text, shards: ['" + directory.resolve(shard) + "'], weight: 1}]",
                "data.validation=['" + directory.resolve(shard) + "']",
                "data.validationSequences=0",
                "data.bytesPerToken=0"));
        settings.addAll(List.of(more));
        return settings.toArray(String[]::new);
    }

    /** Ids that fit the vocabulary but come from another tokenizer are noticed, too. */
    @Test
    void aShardOfAnotherTokenizerOfTheSameSizeIsRefused() throws IOException {
        Tokenizer right = train("right", TEXT, 300).tokenizer();
        Tokenizer wrong = train("wrong", "sphinx of black quartz, judge my vow! 0123456789 public static void", 300)
                .tokenizer();
        List<String> documents = List.of(TEXT.repeat(3), TEXT.repeat(5));
        shard("text", right, documents);
        shard("other", wrong, documents);
        try (Trainer trainer = Trainer.begin(recipe("right", textSettings("right", "text", 300)), kernels)) {
            assertThat(trainer.state().step()).isZero();
        }
        assertThatThrownBy(() -> Trainer.begin(recipe("wrong", textSettings("right", "other", 300)), kernels))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("does not come from data.tokenizer");
        assertThatThrownBy(() -> Trainer.begin(recipe("small", textSettings("right", "text", 290)), kernels))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("data.tokenizer")
                .hasMessageContaining("set model.vocabularySize");
    }

    /** A few validation sequences are of all files, not of the first one. */
    @Test
    void validationIsSpreadOverAllShards() throws IOException {
        for (int file = 0; file < 3; file++) {
            try (TokenShardWriter writer = new TokenShardWriter(directory.resolve("held-" + file), 50)) {
                int[] ids = new int[16 * (4 + file) + 1]; // whole sequences: 4, 5, 6
                Arrays.fill(ids, 10 + file);
                writer.add(ids, 0, ids.length);
            }
        }
        Recipe recipe = recipe(
                "spread",
                "data.validation=['" + directory.resolve("held-0") + "', '" + directory.resolve("held-1") + "', '"
                        + directory.resolve("held-2") + "']");
        try (TrainingBatches batches = new TrainingBatches(recipe)) {
            assertThat(batches.validationCount()).isEqualTo(15);
            PackedBatch three = batches.validation(0, 3, 3);
            assertThat(new int[] {three.ids()[0], three.ids()[16], three.ids()[32]})
                    .containsExactly(10, 11, 12);
            assertThat(batches.validation(1, 2, 3).ids()).isEqualTo(Arrays.copyOfRange(three.ids(), 16, 48));
            // All of them, each once.
            PackedBatch all = batches.validation(0, 15, 15);
            assertThat(Arrays.stream(all.ids()).filter(id -> id == 11).count()).isEqualTo(5 * 16);
        }
    }

    // ---------------------------------------------------------------------------------- samples, bits per byte

    @Test
    void writesSamplesAndCountsBytes() throws IOException {
        Tokenizer tokenizer = train("words", TEXT, 300).tokenizer();
        shard("words-train", tokenizer, List.of(TEXT.repeat(30), TEXT.repeat(20)));
        String[] settings = textSettings(
                "words",
                "words-train",
                300,
                "samples={every: 50, prompts: ['the quick', 'the lazy dog'], maxTokens: 6, temperature: 0}",
                "steps=200",
                "batch.ramp=[]",
                "schedule.lr=1e-2",
                "checkpoints.every=100",
                "logging.validateEvery=100");
        List<StepReport> reports;
        Recipe recipe = recipe("samples", settings);
        try (Trainer trainer = Trainer.begin(recipe, kernels)) {
            reports = run(trainer);
        }
        assertThat(reports.stream().filter(r -> !r.samples().isEmpty()).map(StepReport::step))
                .containsExactly(50L, 100L, 150L, 200L);
        List<StepReport.Sample> last = reports.getLast().samples();
        assertThat(last).extracting(StepReport.Sample::prompt).containsExactly("the quick", "the lazy dog");
        // It has learned this text by heart.
        assertThat(last.getFirst().text()).startsWith(" brown");
        assertThat(Files.readString(directory.resolve("samples/metrics.jsonl"))).contains(" brown");
        // Bits per byte from the bytes of the very tokens that were predicted.
        double expected = 0;
        try (TrainingBatches batches = new TrainingBatches(recipe)) {
            PackedBatch all = batches.validation(0, batches.validationCount(), batches.validationCount());
            int[] predicted = Arrays.stream(all.targets())
                    .filter(t -> t != Kernels.IGNORED)
                    .toArray();
            long bytes = Arrays.stream(predicted)
                    .mapToLong(id -> tokenizer.bytes(id).length)
                    .sum();
            assertThat(batches.textBytes(all)).isBetween(bytes - 2, bytes); // the space before each document
            expected = reports.getLast().validationLoss().orElseThrow()
                    * predicted.length
                    / Math.log(2)
                    / batches.textBytes(all);
            // All of the text but the remainder behind the last whole sequence.
            assertThat(batches.textBytes(all)).isCloseTo(50L * TEXT.length(), within(60L));
        }
        assertThat(reports.getLast().bitsPerByte().orElseThrow()).isCloseTo(expected, within(1e-9));
        // The checkpoint is complete: a tokenizer that opens, with its special tokens.
        Path checkpoint = CheckpointStore.complete(recipe).getLast();
        Tokenizer saved = Tokenizer.open(checkpoint);
        assertThat(saved.encode(TEXT, EncodeOptions.TEXT)).isEqualTo(tokenizer.encode(TEXT, EncodeOptions.TEXT));
        assertThat(Files.readString(checkpoint.resolve("config.json")))
                .contains("\"bos_token_id\" : 1")
                .contains("\"eos_token_id\" : 2");
        for (String file : List.of("tokenizer_config.json", "generation_config.json", "tokenizer.model")) {
            assertThat(checkpoint.resolve(file)).isNotEmptyFile();
        }
    }

    @Test
    void aResumedRunWritesTheSameSamples() throws IOException {
        Tokenizer tokenizer = train("again", TEXT, 300).tokenizer();
        shard("again-train", tokenizer, List.of(TEXT.repeat(30)));
        String[] settings = textSettings(
                "again", "again-train", 300, "samples={every: 3, prompts: [the], maxTokens: 5, temperature: 0.9}");
        List<StepReport> whole;
        try (Trainer trainer = Trainer.begin(recipe("whole", settings), kernels)) {
            whole = run(trainer);
        }
        try (Trainer trainer = Trainer.begin(recipe("cut", settings), kernels)) {
            assertThatThrownBy(() -> trainer.run(Optional.empty(), report -> {
                        if (report.step() == 7) {
                            throw new IllegalStateException("killed");
                        }
                    }))
                    .hasMessage("killed");
        }
        try (Trainer trainer = Trainer.resume(recipe("cut", settings), kernels, Optional.empty())) {
            List<StepReport> rest = run(trainer);
            assertThat(rest.stream().map(StepReport::samples).toList())
                    .isEqualTo(whole.subList(4, 12).stream()
                            .map(StepReport::samples)
                            .toList());
            assertThat(rest.getLast().bitsPerByte()).isEqualTo(whole.getLast().bitsPerByte());
        }
    }

    @Test
    void samplesNeedATokenizerAndPrompts() {
        assertThatThrownBy(() -> recipe("x", "samples.every=5", "samples.prompts=[a]"))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("data.tokenizer");
        assertThatThrownBy(() -> recipe("x", "samples.every=5", "data.tokenizer=t"))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("samples.prompts");
    }

    // --------------------------------------------------------------------------------------- mixture, stages

    private TrainingBatches batches(String sources, int length, String ramp) throws IOException {
        return new TrainingBatches(Recipe.parse("""
                model: {vocabularySize: 4096, contextLength: 64}
                data: {sources: %s, sequenceLength: %d, documents: respected}
                batch: {sequences: 4, microSequences: 2, ramp: %s}
                schedule: {warmupSteps: 0}
                """.formatted(sources, length, ramp), List.of()));
    }

    /** Three of four sequences from the heavier source; each epoch of a source shows all of it once, in another order. */
    @Test
    void sourcesAreMixedByWeightAndEpochsCountedForEach() throws IOException {
        String sources = "[{name: small, shards: ['" + counting("small", 0, 8 * 10 + 1)
                + "'], weight: 1}, {name: large, shards: ['" + counting("large", 1000, 8 * 50 + 1) + "'], weight: 3}]";
        try (TrainingBatches batches = batches(sources, 8, "[]")) {
            int[] seen = new int[4096];
            List<Integer> order = new ArrayList<>();
            for (int i = 0; i < 80; i++) {
                PackedBatch one = batches.training(i, 8, 1);
                seen[one.ids()[0]]++;
                if (one.ids()[0] < 1000) {
                    order.add(one.ids()[0]);
                }
            }
            int small = Arrays.stream(seen, 0, 1000).sum();
            assertThat(small).isEqualTo(20);
            assertThat(batches.epochs(80)).containsEntry("small", 2.0).containsEntry("large", 60 / 50.0);
            // Two whole epochs of the small one: each of its ten sequences twice, in another order.
            assertThat(new HashSet<>(order)).hasSize(10);
            assertThat(new HashSet<>(order.subList(0, 10))).hasSize(10);
            assertThat(order.subList(0, 10)).isNotEqualTo(order.subList(10, 20));
            // Of the large one no sequence a third time before all are seen twice.
            assertThat(Arrays.stream(seen, 1000, 4096).filter(n -> n > 0).count())
                    .isEqualTo(50);
            assertThat(Arrays.stream(seen, 1000, 4096).max().orElseThrow()).isEqualTo(2);
        }
    }

    /** A batch by its cursor is the same whatever was drawn before, and in whatever pieces. */
    @Test
    void aCursorIsExact() throws IOException {
        String sources = "[{name: one, shards: ['" + counting("one", 0, 8 * 30 + 1) + "'], weight: 1}]";
        try (TrainingBatches batches = batches(sources, 8, "[]");
                TrainingBatches again = batches(sources, 8, "[]")) {
            PackedBatch whole = batches.training(5, 8, 6);
            for (int i = 5; i >= 0; i--) {
                int[] ids = again.training(5 + i, 8, 1).ids();
                assertThat(ids).isEqualTo(Arrays.copyOfRange(whole.ids(), 8 * i, 8 * (i + 1)));
            }
        }
    }

    /** Longer sequences later, as the Llama-3 recipes have them: nothing is seen twice and nothing left out. */
    @Test
    void stagesOfLongerSequencesGoOnWhereTheShorterStopped() throws IOException {
        String sources = "[{name: one, shards: ['" + counting("staged", 0, 16 * 40 + 1) + "'], weight: 1}]";
        String ramp = "[{afterTokens: 72, sequences: 3, sequenceLength: 16}]";
        try (TrainingBatches batches = batches(sources, 8, ramp)) {
            Set<Integer> inputs = new HashSet<>();
            // Nine sequences of 8: four and a half windows.
            PackedBatch first = batches.training(0, 8, 9);
            for (int i = 0; i < 9; i++) {
                assertConsecutive(first, 8 * i, 8);
            }
            Arrays.stream(first.ids()).forEach(inputs::add);
            assertThat(inputs).hasSize(72);
            long cursor = batches.align(9, 16);
            assertThat(cursor).isEqualTo(10);
            PackedBatch second = batches.training(cursor, 16, 35);
            for (int i = 0; i < 35; i++) {
                assertConsecutive(second, 16 * i, 16);
            }
            Arrays.stream(second.ids()).forEach(inputs::add);
            assertThat(inputs).hasSize(72 + 35 * 16);
            assertThat(batches.advance(cursor, new Recipe.Stage(35, 16), 35)).isEqualTo(80);
            assertThat(batches.epochs(80)).containsEntry("one", 1.0);
            assertThat(second.positions()[15]).isEqualTo(15);
        }
    }

    private static void assertConsecutive(PackedBatch batch, int from, int length) {
        for (int i = from; i < from + length; i++) {
            assertThat(batch.targets()[i]).isEqualTo(batch.ids()[i] + 1);
            if (i > from) {
                assertThat(batch.ids()[i]).isEqualTo(batch.ids()[i - 1] + 1);
            }
        }
    }

    @Test
    void aStagedRunResumesToTheSameBits() throws IOException {
        String[] settings = {
            "data.sequenceLength=8",
            "batch.sequences=7",
            "batch.ramp=[{afterTokens: 150, sequences: 5, sequenceLength: 16}, {afterTokens: 500, sequences: 6}]"
        };
        List<StepReport> whole;
        float[] expected;
        try (Trainer trainer = Trainer.begin(recipe("staged", settings), kernels)) {
            whole = run(trainer);
            expected = trainer.parameters().parameters().get(3).weight().toFloats();
        }
        assertThat(whole.stream().map(StepReport::tokens).toList())
                .startsWith(56L, 112L, 168L, 248L, 328L, 408L, 488L, 568L, 664L);
        try (Trainer trainer = Trainer.begin(recipe("staged-cut", settings), kernels)) {
            assertThatThrownBy(() -> trainer.run(Optional.empty(), report -> {
                        if (report.step() == 6) {
                            throw new IllegalStateException("killed");
                        }
                    }))
                    .hasMessage("killed");
        }
        try (Trainer trainer = Trainer.resume(recipe("staged-cut", settings), kernels, Optional.empty())) {
            assertThat(trainer.state().step()).isEqualTo(4);
            assertThat(run(trainer).stream().map(StepReport::loss).toList())
                    .isEqualTo(
                            whole.subList(4, 12).stream().map(StepReport::loss).toList());
            assertThat(trainer.parameters().parameters().get(3).weight().toFloats())
                    .isEqualTo(expected);
        }
    }

    @Test
    void lengthsThatDoNotDivideAreRefused() {
        assertThatThrownBy(() -> recipe("x", "batch.ramp=[{afterTokens: 9, sequences: 4, sequenceLength: 24}]"))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("batch.ramp.sequenceLength");
        assertThatThrownBy(() -> recipe("x", "batch.ramp=[{afterTokens: 9, sequences: 4, sequenceLength: 64}]"))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("contextLength=32");
    }

    /** The padding of a vocabulary stays as it was, and the loss does not know of it. */
    @Test
    void paddingOfTheVocabularyIsNotTrained() throws IOException {
        List<Double> plain;
        try (Trainer trainer = Trainer.begin(recipe("plain", "optimizer.decay=none"), kernels)) {
            plain = run(trainer).stream().map(StepReport::loss).toList();
        }
        assertThat(plain).hasSize(12);
        try (Trainer trainer = Trainer.begin(
                recipe("padded", "model.vocabularySize=64", "model.vocabularyUsed=50", "optimizer.decay=none"),
                kernels)) {
            float[] before = trainer.parameters()
                    .parameters()
                    .getFirst()
                    .weight()
                    .rows(50, 64)
                    .toFloats();
            List<StepReport> reports = run(trainer);
            assertThat(reports.getLast().loss()).isLessThan(reports.getFirst().loss() - 0.5);
            // As many as there are words, not as there are rows.
            assertThat(reports.getFirst().loss()).isCloseTo(Math.log(50), within(0.15));
            assertThat(trainer.parameters()
                            .parameters()
                            .getFirst()
                            .weight()
                            .rows(50, 64)
                            .toFloats())
                    .isEqualTo(before);
        }
    }

    @Test
    void stochasticRoundingLearnsAndResumesToTheSameBits() throws IOException {
        String[] settings = {"stochasticRounding=true"};
        List<Double> losses;
        float[] expected;
        try (Trainer trainer = Trainer.begin(recipe("rounded", settings), kernels)) {
            losses = run(trainer).stream().map(StepReport::loss).toList();
            expected = trainer.parameters().parameters().getFirst().weight().toFloats();
        }
        assertThat(losses.getLast()).isLessThan(losses.getFirst() - 0.5);
        try (Trainer trainer = Trainer.begin(recipe("rounded-cut", settings), kernels)) {
            assertThatThrownBy(() -> trainer.run(Optional.empty(), report -> {
                        if (report.step() == 7) {
                            throw new IllegalStateException("killed");
                        }
                    }))
                    .hasMessage("killed");
        }
        try (ThreadTeam other = new ThreadTeam("other", 3);
                Kernels onThree = Kernels.open("vector", other);
                Trainer trainer = Trainer.resume(recipe("rounded-cut", settings), onThree, Optional.empty())) {
            assertThat(run(trainer).stream().map(StepReport::loss).toList()).isEqualTo(losses.subList(4, 12));
            assertThat(trainer.parameters().parameters().getFirst().weight().toFloats())
                    .isEqualTo(expected);
        }
        assertThatThrownBy(() -> recipe("x", "stochasticRounding=true", "precision=fp32"))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("stochasticRounding");
    }

    /** A rule of the recipe decides for each parameter whether it shrinks. */
    @Test
    void weightDecayFollowsTheRecipe() throws IOException {
        // With a gradient scaled to nothing only the decay moves weights: clip 1e-30, and epsilon keeps AdamW still.
        String[] still = {
            "optimizer.weightDecay=0.5",
            "optimizer.clip=1e-30",
            "optimizer.epsilon=1",
            "optimizer.noDecay=[embed, q_proj]",
            "steps=1",
            "schedule={kind: constant, lr: 0.1, warmupSteps: 0}"
        };
        try (Trainer trainer = Trainer.begin(recipe("decay", still), kernels)) {
            List<float[]> before = trainer.parameters().parameters().stream()
                    .map(p -> p.weight().toFloats())
                    .toList();
            run(trainer);
            for (int i = 0; i < before.size(); i++) {
                var p = trainer.parameters().parameters().get(i);
                boolean shrinks =
                        p.isMatrix() && !p.name().contains("embed") && !p.name().contains("q_proj");
                float[] after = p.weight().toFloats();
                for (int j = 0; j < after.length; j += 7) {
                    assertThat(after[j])
                            .as(p.name())
                            .isCloseTo(before.get(i)[j] * (shrinks ? 0.95f : 1), within(1e-7f));
                }
            }
        }
    }
}
