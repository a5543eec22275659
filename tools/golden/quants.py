#!/usr/bin/env python3
"""Golden blocks of every quantized type, made with llama.cpp's own library.

Usage: quants.py LIBGGML_BASE OUT
  LIBGGML_BASE  libggml-base.so of a llama.cpp build (the npm package @node-llama-cpp/linux-x64 3.22.1 has one)
  OUT           kernels/src/test/resources/dev/puna/kernels/blocks

Writes, for each type T:
  T.blocks.bin   random bytes as blocks (scales kept finite), T.values.bin their float32 values (dequantize_row_T)
  T.encoded.bin  what quantize_row_T_ref makes of input.f32.bin, for the types that Puna quantizes to
The gguf Python package must agree with the library wherever it implements the same thing.
"""
import ctypes
import os
import sys

import numpy as np
from gguf import quants
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

TYPES = ["q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q2_K", "q3_K", "q4_K", "q5_K", "q6_K", "iq4_nl", "iq4_xs"]
ENCODED = ["q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q4_K", "q5_K", "q6_K"]
# Byte offsets of the f16 numbers in a block.
HALVES = {
    "q8_0": [0], "q4_0": [0], "q4_1": [0, 2], "q5_0": [0], "q5_1": [0, 2], "q2_K": [80, 82], "q3_K": [108],
    "q4_K": [0, 2], "q5_K": [0, 2], "q6_K": [208], "iq4_nl": [0], "iq4_xs": [0],
}


def inputs(rng):
    """16 x 256 numbers: what weights look like, and what they should not."""
    rows = [rng.standard_normal(256) * s for s in (1, 0.02, 0.02, 1e-4, 30, 1e4)]
    rows.append(rng.standard_t(2, 256) * 0.02)                   # outliers
    rows.append(np.abs(rng.standard_normal(256)))                # all positive
    rows.append(-np.abs(rng.standard_normal(256)) - 5)           # all below zero, far from it
    rows.append(np.zeros(256))
    rows.append(np.full(256, 0.37))
    rows.append(np.where(np.arange(256) % 37 == 0, rng.standard_normal(256), 0))
    rows.append(np.round(rng.standard_normal(256) * 4) / 2)      # ties
    rows.append(np.arange(256) / 255 * 127)                      # exact codes and ties
    rows.append(np.repeat(rng.standard_normal(16), 16) * 1e-7)   # subnormal scales
    rows.append(rng.standard_normal(256) * np.logspace(-6, 2, 256))
    return np.stack(rows).astype(np.float32)


def main():
    library = ctypes.CDLL(sys.argv[1])
    out = sys.argv[2]
    rng = np.random.default_rng(20261120)
    x = inputs(rng)
    x.tofile(os.path.join(out, "input.f32.bin"))
    for name in TYPES:
        kind = GGMLQuantizationType[name.upper()]
        elements, size = GGML_QUANT_SIZES[kind]
        count = 2048 // elements
        blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
        for at in HALVES[name]:
            halves = (rng.standard_normal(count) * 0.1).astype(np.float16)
            halves[0], halves[1] = 0, 6e-8
            blocks[:, at:at + 2] = halves.view(np.uint8).reshape(count, 2)
        values = np.zeros(count * elements, np.float32)
        getattr(library, "dequantize_row_" + name)(
            blocks.ctypes.data_as(ctypes.c_void_p), values.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_int64(values.size))
        witness = quants.dequantize(blocks.reshape(1, -1), kind).reshape(-1)
        assert np.array_equal(values, witness), name
        blocks.tofile(os.path.join(out, name + ".blocks.bin"))
        values.tofile(os.path.join(out, name + ".values.bin"))
    for name in ENCODED:
        kind = GGMLQuantizationType[name.upper()]
        elements, size = GGML_QUANT_SIZES[kind]
        encoded = np.zeros(x.size // elements * size, np.uint8)
        getattr(library, "quantize_row_" + name + "_ref")(
            x.ctypes.data_as(ctypes.c_void_p), encoded.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(x.size))
        try:
            witness = quants.quantize(x, kind).reshape(-1)
            if not np.array_equal(encoded, witness):
                print(name, "gguf differs in", int((encoded != witness).sum()), "bytes")
        except NotImplementedError:
            pass
        encoded.tofile(os.path.join(out, name + ".encoded.bin"))


main()
