package dev.puna.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LrScheduleTest {
    @Test
    void warmUpCountsFromOneAndEveryScheduleEndsWhereItSays() {
        LrSchedule cosine = new LrSchedule.Cosine(1, 10, 110, 0.1);
        assertThat(cosine.lr(1)).isCloseTo(0.1, within(1e-12));
        assertThat(cosine.lr(10)).isEqualTo(1);
        assertThat(cosine.lr(60)).isCloseTo(0.55, within(1e-12));
        assertThat(cosine.lr(110)).isCloseTo(0.1, within(1e-12));
        assertThat(new LrSchedule.Linear(2, 0, 100, 0).lr(75)).isCloseTo(0.5, within(1e-12));
        assertThat(new LrSchedule.Constant(2, 4).lr(3)).isEqualTo(1.5);
        LrSchedule wsd = new LrSchedule.WarmupStableDecay(1, 10, 100, 20, 0);
        assertThat(wsd.lr(80)).isEqualTo(1);
        assertThat(wsd.lr(90)).isCloseTo(0.5, within(1e-12));
        assertThat(wsd.lr(100)).isZero();
    }

    @Test
    void eventFilesAreFramedAsTensorBoardReadsThem(@TempDir Path directory) throws IOException {
        try (EventFile file = new EventFile(directory)) {
            file.scalar("train/loss", 300, 2.5);
        }
        ByteBuffer bytes = ByteBuffer.wrap(
                        Files.readAllBytes(Files.list(directory).toList().getFirst()))
                .order(ByteOrder.LITTLE_ENDIAN);
        int frames = 0;
        while (bytes.hasRemaining()) {
            int at = bytes.position();
            int length = (int) bytes.getLong(at);
            assertThat(bytes.getInt(at + 8)).isEqualTo(masked(bytes.array(), at, 8));
            assertThat(bytes.getInt(at + 12 + length)).isEqualTo(masked(bytes.array(), at + 12, length));
            bytes.position(at + 16 + length);
            frames++;
        }
        assertThat(frames).isEqualTo(2);
    }

    private static int masked(byte[] bytes, int from, int count) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, from, count);
        int value = (int) crc.getValue();
        return Integer.rotateRight(value, 15) + 0xa282ead8;
    }

    @Test
    void livePageAnswersOnThisMachineOnly() throws IOException {
        StepReport report = new StepReport(
                1,
                2.5,
                1e-3,
                1,
                64,
                0.1,
                100,
                1,
                Optional.empty(),
                3,
                Optional.empty(),
                Optional.empty(),
                Optional.empty());
        try (LivePage page = new LivePage(0, () -> List.of(report));
                InputStream in = URI.create("http://127.0.0.1:" + page.port() + "/metrics.json")
                        .toURL()
                        .openStream()) {
            assertThat(new String(in.readAllBytes(), java.nio.charset.StandardCharsets.UTF_8))
                    .contains("\"loss\":2.5");
        }
    }
}
