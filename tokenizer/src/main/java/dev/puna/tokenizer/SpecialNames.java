package dev.puna.tokenizer;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeSet;
import java.util.function.Function;

/**
 * The roles of tokens by their names, from {@code tokenizer_config.json} and {@code special_tokens_map.json}; where
 * those say nothing, from the names that the LLaMA family uses.
 */
final class SpecialNames {
    private SpecialNames() {}

    /** The roles. A setting's token that the vocabulary lacks has no role. */
    static SpecialTokens roles(
            Function<String, OptionalInt> idOf, Map<String, Object> settings, SpecialTokens otherwise) {
        OptionalInt bos = role(idOf, settings, "bos_token", otherwise.bos(), List.of("<|begin_of_text|>", "<s>"));
        OptionalInt eos = role(idOf, settings, "eos_token", otherwise.eos(), List.of("<|end_of_text|>", "</s>"));
        OptionalInt unknown = role(idOf, settings, "unk_token", otherwise.unknown(), List.of("<unk>"));
        OptionalInt pad =
                role(idOf, settings, "pad_token", otherwise.pad(), List.of("<|finetune_right_pad_id|>", "<pad>"));
        OptionalInt eot = otherwise.eot().isPresent() ? otherwise.eot() : first(idOf, List.of("<|eot_id|>"));
        OptionalInt eom = otherwise.eom().isPresent() ? otherwise.eom() : first(idOf, List.of("<|eom_id|>"));
        TreeSet<Integer> ends = new TreeSet<>(otherwise.endOfGeneration());
        first(idOf, List.of("<|end_of_text|>", "</s>")).ifPresent(ends::add);
        boolean addBos = settings.get("add_bos_token") instanceof Boolean add ? add : otherwise.addBos();
        boolean addEos = settings.get("add_eos_token") instanceof Boolean add ? add : otherwise.addEos();
        return new SpecialTokens(bos, eos, unknown, pad, eot, eom, ends, addBos, addEos);
    }

    private static OptionalInt role(
            Function<String, OptionalInt> idOf,
            Map<String, Object> settings,
            String key,
            OptionalInt otherwise,
            List<String> usual) {
        Optional<String> name = content(settings.get(key));
        if (name.isPresent()) {
            OptionalInt id = idOf.apply(name.get());
            if (id.isPresent()) {
                return id;
            }
        }
        return otherwise.isPresent() ? otherwise : first(idOf, usual);
    }

    private static OptionalInt first(Function<String, OptionalInt> idOf, List<String> names) {
        for (String name : names) {
            OptionalInt id = idOf.apply(name);
            if (id.isPresent()) {
                return id;
            }
        }
        return OptionalInt.empty();
    }

    /** A token's text: a string, or an object with {@code content}. */
    static Optional<String> content(@org.jspecify.annotations.Nullable Object value) {
        if (value instanceof String string) {
            return Optional.of(string);
        }
        if (value instanceof Map<?, ?> map && map.get("content") instanceof String string) {
            return Optional.of(string);
        }
        return Optional.empty();
    }

    /** {@code chat_template}: one string, or a list of names and templates. */
    static Map<String, String> templates(@org.jspecify.annotations.Nullable Object value) {
        Map<String, String> templates = new LinkedHashMap<>();
        if (value instanceof String template) {
            templates.put("default", template);
        } else if (value instanceof List<?> list) {
            for (Object element : list) {
                if (element instanceof Map<?, ?> map
                        && map.get("name") instanceof String name
                        && map.get("template") instanceof String template) {
                    templates.put(name, template);
                }
            }
        }
        return templates;
    }
}
