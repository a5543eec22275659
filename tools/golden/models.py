"""Tiny LLaMAs of every shape, and what transformers computes with them.

    python tools/golden/models.py [OUT]      (default: model/src/test/resources/golden)

Each model is a Hugging Face directory that transformers itself has written, beside it golden.safetensors:
    prompt     I64 (T)      the ids that were fed
    logits     F32 (T, V)   their logits
    logprobs   F32 (T-1)    log-probability of prompt[i + 1] after prompt[: i + 1]
    greedy     I64 (64)     the ids that follow the prompt greedily
Quantized models are GGUF files whose blocks hold random bits and plausible scales; transformers runs on what the gguf
package makes of them. Needs torch, transformers, safetensors, gguf, numpy; runs on one thread, and is deterministic.
"""

import json
import os
import shutil
import sys

import gguf
import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import LlamaConfig, LlamaForCausalLM

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "../../model/src/test/resources/golden")

LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}

MODELS = {
    "llama-1": dict(vocab_size=131, hidden_size=48, intermediate_size=104, num_hidden_layers=2,
                    num_attention_heads=6, rms_norm_eps=1e-6, max_position_embeddings=256),
    "llama-2-gqa": dict(vocab_size=131, hidden_size=48, intermediate_size=72, num_hidden_layers=3,
                        num_attention_heads=6, num_key_value_heads=2, rms_norm_eps=1e-5,
                        max_position_embeddings=256),
    "llama-3": dict(vocab_size=120, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
                    num_attention_heads=4, num_key_value_heads=2, rope_theta=500000.0, rms_norm_eps=1e-5,
                    max_position_embeddings=256),
    "llama-3.1": dict(vocab_size=120, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
                      num_attention_heads=4, num_key_value_heads=1, rope_theta=500000.0, rms_norm_eps=1e-5,
                      max_position_embeddings=512, rope_scaling=LLAMA3),
    "llama-3.2-tied": dict(vocab_size=192, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
                           num_attention_heads=4, num_key_value_heads=2, rope_theta=500000.0, rms_norm_eps=1e-5,
                           max_position_embeddings=512, tie_word_embeddings=True,
                           rope_scaling=dict(LLAMA3, factor=32.0)),
    "linear-scaling": dict(vocab_size=101, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                           num_attention_heads=2, rms_norm_eps=1e-5, max_position_embeddings=256,
                           rope_scaling={"rope_type": "linear", "factor": 4.0}),
    "odd": dict(vocab_size=101, hidden_size=42, intermediate_size=57, num_hidden_layers=2,
                num_attention_heads=3, num_key_value_heads=1, head_dim=10, rms_norm_eps=1e-5,
                max_position_embeddings=256),
    "biases": dict(vocab_size=101, hidden_size=40, intermediate_size=56, num_hidden_layers=2,
                   num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-5, max_position_embeddings=256,
                   attention_bias=True, mlp_bias=True),
    "shards": dict(vocab_size=101, hidden_size=40, intermediate_size=56, num_hidden_layers=2,
                   num_attention_heads=5, rms_norm_eps=1e-5, max_position_embeddings=256),
    "bf16": dict(vocab_size=131, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
                 num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-5, max_position_embeddings=256),
    "f16": dict(vocab_size=131, hidden_size=64, intermediate_size=96, num_hidden_layers=1,
                num_attention_heads=4, num_key_value_heads=4, rms_norm_eps=1e-5, max_position_embeddings=256),
}
DTYPES = {"bf16": torch.bfloat16, "f16": torch.float16, "llama-3.2-tied": torch.bfloat16}
PROMPT_TOKENS = 37


def random_model(config, seed):
    """Weights large enough that greedy choices are clear."""
    generator = torch.Generator().manual_seed(seed)
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("norm.weight"):
                parameter.copy_(1 + 0.2 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.3 * noise)
            elif "embed" in name:
                parameter.copy_(noise * (0.15 if config.tie_word_embeddings else 1.0))
            else:
                parameter.copy_(noise * 1.4 / parameter.shape[1] ** 0.5)
    return model


def golden(model, seed):
    """What transformers computes in fp32, and the smallest distance between the two best logits of a greedy step."""
    generator = torch.Generator().manual_seed(seed + 1)
    vocabulary = model.config.vocab_size
    prompt = torch.randint(0, vocabulary, (PROMPT_TOKENS,), generator=generator)
    with torch.no_grad():
        logits = model(prompt[None]).logits[0]
        logprobs = torch.log_softmax(logits.double(), -1)[:-1].gather(1, prompt[1:, None])[:, 0]
        ids = prompt.tolist()
        gap = float("inf")
        for _ in range(64):
            last = model(torch.tensor([ids])).logits[0, -1]
            best = torch.topk(last, 2)
            gap = min(gap, float(best.values[0] - best.values[1]))
            ids.append(int(best.indices[0]))
    return {
        "prompt": prompt.numpy(),
        "logits": logits.float().numpy(),
        "logprobs": logprobs.float().numpy(),
        "greedy": np.array(ids[PROMPT_TOKENS:], dtype=np.int64),
    }, gap


def hugging_face(name, settings):
    directory = os.path.join(OUT, name)
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    dtype = DTYPES.get(name, torch.float32)
    for seed in range(1, 100):
        config = LlamaConfig(**{"bos_token_id": 1, "eos_token_id": 2, **settings})
        model = random_model(config, seed).to(dtype)
        model.save_pretrained(directory, max_shard_size="40KB" if name == "shards" else "5GB")
        # Stored rounded, computed in fp32 (and with the fp32 angles that .to(dtype) would have rounded, too).
        expected, gap = golden(LlamaForCausalLM.from_pretrained(directory, dtype=torch.float32).eval(), seed)
        if gap > 0.01 and len(set(expected["greedy"].tolist())) > 16:
            break
    else:
        raise SystemExit(name + ": no seed gives clear greedy choices")
    os.remove(os.path.join(directory, "generation_config.json"))
    if name in ("llama-3.1", "llama-1"):  # as transformers 4 writes it
        path = os.path.join(directory, "config.json")
        old = json.load(open(path))
        rope = old.pop("rope_parameters")
        old["rope_theta"] = rope.pop("rope_theta")
        old["rope_scaling"] = rope if rope.get("rope_type", "default") != "default" else None
        old["torch_dtype"] = old.pop("dtype")
        json.dump(old, open(path, "w"), indent=2)
    save_file(expected, os.path.join(directory, "golden.safetensors"))
    print(f"{name}: seed {seed}, gap {gap:.4f}, {sum(p.numel() for p in model.parameters())} parameters")


def random_blocks(rng, shape, kind, scale):
    """Random bits in every block, with half-precision scales such that values have about the deviation `scale`."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    rows = int(np.prod(shape[:-1]))
    count = rows * shape[-1] // block
    data = rng.integers(0, 256, (count, size), dtype=np.uint8)
    Q = gguf.GGMLQuantizationType
    # (offset of the scale, its factor, offset of the minimum, its factor)
    fields = {Q.Q8_0: (0, 1 / 74, None, 0), Q.Q4_0: (0, 1 / 4.6, None, 0), Q.Q4_1: (0, 1 / 4.6, 2, -1.63),
              Q.Q5_0: (0, 1 / 9.2, None, 0), Q.Q5_1: (0, 1 / 9.2, 2, -1.69), Q.IQ4_NL: (0, 1 / 72, None, 0),
              Q.Q2_K: (80, 1 / 10, 82, 1 / 6.6), Q.Q3_K: (108, 1 / 40, None, 0), Q.Q4_K: (0, 1 / 150, 2, 1 / 20),
              Q.Q5_K: (0, 1 / 300, 2, 1 / 19), Q.Q6_K: (208, 1 / 1360, None, 0), Q.IQ4_XS: (0, 1 / 1300, None, 0)}
    at, factor, minimum_at, minimum = fields[kind]
    deviation = scale * (0.75 + 0.5 * rng.random(count))
    data[:, at:at + 2] = (deviation * factor).astype(np.float16).view(np.uint8).reshape(count, 2)
    if minimum_at is not None:
        data[:, minimum_at:minimum_at + 2] = (deviation * minimum).astype(np.float16).view(np.uint8).reshape(count, 2)
    return data.reshape(*shape[:-1], shape[-1] // block * size)


def interleaved(rows, heads):
    """Hugging Face's order of the rows of wq and wk becomes llama.cpp's."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def halves(rows, heads):
    return rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def quantized(name, config, kinds):
    """kinds: the type of each tensor of each layer, of the embedding and of the head."""
    Q = gguf.GGMLQuantizationType
    path = os.path.join(OUT, name + ".gguf")
    for seed in range(1, 100):
        rng = np.random.default_rng(seed)
        d, f, v = config.hidden_size, config.intermediate_size, config.vocab_size
        q, kv = config.num_attention_heads * config.head_dim, config.num_key_value_heads * config.head_dim
        tensors, state = [], {}

        def matrix(gguf_name, hf_name, shape, kind, scale, heads=None):
            if kind in (Q.F16, Q.BF16, Q.F32):
                values = (rng.standard_normal(shape) * scale).astype(np.float32)
                raw = gguf.quants.quantize(values, kind)
            else:
                raw = random_blocks(rng, shape, kind, scale)
            values = gguf.quants.dequantize(raw, kind).astype(np.float32).reshape(shape)
            tensors.append((gguf_name, raw, kind))
            state[hf_name] = torch.from_numpy(halves(values, heads).copy() if heads else values.copy())

        def norm(gguf_name, hf_name):
            values = (1 + 0.2 * rng.standard_normal(d)).astype(np.float32)
            tensors.append((gguf_name, values, Q.F32))
            state[hf_name] = torch.from_numpy(values.copy())

        matrix("token_embd.weight", "model.embed_tokens.weight", (v, d), kinds["embedding"], 1.0)
        for i in range(config.num_hidden_layers):
            b, h, k = f"blk.{i}.", f"model.layers.{i}.", kinds["layers"][i]
            norm(b + "attn_norm.weight", h + "input_layernorm.weight")
            matrix(b + "attn_q.weight", h + "self_attn.q_proj.weight", (q, d), k[0], 1.4 / d ** 0.5,
                   config.num_attention_heads)
            matrix(b + "attn_k.weight", h + "self_attn.k_proj.weight", (kv, d), k[1], 1.4 / d ** 0.5,
                   config.num_key_value_heads)
            matrix(b + "attn_v.weight", h + "self_attn.v_proj.weight", (kv, d), k[2], 1.4 / d ** 0.5)
            matrix(b + "attn_output.weight", h + "self_attn.o_proj.weight", (d, q), k[3], 1.4 / q ** 0.5)
            norm(b + "ffn_norm.weight", h + "post_attention_layernorm.weight")
            matrix(b + "ffn_gate.weight", h + "mlp.gate_proj.weight", (f, d), k[4], 1.4 / d ** 0.5)
            matrix(b + "ffn_up.weight", h + "mlp.up_proj.weight", (f, d), k[5], 1.4 / d ** 0.5)
            matrix(b + "ffn_down.weight", h + "mlp.down_proj.weight", (d, f), k[6], 1.4 / f ** 0.5)
        norm("output_norm.weight", "model.norm.weight")
        matrix("output.weight", "lm_head.weight", (v, d), kinds["head"], 1.4 / d ** 0.5)
        model = LlamaForCausalLM(config).eval()
        model.load_state_dict(state)
        expected, gap = golden(model, seed)
        if gap > 0.05 and len(set(expected["greedy"].tolist())) > 16:
            break
    else:
        raise SystemExit(name + ": no seed gives clear greedy choices")
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_vocab_size(v)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(d)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(f)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    for tensor_name, raw, kind in tensors:
        writer.add_tensor(tensor_name, raw, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, os.path.join(OUT, name + ".golden.safetensors"))
    print(f"{name}: seed {seed}, gap {gap:.4f}, {os.path.getsize(path)} bytes")


def main():
    os.makedirs(OUT, exist_ok=True)
    for name, settings in MODELS.items():
        hugging_face(name, settings)
    Q = gguf.GGMLQuantizationType
    quantized("quantized-32",
              LlamaConfig(vocab_size=96, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
                          num_attention_heads=4, num_key_value_heads=2, head_dim=16, rms_norm_eps=1e-5,
                          max_position_embeddings=256),
              {"embedding": Q.Q8_0, "head": Q.Q5_1,
               "layers": [[Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q5_1, Q.Q8_0, Q.IQ4_NL, Q.F16],
                          [Q.Q8_0, Q.BF16, Q.IQ4_NL, Q.Q4_0, Q.Q5_0, Q.Q4_1, Q.Q8_0]]})
    quantized("quantized-256",
              LlamaConfig(vocab_size=64, hidden_size=256, intermediate_size=256, num_hidden_layers=1,
                          num_attention_heads=4, num_key_value_heads=1, head_dim=64, rms_norm_eps=1e-5,
                          max_position_embeddings=256),
              {"embedding": Q.Q6_K, "head": Q.Q4_K,
               "layers": [[Q.Q4_K, Q.Q5_K, Q.Q6_K, Q.Q3_K, Q.Q2_K, Q.IQ4_XS, Q.Q4_K]]})


main()
