package dev.puna.training;

import dev.puna.kernels.Kernels;
import dev.puna.tensor.ThreadTeam;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** The process that {@link CheckpointStoreTest} kills or gives a full disk, and {@link MemoryNeedTest} measures. */
final class TrainerChild {
    private TrainerChild() {}

    static List<String> command(Path recipe, String... settings) {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules",
                "jdk.incubator.vector",
                "-cp",
                System.getProperty("java.class.path"),
                "dev.puna.training.TrainerChild",
                recipe.toString()));
        command.addAll(List.of(settings));
        return command;
    }

    public static void main(String[] args) throws IOException {
        Recipe recipe = Recipe.read(Path.of(args[0]), Arrays.asList(args).subList(1, args.length));
        try (ThreadTeam team = new ThreadTeam("child", 1);
                Kernels kernels = Kernels.open("vector", team)) {
            run(recipe, kernels);
        }
    }

    private static void run(Recipe recipe, Kernels kernels) throws IOException {
        try (Trainer trainer = CheckpointStore.complete(recipe).isEmpty()
                ? Trainer.begin(recipe, kernels)
                : Trainer.resume(recipe, kernels, Optional.empty())) {
            trainer.run(Optional.empty(), report -> {});
        }
    }
}
