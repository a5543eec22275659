package dev.puna.cli;

import java.util.List;
import java.util.function.Function;

/**
 * A verb in the list: making the verb itself waits until it is asked for.
 *
 * @param words its words, {@code tokenizer encode}
 * @param summary half a line, without a full stop
 */
record VerbEntry(String words, String summary, Function<Terminal, Verb> maker) {
    /** All verbs, in the order in which one comes to need them. */
    static final List<VerbEntry> ALL = List.of(
            new VerbEntry(
                    "doctor", "what this machine is and can do: processor, kernels, peaks, memory", DoctorVerb::new),
            new VerbEntry(
                    "speedrun", "raw text to your own LLaMA in ten minutes, and a page to watch", SpeedrunVerb::new),
            new VerbEntry(
                    "data prepare", "raw dumps to documents, vocabulary and shards, by recipe", DataPrepareVerb::new),
            new VerbEntry("data spark", "the same on a Spark cluster", DataSparkVerb::new),
            new VerbEntry("data filter", "documents through filters", DataFilterVerb::new),
            new VerbEntry("data dedup", "documents, each once", DataDedupVerb::new),
            new VerbEntry("data mix", "tokens and epochs of each source of a mixture", DataMixVerb::new),
            new VerbEntry("data tokenize", "documents to a token shard", DataTokenizeVerb::new),
            new VerbEntry(
                    "data show", "what a pipeline did and dropped; what documents and shards hold", DataShowVerb::new),
            new VerbEntry("tokenizer train", "a vocabulary from text", TokenizerTrainVerb::new),
            new VerbEntry(
                    "tokenizer extend",
                    "a SentencePiece vocabulary with the pieces of another",
                    TokenizerExtendVerb::new),
            new VerbEntry("tokenizer encode", "text to token ids", TokenizerEncodeVerb::new),
            new VerbEntry("tokenizer decode", "token ids to text", TokenizerDecodeVerb::new),
            new VerbEntry("train", "pretrain a LLaMA on token shards, as a recipe says", TrainVerb::new),
            new VerbEntry("run", "continue a prompt", RunVerb::new),
            new VerbEntry("chat", "talk with a model", ChatVerb::new),
            new VerbEntry("score", "how probable a model finds a text", ScoreVerb::new),
            new VerbEntry("serve", "answer programs and people over HTTP", ServeVerb::new),
            new VerbEntry("convert", "a model in another format or another type", ConvertVerb::new),
            new VerbEntry("inspect", "what is in a model", InspectVerb::new),
            new VerbEntry("bench kernels", "the kernels beside the peaks of this machine", BenchKernelsVerb::new),
            new VerbEntry("bench inference", "prefill and decode beside these peaks", BenchInferenceVerb::new),
            new VerbEntry("bench serving", "many clients at once", BenchServingVerb::new),
            new VerbEntry("bench training", "a step of training beside these peaks", BenchTrainingVerb::new),
            new VerbEntry("bench tokenizer", "how fast one thread encodes", BenchTokenizerVerb::new),
            new VerbEntry("bench data", "sources, stages and vocabularies on one core", BenchDataVerb::new));

    /** {@code [tokenizer, encode]}. */
    List<String> wordList() {
        return List.of(words.split(" "));
    }
}
