/** Shaped views of memory, who owns that memory, and the team of threads that computes on it. */
@org.jspecify.annotations.NullMarked
module dev.puna.tensor {
    requires static transitive org.jspecify;
    requires java.management;
    requires jdk.management; // the memory of systems that are not Linux

    exports dev.puna.tensor;
}
