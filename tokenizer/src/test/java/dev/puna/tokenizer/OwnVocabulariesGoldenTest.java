package dev.puna.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * The ids of sentencepiece, tiktoken and tokenizers (tools/golden/own_vocabularies.py) for small vocabularies of our own,
 * which lie in the repository: foreign witnesses for a clone that has nothing else.
 */
class OwnVocabulariesGoldenTest {
    private static final Path OWN = Path.of("src/test/resources/own");

    @Test
    void encodeAsTheForeignToolsDo() throws IOException {
        List<String> golden = Files.readAllLines(OWN.resolve("golden.txt")).stream()
                .filter(line -> !line.startsWith("#"))
                .toList();
        assertThat(golden).hasSize(3);
        List<String> files = List.of("sentencepiece.model", "tiktoken.model", "byte-level.json");
        for (int i = 0; i < files.size(); i++) {
            Tokenizer tokenizer = Tokenizer.open(OWN.resolve(files.get(i)));
            Encoder encoder = tokenizer.encoder();
            for (String line : golden) {
                String[] expected = line.split(" ");
                List<Object> documents = GoldenText.block(Integer.parseInt(expected[0]));
                assertThat(documents).hasSize(Integer.parseInt(expected[1]));
                assertThat(TokenizerGoldenTest.hashes(tokenizer, encoder, documents)[0])
                        .as("%s, block %s", files.get(i), expected[0])
                        .isEqualTo(expected[2 + i]);
            }
        }
    }
}
