package dev.puna.speedrun;

import dev.puna.data.Document;
import dev.puna.data.ReadReport;
import dev.puna.data.pipeline.Pipeline;
import dev.puna.data.pipeline.PipelineReport;
import dev.puna.data.pipeline.StageCount;
import dev.puna.data.pipeline.VocabularyTraining;
import dev.puna.data.shard.TokenizeStage;
import dev.puna.data.source.JsonlSource;
import dev.puna.data.source.Split;
import dev.puna.inference.Llama;
import dev.puna.inference.LlamaOptions;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.KernelsChoice;
import dev.puna.model.LlamaCheckpoint;
import dev.puna.model.convert.Conversion;
import dev.puna.model.convert.ConversionListener;
import dev.puna.model.convert.ConversionTarget;
import dev.puna.model.convert.Quantization;
import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.MachineMemory;
import dev.puna.tensor.ThreadTeam;
import dev.puna.tokenizer.EncodeOptions;
import dev.puna.tokenizer.Tokenizer;
import dev.puna.training.Recipe;
import dev.puna.training.StepReport;
import dev.puna.training.Trainer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.exc.JacksonIOException;
import tools.jackson.databind.json.JsonMapper;

/**
 * A run: the stages one after the other. What is done already is not done again.
 *
 * <p>Files below the run's directory: {@code data/} documents, {@code tokenizer/}, {@code tokens/} shards,
 * {@code recipe.yaml} and {@code pretrain/} of the trainer, {@code model/} (Hugging Face), {@code model-Q8_0.gguf},
 * {@code report.html}, {@code report.md}, {@code stamps/}.
 */
public final class Speedrun implements AutoCloseable {
    /** Off-heap memory that training may take of what is there. */
    private static final double MEMORY_SHARE = 0.5;

    private static final int SAMPLE_TOKENS = 96;

    private final SpeedrunRequest request;
    private final RunDirectory directory;
    private final Picture picture;
    private final SpeedrunListener listener;
    private final ThreadTeam team;
    private final Kernels kernels;
    private final List<Results.StageSeconds> stageSeconds = new ArrayList<>();
    private @Nullable SpeedrunPage page;
    private double spent;

    /** What cleaning left. */
    record Cleaned(List<String> training, List<String> heldOut, List<Picture.FunnelStep> funnel) {
        List<Path> trainingFiles() {
            return training.stream().map(Path::of).toList();
        }

        List<Path> heldOutFiles() {
            return heldOut.stream().map(Path::of).toList();
        }
    }

    /** What tokenization left. */
    record Tokenized(long trainingTokens, long trainingBytes, long heldOutTokens, long heldOutBytes) {
        double bytesPerToken() {
            return (double) trainingBytes / trainingTokens;
        }
    }

    /** Both measures. */
    record Measured(HeldOutMeasure heldOut, Yardstick yardstick, List<Samples> samples) {}

    /** The stage's files are its result. */
    record Written(String where) {}

    private Speedrun(
            SpeedrunRequest request,
            RunDirectory directory,
            SpeedrunListener listener,
            ThreadTeam team,
            Kernels kernels) {
        this.request = request;
        this.directory = directory;
        this.listener = listener;
        this.team = team;
        this.kernels = kernels;
        this.picture =
                new Picture(request.corpus().kind() + ", " + request.corpus().path(), request.minutes());
    }

    /**
     * Takes the directory and starts the threads.
     *
     * @throws ConfigurationException when the directory cannot be used, or no kernels serve
     */
    public static Speedrun open(SpeedrunRequest request, SpeedrunListener listener) throws IOException {
        String identity = "corpus " + request.corpus().path().toAbsolutePath().normalize() + "\nminutes "
                + Figures.text("%.2f", request.minutes()) + "\n";
        RunDirectory directory = RunDirectory.open(request.out(), identity);
        ThreadTeam team = new ThreadTeam("puna", request.threads());
        try {
            Kernels kernels = KernelsChoice.onThisMachine(request.kernels()).create(team);
            return new Speedrun(request, directory, listener, team, kernels);
        } catch (RuntimeException e) {
            team.close();
            directory.close();
            throw e;
        }
    }

    /** Opens the page on 127.0.0.1 and gives its port. */
    public int openPage() throws IOException {
        SpeedrunPage opened = SpeedrunPage.start(request.port(), picture::json);
        page = opened;
        return opened.port();
    }

    /** The Hugging Face directory that a finished run has. */
    public Path model() {
        return directory.path("model");
    }

    /** The plan, made or found. */
    public Plan plan() throws IOException {
        return stage(Stage.PLAN, Plan.class, this::measureAndPlan, this::describe);
    }

    /** All stages. */
    public Results run() throws IOException {
        Plan plan = plan();
        picture.plan(plan);
        plan.warning(request.minutes()).ifPresent(listener::note);
        Cleaned cleaned = stage(Stage.CLEAN, Cleaned.class, this::clean, done -> {
            Picture.FunnelStep first = done.funnel().getFirst();
            Picture.FunnelStep last = done.funnel().getLast();
            return Figures.text(
                    "%s of %s documents, %sB of %sB",
                    Figures.count(last.documents()),
                    Figures.count(first.documents()),
                    Figures.count(last.bytes()),
                    Figures.count(first.bytes()));
        });
        picture.funnel(cleaned.funnel());
        stage(
                Stage.TOKENIZER,
                Written.class,
                () -> tokenizer(plan, cleaned),
                done -> Figures.text("%,d pieces", plan.shape().vocabularySize()));
        Tokenizer tokenizer = Tokenizer.open(directory.path("tokenizer"));
        Tokenized tokens = stage(
                Stage.TOKENS,
                Tokenized.class,
                () -> tokenize(tokenizer, cleaned),
                done -> Figures.text(
                        "%s to learn from, %s held out, %.2f bytes each",
                        Figures.count(done.trainingTokens()),
                        Figures.count(done.heldOutTokens()),
                        done.bytesPerToken()));
        List<byte[]> heldOut = heldOut(cleaned);
        List<String> prompts = Samples.prompts(isJava(), heldOut);
        RunRecipe recipe = recipe(plan, tokens, prompts.getFirst());
        Pretraining pretraining =
                new Pretraining(directory, recipe, plan, kernels, this::sampled, picture, this::pretrainProgress);
        picture.steps(logged());
        Pretraining.Result trained = stage(
                Stage.PRETRAIN,
                Pretraining.Result.class,
                () -> pretraining.run(trainingBudget(plan)),
                done -> Figures.text(
                        "%s tokens, loss %.3f, %s tokens/s, MFU %.1f %%",
                        Figures.count(done.tokens()),
                        done.loss(),
                        Figures.count(done.tokensPerSecond()),
                        100 * done.mfu()));
        stage(Stage.EXPORT, Written.class, () -> export(pretraining), done -> "model/ (Hugging Face), model-Q8_0.gguf");
        Measured measured = stage(
                Stage.MEASURE,
                Measured.class,
                () -> measure(recipe, tokenizer, measured(heldOut), prompts),
                done -> Figures.text(
                        "%.3f bits/byte; xz -9 %.3f alone, %.3f packed",
                        done.heldOut().bitsPerByte(),
                        done.yardstick().xzAlone(),
                        done.yardstick().xzPacked()));
        Results[] results = new Results[1];
        stage(
                Stage.REPORT,
                Written.class,
                () -> {
                    results[0] = results(plan, tokens, trained, measured);
                    picture.results(results[0]);
                    picture.done(Stage.REPORT, 0, "report.html, report.md", false); // as the report shows it
                    Report.write(
                            directory,
                            picture,
                            results[0],
                            Corpus.heldOutOneIn(request.corpus().textBytes()));
                    return new Written("report.html");
                },
                done -> "report.html, report.md");
        if (results[0] == null) {
            results[0] = results(plan, tokens, trained, measured);
            picture.results(results[0]);
        }
        return results[0];
    }

    /** What makes a stage's result. */
    @FunctionalInterface
    interface Work<T> {
        T run() throws IOException;
    }

    private <T> T stage(Stage stage, Class<T> type, Work<T> work, java.util.function.Function<T, String> summary)
            throws IOException {
        Optional<RunDirectory.Done<T>> before = directory.done(stage, type);
        if (before.isPresent()) {
            RunDirectory.Done<T> done = before.get();
            if (stageSeconds.stream().noneMatch(known -> known.stage().equals(stage.title()))) {
                account(stage, done.seconds(), done.summary(), true);
            }
            return done.result();
        }
        picture.begins(stage);
        listener.begins(stage);
        long began = System.nanoTime();
        T result = tried(directory.root(), stage, work);
        double seconds = (System.nanoTime() - began) / 1e9;
        if (stage == Stage.PRETRAIN) { // with what legs before a kill took
            seconds = Math.max(seconds, ((Pretraining.Result) result).seconds());
        }
        String text = summary.apply(result);
        directory.stamp(stage, seconds, text, result);
        account(stage, seconds, text, false);
        return result;
    }

    /** What the disk refuses, a full one above all, is told with its stage, and that nothing is lost. */
    static <T> T tried(Path root, Stage stage, Work<T> work) throws IOException {
        try {
            return work.run();
        } catch (FileSystemException e) {
            throw e; // it names its file
        } catch (IOException | JacksonIOException e) {
            throw new IOException(
                    root + ", " + stage.title() + ": "
                            + String.valueOf(e.getMessage()).lines().findFirst().orElse("")
                            + (isOfHeap(e) ? "; give the heap more: PUNA_JAVA_OPTS=-Xmx256m" : "")
                            + "; when that is mended, the same command goes on",
                    e);
        }
    }

    /** Whether another thread, such as the writer of checkpoints, ran out of it. */
    private static boolean isOfHeap(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof OutOfMemoryError) {
                return true;
            }
        }
        return false;
    }

    private void account(Stage stage, double seconds, String text, boolean earlier) {
        spent += seconds;
        stageSeconds.add(new Results.StageSeconds(stage.title(), seconds));
        picture.done(stage, seconds, text, earlier);
        listener.done(stage, seconds, text, earlier);
    }

    private void tell(Stage stage, double fraction, String text) {
        picture.progress(stage, fraction, text);
        listener.progress(stage, fraction, text);
    }

    private void pretrainProgress(double fraction, String text) {
        tell(Stage.PRETRAIN, fraction, text);
    }

    private boolean isJava() {
        return request.corpus().path().endsWith("src.zip");
    }

    private String describe(Plan plan) {
        return Figures.text(
                "%s parameters, %s tokens, %s tokens/s expected",
                Figures.count(plan.parameters()),
                Figures.count(plan.trainingTokens()),
                Figures.count(plan.tokensPerSecond()));
    }

    private Plan measureAndPlan() throws IOException {
        long began = System.nanoTime();
        double wanted = Planner.measuringSeconds(request.seconds());
        tell(Stage.PLAN, 0, "training on random tokens");
        MachineSpeed speed = MachineSpeed.measure(
                kernels,
                directory.path("measuring"),
                wanted,
                share -> tell(Stage.PLAN, share, "training on random tokens"));
        double planning = (System.nanoTime() - began) / 1e9;
        return Planner.plan(
                speed,
                request.seconds(),
                planning,
                request.corpus().textBytes(),
                (long) (MEMORY_SHARE * MachineMemory.now().availableBytes()),
                request.threads());
    }

    private Cleaned clean() throws IOException {
        Corpus corpus = request.corpus();
        long needed = corpus.textBytes();
        if (directory.usableBytes() < needed) {
            throw new ConfigurationException(
                    "--out",
                    directory.root(),
                    "its disk has " + Figures.count(directory.usableBytes()) + "B left, and " + Figures.count(needed)
                            + "B are needed");
        }
        String yaml = Figures.text(
                "# Half a minute of two cores for 200 MB of text.%nname: speedrun%nsource: {kind: %s}%n"
                        + "stages: [{kind: minhash}]%nheld_out: {one_in: %d, by: id}%n",
                corpus.source(), Corpus.heldOutOneIn(corpus.textBytes()));
        Files.createDirectories(directory.path("data"));
        write(directory.path("data/recipe.yaml"), yaml);
        dev.puna.data.pipeline.Recipe recipe =
                dev.puna.data.pipeline.Recipe.read(directory.path("data/recipe.yaml"), corpus.inputs());
        PipelineReport report = new Pipeline(
                        recipe,
                        directory.path("data"),
                        request.threads(),
                        (pass, part, passes, done, total, documents) -> tell(
                                Stage.CLEAN,
                                (part - 1 + (total > 0 ? Math.min(1.0, (double) done / total) : 0)) / (passes + 1),
                                Figures.text("%s, %s documents", pass, Figures.count(documents))))
                .run();
        if (!report.brokenFiles().isEmpty() || report.brokenRecords() > 0) {
            listener.note(Figures.text(
                    "  not read to the end: %,d of the files; broken records: %,d (data/report.txt)",
                    report.brokenFiles().size(), report.brokenRecords()));
        }
        List<Picture.FunnelStep> funnel = funnel(report);
        long left = funnel.getLast().documents();
        if (report.heldOutDocuments() == 0 || left == report.heldOutDocuments()) {
            throw new ConfigurationException("--corpus", corpus.path(), tooFew(corpus, report, left));
        }
        return new Cleaned(
                report.outputs().stream().map(Path::toString).toList(),
                report.heldOut().stream().map(Path::toString).toList(),
                funnel);
    }

    private static String tooFew(Corpus corpus, PipelineReport report, long left) {
        StringBuilder text = new StringBuilder(Figures.text(
                "was read as %s, and %d documents came through cleaning; there should be some hundreds",
                corpus.kind(), left));
        report.brokenFiles().stream()
                .findFirst()
                .ifPresent(first -> text.append("; could not be read: ").append(first));
        report.broken().stream()
                .findFirst()
                .ifPresent(first -> text.append("; broken: ").append(first));
        if (!report.skipped().isEmpty()) {
            text.append("; left out: ").append(new TreeMap<>(report.skipped()));
        }
        return text.toString();
    }

    private static List<Picture.FunnelStep> funnel(PipelineReport report) {
        List<Picture.FunnelStep> funnel = new ArrayList<>();
        long skipped =
                report.skipped().values().stream().mapToLong(Long::longValue).sum();
        if (skipped > 0) {
            funnel.add(new Picture.FunnelStep("found", report.documents() + skipped, report.textBytes(), Map.of()));
        }
        funnel.add(new Picture.FunnelStep(
                "source's rules", report.documents(), report.textBytes(), new TreeMap<>(report.skipped())));
        for (StageCount stage : report.stages()) {
            funnel.add(new Picture.FunnelStep(stage.name(), stage.out(), stage.bytesOut(), stage.dropped()));
        }
        return funnel;
    }

    /** Held-out documents in an order of their own: by a hash of their ids. */
    private List<byte[]> heldOut(Cleaned cleaned) throws IOException {
        List<Document> all = new ArrayList<>();
        for (Path file : cleaned.heldOutFiles()) {
            new JsonlSource("corpus").read(Split.whole(file), all::add, new ReadReport());
        }
        all.sort(Comparator.comparingInt((Document d) -> Integer.reverse(d.id().hashCode() * 0x9E3779B9))
                .thenComparing(Document::id));
        return all.stream()
                .map(document -> document.text().getBytes(StandardCharsets.UTF_8))
                .toList();
    }

    /**
     * The held-out texts that are measured: all that there are, or those from the first on that fit into {@link
     * Planner#measuredBytes}, and at least one. They do not depend on the speed of the machine.
     */
    private List<byte[]> measured(List<byte[]> texts) {
        long most = Planner.measuredBytes(request.seconds());
        List<byte[]> first = new ArrayList<>();
        long bytes = 0;
        for (byte[] text : texts) {
            if (first.isEmpty() || bytes + text.length <= most) {
                first.add(text);
                bytes += text.length;
            }
        }
        return first;
    }

    private void sampled(long step, String prompt, String text) {
        picture.sample(step, prompt, text);
        String line = (prompt + text).strip().replaceAll("\\s+", " ");
        listener.note(Figures.text("  step %d: %s", step, line.length() > 60 ? line.substring(0, 60) : line));
    }

    private Written tokenizer(Plan plan, Cleaned cleaned) throws IOException {
        ReadReport report = new ReadReport();
        long documents = Math.max(1, cleaned.funnel().getLast().documents());
        new VocabularyTraining(VocabularyTraining.Kind.BYTE_LEVEL, plan.shape().vocabularySize())
                .train(
                        new JsonlSource("corpus"),
                        cleaned.trainingFiles(),
                        directory.path("tokenizer"),
                        request.threads(),
                        report,
                        () -> tell(
                                Stage.TOKENIZER,
                                Math.min(1, (double) report.documents() / documents),
                                "counting words, " + Figures.count(report.documents()) + " documents"));
        int size = Tokenizer.open(directory.path("tokenizer")).vocabularySize();
        if (size < plan.shape().vocabularySize()) {
            throw new ConfigurationException(
                    "--corpus",
                    request.corpus().path(),
                    "has too little text for a vocabulary of " + plan.shape().vocabularySize() + " pieces (only " + size
                            + " came of it)");
        }
        return new Written("tokenizer");
    }

    private Tokenized tokenize(Tokenizer tokenizer, Cleaned cleaned) throws IOException {
        Files.createDirectories(directory.path("tokens"));
        TokenizeStage stage = new TokenizeStage(tokenizer, EncodeOptions.DOCUMENT, request.threads());
        JsonlSource source = new JsonlSource("corpus");
        TokenizeStage.Result heldOut = stage.run(
                source, cleaned.heldOutFiles(), directory.path("tokens/held-out"), new ReadReport(), (b, d) -> {});
        long all = Math.max(1, cleaned.funnel().getLast().documents());
        TokenizeStage.Result training = stage.run(
                source,
                cleaned.trainingFiles(),
                directory.path("tokens/training"),
                new ReadReport(),
                (bytes, documents) -> tell(
                        Stage.TOKENS, Math.min(1, (double) documents / all), Figures.count(documents) + " documents"));
        return new Tokenized(training.tokens(), training.utf8Bytes(), heldOut.tokens(), heldOut.utf8Bytes());
    }

    private RunRecipe recipe(Plan plan, Tokenized tokens, String prompt) {
        return new RunRecipe(
                plan.shape().config(),
                plan.shape().contextLength(),
                "speedrun",
                directory.path("pretrain"),
                directory.path("tokens/training"),
                tokens.heldOutTokens() > plan.shape().contextLength()
                        ? List.of(directory.path("tokens/held-out"))
                        : List.of(), // too little for one sequence
                tokens.bytesPerToken(),
                directory.path("tokenizer").toString(),
                plan.sequences(),
                plan.microSequences(),
                plan.replicas(),
                plan.lr(),
                plan.warmupSteps(),
                0,
                1,
                prompt);
    }

    /** What is left of the whole when data, tokenizer and what comes after training are taken off. */
    private double trainingBudget(Plan plan) {
        return Math.max(0.3 * plan.trainingSeconds(), request.seconds() - spent - plan.afterSeconds());
    }

    /** Steps that the trainer's log has from an earlier start. */
    private List<StepReport> logged() throws IOException {
        Path file = directory.path("pretrain/metrics.jsonl");
        List<StepReport> steps = new ArrayList<>();
        if (Files.exists(file)) {
            for (String line : Files.readAllLines(file)) {
                try {
                    steps.add(JsonMapper.shared().readValue(line, StepReport.class));
                } catch (JacksonException cut) {
                    break; // the line that a killed run was writing
                }
            }
        }
        return steps;
    }

    private Written export(Pretraining pretraining) throws IOException {
        Path checkpoint =
                pretraining.checkpoint().orElseThrow(() -> new IllegalStateException("training left no checkpoint"));
        try (LlamaCheckpoint source = LlamaCheckpoint.open(checkpoint)) {
            Conversion.convert(source, model(), ConversionTarget.HuggingFace.usual(), kernels, ConversionListener.NONE);
            tell(Stage.EXPORT, 0.5, "model/");
        }
        try (LlamaCheckpoint source = LlamaCheckpoint.open(model())) {
            Conversion.convert(
                    source,
                    directory.path("model-Q8_0.gguf"),
                    new ConversionTarget.GgufFile(new ConversionTarget.Weights.Quantized(Quantization.of("Q8_0"))),
                    kernels,
                    ConversionListener.NONE);
        }
        return new Written("model");
    }

    private Measured measure(RunRecipe recipe, Tokenizer tokenizer, List<byte[]> texts, List<String> prompts)
            throws IOException {
        tell(Stage.MEASURE, 0, "xz -9 and zstd -19 of the same files");
        Yardstick yardstick = Yardstick.measure(texts);
        Recipe written = Recipe.read(directory.path("recipe.yaml"), List.of());
        HeldOutMeasure heldOut;
        try (Trainer trainer = Trainer.resume(written, kernels, Optional.empty())) {
            heldOut = HeldOutMeasure.of(
                    trainer::evaluate,
                    tokenizer,
                    texts,
                    recipe.sequenceLength(),
                    8 * recipe.replicas(),
                    share -> tell(Stage.MEASURE, 0.3 + 0.6 * share, texts.size() + " held-out files"));
        }
        LlamaOptions options =
                LlamaOptions.defaults().withThreads(request.threads()).withKernels(request.kernels());
        try (Llama llama = Llama.load(model(), options)) {
            return new Measured(heldOut, yardstick, Samples.of(llama, prompts, SAMPLE_TOKENS));
        }
    }

    private Results results(Plan plan, Tokenized tokens, Pretraining.Result trained, Measured measured) {
        return new Results(
                plan,
                spent,
                stageSeconds,
                trained,
                measured.heldOut(),
                measured.yardstick(),
                tokens.trainingBytes(),
                tokens.trainingTokens(),
                MachineMemory.peakBytes(),
                measured.samples());
    }

    @Override
    public void close() throws IOException {
        SpeedrunPage opened = page;
        if (opened != null) {
            opened.close();
        }
        kernels.close();
        team.close();
        directory.close();
    }

    /** Writes a text file as a whole. */
    static void write(Path file, String text) throws IOException {
        AtomicFile.write(file, text.getBytes(StandardCharsets.UTF_8));
    }
}
