package dev.puna.speedrun;

/** The stages of a run, in their order. */
public enum Stage {
    PLAN("plan", "measures this machine, chooses the model"),
    CLEAN("clean", "raw text to documents"),
    TOKENIZER("tokenizer", "trains the vocabulary"),
    TOKENS("tokens", "documents to token shards"),
    PRETRAIN("pretrain", "trains the model"),
    EXPORT("export", "writes the model in the field's formats"),
    MEASURE("measure", "bits per byte of held-out documents"),
    REPORT("report", "writes report.html and report.md");

    private final String title;
    private final String description;

    Stage(String title, String description) {
        this.title = title;
        this.description = description;
    }

    /** Its name for people and in the names of stamps. */
    public String title() {
        return title;
    }

    /** Half a line, without a full stop. */
    public String description() {
        return description;
    }
}
