package dev.puna.inference;

import dev.puna.inference.GeneratedToken.Alternative;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;

/**
 * One sequence on its way: its tokens, how many of them have been computed, and what chooses the next one. What it
 * produces depends on its own rows only, whenever they are computed and however often. For the engine's thread, and
 * {@link #accept} for one member of its team.
 */
final class ActiveSequence {
    private static final int[] NOTHING = {};

    /** Longest and shortest run of tokens that is looked up in what went before. */
    private static final int LOOKUP_LONGEST = 4;

    private static final int LOOKUP_SHORTEST = 2;

    final ActiveRequest request;
    final int choice;
    final long arrival;
    PageTable table;
    /** Prompt and answer. */
    int[] ids;

    int length;
    final int promptLength;
    /** Positions whose keys and values are in the table. */
    int done;
    /** How many tokens the answer may have. */
    final int room;

    final Sampler sampler;
    final TextStream stream;
    final TokenConstraint.@Nullable State constraint;
    final StringBuilder text = new StringBuilder();
    final List<GeneratedToken> tokens = new ArrayList<>();
    final List<String> pieces = new ArrayList<>();
    int announced;

    @Nullable
    FinishReason finish;

    @Nullable
    RuntimeException failure;

    int reused;
    /** When its last token came; 0 before the first. */
    long lastTokenNanos;

    boolean adopted;

    /** Keys and values of the draft model, and the positions they are there for. */
    @Nullable
    PageTable draftTable;

    int draftDone;

    // The step at hand.
    int rows;
    int[] draft = NOTHING;
    int accepted;

    ActiveSequence(ActiveRequest request, int choice, long arrival, PageTable table, int room, TextStream stream) {
        EngineRequest what = request.what;
        this.request = request;
        this.choice = choice;
        this.arrival = arrival;
        this.table = table;
        this.promptLength = what.prompt().length;
        this.ids = Arrays.copyOf(what.prompt(), promptLength + 16);
        this.length = promptLength;
        this.room = room;
        Sampling sampling = what.options().sampling();
        this.sampler = new Sampler(sampling.withSeed(sampling.seed() + choice), request.vocabularySize, what.prompt());
        this.stream = stream;
        this.constraint = what.constraint().map(TokenConstraint::start).orElse(null);
    }

    /** Whether the next row gives a token. */
    boolean decodes() {
        return done == length - 1 && length > promptLength;
    }

    /** Whether outputs of rows of the prompt are still wanted, beside the last. */
    boolean wantsPrompt() {
        return choice == 0 && request.wantsPrompt() && !request.knowsPrompt();
    }

    /** The id at a position of this step: committed, or guessed. */
    int idAt(int position) {
        return position < length ? ids[position] : draft[position - length];
    }

    /** Whether the output of the row at {@code position} is wanted in this step. */
    boolean wants(int position) {
        return position >= length - 1 || (wantsPrompt() && position < promptLength);
    }

    /** How many tokens may be guessed: the last one of the answer need not be. */
    int guessable(int most) {
        return Math.min(most, room - tokens.size() - 1);
    }

    /** Guesses what follows from what followed the same words before. */
    void guess(int most) {
        draft = NOTHING;
        int limit = guessable(most);
        if (limit < 1) {
            return;
        }
        for (int size = LOOKUP_LONGEST; size >= LOOKUP_SHORTEST; size--) {
            for (int at = length - size - 1; at >= 0; at--) {
                if (Arrays.equals(ids, at, at + size, ids, length - size, length)) {
                    int from = at + size;
                    draft = Arrays.copyOfRange(ids, from, Math.min(length, from + limit));
                    return;
                }
            }
        }
    }

    PageTable requireDraftTable() {
        return Objects.requireNonNull(draftTable);
    }

    /** The draft model forgets it. */
    void freeDraft() {
        if (draftTable != null) {
            draftTable.free();
        }
        draftTable = null;
        draftDone = 0;
    }

    void clearStep() {
        rows = 0;
        draft = NOTHING;
        accepted = 0;
    }

    /**
     * The output of a row at or after the last committed position, in order. A guessed row counts if everything guessed
     * before it was chosen: what is chosen at a row is then exactly what would have been chosen without guessing.
     *
     * @param last the committed length when the step began, minus one
     * @param workspace with the logits
     */
    void accept(int position, int last, Sampler.Workspace workspace) {
        int guesses = position - last;
        if (finish != null || (guesses > 0 && (accepted != guesses || ids[position] != draft[guesses - 1]))) {
            return;
        }
        GenerationOptions options = request.what.options();
        if (room == 0) {
            finish = FinishReason.LENGTH;
            return;
        }
        long[] allowed = constraint == null ? null : constraint.allowed();
        int id = sampler.next(workspace.raw, allowed, workspace);
        if (constraint != null) {
            constraint.accept(id);
        }
        accepted++;
        if (length == ids.length) {
            ids = Arrays.copyOf(ids, 2 * ids.length);
        }
        ids[length++] = id;
        tokens.add(describe(id, workspace.raw, options));
        boolean end = options.stopIds().contains(id) || (!options.ignoreEnd() && stream.endsGeneration(id));
        String piece = end ? "" : stream.accept(id);
        if (end || stream.stopped()) {
            finish = FinishReason.STOP;
        } else if (tokens.size() == room) {
            finish = FinishReason.LENGTH;
        }
        if (finish != null) {
            piece += stream.finish();
        }
        text.append(piece);
        pieces.add(piece);
    }

    /** Ends it where it stands. */
    void cancel() {
        if (finish == null) {
            finish = FinishReason.CANCELLED;
            text.append(stream.finish());
        }
    }

    /** The output of a row of the prompt: how probable the token after it was. */
    void acceptPrompt(int position, float[] logits) {
        if (position == request.promptTokens.size()) { // not known from before a preemption
            GenerationOptions options = request.what.options();
            request.promptTokens.add(
                    describe(ids[position + 1], logits, options.withLogProbabilities(options.topLogProbabilities())));
        }
    }

    static GeneratedToken describe(int id, float[] logits, GenerationOptions options) {
        if (!options.logProbabilities()) {
            return new GeneratedToken(id, OptionalDouble.empty(), List.of());
        }
        double logSumExp = Sampler.logSumExp(logits);
        List<Alternative> alternatives = new ArrayList<>();
        for (int alternative : Sampler.largest(logits, options.topLogProbabilities())) {
            alternatives.add(new Alternative(alternative, logits[alternative] - logSumExp));
        }
        return new GeneratedToken(id, OptionalDouble.of(logits[id] - logSumExp), alternatives);
    }

    /** Tokens that no subscriber has heard of yet. */
    void announce() {
        while (announced < tokens.size()) {
            boolean last = announced == tokens.size() - 1;
            request.generation.publish(new TokenEvent(
                    choice,
                    tokens.get(announced),
                    pieces.get(announced),
                    last ? Optional.ofNullable(finish) : Optional.empty()));
            announced++;
        }
    }

    GenerationResult result(long now) {
        FinishReason reason = finish == null ? FinishReason.CANCELLED : finish;
        long first = request.firstTokenNanos == 0 ? now : request.firstTokenNanos;
        return new GenerationResult(
                text.toString(),
                request.what.prompt().clone(),
                tokens,
                reason,
                new GenerationResult.Timings(
                        promptLength,
                        reused,
                        Duration.ofNanos(first - request.startedNanos),
                        tokens.size(),
                        Duration.ofNanos(Math.max(0, now - first))));
    }
}
