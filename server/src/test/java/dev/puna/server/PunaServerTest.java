package dev.puna.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.inference.Engine;
import dev.puna.inference.EngineOptions;
import dev.puna.inference.LlamaOptions;
import dev.puna.inference.TinyModel;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The API over a random model. */
@Timeout(400)
class PunaServerTest {
    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final HttpClient CLIENT = HttpClient.newHttpClient();

    @TempDir
    static Path directory;

    private static Engine engine;
    private static PunaServer server;

    @BeforeAll
    static void start() throws IOException {
        Path file = TinyModel.write(directory.resolve("random.gguf"), 4096);
        engine = Engine.load(
                file,
                EngineOptions.defaults()
                        .withModel(LlamaOptions.defaults().withThreads(2))
                        .withPageLength(8));
        server = PunaServer.start(engine, ServerOptions.of("tiny").withPort(0));
    }

    @AfterAll
    static void stop() {
        server.close();
        engine.close();
    }

    private static HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server.port() + path));
    }

    private static HttpResponse<String> post(String path, String body) throws Exception {
        return CLIENT.send(
                request(path).POST(HttpRequest.BodyPublishers.ofString(body)).build(),
                HttpResponse.BodyHandlers.ofString());
    }

    private static JsonNode ok(String path, String body) throws Exception {
        HttpResponse<String> response = post(path, body);
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return JSON.readTree(response.body());
    }

    @Test
    void chatAnswersWholeAndInPiecesAlike() throws Exception {
        String body = "{\"model\":\"tiny\",\"messages\":[{\"role\":\"system\",\"content\":\"the\"},"
                + "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}],\"seed\":7,\"max_tokens\":12,"
                + "\"n\":2,\"logprobs\":true,\"top_logprobs\":2";
        JsonNode whole = ok("/v1/chat/completions", body + "}");
        assertThat(whole.get("choices").size()).isEqualTo(2);
        assertThat(whole.at("/choices/0/logprobs/content/0/top_logprobs").size())
                .isEqualTo(2);
        HttpResponse<String> streamed =
                post("/v1/chat/completions", body + ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
        String[] text = {"", ""};
        JsonNode last = null;
        for (String line : streamed.body().split("\n\n")) {
            assertThat(line).startsWith("data: ");
            if (!line.equals("data: [DONE]")) {
                last = JSON.readTree(line.substring(6));
                for (JsonNode choice : last.get("choices")) {
                    text[choice.get("index").asInt()] +=
                            choice.at("/delta/content").asString();
                }
            }
        }
        assertThat(streamed.body()).endsWith("data: [DONE]\n\n");
        for (int i = 0; i < 2; i++) {
            assertThat(text[i])
                    .isEqualTo(whole.at("/choices/" + i + "/message/content").asString());
        }
        assertThat(java.util.Objects.requireNonNull(last).at("/usage/completion_tokens"))
                .isEqualTo(whole.at("/usage/completion_tokens"));
    }

    @Test
    void completionsEchoWithLogprobs() throws Exception {
        JsonNode answer = ok(
                "/v1/completions",
                "{\"prompt\":[1,260,270],\"max_tokens\":1,\"temperature\":0,\"echo\":true,\"logprobs\":1}"
                        .replace("270", "261"));
        JsonNode logprobs = answer.at("/choices/0/logprobs");
        assertThat(logprobs.get("tokens").size()).isEqualTo(4);
        assertThat(logprobs.at("/token_logprobs/0").isNull()).isTrue();
        assertThat(logprobs.at("/token_logprobs/1").asDouble()).isNegative();
        JsonNode two = ok("/v1/completions", "{\"prompt\":[\"the\",\"a\"],\"max_tokens\":3,\"n\":2}");
        assertThat(two.get("choices").size()).isEqualTo(4);
    }

    @Test
    void schemasHold() throws Exception {
        JsonNode answer = ok(
                "/v1/chat/completions",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"max_tokens\":200,\"seed\":1,\"response_format\":"
                        + "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\",\"schema\":{\"type\":\"object\",\"properties\":"
                        + "{\"n\":{\"type\":\"integer\"},\"b\":{\"type\":\"boolean\"}},\"required\":[\"n\",\"b\"]}}}}");
        JsonNode value = JSON.readTree(answer.at("/choices/0/message/content").asString());
        assertThat(value.get("n").isIntegralNumber()).isTrue();
        assertThat(value.get("b").isBoolean()).isTrue();
    }

    @Test
    void embeddingsModelsTokensHealthMetrics() throws Exception {
        JsonNode embeddings = ok("/v1/embeddings", "{\"input\":[\"the\",\"a\"],\"model\":\"tiny\"}");
        assertThat(embeddings.at("/data/1/embedding").size()).isEqualTo(32);
        JsonNode tokens = ok("/tokenize", "{\"content\":\"the a\"}").get("tokens");
        assertThat(ok("/detokenize", "{\"tokens\":" + tokens + "}")
                        .get("content")
                        .asString())
                .isEqualTo("the a");
        for (String path : List.of("/v1/models", "/health", "/metrics")) {
            HttpResponse<String> response = CLIENT.send(request(path).build(), HttpResponse.BodyHandlers.ofString());
            assertThat(response.statusCode()).isEqualTo(200);
            assertThat(response.body()).contains(path.equals("/metrics") ? "puna_pages_used 0" : "\"");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '`',
            value = {
                "/v1/completions; {\"prompt\":\"a\",\"suffix\":\"b\"}; 400; suffix",
                "/v1/chat/completions; {\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"tools\":[{}]}; 400; tools[0].type",
                "/v1/completions; {\"prompt\":\"a\",\"temperature\":\"hot\"}; 400; temperature",
                "/v1/completions; {\"prompt\":\"a\",\"model\":\"other\"}; 404; model",
                "/v1/completions; {\"prompt\":[99999]}; 400; prompt",
                "/v1/completions; [1]; 400; no JSON object",
                "/v1/completions; {; 400; no JSON object",
                "/nothing; {}; 404; not_found",
            })
    void refusesInTheShapeOfTheApi(String path, String body, int status, String part) throws Exception {
        HttpResponse<String> response = post(path, body);
        assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
        assertThat(JSON.readTree(response.body()).at("/error/message").asString())
                .isNotEmpty();
        assertThat(response.body()).contains(part);
    }

    @Test
    void malformedBodiesAndVanishedClientsLeaveNothingBehind() throws Exception {
        Random random = new Random(2);
        String good = "{\"prompt\":\"the a he\",\"max_tokens\":2,\"n\":1}";
        for (int i = 0; i < 300; i++) {
            char[] body = good.toCharArray();
            body[random.nextInt(body.length)] = (char) (32 + random.nextInt(90));
            assertThat(post("/v1/completions", new String(body)).statusCode()).isLessThan(500);
        }
        for (int i = 0; i < 5; i++) {
            HttpResponse<InputStream> stream = CLIENT.send(
                    request("/v1/completions")
                            .POST(HttpRequest.BodyPublishers.ofString(
                                    "{\"prompt\":\"a\",\"max_tokens\":400,\"stream\":true}"))
                            .build(),
                    HttpResponse.BodyHandlers.ofInputStream());
            assertThat(stream.body().read()).isEqualTo('d');
            stream.body().close();
        }
        for (int i = 0; i < 200 && engine.counters().pagesUsed() > 0; i++) {
            Thread.sleep(50);
        }
        assertThat(engine.counters().pagesUsed()).isZero();
    }

    @Test
    void aKeyIsAskedForWhereOneIsSet() throws Exception {
        try (PunaServer locked =
                PunaServer.start(engine, ServerOptions.of("tiny").withPort(0).withApiKey("secret"))) {
            URI models = URI.create("http://127.0.0.1:" + locked.port() + "/v1/models");
            HttpRequest.Builder request = HttpRequest.newBuilder(models).timeout(Duration.ofSeconds(10));
            assertThat(CLIENT.send(request.build(), HttpResponse.BodyHandlers.ofString())
                            .statusCode())
                    .isEqualTo(401);
            assertThat(CLIENT.send(
                                    request.header("Authorization", "Bearer secret")
                                            .build(),
                                    HttpResponse.BodyHandlers.ofString())
                            .statusCode())
                    .isEqualTo(200);
        }
    }
}
