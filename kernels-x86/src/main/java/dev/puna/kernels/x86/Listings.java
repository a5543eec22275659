package dev.puna.kernels.x86;

import dev.puna.assembler.Code;
import dev.puna.kernels.RopePairing;
import dev.puna.tensor.DType;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.Supplier;

/** Kernels by name, for who wants to read their instructions: one of each idea and type, in the shapes most used. */
final class Listings {
    private static final int HEAD_SIZE = 64;

    static final Map<String, Supplier<Code>> KERNELS = kernels();

    private Listings() {}

    private static SequencedMap<String, Supplier<Code>> kernels() {
        SequencedMap<String, Supplier<Code>> kernels = new LinkedHashMap<>();
        for (int groupSize : new int[] {16, 32}) {
            kernels.put("quantize-rows-" + groupSize, () -> QuantizedRows.code(groupSize, false));
            kernels.put("quantize-few-rows-" + groupSize, () -> QuantizedRows.code(groupSize, true));
            kernels.put("quantize-tiles-" + groupSize, () -> TokenTiles.code(TokenTiles.TOKENS, groupSize));
        }
        for (DType dtype : DType.values()) {
            BlockDecoder.of(dtype).ifPresent(decoder -> {
                kernels.put("vector-product-" + name(dtype), () -> QuantizedVectorProduct.code(decoder));
                kernels.put("few-rows-" + name(dtype), () -> QuantizedFewRows.code(decoder));
                kernels.put("panel-" + name(dtype), () -> Panel.code(decoder));
                kernels.put("side-panel-" + name(dtype), () -> SidePanel.code(decoder));
                kernels.put(
                        "amx-tile-" + name(dtype),
                        () -> AmxTile.code(TokenTiles.TOKENS, decoder.scaledElements(), decoder.affine()));
                kernels.put(
                        "tile-" + name(dtype),
                        () -> PanelTile.code(
                                PanelTile.MAX_TOKENS,
                                decoder.scaledElements(),
                                decoder.zeroPoint() != 0,
                                decoder.affine()));
            });
        }
        for (DType dtype : new DType[] {DType.F32, DType.F16, DType.BF16}) {
            kernels.put("norm-" + name(dtype), () -> RowKernels.norm(64, dtype));
            kernels.put("bias-" + name(dtype), () -> RowKernels.sum(64, dtype, true));
            kernels.put(
                    "vector-product-" + name(dtype),
                    () -> FloatVectorProduct.code(new FloatVectorProduct.Shape(dtype, 1, FloatVectorProduct.LANES, 0)));
            kernels.put("factor-along-" + name(dtype), () -> OperandPanel.code(factor(dtype, false, true)));
            kernels.put("factor-across-" + name(dtype), () -> OperandPanel.code(factor(dtype, false, false)));
            kernels.put("rounded-along-" + name(dtype), () -> OperandPanel.code(factor(dtype, true, true)));
            kernels.put("rounded-across-" + name(dtype), () -> OperandPanel.code(factor(dtype, true, false)));
        }
        kernels.put("product-fma", () -> FmaTile.code(FmaTile.MAX_ROWS, FmaTile.MAX_VECTORS, false));
        kernels.put("rounded-product-dot", () -> FmaTile.code(FmaTile.MAX_ROWS, FmaTile.MAX_VECTORS, true));
        kernels.put("rounded-product-amx", () -> AmxFloatTile.code(2, 2));
        kernels.put("add", () -> RowKernels.sum(64, DType.F32, false));
        kernels.put("swiglu", () -> RowKernels.swiGlu(64));
        kernels.put("swiglu-backward", TrainingKernels::swiGluBackward);
        kernels.put("norm-backward", TrainingKernels::normBackward);
        kernels.put("rope-backward", () -> RowKernels.ropeBackward(64));
        kernels.put("exponentials", TrainingKernels::exponentials);
        kernels.put("scale", TrainingKernels::scale);
        kernels.put("adamw", TrainingKernels::adamW);
        kernels.put("squares", TrainingKernels::squares);
        for (RopePairing pairing : RopePairing.values()) {
            kernels.put("rope-" + pairing.name().toLowerCase(Locale.ROOT), () -> RowKernels.rope(64, pairing));
        }
        for (DType dtype : new DType[] {DType.F32, DType.F16, DType.BF16, DType.Q8_0}) {
            kernels.put("decode-" + name(dtype), () -> RowKernels.decode(64, dtype));
            kernels.put("encode-" + name(dtype), () -> RowKernels.encode(64, dtype));
            kernels.put("attention-rows-" + name(dtype), () -> AttentionPanel.rows(64, dtype, HEAD_SIZE));
        }
        int row = HEAD_SIZE * Float.BYTES;
        kernels.put(
                "attention-scores",
                () -> AttentionProduct.vectors(new AttentionProduct.Shape(false, 64, 2, row, Float.BYTES, 64, false)));
        kernels.put(
                "attention-results",
                () -> AttentionProduct.vectors(
                        new AttentionProduct.Shape(false, 64, 2, Float.BYTES, row, 16 * row, false)));
        kernels.put(
                "rounded-attention-dot",
                () -> AttentionProduct.vectors(
                        new AttentionProduct.Shape(true, 64, 2, 64, Float.BYTES, AttentionProduct.BF16_BLOCK, false)));
        for (AttentionProduct.Terms terms : AttentionProduct.Terms.values()) {
            kernels.put(
                    "rounded-attention-amx-"
                            + terms.name().toLowerCase(Locale.ROOT).replace('_', '-'),
                    () -> AttentionProduct.tiles(2, terms));
        }
        for (AttentionSoftmax.Weights weights : AttentionSoftmax.Weights.values()) {
            String name = weights == AttentionSoftmax.Weights.F32
                    ? "attention-softmax"
                    : "rounded-attention-softmax-"
                            + weights.name().toLowerCase(Locale.ROOT).replace('_', '-');
            kernels.put(name, () -> AttentionSoftmax.code(new AttentionSoftmax.Shape(64, weights, true)));
        }
        kernels.put("attention-slope", () -> AttentionSlope.code(new AttentionSlope.Shape(64, false, true)));
        kernels.put("rounded-attention-slope", () -> AttentionSlope.code(new AttentionSlope.Shape(64, true, true)));
        for (int terms = 1; terms <= 2; terms++) {
            int count = terms;
            kernels.put("rounded-attention-keys-" + terms, () -> AttentionPanel.keys(HEAD_SIZE, count, 2));
            kernels.put("rounded-attention-values-" + terms, () -> AttentionPanel.values(HEAD_SIZE, count));
        }
        kernels.put("attention-turned", () -> AttentionRows.turned(64, true));
        kernels.put("attention-dots", AttentionRows::dots);
        kernels.put("rounded-attention-remainders", AttentionRows::remainders);
        return kernels;
    }

    private static OperandPanel.Shape factor(DType dtype, boolean bf16, boolean alongK) {
        return new OperandPanel.Shape(dtype, bf16, alongK, OperandPanel.Order.STEPS, OperandPanel.LANES, 0);
    }

    private static String name(DType dtype) {
        return dtype.name().toLowerCase(Locale.ROOT);
    }
}
