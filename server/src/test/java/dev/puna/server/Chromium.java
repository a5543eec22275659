package dev.puna.server;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A headless Chromium and one page in it, driven by the Chrome DevTools Protocol.
 *
 * @see <a href="https://chromedevtools.github.io/devtools-protocol/">the protocol</a>
 */
final class Chromium implements AutoCloseable {
    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final long SECONDS = 150;

    private final Process process;
    private final Path profile;
    private final WebSocket socket;
    private final AtomicInteger next = new AtomicInteger();
    private final Map<Integer, CompletableFuture<JsonNode>> answers = new ConcurrentHashMap<>();

    /** What went wrong in the page: exceptions, refused loads, dialogs. */
    final List<String> complaints = new CopyOnWriteArrayList<>();

    /** Where a Chromium lies on this machine: {@code PUNA_CHROMIUM}, or on the PATH. */
    static Optional<Path> find() {
        String named = System.getenv("PUNA_CHROMIUM");
        if (named != null) {
            return Optional.of(Path.of(named));
        }
        return Stream.of(System.getenv().getOrDefault("PATH", "").split(":"))
                .flatMap(folder -> Stream.of("chromium", "chromium-browser", "google-chrome")
                        .map(name -> Path.of(folder, name)))
                .filter(Files::isExecutable)
                .findFirst();
    }

    static Chromium start(Path program) throws Exception {
        Path profile = Files.createTempDirectory("puna-chromium");
        Process process = new ProcessBuilder(
                        program.toString(),
                        "--headless=new",
                        "--no-sandbox", // tests may run as root, in a container
                        "--disable-gpu",
                        "--disable-dev-shm-usage",
                        "--no-first-run",
                        "--hide-scrollbars",
                        "--remote-debugging-port=0",
                        "--user-data-dir=" + profile,
                        "about:blank")
                .redirectErrorStream(true)
                .start();
        try {
            int port = port(process);
            HttpClient client = HttpClient.newHttpClient();
            HttpRequest made = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/json/new?about:blank"))
                    .PUT(HttpRequest.BodyPublishers.noBody())
                    .build();
            JsonNode page = JSON.readTree(
                    client.send(made, HttpResponse.BodyHandlers.ofString()).body());
            return new Chromium(
                    process, profile, client, page.get("webSocketDebuggerUrl").asString());
        } catch (Exception e) {
            process.destroyForcibly();
            throw e;
        }
    }

    private static int port(Process process) throws IOException {
        BufferedReader lines =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        StringBuilder said = new StringBuilder();
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            said.append(line).append('\n');
            if (line.startsWith("DevTools listening on ")) {
                Thread.ofVirtual().start(() -> lines.lines().forEach(rest -> {})); // lest it waits for a reader
                return URI.create(line.substring(line.indexOf("ws:"))).getPort();
            }
        }
        throw new IOException("Chromium did not start: " + said);
    }

    private Chromium(Process process, Path profile, HttpClient client, String address) throws Exception {
        this.process = process;
        this.profile = profile;
        this.socket = client.newWebSocketBuilder()
                .buildAsync(URI.create(address), new Listener())
                .get(SECONDS, TimeUnit.SECONDS);
        for (String domain : List.of("Page", "Runtime", "Log")) {
            call(domain + ".enable", Map.of());
        }
    }

    private final class Listener implements WebSocket.Listener {
        private final StringBuilder text = new StringBuilder();

        @Override
        public CompletionStage<?> onText(WebSocket from, CharSequence part, boolean last) {
            text.append(part);
            if (last) {
                JsonNode message = JSON.readTree(text.toString());
                text.setLength(0);
                if (message.has("id")) {
                    CompletableFuture<JsonNode> answer =
                            answers.remove(message.get("id").asInt());
                    if (answer != null) {
                        answer.complete(message);
                    }
                } else {
                    String method = message.get("method").asString();
                    if (method.equals("Runtime.exceptionThrown") || method.equals("Page.javascriptDialogOpening")) {
                        complaints.add(message.get("params").toString());
                    } else if (method.equals("Log.entryAdded")
                            && message.at("/params/entry/level").asString().equals("error")) {
                        complaints.add(message.get("params").toString());
                    }
                }
            }
            from.request(1);
            return CompletableFuture.completedStage(null);
        }
    }

    JsonNode call(String method, Map<String, ?> parameters) throws Exception {
        int id = next.incrementAndGet();
        CompletableFuture<JsonNode> answer = new CompletableFuture<>();
        answers.put(id, answer);
        Map<String, Object> message = new LinkedHashMap<>();
        message.put("id", id);
        message.put("method", method);
        message.put("params", parameters);
        socket.sendText(JSON.writeValueAsString(message), true).get(SECONDS, TimeUnit.SECONDS);
        JsonNode result = answer.get(SECONDS, TimeUnit.SECONDS);
        if (result.has("error")) {
            throw new AssertionError(method + ": " + result.get("error"));
        }
        return result.get("result");
    }

    void open(String address) throws Exception {
        call("Page.navigate", Map.of("url", address));
        until("document.documentElement.dataset.ready === 'true'");
    }

    void reload() throws Exception {
        evaluate("document.documentElement.dataset.ready = 'old'");
        call("Page.reload", Map.of());
        until("document.documentElement.dataset.ready === 'true'");
    }

    /** The value of an expression; a promise is waited for. */
    JsonNode evaluate(String expression) throws Exception {
        JsonNode result =
                call("Runtime.evaluate", Map.of("expression", expression, "awaitPromise", true, "returnByValue", true));
        if (result.has("exceptionDetails")) {
            throw new AssertionError(expression + ": " + result.get("exceptionDetails"));
        }
        return result.get("result").path("value");
    }

    String text(String expression) throws Exception {
        return evaluate(expression).asString("");
    }

    /** Waits until an expression is true. */
    void until(String expression) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        while (true) {
            try {
                if (evaluate("Boolean(" + expression + ")").asBoolean()) {
                    return;
                }
            } catch (AssertionError e) {
                if (System.nanoTime() > end) {
                    throw e; // a page on its way out knows nothing
                }
            }
            if (System.nanoTime() > end) {
                throw new AssertionError(
                        "never came: " + expression + "\n" + complaints + "\n" + text("document.body.innerText"));
            }
            Thread.sleep(20);
        }
    }

    /** Types into what has the focus. */
    void type(String text) throws Exception {
        call("Input.insertText", Map.of("text", text));
    }

    void press(String key, int code) throws Exception {
        press(key, code, 0);
    }

    /** @param modifiers 1 Alt, 2 Control, 8 Shift */
    void press(String key, int code, int modifiers) throws Exception {
        for (String kind : List.of("rawKeyDown", "keyUp")) {
            call(
                    "Input.dispatchKeyEvent",
                    Map.of(
                            "type",
                            kind,
                            "key",
                            key,
                            "code",
                            key.length() == 1 ? "Key" + key.toUpperCase() : key,
                            "windowsVirtualKeyCode",
                            code,
                            "modifiers",
                            modifiers));
        }
    }

    void size(int width, int height, boolean phone) throws Exception {
        call(
                "Emulation.setDeviceMetricsOverride",
                Map.of("width", width, "height", height, "deviceScaleFactor", 1, "mobile", phone));
    }

    void dark(boolean wanted) throws Exception {
        call(
                "Emulation.setEmulatedMedia",
                Map.of(
                        "features",
                        List.of(Map.of("name", "prefers-color-scheme", "value", wanted ? "dark" : "light"))));
    }

    byte[] screenshot() throws Exception {
        return Base64.getDecoder()
                .decode(call("Page.captureScreenshot", Map.of()).get("data").asString());
    }

    @Override
    public void close() {
        socket.abort();
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly().onExit().join();
        try (Stream<Path> all = Files.walk(profile)) {
            all.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
        } catch (IOException | UncheckedIOException e) {
            return; // a process of its own may still write there; the system cleans up
        }
    }
}
