package dev.puna.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * Byte-pair encoding over bytes, as tiktoken does it for Llama-3: the text is cut by a pattern, a piece that is a token
 * as a whole is that token, and any other is merged from its bytes by rank.
 */
public final class ByteLevelTokenizer implements Tokenizer {
    /** Where a text is cut before the pattern sees it. */
    public enum Seams {
        /** Nowhere: as tiktoken, Hugging Face and llama.cpp do. The default, so that every form gives the same ids. */
        NONE,
        /**
         * As Meta's {@code llama3/tokenizer.py} does: every 400,000 characters, and in every run of white space, or of
         * anything else, after 25,000 characters. Ids differ from {@link #NONE} only at such a cut.
         */
        META
    }

    private final Vocabulary vocabulary;
    private final MergeRule rule;
    private final boolean wholePiecesFirst;
    private final Seams seams;
    private final SpecialTokens special;
    private final List<AddedToken> addedTokens;
    private final Map<String, String> chatTemplates;
    private final Map<String, AddedToken> addedByName = new HashMap<>();
    private final @Nullable AddedToken[] addedById;
    private final AddedTokenMatcher matcher;
    private final int[] byteIds;
    private final LinearMerges.Source linear;

    /**
     * A tokenizer.
     *
     * @param vocabulary tokens as raw bytes; added tokens are of kind CONTROL in it, whatever they are
     * @param rule what merges
     * @param wholePiecesFirst whether a piece that is a token is not merged but looked up
     */
    ByteLevelTokenizer(
            Vocabulary vocabulary,
            MergeRule rule,
            boolean wholePiecesFirst,
            Seams seams,
            SpecialTokens special,
            List<AddedToken> addedTokens,
            Map<String, String> chatTemplates) {
        this.vocabulary = vocabulary;
        this.rule = rule;
        this.wholePiecesFirst = wholePiecesFirst;
        this.seams = seams;
        this.special = special;
        this.addedTokens = List.copyOf(addedTokens);
        this.chatTemplates = Map.copyOf(chatTemplates);
        this.addedById = new @Nullable AddedToken[vocabulary.size()];
        for (AddedToken token : addedTokens) {
            addedById[vocabulary.check(token.id())] = token;
            addedByName.putIfAbsent(token.content(), token);
        }
        this.matcher = new AddedTokenMatcher(addedTokens, text -> text);
        this.byteIds = new int[256];
        byte[] single = new byte[1];
        for (int value = 0; value < 256; value++) {
            single[0] = (byte) value;
            byteIds[value] = vocabulary.find(single);
            if (byteIds[value] < 0) {
                throw new dev.puna.tensor.ConfigurationException(
                        "vocabulary",
                        vocabulary.size() + " tokens",
                        String.format("a byte-level vocabulary needs every single byte, this one lacks 0x%02X", value));
            }
        }
        this.linear = new LinearMerges.Source(vocabulary, rule, byteIds);
    }

    private ByteLevelTokenizer(
            ByteLevelTokenizer from, Seams seams, SpecialTokens special, Map<String, String> chatTemplates) {
        this.vocabulary = from.vocabulary;
        this.rule = from.rule;
        this.wholePiecesFirst = from.wholePiecesFirst;
        this.seams = seams;
        this.special = special;
        this.addedTokens = from.addedTokens;
        this.chatTemplates = Map.copyOf(chatTemplates);
        this.addedById = from.addedById;
        this.addedByName.putAll(from.addedByName);
        this.matcher = from.matcher;
        this.byteIds = from.byteIds;
        this.linear = from.linear;
    }

    /** The same tokenizer with another choice of {@link Seams}. */
    public ByteLevelTokenizer withSeams(Seams choice) {
        return new ByteLevelTokenizer(this, choice, special, chatTemplates);
    }

    /** Where texts are cut first. */
    public Seams seams() {
        return seams;
    }

    /** Whether a piece of text that is a token is looked up instead of merged ({@code ignore_merges}). */
    public boolean wholePiecesFirst() {
        return wholePiecesFirst;
    }

    Vocabulary vocabulary() {
        return vocabulary;
    }

    MergeRule rule() {
        return rule;
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
        AddedToken added = addedById[vocabulary.check(id)];
        return added == null ? vocabulary.kind(id) : added.special() ? TokenKind.CONTROL : TokenKind.USER_DEFINED;
    }

    @Override
    public String piece(int id) {
        AddedToken added = addedById[vocabulary.check(id)];
        return added != null ? added.content() : PrintableBytes.encode(vocabulary.bytes(id));
    }

    @Override
    public OptionalInt idOf(String piece) {
        AddedToken added = addedByName.get(piece);
        if (added != null) {
            return OptionalInt.of(added.id());
        }
        byte[] text = Utf8.bytes(piece);
        byte[] bytes = new byte[text.length + Words.PADDING];
        int length = PrintableBytes.decode(text, 0, text.length, bytes, 0);
        int id = length <= 0 ? Vocabulary.NONE : vocabulary.find(bytes, 0, length);
        return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
    }

    @Override
    public byte[] bytes(int id) {
        return kind(id) == TokenKind.CONTROL ? new byte[0] : vocabulary.bytes(id);
    }

    @Override
    public boolean dropsLeadingSpace() {
        return false;
    }

    @Override
    public Tokenizer withSpecialTokens(SpecialTokens other) {
        return new ByteLevelTokenizer(this, seams, other, chatTemplates);
    }

    @Override
    public Tokenizer withChatTemplates(Map<String, String> templates) {
        return new ByteLevelTokenizer(this, seams, special, templates);
    }

    @Override
    public byte[] decodeBytes(int[] ids) {
        byte[] text = new byte[ids.length * 4 + 16];
        int size = 0;
        for (int id : ids) {
            if (kind(id) == TokenKind.CONTROL) {
                continue;
            }
            int length = vocabulary.length(id);
            if (size + length > text.length) {
                text = Arrays.copyOf(text, Math.max(size + length, 2 * text.length));
            }
            System.arraycopy(vocabulary.storage(), vocabulary.offset(id), text, size, length);
            size += length;
        }
        return Arrays.copyOf(text, size);
    }

    @Override
    public String decode(int[] ids) {
        return new String(decodeBytes(ids), StandardCharsets.UTF_8);
    }

    @Override
    public Encoder encoder() {
        return new ByteLevelEncoder();
    }

    private final class ByteLevelEncoder extends CachingEncoder {
        private static final int META_CHARACTERS = 400_000;
        private static final int META_RUN = 25_000;

        private final Merger merger = new Merger(vocabulary, rule, byteIds, linear);

        ByteLevelEncoder() {
            super(vocabulary.size());
        }

        @Override
        void encode(EncodeOptions options, TokenBuffer out) {
            begin(out);
            if (options.bos() && special.bos().isPresent()) {
                add(special.bos().getAsInt());
            }
            byte[] text = text();
            int end = textSize();
            switch (seams) {
                case NONE -> encodeParts(text, 0, end, options.parseSpecial());
                case META -> {
                    int from = 0;
                    while (from < end) {
                        int to = seam(text, from, end);
                        encodeParts(text, from, to, options.parseSpecial());
                        from = to;
                    }
                }
            }
            if (options.eos() && special.eos().isPresent()) {
                add(special.eos().getAsInt());
            }
            finish(out);
        }

        private int charactersInBlock;

        /** Where the part that starts at {@code from} ends by Meta's rules; {@code from == 0} starts a text. */
        private int seam(byte[] text, int from, int end) {
            if (from == 0 || charactersInBlock == META_CHARACTERS) {
                charactersInBlock = 0;
            }
            int run = 0;
            boolean runIsSpace = false;
            int at = from;
            while (at < end) {
                if (charactersInBlock == META_CHARACTERS) {
                    return at;
                }
                boolean space = Unicode.isPythonSpace(Utf8.codePoint(text, at));
                if (run == 0 || space != runIsSpace) {
                    run = 1;
                    runIsSpace = space;
                } else if (++run > META_RUN) {
                    return at;
                }
                charactersInBlock++;
                at += Utf8.characterLength(text, at, end);
            }
            return at;
        }

        private void encodeParts(byte[] text, int from, int to, boolean parseSpecial) {
            int at = from;
            if (matcher.applies(parseSpecial)) {
                AddedTokenMatcher.Match match;
                while ((match = matcher.find(text, at, to, parseSpecial)) != null) {
                    encodePlain(text, at, match.from());
                    add(match.token().id());
                    at = match.to();
                }
            }
            encodePlain(text, at, to);
        }

        private void encodePlain(byte[] text, int from, int to) {
            int at = from;
            while (at < to) {
                int end = Llama3Splitter.next(text, at, to);
                emit(text, at, end);
                at = end;
            }
        }

        @Override
        void merge(byte[] text, int from, int to) {
            if (wholePiecesFirst) {
                int id = vocabulary.find(text, from, to);
                if (id >= 0) {
                    fresh(id);
                    return;
                }
            }
            int count = merger.merge(text, from, to);
            for (int i = 0; i < count; i++) {
                fresh(merger.id(i));
            }
        }

        @Override
        boolean replacesEachByte() {
            return false;
        }
    }
}
