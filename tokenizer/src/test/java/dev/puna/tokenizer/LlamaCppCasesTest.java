package dev.puna.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** llama.cpp's own 46 cases for each of the two vocabularies. */
class LlamaCppCasesTest {
    record Case(String text, int[] ids) {}

    static List<Case> cases(String vocabulary) throws IOException {
        String inputs = Files.readString(Samples.tokenizer("ggml-vocab-" + vocabulary + ".gguf.inp"));
        String[] texts = inputs.split("\n__ggml_vocab_test__\n", -1);
        List<String> outputs =
                Files.readAllLines(Samples.tokenizer("ggml-vocab-" + vocabulary + ".gguf.out"), StandardCharsets.UTF_8);
        List<Case> cases = new ArrayList<>();
        for (int i = 0; i < outputs.size(); i++) {
            int[] ids = Arrays.stream(outputs.get(i).strip().split(" "))
                    .filter(id -> !id.isEmpty())
                    .mapToInt(Integer::parseInt)
                    .toArray();
            cases.add(new Case(texts[i], ids));
        }
        assertThat(cases).hasSize(46);
        return cases;
    }

    static void check(Tokenizer tokenizer, String vocabulary) throws IOException {
        for (Case one : cases(vocabulary)) {
            assertThat(tokenizer.encode(one.text(), EncodeOptions.TEXT))
                    .as("%s", one.text())
                    .isEqualTo(one.ids());
            assertThat(tokenizer.decode(one.ids())).isEqualTo(one.text());
        }
    }

    @Test
    void sentencePieceModel() throws IOException {
        check(Tokenizer.open(Samples.tokenizer("llama2-sentencepiece.model")), "llama-spm");
    }

    @Test
    void tiktokenRanks() throws IOException {
        check(Tokenizer.open(Samples.tokenizer("llama3-tiktoken.model")), "llama-bpe");
    }
}
