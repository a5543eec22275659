/** The command line. */
@org.jspecify.annotations.NullMarked
module dev.puna.cli {
    requires static transitive org.jspecify;
    requires dev.puna.inference;
    requires dev.puna.training;
    requires dev.puna.server;
    requires dev.puna.data;
    requires java.net.http;
    requires dev.puna.speedrun;
    requires org.jline;
    requires jdk.unsupported; // by which jline hears signals
    requires tools.jackson.databind;
    requires dev.puna.assembler; // measures the machine

    opens dev.puna.cli to
            tools.jackson.databind;
}
