package dev.puna.inference;

import dev.puna.kernels.KernelsChoice;
import dev.puna.model.LlamaCheckpoint;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import java.util.Optional;

/**
 * How a model is run.
 *
 * @param kernels {@code auto} or the name of a tier
 * @param threads how many compute
 * @param kv how keys and values are kept
 * @param chunk tokens of a prompt per forward pass: more need more memory, fewer read the weights more often
 * @param prepared whether loading also reads the vocabulary, on a thread of its own, and meanwhile tries the kernels on
 *     one layer, so that the first answer comes sooner; without it both wait until they are needed
 */
public record LlamaOptions(String kernels, int threads, KvType kv, int chunk, boolean prepared) {
    /** How keys and values are kept. */
    public enum KvType {
        /** F32 for F32 weights, else F16. */
        AUTO,
        F32,
        F16,
        BF16,
        Q8_0;

        /** The type itself, for a model. */
        public DType dtypeFor(LlamaCheckpoint checkpoint) {
            return switch (this) {
                case AUTO -> checkpoint.dominantDType() == DType.F32 ? DType.F32 : DType.F16;
                case F32 -> DType.F32;
                case F16 -> DType.F16;
                case BF16 -> DType.BF16;
                case Q8_0 -> DType.Q8_0;
            };
        }
    }

    public LlamaOptions {
        if (threads < 1) {
            throw new ConfigurationException("threads", threads, "use at least 1");
        }
        if (chunk < 1 || chunk > 8192) {
            throw new ConfigurationException("chunk", chunk, "must be in [1, 8192]");
        }
    }

    /** The best tier here (or that which {@code PUNA_KERNELS} names), all processors, chunks of 512, nothing prepared. */
    public static LlamaOptions defaults() {
        return new LlamaOptions(
                KernelsChoice.requested(Optional.empty(), System.getenv()),
                Runtime.getRuntime().availableProcessors(),
                KvType.AUTO,
                512,
                false);
    }

    public LlamaOptions withKernels(String value) {
        return new LlamaOptions(value, threads, kv, chunk, prepared);
    }

    public LlamaOptions withThreads(int value) {
        return new LlamaOptions(kernels, value, kv, chunk, prepared);
    }

    public LlamaOptions withKv(KvType value) {
        return new LlamaOptions(kernels, threads, value, chunk, prepared);
    }

    public LlamaOptions withChunk(int value) {
        return new LlamaOptions(kernels, threads, kv, value, prepared);
    }

    public LlamaOptions withPrepared(boolean value) {
        return new LlamaOptions(kernels, threads, kv, chunk, value);
    }
}
