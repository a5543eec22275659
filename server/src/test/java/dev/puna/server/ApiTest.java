package dev.puna.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.inference.Engine;
import dev.puna.inference.EngineOptions;
import dev.puna.inference.EngineRequest;
import dev.puna.inference.GenerationOptions;
import dev.puna.inference.LlamaOptions;
import dev.puna.inference.Sampling;
import dev.puna.inference.TinyAdapter;
import dev.puna.inference.TinyModel;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Tools, the other APIs, and who may ask. */
@Timeout(400)
class ApiTest {
    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final HttpClient CLIENT = HttpClient.newHttpClient();
    private static final String TOOLS =
            "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"add\",\"parameters\":"
                    + "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"integer\"}},"
                    + "\"required\":[\"a\",\"b\"]}}},{\"type\":\"function\",\"function\":{\"name\":\"now\"}}]";
    private static final String ASK = "\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"seed\":5";

    @TempDir
    static Path directory;

    private static Engine engine;
    private static PunaServer server;

    @BeforeAll
    static void start() throws IOException {
        engine = Engine.load(
                TinyModel.write(directory.resolve("random.gguf"), 4096),
                EngineOptions.defaults()
                        .withModel(LlamaOptions.defaults().withThreads(2))
                        .withPageLength(8));
        engine.loadAdapter("one", TinyAdapter.write(directory.resolve("one"), TinyModel.WIDTH, 2, 1));
        engine.loadAdapter("two", TinyAdapter.write(directory.resolve("two"), TinyModel.WIDTH, 2, 2));
        server = PunaServer.start(
                engine,
                ServerOptions.of("tiny")
                        .withPort(0)
                        .withMaxBodyBytes(100_000)
                        .withCorsOrigins(List.of("https://friend.example")));
    }

    @AfterAll
    static void stop() {
        server.close();
        engine.close();
    }

    private static HttpResponse<String> post(String path, String body, String... headers) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(server.address() + path))
                .POST(HttpRequest.BodyPublishers.ofString(body));
        return CLIENT.send(
                (headers.length == 0 ? request : request.headers(headers)).build(),
                HttpResponse.BodyHandlers.ofString());
    }

    private static JsonNode ok(String path, String body) throws Exception {
        HttpResponse<String> response = post(path, body);
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return JSON.readTree(response.body());
    }

    private static List<JsonNode> events(String body) {
        List<JsonNode> events = new ArrayList<>();
        for (String line : body.split("\n")) {
            if (line.startsWith("data: {")) {
                events.add(JSON.readTree(line.substring(6)));
            }
        }
        return events;
    }

    @Test
    void aNamedToolIsCalledWholeAndStreamedAlike() throws Exception {
        String body = "{" + ASK + "," + TOOLS
                + ",\"max_tokens\":200,\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"add\"}}";
        JsonNode whole = ok("/v1/chat/completions", body + "}").at("/choices/0");
        assertThat(whole.get("finish_reason").asString()).isEqualTo("tool_calls");
        assertThat(whole.at("/message/content").isNull()).isTrue();
        JsonNode function = whole.at("/message/tool_calls/0/function");
        assertThat(function.get("name").asString()).isEqualTo("add");
        JsonNode arguments = JSON.readTree(function.get("arguments").asString());
        assertThat(arguments.get("a").isIntegralNumber() && arguments.get("b").isIntegralNumber())
                .isTrue();
        String streamed = "";
        String reason = "";
        for (JsonNode event :
                events(post("/v1/chat/completions", body + ",\"stream\":true}").body())) {
            assertThat(event.at("/choices/0/delta/content").asString("")).isEmpty();
            streamed +=
                    event.at("/choices/0/delta/tool_calls/0/function/arguments").asString("");
            reason = event.at("/choices/0/finish_reason").asString(reason);
        }
        assertThat(streamed).isEqualTo(function.get("arguments").asString());
        assertThat(reason).isEqualTo("tool_calls");
    }

    @Test
    void toolsAreShownToTheModelUnlessNoneMayBeCalled() throws Exception {
        String body = "{" + ASK + "," + TOOLS + ",\"max_tokens\":1";
        int shown = ok("/v1/chat/completions", body + "}")
                .at("/usage/prompt_tokens")
                .asInt();
        int hidden = ok("/v1/chat/completions", body + ",\"tool_choice\":\"none\"}")
                .at("/usage/prompt_tokens")
                .asInt();
        assertThat(shown).isGreaterThan(hidden + 50);
    }

    /** With {@code auto} the model decides: an answer that begins otherwise is a text, and leaves at once. */
    @Test
    void autoLetsTheModelWriteText() throws Exception {
        String body = "{" + ASK + "," + TOOLS + ",\"max_tokens\":6,\"logit_bias\":{\"263\":100}";
        for (String auto : List.of("", ",\"tool_choice\":\"auto\"")) {
            JsonNode whole = ok("/v1/chat/completions", body + auto + "}").at("/choices/0");
            assertThat(whole.at("/message/content").asString()).isEqualTo("aaaaaa");
            assertThat(whole.at("/message").has("tool_calls")).isFalse();
            assertThat(whole.get("finish_reason").asString()).isEqualTo("length");
            List<JsonNode> parts = events(post("/v1/chat/completions", body + auto + ",\"stream\":true}")
                    .body());
            assertThat(parts.getFirst().at("/choices/0/delta/content").asString())
                    .isEqualTo("a");
        }
    }

    /** An answer that is a call of a tool is one; with a strict tool, an object can be nothing else. */
    @Test
    void autoLetsTheModelCall() throws Exception {
        String body = "{" + ASK
                + ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"add\",\"strict\":true,\"parameters\":"
                + "{\"type\":\"object\",\"properties\":{\"a\":{\"enum\":[1,2]}},\"required\":[\"a\"]}}}]"
                + ",\"tool_choice\":\"auto\",\"max_tokens\":300,\"logit_bias\":{\"126\":100}"; // 126 is {
        JsonNode whole = ok("/v1/chat/completions", body + "}").at("/choices/0");
        assertThat(whole.get("finish_reason").asString()).isEqualTo("tool_calls");
        assertThat(whole.at("/message/content").isNull()).isTrue();
        String name = whole.at("/message/tool_calls/0/function/name").asString();
        assertThat(name).isEqualTo("add");
        String streamed = "";
        for (JsonNode event :
                events(post("/v1/chat/completions", body + ",\"stream\":true}").body())) {
            assertThat(event.at("/choices/0/delta/content").asString("")).isEmpty();
            streamed += event.at("/choices/0/delta/tool_calls/0/function/name").asString("");
        }
        assertThat(streamed).isEqualTo(name);
    }

    /** What begins like a call and is none comes whole, as text. */
    @Test
    void autoShowsWhatOnlyLooksLikeACall() throws Exception {
        String body = "{" + ASK + "," + TOOLS + ",\"max_tokens\":4,\"logit_bias\":{\"126\":100}";
        JsonNode whole = ok("/v1/chat/completions", body + "}").at("/choices/0");
        assertThat(whole.at("/message/content").asString()).isEqualTo("{{{{");
        List<JsonNode> parts =
                events(post("/v1/chat/completions", body + ",\"stream\":true}").body());
        String streamed = "";
        for (JsonNode part : parts) {
            streamed += part.at("/choices/0/delta/content").asString("");
        }
        assertThat(streamed).isEqualTo("{{{{");
        assertThat(parts.getLast().at("/choices/0/finish_reason").asString()).isEqualTo("length");
    }

    @Test
    void adaptersAreModelsOfTheirOwn() throws Exception {
        List<String> names = new ArrayList<>();
        JsonNode models = JSON.readTree(CLIENT.send(
                        HttpRequest.newBuilder(URI.create(server.address() + "/v1/models"))
                                .build(),
                        HttpResponse.BodyHandlers.ofString())
                .body());
        models.get("data").forEach(model -> names.add(model.get("id").asString()));
        assertThat(names).containsExactly("tiny", "one", "two");
        assertThat(models.at("/data/1/parent").asString()).isEqualTo("tiny");

        String body = "{\"prompt\":\"the a he\",\"max_tokens\":40,\"temperature\":0,\"logit_bias\":{\"2\":-100}";
        String base = ok("/v1/completions", body + "}").at("/choices/0/text").asString();
        java.util.Set<String> texts = new java.util.HashSet<>(List.of(base));
        for (String name : List.of("one", "two")) {
            JsonNode answer = ok("/v1/completions", body + ",\"model\":\"" + name + "\"}");
            assertThat(answer.get("model").asString()).isEqualTo(name);
            String text = answer.at("/choices/0/text").asString();
            GenerationOptions options = GenerationOptions.DEFAULT
                    .withMaxTokens(40)
                    .withSampling(Sampling.GREEDY.withLogitBias(java.util.Map.of(2, -100.0)));
            assertThat(text)
                    .isEqualTo(engine.generate(EngineRequest.of(engine.encodePrompt("the a he"), options)
                                    .withAdapter(engine.adapter(name).orElseThrow()))
                            .first()
                            .text());
            texts.add(text);
        }
        assertThat(texts).hasSize(3);
        // chats of every API, and embeddings
        String messages = "\"model\":\"one\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]";
        assertThat(ok("/v1/chat/completions", "{" + messages + ",\"max_tokens\":2}")
                        .get("model")
                        .asString())
                .isEqualTo("one");
        assertThat(ok("/v1/messages", "{" + messages + ",\"max_tokens\":2}")
                        .get("model")
                        .asString())
                .isEqualTo("one");
        assertThat(ok("/api/chat", "{" + messages.replace("one", "one:latest") + ",\"stream\":false}")
                        .get("model")
                        .asString())
                .isEqualTo("one");
        JsonNode embedding = ok("/v1/embeddings", "{\"input\":\"the a\",\"model\":\"one\"}");
        assertThat(embedding.get("model").asString()).isEqualTo("one");
        assertThat(embedding.at("/data/0/embedding"))
                .isNotEqualTo(ok("/v1/embeddings", "{\"input\":\"the a\"}").at("/data/0/embedding"));
        HttpResponse<String> none = post("/v1/completions", body + ",\"model\":\"three\"}");
        assertThat(none.statusCode()).isEqualTo(404);
        assertThat(none.body()).contains("'tiny', 'one', 'two'");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '`',
            value = {
                "\"tool_choice\":\"required\"; tool_choice",
                "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"x\"}}; no tool",
                "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a b\"}}]; no name",
                "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"body\":1}}]; tools[0].function.body",
                "\"response_format\":{\"type\":\"xml\"}; response_format.type",
                "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\",\"schema\":"
                        + "{\"type\":\"string\",\"pattern\":\"a+\"}}}; pattern",
                "\"logit_bias\":{\"a\":1}; logit_bias",
                "\"logit_bias\":{\"1\":1e9}; logit_bias",
                "\"top_logprobs\":3; logprobs",
                "\"stream_options\":{\"include_usage\":true}; stream",
                "\"audio\":{}; audio",
                "\"store\":true; store",
                "\"n\":0; n",
                "\"seed\":1.5; seed",
                "\"temperature\":3; temperature",
            })
    void whatIsNotUnderstoodIsNamed(String field, String part) throws Exception {
        HttpResponse<String> response =
                post("/v1/chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]," + field + "}");
        assertThat(response.statusCode()).as(response.body()).isEqualTo(400);
        assertThat(JSON.readTree(response.body()).at("/error/message").asString())
                .contains(part);
    }

    @Test
    void completionsStreamSeveralPromptsWithLogprobs() throws Exception {
        String body = "{\"prompt\":[\"the\",\"a he\"],\"max_tokens\":6,\"seed\":2,\"logprobs\":1,\"n\":2";
        JsonNode whole = ok("/v1/completions", body + "}");
        String[] texts = {"", "", "", ""};
        int[] tokens = new int[4];
        for (JsonNode event :
                events(post("/v1/completions", body + ",\"stream\":true}").body())) {
            JsonNode choice = event.at("/choices/0");
            int index = choice.get("index").asInt();
            texts[index] += choice.get("text").asString();
            tokens[index] += choice.at("/logprobs/tokens").size();
        }
        for (int i = 0; i < 4; i++) {
            assertThat(texts[i]).isEqualTo(whole.at("/choices/" + i + "/text").asString());
            assertThat(tokens[i])
                    .isEqualTo(whole.at("/choices/" + i + "/logprobs/tokens").size());
        }
    }

    @Test
    void logitBiasStopAndSeedWork() throws Exception {
        JsonNode biased = ok("/v1/completions", "{\"prompt\":\"a\",\"max_tokens\":5,\"logit_bias\":{\"263\":100}}");
        assertThat(biased.at("/choices/0/text").asString()).isEqualTo("aaaaa");
        JsonNode stopped = ok(
                "/v1/completions", "{\"prompt\":\"a\",\"max_tokens\":5,\"stop\":\"aaa\",\"logit_bias\":{\"263\":100}}");
        assertThat(stopped.at("/choices/0/text").asString()).isEmpty();
        assertThat(stopped.at("/choices/0/finish_reason").asString()).isEqualTo("stop");
        String seeded = "{\"prompt\":\"a\",\"max_tokens\":20,\"seed\":9}";
        assertThat(ok("/v1/completions", seeded).get("choices"))
                .isEqualTo(ok("/v1/completions", seeded).get("choices"));
    }

    @Test
    void ollamasApiAnswersInLines() throws Exception {
        assertThat(ok(
                                "/api/chat",
                                "{\"model\":\"tiny:latest\",\"stream\":false,\"options\":{\"num_predict\":3},"
                                        + "\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}")
                        .get("done")
                        .asBoolean())
                .isTrue();
        String ask = "{\"model\":\"tiny\",\"prompt\":\"the\",\"raw\":true,\"options\":{\"seed\":4,\"num_predict\":12}";
        JsonNode whole = ok("/api/generate", ask + ",\"stream\":false}");
        StringBuilder text = new StringBuilder();
        HttpResponse<String> streamed = post("/api/generate", ask + "}");
        assertThat(streamed.headers().firstValue("content-type").orElse("")).contains("ndjson");
        JsonNode last = whole;
        for (String line : streamed.body().split("\n")) {
            last = JSON.readTree(line);
            text.append(last.get("response").asString());
        }
        assertThat(text.toString()).isEqualTo(whole.get("response").asString());
        assertThat(last.get("eval_count")).isEqualTo(whole.get("eval_count"));
        assertThat(last.get("done_reason").asString()).isIn("stop", "length");
        HttpResponse<String> tags = CLIENT.send(
                HttpRequest.newBuilder(URI.create(server.address() + "/api/tags"))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
        assertThat(JSON.readTree(tags.body()).at("/models/0/name").asString()).isEqualTo("tiny");
        HttpResponse<String> refused = post("/api/chat", "{\"messages\":[],\"wish\":1}");
        assertThat(refused.statusCode()).isEqualTo(400);
        assertThat(JSON.readTree(refused.body()).get("error").isString()).isTrue();
    }

    @Test
    void ollamasFormatIsASchema() throws Exception {
        JsonNode answer = ok(
                "/api/chat",
                "{\"stream\":false,\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"options\":{\"num_predict\":100},"
                        + "\"format\":{\"type\":\"object\",\"properties\":{\"b\":{\"type\":\"boolean\"}},\"required\":[\"b\"]}}");
        assertThat(JSON.readTree(answer.at("/message/content").asString())
                        .get("b")
                        .isBoolean())
                .isTrue();
    }

    @Test
    void anthropicsMessagesWholeAndAsEvents() throws Exception {
        String ask = "{\"model\":\"tiny\",\"max_tokens\":10,\"temperature\":0,\"system\":[{\"type\":\"text\",\"text\":"
                + "\"the\"}],\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}]";
        JsonNode whole = ok("/v1/messages", ask + "}");
        String body = post("/v1/messages", ask + ",\"stream\":true}").body();
        StringBuilder text = new StringBuilder();
        List<String> names = new ArrayList<>();
        for (JsonNode event : events(body)) {
            names.add(event.get("type").asString());
            text.append(event.at("/delta/text").asString(""));
        }
        assertThat(names).startsWith("message_start", "content_block_start", "content_block_delta");
        assertThat(names).endsWith("content_block_stop", "message_delta", "message_stop");
        assertThat(body).startsWith("event: message_start\ndata: ");
        assertThat(text.toString()).isEqualTo(whole.at("/content/0/text").asString());
        assertThat(whole.get("stop_reason").asString()).isIn("end_turn", "max_tokens");
        int count = ok(
                        "/v1/messages/count_tokens",
                        "{\"system\":\"the\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}")
                .get("input_tokens")
                .asInt();
        assertThat(whole.at("/usage/input_tokens").asInt()
                        + whole.at("/usage/cache_read_input_tokens").asInt())
                .isEqualTo(count);
        HttpResponse<String> refused = post("/v1/messages", "{\"messages\":[]}");
        assertThat(refused.statusCode()).isEqualTo(400);
        assertThat(JSON.readTree(refused.body()).get("type").asString()).isEqualTo("error");
    }

    @Test
    void anthropicsToolsAreUsedAndTheirResultsRead() throws Exception {
        String tools = "\"tools\":[{\"name\":\"add\",\"input_schema\":{\"type\":\"object\",\"properties\":"
                + "{\"a\":{\"type\":\"integer\"}},\"required\":[\"a\"]}}],\"max_tokens\":100";
        String ask = "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]," + tools
                + ",\"tool_choice\":{\"type\":\"any\"}";
        JsonNode use = ok("/v1/messages", ask + "}");
        assertThat(use.get("stop_reason").asString()).isEqualTo("tool_use");
        assertThat(use.at("/content/0/input/a").isIntegralNumber()).isTrue();
        StringBuilder json = new StringBuilder();
        for (JsonNode event :
                events(post("/v1/messages", ask + ",\"stream\":true}").body())) {
            json.append(event.at("/delta/partial_json").asString(""));
        }
        assertThat(JSON.readTree(json.toString()).get("a").isIntegralNumber()).isTrue();
        ok(
                "/v1/messages",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":"
                        + JSON.writeValueAsString(use.get("content"))
                        + "},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":"
                        + use.at("/content/0/id") + ",\"content\":\"3\"}]}]," + tools + "}");
    }

    @Test
    void metricsAreHistogramsThatAddUp() throws Exception {
        ok("/v1/completions", "{\"prompt\":\"the a\",\"max_tokens\":4}");
        String text = CLIENT.send(
                        HttpRequest.newBuilder(URI.create(server.address() + "/metrics"))
                                .build(),
                        HttpResponse.BodyHandlers.ofString())
                .body();
        for (String name : List.of(
                "time_to_first_token_seconds",
                "time_between_tokens_seconds",
                "queue_seconds",
                "step_rows",
                "step_sequences",
                "request_seconds")) {
            assertThat(text).contains("# TYPE puna_" + name + " histogram");
            long all = value(text, "puna_" + name + "_bucket{le=\"+Inf\"} ");
            assertThat(all).as(name).isPositive().isEqualTo(value(text, "puna_" + name + "_count "));
        }
        assertThat(text).contains("puna_cached_tokens_total ", "puna_pages_cached ");
    }

    private static long value(String text, String name) {
        int at = text.indexOf(name);
        assertThat(at).as(name).isNotNegative();
        return Long.parseLong(
                text.substring(at + name.length()).lines().findFirst().orElseThrow());
    }

    @Test
    void otherSitesMayNotAskUnlessNamed() throws Exception {
        String body = "{\"prompt\":\"a\",\"max_tokens\":1}";
        assertThat(post("/v1/completions", body, "Origin", "https://evil.example")
                        .statusCode())
                .isEqualTo(403);
        assertThat(post("/v1/completions", body, "Origin", "null").statusCode()).isEqualTo(403);
        HttpResponse<String> friend = post("/v1/completions", body, "Origin", "https://friend.example");
        assertThat(friend.headers().firstValue("access-control-allow-origin")).contains("https://friend.example");
        HttpResponse<String> own = post("/v1/completions", body, "Origin", server.address());
        assertThat(own.statusCode()).isEqualTo(200);
        assertThat(own.headers().firstValue("access-control-allow-origin")).isEmpty();
        for (String origin : List.of("https://evil.example", "https://friend.example")) {
            HttpRequest preflight = HttpRequest.newBuilder(URI.create(server.address() + "/v1/completions"))
                    .method("OPTIONS", HttpRequest.BodyPublishers.noBody())
                    .header("Origin", origin)
                    .header("Access-Control-Request-Headers", "content-type,x-stainless-os,anthropic-version")
                    .build();
            HttpResponse<Void> answer = CLIENT.send(preflight, HttpResponse.BodyHandlers.discarding());
            assertThat(answer.statusCode()).isEqualTo(origin.contains("evil") ? 403 : 204);
            if (answer.statusCode() == 204) {
                assertThat(answer.headers().firstValue("access-control-allow-headers"))
                        .contains("content-type,x-stainless-os,anthropic-version");
            }
        }
    }

    /** Sends exactly this and gives the beginning of the answer; empty if the connection was cut. */
    private static String raw(String request) throws IOException {
        try (Socket socket = new Socket("127.0.0.1", server.port())) {
            socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
            socket.getOutputStream().flush();
            return new String(socket.getInputStream().readNBytes("HTTP/1.1 200".length()), StandardCharsets.UTF_8);
        } catch (SocketException e) {
            return "";
        }
    }

    @ParameterizedTest
    @CsvSource({
        "evil.example, 403",
        "127.0.0.1, 200",
        "localhost:1234, 200",
        "[::1], 200",
        "127.0.0.1.evil.example, 403"
    })
    void onlyThisMachinesNamesAreServed(String host, int status) throws IOException {
        assertThat(raw("GET /health HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 " + status);
    }

    @Test
    void aConnectionIsClosedForWhoAsksForThat() throws IOException {
        try (Socket socket = new Socket("127.0.0.1", server.port())) {
            socket.getOutputStream()
                    .write("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                            .getBytes(StandardCharsets.ISO_8859_1));
            String all = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8); // until the end
            assertThat(all).startsWith("HTTP/1.1 200").endsWith("{\"status\":\"ok\"}");
        }
    }

    @Test
    void bodiesAndHeadersHaveLimits() throws Exception {
        HttpResponse<String> large = post("/v1/completions", "{\"prompt\":\"" + "a".repeat(200_000) + "\"}");
        assertThat(large.statusCode()).isEqualTo(413);
        assertThat(JSON.readTree(large.body()).at("/error/message").asString()).isNotEmpty();
        String header = "GET /health HTTP/1.1\r\nHost: localhost\r\nX: ";
        assertThat(raw(header + "a".repeat(1_000) + "\r\n\r\n")).endsWith(" 200");
        assertThat(raw(header + "a".repeat(100_000) + "\r\n\r\n")).doesNotEndWith(" 200");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/../../etc/passwd",
                "/..%2f..%2fetc%2fpasswd",
                "/page/app.js",
                "/v1/models/..%2F..%2Fetc%2Fpasswd",
                "/app.js/../../x",
                "/v1/models/%00",
            })
    void noAddressReachesAFile(String path) throws IOException {
        assertThat(raw("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 4");
    }

    @Test
    void thePageLoadsNothingFromElsewhere() throws Exception {
        HttpResponse<String> page = CLIENT.send(
                HttpRequest.newBuilder(URI.create(server.address() + "/")).build(),
                HttpResponse.BodyHandlers.ofString());
        assertThat(page.headers().firstValue("content-security-policy").orElse(""))
                .contains("default-src 'none'", "script-src 'self';");
        assertThat(page.body()).doesNotContain("http://", "https://");
    }
}
