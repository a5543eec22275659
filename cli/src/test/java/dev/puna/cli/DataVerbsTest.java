package dev.puna.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.puna.data.shard.TokenShard;
import dev.puna.model.LlamaCheckpoint;
import dev.puna.tensor.Tensor;
import dev.puna.tokenizer.EncodeOptions;
import dev.puna.tokenizer.SentencePieceModel;
import dev.puna.tokenizer.TokenKind;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The verbs of data and the training of a vocabulary, on a small archive of programs. */
final class DataVerbsTest {
    @TempDir
    static Path directory;

    private static Path archive;

    @BeforeAll
    static void writeArchive() throws IOException {
        archive = directory.resolve("programs.zip");
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(archive))) {
            for (int i = 0; i < 120; i++) {
                zip.putNextEntry(new ZipEntry("a/Program" + i + ".java"));
                String text = i % 10 == 3 ? "class Copy {}\n" : program(i);
                zip.write(text.getBytes(StandardCharsets.UTF_8));
            }
        }
    }

    private static String program(int number) {
        StringBuilder text = new StringBuilder("class Program" + number + " {\n");
        for (int line = 0; line < 20; line++) {
            text.append("    int value")
                    .append(number * 31 + line)
                    .append(" = ")
                    .append(line)
                    .append(";\n");
        }
        return text.append("}\n").toString();
    }

    private static Path recipe() {
        Path at = Path.of("").toAbsolutePath();
        while (!Files.exists(at.resolve("recipes/data/code-small.yaml"))) {
            at = at.getParent();
        }
        return at.resolve("recipes/data/code-small.yaml");
    }

    private static JsonNode json(Session session) {
        assertThat(session.err()).isEmpty();
        return JsonMapper.shared().readTree(session.out());
    }

    @Test
    void anArchiveBecomesDocumentsVocabularyAndShards() throws IOException {
        Path yaml = directory.resolve("recipe.yaml");
        Files.writeString(
                yaml,
                Files.readString(recipe()).replace("size: 8000", "size: 400").replace("100", "10"));
        Path out = directory.resolve("prepared");
        String[] words = {"data", "prepare", yaml.toString(), archive.toString(), "--out", out.toString(), "--json"};
        Session session = Session.of(words);
        assertThat(session.status()).isZero();
        JsonNode summary = json(session);
        long kept = summary.at("/train/documents").asLong();
        long heldOut = summary.at("/held_out/documents").asLong();
        assertThat(kept + heldOut).isEqualTo(109); // 108 programs and one of twelve copies
        assertThat(heldOut).isBetween(2L, 30L);
        assertThat(summary.at("/report/skipped/duplicate file").asLong()).isEqualTo(11);
        Tokenizer tokenizer = Tokenizer.open(out.resolve("tokenizer"));
        assertThat(tokenizer.vocabularySize()).isEqualTo(400);
        try (TokenShard shard = TokenShard.open(out.resolve("tokens/train"))) {
            assertThat(shard.tokenCount()).isEqualTo(summary.at("/train/tokens").asLong());
            int[] ids = shard.document(5);
            String text = tokenizer.decode(ids);
            assertThat(text).contains("class ");
            assertThat(tokenizer.encode(
                            program(Integer.parseInt(text.split("Program| \\{")[1])), EncodeOptions.DOCUMENT))
                    .isEqualTo(ids);
        }
        byte[] tokens = Files.readAllBytes(out.resolve("tokens/train.bin"));
        Files.delete(out.resolve("tokens/train.idx")); // as if killed before the end
        JsonNode again = json(Session.of(words));
        assertThat(again.at("/train")).isEqualTo(summary.at("/train"));
        assertThat(out.resolve("tokens/train.bin")).hasBinaryContent(tokens);
        assertThat(Session.of("data", "show", out.toString()).out())
                .contains("exact-dedup")
                .contains("held out");
        assertThat(Session.of("data", "show", out.resolve("tokens/train.idx").toString(), "--json")
                        .out())
                .contains("\"documents\" : " + kept);
    }

    @Test
    void documentsAreFilteredDeduplicatedShownAndTokenized() throws IOException {
        Path documents = directory.resolve("web.jsonl");
        Files.writeString(documents, """
                {"id":"1","text":"write to me@example.org, please, today"}
                {"id":"2","text":"the same text"}
                {"id":"3","text":"the same text"}
                {"id":"4","text":"this one says that the words of the others are with us and have to be long enough"}
                """);
        Path clean = directory.resolve("clean");
        JsonNode filtered = json(Session.of(
                "data",
                "filter",
                documents.toString(),
                "-s",
                "gopher-quality min_words=10 min_stop_words=2",
                "--out",
                clean.toString(),
                "--json"));
        assertThat(filtered.at("/report/stages/0/out").asLong()).isEqualTo(1);
        assertThat(Session.of("data", "show", clean.toString(), "--stage", "gopher-quality")
                        .out())
                .contains("me@example.org");
        Path once = directory.resolve("once");
        Session dedup =
                Session.of("data", "dedup", documents.toString(), "--kind", "exact-dedup", "-o", once.toString());
        assertThat(dedup.status()).isZero();
        assertThat(dedup.out()).contains("text seen before");
        Path vocabulary = directory.resolve("vocabulary");
        JsonNode trained = json(Session.of(
                "tokenizer", "train", documents.toString(), "--size", "300", "--out", vocabulary.toString(), "--json"));
        assertThat(trained.at("/vocabulary_size").asInt()).isEqualTo(300);
        Path prefix = directory.resolve("tokens/web");
        JsonNode tokens = json(Session.of(
                "data",
                "tokenize",
                vocabulary.toString(),
                once.resolve("documents").toString(),
                "-o",
                prefix.toString(),
                "--json",
                "--no-bos"));
        assertThat(tokens.at("/documents").asLong()).isEqualTo(3);
        try (TokenShard shard = TokenShard.open(prefix)) {
            Tokenizer tokenizer = Tokenizer.open(vocabulary);
            assertThat(shard.document(1))
                    .isEqualTo(tokenizer.encode("the same text", new EncodeOptions(false, true, false, false)));
        }
    }

    @Test
    void textsThatAModelFindsTheSameBecomeOne() throws IOException {
        Path model = directory.resolve("tiny.gguf");
        Rehearsal.writeTinyModel(model);
        Path documents = directory.resolve("meaning.jsonl");
        Files.writeString(documents, """
                {"id":"1","text":"some words about this"}
                {"id":"2","text":"some words about this"}
                {"id":"3","text":"0123456789 9876543210 // {} [] ;;;; %%%%"}
                """);
        Path out = directory.resolve("meaning");
        JsonNode made = json(Session.of(
                "data",
                "dedup",
                documents.toString(),
                "--kind",
                "semantic-dedup model=" + model + " eps=0.001",
                "-o",
                out.toString(),
                "--json"));
        assertThat(made.at("/report/stages/0/out").asLong()).isEqualTo(2);
        assertThat(Session.of("data", "show", out.toString()).out()).contains("says the same");
    }

    @Test
    void aModelGrowsWithItsVocabulary() throws IOException {
        Path gguf = directory.resolve("small.gguf");
        Rehearsal.writeTinyModel(gguf);
        Path small = directory.resolve("small");
        assertThat(Session.of("convert", gguf.toString(), small.toString(), "--quantize", "BF16")
                        .status())
                .isZero();
        Path more = directory.resolve("more.model");
        SentencePieceModel.of(
                        List.of(
                                new SentencePieceModel.Piece("ab", 0, TokenKind.NORMAL),
                                new SentencePieceModel.Piece("a", 0, TokenKind.NORMAL),
                                new SentencePieceModel.Piece("山", 0, TokenKind.NORMAL)),
                        SentencePieceModel.Settings.llama())
                .write(more);
        Path merged = directory.resolve("merged");
        JsonNode extended = json(Session.of(
                "tokenizer",
                "extend",
                small.resolve("tokenizer.model").toString(),
                more.toString(),
                "--out",
                merged.toString(),
                "--json"));
        assertThat(extended.at("/pieces").asInt()).isEqualTo(288); // 286 and two that it had not
        for (String how : List.of("mean", "normal")) {
            Path grown = directory.resolve("grown-" + how);
            Session session = Session.of(
                    "convert",
                    small.toString(),
                    grown.toString(),
                    "--vocabulary",
                    merged.toString(),
                    "--new-rows",
                    how);
            assertThat(session.err()).isEmpty();
            try (LlamaCheckpoint before = LlamaCheckpoint.open(small);
                    LlamaCheckpoint after = LlamaCheckpoint.open(grown)) {
                assertThat(after.config().vocabularySize()).isEqualTo(288);
                for (boolean head : new boolean[] {false, true}) {
                    Tensor old =
                            head ? before.weights().head() : before.weights().embedding();
                    Tensor now = head ? after.weights().head() : after.weights().embedding();
                    assertThat(now.rows()).isEqualTo(288);
                    assertThat(now.rows(0, 286).data().mismatch(old.data())).isEqualTo(-1);
                    double worst = 0;
                    double square = 0;
                    for (int c = 0; c < 256; c++) {
                        double mean = 0;
                        for (int row = 0; row < 286; row++) {
                            mean += bf16(old, row, c) / 286;
                        }
                        worst = Math.max(worst, Math.abs(bf16(now, 287, c) - mean));
                        square += bf16(now, 286, c) * bf16(now, 286, c) / 256;
                    }
                    if (how.equals("mean")) {
                        assertThat(worst).isLessThan(1e-3); // half a unit of bf16 at 0.1
                    } else {
                        assertThat(Math.sqrt(square)).isBetween(0.017, 0.023); // 0.02 +- 3 standard errors
                    }
                }
                assertThat(after.tokenizer().orElseThrow().encode("山", EncodeOptions.TEXT))
                        .contains(287);
            }
            assertThat(Session.of("run", grown.toString(), "-p", "ab 山", "-n", "3")
                            .status())
                    .isZero();
        }
        assertThat(Session.of(
                                "convert",
                                small.toString(),
                                directory.resolve("x").toString(),
                                "--vocabulary",
                                small.toString())
                        .err())
                .contains("has 286 already");
    }

    private static double bf16(Tensor matrix, int row, int column) {
        short bits = matrix.row(row).data().get(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * column);
        return Float.intBitsToFloat(bits << 16);
    }

    @Test
    void aBrokenRecordIsNamedWithItsPlaceAndTheStatusSaysSo() throws IOException {
        Path documents = directory.resolve("broken.jsonl");
        Files.writeString(documents, "{\"text\":\"good\"}\n{\"text\":17}\n{\"text\":\"better\"}\n");
        Path out = directory.resolve("after-broken");
        Session session = Session.of("data", "filter", documents.toString(), "-s", "pii-mask", "-o", out.toString());
        assertThat(session.status()).isEqualTo(1);
        assertThat(session.out()).contains("broken.jsonl at byte 16");
        assertThat(session.err()).contains("1 broken records");
        Path prefix = directory.resolve("tokens/broken");
        Path vocabulary = directory.resolve("broken-vocabulary");
        assertThat(Session.of("tokenizer", "train", documents.toString(), "--size", "300", "-o", vocabulary.toString())
                        .status())
                .isEqualTo(1);
        Session tokenized =
                Session.of("data", "tokenize", vocabulary.toString(), documents.toString(), "-o", prefix.toString());
        assertThat(tokenized.status()).isEqualTo(1);
        assertThat(tokenized.err()).contains("at byte 16");
        assertThat(tokenized.out()).contains("2 documents");
    }

    @Test
    void theTablesOfThePapersAreSpelledOut() {
        Path recipes = recipe().getParent();
        JsonNode llama1 = json(
                Session.of("data", "mix", recipes.resolve("mixture-llama1.yaml").toString(), "--dry-run", "--json"));
        assertThat(llama1.get(0).path("source").asString()).isEqualTo("commoncrawl");
        assertThat(llama1.get(0).path("tokens").asLong()).isEqualTo(938_000_000_000L);
        assertThat(llama1.get(3).path("epochs").asDouble()).isBetween(2.44, 2.46);
        Session llama3 =
                Session.of("data", "mix", recipes.resolve("mixture-llama3.yaml").toString(), "--dry-run");
        assertThat(llama3.out()).contains("llama-3: 15.60T tokens").contains("general              50.0%      7.80T");
    }

    @Test
    void mistakesAreNamed() throws IOException {
        assertThat(Session.of("data", "prepare", recipe().toString(), "nowhere.zip")
                        .err())
                .contains("nowhere.zip");
        assertThat(Session.of("data", "prepare", recipe().toString()).status()).isEqualTo(2);
        assertThat(Session.of("data", "mix", "x.yaml").err()).contains("--dry-run or --out");
        assertThat(Session.of("data", "show", directory.resolve("nothing").toString())
                        .status())
                .isEqualTo(2);
        Path documents = Files.writeString(directory.resolve("one.jsonl"), "{\"text\":\"a\"}\n");
        Session stage = Session.of(
                "data",
                "filter",
                documents.toString(),
                "-s",
                "gophers",
                "-o",
                directory.resolve("g").toString());
        assertThat(stage.status()).isEqualTo(2);
        assertThat(stage.err()).contains("gophers").contains("gopher-quality");
    }
}
