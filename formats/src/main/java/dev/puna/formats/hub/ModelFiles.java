package dev.puna.formats.hub;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Which files of a model on the hub are needed to run it: weights in one format, configuration, tokenizer. Safetensors
 * win over GGUF, GGUF over Meta's checkpoints; {@code pytorch_model.bin} is never taken.
 *
 * @param names in the order of the hub's list
 * @param gguf the file that was chosen among GGUF files
 */
record ModelFiles(List<String> names, Optional<String> gguf) {
    /** Good quality for the size first; what a user most likely wants of a repository with all of them. */
    private static final List<String> GGUF_PREFERENCE =
            List.of("Q4_K_M", "Q4_K_S", "Q4_0", "Q5_K_M", "Q8_0", "Q6_K", "BF16", "F16", "F32");

    private static final Pattern SPLIT_GGUF = Pattern.compile(".*-\\d{5}-of-\\d{5}\\.gguf", Pattern.CASE_INSENSITIVE);
    private static final Pattern SAFETENSORS = Pattern.compile("model(-\\d{5}-of-\\d{5})?\\.safetensors");
    private static final Pattern META = Pattern.compile("consolidated\\.(\\d\\d\\.)?pth");
    private static final Pattern BESIDE = Pattern.compile("config\\.json|generation_config\\.json|params\\.json"
            + "|tokenizer.*|special_tokens_map\\.json|added_tokens\\.json|vocab\\.json|merges\\.txt"
            + "|chat_template.*|adapter_config\\.json|model\\.safetensors\\.index\\.json");

    /** @throws HubException if there is nothing that Puna reads */
    static ModelFiles choose(HubModel model, List<String> all) throws HubException {
        List<String> safetensors = matching(all, SAFETENSORS);
        if (safetensors.isEmpty()) {
            safetensors = all.stream()
                    .filter(name -> name.indexOf('/') < 0 && name.endsWith(".safetensors"))
                    .toList();
        }
        if (!safetensors.isEmpty()) {
            return new ModelFiles(withCompanions(all, safetensors), Optional.empty());
        }
        Optional<String> gguf = chooseGguf(all);
        if (gguf.isPresent()) {
            return new ModelFiles(List.of(gguf.get()), gguf);
        }
        List<String> meta = matching(all, META);
        if (!meta.isEmpty()) {
            return new ModelFiles(withCompanions(all, meta), Optional.empty());
        }
        boolean bin = all.stream().anyMatch(name -> name.endsWith(".bin"));
        boolean split = all.stream().anyMatch(name -> SPLIT_GGUF.matcher(name).matches());
        throw new HubException(model.id() + " has no weights that Puna reads (safetensors, GGUF, consolidated.*.pth)"
                + (bin ? "; it has only PyTorch's .bin files: look for a copy in safetensors" : "")
                + (split ? "; its GGUF is split into parts: merge them with llama.cpp's gguf-split" : ""));
    }

    private static Optional<String> chooseGguf(List<String> all) {
        List<String> files = all.stream()
                .filter(name -> name.indexOf('/') < 0)
                .filter(name -> name.toLowerCase(Locale.ROOT).endsWith(".gguf"))
                .filter(name -> !SPLIT_GGUF.matcher(name).matches())
                .filter(name -> !name.toLowerCase(Locale.ROOT).contains("mmproj"))
                .toList();
        for (String type : GGUF_PREFERENCE) {
            for (String file : files) {
                if (file.toUpperCase(Locale.ROOT).contains(type)) {
                    return Optional.of(file);
                }
            }
        }
        return files.stream().findFirst();
    }

    private static List<String> matching(List<String> all, Pattern pattern) {
        return all.stream().filter(name -> pattern.matcher(name).matches()).toList();
    }

    private static List<String> withCompanions(List<String> all, List<String> weights) {
        List<String> names = new ArrayList<>();
        for (String name : all) {
            boolean beside = name.indexOf('/') < 0 && BESIDE.matcher(name).matches();
            if (beside || weights.contains(name)) {
                names.add(name);
            }
        }
        return names;
    }
}
