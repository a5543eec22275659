package dev.puna.training;

import dev.puna.kernels.Kernels;
import dev.puna.model.GradientBuffer;
import dev.puna.model.LlamaTraining;
import dev.puna.model.PackedBatch;
import dev.puna.model.ParameterStore;
import dev.puna.tensor.ThreadTeam;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * Data parallelism in one process. One replica: all threads work together on every micro-batch, and wait for each other
 * after every operation. Several: each has one thread, activations and gradients of its own, and they meet once a step.
 * That is faster where operations are short: matrices of some hundred columns take tens of microseconds, as a meeting
 * does, and what a thread wrote is still in its own cache when it reads it again.
 *
 * <p>Micro-batch {@code i} goes to replica {@code i mod R}, and gradients are summed in the order of the replicas. So the
 * bits depend on the number of replicas, not on the number of threads that carry them.
 */
final class Replicas implements AutoCloseable {
    private record Replica(ThreadTeam thread, Kernels kernels) {}

    private final ParameterStore parameters;
    private final Kernels kernels;
    private final List<Replica> alone = new ArrayList<>();
    private final List<LlamaTraining> models = new ArrayList<>();
    private final List<GradientBuffer> buffers = new ArrayList<>(); // of the second and later replicas

    Replicas(Recipe recipe, ParameterStore parameters, Kernels kernels) {
        this(recipe, parameters, kernels, UnaryOperator.identity());
    }

    /** @param seen what each replica is to use in place of its kernels: the same ones, watched */
    Replicas(Recipe recipe, ParameterStore parameters, Kernels kernels, UnaryOperator<Kernels> seen) {
        this.parameters = parameters;
        this.kernels = kernels;
        try {
            for (int r = 0; r < recipe.batch().replicas(); r++) {
                add(recipe, r, seen);
            }
        } catch (RuntimeException | Error e) {
            close(); // memory may not have been enough for all
            throw e;
        }
    }

    private void add(Recipe recipe, int r, UnaryOperator<Kernels> seen) {
        Kernels mine = kernels;
        if (recipe.batch().replicas() > 1) {
            ThreadTeam thread = new ThreadTeam("replica-" + r, 1);
            Replica replica = new Replica(thread, Kernels.open(kernels.tier(), thread));
            alone.add(replica);
            mine = replica.kernels;
        }
        if (r > 0) {
            buffers.add(new GradientBuffer(parameters));
        }
        models.add(new LlamaTraining(
                parameters,
                r == 0 ? parameters.gradients() : buffers.getLast().gradients(),
                seen.apply(mine),
                recipe.computePrecision(),
                recipe.kept(),
                recipe.rows(),
                recipe.vocabularyUsed()));
    }

    /**
     * The loss of micro-batches; the store's gradients become theirs.
     *
     * @param scale see {@link LlamaTraining#forwardBackward}
     */
    LlamaTraining.Loss forwardBackward(List<PackedBatch> batches, float scale, float zLoss) {
        parameters.clearGradients(kernels.threads());
        LlamaTraining.Loss loss = onAll(batches, (r, model, batch) -> model.forwardBackward(batch, scale, zLoss));
        buffers.forEach(buffer -> buffer.addToStore(kernels));
        return loss;
    }

    /** The loss of micro-batches, without gradients. */
    LlamaTraining.Loss evaluate(List<PackedBatch> batches) {
        return onAll(batches, (r, model, batch) -> model.evaluate(batch));
    }

    private interface Work {
        LlamaTraining.Loss of(int replica, LlamaTraining model, PackedBatch batch);
    }

    private LlamaTraining.Loss onAll(List<PackedBatch> batches, Work work) {
        LlamaTraining.Loss[] losses = new LlamaTraining.Loss[batches.size()];
        int count = models.size();
        if (count == 1) {
            for (int i = 0; i < losses.length; i++) {
                losses[i] = work.of(0, models.getFirst(), batches.get(i));
            }
        } else {
            kernels.threads().run((member, size) -> {
                for (int r = member; r < count; r += size) {
                    if (r > 0) {
                        buffers.get(r - 1).clear();
                    }
                    for (int i = r; i < losses.length; i += count) {
                        losses[i] = work.of(r, models.get(r), batches.get(i));
                    }
                }
            });
        }
        LlamaTraining.Loss sum = new LlamaTraining.Loss(0, 0);
        for (LlamaTraining.Loss loss : losses) {
            sum = sum.plus(loss);
        }
        return sum;
    }

    @Override
    public void close() {
        models.forEach(LlamaTraining::close);
        buffers.forEach(GradientBuffer::close);
        for (Replica replica : alone) {
            replica.kernels.close();
            replica.thread.close();
        }
    }
}
