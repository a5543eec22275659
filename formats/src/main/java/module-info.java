/** safetensors, GGUF and Meta's checkpoints as named tensors. */
@org.jspecify.annotations.NullMarked
module dev.puna.formats {
    requires static transitive org.jspecify;
    requires transitive dev.puna.tensor;
    requires tools.jackson.core;
}
