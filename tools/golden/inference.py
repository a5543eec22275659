"""Adapters as PEFT writes and computes them, and embeddings as transformers gives them.

    python tools/golden/inference.py [GOLDEN]      (default: model/src/test/resources/golden)

Needs the models of models.py there. Writes
    lora/NAME/adapter_config.json, adapter_model.safetensors    a PEFT directory with random weights
    lora/NAME/golden.safetensors                                prompt I64 (T), logits F32 (T, V), greedy I64 (32)
    embeddings.safetensors                                      mean, last F32 (C) of llama-3's golden prompt, of length 1
Needs torch, transformers, peft, safetensors; runs on one thread, and is deterministic.
"""

import os
import shutil
import sys

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "../../model/src/test/resources/golden")

EVERYTHING = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ADAPTERS = {
    "everything": ("llama-3", dict(r=4, lora_alpha=8, target_modules=EVERYTHING)),
    "queries-and-values": ("llama-3", dict(r=3, lora_alpha=5, use_rslora=True, target_modules=["q_proj", "v_proj"],
                                           layers_to_transform=[1])),
    "patterns": ("llama-3", dict(r=2, lora_alpha=4, target_modules=EVERYTHING,
                                 rank_pattern={"down_proj": 5, "layers.1.self_attn.k_proj": 3},
                                 alpha_pattern={"layers.0.mlp.up_proj": 16})),
    "other-base": ("llama-2-gqa", dict(r=4, lora_alpha=4, target_modules=EVERYTHING)),
    "bf16": ("llama-3", dict(r=4, lora_alpha=8, target_modules=EVERYTHING)),
    "f16": ("llama-3", dict(r=4, lora_alpha=8, target_modules=EVERYTHING)),
}
STORED = {"bf16": torch.bfloat16, "f16": torch.float16}  # what the file holds; the values are rounded before they are used


def randomize(model, generator, stored):
    """Every matrix of an adapter such that it changes greedy choices."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.copy_((noise * 0.9 / parameter.shape[1] ** 0.5).to(stored))


def adapter(name, base, settings):
    directory = os.path.join(GOLDEN, "lora", name)
    prompt = load_file(os.path.join(GOLDEN, base, "golden.safetensors"))["prompt"]
    for seed in range(1, 100):
        model = LlamaForCausalLM.from_pretrained(os.path.join(GOLDEN, base), dtype=torch.float32).eval()
        model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **settings)).eval()
        randomize(model, torch.Generator().manual_seed(seed), STORED.get(name, torch.float32))
        with torch.no_grad():
            logits = model(prompt[None]).logits[0]
            ids, gap = prompt.tolist(), float("inf")
            for _ in range(32):
                best = torch.topk(model(torch.tensor([ids])).logits[0, -1], 2)
                gap = min(gap, float(best.values[0] - best.values[1]))
                ids.append(int(best.indices[0]))
        if gap > 0.01 and len(set(ids[len(prompt):])) > 8:
            break
    else:
        raise SystemExit(name + ": no seed gives clear greedy choices")
    shutil.rmtree(directory, ignore_errors=True)
    model.peft_config["default"].base_model_name_or_path = base
    model.save_pretrained(directory)
    os.remove(os.path.join(directory, "README.md"))
    if name in STORED:
        weights = os.path.join(directory, "adapter_model.safetensors")
        save_file({key: value.to(STORED[name]) for key, value in load_file(weights).items()}, weights,
                  metadata={"format": "pt"})
    save_file({"prompt": prompt, "logits": logits.contiguous(), "greedy": torch.tensor(ids[len(prompt):])},
              os.path.join(directory, "golden.safetensors"))
    print(f"{name}: seed {seed}, gap {gap:.4f}")


def embeddings():
    model = LlamaForCausalLM.from_pretrained(os.path.join(GOLDEN, "llama-3"), dtype=torch.float32).eval()
    prompt = load_file(os.path.join(GOLDEN, "llama-3", "golden.safetensors"))["prompt"]
    with torch.no_grad():
        states = model.model(prompt[None]).last_hidden_state[0].double()
    save_file({"prompt": prompt,
               "mean": torch.nn.functional.normalize(states.mean(0), dim=0).float(),
               "last": torch.nn.functional.normalize(states[-1], dim=0).float()},
              os.path.join(GOLDEN, "embeddings.safetensors"))


def main():
    wanted = sys.argv[2:] or ADAPTERS
    for name, (base, settings) in ADAPTERS.items():
        if name in wanted:
            adapter(name, base, settings)
    if wanted is ADAPTERS:
        embeddings()


main()
