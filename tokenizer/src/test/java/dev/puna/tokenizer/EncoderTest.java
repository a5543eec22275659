package dev.puna.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class EncoderTest {
    private final Tokenizer llama2 = Tokenizer.open(Samples.tokenizer("llama2-sentencepiece.model"));
    private final Tokenizer llama3 = Tokenizer.open(Samples.tokenizer("llama3-tiktoken.model"));

    @Test
    void stringsBytesAndSegmentsAreOne() {
        for (Tokenizer tokenizer : List.of(llama2, llama3)) {
            Encoder encoder = tokenizer.encoder();
            for (int number = 0; number < 200; number++) {
                if (new GoldenText(number).document() instanceof String text) {
                    byte[] utf8 = Utf8.bytes(text);
                    TokenBuffer out = new TokenBuffer();
                    encoder.encode(utf8, 0, utf8.length, EncodeOptions.TEXT, out);
                    int size = out.size();
                    encoder.encode(MemorySegment.ofArray(utf8), EncodeOptions.TEXT, out);
                    assertThat(out.size()).isEqualTo(2 * size);
                    assertThat(tokenizer.encode(text, EncodeOptions.TEXT))
                            .isEqualTo(java.util.Arrays.copyOf(out.array(), size))
                            .isEqualTo(java.util.Arrays.copyOfRange(out.array(), size, 2 * size));
                }
            }
        }
    }

    @Test
    void streamingNeverCutsACharacter() {
        for (Tokenizer tokenizer : List.of(llama2, llama3)) {
            for (int number = 0; number < 200; number++) {
                if (new GoldenText(number).document() instanceof String text) {
                    String plain = new String(Utf8.bytes(text), StandardCharsets.UTF_8);
                    String wellFormed = tokenizer.dropsLeadingSpace() ? plain.replace('\u2581', ' ') : plain;
                    StreamingDecoder decoder = tokenizer.streamingDecoder();
                    StringBuilder joined = new StringBuilder();
                    for (int id : tokenizer.encode(text, EncodeOptions.WITH_BOS)) {
                        String part = decoder.next(id);
                        assertThat(wellFormed).startsWith(joined.append(part));
                    }
                    assertThat(joined.append(decoder.finish()).toString())
                            .isEqualTo(tokenizer.decode(tokenizer.encode(text, EncodeOptions.WITH_BOS)));
                }
            }
        }
    }

    @Test
    void continuationHasNoSpaceBefore() {
        EncodeOptions continuation = new EncodeOptions(false, false, false, true);
        assertThat(llama2.decode(llama2.encode("ized", continuation))).isEqualTo("ized");
        assertThat(llama2.piece(llama2.encode("ized", continuation)[0])).doesNotStartWith("\u2581");
        assertThat(llama2.encode("ized", EncodeOptions.TEXT)).isNotEqualTo(llama2.encode("ized", continuation));
    }

    @Test
    void metaSeams() {
        ByteLevelTokenizer meta = ((ByteLevelTokenizer) llama3).withSeams(ByteLevelTokenizer.Seams.META);
        String run = "a".repeat(60_001);
        List<Integer> parts = new ArrayList<>();
        for (int length : new int[] {25_000, 25_000, 10_001}) {
            for (int id : llama3.encode("a".repeat(length), EncodeOptions.TEXT)) {
                parts.add(id);
            }
        }
        assertThat(meta.encode(run, EncodeOptions.TEXT))
                .isEqualTo(parts.stream().mapToInt(i -> i).toArray());
        String words = "word ".repeat(100_000).substring(0, 400_003);
        List<Integer> blocks = new ArrayList<>();
        for (String block : List.of(words.substring(0, 400_000), words.substring(400_000))) {
            for (int id : llama3.encode(block, EncodeOptions.TEXT)) {
                blocks.add(id);
            }
        }
        assertThat(meta.encode(words, EncodeOptions.TEXT))
                .isEqualTo(blocks.stream().mapToInt(i -> i).toArray());
        assertThat(meta.encode("Hello world", EncodeOptions.TEXT))
                .isEqualTo(llama3.encode("Hello world", EncodeOptions.TEXT));
    }

    @Test
    void cacheIsBoundedAndExactWhenItOverflows() {
        Encoder encoder = llama3.encoder();
        TokenBuffer out = new TokenBuffer();
        StringBuilder words = new StringBuilder();
        for (int i = 0; i < 200_000; i++) {
            words.append(' ')
                    .append(Integer.toString(i * 7919, 36).replaceAll("[0-9]", "z"))
                    .append("qx");
        }
        encoder.encode(words.toString(), EncodeOptions.TEXT, out);
        int[] first = out.toArray();
        out.clear();
        encoder.encode(words.toString(), EncodeOptions.TEXT, out);
        assertThat(out.toArray()).isEqualTo(first);
        assertThat(llama3.decode(first)).isEqualTo(words.toString());
    }

    @Test
    void threadsShareATokenizer() throws InterruptedException {
        String text = "The quick brown fox; 12345 Füße.".repeat(100);
        int[] expected = llama3.encode(text, EncodeOptions.TEXT);
        List<int[]> results = java.util.Collections.synchronizedList(new ArrayList<>());
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            threads.add(Thread.ofPlatform().start(() -> results.add(llama3.encode(text, EncodeOptions.TEXT))));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(results).hasSize(4).allSatisfy(ids -> assertThat(ids).isEqualTo(expected));
    }
}
