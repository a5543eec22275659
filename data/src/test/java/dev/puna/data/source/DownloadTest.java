package dev.puna.data.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpServer;
import dev.puna.data.pipeline.Pipeline;
import dev.puna.data.pipeline.PipelineReport;
import dev.puna.data.pipeline.Progress;
import dev.puna.data.pipeline.Recipe;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against a server in this program that breaks off, changes its file, and refuses. */
class DownloadTest {
    @TempDir
    Path folder;

    private HttpServer server;
    private byte[] content = new byte[300_000];
    private String tag = "\"one\"";
    private int breakAfter = Integer.MAX_VALUE;
    private boolean ranges = true;
    private final List<String> asked = new ArrayList<>();

    @BeforeEach
    void serve() throws IOException {
        new SplittableRandom(1).nextBytes(content);
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/dump/file.bin", exchange -> {
            String range = exchange.getRequestHeaders().getFirst("Range");
            String condition = exchange.getRequestHeaders().getFirst("If-Range");
            asked.add(range == null ? "whole" : range);
            int from = range != null && ranges && tag.equals(condition)
                    ? Integer.parseInt(range.replaceAll("\\D", ""))
                    : 0;
            exchange.getResponseHeaders().set("ETag", tag);
            if (from > 0) {
                exchange.getResponseHeaders()
                        .set("Content-Range", "bytes " + from + "-" + (content.length - 1) + "/" + content.length);
            }
            exchange.sendResponseHeaders(from > 0 ? 206 : 200, content.length - from);
            try (OutputStream body = exchange.getResponseBody()) {
                int to = (int) Math.min(content.length, (long) from + breakAfter);
                body.write(content, from, to - from);
            } catch (IOException e) {
                // Fewer bytes than announced: the connection breaks off, which is meant.
            }
            exchange.close();
        });
        server.start();
    }

    @AfterEach
    void stop() {
        server.stop(0);
    }

    private URI address(String path) {
        return URI.create("http://127.0.0.1:" + server.getAddress().getPort() + path);
    }

    private Path fetch() throws IOException {
        return new Download(1, 1000).fetch(address("/dump/file.bin"), folder, (bytes, total) -> {});
    }

    @Test
    void whatBreaksOffGoesOnAtItsLastByte() throws IOException {
        breakAfter = 100_000;
        assertThat(Files.readAllBytes(fetch())).isEqualTo(content);
        assertThat(asked).containsExactly("whole", "bytes=100000-", "bytes=200000-");
        assertThat(Files.readAllBytes(fetch())).isEqualTo(content);
        assertThat(asked).hasSize(3); // it is there: nobody is asked
        try (var files = Files.list(folder)) {
            assertThat(files).containsExactly(folder.resolve("file.bin"));
        }
    }

    @Test
    void aFileThatChangedMeanwhileBeginsAnew() throws IOException {
        Files.write(folder.resolve("file.bin.partial"), Arrays.copyOf(content, 50_000));
        Files.writeString(folder.resolve("file.bin.partial.etag"), tag);
        tag = "\"two\"";
        new SplittableRandom(2).nextBytes(content);
        assertThat(Files.readAllBytes(fetch())).isEqualTo(content);
        assertThat(asked).containsExactly("bytes=50000-");
    }

    @Test
    void aServerWithoutRangesIsReadFromTheBeginning() throws IOException {
        ranges = false;
        Files.write(folder.resolve("file.bin.partial"), new byte[1000]);
        Files.writeString(folder.resolve("file.bin.partial.etag"), tag);
        assertThat(Files.readAllBytes(fetch())).isEqualTo(content);
    }

    @Test
    void whatIsNotThereIsSaid() {
        assertThatThrownBy(() -> new Download(1, 1000).fetch(address("/nothing.gz"), folder, (bytes, total) -> {}))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("404");
        assertThatThrownBy(() -> new Download(1, 1000).fetch(address("/dump/"), folder, (bytes, total) -> {}))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("names no file");
    }

    @Test
    void aRecipeReadsFromAnAddress() throws IOException {
        content = "{\"text\":\"one\"}\n{\"text\":\"two\"}\n".getBytes(StandardCharsets.UTF_8);
        Recipe recipe = Recipe.of(
                "source: {kind: jsonl}\nstages: []\n",
                folder,
                List.of(address("/dump/file.bin").toString()));
        PipelineReport report = new Pipeline(recipe, folder.resolve("out"), 1, Progress.NONE).run();
        assertThat(report.documents()).isEqualTo(2);
        assertThat(folder.resolve("out/downloads/file.bin")).hasBinaryContent(content);
    }
}
