package dev.puna.training;

import dev.puna.kernels.Kernels;
import dev.puna.tensor.ThreadTeam;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** The process that {@link TrainerTest} kills. */
final class TrainerChild {
    private TrainerChild() {}

    public static void main(String[] args) throws IOException {
        Recipe recipe = Recipe.read(Path.of(args[0]), List.of("steps=60", "checkpoints.every=1"));
        try (ThreadTeam team = new ThreadTeam("child", 1);
                Kernels kernels = Kernels.open("vector", team);
                Trainer trainer = CheckpointStore.complete(recipe).isEmpty()
                        ? Trainer.begin(recipe, kernels)
                        : Trainer.resume(recipe, kernels, Optional.empty())) {
            trainer.run(Optional.empty(), report -> {});
        }
    }
}
