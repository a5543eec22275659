/** Generating text with a model. */
@org.jspecify.annotations.NullMarked
module dev.puna.inference {
    requires static transitive org.jspecify;
    requires transitive dev.puna.model;
    requires transitive dev.puna.tokenizer;
    requires tools.jackson.databind;

    exports dev.puna.inference;
}
