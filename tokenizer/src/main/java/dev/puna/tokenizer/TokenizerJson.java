package dev.puna.tokenizer;

import dev.puna.tensor.AtomicFile;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.CorruptFileException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Hugging Face's {@code tokenizer.json}, both kinds of the LLaMA family: SentencePiece-like (merges over characters,
 * {@code byte_fallback}) and byte-level with Llama-3's pattern. Anything else in the file (another model, normalizer,
 * pre-tokenizer) is refused by name, because ids would be wrong without a word.
 */
public final class TokenizerJson {
    private TokenizerJson() {}

    /** How a byte-level vocabulary merges. */
    public enum MergeOrder {
        /** By id, as tiktoken does, where the list of merges has the same order; else by the list. The default. */
        RANKS,
        /**
         * By the list of merges, as Hugging Face's library does. On Llama-3 the two differ where one token overlaps
         * itself in more than one way, about twice in a million tokens.
         */
        LIST
    }

    /** Reads a file with {@link MergeOrder#RANKS}. */
    public static Tokenizer read(Path file) {
        return read(file, MergeOrder.RANKS);
    }

    /**
     * Reads a file.
     *
     * @throws CorruptFileException when it is not JSON, or its parts do not fit together
     * @throws ConfigurationException when it is a tokenizer of a kind that LLaMA does not use
     */
    public static Tokenizer read(Path file, MergeOrder order) {
        return parse(TokenizerFiles.read(file), file, order);
    }

    static Tokenizer parse(byte[] file, Path path, MergeOrder order) {
        Contents contents = new Contents(file, path);
        contents.readFile();
        return contents.tokenizer(order);
    }

    private static final class Contents {
        private final byte[] file;
        private final Path path;
        private final Map<String, Object> settings = new LinkedHashMap<>();
        private final Map<String, Object> model = new LinkedHashMap<>();
        private byte[] keys = new byte[0];
        private int[] keyEnds = new int[0];
        private int[] ids = new int[0];
        private int count;
        private int mergesAt = -1;

        Contents(byte[] file, Path path) {
            this.file = file;
            this.path = path;
        }

        void readFile() {
            Json json = new Json(file, 0, path);
            json.expect('{');
            boolean first = true;
            while (json.next(first, '}')) {
                first = false;
                String name = json.name();
                json.expect(':');
                if (name.equals("model") && json.peek() == '{') {
                    readModel(json);
                } else {
                    settings.put(name, json.value());
                }
            }
        }

        private void readModel(Json json) {
            json.expect('{');
            boolean first = true;
            while (json.next(first, '}')) {
                first = false;
                String name = json.name();
                json.expect(':');
                if (name.equals("vocab") && json.peek() == '{') {
                    readVocabulary(json);
                } else if (name.equals("merges") && json.peek() == '[') {
                    mergesAt = json.position();
                    json.skipArray();
                } else {
                    model.put(name, json.value());
                }
            }
        }

        private void readVocabulary(Json json) {
            json.expect('{');
            count = 0;
            keys = new byte[1 << 16];
            keyEnds = new int[1 << 12];
            ids = new int[1 << 12];
            int end = 0;
            while (json.next(count == 0, '}')) {
                json.string();
                int length = json.textLength();
                if (end + length > keys.length) {
                    keys = Arrays.copyOf(keys, Math.max(end + length, 2 * keys.length));
                }
                System.arraycopy(json.text(), 0, keys, end, length);
                end += length;
                if (count == ids.length) {
                    ids = Arrays.copyOf(ids, 2 * count);
                    keyEnds = Arrays.copyOf(keyEnds, 2 * count);
                }
                json.expect(':');
                int id = json.integer();
                if (id < 0) {
                    throw json.corrupt("an id that is not negative");
                }
                keyEnds[count] = end;
                ids[count++] = id;
            }
        }

        Tokenizer tokenizer(MergeOrder order) {
            refuseUnless(
                    "BPE".equals(model.getOrDefault("type", "BPE")),
                    "model.type",
                    model.get("type"),
                    "LLaMA's tokenizers are BPE");
            refuseUnless(
                    isAbsent(model.get("dropout")) || zero(model.get("dropout")),
                    "model.dropout",
                    model.get("dropout"),
                    "merging at random is not supported");
            for (String affix : List.of("continuing_subword_prefix", "end_of_word_suffix")) {
                refuseUnless(
                        isAbsent(model.get(affix)) || "".equals(model.get(affix)),
                        "model." + affix,
                        model.get(affix),
                        "LLaMA's tokenizers have none");
            }
            if (count == 0 || mergesAt < 0) {
                throw new CorruptFileException(path, 0, "model.vocab and model.merges", "none");
            }
            boolean byteLevel = mentions(settings.get("pre_tokenizer"), "ByteLevel");
            return byteLevel ? byteLevel(order) : sentencePiece();
        }

        private static boolean zero(@Nullable Object value) {
            return value instanceof Number number && number.doubleValue() == 0;
        }

        private List<AddedToken> addedTokens() {
            List<AddedToken> added = new ArrayList<>();
            Set<Integer> seen = new HashSet<>();
            if (settings.get("added_tokens") instanceof List<?> list) {
                for (Object element : list) {
                    if (!(element instanceof Map<?, ?> map
                            && map.get("id") instanceof Long id
                            && map.get("content") instanceof String content
                            && !content.isEmpty()
                            && id >= 0
                            && id < 1 << 26)) {
                        throw new CorruptFileException(path, 0, "id and content in added_tokens", "" + element);
                    }
                    if (!seen.add(id.intValue())) {
                        throw new CorruptFileException(path, 0, "every id once in added_tokens", id + " twice");
                    }
                    added.add(new AddedToken(
                            id.intValue(),
                            content,
                            truth(map.get("special"), false),
                            truth(map.get("normalized"), true),
                            truth(map.get("lstrip"), false),
                            truth(map.get("rstrip"), false),
                            truth(map.get("single_word"), false)));
                }
            }
            added.sort(Comparator.comparingInt(AddedToken::id));
            return added;
        }

        /** For each id the place of its key, -1 for none; ids must be nearly dense. */
        private int[] order(List<AddedToken> added) {
            int size = 0;
            for (int i = 0; i < count; i++) {
                size = Math.max(size, ids[i] + 1);
            }
            for (AddedToken token : added) {
                size = Math.max(size, token.id() + 1);
            }
            if (size > 2L * (count + added.size()) + 1024) {
                throw new CorruptFileException(path, 0, "ids without wide gaps", "id " + (size - 1) + " of " + count);
            }
            int[] order = new int[size];
            Arrays.fill(order, -1);
            for (int i = 0; i < count; i++) {
                if (order[ids[i]] >= 0) {
                    throw new CorruptFileException(path, 0, "every id once in model.vocab", ids[i] + " twice");
                }
                order[ids[i]] = i;
            }
            return order;
        }

        private int keyStart(int key) {
            return key == 0 ? 0 : keyEnds[key - 1];
        }

        private Tokenizer byteLevel(MergeOrder order) {
            refuseUnless(
                    isAbsent(settings.get("normalizer")),
                    "normalizer",
                    settings.get("normalizer"),
                    "LLaMA's byte-level tokenizers have none");
            checkByteLevelPreTokenizer(settings.get("pre_tokenizer"));
            refuseUnless(
                    !truth(model.get("byte_fallback"), false),
                    "model.byte_fallback",
                    true,
                    "a byte-level tokenizer needs none");
            List<AddedToken> added = addedTokens();
            int[] places = order(added);
            Vocabulary.Builder builder = new Vocabulary.Builder(places.length, keyEnds[count - 1] + 64 * added.size());
            int next = 0;
            for (int id = 0; id < places.length; id++) {
                if (next < added.size() && added.get(next).id() == id) {
                    byte[] name = Utf8.bytes(added.get(next++).content());
                    builder.add(name, 0, name.length, TokenKind.CONTROL);
                } else if (places[id] < 0) {
                    builder.close(0, TokenKind.CONTROL);
                } else {
                    int from = keyStart(places[id]);
                    addPrintable(builder, keys, from, keyEnds[places[id]]);
                }
            }
            Vocabulary vocabulary = builder.build();
            MergeRule rule = rule(vocabulary, order);
            boolean whole = truth(model.get("ignore_merges"), false);
            return finish(new ByteLevelTokenizer(
                    vocabulary, rule, whole, ByteLevelTokenizer.Seams.NONE, SpecialTokens.none(), added, Map.of()));
        }

        private void addPrintable(Vocabulary.Builder builder, byte[] source, int from, int to) {
            byte[] target = builder.room(to - from);
            int position = builder.position();
            int length = PrintableBytes.decode(source, from, to, target, position);
            if (length < 0) {
                String name = new String(source, from, to - from, StandardCharsets.UTF_8);
                throw new CorruptFileException(path, 0, "byte-level token in GPT-2's characters", name);
            }
            builder.close(length, TokenKind.NORMAL);
        }

        private MergeRule rule(Vocabulary vocabulary, MergeOrder order) {
            if (order == MergeOrder.RANKS && mergesAreInOrderOfIds(vocabulary)) {
                return new MergeRule.ById(vocabulary);
            }
            MergeRule.ByPair pairs = new MergeRule.ByPair();
            eachMerge(true, (text, middle, end) -> {
                int left = vocabulary.find(text, 0, middle);
                int right = vocabulary.find(text, middle, end);
                int merged = vocabulary.find(text, 0, end);
                if (left < 0 || right < 0 || merged < 0) {
                    throw new CorruptFileException(path, mergesAt, "merges of tokens", "one of unknown tokens");
                }
                pairs.add(left, right, merged);
                return true;
            });
            return pairs;
        }

        /** Whether the list makes token after token; and makes all but the few that no merge makes. */
        private boolean mergesAreInOrderOfIds(Vocabulary vocabulary) {
            int[] last = {-1};
            boolean[] ordered = {true};
            eachMerge(true, (text, middle, end) -> {
                int merged = vocabulary.find(text, 0, end);
                ordered[0] = merged >= last[0];
                last[0] = merged;
                return ordered[0];
            });
            return ordered[0];
        }

        private interface MergeVisitor {
            /** Left is {@code text[0, middle)}, right {@code text[middle, end)}; the text is padded. False: stop. */
            boolean visit(byte[] text, int middle, int end);
        }

        private void eachMerge(boolean printable, MergeVisitor visitor) {
            Json json = new Json(file, mergesAt, path);
            json.expect('[');
            byte[] text = new byte[256];
            boolean first = true;
            while (json.next(first, ']')) {
                first = false;
                byte[] left;
                int leftEnd;
                int rightStart;
                int rightEnd;
                if (json.peek() == '[') {
                    json.expect('[');
                    json.string();
                    leftEnd = json.textLength();
                    left = Arrays.copyOf(json.text(), leftEnd);
                    json.expect(',');
                    json.string();
                    rightStart = 0;
                    rightEnd = json.textLength();
                    json.expect(']');
                } else {
                    json.string();
                    left = json.text();
                    leftEnd = 0;
                    while (leftEnd < json.textLength() && left[leftEnd] != ' ') {
                        leftEnd++;
                    }
                    rightStart = leftEnd + 1;
                    rightEnd = json.textLength();
                }
                if (leftEnd == 0 || rightStart >= rightEnd) {
                    throw json.corrupt("two tokens in a merge");
                }
                int most = leftEnd + rightEnd - rightStart + Words.PADDING;
                if (text.length < most) {
                    text = new byte[2 * most];
                }
                int middle = part(printable, left, 0, leftEnd, text, 0);
                int end = middle + part(printable, json.text(), rightStart, rightEnd, text, middle);
                if (middle <= 0 || end <= middle) {
                    throw json.corrupt("tokens in GPT-2's characters in a merge");
                }
                if (!visitor.visit(text, middle, end)) {
                    return;
                }
            }
        }

        private static int part(boolean printable, byte[] source, int from, int to, byte[] target, int position) {
            if (printable) {
                return PrintableBytes.decode(source, from, to, target, position);
            }
            int written = position;
            for (int at = from; at < to; at++) {
                if (source[at] == (byte) 0xE2
                        && at + 2 < to
                        && source[at + 1] == (byte) 0x96
                        && source[at + 2] == (byte) 0x81) {
                    target[written++] = ' ';
                    at += 2;
                } else {
                    target[written++] = source[at];
                }
            }
            return written - position;
        }

        private Tokenizer sentencePiece() {
            Shape shape = shape();
            refuseUnless(
                    !truth(model.get("ignore_merges"), false),
                    "model.ignore_merges",
                    true,
                    "only byte-level tokenizers of the LLaMA family have it");
            List<AddedToken> added = new ArrayList<>(addedTokens());
            int[] places = order(added);
            boolean fallback = truth(model.get("byte_fallback"), false);
            Map<Integer, AddedToken> byId = new LinkedHashMap<>();
            added.forEach(token -> byId.put(token.id(), token));
            Vocabulary.Builder builder = new Vocabulary.Builder(places.length, keyEnds[count - 1] + 64 * added.size());
            Object unknown = model.getOrDefault("unk_token", Json.NULL);
            int unknownId = -1;
            for (int id = 0; id < places.length; id++) {
                AddedToken token = byId.get(id);
                String name = token != null
                        ? token.content()
                        : places[id] < 0
                                ? ""
                                : new String(
                                        keys,
                                        keyStart(places[id]),
                                        keyEnds[places[id]] - keyStart(places[id]),
                                        StandardCharsets.UTF_8);
                byte[] bytes = Utf8.bytes(name);
                if (name.equals(unknown)) {
                    unknownId = id;
                    if (token == null) {
                        added.add(new AddedToken(id, name, true, false, false, false, false));
                    }
                    builder.add(bytes, 0, bytes.length, TokenKind.UNKNOWN);
                } else if (token != null) {
                    builder.add(bytes, 0, bytes.length, token.special() ? TokenKind.CONTROL : TokenKind.USER_DEFINED);
                } else if (name.isEmpty()) {
                    builder.close(0, TokenKind.CONTROL);
                } else if (fallback && SentencePieceTokenizer.byteOf(name) >= 0) {
                    SentencePieceModel.addTo(builder, added, TokenKind.BYTE, bytes, 0, bytes.length);
                } else {
                    SentencePieceModel.addTo(builder, added, TokenKind.NORMAL, bytes, 0, bytes.length);
                }
            }
            Vocabulary vocabulary = builder.build();
            MergeRule.ByPair pairs = new MergeRule.ByPair();
            eachMerge(false, (text, middle, end) -> {
                int left = vocabulary.find(text, 0, middle);
                int right = vocabulary.find(text, middle, end);
                int merged = vocabulary.find(text, 0, end);
                if (left < 0 || right < 0 || merged < 0) {
                    throw new CorruptFileException(
                            path,
                            mergesAt,
                            "merges of tokens",
                            "one that makes " + new String(text, 0, end, StandardCharsets.UTF_8));
                }
                pairs.add(left, right, merged);
                return true;
            });
            SpecialTokens roles = new SpecialTokens(
                    OptionalInt.empty(),
                    OptionalInt.empty(),
                    unknownId < 0 ? OptionalInt.empty() : OptionalInt.of(unknownId),
                    OptionalInt.empty(),
                    OptionalInt.empty(),
                    OptionalInt.empty(),
                    new TreeSet<>(),
                    false,
                    false);
            added.sort(Comparator.comparingInt(AddedToken::id));
            return finish(new SentencePieceTokenizer(
                    vocabulary,
                    pairs,
                    null,
                    new SentencePieceTokenizer.Rules(
                            shape.prefix(), false, fallback, shape.dropsLeadingSpace(), shape.prefixInAddedTokens()),
                    roles,
                    added,
                    Map.of()));
        }

        private record Shape(
                SentencePieceTokenizer.SpacePrefix prefix, boolean dropsLeadingSpace, boolean prefixInAddedTokens) {}

        /** Which of the ways to put {@code ▁} the file has. */
        private Shape shape() {
            boolean replaces = false;
            boolean prepends = false;
            for (Map<?, ?> step : steps(settings.get("normalizer"), "normalizers")) {
                if ("Prepend".equals(step.get("type")) && "\u2581".equals(step.get("prepend"))) {
                    prepends = true;
                } else if ("Replace".equals(step.get("type"))
                        && "\u2581".equals(step.get("content"))
                        && step.get("pattern") instanceof Map<?, ?> pattern
                        && " ".equals(pattern.get("String"))) {
                    replaces = true;
                } else {
                    throw refusal("normalizer", step, "LLaMA's only prepend and replace the space");
                }
            }
            SentencePieceTokenizer.SpacePrefix prefix = prepends
                    ? SentencePieceTokenizer.SpacePrefix.EVERY_SEGMENT
                    : SentencePieceTokenizer.SpacePrefix.NEVER;
            for (Map<?, ?> step : steps(settings.get("pre_tokenizer"), "pretokenizers")) {
                if (!"Metaspace".equals(step.get("type")) || !"\u2581".equals(step.get("replacement"))) {
                    throw refusal("pre_tokenizer", step, "LLaMA's is Metaspace, Llama-3's pattern, or none");
                }
                if (truth(step.get("split"), true)) {
                    throw refusal("pre_tokenizer.split", true, "LLaMA's Metaspace does not split");
                }
                replaces = true;
                String scheme = step.get("prepend_scheme") instanceof String name
                        ? name
                        : truth(step.get("add_prefix_space"), true) ? "always" : "never";
                if (prepends && !scheme.equals("never")) {
                    throw refusal("pre_tokenizer.prepend_scheme", scheme, "the normalizer prepends already");
                }
                if (!prepends) {
                    prefix = switch (scheme) {
                        case "always" -> SentencePieceTokenizer.SpacePrefix.EVERY_SEGMENT_UNLESS_SPACE;
                        case "first" -> SentencePieceTokenizer.SpacePrefix.FIRST_UNLESS_SPACE;
                        case "never" -> SentencePieceTokenizer.SpacePrefix.NEVER;
                        default -> throw refusal("pre_tokenizer.prepend_scheme", scheme, "always, first or never");
                    };
                }
            }
            if (!replaces) {
                throw refusal(
                        "normalizer",
                        settings.get("normalizer"),
                        "neither SentencePiece's space nor a byte-level pre-tokenizer: this is not a LLaMA tokenizer");
            }
            boolean drops = prefix != SentencePieceTokenizer.SpacePrefix.NEVER;
            if (settings.get("decoder") instanceof Map<?, ?>) {
                drops = mentions(settings.get("decoder"), "Strip")
                        || (mentions(settings.get("decoder"), "Metaspace") && drops);
            }
            return new Shape(prefix, drops, prepends);
        }

        private void checkByteLevelPreTokenizer(@Nullable Object value) {
            boolean pattern = false;
            for (Map<?, ?> step : steps(value, "pretokenizers")) {
                if ("Split".equals(step.get("type"))
                        && step.get("pattern") instanceof Map<?, ?> regex
                        && Llama3Splitter.PATTERN.equals(regex.get("Regex"))
                        && "Isolated".equals(step.get("behavior"))
                        && !truth(step.get("invert"), false)) {
                    pattern = true;
                } else if (!"ByteLevel".equals(step.get("type"))
                        || truth(step.get("add_prefix_space"), true)
                        || truth(step.get("use_regex"), true)) {
                    throw refusal(
                            "pre_tokenizer", step, "of the byte-level tokenizers only Llama-3's pattern is supported");
                }
            }
            refuseUnless(pattern, "pre_tokenizer", value, "Llama-3's pattern is missing");
        }

        private Tokenizer finish(Tokenizer tokenizer) {
            boolean[] adds = new boolean[2];
            for (Map<?, ?> step : steps(settings.get("post_processor"), "processors")) {
                if ("TemplateProcessing".equals(step.get("type")) && step.get("single") instanceof List<?> single) {
                    boolean text = false;
                    for (Object element : single) {
                        boolean special = element instanceof Map<?, ?> map && map.containsKey("SpecialToken");
                        adds[0] |= special && !text;
                        adds[1] |= special && text;
                        text |= !special;
                    }
                }
            }
            SpecialTokens roles = SpecialNames.roles(
                    tokenizer::idOf, Map.of(), tokenizer.specialTokens().withAdding(adds[0], adds[1]));
            return tokenizer.withSpecialTokens(roles);
        }

        /** The parts of a sequence, or the one part that there is, or none. */
        private List<Map<?, ?>> steps(@Nullable Object value, String key) {
            if (isAbsent(value)) {
                return List.of();
            }
            if (!(value instanceof Map<?, ?> map)) {
                throw new CorruptFileException(path, 0, "an object", String.valueOf(value));
            }
            if (!"Sequence".equals(map.get("type"))) {
                return List.of(map);
            }
            List<Map<?, ?>> steps = new ArrayList<>();
            if (map.get(key) instanceof List<?> list) {
                for (Object element : list) {
                    steps.addAll(steps(element, key));
                }
            }
            return steps;
        }

        private static boolean mentions(@Nullable Object value, String type) {
            return switch (value) {
                case Map<?, ?> map ->
                    type.equals(map.get("type")) || map.values().stream().anyMatch(part -> mentions(part, type));
                case List<?> list -> list.stream().anyMatch(part -> mentions(part, type));
                case null, default -> false;
            };
        }

        private static boolean isAbsent(@Nullable Object value) {
            return value == null || value.equals(Json.NULL);
        }

        private static boolean truth(@Nullable Object value, boolean otherwise) {
            return value instanceof Boolean truth ? truth : otherwise;
        }

        private ConfigurationException refusal(String field, @Nullable Object value, String hint) {
            return new ConfigurationException(path + ": " + field, String.valueOf(value), hint);
        }

        private void refuseUnless(boolean holds, String field, @Nullable Object value, String hint) {
            if (!holds) {
                throw refusal(field, value, hint);
            }
        }
    }

    /**
     * Writes a tokenizer as {@code tokenizer.json}. Merges of a vocabulary with scores or ranks are listed as Hugging
     * Face's converters do: every pair of tokens that makes a token, by that token's place, then the longer parts
     * first.
     */
    public static void write(Tokenizer tokenizer, Path file) {
        try {
            AtomicFile.write(file, toText(tokenizer));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + file, e);
        }
    }

    static String toText(Tokenizer tokenizer) {
        StringBuilder out = new StringBuilder(1 << 22);
        out.append("{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": ");
        List<Object> added = new ArrayList<>();
        for (AddedToken token : tokenizer.addedTokens()) {
            Map<String, Object> fields = new LinkedHashMap<>();
            fields.put("id", token.id());
            fields.put("content", token.content());
            fields.put("single_word", token.singleWord());
            fields.put("lstrip", token.leftStrip());
            fields.put("rstrip", token.rightStrip());
            fields.put("normalized", token.normalized());
            fields.put("special", token.special());
            added.add(fields);
        }
        Json.write(out, added, 2);
        switch (tokenizer) {
            case SentencePieceTokenizer sentencePiece -> writeSentencePiece(out, sentencePiece);
            case ByteLevelTokenizer byteLevel -> writeByteLevel(out, byteLevel);
        }
        return out.toString();
    }

    private static void writePostProcessor(StringBuilder out, Tokenizer tokenizer, boolean byteLevel) {
        List<Object> single = new ArrayList<>();
        Map<String, Object> tokens = new LinkedHashMap<>();
        SpecialTokens special = tokenizer.specialTokens();
        if (special.addBos() && special.bos().isPresent()) {
            single.add(specialPart(tokenizer, special.bos().getAsInt(), tokens));
        }
        Map<String, Object> text = new LinkedHashMap<>();
        text.put("id", "A");
        text.put("type_id", 0L);
        single.add(Map.of("Sequence", text));
        if (special.addEos() && special.eos().isPresent()) {
            single.add(specialPart(tokenizer, special.eos().getAsInt(), tokens));
        }
        Map<String, Object> template = new LinkedHashMap<>();
        template.put("type", "TemplateProcessing");
        template.put("single", single);
        Map<String, Object> second = new LinkedHashMap<>();
        second.put("id", "B");
        second.put("type_id", 1L);
        List<Object> pair = new ArrayList<>(single);
        pair.add(Map.of("Sequence", second));
        template.put("pair", pair);
        template.put("special_tokens", tokens);
        Object value = template;
        if (byteLevel) {
            Map<String, Object> sequence = new LinkedHashMap<>();
            sequence.put("type", "Sequence");
            sequence.put("processors", List.of(byteLevelPart(true), template));
            value = sequence;
        }
        out.append(",\n  \"post_processor\": ");
        Json.write(out, value, 2);
    }

    private static Map<String, Object> specialPart(Tokenizer tokenizer, int id, Map<String, Object> tokens) {
        String name = tokenizer.piece(id);
        Map<String, Object> token = new LinkedHashMap<>();
        token.put("id", name);
        token.put("ids", List.of(id));
        token.put("tokens", List.of(name));
        tokens.put(name, token);
        Map<String, Object> reference = new LinkedHashMap<>();
        reference.put("id", name);
        reference.put("type_id", 0L);
        return Map.of("SpecialToken", reference);
    }

    private static Map<String, Object> byteLevelPart(boolean useRegex) {
        Map<String, Object> part = new LinkedHashMap<>();
        part.put("type", "ByteLevel");
        part.put("add_prefix_space", false);
        part.put("trim_offsets", true);
        part.put("use_regex", useRegex);
        return part;
    }

    private static void writeByteLevel(StringBuilder out, ByteLevelTokenizer tokenizer) {
        out.append(",\n  \"normalizer\": null,\n  \"pre_tokenizer\": ");
        Map<String, Object> split = new LinkedHashMap<>();
        split.put("type", "Split");
        split.put("pattern", Map.of("Regex", Llama3Splitter.PATTERN));
        split.put("behavior", "Isolated");
        split.put("invert", false);
        Map<String, Object> sequence = new LinkedHashMap<>();
        sequence.put("type", "Sequence");
        sequence.put("pretokenizers", List.of(split, byteLevelPart(false)));
        Json.write(out, sequence, 2);
        writePostProcessor(out, tokenizer, true);
        out.append(",\n  \"decoder\": ");
        Json.write(out, byteLevelPart(true), 2);
        writeModel(out, tokenizer, false, tokenizer.wholePiecesFirst(), Json.NULL, mergeList(tokenizer));
    }

    private static void writeSentencePiece(StringBuilder out, SentencePieceTokenizer tokenizer) {
        SentencePieceTokenizer.Rules rules = tokenizer.rules();
        if (rules.removeExtraWhitespaces()) {
            throw new ConfigurationException(
                    "remove_extra_whitespaces", true, "tokenizer.json of the LLaMA family has no place for it");
        }
        Map<String, Object> replace = new LinkedHashMap<>();
        replace.put("type", "Replace");
        replace.put("pattern", Map.of("String", " "));
        replace.put("content", "\u2581");
        Object normalizer = Json.NULL;
        Object preTokenizer = Json.NULL;
        switch (rules.prefix()) {
            case EVERY_SEGMENT, FIRST -> {
                Map<String, Object> prepend = new LinkedHashMap<>();
                prepend.put("type", "Prepend");
                prepend.put("prepend", "\u2581");
                normalizer = sequence("normalizers", List.of(prepend, replace));
            }
            case NEVER -> normalizer = sequence("normalizers", List.of(replace));
            case FIRST_UNLESS_SPACE, EVERY_SEGMENT_UNLESS_SPACE -> {
                Map<String, Object> metaspace = new LinkedHashMap<>();
                metaspace.put("type", "Metaspace");
                metaspace.put("replacement", "\u2581");
                metaspace.put(
                        "prepend_scheme",
                        rules.prefix() == SentencePieceTokenizer.SpacePrefix.FIRST_UNLESS_SPACE ? "first" : "always");
                metaspace.put("split", false);
                preTokenizer = metaspace;
            }
        }
        out.append(",\n  \"normalizer\": ");
        Json.write(out, normalizer, 2);
        out.append(",\n  \"pre_tokenizer\": ");
        Json.write(out, preTokenizer, 2);
        writePostProcessor(out, tokenizer, false);
        Map<String, Object> back = new LinkedHashMap<>();
        back.put("type", "Replace");
        back.put("pattern", Map.of("String", "\u2581"));
        back.put("content", " ");
        List<Object> decoders = new ArrayList<>(List.of(back, Map.of("type", "ByteFallback"), Map.of("type", "Fuse")));
        if (rules.dropsLeadingSpace()) {
            Map<String, Object> strip = new LinkedHashMap<>();
            strip.put("type", "Strip");
            strip.put("content", " ");
            strip.put("start", 1L);
            strip.put("stop", 0L);
            decoders.add(strip);
        }
        out.append(",\n  \"decoder\": ");
        Json.write(out, sequence("decoders", decoders), 2);
        OptionalInt unknown = tokenizer.specialTokens().unknown();
        writeModel(
                out,
                tokenizer,
                rules.byteFallback(),
                false,
                unknown.isPresent() ? tokenizer.piece(unknown.getAsInt()) : Json.NULL,
                mergeList(tokenizer));
    }

    private static Map<String, Object> sequence(String key, List<Object> steps) {
        Map<String, Object> sequence = new LinkedHashMap<>();
        sequence.put("type", "Sequence");
        sequence.put(key, steps);
        return sequence;
    }

    private static void writeModel(
            StringBuilder out,
            Tokenizer tokenizer,
            boolean byteFallback,
            boolean ignoreMerges,
            Object unknown,
            long[] merges) {
        Map<String, Object> head = new LinkedHashMap<>();
        head.put("type", "BPE");
        head.put("dropout", Json.NULL);
        head.put("unk_token", unknown);
        head.put("continuing_subword_prefix", Json.NULL);
        head.put("end_of_word_suffix", Json.NULL);
        head.put("fuse_unk", !unknown.equals(Json.NULL));
        head.put("byte_fallback", byteFallback);
        head.put("ignore_merges", ignoreMerges);
        out.append(",\n  \"model\": ");
        Json.write(out, head, 2);
        out.setLength(out.length() - "\n  }".length());
        out.append(",\n    \"vocab\": {");
        Set<Integer> beside = new HashSet<>();
        if (tokenizer instanceof ByteLevelTokenizer) {
            tokenizer.addedTokens().forEach(token -> beside.add(token.id()));
        }
        String separator = "\n      ";
        for (int id = 0; id < tokenizer.vocabularySize(); id++) {
            String name = tokenizer.piece(id);
            if (!beside.contains(id) && !name.isEmpty()) {
                out.append(separator);
                Json.quote(out, name);
                out.append(": ").append(id);
                separator = ",\n      ";
            }
        }
        out.append("\n    },\n    \"merges\": [");
        separator = "\n      ";
        for (long merge : merges) {
            out.append(separator).append('[');
            Json.quote(out, tokenizer.piece((int) (merge >>> 32)));
            out.append(", ");
            Json.quote(out, tokenizer.piece((int) merge));
            out.append(']');
            separator = ",\n      ";
        }
        out.append("\n    ]\n  }\n}\n");
    }

    /** The list of merges as pairs of ids, left in the high half. */
    static long[] mergeList(Tokenizer tokenizer) {
        Vocabulary vocabulary;
        MergeRule rule;
        switch (tokenizer) {
            case SentencePieceTokenizer sentencePiece -> {
                vocabulary = sentencePiece.vocabulary();
                rule = sentencePiece.rule();
            }
            case ByteLevelTokenizer byteLevel -> {
                vocabulary = byteLevel.vocabulary();
                rule = byteLevel.rule();
            }
        }
        if (rule instanceof MergeRule.ByPair pairs) {
            return pairs.pairs();
        }
        record Merge(int rank, int leftLength, int rightLength, int left, int right) {}
        List<Merge> merges = new ArrayList<>();
        byte[] bytes = vocabulary.storage();
        boolean characters = tokenizer instanceof SentencePieceTokenizer;
        rule.forEach((rank, token) -> {
            int from = vocabulary.offset(token);
            int to = from + vocabulary.length(token);
            for (int middle = from + 1; middle < to; middle++) {
                if (characters && (bytes[middle] & 0xC0) == 0x80) {
                    continue;
                }
                int left = vocabulary.find(bytes, from, middle);
                int right = left < 0 ? Vocabulary.NONE : vocabulary.find(bytes, middle, to);
                if (right >= 0) {
                    merges.add(new Merge(rank, middle - from, to - middle, left, right));
                }
            }
        });
        Comparator<Merge> order = Comparator.comparingInt(Merge::rank);
        order = characters
                ? order.thenComparingInt(merge -> -merge.leftLength()).thenComparingInt(merge -> -merge.rightLength())
                : order.thenComparingInt(Merge::left).thenComparingInt(Merge::right);
        merges.sort(order);
        return merges.stream()
                .mapToLong(merge -> (long) merge.left() << 32 | merge.right())
                .toArray();
    }
}
