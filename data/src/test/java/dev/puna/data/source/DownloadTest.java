package dev.puna.data.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpServer;
import dev.puna.data.dedup.LineHash;
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

    /** What an earlier run has left of the file. */
    private void begun(byte[] bytes) throws IOException {
        Path own = Files.createDirectories(folder.resolve(
                Long.toHexString(LineHash.sha1(address("/dump/file.bin").toString()))));
        Files.write(own.resolve("file.bin.partial"), bytes);
        Files.writeString(own.resolve("file.bin.partial.etag"), tag);
    }

    @Test
    void dumpsOfOneNameAreTwoFiles() throws IOException {
        Path other = new Download(1, 1000).fetch(address("/dump/file.bin?part=2"), folder, (bytes, total) -> {});
        assertThat(other).isNotEqualTo(fetch());
        assertThat(asked).hasSize(2);
    }

    @Test
    void whatBreaksOffGoesOnAtItsLastByte() throws IOException {
        breakAfter = 100_000;
        assertThat(Files.readAllBytes(fetch())).isEqualTo(content);
        assertThat(asked).containsExactly("whole", "bytes=100000-", "bytes=200000-");
        assertThat(Files.readAllBytes(fetch())).isEqualTo(content);
        assertThat(asked).hasSize(3); // it is there: nobody is asked
        try (var files = Files.walk(folder)) {
            assertThat(files.filter(Files::isRegularFile)).containsExactly(fetch());
        }
    }

    @Test
    void aFileThatChangedMeanwhileBeginsAnew() throws IOException {
        begun(Arrays.copyOf(content, 50_000));
        tag = "\"two\"";
        new SplittableRandom(2).nextBytes(content);
        assertThat(Files.readAllBytes(fetch())).isEqualTo(content);
        assertThat(asked).containsExactly("bytes=50000-");
    }

    @Test
    void aServerWithoutRangesIsReadFromTheBeginning() throws IOException {
        ranges = false;
        begun(new byte[1000]);
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
        try (var files = Files.walk(folder.resolve("out/downloads"))) {
            assertThat(files.filter(Files::isRegularFile))
                    .singleElement()
                    .satisfies(file -> assertThat(file).hasBinaryContent(content));
        }
    }
}
