package dev.puna.training;

import dev.puna.tensor.AtomicFile;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.BufferedWriter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import javax.imageio.ImageIO;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.SeriesMarkers;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.MappingIterator;
import tools.jackson.databind.json.JsonMapper;

/** What a run leaves to read: {@code metrics.jsonl}, TensorBoard event files, and curves at its end. */
final class RunLog implements AutoCloseable {
    private static final int WIDTH = 1000;
    private static final int HEIGHT = 600;

    private final Path directory;
    private final BufferedWriter lines;
    private final EventFile events;
    private final ReportHistory history = new ReportHistory();

    /** @param step where the run goes on: lines of later steps, which it takes again, are dropped */
    RunLog(Path directory, long step) throws IOException {
        this.directory = directory;
        Files.createDirectories(directory);
        Path file = directory.resolve("metrics.jsonl");
        if (Files.exists(file)) {
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                channel.truncate(endOf(file, step));
            }
            try (MappingIterator<StepReport> kept = reports(file)) {
                while (kept.hasNextValue()) {
                    history.add(kept.nextValue());
                }
            }
        }
        this.lines = Files.newBufferedWriter(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        if (Files.size(file) > 0) {
            lines.newLine(); // what was kept ends with its last brace
        }
        this.events = new EventFile(directory.resolve("tensorboard"));
        if (step > 0) {
            events.restart(step + 1);
        }
    }

    /**
     * The byte behind the last report of {@code step}: after a rollback a step stands there twice, and the later one is
     * what a checkpoint was made of.
     */
    private static long endOf(Path file, long step) throws IOException {
        long end = 0;
        try (MappingIterator<StepReport> all = reports(file)) {
            while (step > 0 && all.hasNextValue()) {
                if (all.nextValue().step() == step) {
                    end = all.currentLocation().getByteOffset();
                }
            }
        } catch (JacksonException cut) {
            return end; // the line that a killed run was writing
        }
        return end;
    }

    private static MappingIterator<StepReport> reports(Path file) throws IOException {
        return JsonMapper.shared().readerFor(StepReport.class).readValues(Files.newInputStream(file));
    }

    synchronized void add(StepReport report) throws IOException {
        history.add(report);
        lines.write(JsonMapper.shared().writeValueAsString(report));
        lines.newLine();
        lines.flush();
        if (report.rolledBackTo().isPresent()) {
            events.restart(report.rolledBackTo().get() + 1);
            return;
        }
        long step = report.step();
        scalar("train/loss", step, Optional.of(report.loss()));
        scalar("train/lr", step, Optional.of(report.lr()));
        scalar("train/gradient_norm", step, Optional.of(report.gradientNorm()));
        scalar("train/tokens_per_second", step, Optional.of(report.tokensPerSecond()));
        scalar("train/tokens", step, Optional.of((double) report.tokens()));
        scalar("train/mfu", step, report.mfu());
        scalar("validation/loss", step, report.validationLoss());
        scalar("validation/bits_per_byte", step, report.bitsPerByte());
    }

    private void scalar(String tag, long step, Optional<Double> value) throws IOException {
        if (value.isPresent()) {
            events.scalar(tag, step, value.get());
        }
    }

    /** The steps of the run, those that were taken back left out; of a long run some thousands ({@link ReportHistory}). */
    synchronized List<StepReport> reports() {
        return history.reports();
    }

    /** Writes {@code loss.png}, {@code lr.png}, {@code gradient_norm.png}, {@code throughput.png}, {@code bits_per_byte.png}. */
    void curves() throws IOException {
        System.setProperty("java.awt.headless", "true");
        List<Curve> losses =
                List.of(curve("training", r -> Optional.of(r.loss())), curve("validation", StepReport::validationLoss));
        chart("loss.png", "Loss", "nats per token", losses);
        chart("lr.png", "Learning rate", "", List.of(curve("learning rate", r -> Optional.of(r.lr()))));
        chart(
                "gradient_norm.png",
                "Gradient norm, before clipping",
                "",
                List.of(curve("gradient norm", r -> Optional.of(r.gradientNorm()))));
        chart(
                "throughput.png",
                "Throughput",
                "tokens per second",
                List.of(curve("tokens per second", r -> Optional.of(r.tokensPerSecond()))));
        chart(
                "bits_per_byte.png",
                "Bits per byte of the validation text",
                "bits per byte",
                List.of(curve("bits per byte", StepReport::bitsPerByte)));
    }

    private record Curve(String name, double[] steps, double[] values) {}

    private Curve curve(String name, Function<StepReport, Optional<Double>> value) {
        List<StepReport> with = reports().stream()
                .filter(report -> value.apply(report).filter(Double::isFinite).isPresent())
                .toList();
        return new Curve(
                name,
                with.stream().mapToDouble(StepReport::step).toArray(),
                with.stream().mapToDouble(r -> value.apply(r).orElse(0.0)).toArray());
    }

    private void chart(String file, String title, String unit, List<Curve> curves) throws IOException {
        List<Curve> drawn = curves.stream().filter(c -> c.steps().length > 0).toList();
        if (drawn.isEmpty()) {
            return;
        }
        XYChart chart = new XYChartBuilder()
                .width(WIDTH)
                .height(HEIGHT)
                .title(title)
                .xAxisTitle("step")
                .yAxisTitle(unit)
                .theme(Styler.ChartTheme.XChart)
                .build();
        chart.getStyler().setLegendVisible(drawn.size() > 1).setLegendPosition(Styler.LegendPosition.InsideNE);
        chart.getStyler().setChartBackgroundColor(Color.WHITE);
        chart.getStyler().setXAxisDecimalPattern("#,##0").setXAxisMin(0.0).setXAxisTickMarkSpacingHint(90);
        for (Curve curve : drawn) {
            chart.addSeries(curve.name(), curve.steps(), curve.values())
                    .setMarker(curve.steps().length < 40 ? SeriesMarkers.CIRCLE : SeriesMarkers.NONE);
        }
        BufferedImage image = new BufferedImage(WIDTH, HEIGHT, BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = image.createGraphics();
        chart.paint(graphics, WIDTH, HEIGHT);
        graphics.dispose();
        ByteArrayOutputStream png = new ByteArrayOutputStream();
        ImageIO.write(image, "png", png);
        AtomicFile.write(directory.resolve(file), png.toByteArray());
    }

    @Override
    public void close() throws IOException {
        lines.close();
        events.close();
    }
}
