package dev.puna.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The verbs with a model, on a tiny one with random weights. */
final class ModelVerbsTest {
    @TempDir
    static Path directory;

    private static String model = "";

    @BeforeAll
    static void writeModel() throws IOException {
        Path file = directory.resolve("tiny.gguf");
        Rehearsal.writeTinyModel(file);
        model = file.toString();
    }

    @Test
    void runPrintsTheSameTextForTheSameSeedAndFiguresOnStandardError() {
        Session first = Session.of("run", model, "-p", "Hello", "--max-tokens", "12", "--seed", "3");
        Session again = Session.of("run", model, "-p", "Hello", "--max-tokens", "12", "--seed", "3", "--threads", "1");
        assertThat(first.status()).isZero();
        assertThat(first.out()).isNotBlank().isEqualTo(again.out());
        assertThat(first.err()).contains("prompt ").contains("tokens");
        assertThat(Session.of("run", model, "-p", "Hello", "--max-tokens", "12", "--seed", "4")
                        .out())
                .isNotEqualTo(first.out());
    }

    @Test
    void runAsJsonHasTheTokensAndTheTextThatIsPrintedWithout() {
        String[] words = {"run", model, "-p", "Hello", "-n", "12", "--temperature", "0", "--ignore-end"};
        Session plain = Session.of(words);
        String[] more = Arrays.copyOf(words, words.length + 1);
        more[words.length] = "--json";
        JsonNode answer = JsonMapper.shared().readTree(Session.of(more).out());
        assertThat(answer.get("ids").size()).isEqualTo(12);
        assertThat(answer.get("text").stringValue() + System.lineSeparator()).isEqualTo(plain.out());
        assertThat(answer.get("finish_reason").stringValue()).isEqualTo("length");
        assertThat(answer.at("/timings/prompt_tokens").intValue())
                .isEqualTo(answer.get("prompt_ids").size());
    }

    @Test
    void aForbiddenTokenIsNotSaidAndAFavouredOneIs() {
        String[] words = {
            "run", model, "-p", "Hello", "-n", "6", "-t", "0", "--ignore-end", "--json", "--logit-bias", ""
        };
        words[words.length - 1] = "260=100";
        JsonNode favoured =
                JsonMapper.shared().readTree(Session.of(words).out()).get("ids");
        assertThat(favoured).hasSize(6).allMatch(id -> id.intValue() == 260);
        words[words.length - 2] = "--logit-bias=" + favoured.get(0).intValue() + "=-inf";
        words[words.length - 1] = "--logit-bias=260=100";
        words[words.length - 2] = "--logit-bias=261=100.5";
        assertThat(JsonMapper.shared().readTree(Session.of(words).out()).get("ids"))
                .allMatch(id -> id.intValue() == 261);
        words[words.length - 1] = "--logit-bias=261=-inf";
        assertThat(JsonMapper.shared().readTree(Session.of(words).out()).get("ids"))
                .noneMatch(id -> id.intValue() == 261);
        words[words.length - 1] = "--logit-bias=261";
        assertThat(Session.of(words).status()).isEqualTo(2);
        assertThat(Session.of(words).err()).contains("expected ID=X");
    }

    @Test
    void scoreHasTheShapeThatScriptsRelyOn() throws IOException {
        Path text = Files.writeString(directory.resolve("text.txt"), "some words");
        Session session = Session.of("score", model, "--file", text.toString(), "--json");
        assertThat(session.status()).isZero();
        JsonNode score = JsonMapper.shared().readTree(session.out());
        assertThat(score.propertyNames()).containsExactly("tokens", "logprobs", "sum", "perplexity", "bits_per_byte");
        double sum = 0;
        for (JsonNode logprob : score.get("logprobs")) {
            assertThat(logprob.doubleValue()).isNegative();
            sum += logprob.doubleValue();
        }
        int count = score.get("tokens").size();
        assertThat(score.get("logprobs").size()).isEqualTo(count);
        assertThat(score.get("sum").doubleValue()).isCloseTo(sum, within(1e-9));
        assertThat(score.get("perplexity").doubleValue()).isCloseTo(Math.exp(-sum / count), within(1e-6));
        assertThat(score.get("bits_per_byte").doubleValue()).isCloseTo(-sum / Math.log(2) / 10, within(1e-9));
    }

    @Test
    void convertedModelsScoreTheSameToTheBitAndNothingIsOverwritten() throws IOException {
        Path text = Files.writeString(directory.resolve("other.txt"), "other words");
        String f32 = directory.resolve("f32.gguf").toString();
        String hf = directory.resolve("hf").toString();
        String meta = directory.resolve("meta").toString();
        assertThat(Session.of("convert", model, f32, "--quantize", "F32").status())
                .isZero();
        assertThat(Session.of("convert", f32, hf).status()).isZero();
        assertThat(Session.of("convert", hf, meta, "--to", "meta").status()).isZero();
        String expected =
                Session.of("score", f32, "--file", text.toString(), "--json").out();
        assertThat(expected).startsWith("{\"tokens\":[");
        assertThat(Session.of("score", hf, "--file", text.toString(), "--json").out())
                .isEqualTo(expected);
        assertThat(Session.of("score", meta, "--file", text.toString(), "--json")
                        .out())
                .isEqualTo(expected);

        Session occupied = Session.of("convert", model, f32);
        assertThat(occupied.status()).isEqualTo(2);
        assertThat(occupied.err()).contains("exists already");
    }

    @Test
    void tokenizerDecodesWhatItEncodes() throws IOException {
        Path text = Files.writeString(directory.resolve("lines.txt"), "first line\nsecond");
        Session encoded = Session.of("tokenizer", "encode", model, "--file", text.toString(), "--ids");
        assertThat(encoded.status()).isZero();
        assertThat(encoded.out()).matches("\\d+( \\d+)*\\R");
        Session decoded = Session.withInput(encoded.out(), "tokenizer", "decode", model);
        assertThat(decoded.out()).isEqualTo("first line\nsecond" + System.lineSeparator());
        assertThat(Session.of("tokenizer", "encode", model, "--file", text.toString(), "--lines")
                        .out()
                        .lines())
                .hasSize(2);
    }

    @Test
    void jsonLinesAreOneDocumentEachAndDamageNamesTheLine() throws IOException {
        Path good = Files.writeString(directory.resolve("a.jsonl"), "{\"text\":\"ab\"}\n{\"text\":\"\"}\n");
        assertThat(Session.of("tokenizer", "encode", model, "--file", good.toString(), "--count")
                        .out())
                .isEqualTo("3" + System.lineSeparator() + "0" + System.lineSeparator());
        Path bad = Files.writeString(directory.resolve("b.jsonl"), "{\"text\":\"ab\"}\n{\"id\":1}\n");
        Session refused = Session.of("tokenizer", "encode", model, "--file", bad.toString());
        assertThat(refused.status()).isEqualTo(1);
        assertThat(refused.err()).contains("b.jsonl: line 2: ");
    }

    @Test
    void chatAnswersLinesFromAPipeAndKnowsItsCommands() throws IOException {
        Path saved = directory.resolve("saved.json");
        Session session = Session.withInput(
                "/system be brief\nhello\n/nonsense\n/save " + saved + "\n/reset\n/help\n/exit\nnever read\n",
                "chat",
                model,
                "--max-tokens",
                "4",
                "--temperature",
                "0");
        assertThat(session.status()).isZero();
        assertThat(session.out().lines().count()).isPositive();
        assertThat(session.err())
                .contains("unknown command /nonsense")
                .contains("[forgotten]")
                .contains("/system TEXT");
        JsonNode messages =
                JsonMapper.shared().readTree(Files.readString(saved)).get("messages");
        assertThat(messages.valueStream().map(message -> message.get("role").stringValue()))
                .containsExactly("system", "user", "assistant");
        assertThat(messages.get(1).get("content").stringValue()).isEqualTo("hello");
    }

    @Test
    void aTemplateThatRefusesAMessageDoesNotEndTheChat() throws IOException {
        Path refusing = directory.resolve("refusing");
        assertThat(Session.of("convert", model, refusing.toString()).status()).isZero();
        Path settings = refusing.resolve("tokenizer_config.json");
        Files.writeString(settings, """
                {"chat_template": "{% if messages[-1]['content'] == 'bad' %}{{ raise_exception('not that') }}{% endif %}\
                {{ messages[-1]['content'] }}"}""");
        String[] words = {"chat", refusing.toString(), "--max-tokens", "2"};
        Path saved = directory.resolve("refused.json");
        Session session = Session.withInput("hello\nbad\ngood\n/save " + saved + "\n", words);
        assertThat(session.status()).as(session.err()).isZero();
        assertThat(session.err()).contains("refuses this conversation: not that");
        assertThat(JsonMapper.shared().readTree(Files.readString(saved)).get("messages"))
                .hasSize(4);
        Files.writeString(settings, "{\"chat_template\": \"{% if %}\"}");
        session = Session.withInput("hello\n", words);
        assertThat(session.status()).isEqualTo(1);
        assertThat(session.err()).contains("chat template, line 1").doesNotContain("internal error");
    }

    @Test
    void inspectCountsParametersAndTypes() {
        JsonNode content = JsonMapper.shared()
                .readTree(Session.of("inspect", model, "--json").out());
        assertThat(content.get("format").stringValue()).isEqualTo("gguf");
        long elements = 0;
        for (JsonNode type : content.get("types")) {
            elements += type.get("elements").longValue();
        }
        assertThat(content.get("parameters").longValue()).isPositive().isEqualTo(elements);
        assertThat(content.at("/tokenizer/bos").stringValue()).isEqualTo("<s>");
        assertThat(content.at("/config/layer_count").intValue()).isEqualTo(2);
        assertThat(Session.of("inspect", model, "--tensors").out()).contains("blk.1.attn_q.weight");
    }

    @Test
    void benchInferenceChecksItsAnswerAndReportsAgainstThePeaks() {
        Session session =
                Session.of("bench", "inference", model, "--prompt", "32", "--tokens", "8", "--runs", "1", "--json");
        assertThat(session.status()).as(session.err()).isZero();
        JsonNode report = JsonMapper.shared().readTree(session.out());
        assertThat(report.get("prefill_tokens_per_second").doubleValue()).isPositive();
        assertThat(report.get("decode_tokens_per_second").doubleValue()).isPositive();
        assertThat(report.at("/peaks/limits").size()).isPositive();
    }

    @Test
    void aDamagedFileIsAFailureThatNamesFileAndPlace() throws IOException {
        Path cut = directory.resolve("cut.gguf");
        byte[] bytes = Files.readAllBytes(Path.of(model));
        Files.write(cut, Arrays.copyOf(bytes, bytes.length / 2));
        Session session = Session.of("run", cut.toString(), "-p", "x");
        assertThat(session.status()).isEqualTo(1);
        assertThat(session.out()).isEmpty();
        assertThat(session.err()).contains("cut.gguf").contains("expected").doesNotContain("\tat ");
        assertThat(session.err().lines()).hasSize(1);
    }

    @Test
    void aTextThatIsNoneIsRefusedByName() throws IOException {
        Path text = Files.write(directory.resolve("latin1.txt"), new byte[] {'a', (byte) 0xFC, 'b'});
        for (String[] words : new String[][] {
            {"score", model, "--file"}, {"run", model, "--file"}, {"tokenizer", "decode", model, "--file"},
        }) {
            String[] more = Arrays.copyOf(words, words.length + 1);
            more[words.length] = text.toString();
            Session session = Session.of(more);
            assertThat(session.status()).isEqualTo(2);
            assertThat(session.err()).contains("latin1.txt: is not in UTF-8: the bytes from 1 on");
            more[words.length] = directory.toString();
            session = Session.of(more);
            assertThat(session.status()).isEqualTo(2);
            assertThat(session.err()).contains("file=" + directory + ": is a directory");
        }
    }

    @Test
    void whatIsImpossibleIsStatusTwoInOneLine() {
        for (String[] words : new String[][] {
            {"run", "no/such/model", "-p", "x"},
            {"run", model},
            {"run", model, "-p", "x", "--temperature", "-1"},
            {"run", model, "-p", "x", "--kernels", "none"},
            {"run", model, "-p", "x".repeat(600)},
            {"score", model, "--file", directory.resolve("missing").toString()},
            {"convert", model, directory.resolve("x.gguf").toString(), "--quantize", "Q9"},
            {"convert", model, directory.resolve("y").toString(), "--quantize", "Q4_0"},
            {"tokenizer", "decode", model, "--ids", "1 99999"},
            {"bench", "inference", "--random", "llama-9"},
            {"bench", "inference"},
        }) {
            Session session = Session.of(words);
            assertThat(session.status())
                    .as(String.join(" ", words) + ": " + session.err())
                    .isEqualTo(2);
            assertThat(session.out()).isEmpty();
            assertThat(session.err().lines()).as(session.err()).hasSize(1);
        }
    }
}
