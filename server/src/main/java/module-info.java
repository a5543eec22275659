/** A model behind the API that every client knows. */
@org.jspecify.annotations.NullMarked
module dev.puna.server {
    requires static transitive org.jspecify;
    requires transitive dev.puna.inference;
    requires io.helidon.webserver;
    requires io.helidon.http;
    requires java.logging;
    requires tools.jackson.databind;

    exports dev.puna.server;
}
