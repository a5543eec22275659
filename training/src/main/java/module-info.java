/** Pretraining: the trainer, its recipes, schedules, data order, checkpoints and what there is to watch. */
@org.jspecify.annotations.NullMarked
module dev.puna.training {
    requires static transitive org.jspecify;
    requires transitive dev.puna.model;
    requires transitive dev.puna.data;
    requires dev.puna.tokenizer;
    requires tools.jackson.databind;
    requires tools.jackson.dataformat.yaml;
    requires jdk.httpserver;
    requires xchart;
    requires java.desktop;

    exports dev.puna.training;

    opens dev.puna.training to
            tools.jackson.databind;
}
