package dev.puna.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.puna.inference.Engine;
import dev.puna.inference.EngineOptions;
import dev.puna.inference.LlamaOptions;
import dev.puna.inference.TinyModel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

/**
 * The page in a headless Chromium, with the keys and clicks of a person. Where there is no Chromium these tests are
 * skipped and say so; with {@code PUNA_CHROMIUM_DEMANDED} set they fail instead. {@code PUNA_SCREENSHOTS} names a folder
 * for pictures to look at.
 */
@Timeout(600)
class WebPageTest {
    @TempDir
    static Path directory;

    private static Engine engine;
    private static PunaServer server;
    private static Chromium browser;

    @BeforeAll
    static void start() throws Exception {
        if (Chromium.find().isEmpty() && System.getenv("PUNA_CHROMIUM_DEMANDED") == null) {
            System.err.println("WebPageTest: skipped, there is no chromium on the PATH (apt-get install chromium)");
        }
        if (System.getenv("PUNA_CHROMIUM_DEMANDED") == null) {
            assumeThat(Chromium.find()).as("a chromium on the PATH").isPresent();
        }
        assertThat(Chromium.find()).as("a chromium on the PATH").isPresent();
        engine = Engine.load(
                TinyModel.write(directory.resolve("random.gguf"), 4096),
                EngineOptions.defaults()
                        .withModel(LlamaOptions.defaults().withThreads(2))
                        .withPageLength(8));
        server = PunaServer.start(engine, ServerOptions.of("tiny").withPort(0));
        browser = Chromium.start(Chromium.find().orElseThrow());
    }

    @AfterAll
    static void stop() {
        if (browser != null) {
            browser.close();
        }
        if (server != null) {
            server.close();
        }
        if (engine != null) {
            engine.close();
        }
    }

    @BeforeEach
    void fresh() throws Exception {
        browser.size(1280, 860, false);
        browser.dark(false);
        browser.open(server.address() + "/");
        browser.evaluate("localStorage.clear()");
        sampling("max_tokens: 40");
        browser.reload();
        browser.complaints.clear();
    }

    private static void sampling(String settings) throws Exception {
        browser.evaluate("localStorage.setItem('puna.sampling', JSON.stringify({seed: '1', " + settings + "}))");
    }

    private static void picture(String name) throws Exception {
        String folder = System.getenv("PUNA_SCREENSHOTS");
        if (folder != null) {
            Files.write(Files.createDirectories(Path.of(folder)).resolve(name + ".png"), browser.screenshot());
        }
    }

    private static final String LAST = "document.querySelector('#messages > li:last-child')";

    /** Counts in {@code seen} how often an answer that is being written changed. */
    private static void watch() throws Exception {
        browser.evaluate("(() => { window.seen = 0; new MutationObserver(() => { const body = " + LAST
                + "?.querySelector('.body'); if (body && " + LAST
                + ".matches('.writing') && body.textContent) seen++; }).observe("
                + "document.querySelector('#messages'), {childList: true, subtree: true, characterData: true}); })()");
    }

    private static void say(String text) throws Exception {
        browser.evaluate("document.querySelector('#input').focus()");
        browser.type(text);
        browser.press("Enter", 13);
    }

    private static void answered() throws Exception {
        browser.until(LAST + "?.matches('.assistant:not(.writing)') && !document.body.matches('.busy')");
    }

    @Test
    void aConversationIsStreamedStoppedRegeneratedEditedAndSurvivesAReload() throws Exception {
        sampling("max_tokens: 1500");
        browser.reload();
        watch();
        say("the first question");
        answered();
        // A browser that hardly gets a processor may draw only once before the end.
        assertThat(browser.evaluate("seen").asInt())
                .as("times that text was shown while it was being written")
                .isPositive();
        assertThat(browser.text("document.querySelector('.user .body').textContent"))
                .contains("the first");
        String figures = browser.text(LAST + ".querySelector('output').textContent");
        assertThat(figures).matches("(?s)\\d+ tokens? .*tokens/s.*");
        picture("chat");

        // Stop: an answer that would never end, by Esc.
        sampling("temperature: 0, max_tokens: 100000");
        browser.reload();
        say("more");
        browser.until(LAST + "?.matches('.writing') && " + LAST + ".querySelector('.body').textContent.length > 5");
        browser.press("Escape", 27);
        answered();
        assertThat(browser.text(LAST + ".querySelector('output').textContent")).contains("stopped");
        for (int i = 0; i < 200 && engine.counters().pagesUsed() > 0; i++) {
            Thread.sleep(50);
        }
        assertThat(engine.counters().pagesUsed()).as("pages after a stop").isZero();

        // Regenerate, then edit the first question: what followed it goes.
        int count = browser.evaluate("document.querySelectorAll('#messages > li').length")
                .asInt();
        assertThat(count).isEqualTo(4);
        sampling("max_tokens: 12");
        browser.reload();
        String before = browser.text("document.querySelector('#messages').innerText");
        assertThat(before).contains("the first").contains("more");
        browser.evaluate(LAST + ".querySelector('[aria-label=\"Answer again\"]').click()");
        answered();
        assertThat(browser.text(LAST + ".querySelector('output').textContent")).doesNotContain("stopped");
        browser.evaluate("document.querySelector('.user [aria-label=\"Edit\"]').click()");
        browser.evaluate("document.querySelector('.edit textarea').value = 'other words'");
        browser.press("Enter", 13, 2);
        browser.until("document.querySelectorAll('#messages > li').length === 2");
        answered();
        assertThat(browser.text("document.querySelector('.user .body').textContent"))
                .isEqualTo("other words");

        // A second conversation by key, and back by key.
        browser.press("n", 78, 1);
        browser.until("document.querySelectorAll('#messages > li').length === 0");
        say("second conversation");
        answered();
        assertThat(browser.evaluate("document.querySelectorAll('#list li').length")
                        .asInt())
                .isEqualTo(2);
        browser.reload();
        assertThat(browser.text("document.querySelector('.user .body').textContent"))
                .isEqualTo("second conversation");
        browser.press("ArrowDown", 40, 1);
        browser.until("document.querySelector('.user .body')?.textContent === 'other words'");
        assertThat(browser.complaints).isEmpty();
    }

    @Test
    void aBaseModelsTextIsContinuedAndTakenBack() throws Exception {
        browser.evaluate("document.querySelector('#mode-text').click()");
        browser.evaluate("document.querySelector('#document').focus()");
        browser.type("the a he");
        browser.press("Enter", 13, 2);
        browser.until("document.querySelector('#document').value.length > 8 && !document.body.matches('.busy')");
        assertThat(browser.text("document.querySelector('#document').value")).startsWith("the a he");
        picture("text");
        browser.evaluate("document.querySelector('#undo').click()");
        assertThat(browser.text("document.querySelector('#document').value")).isEqualTo("the a he");
        browser.reload();
        assertThat(browser.text("document.querySelector('#document').value")).isEqualTo("the a he");
        assertThat(browser.complaints).isEmpty();
    }

    @Test
    void markdownBecomesNodesAndNothingThatTheModelWritesRuns() throws Exception {
        String source = """
                # Title

                A *b* **c** `d <b>` ~~e~~ [f](https://example.org) <img src=x onerror=alert(1)> <script>alert(2)</script>
                [g](javascript:alert(3)) [h](data:text/html,x) ![i](https://example.org/i.png)

                - one
                  - inner
                - two

                3. three

                | x | y |
                |---|--:|
                | 1 | 2 |

                > quote

                ```html
                <script>alert(4)</script>
                ```
                ```
                open""";
        browser.evaluate("import('/markdown.js').then(m => { const target = document.createElement('div');"
                + " target.className = 'body'; target.id = 'probe'; document.body.append(target); const source = "
                + JsonMapper.shared().writeValueAsString(source)
                + "; for (let end = 0; end <= source.length; end++) m.render(target, source.slice(0, end)); })");
        for (String each : List.of(
                "h2:Title",
                "em:b",
                "strong:c",
                "p > code:d <b>",
                "s:e",
                "a[href='https://example.org/']:f",
                "ul > li > ul > li:inner",
                "td.right:2",
                "blockquote:quote",
                "figcaption > span:html",
                "pre > code:<script>alert(4)</script>",
                "figure:last-child code:open")) {
            int cut = each.indexOf(':', each.indexOf("']") + 1);
            if (each.startsWith("figure:last")) {
                cut = each.lastIndexOf(':');
            }
            assertThat(browser.text("document.querySelector("
                            + JsonMapper.shared().writeValueAsString("#probe " + each.substring(0, cut))
                            + ")?.textContent"))
                    .as(each)
                    .isEqualTo(each.substring(cut + 1));
        }
        assertThat(browser.evaluate("document.querySelectorAll('#probe img, #probe script, #probe b').length")
                        .asInt())
                .isZero();
        assertThat(browser.evaluate("[...document.querySelectorAll('#probe a')].every(a => a.protocol === 'https:')")
                        .asBoolean())
                .isTrue();
        assertThat(browser.text("document.querySelector('#probe').textContent"))
                .contains("<img src=x onerror=alert(1)>", "[g](javascript:alert(3))");
        assertThat(browser.evaluate("document.querySelector('#probe ol').start").asInt())
                .isEqualTo(3);
        assertThat(browser.complaints).isEmpty(); // no dialog, no exception, nothing loaded from elsewhere
    }

    @Test
    void itFitsAPhoneAndTheDark() throws Exception {
        say("the a he the a he the a he the a he the a he the a he the a he the a he");
        answered();
        browser.size(390, 844, true);
        browser.dark(true);
        browser.until("document.documentElement.dataset.theme === 'dark'");
        assertThat(browser.evaluate("document.documentElement.scrollWidth").asInt())
                .isLessThanOrEqualTo(390);
        picture("phone-dark");
        browser.evaluate("document.querySelector('#menu').click()");
        browser.until("document.querySelector('#sidebar').getBoundingClientRect().left >= 0");
        browser.press("Escape", 27);
        browser.until("document.querySelector('#sidebar').getBoundingClientRect().right <= 0");
        browser.evaluate("document.querySelector('#settings-open').click()");
        browser.evaluate("document.querySelector('#system').value = 'the system'");
        picture("phone-settings");
        browser.evaluate("document.querySelector('#settings').close()");
        browser.reload();
        browser.evaluate("document.querySelector('#settings-open').click()");
        assertThat(browser.text("document.querySelector('#system').value")).isEqualTo("the system");
    }

    @Test
    void aServerWithAKeyAsksForIt() throws Exception {
        try (PunaServer locked =
                PunaServer.start(engine, ServerOptions.of("tiny").withPort(0).withApiKey("secret"))) {
            browser.open(locked.address() + "/");
            browser.until("document.querySelector('#settings').open");
            browser.evaluate("document.querySelector('#key').value = 'secret'");
            browser.evaluate("document.querySelector('#settings').close()");
            browser.until("document.querySelector('#model').textContent === 'tiny'");
            say("a");
            answered();
            assertThat(browser.evaluate(LAST + ".querySelector('.failed') === null")
                            .asBoolean())
                    .isTrue();
        }
    }
}
