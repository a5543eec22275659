package dev.puna.cli;

import java.util.List;
import java.util.function.Function;

/** The verbs, in the order in which one comes to need them. */
enum Verbs {
    DOCTOR("doctor", "what this machine is and can do: processor, kernels and why, peaks, memory", DoctorVerb::new);

    final String words;
    final String summary;
    final Function<Terminal, Verb> maker;

    Verbs(String words, String summary, Function<Terminal, Verb> maker) {
        this.words = words;
        this.summary = summary;
        this.maker = maker;
    }

    /** Its words: {@code [tokenizer, encode]}. */
    List<String> wordList() {
        return List.of(words.split(" "));
    }
}
