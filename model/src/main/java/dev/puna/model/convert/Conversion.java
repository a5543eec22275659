package dev.puna.model.convert;

import dev.puna.formats.ByteSink;
import dev.puna.formats.Gguf;
import dev.puna.formats.GgufMetadata;
import dev.puna.formats.MetaCheckpoint;
import dev.puna.formats.OutgoingTensor;
import dev.puna.formats.Safetensors;
import dev.puna.formats.TensorSource;
import dev.puna.kernels.Kernels;
import dev.puna.kernels.RopePairing;
import dev.puna.model.GgufFormat;
import dev.puna.model.HuggingFaceFormat;
import dev.puna.model.LlamaCheckpoint;
import dev.puna.model.LlamaCheckpoint.Format;
import dev.puna.model.LlamaConfig;
import dev.puna.model.LlamaTensor;
import dev.puna.model.LlamaTensor.Role;
import dev.puna.model.MetaFormat;
import dev.puna.tensor.ConfigurationException;
import dev.puna.tensor.DType;
import dev.puna.tensor.Slab;
import dev.puna.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Writes an open model in another format.
 *
 * <p>What differs between the formats beside names: the order of the rows of wq and wk (and of their biases) within each
 * head, because Hugging Face rotates (i, i + D/2) and the others (2i, 2i + 1); norms, which GGUF keeps in F32; a tied
 * head, which Meta writes out; and RoPE scaling, which GGUF stores as a tensor of divisors.
 *
 * <p>Tensors pass one after the other in pieces of some megabytes, so the memory needed does not depend on the model
 * (except for Meta's sharded checkpoints, of which one tensor at a time is put together, and of an untied one's
 * embedding and head for a moment both). Files are written beside their target and take the place of an older model, in
 * whatever format, when all of them are complete.
 */
public final class Conversion {
    /** Elements of a piece: 16 MiB in F32. */
    private static final long PIECE_ELEMENTS = 4L << 20;

    private final LlamaCheckpoint source;
    private final Kernels kernels;
    private final ConversionListener listener;
    private long bytesDone;
    private long bytesTotal;

    private Conversion(LlamaCheckpoint source, Kernels kernels, ConversionListener listener) {
        this.source = source;
        this.kernels = kernels;
        this.listener = listener;
    }

    /**
     * Converts a model.
     *
     * @param out a directory, or for GGUF a file; directories are made, and a model that is there is replaced, while
     *     files that belong to none stay
     * @param kernels decode and encode types, on all their threads
     * @throws ConfigurationException if the target format cannot hold the model
     */
    public static void convert(
            LlamaCheckpoint source, Path out, ConversionTarget target, Kernels kernels, ConversionListener listener)
            throws IOException {
        if (Files.exists(out) && Files.isSameFile(out, source.path())) {
            throw new ConfigurationException("out", out, "is the model that is being converted");
        }
        Conversion conversion = new Conversion(source, kernels, listener);
        switch (target) {
            case ConversionTarget.HuggingFace huggingFace -> conversion.toHuggingFace(out, huggingFace);
            case ConversionTarget.GgufFile gguf -> conversion.toGguf(out, gguf);
            case ConversionTarget.Meta meta -> conversion.toMeta(out, meta);
        }
    }

    private void toHuggingFace(Path directory, ConversionTarget.HuggingFace target) throws IOException {
        LlamaConfig config = tiedWhereEqual();
        DType dtype = plainType(target.weights());
        Vocabulary vocabulary = new Vocabulary(source);
        String json = HuggingFaceFormat.writeConfig(config, dtype, vocabulary.bos(), vocabulary.ends());
        List<OutgoingTensor> tensors = outgoing(config, Format.HUGGING_FACE, plainTypes(dtype));
        try (StagedModel staged = StagedModel.in(directory)) {
            Safetensors.writeDirectory(staged.path(), Map.of("format", "pt"), tensors, target.maxShardBytes());
            vocabulary.writeHuggingFace(staged.path());
            staged.publish(HuggingFaceFormat.CONFIG_FILE, json);
        }
    }

    private void toMeta(Path directory, ConversionTarget.Meta target) throws IOException {
        LlamaConfig config = source.config().withTiedHead(false); // Meta writes the head out
        DType dtype = plainType(target.weights());
        String json = MetaFormat.writeConfig(config);
        List<OutgoingTensor> tensors = outgoing(config, Format.META, plainTypes(dtype));
        try (StagedModel staged = StagedModel.in(directory)) {
            MetaCheckpoint.write(staged.path(), tensors, target.shards(), target.embeddingSplit());
            new Vocabulary(source).writeMeta(staged.path());
            staged.publish(MetaFormat.PARAMS_FILE, json);
        }
    }

    private void toGguf(Path file, ConversionTarget.GgufFile target) throws IOException {
        if (Files.isDirectory(file)) {
            throw new ConfigurationException("out", file, "a GGUF model is one file: name it, with .gguf at its end");
        }
        LlamaConfig config = tiedWhereEqual();
        GgufMetadata.Builder metadata = GgufMetadata.builder();
        GgufFormat.writeConfig(config, metadata);
        metadata.text("general.name", name());
        fileType(target.weights()).ifPresent(type -> metadata.uint32("general.file_type", type));
        metadata.uint32("general.quantization_version", 2);
        new Vocabulary(source).writeGguf(metadata);
        List<OutgoingTensor> tensors = new ArrayList<>();
        GgufFormat.ropeFrequencies(config)
                .ifPresent(divisors -> tensors.add(OutgoingTensor.of(GgufFormat.ROPE_FREQUENCIES, divisors)));
        tensors.addAll(outgoing(config, Format.GGUF, tensor -> switch (target.weights()) {
            case ConversionTarget.Weights.Unchanged() -> tensor.shape().rank() == 1 ? DType.F32 : storedType(tensor);
            case ConversionTarget.Weights.Quantized(Quantization quantization) -> quantization.dtypeOf(tensor, config);
        }));
        Gguf.write(file, metadata.build(), tensors);
    }

    private Optional<Integer> fileType(ConversionTarget.Weights weights) {
        return switch (weights) {
            case ConversionTarget.Weights.Quantized(Quantization quantization) -> Optional.of(quantization.fileType());
            case ConversionTarget.Weights.Unchanged() -> {
                if (source.source() instanceof Gguf gguf) {
                    yield gguf.metadata().whole("general.file_type").isPresent()
                            ? Optional.of((int)
                                    gguf.metadata().whole("general.file_type").getAsLong())
                            : Optional.empty();
                }
                DType dtype = source.dominantDType();
                for (Quantization quantization : Quantization.values()) {
                    if (quantization.main() == dtype) {
                        yield Optional.of(quantization.fileType());
                    }
                }
                yield Optional.empty();
            }
        };
    }

    private String name() {
        Path absolute = source.path().toAbsolutePath().normalize();
        return absolute.getFileName().toString().replaceFirst("\\.gguf$", "");
    }

    /** The configuration, with a tied head where the head's bytes are the embedding's, as Meta writes a tied model. */
    private LlamaConfig tiedWhereEqual() {
        LlamaConfig config = source.config();
        if (config.tiedHead() || source.format() != Format.META) {
            return config;
        }
        String embedding = Format.META.tensorName(new LlamaTensor(Role.EMBEDDING, 0, config.shapeOf(Role.EMBEDDING)));
        String head = Format.META.tensorName(new LlamaTensor(Role.HEAD, 0, config.shapeOf(Role.HEAD)));
        TensorSource tensors = source.source();
        if (tensors.describe(embedding).requireDType() != tensors.describe(head).requireDType()) {
            return config;
        }
        try (Arena arena = Arena.ofShared()) {
            MemorySegment bytes = tensors.tensor(embedding, arena).data();
            return config.withTiedHead(
                    bytes.mismatch(tensors.tensor(head, arena).data()) < 0);
        }
    }

    private DType storedType(LlamaTensor tensor) {
        return source.source().describe(storedName(tensor)).requireDType();
    }

    /** The name in the source; a head that is written out is the embedding of a tied source. */
    private String storedName(LlamaTensor tensor) {
        boolean fromEmbedding = tensor.role() == Role.HEAD && source.config().tiedHead();
        return source.format().tensorName(fromEmbedding ? new LlamaTensor(Role.EMBEDDING, 0, tensor.shape()) : tensor);
    }

    /** F32, F16 or BF16: what is wanted, or what the source has. */
    private DType plainType(ConversionTarget.Weights weights) {
        DType stored = source.dominantDType();
        return ConversionTarget.plainType(weights).orElse(stored.isQuantized() ? DType.F16 : stored);
    }

    /**
     * The types where only plain ones serve. Matrices get {@code dtype}. Norms and biases get it where that loses
     * nothing (GGUF had widened them), else stay F32: all of one role alike.
     */
    private Types plainTypes(DType dtype) {
        Set<Role> wide = EnumSet.noneOf(Role.class);
        for (LlamaTensor tensor : source.config().tensors()) {
            if (tensor.shape().rank() == 1
                    && dtype != DType.F32
                    && !wide.contains(tensor.role())
                    && storedType(tensor) == DType.F32
                    && !survives(tensor, dtype)) {
                wide.add(tensor.role());
            }
        }
        return tensor -> wide.contains(tensor.role()) ? DType.F32 : dtype;
    }

    private boolean survives(LlamaTensor tensor, DType dtype) {
        long bytes = Slab.bytesFor(dtype, tensor.shape().columns())
                + Slab.bytesFor(DType.F32, tensor.shape().columns());
        try (Arena arena = Arena.ofShared();
                Slab slab = new Slab(bytes)) {
            Tensor values = source.source().tensor(storedName(tensor), arena);
            Tensor narrow = slab.allocate(dtype, values.columns());
            Tensor back = slab.allocate(DType.F32, values.columns());
            kernels.quantize(narrow, values);
            kernels.dequantize(back, narrow);
            return back.data().mismatch(values.data()) < 0;
        }
    }

    private interface Types {
        DType of(LlamaTensor tensor);
    }

    private List<OutgoingTensor> outgoing(LlamaConfig config, Format format, Types types) {
        List<OutgoingTensor> tensors = new ArrayList<>();
        for (LlamaTensor tensor : config.tensors()) {
            String name = format.tensorName(tensor);
            DType dtype = types.of(tensor);
            OutgoingTensor outgoing = new OutgoingTensor(
                    name, dtype, tensor.shape(), sink -> produce(tensor, dtype, format.pairing(), name, sink));
            bytesTotal += outgoing.byteSize();
            tensors.add(outgoing);
        }
        return tensors;
    }

    private void produce(LlamaTensor tensor, DType dtype, RopePairing pairing, String name, ByteSink sink)
            throws IOException {
        listener.onTensor(name, bytesDone, bytesTotal);
        try (Arena arena = Arena.ofShared()) {
            Tensor stored = source.source().tensor(storedName(tensor), arena);
            // A bias is turned element by element: a matrix of one column.
            boolean vector = tensor.shape().rank() == 1;
            Tensor rows = vector ? stored.reshape(stored.columns(), 1) : stored;
            boolean permuted =
                    tensor.role().isRotated() && pairing != source.format().pairing();
            if (!permuted && stored.dtype() == dtype) {
                sink.accept(stored.data());
            } else {
                RowOrder order = permuted
                        ? RowOrder.between(
                                source.format().pairing(),
                                pairing,
                                source.config().headSize())
                        : RowOrder.SAME;
                produceRows(rows, dtype, order, sink);
            }
        }
        bytesDone += dtype.byteSize(tensor.shape().elementCount());
        listener.onTensor(name, bytesDone, bytesTotal);
    }

    /** Row by row in the new order and type; some megabytes at a time. */
    private void produceRows(Tensor rows, DType dtype, RowOrder order, ByteSink sink) throws IOException {
        long columns = rows.columns();
        long pieceRows = Math.clamp(PIECE_ELEMENTS / Math.max(1, columns), 1, Math.max(1, rows.rows()));
        try (Slab slab = new Slab(Slab.bytesFor(rows.dtype(), pieceRows, columns)
                + Slab.bytesFor(DType.F32, pieceRows, columns)
                + Slab.bytesFor(dtype, pieceRows, columns))) {
            Tensor gathered = slab.allocate(rows.dtype(), pieceRows, columns);
            Tensor floats = slab.allocate(DType.F32, pieceRows, columns);
            Tensor encoded = slab.allocate(dtype, pieceRows, columns);
            long rowBytes = rows.rowBytes();
            for (long done = 0; done < rows.rows(); done += pieceRows) {
                long count = Math.min(pieceRows, rows.rows() - done);
                for (long i = 0; i < count; i++) {
                    long from = order.sourceRow(done + i) * rowBytes;
                    MemorySegment.copy(rows.data(), from, gathered.data(), i * rowBytes, rowBytes);
                }
                Tensor piece = gathered.rows(0, count);
                sink.accept(reencoded(piece, floats.rows(0, count), encoded.rows(0, count))
                        .data());
            }
        }
    }

    /** The piece itself where its type stays; else decoded and encoded. */
    private Tensor reencoded(Tensor piece, Tensor floats, Tensor encoded) {
        if (piece.dtype() == encoded.dtype()) {
            return piece;
        }
        Tensor decoded = piece;
        if (piece.dtype() != DType.F32) {
            kernels.dequantize(floats, piece);
            decoded = floats;
        }
        if (encoded.dtype() == DType.F32) {
            return decoded;
        }
        kernels.quantize(encoded, decoded);
        return encoded;
    }
}
