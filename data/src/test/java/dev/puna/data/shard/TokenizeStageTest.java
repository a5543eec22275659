package dev.puna.data.shard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.data.Document;
import dev.puna.data.JsonlWriter;
import dev.puna.data.ReadReport;
import dev.puna.data.source.JsonlSource;
import dev.puna.tokenizer.EncodeOptions;
import dev.puna.tokenizer.Tokenizer;
import dev.puna.tokenizer.train.SentencePieceTraining;
import dev.puna.tokenizer.train.WordCounts;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenizeStageTest {
    @TempDir
    Path folder;

    private static Tokenizer tokenizer() {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 2000; i++) {
            text.append("word").append(Integer.toString(i * 7919 % 911, 36)).append(i % 9 == 0 ? '\n' : ' ');
        }
        SentencePieceTraining training = SentencePieceTraining.llama(400);
        byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
        WordCounts counts = new WordCounts();
        training.splitter().count(bytes, 0, bytes.length, counts);
        return training.train(counts).tokenizer();
    }

    @Test
    void shardHoldsEveryDocumentInOrderForAnyNumberOfThreads() throws IOException {
        Tokenizer tokenizer = tokenizer();
        SplittableRandom random = new SplittableRandom(1);
        List<String> texts = new ArrayList<>();
        List<Path> files = new ArrayList<>();
        for (int f = 0; f < 3; f++) {
            Path file = folder.resolve("part" + f + ".jsonl.zst");
            try (JsonlWriter writer = new JsonlWriter(file)) {
                for (int i = 0; i < 800; i++) {
                    String text =
                            ("word" + Integer.toString(random.nextInt(911), 36) + " é\n").repeat(random.nextInt(500));
                    texts.add(text);
                    writer.accept(new Document(f + "/" + i, text, "s", Map.of()));
                }
            }
            files.add(file);
        }
        byte[] first = null;
        for (int threads : new int[] {1, 3}) {
            Path prefix = folder.resolve("tokens" + threads);
            TokenizeStage stage = new TokenizeStage(tokenizer, EncodeOptions.DOCUMENT, threads);
            TokenizeStage.Result result =
                    stage.run(new JsonlSource("s"), files, prefix, new ReadReport(), (documents, tokens) -> {});
            assertThat(result.documents()).isEqualTo(2400);
            assertThat(result.utf8Bytes())
                    .isEqualTo(texts.stream()
                            .mapToLong(t -> t.getBytes(StandardCharsets.UTF_8).length)
                            .sum());
            byte[] bytes = Files.readAllBytes(folder.resolve("tokens" + threads + ".bin"));
            if (first != null) {
                assertThat(bytes).isEqualTo(first);
            }
            first = bytes;
            try (TokenShard shard = TokenShard.open(prefix)) {
                assertThat(shard.tokenCount()).isEqualTo(result.tokens());
                for (int i = 0; i < texts.size(); i += 7) {
                    int[] ids = shard.document(i);
                    assertThat(ids).isEqualTo(tokenizer.encode(texts.get(i), EncodeOptions.DOCUMENT));
                    assertThat(ids[0]).isEqualTo(1);
                    assertThat(ids[ids.length - 1]).isEqualTo(2);
                    assertThat(tokenizer.decode(ids)).isEqualTo(texts.get(i));
                }
            }
        }
    }

    @Test
    void aMissingFileIsRefusedBeforeAnythingIsWritten() throws IOException {
        Path file = folder.resolve("in.jsonl");
        Files.writeString(file, "{\"text\":\"fine\"}\n");
        TokenizeStage stage = new TokenizeStage(tokenizer(), EncodeOptions.TEXT, 2);
        assertThatThrownBy(() -> stage.run(
                        new JsonlSource("s"),
                        List.of(file, folder.resolve("missing.jsonl")),
                        folder.resolve("out"),
                        new ReadReport(),
                        (documents, tokens) -> {}))
                .isInstanceOf(IOException.class);
        try (var list = Files.list(folder)) {
            assertThat(list).containsExactly(file);
        }
    }

    @Test
    void aRunThatFailedLeavesNoShardAndGoesOnWithWhatIsMissing() throws IOException {
        List<Path> files = new ArrayList<>();
        for (int f = 0; f < 4; f++) {
            Path file = folder.resolve("in" + f + ".jsonl");
            Files.writeString(file, ("{\"text\":\"word" + f + "\"}\n").repeat(10));
            files.add(file);
        }
        byte[] broken = {0x1f, (byte) 0x8b, 8, 0};
        files.add(Files.write(folder.resolve("in4.jsonl.gz"), broken));
        TokenizeStage stage = new TokenizeStage(tokenizer(), EncodeOptions.TEXT, 1);
        Path prefix = folder.resolve("out");
        assertThatThrownBy(() -> stage.run(new JsonlSource("s"), files, prefix, new ReadReport(), (bytes, count) -> {
                    if (count == 25) {
                        throw new IllegalStateException("killed");
                    }
                }))
                .hasMessage("killed");
        assertThat(folder.resolve("out.bin")).doesNotExist();
        long[] again = new long[1];
        TokenizeStage.Result result =
                stage.run(new JsonlSource("s"), files, prefix, new ReadReport(), (bytes, count) -> again[0]++);
        assertThat(again[0]).isEqualTo(20); // two of the parts were complete
        assertThat(result.documents()).isEqualTo(40);
        assertThat(result.brokenFiles()).singleElement().asString().contains("in4.jsonl.gz");
        assertThat(folder.resolve("out.parts")).doesNotExist();
        try (TokenShard shard = TokenShard.open(prefix)) {
            assertThat(stage.tokenizer().decode(shard.document(39))).isEqualTo("word3");
        }
    }
}
