package dev.puna.tokenizer;

import java.util.Optional;
import java.util.OptionalInt;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * The tokens that have a role.
 *
 * @param bos begin of text
 * @param eos end of text
 * @param unknown stands for what cannot be encoded
 * @param pad fills rows of a batch
 * @param eot end of a turn of a conversation ({@code <|eot_id|>})
 * @param eom end of a message that expects a tool's answer ({@code <|eom_id|>})
 * @param endOfGeneration every id after which a model has finished; holds eos, eot and eom where they exist
 * @param addBos whether the model expects {@code bos} before every text
 * @param addEos whether the tokenizer's own setting appends {@code eos} to every text
 */
public record SpecialTokens(
        OptionalInt bos,
        OptionalInt eos,
        OptionalInt unknown,
        OptionalInt pad,
        OptionalInt eot,
        OptionalInt eom,
        SortedSet<Integer> endOfGeneration,
        boolean addBos,
        boolean addEos) {
    public SpecialTokens {
        TreeSet<Integer> ends = new TreeSet<>(endOfGeneration);
        eos.ifPresent(ends::add);
        eot.ifPresent(ends::add);
        eom.ifPresent(ends::add);
        endOfGeneration = java.util.Collections.unmodifiableSortedSet(ends);
    }

    /** No token has a role. */
    public static SpecialTokens none() {
        OptionalInt no = OptionalInt.empty();
        return new SpecialTokens(no, no, no, no, no, no, new TreeSet<>(), false, false);
    }

    /** Whether a model has finished after this id. */
    public boolean endsGeneration(int id) {
        return endOfGeneration.contains(id);
    }

    /** The same with further ids that end generation, as {@code generation_config.json} lists them. */
    public SpecialTokens withEndOfGeneration(Iterable<Integer> more) {
        TreeSet<Integer> ends = new TreeSet<>(endOfGeneration);
        more.forEach(ends::add);
        return new SpecialTokens(bos, eos, unknown, pad, eot, eom, ends, addBos, addEos);
    }

    /** The same with another choice of what is put around every text. */
    public SpecialTokens withAdding(boolean bosBefore, boolean eosBehind) {
        return new SpecialTokens(bos, eos, unknown, pad, eot, eom, endOfGeneration, bosBefore, eosBehind);
    }

    static OptionalInt optional(Optional<Integer> id) {
        return id.isPresent() ? OptionalInt.of(id.get()) : OptionalInt.empty();
    }
}
