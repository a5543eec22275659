package dev.puna.kernels.x86;

import dev.puna.assembler.Code;
import dev.puna.kernels.RopePairing;
import dev.puna.tensor.DType;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.Supplier;

/** {@link Listings} of the kernels on 256-bit registers. */
final class Avx2Listings {
    private static final int BYTES = 32;
    private static final int HEAD_SIZE = 64;
    private static final int ROW = HEAD_SIZE * Float.BYTES;

    static final Map<String, Supplier<Code>> KERNELS = kernels();

    private Avx2Listings() {}

    private static SequencedMap<String, Supplier<Code>> kernels() {
        SequencedMap<String, Supplier<Code>> kernels = new LinkedHashMap<>();
        kernels.put("quantize-rows-16", () -> Avx2QuantizedRows.code(16));
        kernels.put("quantize-rows-32", () -> Avx2QuantizedRows.code(32));
        for (Avx2Dot dot : Avx2Dot.values()) {
            String prefix = dot == Avx2Dot.VNNI ? "vnni-" : "";
            for (DType dtype : DType.values()) {
                Avx2Decoder.of(dtype, dot == Avx2Dot.VNNI).ifPresent(decoder -> {
                    String name = name(dtype);
                    kernels.put(prefix + "vector-product-" + name, () -> Avx2VectorProduct.code(decoder, dot));
                    kernels.put(prefix + "panel-" + name, () -> Avx2Panel.code(decoder));
                    kernels.put(prefix + "tile-" + name, () -> Avx2Tile.code(decoder, dot, Avx2Tile.MAX_TOKENS));
                });
            }
        }
        for (DType dtype : new DType[] {DType.F32, DType.F16, DType.BF16}) {
            kernels.put(
                    "factor-along-" + name(dtype),
                    () -> Avx2FloatPanel.code(new Avx2FloatPanel.Shape(dtype, true, Avx2FloatPanel.LANES)));
            kernels.put(
                    "factor-across-" + name(dtype),
                    () -> Avx2FloatPanel.code(new Avx2FloatPanel.Shape(dtype, false, Avx2FloatPanel.LANES - 1)));
            kernels.put("norm-" + name(dtype), () -> RowKernels.norm(BYTES, dtype));
            kernels.put("bias-" + name(dtype), () -> RowKernels.sum(BYTES, dtype, true));
        }
        kernels.put("product-fma", () -> Avx2FloatTile.code(new Avx2FloatTile.Shape(4, 3, true, 8256)));
        kernels.put("add", () -> RowKernels.sum(BYTES, DType.F32, false));
        kernels.put("swiglu", () -> RowKernels.swiGlu(BYTES));
        for (RopePairing pairing : RopePairing.values()) {
            kernels.put("rope-" + pairing.name().toLowerCase(Locale.ROOT), () -> RowKernels.rope(BYTES, pairing));
        }
        for (DType dtype : new DType[] {DType.F32, DType.F16, DType.BF16, DType.Q8_0}) {
            kernels.put("decode-" + name(dtype), () -> RowKernels.decode(BYTES, dtype));
            kernels.put("encode-" + name(dtype), () -> RowKernels.encode(BYTES, dtype));
            kernels.put("attention-rows-" + name(dtype), () -> AttentionPanel.rows(BYTES, dtype, HEAD_SIZE));
        }
        kernels.put("attention-queries", AttentionRows::columns256);
        for (int columns = 1; columns <= 2; columns++) {
            int wide = columns;
            String suffix = columns == 1 ? "-of-one" : "";
            kernels.put(
                    "attention-scores" + suffix,
                    () -> AttentionProduct.vectors(
                            new AttentionProduct.Shape(false, BYTES, wide, ROW, Float.BYTES, BYTES, wide == 1)));
            kernels.put(
                    "attention-results" + suffix,
                    () -> AttentionProduct.vectors(new AttentionProduct.Shape(
                            false, BYTES, wide, Float.BYTES, ROW, BYTES / Float.BYTES * ROW, false)));
        }
        for (boolean masked : new boolean[] {false, true}) {
            kernels.put(
                    masked ? "attention-softmax" : "attention-softmax-unmasked",
                    () -> AttentionSoftmax.code(
                            new AttentionSoftmax.Shape(BYTES, AttentionSoftmax.Weights.F32, masked)));
        }
        kernels.put("attention-turned", () -> AttentionRows.turned(BYTES, true));
        return kernels;
    }

    private static String name(DType dtype) {
        return dtype.name().toLowerCase(Locale.ROOT);
    }
}
