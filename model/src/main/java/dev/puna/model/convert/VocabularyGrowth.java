package dev.puna.model.convert;

import dev.puna.formats.OutgoingTensor;
import dev.puna.formats.Safetensors;
import dev.puna.kernels.Kernels;
import dev.puna.model.HuggingFaceFormat;
import dev.puna.model.LlamaCheckpoint;
import dev.puna.model.LlamaCheckpoint.Format;
import dev.puna.model.LlamaConfig;
import dev.puna.model.LlamaTensor;
import dev.puna.model.LlamaTensor.Role;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Shape;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;
import dev.puna.tokenizer.SpecialTokens;
import dev.puna.tokenizer.Tokenizer;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Gives a model a larger vocabulary: the embedding, and the head unless it is tied, get a row for each new id behind those
 * that they have, as Chinese-LLaMA does before it trains on (Cui, Yang, Yao, arXiv 2304.08177, section 3.2). Old rows keep
 * their bytes.
 */
public final class VocabularyGrowth {
    private static final double DEVIATION = 0.02; // LLaMA's initialization, and Hugging Face's

    /** How new rows begin. */
    public enum NewRows {
        /** As the mean of the old ones: new tokens begin as probable as an average one. */
        MEAN,
        /** From a normal distribution of deviation 0.02. */
        NORMAL
    }

    private VocabularyGrowth() {}

    /**
     * Writes the grown model into a Hugging Face directory.
     *
     * @param source a Hugging Face directory of plain types
     * @param tokenizer whose first ids are the model's
     * @param tokenizerPath where it was read from; its files are taken along
     * @param seed of {@link NewRows#NORMAL}
     * @param listener hears of every tensor
     */
    public static void grow(
            LlamaCheckpoint source,
            Tokenizer tokenizer,
            Path tokenizerPath,
            Path directory,
            NewRows newRows,
            long seed,
            Kernels kernels,
            ConversionListener listener)
            throws IOException {
        if (source.format() != Format.HUGGING_FACE) {
            throw new ConfigurationException(
                    "model", source.path(), "only a Hugging Face directory can grow: puna convert --to hf makes one");
        }
        LlamaConfig config = source.config();
        int size = tokenizer.vocabularySize();
        if (size <= config.vocabularySize()) {
            throw new ConfigurationException(
                    "vocabulary",
                    size + " ids",
                    "the model has " + config.vocabularySize() + " already: name a larger vocabulary");
        }
        if (Files.exists(directory) && Files.isSameFile(directory, source.path())) {
            throw new ConfigurationException("out", directory, "is the model that should grow");
        }
        int more = size - config.vocabularySize();
        List<OutgoingTensor> tensors = new ArrayList<>();
        for (LlamaTensor tensor : config.tensors()) {
            String name = Format.HUGGING_FACE.tensorName(tensor);
            if (tensor.role() == Role.EMBEDDING || tensor.role() == Role.HEAD) {
                DType dtype = source.source().describe(name).requireDType();
                tensors.add(new OutgoingTensor(name, dtype, Shape.of(size, config.width()), sink -> {
                    try (Arena arena = Arena.ofShared()) {
                        Tensor old = source.source().tensor(name, arena);
                        sink.accept(old.data());
                        appendRows(old, more, newRows, seed ^ name.hashCode(), kernels, sink::accept);
                    }
                }));
            } else {
                tensors.add(OutgoingTensor.of(source.source(), name));
            }
        }
        SpecialTokens special = tokenizer.specialTokens();
        String json = HuggingFaceFormat.writeConfig(
                config.withVocabularySize(size),
                source.dominantDType(),
                special.bos().isPresent() ? Optional.of(special.bos().getAsInt()) : Optional.empty(),
                special.endOfGeneration());
        try (StagedModel staged = StagedModel.in(directory)) {
            Safetensors.writeDirectory(
                    staged.path(), Map.of("format", "pt"), told(tensors, listener), Safetensors.DEFAULT_SHARD_BYTES);
            Vocabulary.writeHuggingFace(tokenizer, tokenizerPath, staged.path());
            staged.publish(HuggingFaceFormat.CONFIG_FILE, json);
        }
    }

    /** The same tensors, which tell how far their writing is. */
    private static List<OutgoingTensor> told(List<OutgoingTensor> tensors, ConversionListener listener) {
        long total = 0;
        for (OutgoingTensor tensor : tensors) {
            total += tensor.byteSize();
        }
        long all = total;
        AtomicLong done = new AtomicLong();
        List<OutgoingTensor> telling = new ArrayList<>();
        for (OutgoingTensor tensor : tensors) {
            telling.add(new OutgoingTensor(tensor.name(), tensor.dtype(), tensor.shape(), sink -> {
                listener.onTensor(tensor.name(), done.get(), all);
                tensor.producer().produce(sink);
                listener.onTensor(tensor.name(), done.addAndGet(tensor.byteSize()), all);
            }));
        }
        return telling;
    }

    @FunctionalInterface
    private interface RowSink {
        void accept(MemorySegment row) throws IOException;
    }

    private static void appendRows(Tensor old, int count, NewRows newRows, long seed, Kernels kernels, RowSink sink)
            throws IOException {
        int columns = Math.toIntExact(old.columns());
        double[] mean = newRows == NewRows.MEAN ? mean(old, kernels) : new double[columns];
        SplittableRandom random = new SplittableRandom(seed);
        try (Slab slab = new Slab(Slab.bytesFor(DType.F32, columns) + Slab.bytesFor(old.dtype(), columns))) {
            Tensor floats = slab.allocate(DType.F32, columns);
            Tensor encoded = slab.allocate(old.dtype(), columns);
            for (int row = 0; row < count; row++) {
                for (int c = 0; c < columns; c++) {
                    double value = newRows == NewRows.MEAN ? mean[c] : DEVIATION * random.nextGaussian();
                    floats.data().setAtIndex(Tensor.F32_LE, c, (float) value);
                }
                if (old.dtype() == DType.F32) {
                    sink.accept(floats.data());
                } else {
                    kernels.quantize(encoded, floats);
                    sink.accept(encoded.data());
                }
            }
        }
    }

    private static double[] mean(Tensor matrix, Kernels kernels) {
        int columns = Math.toIntExact(matrix.columns());
        double[] sum = new double[columns];
        try (Slab slab = new Slab(Slab.bytesFor(DType.F32, columns))) {
            Tensor floats = slab.allocate(DType.F32, columns);
            for (long row = 0; row < matrix.rows(); row++) {
                Tensor values = matrix.row(row);
                if (matrix.dtype() != DType.F32) {
                    kernels.dequantize(floats, values);
                    values = floats;
                }
                for (int c = 0; c < columns; c++) {
                    sum[c] += values.data().get(Tensor.F32_LE, 4L * c);
                }
            }
        }
        for (int c = 0; c < columns; c++) {
            sum[c] /= matrix.rows();
        }
        return sum;
    }
}
