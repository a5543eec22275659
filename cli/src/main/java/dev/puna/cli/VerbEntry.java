package dev.puna.cli;

import java.util.List;
import java.util.function.Function;

/**
 * A verb in the list: making the verb itself waits until it is asked for.
 *
 * @param words its words, {@code tokenizer encode}
 * @param summary half a line, without a full stop
 */
record VerbEntry(String words, String summary, Function<Terminal, Verb> maker) {
    /** All verbs, in the order in which one comes to need them. */
    static final List<VerbEntry> ALL = List.of(new VerbEntry(
            "doctor", "what this machine is and can do: processor, kernels and why, peaks, memory", DoctorVerb::new));

    /** {@code [tokenizer, encode]}. */
    List<String> wordList() {
        return List.of(words.split(" "));
    }
}
