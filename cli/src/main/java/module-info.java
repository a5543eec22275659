/** The command line. */
@org.jspecify.annotations.NullMarked
module dev.puna.cli {
    requires static transitive org.jspecify;
    requires dev.puna.inference;
    requires dev.puna.training;
    requires org.jline;
    requires tools.jackson.databind;
    requires dev.puna.assembler; // measures the machine

    opens dev.puna.cli to
            tools.jackson.databind;
}
