package dev.puna.data.pipeline;

import dev.puna.data.BrokenRecord;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import javax.imageio.ImageIO;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;

/**
 * What a pipeline did.
 *
 * @param name of the recipe
 * @param inputBytes read from the disk by the source
 * @param documents that the source made
 * @param textBytes of their texts, in UTF-8
 * @param skipped by the source, and why
 * @param stages counters of each stage, in order
 * @param brokenRecords how many records could not be read
 * @param broken the first of them
 * @param brokenFiles files whose rest could not be read, and why
 * @param heldOutDocuments documents that were set aside
 * @param heldOutBytes of their texts
 * @param outputs the files with the documents, in order
 * @param heldOut the files with the documents that were set aside, in order
 */
public record PipelineReport(
        String name,
        long inputBytes,
        long documents,
        long textBytes,
        Map<String, Long> skipped,
        List<StageCount> stages,
        long brokenRecords,
        List<BrokenRecord> broken,
        List<String> brokenFiles,
        long heldOutDocuments,
        long heldOutBytes,
        List<Path> outputs,
        List<Path> heldOut) {
    /** 0 when every record of every file was read, else 1. */
    public int exitStatus() {
        return brokenFiles.isEmpty() && brokenRecords == 0 ? 0 : 1;
    }

    /** The table for people: documents and bytes of text after each stage, and why documents went. */
    public String table() {
        StringBuilder out = new StringBuilder(String.format(
                Locale.ROOT,
                "%s%n%-20s %12s %14s %8s%n%-20s %12d %14d %8s%n",
                name,
                "stage",
                "documents",
                "bytes",
                "kept",
                "source",
                documents,
                textBytes,
                "100.0%"));
        skipped.forEach((reason, count) -> out.append(String.format(Locale.ROOT, "    %-24s %12d%n", reason, count)));
        for (StageCount stage : stages) {
            out.append(String.format(
                    Locale.ROOT,
                    "%-20s %12d %14d %7.1f%%%n",
                    stage.name(),
                    stage.out(),
                    stage.bytesOut(),
                    100.0 * stage.bytesOut() / Math.max(1, textBytes)));
            stage.dropped()
                    .forEach((reason, count) ->
                            out.append(String.format(Locale.ROOT, "    %-24s %12d%n", reason, count)));
        }
        if (!heldOut.isEmpty()) {
            out.append(String.format(
                    Locale.ROOT,
                    "%-20s %12d %14d %7.1f%%%n",
                    "  held out of these",
                    heldOutDocuments,
                    heldOutBytes,
                    100.0 * heldOutBytes / Math.max(1, textBytes)));
        }
        if (brokenRecords > 0) {
            out.append(brokenRecords).append(" broken records, the first:\n");
            broken.stream().limit(10).forEach(b -> out.append("    ").append(b).append('\n'));
        }
        brokenFiles.forEach(file -> out.append("broken file: ").append(file).append('\n'));
        return out.toString();
    }

    /** Draws documents and bytes after each stage, as shares of what the source made. */
    public void plot(Path png) throws IOException {
        List<String> names = new ArrayList<>(List.of("source"));
        List<Double> documentShares = new ArrayList<>(List.of(100.0));
        List<Double> byteShares = new ArrayList<>(List.of(100.0));
        for (StageCount stage : stages) {
            names.add(names.contains(stage.name()) ? stage.name() + " " + names.size() : stage.name());
            documentShares.add(100.0 * stage.out() / Math.max(1, documents));
            byteShares.add(100.0 * stage.bytesOut() / Math.max(1, textBytes));
        }
        CategoryChart chart = new CategoryChartBuilder()
                .width(900)
                .height(480)
                .title(name + ": what is left after each stage (%)")
                .build();
        chart.getStyler().setXAxisLabelRotation(30).setYAxisMin(0.0).setYAxisMax(100.0);
        chart.addSeries("documents", names, documentShares);
        chart.addSeries("bytes", names, byteShares);
        BufferedImage image = new BufferedImage(chart.getWidth(), chart.getHeight(), BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = image.createGraphics();
        chart.paint(graphics, chart.getWidth(), chart.getHeight());
        graphics.dispose();
        ImageIO.write(image, "png", png.toFile());
    }
}
