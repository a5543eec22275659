package dev.puna.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The ids of sentencepiece and tiktoken (tools/golden/tokenizer.py) on 20 MB of text, most of it unkind. */
class TokenizerGoldenTest {
    private final Tokenizer llama2 = Tokenizer.open(Samples.tokenizer("llama2-sentencepiece.model"));
    private final Tokenizer llama3 = Tokenizer.open(Samples.tokenizer("llama3-tiktoken.model"));

    @Test
    void twoMegabytes() {
        check(0, 2);
    }

    @Test
    @Tag("slow")
    void twentyMegabytes() {
        check(2, 20);
    }

    private void check(int from, int to) {
        List<String> golden;
        try (InputStream in = getClass().getResourceAsStream("/golden-tokenizer.txt")) {
            golden = new String(in.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> !line.startsWith("#"))
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Encoder encoder2 = llama2.encoder();
        Encoder encoder3 = llama3.encoder();
        for (int number = from; number < to; number++) {
            String[] expected = golden.get(number).split(" ");
            List<Object> documents = GoldenText.block(number);
            assertThat(documents).hasSize(Integer.parseInt(expected[1]));
            assertThat(hashes(llama2, encoder2, documents))
                    .as("Llama-2, block %d", number)
                    .containsExactly(expected[2], expected[4]);
            assertThat(hashes(llama3, encoder3, documents))
                    .as("Llama-3, block %d", number)
                    .containsExactly(expected[3], expected[5]);
        }
    }

    /** Of all ids, and of all texts that they are decoded to. */
    static String[] hashes(Tokenizer tokenizer, Encoder encoder, List<Object> documents) {
        MessageDigest ids = sha256();
        MessageDigest texts = sha256();
        TokenBuffer out = new TokenBuffer();
        for (Object document : documents) {
            out.clear();
            if (document instanceof byte[] bytes) {
                encoder.encode(bytes, 0, bytes.length, EncodeOptions.TEXT, out);
            } else {
                encoder.encode((String) document, EncodeOptions.TEXT, out);
            }
            ByteBuffer buffer = ByteBuffer.allocate(4 * out.size() + 4).order(ByteOrder.LITTLE_ENDIAN);
            buffer.asIntBuffer().put(out.array(), 0, out.size()).put(-1);
            ids.update(buffer);
            texts.update(tokenizer.decode(out.toArray()).getBytes(StandardCharsets.UTF_8));
            texts.update((byte) 0);
        }
        return new String[] {
            HexFormat.of().formatHex(ids.digest()), HexFormat.of().formatHex(texts.digest())
        };
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
