/** The assembled tier of kernels for x86-64; found by ServiceLoader, never imported. */
@SuppressWarnings("module") // x86 is the name of the architecture
@org.jspecify.annotations.NullMarked
module dev.puna.kernels.x86 {
    requires static transitive org.jspecify;
    requires transitive dev.puna.kernels;
    requires dev.puna.assembler;

    provides dev.puna.kernels.KernelsProvider with
            dev.puna.kernels.x86.X86KernelsProvider,
            dev.puna.kernels.x86.Avx2KernelsProvider;
}
