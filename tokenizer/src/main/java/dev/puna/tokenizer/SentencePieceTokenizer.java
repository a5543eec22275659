package dev.puna.tokenizer;

import dev.puna.tensor.ConfigurationException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * Byte-pair encoding over characters, as SentencePiece does it for LLaMA-1 and Llama-2, and as Hugging Face's
 * {@code tokenizer.json} and GGUF's {@code llama} vocabulary repeat it.
 *
 * <p>The text gets a space before it, spaces are {@code ▁}, and neighbours merge by score wherever they are: nothing
 * cuts the text first. Two facts about a vocabulary, checked when it is loaded, make it fast all the same:
 *
 * <ol>
 *   <li>Where no token holds the byte before a border followed by the byte behind it, nothing merges across the border,
 *       and both sides can be encoded alone. In LLaMA's vocabulary that is every border of a word, every punctuation
 *       mark beside a letter and every digit.
 *   <li>Where tokens of several spaces hold nothing else and merge after everything else, a run of spaces before a word
 *       is that word with one space, and the rest of the run.
 * </ol>
 */
public final class SentencePieceTokenizer implements Tokenizer {
    /** When a text gets a space before it. */
    enum SpacePrefix {
        /** Never. */
        NEVER,
        /** Before the text. */
        FIRST,
        /** Before the text, and again behind every control token found in it. */
        EVERY_SEGMENT,
        /** As {@link #FIRST}, but not before a space. */
        FIRST_UNLESS_SPACE,
        /** As {@link #EVERY_SEGMENT}, but not before a space. */
        EVERY_SEGMENT_UNLESS_SPACE
    }

    /**
     * What a file says beside its tokens.
     *
     * @param removeExtraWhitespaces whether spaces at both ends go and runs of them become one
     * @param byteFallback whether a character without a token becomes its bytes; else the unknown token
     * @param dropsLeadingSpace whether decoding drops the space that encoding put
     * @param prefixInAddedTokens whether tokens that are searched in the normalized text got the space themselves, as
     *     Hugging Face's {@code Prepend} does it to them
     */
    record Rules(
            SpacePrefix prefix,
            boolean removeExtraWhitespaces,
            boolean byteFallback,
            boolean dropsLeadingSpace,
            boolean prefixInAddedTokens) {}

    private static final byte[] UNKNOWN_SURFACE = " \u2047 ".getBytes(StandardCharsets.UTF_8);
    private static final int LONGEST_KNOWN_RUN = 512;

    private final Vocabulary vocabulary;
    private final MergeRule rule;
    private final float @Nullable [] scores;
    private final Rules rules;
    private final SpecialTokens special;
    private final List<AddedToken> addedTokens;
    private final Map<String, String> chatTemplates;
    private final Map<String, AddedToken> addedByName = new HashMap<>();
    private final @Nullable AddedToken[] addedById;
    private final AddedTokenMatcher rawMatcher;
    private final AddedTokenMatcher normalizedMatcher;
    private final int[] byteIds;
    private final int unknownId;
    private final boolean hasUnused;
    private final long[] joined;
    private final int spaceId;
    private final boolean splitsRuns;
    private final int[] runIds; // tokens of 0, 1, 2 … spaces where a run is taken from the left; empty where not
    private final LinearMerges.Source linear;

    /**
     * A tokenizer.
     *
     * @param vocabulary tokens with spaces for {@code ▁}; bytes as one byte of kind BYTE; names of the others
     * @param scores SentencePiece's score of each token, or null where the file has merges instead
     */
    SentencePieceTokenizer(
            Vocabulary vocabulary,
            MergeRule rule,
            float @Nullable [] scores,
            Rules rules,
            SpecialTokens special,
            List<AddedToken> addedTokens,
            Map<String, String> chatTemplates) {
        this.vocabulary = vocabulary;
        this.rule = rule;
        this.scores = scores;
        this.rules = rules;
        this.special = special;
        this.addedTokens = List.copyOf(addedTokens);
        this.chatTemplates = Map.copyOf(chatTemplates);
        int size = vocabulary.size();
        this.addedById = new @Nullable AddedToken[size];
        List<AddedToken> raw = new ArrayList<>();
        List<AddedToken> normalized = new ArrayList<>();
        for (AddedToken token : addedTokens) {
            addedById[vocabulary.check(token.id())] = token;
            addedByName.putIfAbsent(token.content(), token);
            (token.normalized() ? normalized : raw).add(token);
        }
        this.rawMatcher = new AddedTokenMatcher(raw, text -> text);
        this.normalizedMatcher = new AddedTokenMatcher(
                normalized, text -> (rules.prefixInAddedTokens() ? " " : "") + text.replace('\u2581', ' '));
        this.byteIds = new int[256];
        Arrays.fill(byteIds, Vocabulary.NONE);
        boolean unused = false;
        for (int id = 0; id < size; id++) {
            switch (vocabulary.kind(id)) {
                case BYTE -> byteIds[vocabulary.storage()[vocabulary.offset(id)] & 0xFF] = id;
                case UNUSED -> unused = true;
                case NORMAL, UNKNOWN, CONTROL, USER_DEFINED -> {}
            }
        }
        this.hasUnused = unused;
        this.unknownId = special.unknown().orElse(Vocabulary.NONE);
        if (rules.byteFallback()) {
            for (int value = 0; value < 256; value++) {
                if (byteIds[value] < 0) {
                    throw new ConfigurationException(
                            "byte_fallback", true, String.format("the vocabulary lacks the token <0x%02X>", value));
                }
            }
        } else if (unknownId < 0) {
            throw new ConfigurationException(
                    "byte_fallback", false, "a vocabulary without byte tokens needs an unknown token");
        }
        this.linear = new LinearMerges.Source(vocabulary, rule, null);
        this.joined = adjacentBytes(vocabulary);
        this.spaceId = vocabulary.find(new byte[] {' '});
        this.splitsRuns = spaceId >= 0 && !hasUnused && runsSplit(vocabulary, rule, joined);
        this.runIds = splitsRuns ? leftmostRuns(vocabulary, rule, spaceId) : new int[0];
    }

    private SentencePieceTokenizer(
            SentencePieceTokenizer from, SpecialTokens special, Map<String, String> chatTemplates) {
        this.vocabulary = from.vocabulary;
        this.rule = from.rule;
        this.scores = from.scores;
        this.rules = from.rules;
        this.special = special;
        this.addedTokens = from.addedTokens;
        this.chatTemplates = Map.copyOf(chatTemplates);
        this.addedByName.putAll(from.addedByName);
        this.addedById = from.addedById;
        this.rawMatcher = from.rawMatcher;
        this.normalizedMatcher = from.normalizedMatcher;
        this.byteIds = from.byteIds;
        this.unknownId = from.unknownId;
        this.hasUnused = from.hasUnused;
        this.joined = from.joined;
        this.spaceId = from.spaceId;
        this.splitsRuns = from.splitsRuns;
        this.runIds = from.runIds;
        this.linear = from.linear;
    }

    /** One bit for each pair of bytes that stand side by side in some token; all pairs inside a character. */
    private static long[] adjacentBytes(Vocabulary vocabulary) {
        long[] bits = new long[1024];
        byte[] bytes = vocabulary.storage();
        for (int id = 0; id < vocabulary.size(); id++) {
            if (vocabulary.merges(id)) {
                int last = vocabulary.offset(id) + vocabulary.length(id) - 1;
                for (int at = vocabulary.offset(id); at < last; at++) {
                    int second = bytes[at + 1] & 0xFF;
                    bits[(bytes[at] & 0xFF) << 2 | second >>> 6] |= 1L << second;
                }
            }
        }
        for (int first = 0x80; first < 0x100; first++) {
            bits[first << 2 | 2] = -1; // the second byte is 0x80 to 0xBF: it continues a character
        }
        return bits;
    }

    private static boolean joined(long[] bits, byte first, byte second) {
        return (bits[(first & 0xFF) << 2 | (second & 0xFF) >>> 6] >>> second & 1) != 0;
    }

    /** The second fact of the class comment. */
    private static boolean runsSplit(Vocabulary vocabulary, MergeRule rule, long[] joined) {
        for (int first = 0; first < 0x100; first++) {
            if (first != ' ' && joined(joined, (byte) first, (byte) ' ')) {
                return false;
            }
        }
        byte[] bytes = vocabulary.storage();
        boolean[] run = new boolean[vocabulary.size()];
        for (int id = 0; id < run.length; id++) {
            if (!vocabulary.merges(id) || vocabulary.length(id) == 0) {
                continue;
            }
            int from = vocabulary.offset(id);
            int to = from + vocabulary.length(id);
            int text = from;
            while (text < to && bytes[text] == ' ') {
                text++;
            }
            run[id] = text == to;
            if (text < to && text - from > 1) {
                return false; // several spaces and something else
            }
        }
        int[] bounds = {-1, Integer.MAX_VALUE}; // the last rank that makes anything else, the first that makes a run
        rule.forEach((rank, token) -> {
            if (run[token]) {
                bounds[1] = Math.min(bounds[1], rank);
            } else {
                bounds[0] = Math.max(bounds[0], rank);
            }
        });
        return bounds[0] < bounds[1];
    }

    /**
     * Where tokens of 1, 2 … n spaces exist, and one of several spaces takes the next space no later than two single
     * ones merge, the leftmost first, a run is taken from the left, n at a time: their ids by length. Else an empty
     * array.
     */
    private static int[] leftmostRuns(Vocabulary vocabulary, MergeRule rule, int spaceId) {
        byte[] spaces = new byte[vocabulary.longest() + 1 + Words.PADDING];
        Arrays.fill(spaces, (byte) ' ');
        int[] ids = new int[vocabulary.longest() + 1];
        ids[1] = spaceId;
        int most = 1;
        long rank = -1;
        while (most < vocabulary.longest()) {
            int id = vocabulary.find(spaces, 0, most + 1);
            long merge = id < 0 ? MergeRule.NONE : rule.merge(spaces, 0, most + 1, ids[most], spaceId);
            if (merge == MergeRule.NONE) {
                break;
            }
            if (rank < 0) {
                rank = merge >>> 32; // of the merge that starts a token: what grows it must not come later
            } else if (merge >>> 32 > rank) {
                return new int[0];
            }
            ids[++most] = id;
        }
        for (int length = most + 1; length <= vocabulary.longest(); length++) {
            if (vocabulary.find(spaces, 0, length) >= 0) {
                return new int[0];
            }
        }
        return Arrays.copyOf(ids, most + 1);
    }

    Vocabulary vocabulary() {
        return vocabulary;
    }

    MergeRule rule() {
        return rule;
    }

    Rules rules() {
        return rules;
    }

    /** SentencePiece's score of a token, where the file had scores. */
    public java.util.Optional<Float> score(int id) {
        vocabulary.check(id);
        return scores == null ? java.util.Optional.empty() : java.util.Optional.of(scores[id]);
    }

    /**
     * A score for each token that gives the same merges: the file's, or made from the order of its merges, where each
     * token's first merge counts.
     */
    float[] scoresOrRanks() {
        if (scores != null) {
            return scores.clone();
        }
        float[] made = new float[vocabulary.size()];
        int[] first = new int[made.length];
        Arrays.fill(first, Integer.MAX_VALUE);
        rule.forEach((rank, token) -> first[token] = Math.min(first[token], rank));
        int merged = 0;
        for (int id = 0; id < made.length; id++) {
            if (first[id] != Integer.MAX_VALUE) {
                made[id] = -first[id];
                merged = Math.max(merged, first[id] + 1);
            }
        }
        for (int id = 0; id < made.length; id++) {
            if (first[id] == Integer.MAX_VALUE && vocabulary.kind(id) == TokenKind.NORMAL) {
                made[id] = -(float) merged++;
            }
        }
        return made;
    }

    /** Whether a character without a token becomes its bytes. */
    public boolean byteFallback() {
        return rules.byteFallback();
    }

    @Override
    public int vocabularySize() {
        return vocabulary.size();
    }

    @Override
    public SpecialTokens specialTokens() {
        return special;
    }

    @Override
    public List<AddedToken> addedTokens() {
        return addedTokens;
    }

    @Override
    public Map<String, String> chatTemplates() {
        return chatTemplates;
    }

    @Override
    public TokenKind kind(int id) {
        return vocabulary.kind(id);
    }

    @Override
    public String piece(int id) {
        AddedToken added = addedById[vocabulary.check(id)];
        if (added != null) {
            return added.content();
        }
        byte[] bytes = vocabulary.bytes(id);
        return switch (vocabulary.kind(id)) {
            case BYTE -> byteName(bytes[0]);
            case NORMAL, UNUSED, USER_DEFINED -> new String(bytes, StandardCharsets.UTF_8).replace(' ', '\u2581');
            case UNKNOWN, CONTROL -> new String(bytes, StandardCharsets.UTF_8);
        };
    }

    static String byteName(byte value) {
        return String.format("<0x%02X>", value);
    }

    @Override
    public OptionalInt idOf(String piece) {
        AddedToken added = addedByName.get(piece);
        if (added != null) {
            return OptionalInt.of(added.id());
        }
        int value = byteOf(piece);
        if (value >= 0 && byteIds[value] >= 0) {
            return OptionalInt.of(byteIds[value]);
        }
        int id = vocabulary.find(Utf8.bytes(piece.replace('\u2581', ' ')));
        return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
    }

    /** The byte that {@code <0xNN>} names, or -1. */
    static int byteOf(String name) {
        if (name.length() != 6 || !name.startsWith("<0x") || name.charAt(5) != '>') {
            return -1;
        }
        int high = Character.digit(name.charAt(3), 16);
        int low = Character.digit(name.charAt(4), 16);
        return high < 0 || low < 0 ? -1 : high << 4 | low;
    }

    @Override
    public byte[] bytes(int id) {
        return switch (kind(id)) {
            case CONTROL -> new byte[0];
            case UNKNOWN -> UNKNOWN_SURFACE.clone();
            case NORMAL, UNUSED, BYTE, USER_DEFINED -> vocabulary.bytes(id);
        };
    }

    @Override
    public boolean dropsLeadingSpace() {
        return rules.dropsLeadingSpace();
    }

    @Override
    public Tokenizer withSpecialTokens(SpecialTokens other) {
        return new SentencePieceTokenizer(this, other, chatTemplates);
    }

    @Override
    public Tokenizer withChatTemplates(Map<String, String> templates) {
        return new SentencePieceTokenizer(this, special, templates);
    }

    /** The same tokenizer with tokens behind its own, whose ids follow on. */
    SentencePieceTokenizer withAddedTokens(List<AddedToken> more) {
        if (more.isEmpty()) {
            return this;
        }
        int size = vocabularySize();
        Vocabulary.Builder builder =
                new Vocabulary.Builder(size + more.size(), vocabulary.offset(size) + 64 * more.size());
        for (int id = 0; id < size; id++) {
            int from = vocabulary.offset(id);
            builder.add(vocabulary.storage(), from, from + vocabulary.length(id), vocabulary.kind(id));
        }
        List<AddedToken> all = new ArrayList<>(addedTokens);
        for (AddedToken token : more) {
            if (token.id() != builder.size()) {
                throw new ConfigurationException(
                        "added token " + token.content(), token.id(), "the next free id is " + builder.size());
            }
            byte[] name = Utf8.bytes(token.content());
            builder.add(name, 0, name.length, token.special() ? TokenKind.CONTROL : TokenKind.USER_DEFINED);
            all.add(token);
        }
        Vocabulary longer = builder.build();
        MergeRule same = switch (rule) {
            case MergeRule.ByToken byToken ->
                new MergeRule.ByToken(longer, Arrays.copyOf(byToken.ranks(), longer.size()));
            case MergeRule.ById byId -> new MergeRule.ById(longer);
            case MergeRule.ByPair pairs -> pairs;
            case MergeRule.Remembering remembering -> remembering;
        };
        return new SentencePieceTokenizer(
                longer,
                same,
                scores == null ? null : Arrays.copyOf(scores, longer.size()),
                rules,
                special,
                all,
                chatTemplates);
    }

    @Override
    public byte[] decodeBytes(int[] ids) {
        return decode(ids, false);
    }

    /** The text; as in SentencePiece each malformed byte of a run of byte tokens becomes one U+FFFD. */
    @Override
    public String decode(int[] ids) {
        return new String(decode(ids, true), StandardCharsets.UTF_8);
    }

    private byte[] decode(int[] ids, boolean repair) {
        byte[] text = new byte[ids.length * 4 + 64];
        int size = 0;
        boolean atStart = rules.dropsLeadingSpace();
        for (int i = 0; i < ids.length; i++) {
            TokenKind kind = vocabulary.kind(ids[i]);
            if (kind == TokenKind.CONTROL) {
                continue;
            }
            byte[] source = kind == TokenKind.UNKNOWN ? UNKNOWN_SURFACE : vocabulary.storage();
            int from = kind == TokenKind.UNKNOWN ? 0 : vocabulary.offset(ids[i]);
            int length = kind == TokenKind.UNKNOWN ? UNKNOWN_SURFACE.length : vocabulary.length(ids[i]);
            if (atStart && kind == TokenKind.NORMAL && length > 0 && source[from] == ' ') {
                from++;
                length--;
            }
            atStart = false;
            if (size + length + 3 > text.length) {
                text = Arrays.copyOf(text, Math.max(size + length + 3, 2 * text.length));
            }
            System.arraycopy(source, from, text, size, length);
            size += length;
            if (repair && kind == TokenKind.BYTE && (i + 1 == ids.length || kind(ids[i + 1]) != TokenKind.BYTE)) {
                int start = i;
                while (start > 0 && kind(ids[start - 1]) == TokenKind.BYTE) {
                    start--;
                }
                byte[] run = Arrays.copyOfRange(text, size - (i + 1 - start), size);
                text = Arrays.copyOf(text, Math.max(text.length, size + 3 * run.length));
                size -= run.length;
                int at = 0;
                while (at < run.length) {
                    int width = Utf8.characterLength(run, at, run.length);
                    if (width > 0) {
                        System.arraycopy(run, at, text, size, width);
                        size += width;
                        at += width;
                    } else {
                        size = Utf8.appendReplacement(text, size);
                        at++;
                    }
                }
            }
        }
        return Arrays.copyOf(text, size);
    }

    @Override
    public Encoder encoder() {
        return new SentencePieceEncoder();
    }

    private final class SentencePieceEncoder extends CachingEncoder {
        private final Merger merger = new Merger(vocabulary, rule, null, linear);
        private byte[] normal = new byte[256];
        private int normalSize;
        private int[] @Nullable [] runs = new int[0][];

        SentencePieceEncoder() {
            super(vocabulary.size());
        }

        @Override
        boolean replacesEachByte() {
            return true;
        }

        @Override
        void encode(EncodeOptions options, TokenBuffer out) {
            begin(out);
            if (options.bos() && special.bos().isPresent()) {
                add(special.bos().getAsInt());
            }
            byte[] text = text();
            int end = textSize();
            int at = 0;
            if (rawMatcher.applies(options.parseSpecial())) {
                AddedTokenMatcher.Match match;
                while ((match = rawMatcher.find(text, at, end, options.parseSpecial())) != null) {
                    encodeSegment(text, at, match.from(), options);
                    add(match.token().id());
                    at = match.to();
                }
            }
            encodeSegment(text, at, end, options);
            if (options.eos() && special.eos().isPresent()) {
                add(special.eos().getAsInt());
            }
            finish(out);
        }

        private void encodeSegment(byte[] text, int from, int to, EncodeOptions options) {
            if (from >= to) {
                return;
            }
            normalize(text, from, to, wantsPrefix(text, from, options));
            int start = size;
            int at = 0;
            if (normalizedMatcher.applies(options.parseSpecial())) {
                AddedTokenMatcher.Match match;
                while ((match = normalizedMatcher.find(normal, at, normalSize, options.parseSpecial())) != null) {
                    encodeNormal(at, match.from());
                    add(match.token().id());
                    at = match.to();
                }
            }
            encodeNormal(at, normalSize);
            if (!rules.byteFallback()) {
                fuseUnknown(start);
            }
        }

        private boolean wantsPrefix(byte[] text, int from, EncodeOptions options) {
            if (from == 0 && options.continuation()) {
                return false;
            }
            return switch (rules.prefix()) {
                case NEVER -> false;
                case FIRST -> from == 0;
                case EVERY_SEGMENT -> true;
                case FIRST_UNLESS_SPACE -> from == 0 && !startsWithSpace(text, from);
                case EVERY_SEGMENT_UNLESS_SPACE -> !startsWithSpace(text, from);
            };
        }

        private static boolean startsWithSpace(byte[] text, int at) {
            return text[at] == ' '
                    || (text[at] == (byte) 0xE2 && text[at + 1] == (byte) 0x96 && text[at + 2] == (byte) 0x81);
        }

        /** Into {@code normal}: with the prefix, {@code ▁} as a space. */
        private void normalize(byte[] text, int textFrom, int textTo, boolean prefix) {
            int from = textFrom;
            int to = textTo;
            normalSize = 0;
            if (rules.removeExtraWhitespaces()) {
                while (from < to && text[from] == ' ') {
                    from++;
                }
                while (to > from && text[to - 1] == ' ') {
                    to--;
                }
                if (from == to) {
                    return;
                }
            }
            int needed = to - from + 1 + Words.PADDING;
            if (normal.length < needed || (normal.length > 1 << 24 && needed < 1 << 22)) {
                normal = new byte[needed + (needed >> 3)];
            }
            byte[] target = normal;
            int at = 0;
            if (prefix) {
                target[at++] = ' ';
            }
            System.arraycopy(text, from, target, at, to - from);
            normalSize = at + to - from;
            replaceUnderscores(at);
            if (rules.removeExtraWhitespaces()) {
                collapse(text, from, to, at);
            }
        }

        private void replaceUnderscores(int start) {
            byte[] target = normal;
            int end = normalSize;
            int at = start;
            while (at < end) {
                if ((Words.at(target, at) & 0x8080808080808080L) == 0) {
                    at += 8;
                } else if (at + 2 < end && startsWithSpace(target, at) && target[at] != ' ') {
                    break;
                } else {
                    at++;
                }
            }
            if (at >= end) {
                return;
            }
            int size = at;
            while (at < end) {
                if (at + 2 < end && target[at] == (byte) 0xE2 && startsWithSpace(target, at)) {
                    target[size++] = ' ';
                    at += 3;
                } else {
                    target[size++] = target[at++];
                }
            }
            normalSize = size;
        }

        /** Runs of spaces become one; a {@code ▁} of the text is no space here. */
        private void collapse(byte[] text, int from, int to, int start) {
            int size = start;
            for (int at = from; at < to; at++) {
                if (text[at] == ' ' && text[at - 1 < from ? from : at - 1] == ' ' && at > from) {
                    continue;
                }
                if (at + 2 < to && text[at] == (byte) 0xE2 && startsWithSpace(text, at)) {
                    normal[size++] = ' ';
                    at += 2;
                } else {
                    normal[size++] = text[at];
                }
            }
            normalSize = size;
        }

        private void encodeNormal(int from, int to) {
            byte[] text = normal;
            if (hasUnused) {
                mergeWithUnused(text, from, to);
                return;
            }
            long[] bits = joined;
            boolean runsApart = splitsRuns;
            int at = from;
            while (at < to) {
                byte last = text[at];
                int end = at + 1;
                if (runsApart && last == ' ' && end < to && text[end] == ' ') {
                    at = encodeRun(text, at, to);
                    continue;
                }
                while (end < to) {
                    byte next = text[end];
                    if ((bits[(last & 0xFF) << 2 | (next & 0xFF) >>> 6] >>> next & 1) == 0) {
                        break;
                    }
                    last = next;
                    end++;
                }
                emit(text, at, end);
                at = end;
            }
        }

        /** At least two spaces, and the word behind them where it takes the last one. Where the next stretch starts. */
        private int encodeRun(byte[] text, int from, int to) {
            int word = from + 2;
            while (word < to && text[word] == ' ') {
                word++;
            }
            if (word == to || !joined(joined, (byte) ' ', text[word])) {
                insertRun(size, word - from, text, from);
                return word;
            }
            int end = word + 1;
            while (end < to && joined(joined, text[end - 1], text[end])) {
                end++;
            }
            int before = size;
            emit(text, word - 1, end);
            if (ids[before] == spaceId) {
                System.arraycopy(ids, before + 1, ids, before, size - before - 1);
                size--;
                insertRun(before, word - from, text, from);
            } else {
                insertRun(before, word - from - 1, text, from);
            }
            return end;
        }

        /** Puts the tokens of so many spaces at {@code place}, before what follows there. */
        private void insertRun(int place, int length, byte[] text, int from) {
            int longest = runIds.length - 1;
            if (longest < 1) {
                insert(place, run(length, text, from));
                return;
            }
            int whole = length / longest;
            int rest = length % longest;
            int count = whole + (rest > 0 ? 1 : 0);
            room(count);
            System.arraycopy(ids, place, ids, place + count, size - place);
            Arrays.fill(ids, place, place + whole, runIds[longest]);
            if (rest > 0) {
                ids[place + whole] = runIds[rest];
            }
            size += count;
        }

        private void insert(int place, int[] tokens) {
            room(tokens.length);
            System.arraycopy(ids, place, ids, place + tokens.length, size - place);
            System.arraycopy(tokens, 0, ids, place, tokens.length);
            size += tokens.length;
        }

        private int[] run(int length, byte[] text, int from) {
            if (length < runs.length && runs[length] != null) {
                return runs[length];
            }
            int count = merger.merge(text, from, from + length);
            int[] tokens = new int[count];
            for (int i = 0; i < count; i++) {
                tokens[i] = merger.id(i);
            }
            if (length < LONGEST_KNOWN_RUN) {
                if (length >= runs.length) {
                    runs = Arrays.copyOf(runs, Math.min(LONGEST_KNOWN_RUN, 2 * length + 16));
                }
                runs[length] = tokens;
            }
            return tokens;
        }

        @Override
        void merge(byte[] text, int from, int to) {
            int count = merger.merge(text, from, to);
            for (int i = 0; i < count; i++) {
                if (merger.id(i) >= 0) {
                    fresh(merger.id(i));
                } else if (rules.byteFallback()) {
                    for (int at = merger.start(i); at < merger.start(i + 1); at++) {
                        fresh(byteIds[text[at] & 0xFF]);
                    }
                } else {
                    fresh(unknownId);
                }
            }
        }

        /** Unknown characters side by side are one unknown token. */
        private void fuseUnknown(int start) {
            int kept = start;
            for (int i = start; i < size; i++) {
                if (ids[i] != unknownId || kept == start || ids[kept - 1] != unknownId) {
                    ids[kept++] = ids[i];
                }
            }
            size = kept;
        }

        /**
         * Tokens of kind UNUSED merge like others and are split again in the end, into the two that were last seen to
         * make them anywhere in the text: so the whole text is merged at once.
         */
        private void mergeWithUnused(byte[] text, int from, int to) {
            if (from == to) {
                return;
            }
            MergeRule.Remembering remembering = new MergeRule.Remembering(vocabulary, rule);
            Merger whole = new Merger(vocabulary, remembering, null, linear);
            int count = whole.mergeByHeap(text, from, to);
            for (int i = 0; i < count; i++) {
                addSplit(text, whole.start(i), whole.start(i + 1), whole.id(i), remembering);
            }
        }

        private void addSplit(byte[] text, int from, int to, int id, MergeRule.Remembering remembering) {
            if (id < 0) {
                if (rules.byteFallback()) {
                    for (int at = from; at < to; at++) {
                        add(byteIds[text[at] & 0xFF]);
                    }
                } else {
                    add(unknownId);
                }
                return;
            }
            int left = vocabulary.kind(id) == TokenKind.UNUSED ? remembering.leftLength(id) : 0;
            if (left == 0) {
                add(id);
                return;
            }
            addSplit(text, from, from + left, vocabulary.find(text, from, from + left), remembering);
            addSplit(text, from + left, to, vocabulary.find(text, from + left, to), remembering);
        }
    }
}
