/** The command line. */
@org.jspecify.annotations.NullMarked
module dev.puna.cli {
    requires static transitive org.jspecify;
    requires dev.puna.inference;
    requires org.jline;
    requires tools.jackson.databind;
    // Only to measure the machine; the launcher adds it where that is asked for.
    requires static jdk.incubator.vector;

    opens dev.puna.cli to
            tools.jackson.databind;
}
