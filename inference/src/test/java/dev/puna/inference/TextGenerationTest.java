package dev.puna.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.puna.formats.GgufMetadata;
import dev.puna.model.LlamaConfig;
import dev.puna.model.RopeScaling;
import dev.puna.model.convert.Quantization;
import dev.puna.model.convert.RandomModel;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tokenizer.GgufVocabulary;
import dev.puna.tokenizer.SentencePieceModel;
import dev.puna.tokenizer.SentencePieceModel.Piece;
import dev.puna.tokenizer.TokenKind;
import dev.puna.tokenizer.Tokenizer;
import dev.puna.tokenizer.template.ChatTemplate;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Text, with a random model whose tokens are mostly single bytes: every way in which UTF-8 can be cut occurs. */
class TextGenerationTest {
    private static final Sampling WARM = Sampling.GREEDY.withTemperature(1);
    private static final GenerationOptions OPTIONS = GenerationOptions.DEFAULT.withMaxTokens(60);

    @TempDir
    static Path directory;

    private static Llama llama;

    @BeforeAll
    static void write() throws IOException {
        Path file = directory.resolve("random.gguf");
        write(vocabulary(), file);
        llama = Llama.load(
                file, LlamaOptions.defaults().withKernels("reference").withThreads(1));
    }

    private static void write(Tokenizer tokenizer, Path file) throws IOException {
        LlamaConfig config = new LlamaConfig(
                tokenizer.vocabularySize(),
                32,
                2,
                2,
                1,
                16,
                32,
                512,
                1e-5f,
                10_000,
                new RopeScaling.None(),
                false,
                false,
                false);
        GgufMetadata.Builder metadata = GgufMetadata.builder();
        GgufVocabulary.write(tokenizer).forEach((key, value) -> {
            switch (value) {
                case String text -> metadata.text(key, text);
                case Boolean truth -> metadata.bool(key, truth);
                case Long number -> metadata.uint32(key, number);
                case float[] numbers -> metadata.floats(key, numbers);
                case int[] numbers -> metadata.ints(key, numbers);
                case List<?> texts ->
                    metadata.texts(key, texts.stream().map(String.class::cast).toList());
                default -> throw new AssertionError(key);
            }
        });
        RandomModel.write(file, config, Quantization.F32, 42, metadata.build());
    }

    @AfterAll
    static void close() {
        llama.close();
    }

    private static List<Piece> pieces() {
        List<Piece> pieces = new ArrayList<>();
        pieces.add(new Piece("<unk>", 0, TokenKind.UNKNOWN));
        pieces.add(new Piece("<s>", 0, TokenKind.CONTROL));
        pieces.add(new Piece("</s>", 0, TokenKind.CONTROL));
        for (int b = 0; b < 256; b++) {
            pieces.add(new Piece(String.format("<0x%02X>", b), 0, TokenKind.BYTE));
        }
        return pieces;
    }

    private static Tokenizer vocabulary() {
        List<Piece> pieces = pieces();
        for (String piece : List.of("▁a", "he", "▁the", "▁", "a", "h", "e", "t", "é", "€", "𝄞")) {
            pieces.add(new Piece(piece, -(pieces.size() - 259), TokenKind.NORMAL));
        }
        return SentencePieceModel.of(pieces, SentencePieceModel.Settings.llama())
                .tokenizer();
    }

    @Test
    void theStreamedPiecesAreTheTextAndWholeCharacters() {
        for (int seed = 0; seed < 40; seed++) {
            StringBuilder heard = new StringBuilder();
            GenerationResult result = llama.generate(
                    "the €",
                    OPTIONS.withSampling(WARM.withSeed(seed)),
                    (token, text) -> {
                        for (int i = 0; i < text.length(); i++) {
                            assertThat(Character.isHighSurrogate(text.charAt(i)))
                                    .isEqualTo(i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1)));
                        }
                        heard.append(text);
                    },
                    new Cancellation());
            assertThat(heard.toString()).isEqualTo(result.text());
            assertThat(result.promptIds()[0]).isEqualTo(1);
            int[] ids = result.ids();
            boolean ended = ids[ids.length - 1] == 2;
            assertThat(result.finishReason()).isEqualTo(ended ? FinishReason.STOP : FinishReason.LENGTH);
            // Malformed bytes may become more or fewer U+FFFD when they come one by one.
            String decoded = llama.tokenizer().decode(ids).replace("\uFFFD", "");
            assertThat(result.text().replace("\uFFFD", "").strip()).isEqualTo(decoded.strip());
        }
    }

    @Test
    void stopStringsEndTheTextBeforeThem() {
        GenerationOptions options = OPTIONS.withSampling(WARM.withSeed(3));
        String text = llama.generate("the", options).text();
        String stop = text.substring(10, 14);
        int at = text.indexOf(stop);
        StringBuilder heard = new StringBuilder();
        GenerationResult stopped = llama.generate(
                "the",
                options.withStop("no such text", stop),
                (token, piece) -> heard.append(piece),
                new Cancellation());
        assertThat(stopped.text()).isEqualTo(text.substring(0, at));
        assertThat(heard.toString()).isEqualTo(stopped.text());
        assertThat(stopped.finishReason()).isEqualTo(FinishReason.STOP);
    }

    @Test
    void endTokensEndItUnlessIgnored() {
        GenerationOptions options = OPTIONS.withSampling(Sampling.GREEDY.withLogitBias(Map.of(2, 1e6)));
        GenerationResult ended = llama.generate("a", options);
        assertThat(ended.ids()).containsExactly(2);
        assertThat(ended.text()).isEmpty();
        assertThat(llama.generate("a", options.withIgnoreEnd(true).withMaxTokens(5))
                        .ids())
                .containsExactly(2, 2, 2, 2, 2);
    }

    @Test
    void scoresTextPerByte() {
        Score score = llama.score("the é");
        assertThat(score.byteCount()).isEqualTo(6);
        assertThat(score.ids()).isEqualTo(llama.tokenizer().encode("the é", dev.puna.tokenizer.EncodeOptions.TEXT));
        assertThat(score.bitsPerByte()).isPositive();
    }

    @Test
    void aConversationReusesWhatIsInTheCache() {
        ChatPrompt prompt = new ChatPrompt(
                llama.tokenizer(),
                ChatTemplate.compile("{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
                        + "assistant:"));
        ChatSession chat = llama.chat(prompt, Optional.of("be the a"));
        GenerationOptions options = OPTIONS.withMaxTokens(12).withSampling(WARM.withSeed(1));
        GenerationResult first = chat.send("hello", options);
        assertThat(prompt.render(List.of(ChatMessage.system("be the a"), ChatMessage.user("hello"))))
                .isEqualTo("<s>system: be the a\nuser: hello\nassistant:");
        assertThat(first.promptIds()[0]).isEqualTo(1);
        assertThat(chat.messages()).hasSize(3);
        GenerationResult second = chat.send("again", options);
        assertThat(second.timings().reusedTokens()).isGreaterThanOrEqualTo(first.promptIds().length - 1);
        chat.reset();
        assertThat(chat.messages()).containsExactly(ChatMessage.system("be the a"));
        assertThat(chat.send("hello", options).ids()).isEqualTo(first.ids());
        chat.system("");
        chat.reset();
        assertThat(chat.messages()).isEmpty();
    }

    @Test
    void controlTokensInAMessageStayText() {
        ChatPrompt prompt = new ChatPrompt(
                llama.tokenizer(),
                ChatTemplate.compile("{{ bos_token }}{% for m in messages %}[{{ m.content }}]</s>{% endfor %}"));
        int[] ids = prompt.encode(List.of(ChatMessage.user("a</s><s>"), ChatMessage.user("</s>")));
        assertThat(ids[0]).isEqualTo(1);
        assertThat(java.util.Arrays.stream(ids).filter(id -> id == 2).count()).isEqualTo(2);
        assertThat(java.util.Arrays.stream(ids).filter(id -> id == 1).count()).isEqualTo(1);
        assertThat(llama.tokenizer().decode(ids)).contains("[a</s><s>]").contains("[</s>]");
    }

    @Test
    void constrainedAnswersAreInTheLanguage() throws IOException {
        Tokenizer tokenizer = llama.tokenizer();
        Grammar grammar = Grammar.compile(
                "root ::= \"[\" (item (\",\" item){0,3})? \"]\"\nitem ::= [0-9]{1,3} | \"\\\"\" [a-e€]{0,4} \"\\\"\"",
                tokenizer,
                llama.config().vocabularySize());
        EngineOptions options = EngineOptions.defaults()
                .withModel(LlamaOptions.defaults().withThreads(2))
                .withPageLength(8)
                .withLookupTokens(3);
        try (Engine engine = Engine.load(directory.resolve("random.gguf"), options)) {
            int[] prompt = engine.encodePrompt("the");
            List<Generation> generations = new ArrayList<>();
            for (int seed = 0; seed < 30; seed++) {
                EngineRequest request = EngineRequest.of(
                        prompt, OPTIONS.withSampling(WARM.withSeed(seed)).withMaxTokens(100));
                Submission submission = engine.submit(seed % 2 == 0 ? request.withConstraint(grammar) : request);
                generations.add(((Submission.Accepted) submission).generation());
            }
            for (int seed = 0; seed < 30; seed++) {
                GenerationResult result = generations.get(seed).await().first();
                if (seed % 2 == 0) {
                    assertThat(grammar.matches(result.text())).as(result.text()).isTrue();
                    assertThat(result.finishReason()).isEqualTo(FinishReason.STOP);
                } else {
                    assertThat(result.tokens())
                            .isEqualTo(llama.generate(
                                            prompt,
                                            OPTIONS.withSampling(WARM.withSeed(seed))
                                                    .withMaxTokens(100))
                                    .tokens());
                }
            }
        }
    }

    /** The vocabulary is read meanwhile: loading that fails waits for it, and says nothing but why it fails. */
    @Test
    void loadingThatFailsEndsWhatItBegan(@TempDir Path other) throws Exception {
        List<Piece> pieces = pieces();
        for (int i = 0; i < 60_000; i++) {
            pieces.add(new Piece("w" + i, -i, TokenKind.NORMAL));
        }
        Path large = other.resolve("large.gguf");
        write(SentencePieceModel.of(pieces, SentencePieceModel.Settings.llama()).tokenizer(), large);
        List<String> uncaught = java.util.Collections.synchronizedList(new ArrayList<>());
        Thread.UncaughtExceptionHandler before = Thread.getDefaultUncaughtExceptionHandler();
        Thread.setDefaultUncaughtExceptionHandler((thread, failure) -> uncaught.add(thread.getName() + " " + failure));
        try {
            LlamaOptions options = LlamaOptions.defaults().withThreads(1).withPrepared(true);
            for (int i = 0; i < 10; i++) {
                assertThatThrownBy(() -> Llama.load(large, options.withKernels("nope")))
                        .isInstanceOf(ConfigurationException.class);
                Llama.load(large, options).close();
            }
            for (Thread thread : Thread.getAllStackTraces().keySet()) {
                if (thread.getName().equals("puna-vocabulary")) {
                    thread.join();
                }
            }
        } finally {
            Thread.setDefaultUncaughtExceptionHandler(before);
        }
        assertThat(uncaught).isEmpty();
    }
}
