/** The command line. */
@org.jspecify.annotations.NullMarked
module dev.puna.cli {
    requires static transitive org.jspecify;
    requires dev.puna.inference;
    requires info.picocli;
    requires org.jline;
    requires tools.jackson.databind;
}
