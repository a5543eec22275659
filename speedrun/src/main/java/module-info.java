/** From raw text to a model that can be talked to, in a given time. */
@org.jspecify.annotations.NullMarked
module dev.puna.speedrun {
    requires static transitive org.jspecify;
    requires transitive dev.puna.training;
    requires transitive dev.puna.inference;
    requires dev.puna.assembler; // measures the peaks that MFU is held against
    requires tools.jackson.databind;
    requires jdk.httpserver;
    requires com.github.luben.zstd_jni;
    requires org.tukaani.xz;

    exports dev.puna.speedrun;

    opens dev.puna.speedrun to
            tools.jackson.databind;
}
