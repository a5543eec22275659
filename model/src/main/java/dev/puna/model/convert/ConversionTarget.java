package dev.puna.model.convert;

import dev.puna.formats.MetaCheckpoint;
import dev.puna.formats.Safetensors;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import java.util.Optional;

/** What a conversion makes. */
public sealed interface ConversionTarget {
    /**
     * A Hugging Face directory.
     *
     * @param weights the type of the weights
     * @param maxShardBytes bytes of tensors in one file at most
     */
    record HuggingFace(Weights weights, long maxShardBytes) implements ConversionTarget {
        public HuggingFace {
            weights.requirePlain();
            if (maxShardBytes < 1) {
                throw new ConfigurationException("maxShardBytes", maxShardBytes, "must be positive");
            }
        }

        /** With the types of the source and transformers' size of files. */
        public static HuggingFace usual() {
            return new HuggingFace(new Weights.Unchanged(), Safetensors.DEFAULT_SHARD_BYTES);
        }
    }

    /** A GGUF file. */
    record GgufFile(Weights weights) implements ConversionTarget {
        /** With the types of the source. */
        public static GgufFile usual() {
            return new GgufFile(new Weights.Unchanged());
        }
    }

    /**
     * A Meta directory.
     *
     * @param weights the type of the weights
     * @param shards the number of model-parallel files
     * @param embeddingSplit how several files divide the embedding
     */
    record Meta(Weights weights, int shards, MetaCheckpoint.EmbeddingSplit embeddingSplit) implements ConversionTarget {
        public Meta {
            weights.requirePlain();
            if (shards < 1) {
                throw new ConfigurationException("shards", shards, "must be positive");
            }
        }

        /** With the types of the source, in one file. */
        public static Meta usual() {
            return new Meta(new Weights.Unchanged(), 1, MetaCheckpoint.EmbeddingSplit.VOCABULARY);
        }
    }

    /** The types of the weights in the target. */
    sealed interface Weights {
        /**
         * As they are. Quantized weights going to a format that has no such types become F16, in which their scales
         * are stored.
         */
        record Unchanged() implements Weights {}

        /** By the rules of a mixture; F32, F16 and BF16 serve every format. */
        record Quantized(Quantization quantization) implements Weights {}

        /** The mixture of that name, or the types as they are. */
        static Weights of(Optional<String> name) {
            return name.isEmpty() ? new Unchanged() : new Quantized(Quantization.of(name.get()));
        }

        private void requirePlain() {
            if (this instanceof Quantized(Quantization quantization)
                    && quantization.main().isQuantized()) {
                throw new ConfigurationException(
                        "quantize", quantization, "only GGUF has quantized types; use --to gguf, or F32, F16 or BF16");
            }
        }

        /** The type that plain weights get, if it is not left as it is. */
        private Optional<DType> plain() {
            return this instanceof Quantized(Quantization quantization)
                    ? Optional.of(quantization.main())
                    : Optional.empty();
        }
    }

    /** The wanted type of plain weights; empty if unchanged. */
    static Optional<DType> plainType(Weights weights) {
        return weights.plain();
    }
}
