package dev.puna.training;

import dev.puna.kernels.Kernels;
import dev.puna.tensor.ThreadTeam;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The process that {@link CheckpointStoreTest} kills, or gives a disk that is full. Where the system tells, it prints its
 * resident bytes before the run and at most.
 */
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
            long before = status("VmRSS:");
            run(recipe, kernels);
            System.out.println("memory " + before + " " + status("VmHWM:"));
        }
    }

    private static void run(Recipe recipe, Kernels kernels) throws IOException {
        try (Trainer trainer = CheckpointStore.complete(recipe).isEmpty()
                ? Trainer.begin(recipe, kernels)
                : Trainer.resume(recipe, kernels, Optional.empty())) {
            trainer.run(Optional.empty(), report -> {});
        }
    }

    private static long status(String field) throws IOException {
        Path status = Path.of("/proc/self/status");
        if (!Files.isReadable(status)) {
            return 0;
        }
        for (String line : Files.readAllLines(status)) {
            if (line.startsWith(field)) {
                return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
            }
        }
        return 0;
    }
}
