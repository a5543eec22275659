package dev.puna.data.spark;

import dev.puna.data.dedup.KeyedDeduplication;
import dev.puna.data.pipeline.Pass;
import dev.puna.data.pipeline.Recipe;
import dev.puna.data.pipeline.RunFolder;
import dev.puna.tensor.ConfigurationException;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;

/**
 * What every machine must know of a run: the recipe as text, from which each JVM makes stages of its own, once.
 *
 * @param recipe file of the recipe
 * @param inputs in place of those that the recipe names, unless empty
 * @param out folder of the run
 */
record SharedRun(String recipe, List<String> inputs, String out) implements Serializable {
    private static final Map<SharedRun, Opened> OPENED = new ConcurrentHashMap<>();

    SharedRun {
        inputs = List.copyOf(inputs);
    }

    /**
     * The same, opened in this JVM.
     *
     * @param recipe that all machines read
     * @param passes of the recipe, with filters that all tasks of this JVM share
     * @param files of the run
     */
    record Opened(Recipe recipe, List<Pass> passes, RunFolder files) {
        /**
         * A deduplication that a pass begins with, before it knows anything.
         *
         * @throws ConfigurationException when it does not work by keys
         */
        KeyedDeduplication deduplication(int pass) throws IOException {
            var stage = Objects.requireNonNull(passes.get(pass).deduplication());
            if (stage.maker().make(files.deduplication(pass)) instanceof KeyedDeduplication keyed) {
                return keyed;
            }
            throw new ConfigurationException(
                    "stages.kind",
                    stage.name(),
                    "on Spark use line-dedup, exact-dedup, url-dedup or minhash; puna data prepare has the others");
        }
    }

    Opened open() throws IOException {
        Opened known = OPENED.get(this);
        if (known == null) {
            synchronized (OPENED) { // models are large: one thread reads them
                known = OPENED.get(this);
                if (known == null) {
                    Recipe read = Recipe.read(Path.of(recipe), inputs.toArray(String[]::new));
                    List<Pass> passes = Pass.of(read);
                    known = new Opened(read, passes, new RunFolder(Path.of(out), passes.size()));
                    OPENED.put(this, known);
                }
            }
        }
        return known;
    }
}
