/** From raw dumps to token shards: sources, filters, deduplication, mixture, shards. */
@org.jspecify.annotations.NullMarked
module dev.puna.data {
    requires static transitive org.jspecify;
    requires transitive dev.puna.tensor;
    requires transitive dev.puna.tokenizer;
    requires tools.jackson.core;
    requires transitive tools.jackson.databind;
    requires tools.jackson.dataformat.yaml;
    requires com.github.luben.zstd_jni;
    requires org.apache.commons.compress;
    requires org.tukaani.xz;
    requires org.jsoup;
    requires xchart;
    requires java.desktop;
    requires java.management;

    exports dev.puna.data;
    exports dev.puna.data.source;
    exports dev.puna.data.dedup;
    exports dev.puna.data.classify;
    exports dev.puna.data.filter;
    exports dev.puna.data.pipeline;
    exports dev.puna.data.shard;
    exports dev.puna.data.mixture;
    exports dev.puna.data.ngram;
    exports dev.puna.data.bench;
}
