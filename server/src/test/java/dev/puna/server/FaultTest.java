package dev.puna.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.inference.Engine;
import dev.puna.inference.EngineOptions;
import dev.puna.inference.LlamaOptions;
import dev.puna.inference.TinyModel;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.json.JsonMapper;

/** What clients do that nobody hopes for. */
@Timeout(300)
class FaultTest {
    private static final HttpClient CLIENT = HttpClient.newHttpClient();

    /** An answer as long as the context allows: a tenth of a second and more. */
    private static final String LONG =
            "{\"prompt\":\"the a\",\"max_tokens\":500,\"logit_bias\":{\"2\":-100},\"seed\":1,\"stream\":true}";

    @TempDir
    Path directory;

    private Engine engine;
    private PunaServer server;

    @BeforeEach
    void start() throws IOException {
        engine = Engine.load(
                TinyModel.write(directory.resolve("random.gguf"), 4096),
                EngineOptions.defaults()
                        .withModel(LlamaOptions.defaults().withThreads(2))
                        .withMaxSequences(2)
                        .withQueueLimit(4)
                        .withPageLength(8));
        server = PunaServer.start(engine, ServerOptions.of("tiny").withPort(0));
    }

    @AfterEach
    void stop() {
        server.close();
        engine.close();
    }

    private HttpRequest request(String path, byte[] body) {
        return HttpRequest.newBuilder(URI.create(server.address() + path))
                .POST(HttpRequest.BodyPublishers.ofByteArray(body))
                .build();
    }

    private CompletableFuture<HttpResponse<String>> send(String body) {
        return CLIENT.sendAsync(
                request("/v1/completions", body.getBytes(StandardCharsets.UTF_8)),
                HttpResponse.BodyHandlers.ofString());
    }

    private void noPageIsHeld() throws InterruptedException {
        for (int i = 0;
                i < 600
                        && engine.counters().pagesUsed()
                                        + engine.counters().running()
                                        + engine.counters().queued()
                                > 0;
                i++) {
            Thread.sleep(50);
        }
        assertThat(engine.counters().pagesUsed()).isZero();
        assertThat(engine.counters().running()).isZero();
        assertThat(engine.counters().queued()).isZero();
    }

    private String reference() throws Exception {
        return texts(send(LONG).get().body());
    }

    /** The stream without what differs from request to request. */
    private static String texts(String stream) {
        StringBuilder text = new StringBuilder();
        for (String line : stream.split("\n")) {
            if (line.startsWith("data: {")) {
                text.append(JsonMapper.shared()
                        .readTree(line.substring(6))
                        .at("/choices/0/text")
                        .asString());
            }
        }
        return text.toString();
    }

    @Test
    @Tag("slow")
    void tenThousandMalformedBodies() throws Exception {
        String expected = reference();
        List<String> good = List.of(
                "/v1/completions {\"prompt\":\"the a\",\"max_tokens\":2,\"n\":1,\"stop\":[\"x\"],\"logprobs\":1}",
                "/v1/chat/completions {\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}],"
                        + "\"max_tokens\":1,\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":"
                        + "{\"type\":\"object\",\"properties\":{\"a\":{\"enum\":[1,\"b\"]}}}}}],\"tool_choice\":\"auto\"}",
                "/v1/messages {\"max_tokens\":1,\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"system\":\"b\"}",
                "/api/chat {\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"options\":{\"num_predict\":1},"
                        + "\"format\":{\"type\":\"array\",\"items\":{\"type\":\"number\"},\"maxItems\":2}}",
                "/v1/embeddings {\"input\":[\"a\",\"the\"],\"encoding_format\":\"base64\"}",
                "/tokenize {\"content\":\"the a\",\"with_pieces\":true}",
                "/detokenize {\"tokens\":[260,261]}");
        Random random = new Random(6);
        AtomicInteger refused = new AtomicInteger();
        for (int i = 0; i < 10_000; i++) {
            String[] chosen = good.get(random.nextInt(good.size())).split(" ", 2);
            byte[] body = mangled(chosen[1].getBytes(StandardCharsets.UTF_8), random);
            HttpResponse<String> response = CLIENT.send(request(chosen[0], body), HttpResponse.BodyHandlers.ofString());
            assertThat(response.statusCode())
                    .as("%s %s: %s", chosen[0], new String(body, StandardCharsets.ISO_8859_1), response.body())
                    .isLessThan(500)
                    .isNotEqualTo(404);
            if (response.statusCode() != 200) {
                refused.incrementAndGet();
                assertThat(JsonMapper.shared().readTree(response.body()).has("error"))
                        .isTrue();
            }
        }
        assertThat(refused.get()).isGreaterThan(5_000);
        noPageIsHeld();
        assertThat(reference()).isEqualTo(expected);
    }

    /** Bytes changed, cut out, doubled; parts of JSON put where they do not belong. */
    private static byte[] mangled(byte[] good, Random random) {
        byte[] body = good.clone();
        for (int times = 1 + random.nextInt(3); times > 0 && body.length > 1; times--) {
            int at = random.nextInt(body.length);
            switch (random.nextInt(5)) {
                case 0 -> body[at] = (byte) random.nextInt(256);
                case 1 -> body = java.util.Arrays.copyOf(body, at);
                case 2 -> body = spliced(body, at, at + random.nextInt(body.length - at), "");
                case 3 -> {
                    String[] parts = {
                        "null", "{", "]", "\"", "-1", "1e999", "[[[[", "\\ud800", "9223372036854775808", "{}"
                    };
                    body = spliced(body, at, at, parts[random.nextInt(parts.length)]);
                }
                default -> {
                    int from = random.nextInt(at + 1);
                    body = spliced(body, at, at, new String(body, from, at - from, StandardCharsets.ISO_8859_1));
                }
            }
        }
        return body;
    }

    private static byte[] spliced(byte[] body, int from, int to, String between) {
        String text = new String(body, StandardCharsets.ISO_8859_1);
        return (text.substring(0, from) + between + text.substring(to)).getBytes(StandardCharsets.ISO_8859_1);
    }

    @Test
    void deepNestingIsRefused() throws Exception {
        String deep = "{\"prompt\":" + "[".repeat(100_000) + "]".repeat(100_000) + "}";
        assertThat(send(deep).get().statusCode()).isEqualTo(400);
        String schema = "{\"type\":\"array\",\"items\":".repeat(200) + "true" + "}".repeat(200);
        HttpResponse<String> nested = CLIENT.send(
                request(
                        "/v1/chat/completions",
                        ("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"max_tokens\":1,\"response_format\":"
                                        + "{\"type\":\"json_schema\",\"json_schema\":{\"schema\":" + schema + "}}}")
                                .getBytes(StandardCharsets.UTF_8)),
                HttpResponse.BodyHandlers.ofString());
        assertThat(nested.statusCode()).isEqualTo(200);
    }

    @Test
    void clientsThatVanishFreeTheirPagesStreamedOrNot() throws Exception {
        String expected = reference();
        for (int round = 0; round < 6; round++) {
            List<Socket> sockets = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                String body = i % 2 == 0 ? LONG : LONG.replace(",\"stream\":true", "");
                Socket socket = new Socket("127.0.0.1", server.port());
                socket.getOutputStream()
                        .write(("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + body.length()
                                        + "\r\n\r\n" + body)
                                .getBytes(StandardCharsets.UTF_8));
                sockets.add(socket);
            }
            Thread.sleep(10L * round);
            for (Socket socket : sockets) {
                socket.setSoLinger(round % 2 == 0, 0); // by reset, or in good order
                socket.close();
            }
        }
        noPageIsHeld();
        assertThat(reference()).isEqualTo(expected);
    }

    @Test
    void aClientThatDoesNotReadHoldsNoPages() throws Exception {
        String body = LONG.replace("\"seed\"", "\"logprobs\":20,\"n\":2,\"seed\""); // more than sockets buffer
        try (Socket socket = new Socket()) {
            socket.setReceiveBufferSize(1024);
            socket.connect(new java.net.InetSocketAddress("127.0.0.1", server.port()));
            socket.getOutputStream()
                    .write(("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + body.length()
                                    + "\r\n\r\n" + body)
                            .getBytes(StandardCharsets.UTF_8));
            InputStream in = socket.getInputStream();
            assertThat(in.read()).isEqualTo('H');
            for (int i = 0; i < 600 && engine.counters().finished() == 0; i++) {
                Thread.sleep(50);
            }
            assertThat(engine.counters().finished()).isEqualTo(1);
            noPageIsHeld();
            String rest = new String(in.readNBytes(100), StandardCharsets.UTF_8);
            assertThat("H" + rest).startsWith("HTTP/1.1 200");
        }
    }

    /** An answer that no socket's buffers hold, and a client that takes in nothing of it: streamed or whole, it is cut off. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aClientThatNeverReadsIsCutOff(boolean streamed) throws Exception {
        String body = LONG.replace("\"seed\"", "\"logprobs\":20,\"n\":2,\"seed\"")
                .replace("\"stream\":true", "\"stream\":" + streamed);
        long before = engine.counters().finished() + engine.counters().cancelled();
        try (PunaServer impatient = PunaServer.start(
                        engine, ServerOptions.of("tiny").withPort(0).withPatience(Duration.ofMillis(500)));
                Socket socket = new Socket()) {
            socket.setReceiveBufferSize(1024);
            socket.connect(new java.net.InetSocketAddress("127.0.0.1", impatient.port()));
            socket.getOutputStream().write(post("/v1/completions", body));
            for (int i = 0; i < 1200 && metric(impatient, "puna_http_abandoned_total") == 0; i++) {
                Thread.sleep(50);
            }
            assertThat(metric(impatient, "puna_http_abandoned_total")).isEqualTo(1);
            assertThat(open(impatient)).isEqualTo(1); // the one that asks
            noPageIsHeld();
            assertThat(engine.counters().finished() + engine.counters().cancelled())
                    .isEqualTo(before + 1);
            awaitEnd(socket);
        }
    }

    /** Reads what the system still holds for a client; fails when no end follows. */
    private static void awaitEnd(Socket socket) throws IOException {
        socket.setSoTimeout(60_000);
        try {
            socket.getInputStream().transferTo(java.io.OutputStream.nullOutputStream());
        } catch (java.net.SocketException reset) {
            // that is an end, too
        }
    }

    /** After the time that a client may take to send its request, its connection is closed. */
    @Test
    void aClientThatNeverEndsItsRequestIsCutOff() throws Exception {
        try (PunaServer impatient = PunaServer.start(
                        engine, ServerOptions.of("tiny").withPort(0).withPatience(Duration.ofMillis(300)));
                Socket socket = new Socket("127.0.0.1", impatient.port())) {
            byte[] request = post("/v1/completions", LONG);
            socket.getOutputStream().write(request, 0, request.length - 10);
            socket.setSoTimeout(60_000);
            try {
                String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
                assertThat(answer).doesNotContain("HTTP/1.1 200");
            } catch (java.net.SocketException reset) {
                // that is an end, too
            }
            assertThat(open(impatient)).isEqualTo(1);
        }
    }

    private static byte[] post(String path, String body) {
        return ("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + body.length() + "\r\n\r\n" + body)
                .getBytes(StandardCharsets.UTF_8);
    }

    private static double open(PunaServer of) throws Exception {
        return metric(of, "puna_http_open_requests");
    }

    private static double metric(PunaServer of, String name) throws Exception {
        HttpResponse<String> response = CLIENT.send(
                HttpRequest.newBuilder(URI.create(of.address() + "/metrics")).build(),
                HttpResponse.BodyHandlers.ofString());
        return response.body()
                .lines()
                .filter(line -> line.startsWith(name + " "))
                .mapToDouble(line -> Double.parseDouble(line.substring(name.length() + 1)))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void morePromptsThanTheQueueTakesAreNotToldToComeBack() throws Exception {
        String prompts = "\"a\",".repeat(40) + "\"a\"";
        HttpResponse<String> response =
                send("{\"prompt\":[" + prompts + "],\"max_tokens\":1}").get();
        assertThat(response.statusCode()).as(response.body()).isEqualTo(400);
        assertThat(response.body()).contains("41 prompts").contains("the queue takes 4");
        noPageIsHeld();
    }

    @Test
    void aPortInUseAndAnAddressThatIsNoneAreToldApart() {
        assertThatThrownBy(
                        () -> PunaServer.start(engine, ServerOptions.of("tiny").withPort(server.port())))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("is another server there?");
        assertThatThrownBy(() -> PunaServer.start(
                        engine, ServerOptions.of("tiny").withPort(0).withHost("no-such-host.invalid")))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("host=no-such-host.invalid")
                .hasMessageContaining("no such address");
    }

    @Test
    void tooManyAreToldWhenToComeBack() throws Exception {
        List<CompletableFuture<HttpResponse<String>>> all = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            all.add(send(LONG));
        }
        int refused = 0;
        String expected = "";
        for (CompletableFuture<HttpResponse<String>> each : all) {
            HttpResponse<String> response = each.get();
            if (response.statusCode() == 429) {
                refused++;
                assertThat(Integer.parseInt(
                                response.headers().firstValue("retry-after").orElse("")))
                        .isPositive();
                assertThat(response.body()).contains("queue_full");
            } else {
                assertThat(response.statusCode()).isEqualTo(200);
                expected = expected.isEmpty() ? texts(response.body()) : expected;
                assertThat(texts(response.body()))
                        .isEqualTo(expected); // the same request, the same text, in any company
            }
        }
        assertThat(refused).isBetween(1, 38);
        noPageIsHeld();
    }

    @Test
    void shutdownFinishesWhatRunsOrSaysThatItDoesNot() throws Exception {
        String expected = reference();
        List<CompletableFuture<HttpResponse<String>>> patient = List.of(send(LONG), send(LONG), send(LONG));
        while (engine.counters().running() == 0) {
            Thread.sleep(1);
        }
        assertThat(server.shutdown(Duration.ofSeconds(60))).isTrue();
        int finished = 0;
        for (CompletableFuture<HttpResponse<String>> each : patient) {
            String body = each.handle((response, failure) -> response == null ? "" : response.body())
                    .get();
            if (texts(body).equals(expected) && body.endsWith("data: [DONE]\n\n")) {
                finished++;
            } else {
                assertThat(body).matches(text -> text.isEmpty() || text.contains("shutting_down"));
            }
        }
        assertThat(finished).isPositive();
        noPageIsHeld();
    }

    @Test
    void shutdownWithoutPatienceCutsStreamsOffInTheShapeOfTheApi() throws Exception {
        CompletableFuture<HttpResponse<String>> cut = send(LONG);
        while (engine.counters().generatedTokens() < 3) {
            Thread.sleep(1);
        }
        server.shutdown(Duration.ZERO);
        String body = cut.get().body();
        assertThat(body).contains("shutting_down").doesNotContain("[DONE]");
        noPageIsHeld();
    }
}
