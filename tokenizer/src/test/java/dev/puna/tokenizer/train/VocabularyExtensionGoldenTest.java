package dev.puna.tokenizer.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.puna.tokenizer.EncodeOptions;
import dev.puna.tokenizer.SentencePieceModel;
import dev.puna.tokenizer.SentencePieceTokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import tools.jackson.core.JsonParser;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/** Against sentencepiece with the merged model ({@code tools/golden/vocabulary_extension.py}). */
class VocabularyExtensionGoldenTest {
    private static Path samples() {
        for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
            if (Files.exists(at.resolve("shared/samples/tokenizers"))) {
                return at.resolve("shared/samples/tokenizers");
            }
        }
        assumeTrue(false, "no ../shared/samples/tokenizers beside the project");
        throw new AssertionError();
    }

    @Test
    void chineseLlama() throws IOException {
        SentencePieceModel base = SentencePieceModel.read(samples().resolve("llama2-sentencepiece.model"));
        SentencePieceModel more = SentencePieceModel.read(samples().resolve("chinese-sentencepiece.model"));
        SentencePieceModel merged = VocabularyExtension.extend(base, more);
        assertThat(merged.size()).isEqualTo(49_953);
        SentencePieceTokenizer tokenizer = merged.tokenizer();
        String golden;
        try (var in = VocabularyExtensionGoldenTest.class.getResourceAsStream("/train/extended.txt")) {
            golden = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
        int checked = 0;
        for (String line : golden.split("\n")) {
            String[] parts = line.split("\t", 2);
            String text;
            try (JsonParser parser = JsonFactory.builder().build().createParser(ObjectReadContext.empty(), parts[0])) {
                parser.nextToken();
                text = parser.getString();
            }
            String ids = Arrays.stream(tokenizer.encode(text, EncodeOptions.TEXT))
                    .mapToObj(Integer::toString)
                    .collect(Collectors.joining(" "));
            assertThat(ids).as(parts[0]).isEqualTo(parts[1]);
            checked++;
        }
        assertThat(checked).isEqualTo(309);
    }
}
