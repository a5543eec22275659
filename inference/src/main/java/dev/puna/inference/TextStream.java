package dev.puna.inference;

import dev.puna.tokenizer.StreamingDecoder;
import dev.puna.tokenizer.TokenKind;
import dev.puna.tokenizer.Tokenizer;
import java.util.List;
import java.util.Optional;

/**
 * The text of an answer as its tokens arrive: whole characters, and nothing that may belong to a stop string. Without a
 * tokenizer there is no text.
 */
final class TextStream {
    private final Optional<Tokenizer> tokenizer;
    private final Optional<StreamingDecoder> decoder;
    private final StopStrings stops;

    /** @param prompt what stands before the answer: after control tokens alone the answer begins a text */
    TextStream(Optional<Tokenizer> tokenizer, int[] prompt, List<String> stop) {
        this.tokenizer = tokenizer;
        this.decoder =
                tokenizer.map(known -> hasText(known, prompt) ? known.continuingDecoder() : known.streamingDecoder());
        this.stops = new StopStrings(stop);
    }

    private static boolean hasText(Tokenizer tokenizer, int[] prompt) {
        for (int id : prompt) {
            if (id < tokenizer.vocabularySize() && tokenizer.kind(id) != TokenKind.CONTROL) {
                return true;
            }
        }
        return false;
    }

    /** Whether the tokenizer says that a model has finished after this id. */
    boolean endsGeneration(int id) {
        return tokenizer.isPresent() && tokenizer.get().specialTokens().endsGeneration(id);
    }

    /** The text that is certain after this token. A model may have ids that its tokenizer does not know: padding. */
    String accept(int id) {
        if (tokenizer.isEmpty() || id >= tokenizer.get().vocabularySize()) {
            return "";
        }
        return stops.accept(decoder.orElseThrow().next(id));
    }

    /** Whether a stop string has occurred. */
    boolean stopped() {
        return stops.found();
    }

    /** The end: what was held back. */
    String finish() {
        String rest = decoder.isPresent() ? stops.accept(decoder.get().finish()) : "";
        return rest + stops.finish();
    }
}
