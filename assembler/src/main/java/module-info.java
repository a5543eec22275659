/** An encoder of x86-64 instructions, and memory to execute them in. */
@org.jspecify.annotations.NullMarked
module dev.puna.assembler {
    exports dev.puna.assembler;

    requires static transitive org.jspecify;
}
