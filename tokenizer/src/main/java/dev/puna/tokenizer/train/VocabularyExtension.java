package dev.puna.tokenizer.train;

import dev.puna.tokenizer.SentencePieceModel;
import dev.puna.tokenizer.TokenKind;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Adds the pieces of one SentencePiece model to another, as Chinese-LLaMA does
 * ({@code merge_tokenizers.py}; Cui, Yang, Yao, arXiv 2304.08177).
 */
public final class VocabularyExtension {
    private VocabularyExtension() {}

    /**
     * {@code base} with every piece of {@code more} that it does not have behind its own, as ordinary pieces of score 0:
     * they merge before all of {@code base}'s. Ids of {@code base} stay. Llama-2's model and Chinese-LLaMA's of 20,000
     * pieces give 49,953.
     */
    public static SentencePieceModel extend(SentencePieceModel base, SentencePieceModel more) {
        List<SentencePieceModel.Piece> pieces = new ArrayList<>(base.pieces());
        Set<String> known = new HashSet<>();
        for (SentencePieceModel.Piece piece : pieces) {
            known.add(piece.text());
        }
        for (SentencePieceModel.Piece piece : more.pieces()) {
            if (known.add(piece.text())) {
                pieces.add(new SentencePieceModel.Piece(piece.text(), 0, TokenKind.NORMAL));
            }
        }
        return base.withPieces(pieces);
    }
}
