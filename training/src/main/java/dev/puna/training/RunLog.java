package dev.puna.training;

import dev.puna.formats.AtomicFile;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.BufferedWriter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.style.markers.SeriesMarkers;
import tools.jackson.databind.json.JsonMapper;

/** What a run leaves to read: {@code metrics.jsonl}, TensorBoard event files, and curves at its end. */
final class RunLog implements AutoCloseable {
    private final Path directory;
    private final BufferedWriter lines;
    private final EventFile events;
    private final List<StepReport> reports = new ArrayList<>();

    /** Lines of steps after {@code step}, which a resumed run takes again, are dropped. */
    RunLog(Path directory, long step) throws IOException {
        this.directory = directory;
        Files.createDirectories(directory);
        Path file = directory.resolve("metrics.jsonl");
        List<String> kept = new ArrayList<>();
        if (Files.exists(file)) {
            for (String line : Files.readAllLines(file)) {
                try {
                    StepReport report = JsonMapper.shared().readValue(line, StepReport.class);
                    if (report.step() <= step) {
                        kept.add(line);
                        reports.add(report);
                    }
                } catch (tools.jackson.core.JacksonException cut) {
                    break; // the line that a killed run was writing
                }
            }
            Files.write(file, kept);
        }
        this.lines = Files.newBufferedWriter(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        this.events = new EventFile(directory.resolve("tensorboard"));
    }

    synchronized void add(StepReport report) throws IOException {
        reports.add(report);
        lines.write(JsonMapper.shared().writeValueAsString(report));
        lines.newLine();
        lines.flush();
        events.scalar("train/loss", report.step(), report.loss());
        events.scalar("train/lr", report.step(), report.lr());
        events.scalar("train/gradient_norm", report.step(), report.gradientNorm());
        events.scalar("train/tokens_per_second", report.step(), report.tokensPerSecond());
        if (report.validationLoss().isPresent()) {
            events.scalar(
                    "validation/loss", report.step(), report.validationLoss().get());
        }
        if (report.bitsPerByte().isPresent()) {
            events.scalar(
                    "validation/bits_per_byte",
                    report.step(),
                    report.bitsPerByte().get());
        }
    }

    synchronized List<StepReport> reports() {
        return List.copyOf(reports);
    }

    /** Writes {@code loss.png}. */
    void curves() throws IOException {
        if (reports.isEmpty()) {
            return;
        }
        System.setProperty("java.awt.headless", "true");
        XYChart chart = new XYChartBuilder()
                .width(1000)
                .height(600)
                .title("Loss")
                .xAxisTitle("step")
                .yAxisTitle("nats per token")
                .build();
        series(
                chart,
                "training",
                reports.stream().filter(r -> Double.isFinite(r.loss())).toList(),
                false);
        series(
                chart,
                "validation",
                reports.stream().filter(r -> r.validationLoss().isPresent()).toList(),
                true);
        BufferedImage image = new BufferedImage(chart.getWidth(), chart.getHeight(), BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = image.createGraphics();
        chart.paint(graphics, chart.getWidth(), chart.getHeight());
        graphics.dispose();
        ByteArrayOutputStream png = new ByteArrayOutputStream();
        ImageIO.write(image, "png", png);
        AtomicFile.write(directory.resolve("loss.png"), png.toByteArray());
    }

    private static void series(XYChart chart, String name, List<StepReport> reports, boolean validation) {
        if (reports.isEmpty()) {
            return;
        }
        double[] steps = reports.stream().mapToDouble(StepReport::step).toArray();
        double[] losses = reports.stream()
                .mapToDouble(r -> validation ? r.validationLoss().orElse(0.0) : r.loss())
                .toArray();
        chart.addSeries(name, steps, losses).setMarker(SeriesMarkers.NONE);
    }

    @Override
    public void close() throws IOException {
        lines.close();
        events.close();
    }
}
