/** The model: configuration, weights and their names, forward. */
@org.jspecify.annotations.NullMarked
module dev.puna.model {
    requires static transitive org.jspecify;
    requires transitive dev.puna.kernels;
    requires transitive dev.puna.formats;
    requires transitive dev.puna.tokenizer;
    requires tools.jackson.databind;

    exports dev.puna.model;
    exports dev.puna.model.convert;
}
