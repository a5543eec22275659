package dev.puna.data.spark;

import dev.puna.tensor.ConfigurationException;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.SparkConf;
import org.apache.spark.sql.SparkSession;

/**
 * What {@code puna data spark} starts in a JVM of its own, or {@code spark-submit} anywhere:
 * {@code [--master URL] [--conf NAME=VALUE]… RECIPE OUT [INPUT]…}. The report lies in {@code OUT}; exit status 0, 1 when
 * it failed, 2 when something impossible was asked for.
 */
public final class Main {
    private Main() {}

    public static void main(String[] args) {
        System.exit(run(args));
    }

    static int run(String... args) {
        try {
            SparkConf conf = new SparkConf();
            List<String> plain = new ArrayList<>();
            for (int i = 0; i < args.length; i++) {
                if (args[i].equals("--master") && i + 1 < args.length) {
                    conf.setMaster(args[++i]);
                } else if (args[i].equals("--conf") && i + 1 < args.length && args[i + 1].contains("=")) {
                    String[] pair = args[++i].split("=", 2);
                    conf.set(pair[0], pair[1]);
                } else {
                    plain.add(args[i]);
                }
            }
            if (plain.size() < 2) {
                throw new ConfigurationException("arguments", plain, "use RECIPE OUT [INPUT]…");
            }
            run(conf, Path.of(plain.get(0)), Path.of(plain.get(1)), plain.subList(2, plain.size()));
            return 0;
        } catch (ConfigurationException e) {
            System.err.println("puna data spark: " + e.getMessage());
            return 2;
        } catch (Exception e) { // Spark's own are checked, though no method says so
            System.err.println("puna data spark: " + reason(e));
            return 1;
        }
    }

    private static void run(SparkConf conf, Path recipe, Path out, List<String> inputs) throws IOException {
        conf.setAppName("puna data spark " + recipe.getFileName());
        conf.setIfMissing("spark.master", "local[*]");
        conf.setIfMissing("spark.ui.enabled", "false");
        conf.set("spark.speculation", "false"); // two tasks must not write one part
        Path temporary = out.toAbsolutePath().resolve("spark");
        conf.setIfMissing(
                "spark.sql.warehouse.dir", temporary.resolve("warehouse").toString());
        String master = conf.get("spark.master");
        if (master.equals("local") || master.startsWith("local[")) {
            Files.createDirectories(temporary);
            conf.setIfMissing("spark.local.dir", temporary.toString());
            conf.setIfMissing("spark.driver.host", "127.0.0.1");
            conf.setIfMissing("spark.driver.bindAddress", "127.0.0.1");
        } else {
            conf.setIfMissing("spark.jars", String.join(",", ownJars()));
        }
        try (SparkSession spark = SparkSession.builder().config(conf).getOrCreate()) {
            new SparkPipeline(spark, recipe, inputs, out).run();
        } finally {
            dev.puna.data.pipeline.RunFolder.delete(temporary);
        }
    }

    /** What a cluster with Spark on its machines does not have: this program and the libraries that Spark lacks. */
    private static List<String> ownJars() {
        List<String> own = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            String name = String.valueOf(Path.of(entry).getFileName());
            if (name.matches(
                    "(puna-|jackson-(core|databind|dataformat-yaml)-3|jackson-annotations|snakeyaml-engine|jsoup|xchart).*\\.jar")) {
                own.add(Path.of(entry).toUri().toString());
            }
        }
        return own;
    }

    /** The innermost reason; Spark wraps it in the story of the task. */
    private static String reason(Throwable e) {
        Throwable at = e;
        while (at.getCause() != null) {
            at = at.getCause();
        }
        String text = String.valueOf(at.getMessage());
        return text.lines().findFirst().orElse(at.getClass().getName());
    }
}
