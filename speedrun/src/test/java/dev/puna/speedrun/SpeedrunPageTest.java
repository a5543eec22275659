package dev.puna.speedrun;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

final class SpeedrunPageTest {
    private final AtomicReference<String> state = new AtomicReference<>("{}");

    private static String get(int port, String path) throws IOException {
        try (InputStream in =
                URI.create("http://127.0.0.1:" + port + path).toURL().openStream()) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    @Test
    void whoLooksAtItGetsTheLastStateBeforeItCloses() throws Exception {
        SpeedrunPage page = SpeedrunPage.start(0, state::get);
        assertThat(get(page.port(), "/")).contains("<title>Puna speedrun</title>");
        assertThat(get(page.port(), "/state.json")).isEqualTo("{}");
        state.set("{\"finished\":true}");
        Thread closing = Thread.ofPlatform().start(page::close);
        assertThat(get(page.port(), "/state.json")).contains("finished");
        closing.join();
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> get(page.port(), "/"));
    }

    @Test
    void aPortThatIsTakenIsRefused() throws IOException {
        try (SpeedrunPage first = SpeedrunPage.start(0, state::get)) {
            assertThatExceptionOfType(ConfigurationException.class)
                    .isThrownBy(
                            () -> SpeedrunPage.start(first.port(), state::get).close())
                    .withMessageContaining("--port")
                    .withMessageContaining("taken");
        }
    }

    @Test
    void theReportHasItsStateInIt() throws IOException {
        assertThat(SpeedrunPage.standalone("{\"a\":\"</script>\"}"))
                .contains("const STATE = {\"a\":\"<\\/script>\"};")
                .doesNotContain("const STATE = null");
    }
}
