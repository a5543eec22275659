package dev.puna.speedrun;

import dev.puna.inference.GenerationOptions;
import dev.puna.inference.Llama;
import dev.puna.inference.Sampling;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * What a model writes behind a prompt.
 *
 * @param prompt given
 * @param text that followed
 */
public record Samples(String prompt, String text) {
    /** How a line of a program, of Javadoc, of an {@code if} begins, without the space that is part of the next token. */
    private static final List<String> PROGRAM = List.of(
            "    public static int",
            "    /**\n     * Returns the",
            "        if (index < 0",
            "import java.util.",
            "    @Override\n    public boolean equals(Object");

    private static final int PROMPT_CHARS = 40;

    /**
     * Five beginnings: of programs in Java, or of held-out documents of another corpus.
     *
     * @param java whether the corpus is Java
     * @param heldOut documents that the model has not seen
     */
    static List<String> prompts(boolean java, List<byte[]> heldOut) {
        if (java) {
            return PROGRAM;
        }
        List<String> prompts = new ArrayList<>();
        for (byte[] document : heldOut) {
            String text = new String(document, StandardCharsets.UTF_8).strip();
            if (prompts.size() < PROGRAM.size() && text.length() > 4 * PROMPT_CHARS) {
                int cut = text.indexOf(' ', PROMPT_CHARS);
                prompts.add(text.substring(0, cut < 0 || cut > 2 * PROMPT_CHARS ? PROMPT_CHARS : cut));
            }
        }
        return prompts.isEmpty() ? List.of("The ") : prompts;
    }

    /** Continues each prompt by {@code tokens}, always in the same way. */
    static List<Samples> of(Llama llama, List<String> prompts, int tokens) {
        List<Samples> samples = new ArrayList<>();
        for (String prompt : prompts) {
            GenerationOptions options =
                    GenerationOptions.DEFAULT.withMaxTokens(tokens).withSampling(Sampling.DEFAULT.withSeed(1));
            samples.add(new Samples(prompt, llama.generate(prompt, options).text()));
        }
        return samples;
    }
}
