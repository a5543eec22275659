/** Text to token ids and back, and chat templates. */
@org.jspecify.annotations.NullMarked
module dev.puna.tokenizer {
    requires static transitive org.jspecify;
    requires transitive dev.puna.tensor;
    requires tools.jackson.core;

    exports dev.puna.tokenizer;
    exports dev.puna.tokenizer.train;
    exports dev.puna.tokenizer.template;
}
