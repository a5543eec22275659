package dev.puna.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** The three ways to merge give the same, and an encoder with all its shortcuts gives what the definition gives. */
class MergerTest {
    /** A vocabulary over a small alphabet with random scores, many of them equal. */
    static SentencePieceTokenizer random(SplittableRandom random, boolean monotone) {
        List<SentencePieceModel.Piece> pieces = new ArrayList<>();
        pieces.add(new SentencePieceModel.Piece("<unk>", 0, TokenKind.UNKNOWN));
        pieces.add(new SentencePieceModel.Piece("<s>", 0, TokenKind.CONTROL));
        pieces.add(new SentencePieceModel.Piece("</s>", 0, TokenKind.CONTROL));
        for (int value = 0; value < 256; value++) {
            pieces.add(new SentencePieceModel.Piece(SentencePieceTokenizer.byteName((byte) value), 0, TokenKind.BYTE));
        }
        String alphabet = "\u2581ab\u00e9\u4e16";
        LinkedHashSet<String> texts = new LinkedHashSet<>();
        List<String> known = new ArrayList<>();
        for (int i = 0; i < alphabet.length(); i++) {
            known.add(alphabet.substring(i, i + 1));
        }
        int merges = 1 + random.nextInt(40);
        for (int i = 0; i < merges; i++) {
            String text = known.get(random.nextInt(known.size())) + known.get(random.nextInt(known.size()));
            if (text.length() <= 12 && texts.add(text)) {
                known.add(text);
            }
        }
        int rank = 0;
        for (String text : texts) {
            rank += random.nextInt(3) == 0 ? 0 : 1;
            float score = monotone ? -rank : -random.nextInt(6);
            pieces.add(new SentencePieceModel.Piece(text, score, TokenKind.NORMAL));
        }
        for (int i = 0; i < alphabet.length(); i++) {
            pieces.add(new SentencePieceModel.Piece(alphabet.substring(i, i + 1), -1e6f, TokenKind.NORMAL));
        }
        return SentencePieceModel.of(pieces, SentencePieceModel.Settings.llama())
                .tokenizer();
    }

    static String text(SplittableRandom random, int length) {
        StringBuilder text = new StringBuilder();
        String[] parts = {" ", "a", "b", "\u00e9", "\u4e16", "x", "ab", "  ", "aa", "    "};
        int only = random.nextInt(3) == 0 ? random.nextInt(parts.length) : -1;
        while (text.length() < length) {
            text.append(parts[only >= 0 && random.nextInt(20) > 0 ? only : random.nextInt(parts.length)]);
        }
        return text.toString();
    }

    private static List<Integer> result(Merger merger, int count) {
        List<Integer> ids = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            ids.add(merger.id(i));
        }
        return ids;
    }

    @Test
    void threeWaysAreOne() {
        SplittableRandom random = new SplittableRandom(1);
        int linear = 0;
        for (int vocabularies = 0; vocabularies < 400; vocabularies++) {
            SentencePieceTokenizer tokenizer = random(random, vocabularies % 2 == 0);
            LinearMerges.Source source = new LinearMerges.Source(tokenizer.vocabulary(), tokenizer.rule(), null);
            Merger merger = new Merger(tokenizer.vocabulary(), tokenizer.rule(), null, source);
            LinearMerges tables = source.get();
            for (int texts = 0; texts < 20; texts++) {
                byte[] utf8 = text(random, 1 + random.nextInt(120)).getBytes(StandardCharsets.UTF_8);
                byte[] padded = java.util.Arrays.copyOf(utf8, utf8.length + Words.PADDING);
                List<Integer> definition = result(merger, merger.mergeByDefinition(padded, 0, utf8.length));
                assertThat(result(merger, merger.mergeByHeap(padded, 0, utf8.length)))
                        .isEqualTo(definition);
                if (tables != null && tables.isExactFor(padded, 0, utf8.length)) {
                    linear++;
                    assertThat(result(merger, merger.mergeLinear(tables, padded, 0, utf8.length)))
                            .isEqualTo(definition);
                }
            }
        }
        assertThat(linear).isGreaterThan(3000);
    }

    @Test
    void shortcutsOfTheEncoderAreExact() {
        SplittableRandom random = new SplittableRandom(2);
        for (int vocabularies = 0; vocabularies < 400; vocabularies++) {
            SentencePieceTokenizer tokenizer = random(random, vocabularies % 2 == 0);
            Merger merger = new Merger(
                    tokenizer.vocabulary(),
                    tokenizer.rule(),
                    null,
                    new LinearMerges.Source(tokenizer.vocabulary(), tokenizer.rule(), null));
            Encoder encoder = tokenizer.encoder();
            for (int texts = 0; texts < 20; texts++) {
                String text = text(random, 1 + random.nextInt(80));
                byte[] utf8 = (" " + text).getBytes(StandardCharsets.UTF_8);
                byte[] padded = java.util.Arrays.copyOf(utf8, utf8.length + Words.PADDING);
                List<Integer> expected = new ArrayList<>();
                int count = merger.mergeByDefinition(padded, 0, utf8.length);
                for (int i = 0; i < count; i++) {
                    if (merger.id(i) >= 0) {
                        expected.add(merger.id(i));
                    } else {
                        for (int at = merger.start(i); at < merger.start(i + 1); at++) {
                            expected.add(3 + (utf8[at] & 0xFF));
                        }
                    }
                }
                TokenBuffer out = new TokenBuffer();
                encoder.encode(text, EncodeOptions.TEXT, out);
                assertThat(out.toArray())
                        .isEqualTo(expected.stream().mapToInt(i -> i).toArray());
            }
        }
    }

    @Test
    void linearOnRealVocabularies() {
        for (String name : List.of("llama3-tiktoken.model", "llama2-sentencepiece.model")) {
            Vocabulary vocabulary;
            MergeRule rule;
            int[] bytes = null;
            switch (Tokenizer.open(Samples.tokenizer(name))) {
                case SentencePieceTokenizer tokenizer -> {
                    vocabulary = tokenizer.vocabulary();
                    rule = tokenizer.rule();
                }
                case ByteLevelTokenizer tokenizer -> {
                    vocabulary = tokenizer.vocabulary();
                    rule = tokenizer.rule();
                    bytes = new int[256];
                    for (int value = 0; value < 256; value++) {
                        bytes[value] = vocabulary.find(new byte[] {(byte) value});
                    }
                }
            }
            LinearMerges.Source source = new LinearMerges.Source(vocabulary, rule, bytes);
            LinearMerges tables = source.get();
            assertThat(tables).as(name).isNotNull();
            Merger merger = new Merger(vocabulary, rule, bytes, source);
            int exact = 0;
            for (int number = 0; number < 200; number++) {
                if (new GoldenText(900 + number).document() instanceof String text) {
                    byte[] utf8 = Utf8.bytes(text.replace('\u2581', ' '));
                    byte[] padded = java.util.Arrays.copyOf(utf8, utf8.length + Words.PADDING);
                    if (!tables.isExactFor(padded, 0, utf8.length)) {
                        continue;
                    }
                    exact++;
                    List<Integer> heap = result(merger, merger.mergeByHeap(padded, 0, utf8.length));
                    assertThat(result(merger, merger.mergeLinear(tables, padded, 0, utf8.length)))
                            .as(text)
                            .isEqualTo(heap);
                }
            }
            assertThat(exact).as(name).isGreaterThan(50);
        }
    }
}
