package dev.puna.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.inference.TinyAdapter;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code puna serve} as a process of its own: what it says, and how a signal ends it. */
@Timeout(180)
final class ServeVerbTest {
    private static final Pattern ADDRESS = Pattern.compile("listening on (http://127\\.0\\.0\\.1:\\d+) .*");

    @TempDir
    Path directory;

    private Process serve(String... more) throws IOException {
        Path model = directory.resolve("tiny.gguf");
        Rehearsal.writeTinyModel(model);
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx512m",
                "-XX:+UseSerialGC",
                "--add-modules",
                "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                "dev.puna.cli.Main",
                "serve",
                model.toString(),
                "--port",
                "0"));
        command.addAll(List.of(more));
        return new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
    }

    private static String address(Process process) throws IOException {
        BufferedReader out =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        String line = out.readLine();
        Matcher matcher = ADDRESS.matcher(String.valueOf(line));
        assertThat(matcher.matches()).as(String.valueOf(line)).isTrue();
        assertThat(line).contains("(model tiny,");
        return matcher.group(1);
    }

    private static CompletableFuture<HttpResponse<String>> stream(HttpClient client, String address) {
        return client.sendAsync(
                HttpRequest.newBuilder(URI.create(address + "/v1/completions"))
                        .POST(HttpRequest.BodyPublishers.ofString(
                                "{\"prompt\":\"a\",\"max_tokens\":480,\"stream\":true,\"logit_bias\":{\"2\":-100}}"))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
    }

    @ParameterizedTest
    @CsvSource({"60, true", "0, false"})
    void aSignalUnderLoadLetsAnswersFinishAsLongAsWasSaid(int grace, boolean finish) throws Exception {
        Process process = serve("--grace", String.format(Locale.ROOT, "%d", grace));
        try (HttpClient client = HttpClient.newHttpClient()) {
            String address = address(process);
            List<CompletableFuture<HttpResponse<String>>> streams = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                streams.add(stream(client, address));
            }
            while (!metrics(client, address).contains("puna_running_sequences 4\n")) {
                Thread.sleep(2);
            }
            process.destroy(); // SIGTERM
            for (CompletableFuture<HttpResponse<String>> each : streams) {
                String body = each.get().body();
                if (finish) {
                    assertThat(body).endsWith("data: [DONE]\n\n");
                } else {
                    assertThat(body).contains("shutting_down").doesNotContain("[DONE]");
                }
            }
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
            assertThat(process.exitValue()).isZero();
        } finally {
            process.destroyForcibly();
        }
    }

    /** Adapters, a draft (the model itself: every guess is right), lookup and a type of keys and values, together. */
    @Test
    void adaptersAndGuessesAreServed() throws Exception {
        Path draft = directory.resolve("draft.gguf");
        Rehearsal.writeTinyModel(draft);
        Path adapter = TinyAdapter.write(directory.resolve("adapter"), 256, 1, 1);
        Process process = serve(
                "--draft",
                draft.toString(),
                "--draft-tokens",
                "3",
                "--lookup",
                "2",
                "--kv",
                "q8_0",
                "--lora",
                "poet=" + adapter);
        try (HttpClient client = HttpClient.newHttpClient()) {
            String address = address(process);
            String base = text(client, address, "tiny");
            assertThat(text(client, address, "tiny")).isEqualTo(base);
            assertThat(text(client, address, "poet")).isNotEqualTo(base);
            String metrics = metrics(client, address);
            assertThat(metrics).doesNotContain("puna_accepted_tokens_total 0\n");
        } finally {
            process.destroyForcibly();
        }
    }

    private static String text(HttpClient client, String address, String model) throws Exception {
        HttpResponse<String> response = client.send(
                HttpRequest.newBuilder(URI.create(address + "/v1/completions"))
                        .POST(HttpRequest.BodyPublishers.ofString("{\"model\":\"" + model
                                + "\",\"prompt\":\"once\",\"max_tokens\":40,\"temperature\":0,"
                                + "\"logit_bias\":{\"2\":-100}}"))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        assertThat(response.body()).contains("\"model\":\"" + model + "\"");
        String body = response.body();
        int begin = body.indexOf("\"text\":");
        return body.substring(begin, body.indexOf("\"logprobs\"", begin));
    }

    private static String metrics(HttpClient client, String address) throws Exception {
        return client.send(
                        HttpRequest.newBuilder(URI.create(address + "/metrics")).build(),
                        HttpResponse.BodyHandlers.ofString())
                .body();
    }

    @Test
    void whatIsImpossibleIsSaidBeforeAModelIsLoaded() {
        assertThat(Session.of("serve", "none.gguf", "--memory", "much").err()).contains("--memory", "4GiB");
        assertThat(Session.of("serve", "none.gguf", "--cors", "example.org").err())
                .contains("https://");
        assertThat(Session.of("serve", "none.gguf", "--port", "70000").status()).isEqualTo(2);
        assertThat(Session.of("serve", "none.gguf", "--lora", "poet").err()).contains("NAME=DIR");
        assertThat(Session.of("serve", "none.gguf", "--lora", "poet=nowhere").err())
                .contains("no directory nowhere");
        assertThat(Session.of("serve", "none.gguf", "--draft-tokens", "2").err())
                .contains("--draft MODEL");
        assertThat(Session.of("serve", "none.gguf", "--draft", "none").status()).isEqualTo(2);
    }
}
