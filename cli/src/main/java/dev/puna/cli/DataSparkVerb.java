package dev.puna.cli;

import dev.puna.cli.Options.Value;
import dev.puna.data.pipeline.Recipe;
import dev.puna.tensor.ConfigurationException;
import java.io.File;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code puna data spark}: a recipe on a cluster. Spark needs a JVM with options of its own and is not on this program's
 * path: the launcher builds {@code data-spark} when it is asked for and says where; this verb starts it and, when the
 * documents are there, goes on as {@code data prepare} does.
 */
final class DataSparkVerb extends Verb {
    private final Value<String> recipe = options.argument(
                    "RECIPE.yaml",
                    "As for data prepare; its deduplications must be by lines, texts, addresses, MinHash.")
            .required();
    private final Value<String> inputs =
            options.arguments("INPUT", "Dumps in place of those that the recipe names: files, folders, or addresses.");
    private final Value<String> out = options.text(
            "-o,--out", "DIR", "Where everything goes; all machines must see it. Default: the recipe's name.");
    private final Value<String> master = options.text(
            "--master", "URL", "The cluster: spark://HOST:PORT, yarn, k8s://…. Default: threads of this machine.");
    private final Value<String> conf =
            options.texts("--conf", "NAME=VALUE", "A setting of Spark's; may be given several times.");
    private final DataOptions data = new DataOptions(terminal, options);

    DataSparkVerb(Terminal terminal) {
        super(terminal);
    }

    @Override
    List<String> examples() {
        return List.of(
                "puna data spark crawl.yaml *.warc.wet.gz --out /shared/crawl --master spark://head:7077",
                "puna data spark RECIPE.yaml --conf spark.executor.memory=16g --master yarn",
                "The files are those of data prepare; either goes on where the other was stopped.",
                "The first time Spark is downloaded, 290 MB.");
    }

    @Override
    void run() throws IOException {
        String[] given = inputs.all().toArray(String[]::new);
        Recipe resolved = Recipe.read(Path.of(recipe.get()), given);
        Path folder = Path.of(out.or(resolved.name()));
        List<String> command = command(folder);
        Process spark = new ProcessBuilder(command).inheritIO().start();
        Thread stop = new Thread(spark::destroy, "stop-spark");
        Runtime.getRuntime().addShutdownHook(stop);
        try {
            int status = spark.waitFor();
            if (status == Program.IMPOSSIBLE) {
                throw new ConfigurationException("recipe", recipe.get(), "Spark's part says above what cannot be");
            }
            if (status != Program.OK) {
                throw new IOException("Spark's part ended with status " + status + ": it says above why. The same"
                        + " command goes on where it was");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("waiting for Spark was interrupted");
        } finally {
            spark.destroy();
            Runtime.getRuntime().removeShutdownHook(stop);
        }
        data.run(resolved, folder); // every part is there: adds up, reports, makes tokens
    }

    private List<String> command(Path folder) {
        String built = System.getProperty("puna.spark", "");
        if (built.isEmpty() || !Files.isDirectory(Path.of(built))) {
            throw new ConfigurationException(
                    "puna.spark", built, "start this through ./puna, which builds the module data-spark");
        }
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("@" + Path.of(built, "jvm.options"));
        for (String option : System.getenv().getOrDefault("PUNA_JAVA_OPTS", "").split("\\s+")) {
            if (!option.isEmpty()) {
                command.add(option);
            }
        }
        command.addAll(List.of("-cp", built + File.separator + "*", "dev.puna.data.spark.Main"));
        command.addAll(List.of("--master", master.or("local[" + data.threads() + "]")));
        for (String setting : conf.all()) {
            if (!setting.contains("=")) {
                throw new ConfigurationException("--conf", setting, "use NAME=VALUE");
            }
            command.addAll(List.of("--conf", setting));
        }
        if (terminal.errInteractive()) {
            command.addAll(List.of("--conf", "spark.ui.showConsoleProgress=true"));
        }
        command.addAll(List.of(recipe.get(), folder.toString()));
        command.addAll(inputs.all());
        return command;
    }
}
