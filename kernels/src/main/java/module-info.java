/** The operations of a LLaMA, what they promise, the plain truth and a fast tier on the JDK's Vector API. */
@org.jspecify.annotations.NullMarked
module dev.puna.kernels {
    requires static transitive org.jspecify;
    requires transitive dev.puna.tensor;
    // Present when the launcher adds it; without it the Vector tier refuses with that reason.
    requires static jdk.incubator.vector;

    exports dev.puna.kernels;
    exports dev.puna.kernels.bench;
    exports dev.puna.kernels.blocks;

    uses dev.puna.kernels.KernelsProvider;

    provides dev.puna.kernels.KernelsProvider with
            dev.puna.kernels.ReferenceKernelsProvider,
            dev.puna.kernels.VectorKernelsProvider;
}
