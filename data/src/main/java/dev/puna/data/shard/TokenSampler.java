package dev.puna.data.shard;

import dev.puna.tensor.ConfigurationException;
import java.util.List;

/**
 * An endless sequence of training samples drawn from weighted sources: sample {@code i} is always the same, whatever was
 * asked before, so that a position in it is one number.
 *
 * <p>The documents of a source, joined end to end over its shards, are cut into samples of {@code sequenceLength + 1}
 * tokens that overlap by one (the last input of one is the first of the next, so that every token is predicted once).
 * Each epoch of a source visits its samples in another seeded order. Which source a sample comes from follows a fixed
 * interleaving in which, after any number of samples, no source is more than a sample or two away from its share.
 */
public final class TokenSampler {
    /**
     * One source of the mixture.
     *
     * @param name for messages
     * @param shards its shards, in a fixed order; borrowed
     * @param weight its share, relative to the others
     */
    public record Part(String name, List<TokenShard> shards, double weight) {
        public Part {
            shards = List.copyOf(shards);
            if (!(weight > 0) || weight == Double.POSITIVE_INFINITY) {
                throw new ConfigurationException("weight of " + name, weight, "use a positive number");
            }
        }
    }

    /** Samples in one round of the interleaving; shares are exact to one in this many. */
    private static final int ROUND = 4096;

    private final Part[] parts;
    private final long[][] starts; // [part][shard]: tokens of the part before the shard
    private final long[] tokens;
    private final long[] samples;
    private final int[] perRound;
    private final int[] partOf = new int[ROUND];
    private final int[] rankOf = new int[ROUND];
    private final int sequenceLength;
    private final long seed;

    /**
     * @param sequenceLength inputs of a sample; a sample has one token more
     * @param seed decides the order of each epoch
     */
    public TokenSampler(List<Part> parts, int sequenceLength, long seed) {
        if (parts.isEmpty()) {
            throw new ConfigurationException("sources", "[]", "name at least one");
        }
        this.parts = parts.toArray(Part[]::new);
        this.sequenceLength = sequenceLength;
        this.seed = seed;
        int count = this.parts.length;
        this.starts = new long[count][];
        this.tokens = new long[count];
        this.samples = new long[count];
        this.perRound = new int[count];
        double sum = 0;
        for (int p = 0; p < count; p++) {
            Part part = this.parts[p];
            sum += part.weight();
            starts[p] = new long[part.shards().size()];
            for (int s = 0; s < starts[p].length; s++) {
                starts[p][s] = tokens[p];
                tokens[p] += part.shards().get(s).tokenCount();
            }
            samples[p] = (tokens[p] - 1) / sequenceLength;
            if (samples[p] < 1) {
                throw new ConfigurationException(
                        "source " + part.name(),
                        tokens[p] + " tokens",
                        "it needs at least " + (sequenceLength + 1) + " for one sample");
            }
        }
        for (int i = 0; i < ROUND; i++) {
            int best = 0;
            double worst = Double.NEGATIVE_INFINITY;
            for (int p = 0; p < count; p++) {
                double missing = this.parts[p].weight() / sum * (i + 1) - perRound[p];
                if (missing > worst) {
                    worst = missing;
                    best = p;
                }
            }
            partOf[i] = best;
            rankOf[i] = perRound[best]++;
        }
    }

    public int sequenceLength() {
        return sequenceLength;
    }

    /** How many sources there are. */
    public int partCount() {
        return parts.length;
    }

    /** Name of a source. */
    public String partName(int part) {
        return parts[part].name();
    }

    /** Which source sample {@code index} comes from. */
    public int partOf(long index) {
        return partOf[(int) (index % ROUND)];
    }

    /** Samples in one epoch of a source. */
    public long samplesPerEpoch(int part) {
        return samples[part];
    }

    /** How many times the source has been seen when {@code count} samples are drawn. */
    public double epochs(int part, long count) {
        return (double) drawn(part, count) / samples[part];
    }

    /** Samples of the source among the first {@code count}. */
    public long drawn(int part, long count) {
        long drawn = count / ROUND * perRound[part];
        for (int i = 0; i < count % ROUND; i++) {
            drawn += partOf[i] == part ? 1 : 0;
        }
        return drawn;
    }

    /** Copies the {@code sequenceLength + 1} ids of sample {@code index} to {@code target[offset, …)}. */
    public void sample(long index, int[] target, int offset) {
        read(partOf[(int) (index % ROUND)], placeOf(index), target, offset, sequenceLength + 1);
    }

    /** Where a sample begins among the tokens of its source. */
    private long placeOf(long index) {
        int inRound = (int) (index % ROUND);
        int p = partOf[inRound];
        long rank = index / ROUND * perRound[p] + rankOf[inRound];
        long epoch = rank / samples[p];
        long place = new IndexPermutation(samples[p], IndexPermutation.mix(seed ^ (p * 0x51_7C_C1B7L)) + epoch)
                .apply(rank % samples[p]);
        return place * sequenceLength;
    }

    /** Marks in {@code starts[offset, …)} which of the ids of sample {@code index} begin a document. */
    public void documentStarts(long index, boolean[] starts, int offset) {
        int p = partOf[(int) (index % ROUND)];
        long from = placeOf(index);
        int length = sequenceLength + 1;
        long[] before = this.starts[p];
        int shard = before.length - 1;
        while (before[shard] > from) {
            shard--;
        }
        while (length > 0) {
            TokenShard source = parts[p].shards().get(shard);
            long inside = from - before[shard];
            int count = (int) Math.min(length, source.tokenCount() - inside);
            documentStarts(source, inside, starts, offset, count);
            from += count;
            offset += count;
            length -= count;
            shard++;
        }
    }

    /** Marks in {@code starts[offset, …)} which of {@code count} tokens of a shard, from {@code from} on, begin a document. */
    public static void documentStarts(TokenShard shard, long from, boolean[] starts, int offset, int count) {
        if (count == 0) {
            return;
        }
        java.util.Arrays.fill(starts, offset, offset + count, false);
        for (long document = shard.documentOf(from); document < shard.documentCount(); document++) {
            long start = shard.documentStart(document);
            if (start >= from + count) {
                return;
            }
            if (start >= from) {
                starts[offset + (int) (start - from)] = true;
            }
        }
    }

    private void read(int p, long from, int[] target, int offset, int length) {
        long[] before = starts[p];
        int shard = before.length - 1;
        while (before[shard] > from) {
            shard--;
        }
        while (length > 0) {
            TokenShard source = parts[p].shards().get(shard);
            long inside = from - before[shard];
            int count = (int) Math.min(length, source.tokenCount() - inside);
            source.copy(inside, target, offset, count);
            from += count;
            offset += count;
            length -= count;
            shard++;
        }
    }
}
