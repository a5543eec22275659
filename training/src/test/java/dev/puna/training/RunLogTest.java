package dev.puna.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.tensor.ConfigurationException;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

class RunLogTest {
    @TempDir
    Path directory;

    static StepReport report(long step, double loss, Optional<Long> rolledBackTo, List<StepReport.Sample> samples) {
        return new StepReport(
                step,
                loss,
                1e-3 * step,
                1.5,
                64 * step,
                Map.of("a", 0.1),
                0.5,
                100 + step,
                1,
                Optional.of(0.5),
                Optional.of(0.6),
                3,
                rolledBackTo.map(to -> "gradient norm"),
                rolledBackTo,
                step % 5 == 0 ? Optional.of(loss + 0.1) : Optional.empty(),
                step % 5 == 0 ? Optional.of(loss / 2) : Optional.empty(),
                samples);
    }

    private static StepReport report(long step) {
        return report(step, 5.0 / step, Optional.empty(), List.of());
    }

    private List<Long> steps(Path metrics) throws IOException {
        List<Long> steps = new ArrayList<>();
        for (String line : Files.readAllLines(metrics)) {
            steps.add(JsonMapper.shared().readValue(line, StepReport.class).step());
        }
        return steps;
    }

    @Test
    void aLineReadsBackAsItself() throws IOException {
        StepReport report = report(5, 2.5, Optional.empty(), List.of(new StepReport.Sample("int", " main() {\n")));
        try (RunLog log = new RunLog(directory, 0)) {
            log.add(report);
        }
        String line = Files.readString(directory.resolve("metrics.jsonl"));
        assertThat(line).contains("\"loss\":2.5").doesNotContain("skipped");
        assertThat(JsonMapper.shared().readValue(line, StepReport.class)).isEqualTo(report);
    }

    /** A killed run's last line is cut, and lines behind its checkpoint are taken again. */
    @Test
    void goesOnBehindTheCheckpoint() throws IOException {
        try (RunLog log = new RunLog(directory, 0)) {
            for (long step = 1; step <= 6; step++) {
                log.add(report(step));
            }
        }
        Path metrics = directory.resolve("metrics.jsonl");
        Files.writeString(metrics, Files.readString(metrics) + "{\"step\":7,\"lo");
        try (RunLog log = new RunLog(directory, 4)) {
            assertThat(log.reports()).hasSize(4);
            log.add(report(5));
        }
        assertThat(steps(metrics)).containsExactly(1L, 2L, 3L, 4L, 5L);
        try (RunLog log = new RunLog(directory, 0)) {
            assertThat(log.reports()).isEmpty();
        }
        assertThat(metrics).isEmptyFile();
    }

    /** After a rollback the file tells what happened, the curves show the steps that stand. */
    @Test
    void rollbackTakesStepsBack() throws IOException {
        try (RunLog log = new RunLog(directory, 0)) {
            for (long step = 1; step <= 6; step++) {
                log.add(report(step));
            }
            log.add(report(7, 99, Optional.of(4L), List.of()));
            log.add(report(5, 3, Optional.empty(), List.of()));
            assertThat(log.reports().stream().map(StepReport::step)).containsExactly(1L, 2L, 3L, 4L, 5L);
            assertThat(log.reports().getLast().loss()).isEqualTo(3);
            log.add(report(6));
        }
        try (RunLog log = new RunLog(directory, 5)) {
            assertThat(log.reports().stream().map(StepReport::step)).containsExactly(1L, 2L, 3L, 4L, 5L);
            assertThat(log.reports().getLast().loss()).isEqualTo(3);
        }
        assertThat(steps(directory.resolve("metrics.jsonl"))).containsExactly(1L, 2L, 3L, 4L, 5L, 6L, 7L, 5L);
        List<Scalar> events = events(directory.resolve("tensorboard"));
        assertThat(events).contains(new Scalar(5, "START", 0));
    }

    /** A run of any length takes the memory of some thousand steps, and a resumed one reads its file in pieces. */
    @Test
    void aLongRunIsThinned() throws IOException {
        int steps = 30_000;
        try (RunLog log = new RunLog(directory, 0)) {
            for (long step = 1; step <= steps; step++) {
                log.add(step % 10_000 == 0 ? report(step) : plain(step));
            }
            requireThinned(log, steps);
        }
        try (RunLog log = new RunLog(directory, steps)) {
            requireThinned(log, steps);
            log.add(plain(steps + 1));
            assertThat(log.reports().getLast().step()).isEqualTo(steps + 1);
            log.add(report(steps + 2, 99, Optional.of(20_000L), List.of()));
            assertThat(log.reports().getLast().step()).isEqualTo(20_000);
            for (long step = 20_001; step <= 2 * steps; step++) {
                log.add(plain(step));
            }
            assertThat(log.reports()).hasSizeLessThan(2 * ReportHistory.POINTS + 10);
        }
        assertThat(Files.readAllLines(directory.resolve("metrics.jsonl"))).hasSize(steps + 2 + 40_000);
    }

    private static void requireThinned(RunLog log, long last) {
        List<Long> steps = log.reports().stream().map(StepReport::step).toList();
        assertThat(steps)
                .hasSizeBetween(ReportHistory.POINTS, 2 * ReportHistory.POINTS + 10)
                .isSorted()
                .doesNotHaveDuplicates()
                .contains(10_000L, 20_000L)
                .endsWith(last);
    }

    /** A step that was not evaluated. */
    private static StepReport plain(long step) {
        return new StepReport(
                step,
                5.0 / step,
                1e-3,
                1.5,
                64 * step,
                Map.of("a", 0.1),
                0.5,
                100,
                1,
                Optional.empty(),
                Optional.empty(),
                3,
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                List.of());
    }

    @Test
    void curvesArePictures() throws IOException {
        try (RunLog log = new RunLog(directory, 0)) {
            for (long step = 1; step <= 20; step++) {
                log.add(report(step, step == 7 ? Double.NaN : 5.0 / step, Optional.empty(), List.of()));
            }
            log.curves();
        }
        for (String name : List.of("loss", "lr", "gradient_norm", "throughput", "bits_per_byte")) {
            BufferedImage image = ImageIO.read(directory.resolve(name + ".png").toFile());
            assertThat(image.getWidth()).isEqualTo(1000);
            long colours = image.getRGB(0, 0, 1000, 600, null, 0, 1000).length;
            assertThat(colours).isEqualTo(600_000);
        }
    }

    private record Scalar(long step, String tag, float value) {}

    /** An independent reader of the format: frames by tensorflow/core/lib/io/record_writer.h, messages by event.proto. */
    private static List<Scalar> events(Path folder) throws IOException {
        List<Scalar> scalars = new ArrayList<>();
        List<Path> files;
        try (Stream<Path> entries = Files.list(folder)) {
            files = entries.sorted().toList();
        }
        for (Path file : files) {
            assertThat(file.getFileName().toString()).startsWith("events.out.tfevents.");
            ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
            while (bytes.hasRemaining()) {
                int at = bytes.position();
                int length = (int) bytes.getLong(at);
                assertThat(bytes.getInt(at + 8)).isEqualTo(masked(bytes.array(), at, 8));
                assertThat(bytes.getInt(at + 12 + length)).isEqualTo(masked(bytes.array(), at + 12, length));
                ByteBuffer event = bytes.slice(at + 12, length).order(ByteOrder.LITTLE_ENDIAN);
                bytes.position(at + 16 + length);
                scalars.addAll(event(event));
            }
        }
        return scalars;
    }

    private static List<Scalar> event(ByteBuffer event) {
        long step = 0;
        List<Scalar> found = new ArrayList<>();
        while (event.hasRemaining()) {
            int key = (int) varint(event);
            switch (key) {
                case 1 << 3 | 1 -> assertThat(event.getDouble()).isBetween(1.6e9, 1e11);
                case 2 << 3 -> step = varint(event);
                case 3 << 3 | 2 -> assertThat(text(event)).isEqualTo("brain.Event:2");
                case 5 << 3 | 2 -> {
                    ByteBuffer value = message(message(event, 1), -1);
                    assertThat(varint(value)).isEqualTo(1 << 3 | 2);
                    String tag = text(value);
                    assertThat(varint(value)).isEqualTo(2 << 3 | 5);
                    found.add(new Scalar(step, tag, value.getFloat()));
                }
                case 7 << 3 | 2 -> {
                    ByteBuffer session = message(event, -1);
                    assertThat(varint(session)).isEqualTo(1 << 3);
                    assertThat(varint(session)).isEqualTo(1);
                    found.add(new Scalar(step, "START", 0));
                }
                default -> throw new AssertionError("field " + key);
            }
        }
        return found;
    }

    /** The bytes of a message behind its length; of {@code field} in it, where that is asked for. */
    private static ByteBuffer message(ByteBuffer from, int field) {
        int length = (int) varint(from);
        ByteBuffer message = from.slice(from.position(), length).order(ByteOrder.LITTLE_ENDIAN);
        from.position(from.position() + length);
        if (field > 0) {
            assertThat(varint(message)).isEqualTo((long) field << 3 | 2);
        }
        return message;
    }

    private static String text(ByteBuffer from) {
        byte[] bytes = new byte[(int) varint(from)];
        from.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static long varint(ByteBuffer from) {
        long value = 0;
        for (int shift = 0; ; shift += 7) {
            byte b = from.get();
            value |= (b & 0x7FL) << shift;
            if (b >= 0) {
                return value;
            }
        }
    }

    /** CRC-32C bit by bit (polynomial 0x1EDC6F41, reflected), then the mask. */
    private static int masked(byte[] bytes, int from, int count) {
        int crc = -1;
        for (int i = from; i < from + count; i++) {
            crc ^= bytes[i] & 0xFF;
            for (int bit = 0; bit < 8; bit++) {
                crc = crc >>> 1 ^ (crc & 1) * 0x82F63B78;
            }
        }
        return Integer.rotateRight(~crc, 15) + 0xa282ead8;
    }

    @Test
    void tensorBoardFindsEveryScalar() throws IOException {
        try (RunLog log = new RunLog(directory, 0)) {
            log.add(report(300, 2.5, Optional.empty(), List.of()));
        }
        assertThat(events(directory.resolve("tensorboard")))
                .contains(
                        new Scalar(300, "train/loss", 2.5f),
                        new Scalar(300, "train/lr", 0.3f),
                        new Scalar(300, "train/gradient_norm", 1.5f),
                        new Scalar(300, "train/tokens_per_second", 400),
                        new Scalar(300, "train/mfu", 0.5f),
                        new Scalar(300, "validation/loss", 2.6f),
                        new Scalar(300, "validation/bits_per_byte", 1.25f));
    }

    private static String get(int port, String path) throws IOException {
        try (InputStream in =
                URI.create("http://127.0.0.1:" + port + path).toURL().openStream()) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    @Test
    void livePageShowsCurvesAndSamplesOnThisMachineOnly() throws IOException {
        Recipe recipe = Recipe.parse("name: watched\nsteps: 5000", List.of());
        ReportHistory reports = new ReportHistory();
        for (long step = 1; step <= 5500; step++) {
            reports.add(report(step));
        }
        reports.add(report(5501, 2.25, Optional.empty(), List.of(new StepReport.Sample("int", " <main>"))));
        reports.add(report(5502));
        try (LivePage page = new LivePage(0, recipe, reports::reports)) {
            assertThat(get(page.port(), "/")).contains("metrics.json").contains("bitsPerByte");
            String metrics = get(page.port(), "/metrics.json");
            assertThat(metrics)
                    .contains("\"name\":\"watched\"")
                    .contains("\"loss\":2.25")
                    .contains(" <main>");
            int sent = JsonMapper.shared().readTree(metrics).get("reports").size();
            assertThat(sent).isBetween(3000, 3500); // a fifth was evaluated, half of the others is thinned out
            assertThatThrownBy(() -> get(page.port(), "/other")).isInstanceOf(IOException.class);
            assertThatThrownBy(() -> new LivePage(page.port(), recipe, reports::reports))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("--watch");
        }
    }
}
