/** safetensors, GGUF and Meta's checkpoints as named tensors; models fetched from a hub. */
@org.jspecify.annotations.NullMarked
module dev.puna.formats {
    requires static transitive org.jspecify;
    requires transitive dev.puna.tensor;
    requires tools.jackson.core;
    requires java.net.http;

    exports dev.puna.formats;
    exports dev.puna.formats.hub;
}
