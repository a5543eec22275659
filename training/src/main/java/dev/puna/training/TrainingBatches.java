package dev.puna.training;

import dev.puna.data.shard.TokenSampler;
import dev.puna.data.shard.TokenShard;
import dev.puna.kernels.Kernels;
import dev.puna.model.PackedBatch;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The batches of a run, by number: training sequences in their shuffled order, validation sequences in file order. */
final class TrainingBatches implements AutoCloseable {
    private static final int SCAN = 1 << 16;

    private final List<TokenShard> shards = new ArrayList<>();
    private final TokenSampler training;
    private final Optional<TokenShard[]> validation;
    private final int sequenceLength;
    private final boolean documents;

    TrainingBatches(Recipe recipe) throws IOException {
        this.sequenceLength = recipe.data().sequenceLength();
        this.documents = recipe.data().documents().equals("respected");
        try {
            List<TokenSampler.Part> parts = new ArrayList<>();
            int vocabularySize = recipe.config().vocabularySize();
            for (Recipe.Source source : recipe.data().sources()) {
                List<TokenShard> opened = new ArrayList<>();
                for (String shard : source.shards()) {
                    opened.add(open(shard, vocabularySize));
                }
                parts.add(new TokenSampler.Part(source.name(), opened, source.weight()));
            }
            this.training = new TokenSampler(parts, sequenceLength, recipe.seed());
            List<TokenShard> held = new ArrayList<>();
            for (String shard : recipe.data().validation()) {
                held.add(open(shard, vocabularySize));
            }
            this.validation = held.isEmpty() ? Optional.empty() : Optional.of(held.toArray(TokenShard[]::new));
        } catch (IOException | RuntimeException e) {
            close();
            throw e;
        }
    }

    private TokenShard open(String prefix, int vocabularySize) throws IOException {
        TokenShard shard = TokenShard.open(Path.of(prefix));
        shards.add(shard);
        int[] ids = new int[SCAN];
        for (long from = 0; from < shard.tokenCount(); from += SCAN) {
            int count = (int) Math.min(SCAN, shard.tokenCount() - from);
            shard.copy(from, ids, 0, count);
            for (int i = 0; i < count; i++) {
                if (ids[i] < 0 || ids[i] >= vocabularySize) {
                    throw new ConfigurationException(
                            "data shard",
                            prefix,
                            "token " + (from + i) + " has id " + ids[i] + ", the model's vocabularySize is "
                                    + vocabularySize + ": the shard was made with another tokenizer");
                }
            }
        }
        return shard;
    }

    /** Times that a source has been seen when {@code cursor} sequences are drawn, largest of all sources. */
    double epochs(long cursor) {
        double most = 0;
        for (int part = 0; part < training.partCount(); part++) {
            most = Math.max(most, training.epochs(part, cursor));
        }
        return most;
    }

    /** Training sequences {@code [from, from + count)}. */
    PackedBatch training(long from, int count) {
        int[] tokens = new int[count * (sequenceLength + 1)];
        boolean[] starts = new boolean[tokens.length];
        for (int i = 0; i < count; i++) {
            int at = i * (sequenceLength + 1);
            training.sample(from + i, tokens, at);
            if (documents) {
                training.documentStarts(from + i, starts, at);
            }
        }
        return pack(tokens, starts, count);
    }

    /** How many whole validation sequences there are. */
    int validationCount() {
        long count = 0;
        for (TokenShard shard : validation.orElse(new TokenShard[0])) {
            count += Math.max(0, (shard.tokenCount() - 1) / sequenceLength);
        }
        return (int) Math.min(count, Integer.MAX_VALUE);
    }

    /** Validation sequences {@code [from, from + count)}. */
    PackedBatch validation(int from, int count) {
        int[] tokens = new int[count * (sequenceLength + 1)];
        boolean[] starts = new boolean[tokens.length];
        int skip = from;
        int done = 0;
        for (TokenShard shard : validation.orElse(new TokenShard[0])) {
            int inside = (int) Math.max(0, (shard.tokenCount() - 1) / sequenceLength);
            if (skip >= inside) {
                skip -= inside;
                continue;
            }
            for (; skip < inside && done < count; skip++, done++) {
                int at = done * (sequenceLength + 1);
                long first = (long) skip * sequenceLength;
                shard.copy(first, tokens, at, sequenceLength + 1);
                if (documents) {
                    TokenSampler.documentStarts(shard, first, starts, at, sequenceLength + 1);
                }
            }
            skip = 0;
        }
        return pack(tokens, starts, done);
    }

    private PackedBatch pack(int[] tokens, boolean[] starts, int count) {
        int rows = count * sequenceLength;
        int[] ids = new int[rows];
        int[] targets = new int[rows];
        int[] positions = new int[rows];
        int[] first = new int[rows];
        for (int i = 0; i < count; i++) {
            int begin = i * sequenceLength;
            for (int t = 0; t < sequenceLength; t++) {
                int row = i * sequenceLength + t;
                int at = i * (sequenceLength + 1) + t;
                if (starts[at]) {
                    begin = row;
                }
                ids[row] = tokens[at];
                // The first token of another document does not follow from this one.
                targets[row] = starts[at + 1] ? Kernels.IGNORED : tokens[at + 1];
                positions[row] = t;
                first[row] = begin;
            }
        }
        return new PackedBatch(ids, targets, positions, first);
    }

    @Override
    public void close() {
        shards.forEach(TokenShard::close);
        shards.clear();
    }
}
