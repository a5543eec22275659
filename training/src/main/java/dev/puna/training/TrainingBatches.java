package dev.puna.training;

import dev.puna.data.shard.TokenSampler;
import dev.puna.data.shard.TokenShard;
import dev.puna.kernels.Kernels;
import dev.puna.model.PackedBatch;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tokenizer.EncodeOptions;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * The batches of a run, by number: training sequences in their shuffled order, validation sequences spread over
 * their files.
 *
 * <p>A cursor counts sequences of the shortest length that the recipe's stages have. The sampler shuffles windows of the
 * longest length; a stage of shorter sequences takes the pieces of a window one after the other. So a stage with longer
 * sequences goes on where the one before it stopped (at the next whole sequence), and nothing is seen twice.
 */
final class TrainingBatches implements AutoCloseable {
    private static final int SCAN = 1 << 16;
    /** Tokens of a shard that are looked at before the first step; of larger ones, pieces spread over all of it. */
    private static final long SCANNED = 64L << 20;

    private static final int CHECKED_TOKENS = 512;

    private final List<TokenShard> shards = new ArrayList<>();
    private final TokenSampler training;
    private final Map<String, Long> sourceTokens = new TreeMap<>();
    private final List<TokenShard> validation = new ArrayList<>();
    private final Optional<Tokenizer> tokenizer;
    private final int[] bytesOf; // of each id, where there is a tokenizer
    private final int window;
    private final int unit;
    private final boolean documents;
    private final int vocabularyUsed;

    TrainingBatches(Recipe recipe) throws IOException {
        this.window = recipe.longestSequence();
        this.unit = recipe.shortestSequence();
        this.documents = recipe.data().documents().equals("respected");
        this.vocabularyUsed = recipe.vocabularyUsed();
        this.tokenizer = recipe.data().tokenizer().isEmpty()
                ? Optional.empty()
                : Optional.of(Tokenizer.open(Path.of(recipe.data().tokenizer())));
        if (recipe.data().sources().isEmpty()) {
            throw new ConfigurationException(
                    "data.sources", "[]", "name token shards to train on: [{name: …, shards: [PREFIX, …], weight: 1}]");
        }
        if (tokenizer.isPresent() && tokenizer.get().vocabularySize() > vocabularyUsed) {
            throw new ConfigurationException(
                    "data.tokenizer",
                    recipe.data().tokenizer(),
                    "has " + tokenizer.get().vocabularySize() + " ids, the model only " + vocabularyUsed
                            + "; set model.vocabularySize");
        }
        this.bytesOf = tokenizer.map(TrainingBatches::bytesOf).orElse(new int[0]);
        try {
            List<TokenSampler.Part> parts = new ArrayList<>();
            for (Recipe.Source source : recipe.data().sources()) {
                List<TokenShard> opened = new ArrayList<>();
                long tokens = 0;
                for (String shard : source.shards()) {
                    TokenShard one = open("data.sources." + source.name(), shard);
                    opened.add(one);
                    tokens += one.tokenCount();
                }
                if (sourceTokens.put(source.name(), tokens) != null) {
                    throw new ConfigurationException("data.sources", source.name(), "two sources have this name");
                }
                parts.add(new TokenSampler.Part(source.name(), opened, source.weight()));
            }
            this.training = new TokenSampler(parts, window, recipe.seed());
            for (String shard : recipe.data().validation()) {
                validation.add(open("data.validation", shard));
            }
            if (!validation.isEmpty() && validationCount() == 0) {
                throw new ConfigurationException(
                        "data.validation",
                        recipe.data().validation(),
                        "has not one sequence of " + (window + 1) + " tokens");
            }
        } catch (IOException | RuntimeException e) {
            close();
            throw e;
        }
    }

    private static int[] bytesOf(Tokenizer tokenizer) {
        int[] bytes = new int[tokenizer.vocabularySize()];
        Arrays.setAll(bytes, id -> tokenizer.bytes(id).length);
        return bytes;
    }

    private TokenShard open(String field, String prefix) throws IOException {
        String name =
                prefix.endsWith(".bin") || prefix.endsWith(".idx") ? prefix.substring(0, prefix.length() - 4) : prefix;
        for (String ending : List.of(".idx", ".bin")) {
            if (!Files.isRegularFile(Path.of(name + ending))) {
                throw new ConfigurationException(
                        field, prefix, "there is no file " + name + ending + "; a shard is a pair of .bin and .idx");
            }
        }
        TokenShard shard = TokenShard.open(Path.of(prefix));
        shards.add(shard);
        long blocks = (shard.tokenCount() + SCAN - 1) / SCAN;
        long stride = Math.max(1, blocks * SCAN / SCANNED);
        int[] ids = new int[SCAN];
        for (long block = 0; block < blocks; block += stride) {
            long from = block * SCAN;
            int count = (int) Math.min(SCAN, shard.tokenCount() - from);
            shard.copy(from, ids, 0, count);
            requireKnown(field, prefix, ids, count, from);
        }
        if (tokenizer.isPresent()) {
            requireSameTokenizer(field, prefix, shard, tokenizer.get());
        }
        return shard;
    }

    private void requireKnown(String field, String prefix, int[] ids, int count, long from) {
        for (int i = 0; i < count; i++) {
            if (ids[i] < 0 || ids[i] >= vocabularyUsed) {
                throw new ConfigurationException(
                        field,
                        prefix,
                        "token " + (from + i) + " has id " + ids[i] + ", the model's vocabulary ends at "
                                + vocabularyUsed + ": the shard was made with another tokenizer");
            }
        }
    }

    /** Ids that a tokenizer made come back when their text is encoded again; those of another one hardly ever do. */
    private static void requireSameTokenizer(String field, String prefix, TokenShard shard, Tokenizer tokenizer) {
        for (long document = 0; document < shard.documentCount(); document++) {
            long from = shard.documentStart(document);
            int length = (int) Math.min(CHECKED_TOKENS, shard.documentStart(document + 1) - from);
            if (length < 32) {
                continue;
            }
            int[] ids = new int[length];
            shard.copy(from, ids, 0, length);
            ids = Arrays.stream(ids)
                    .filter(id -> tokenizer.bytes(id).length > 0)
                    .toArray();
            int[] again = tokenizer.encode(tokenizer.decode(ids), EncodeOptions.TEXT);
            // The end of the piece may have been cut in the middle of a word.
            int compared = Math.max(0, Math.min(ids.length, again.length) - 8);
            int same = 0;
            while (same < compared && ids[same] == again[same]) {
                same++;
            }
            if (ids.length > 0 && same < compared / 2) {
                throw new ConfigurationException(
                        field,
                        prefix,
                        "its first document does not come from data.tokenizer: its text encodes to other ids from token "
                                + same + " on; name the tokenizer that made the shard, or none");
            }
            return;
        }
    }

    /** The tokenizer that the recipe names. */
    Optional<Tokenizer> tokenizer() {
        return tokenizer;
    }

    /** Tokens of each source: what a resumed run must find again. */
    Map<String, Long> sourceTokens() {
        return Map.copyOf(sourceTokens);
    }

    /** Times that each source has been seen when the cursor has come so far. */
    Map<String, Double> epochs(long cursor) {
        Map<String, Double> epochs = new TreeMap<>();
        for (int part = 0; part < training.partCount(); part++) {
            epochs.put(training.partName(part), training.epochs(part, Math.ceilDiv(cursor * unit, window)));
        }
        return epochs;
    }

    /** The cursor at the next whole sequence of a length. */
    long align(long cursor, int length) {
        return Math.ceilDiv(cursor * unit, length) * (length / unit);
    }

    /** The cursor behind {@code count} sequences. */
    long advance(long cursor, Recipe.Stage stage, int count) {
        return cursor + (long) count * (stage.sequenceLength() / unit);
    }

    /** The {@code count} training sequences of a length from an aligned cursor on. */
    PackedBatch training(long cursor, int length, int count) {
        int[] tokens = new int[count * (length + 1)];
        boolean[] starts = new boolean[tokens.length];
        int[] whole = new int[window + 1];
        boolean[] wholeStarts = new boolean[window + 1];
        long held = -1;
        for (int i = 0; i < count; i++) {
            long place = (cursor + (long) i * (length / unit)) * unit;
            int at = i * (length + 1);
            if (place / window != held) {
                held = place / window;
                training.sample(held, whole, 0);
                if (documents) {
                    training.documentStarts(held, wholeStarts, 0);
                }
            }
            int from = (int) (place % window);
            System.arraycopy(whole, from, tokens, at, length + 1);
            System.arraycopy(wholeStarts, from, starts, at, length + 1);
        }
        return pack(tokens, starts, length, count);
    }

    /** How many whole validation sequences there are. */
    int validationCount() {
        long count = 0;
        for (TokenShard shard : validation) {
            count += Math.max(0, (shard.tokenCount() - 1) / window);
        }
        return (int) Math.min(count, Integer.MAX_VALUE);
    }

    /**
     * Sequences {@code [from, from + count)} of the {@code chosen} that are validated: as far apart as possible among all
     * there are, so that a few of them are of many documents. Of the longest length.
     */
    PackedBatch validation(int from, int count, int chosen) {
        int[] tokens = new int[count * (window + 1)];
        boolean[] starts = new boolean[tokens.length];
        long all = validationCount();
        for (int i = 0; i < count; i++) {
            long sequence = (2L * (from + i) + 1) * all / (2L * chosen);
            for (TokenShard shard : validation) {
                long inside = Math.max(0, (shard.tokenCount() - 1) / window);
                if (sequence >= inside) {
                    sequence -= inside;
                    continue;
                }
                int at = i * (window + 1);
                shard.copy(sequence * window, tokens, at, window + 1);
                if (documents) {
                    TokenSampler.documentStarts(shard, sequence * window, starts, at, window + 1);
                }
                break;
            }
        }
        return pack(tokens, starts, window, count);
    }

    private PackedBatch pack(int[] tokens, boolean[] starts, int length, int count) {
        int rows = count * length;
        int[] ids = new int[rows];
        int[] targets = new int[rows];
        int[] positions = new int[rows];
        int[] first = new int[rows];
        for (int i = 0; i < count; i++) {
            int begin = i * length;
            for (int t = 0; t < length; t++) {
                int row = i * length + t;
                int at = i * (length + 1) + t;
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

    /** Bytes of the text that a batch predicts; 0 where there is no tokenizer to tell. */
    long textBytes(PackedBatch batch) {
        if (tokenizer.isEmpty()) {
            return 0;
        }
        int bos = tokenizer.get().specialTokens().bos().orElse(-1);
        int invented = tokenizer.get().dropsLeadingSpace() ? 1 : 0;
        long bytes = 0;
        for (int row = 0; row < batch.rowCount(); row++) {
            int target = batch.targets()[row];
            if (target != Kernels.IGNORED && target < bytesOf.length) {
                bytes += bytesOf[target];
                // SentencePiece puts a space before a text.
                bytes -= batch.ids()[row] == bos && bytesOf[target] > 0 ? invented : 0;
            }
        }
        return bytes;
    }

    @Override
    public void close() {
        shards.forEach(TokenShard::close);
        shards.clear();
    }
}
