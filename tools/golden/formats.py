"""Makes formats/src/test/resources/dev/puna/formats/golden with torch, safetensors, huggingface_hub and gguf.

    python tools/golden/formats.py

MANIFEST.tsv says what a reader must find: file, tensor, type, shape (slowest dimension first), SHA-256 of the bytes.
"""

import collections
import hashlib
import os
import pathlib
import shutil
import struct

import gguf
import numpy as np
import safetensors.torch
import torch
from huggingface_hub import save_torch_state_dict

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "formats/src/test/resources/dev/puna/formats/golden"
TYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.bool: "U8",
}
manifest = []


def raw(tensor):
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def expect(file, name, dtype, shape, data):
    manifest.append("\t".join([file, name, dtype, ",".join(map(str, shape)), hashlib.sha256(data).hexdigest()]))


def expect_torch(file, tensors):
    for name, tensor in tensors.items():
        expect(file, name, TYPES.get(tensor.dtype, "-"), tensor.shape, raw(tensor))


def every_dtype():
    tensors = {}
    for dtype in TYPES:
        values = torch.randn(3, 5) * 50
        tensors[f"t.{str(dtype).split('.')[1]}"] = values.to(dtype)
    tensors["scalar"] = torch.tensor(3.25)
    tensors["empty"] = torch.zeros(0, 4)
    tensors["Größe"] = torch.randn(2, 1, 3, 1)
    return tensors


def make_safetensors():
    tensors = every_dtype()
    tensors["f8"] = torch.randn(4, 4).to(torch.float8_e4m3fn)
    tensors["u32"] = torch.arange(6).to(torch.uint32)
    safetensors.torch.save_file(tensors, OUT / "types.safetensors", metadata={"format": "pt", "über": "ja"})
    expect_torch("types.safetensors", tensors)
    layers = {f"model.layers.{i}.weight": torch.randn(8, 16).to(torch.bfloat16) for i in range(7)}
    (OUT / "sharded").mkdir()
    save_torch_state_dict(layers, OUT / "sharded", max_shard_size=600)
    expect_torch("sharded", layers)


def make_gguf():
    rng = np.random.default_rng(5)
    kinds = [t for t in gguf.GGMLQuantizationType if t.name not in ("Q8_K", "Q8_1")]

    def write(path, endianess):
        writer = gguf.GGUFWriter(path, "llama", endianess=endianess)
        writer.add_uint8("t.u8", 200)
        writer.add_int8("t.i8", -100)
        writer.add_uint16("t.u16", 60000)
        writer.add_int16("t.i16", -30000)
        writer.add_uint32("t.u32", 4000000000)
        writer.add_int32("t.i32", -2000000000)
        writer.add_uint64("t.u64", 2**63 - 1)
        writer.add_int64("t.i64", -(2**63))
        writer.add_float32("t.f32", 1e-5)
        writer.add_float64("t.f64", 3.141592653589793)
        writer.add_bool("t.bool", True)
        writer.add_string("t.string", "Größe")
        writer.add_array("t.texts", ["<s>", "▁x", "ü"])
        writer.add_array("t.ints", [1, -2, 3])
        writer.add_array("t.floats", [0.5, -1.5])
        writer.add_array("t.nested", [[1, 2], [3]])
        writer.add_array("t.bools", [True, False])
        for kind in kinds:
            block, size = gguf.GGML_QUANT_SIZES[kind]
            shape = (3, block * 2) if block > 1 else (3, 5)
            count = shape[0] * shape[1] // block * size
            data = rng.integers(0, 256, count, dtype=np.uint8).reshape(shape[0], -1)
            if endianess == gguf.GGUFEndian.BIG and kind != gguf.GGMLQuantizationType.I8:
                continue
            writer.add_tensor(f"t.{kind.name}", data, raw_shape=data.shape, raw_dtype=kind)
            if path.name == "types.gguf":
                known = kind.name in KNOWN_GGUF
                for file in ("types.gguf", "types-v2.gguf"):
                    expect(file, f"t.{kind.name}", kind.name if known else "-", shape, data.tobytes())
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()

    write(OUT / "types.gguf", gguf.GGUFEndian.LITTLE)
    write(OUT / "big-endian.gguf", gguf.GGUFEndian.BIG)
    data = bytearray((OUT / "types.gguf").read_bytes())
    assert struct.unpack_from("<I", data, 4) == (3,)
    struct.pack_into("<I", data, 4, 2)  # versions 2 and 3 differ in nothing but the allowed byte order
    (OUT / "types-v2.gguf").write_bytes(data)


KNOWN_GGUF = {
    "F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1",
    "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS",
}


def make_torch():
    tensors = every_dtype()
    base = torch.arange(60, dtype=torch.float32).reshape(3, 4, 5)
    tensors["shared.whole"] = base
    tensors["shared.offset"] = base[1:, :, :]
    tensors["shared.strided"] = base[:, 1::2, ::2]
    tensors["shared.transposed"] = base.permute(2, 0, 1)
    tensors["parameter"] = torch.nn.Parameter(torch.randn(2, 2))
    state = collections.OrderedDict(tensors)
    torch.save(state, OUT / "types.pth")
    expect_torch("types.pth", tensors)
    torch.save({"model": state, "step": 7, "lr": 0.1, "args": [1, "x", None, (True,)]}, OUT / "nested.pth")
    expect_torch("nested.pth", tensors)
    module = torch.nn.Linear(3, 2)  # its state_dict carries the attribute _metadata
    torch.save(module.state_dict(), OUT / "module.pth", pickle_protocol=4)
    expect_torch("module.pth", module.state_dict())
    torch.save(state, OUT / "legacy.pth", _use_new_zipfile_serialization=False)

    class Evil:
        def __reduce__(self):
            return os.system, ("echo this must never run",)

    torch.save({"a": torch.zeros(1), "b": Evil()}, OUT / "os-system.pth")


def meta_model(vocabulary, dim, heads, kv_heads, ffn, layers):
    head = dim // heads
    tensors = {"tok_embeddings.weight": (vocabulary, dim)}
    for i in range(layers):
        tensors |= {
            f"layers.{i}.attention.wq.weight": (heads * head, dim),
            f"layers.{i}.attention.wk.weight": (kv_heads * head, dim),
            f"layers.{i}.attention.wv.weight": (kv_heads * head, dim),
            f"layers.{i}.attention.wo.weight": (dim, heads * head),
            f"layers.{i}.feed_forward.w1.weight": (ffn, dim),
            f"layers.{i}.feed_forward.w2.weight": (dim, ffn),
            f"layers.{i}.feed_forward.w3.weight": (ffn, dim),
            f"layers.{i}.attention_norm.weight": (dim,),
            f"layers.{i}.ffn_norm.weight": (dim,),
        }
    tensors |= {"norm.weight": (dim,), "output.weight": (vocabulary, dim)}
    return {name: torch.randn(shape).to(torch.bfloat16) for name, shape in tensors.items()}


def make_meta(folder, shards, embedding_dim, kv_heads):
    dim, heads = 16, 4
    model = meta_model(12, dim, heads, kv_heads, 24, 1)
    (OUT / folder).mkdir()
    for rank in range(shards):
        part = collections.OrderedDict()
        for name, tensor in model.items():
            module = name.split(".")[-2]
            if module in ("wk", "wv") and kv_heads < shards:
                chunk = tensor.chunk(kv_heads, 0)[rank * kv_heads // shards]
            elif module in ("wq", "wk", "wv", "w1", "w3", "output"):
                chunk = tensor.chunk(shards, 0)[rank]
            elif module in ("wo", "w2"):
                chunk = tensor.chunk(shards, 1)[rank]
            elif module == "tok_embeddings":
                chunk = tensor.chunk(shards, embedding_dim)[rank]
            else:
                chunk = tensor
            part[name] = chunk.clone()
        part["rope.freqs"] = torch.ones(dim // heads // 2)
        torch.save(part, OUT / folder / f"consolidated.{rank:02d}.pth")
    (OUT / folder / "params.json").write_text(
        f'{{"dim": {dim}, "n_layers": 1, "n_heads": {heads}, "n_kv_heads": {kv_heads}, "norm_eps": 1e-05}}\n')
    expect_torch(folder, model)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    torch.manual_seed(7)
    make_safetensors()
    make_gguf()
    make_torch()
    make_meta("meta-llama2", 2, 1, 2)
    make_meta("meta-llama3", 4, 0, 4)
    make_meta("meta-repeated-heads", 4, 0, 2)
    (OUT / "MANIFEST.tsv").write_text("\n".join(manifest) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
