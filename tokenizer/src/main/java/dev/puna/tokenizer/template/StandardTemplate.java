package dev.puna.tokenizer.template;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/**
 * Chat formats for models that ship no template of their own, written after their published descriptions. All of them
 * read {@code bos_token} and {@code eos_token} where the format has such tokens.
 */
public enum StandardTemplate {
    /** Llama 2 Chat: {@code [INST]} turns, the system message inside {@code <<SYS>>} of the first one. */
    LLAMA_2("llama-2"),

    /** Llama 3: a header with the role before each message, {@code <|eot_id|>} after it. */
    LLAMA_3("llama-3"),

    /** Vicuna 1.1 and later: one line of {@code USER: … ASSISTANT: …}, each answer closed by the end token. */
    VICUNA("vicuna"),

    /** Alpaca: {@code ### Instruction:} and {@code ### Response:} sections. */
    ALPACA("alpaca"),

    /** ChatML: {@code <|im_start|>role}, the message, {@code <|im_end|>}. */
    CHATML("chatml");

    private final String file;

    StandardTemplate(String file) {
        this.file = file + ".jinja";
    }

    /** The Jinja source, for {@link ChatTemplate#compile} and for a model's {@code tokenizer_config.json}. */
    public String source() {
        try (InputStream in = StandardTemplate.class.getResourceAsStream(file)) {
            if (in == null) {
                throw new IllegalStateException(file + " is missing from this program's own files");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }
}
