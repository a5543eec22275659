/** LangChain4j's models over the engine. */
@org.jspecify.annotations.NullMarked
module dev.puna.langchain4j {
    requires static transitive org.jspecify;
    requires transitive dev.puna.inference;
    requires transitive langchain4j.core;
    requires tools.jackson.databind;

    exports dev.puna.langchain4j;
}
