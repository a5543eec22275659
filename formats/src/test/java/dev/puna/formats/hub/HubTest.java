package dev.puna.formats.hub;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class HubTest {
    private static final HubModel MODEL = new HubModel("meta", "tiny", "main");

    @TempDir
    Path home;

    private FakeHub hub;

    @BeforeEach
    void start() throws IOException {
        hub = new FakeHub();
        hub.files.put("config.json", "{\"model_type\":\"llama\"}".getBytes(UTF_8));
        hub.files.put("model.safetensors", large(100_000, 1));
        hub.files.put("pytorch_model.bin", large(5_000, 2));
        hub.files.put("tokenizer.json", large(3_000, 3));
        hub.files.put("README.md", "# tiny".getBytes(UTF_8));
        hub.files.put("original/consolidated.00.pth", large(5_000, 4));
    }

    @AfterEach
    void stop() {
        hub.close();
    }

    private static byte[] large(int size, int seed) {
        byte[] bytes = new byte[size];
        new java.util.Random(seed).nextBytes(bytes);
        return bytes;
    }

    private HubSettings settings(Optional<String> token, boolean offline) {
        return new HubSettings(
                hub.endpoint(), home.resolve("hub"), token, offline, 3, Duration.ofMillis(5), Duration.ofMillis(800));
    }

    /** What was asked of the place where large files lie. */
    private List<String> ranges() {
        return hub.seen.stream()
                .filter(seen -> seen.path().startsWith("/cdn/"))
                .flatMap(seen -> seen.range().stream())
                .toList();
    }

    private Path fetch() throws IOException {
        return new Hub(settings(Optional.empty(), false)).fetch(MODEL, DownloadProgress.SILENT);
    }

    @Test
    void theCacheLooksAsTheFieldExpects() throws IOException {
        List<String> heard = new ArrayList<>();
        Path snapshot = new Hub(settings(Optional.empty(), false))
                .fetch(MODEL, (file, bytes, total) -> heard.add(file + " " + bytes + "/" + total));
        Path model = home.resolve("hub/models--meta--tiny");
        assertThat(snapshot).isEqualTo(model.resolve("snapshots").resolve(FakeHub.COMMIT));
        try (Stream<Path> files = Files.list(snapshot)) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .containsExactlyInAnyOrder("config.json", "model.safetensors", "tokenizer.json");
        }
        assertThat(model.resolve("refs/main")).hasContent(FakeHub.COMMIT);
        byte[] weights = hub.files.get("model.safetensors");
        assertThat(snapshot.resolve("model.safetensors")).hasBinaryContent(weights);
        assertThat(Files.readSymbolicLink(snapshot.resolve("model.safetensors")))
                .isEqualTo(Path.of("../../blobs", FakeHub.sha256(weights)));
        assertThat(model.resolve("blobs").resolve(FakeHub.gitSha1(hub.files.get("config.json"))))
                .exists();
        assertThat(heard).contains("model.safetensors 0/100000", "model.safetensors 100000/100000");
    }

    @Test
    void whatIsThereIsNotFetchedAgain() throws IOException {
        Path first = fetch();
        hub.seen.clear();
        assertThat(fetch()).isEqualTo(first);
        assertThat(hub.seen).as("only the list").hasSize(1);
    }

    @Test
    void aCutTransferIsTakenUpWhereItEnded() throws IOException {
        // More cuts than attempts: an attempt that brings something does not count.
        hub.files.remove("tokenizer.json");
        hub.cuts.addAll(List.of(10_000, 20_000, 5_000, 1_000, 30_000));
        Path snapshot = fetch();
        assertThat(snapshot.resolve("model.safetensors")).hasBinaryContent(hub.files.get("model.safetensors"));
        assertThat(ranges())
                .containsExactly("bytes=10000-", "bytes=30000-", "bytes=35000-", "bytes=36000-", "bytes=66000-");
    }

    @Test
    void anEarlierProcessMayHaveLeftAPart() throws IOException {
        byte[] weights = hub.files.get("model.safetensors");
        Path blobs = Files.createDirectories(home.resolve("hub/models--meta--tiny/blobs"));
        Files.write(blobs.resolve(FakeHub.sha256(weights) + ".incomplete"), java.util.Arrays.copyOf(weights, 40_000));
        assertThat(fetch().resolve("model.safetensors")).hasBinaryContent(weights);
        assertThat(ranges()).containsExactly("bytes=40000-");
        assertThat(blobs.resolve(FakeHub.sha256(weights) + ".incomplete")).doesNotExist();
    }

    @Test
    void aHubThatIgnoresRangesSendsEverythingAgain() throws IOException {
        hub.ignoreRanges = true;
        hub.cuts.addAll(List.of(10_000));
        assertThat(fetch().resolve("model.safetensors")).hasBinaryContent(hub.files.get("model.safetensors"));
    }

    @Test
    void aWrongPartIsFoundByItsChecksumAndFetchedAnew() throws IOException {
        byte[] weights = hub.files.get("model.safetensors");
        Path blobs = Files.createDirectories(home.resolve("hub/models--meta--tiny/blobs"));
        Files.write(blobs.resolve(FakeHub.sha256(weights) + ".incomplete"), new byte[40_000]);
        assertThat(fetch().resolve("model.safetensors")).hasBinaryContent(weights);
    }

    @Test
    void aWrongChecksumTwiceIsTheEnd() throws IOException {
        hub.files.remove("tokenizer.json");
        hub.corruptions = 1;
        fetch();
        hub.files.put("model.safetensors", large(50_000, 9));
        Files.delete(home.resolve("hub/models--meta--tiny/snapshots/" + FakeHub.COMMIT + "/model.safetensors"));
        hub.corruptions = 2;
        assertThatThrownBy(this::fetch).isInstanceOf(HubException.class).hasMessageContaining("checksum");
        try (Stream<Path> blobs = Files.list(home.resolve("hub/models--meta--tiny/blobs"))) {
            assertThat(blobs.map(Path::toString)).noneMatch(name -> name.endsWith(".incomplete"));
        }
    }

    @Test
    void busyHubsAreAskedAgain() throws IOException {
        hub.failures.addAll(List.of(429, 503));
        assertThat(fetch().resolve("config.json")).exists();
        stop();
        start();
        hub.failures.addAll(List.of(500, 500, 500));
        Files.move(home.resolve("hub"), home.resolve("gone"));
        assertThatThrownBy(this::fetch).isInstanceOf(HubException.class).hasMessageContaining("after 3 attempts");
    }

    @Test
    void aSilentConnectionIsCutAndResumed() throws IOException {
        hub.files.remove("tokenizer.json");
        hub.stall = true;
        assertThat(fetch().resolve("model.safetensors")).hasBinaryContent(hub.files.get("model.safetensors"));
        assertThat(ranges()).hasSize(1);
    }

    @Test
    void theTokenStaysWithTheHub() throws IOException {
        hub.requiredToken = Optional.of("secret");
        new Hub(settings(Optional.of("secret"), false)).fetch(MODEL, DownloadProgress.SILENT);
        assertThat(hub.seen).anyMatch(seen -> seen.host().startsWith("localhost"));
        assertThat(hub.seen)
                .allSatisfy(seen -> assertThat(seen.authorization().isPresent())
                        .as(seen.toString())
                        .isEqualTo(seen.host().startsWith("127.0.0.1")));
        assertThat(settings(Optional.of("secret"), false).toString()).doesNotContain("secret");
    }

    @Test
    void refusalsSayWhatToDo() {
        hub.requiredToken = Optional.of("secret");
        assertThatThrownBy(this::fetch).isInstanceOf(HubException.class).hasMessageContaining("set HF_TOKEN");
        assertThatThrownBy(() -> new Hub(settings(Optional.of("wrong"), false)).fetch(MODEL, DownloadProgress.SILENT))
                .isInstanceOf(HubException.class)
                .hasMessageContaining("refuses the token");
        hub.errorCode = Optional.of("GatedRepo");
        assertThatThrownBy(this::fetch)
                .isInstanceOf(HubException.class)
                .hasMessageContaining("gated")
                .hasMessageContaining("licence");
        hub.requiredToken = Optional.empty();
        assertThatThrownBy(() -> new Hub(settings(Optional.empty(), false))
                        .fetch(new HubModel("meta", "none", "main"), DownloadProgress.SILENT))
                .isInstanceOf(HubException.class)
                .hasMessageContaining("meta/none does not exist");
        assertThatThrownBy(() -> new Hub(settings(Optional.empty(), false))
                        .fetch(new HubModel("meta", "tiny", "v9"), DownloadProgress.SILENT))
                .isInstanceOf(HubException.class)
                .hasMessageContaining("no revision \"v9\"");
    }

    @ParameterizedTest
    @ValueSource(strings = {"../../x.safetensors", "/etc/passwd", "a//b", "a/./b", "..", "C:\\x", "a\\..\\b", ""})
    void namesThatLeadOutsideAreRefused(String name) {
        hub.extraNames.add(name);
        assertThatThrownBy(this::fetch).isInstanceOf(HubException.class).hasMessageContaining("outside the model");
        assertThat(home.resolve("hub")).doesNotExist();
    }

    @Test
    void offlineUsesTheCacheAndNothingElse() throws IOException {
        Hub offline = new Hub(settings(Optional.empty(), true));
        assertThatThrownBy(() -> offline.fetch(MODEL, DownloadProgress.SILENT))
                .isInstanceOf(HubException.class)
                .hasMessageContaining("HF_HUB_OFFLINE");
        assertThat(hub.seen).isEmpty();
        Path snapshot = fetch();
        hub.seen.clear();
        assertThat(offline.fetch(MODEL, DownloadProgress.SILENT)).isEqualTo(snapshot);
        assertThat(offline.fetch(new HubModel("meta", "tiny", FakeHub.COMMIT), DownloadProgress.SILENT))
                .isEqualTo(snapshot);
        assertThat(hub.seen).isEmpty();
    }

    @Test
    void anInterruptedFetchIsNotFoundOffline() {
        hub.cuts.addAll(List.of(0, 0, 0));
        assertThatThrownBy(this::fetch).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> new Hub(settings(Optional.empty(), true)).fetch(MODEL, DownloadProgress.SILENT))
                .isInstanceOf(HubException.class);
    }

    @Test
    void withoutANetworkTheCacheServes() throws IOException {
        Path snapshot = fetch();
        HubSettings unreachable = new HubSettings(
                URI.create("http://127.0.0.1:1"),
                home.resolve("hub"),
                Optional.empty(),
                false,
                2,
                Duration.ofMillis(1),
                Duration.ofSeconds(1));
        assertThat(new Hub(unreachable).fetch(MODEL, DownloadProgress.SILENT)).isEqualTo(snapshot);
        assertThatThrownBy(() ->
                        new Hub(unreachable).fetch(new HubModel("meta", "other", "main"), DownloadProgress.SILENT))
                .isInstanceOf(HubException.class)
                .hasMessageContaining("cannot reach");
    }

    @Test
    void severalAtOnceFetchEachFileOnce() throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Path>> all = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                all.add(threads.submit(this::fetch));
            }
            for (Future<Path> one : all) {
                assertThat(one.get().resolve("model.safetensors")).hasBinaryContent(hub.files.get("model.safetensors"));
            }
        }
        assertThat(hub.seen.stream().filter(seen -> seen.path().equals("/cdn/model.safetensors")))
                .hasSize(1);
    }

    @Test
    void choosesWhatIsNeeded() throws IOException {
        assertThat(choose("a.Q2_K.gguf", "a.Q8_0.gguf", "a.Q4_K_M.gguf", "README.md"))
                .containsExactly("a.Q4_K_M.gguf");
        assertThat(choose("mmproj-F16.gguf", "odd.gguf")).containsExactly("odd.gguf");
        assertThat(choose("consolidated.00.pth", "params.json", "tokenizer.model", "x.bin"))
                .containsExactly("consolidated.00.pth", "params.json", "tokenizer.model");
        assertThat(choose(
                        "consolidated.safetensors",
                        "model-00001-of-00002.safetensors",
                        "model-00002-of-00002.safetensors",
                        "model.safetensors.index.json",
                        "tokenizer_config.json",
                        "generation_config.json",
                        "chat_template.jinja",
                        "a.gguf",
                        "onnx/model.onnx"))
                .containsExactly(
                        "model-00001-of-00002.safetensors",
                        "model-00002-of-00002.safetensors",
                        "model.safetensors.index.json",
                        "tokenizer_config.json",
                        "generation_config.json",
                        "chat_template.jinja");
        assertThatThrownBy(() -> choose("pytorch_model.bin", "config.json"))
                .isInstanceOf(HubException.class)
                .hasMessageContaining("PyTorch's .bin");
        assertThatThrownBy(() -> choose("a-00001-of-00002.gguf"))
                .isInstanceOf(HubException.class)
                .hasMessageContaining("gguf-split");
    }

    private static List<String> choose(String... names) throws HubException {
        return ModelFiles.choose(MODEL, List.of(names)).names();
    }

    @Test
    void aGgufModelIsItsFile() throws IOException {
        hub.files.clear();
        hub.files.put("tiny.Q8_0.gguf", large(2_000, 5));
        assertThat(fetch().getFileName()).hasToString("tiny.Q8_0.gguf");
    }

    @Test
    void namesOfModels() {
        assertThat(HubModel.parse("meta-llama/Llama-3.2-1B"))
                .contains(new HubModel("meta-llama", "Llama-3.2-1B", "main"));
        assertThat(HubModel.parse("a/b@refs/pr/1")).contains(new HubModel("a", "b", "refs/pr/1"));
        for (String text :
                List.of("a", "/a/b", "a/b/c", "./a", "../a", "a/..", "a/b@", "a/b@../x", "a b/c", "a/b@x//y")) {
            assertThat(HubModel.parse(text)).as(text).isEmpty();
        }
    }

    @Test
    void theEnvironmentOfTheHubsOwnTools() throws IOException {
        HubSettings plain = HubSettings.of(Map.of(), home);
        assertThat(plain.endpoint()).isEqualTo(URI.create("https://huggingface.co"));
        assertThat(plain.cache()).isEqualTo(home.resolve(".cache/huggingface/hub"));
        assertThat(plain.token()).isEmpty();
        assertThat(plain.offline()).isFalse();
        Files.createDirectories(home.resolve("hf"));
        Files.writeString(home.resolve("hf/token"), "hf_file\n");
        String hf = home.resolve("hf").toString();
        assertThat(HubSettings.of(Map.of("HF_HOME", hf), home).token()).contains("hf_file");
        assertThat(HubSettings.of(Map.of("HF_HOME", hf, "HF_TOKEN", "hf_env"), home)
                        .token())
                .contains("hf_env");
        assertThat(HubSettings.of(Map.of("HF_HOME", hf), home).cache()).isEqualTo(home.resolve("hf/hub"));
        assertThat(HubSettings.of(Map.of("HF_HOME", hf, "HF_HUB_CACHE", "/c"), home)
                        .cache())
                .isEqualTo(Path.of("/c"));
        assertThat(HubSettings.of(Map.of("HF_HUB_OFFLINE", "1"), home).offline())
                .isTrue();
        assertThat(HubSettings.of(Map.of("HF_ENDPOINT", "http://mirror/"), home).endpoint())
                .isEqualTo(URI.create("http://mirror"));
        assertThatThrownBy(() -> HubSettings.of(Map.of("HF_ENDPOINT", "ftp://mirror"), home))
                .isInstanceOf(ConfigurationException.class);
    }
}
