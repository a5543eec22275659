package dev.puna.data.spark;

import dev.puna.data.dedup.KeyedDeduplication;
import dev.puna.data.pipeline.Pipeline;
import dev.puna.data.pipeline.PipelineReport;
import dev.puna.data.pipeline.Progress;
import dev.puna.data.pipeline.RunFolder;
import dev.puna.data.source.Download;
import dev.puna.data.source.Split;
import dev.puna.tensor.AtomicFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * Runs a recipe on a cluster: as many tasks as parts for each pass, and between two passes the keys of all documents
 * shuffled to where they meet, and what follows from that shuffled back to the parts. What is complete is not done again.
 */
public final class SparkPipeline {
    private static final int MAX_SHUFFLE_PARTITIONS = 8000;

    private final SparkSession spark;
    private final SharedRun run;

    /**
     * Prepares a run; files and folders must have the same names on all machines.
     *
     * @param recipe file of the recipe
     * @param inputs in place of those that the recipe names, unless empty
     * @param out folder for everything
     */
    public SparkPipeline(SparkSession spark, Path recipe, List<String> inputs, Path out) {
        this.spark = spark;
        this.run = new SharedRun(
                recipe.toAbsolutePath().toString(),
                inputs.stream()
                        .map(input -> Download.isAddress(input)
                                ? input
                                : Path.of(input).toAbsolutePath().toString())
                        .toList(),
                out.toAbsolutePath().toString());
    }

    /** Runs what is not done yet. */
    public PipelineReport run() throws IOException {
        SharedRun.Opened opened = run.open();
        RunFolder files = opened.files();
        for (int pass = 1; pass < files.passes(); pass++) {
            opened.deduplication(pass).close(); // each can run here, or the first hour is not lost
        }
        files.begin(opened.recipe());
        List<Split> parts = Pipeline.parts(opened.recipe(), files, Progress.NONE);
        JavaSparkContext context = new JavaSparkContext(spark.sparkContext());
        spark.conf()
                .set(
                        "spark.sql.shuffle.partitions",
                        Math.clamp(parts.size(), context.defaultParallelism(), MAX_SHUFFLE_PARTITIONS));
        for (int pass = 0; pass < files.passes(); pass++) {
            if (!files.allComplete(pass, parts.size())) {
                if (pass > 0) {
                    decide(context, opened, pass, parts.size());
                }
                Files.createDirectories(files.folder(pass));
                runPass(context, files, pass, parts);
            }
            parts = files.written(pass, parts.size());
        }
        // Everything is complete: what is left is to add up and to report.
        return new Pipeline(opened.recipe(), files.out(), 1, Progress.NONE).run();
    }

    private void runPass(JavaSparkContext context, RunFolder files, int pass, List<Split> parts) {
        List<PartTask.Part> open = new ArrayList<>();
        for (int part = 0; part < parts.size(); part++) {
            if (!files.complete(pass, part)) {
                open.add(PartTask.Part.of(part, parts.get(part)));
            }
        }
        context.setJobDescription("pass " + (pass + 1) + " of " + files.passes());
        context.parallelize(open, open.size()).foreach(new PartTask(run, pass));
    }

    /** Finds out for each part what the deduplication of a pass must know there. */
    private void decide(JavaSparkContext context, SharedRun.Opened opened, int pass, int parts) throws IOException {
        RunFolder files = opened.files();
        Path known = files.noFacts(pass);
        if (Files.exists(known)) {
            return; // an earlier run has got here
        }
        Path folder = files.deduplication(pass);
        RunFolder.delete(folder);
        Files.createDirectories(folder);
        context.setJobDescription("what pass " + (pass + 1) + " of " + files.passes() + " must know");
        List<Integer> numbers = new ArrayList<>();
        for (int part = 0; part < parts; part++) {
            numbers.add(part);
        }
        try (KeyedDeduplication deduplication = opened.deduplication(pass)) {
            Path rounds = folder.resolve("rounds");
            spark.sparkContext().setCheckpointDir(rounds.toUri().toString());
            Dataset<Row> keys = spark.createDataFrame(
                    context.parallelize(numbers, Math.max(1, parts)).flatMap(new KeysOfPart(run, pass)),
                    KeysOfPart.ROW);
            Facts.byPart(Facts.of(keys, deduplication.rule())).foreachPartition(new WriteFacts(run, pass));
            RunFolder.delete(rounds);
            AtomicFile.write(known, new byte[0]); // last: now every part's file is there, or it has no facts
        }
    }
}
