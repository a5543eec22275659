"""Losses, gradients and ten AdamW steps of tiny LLaMAs, as transformers and PyTorch compute them.

    python tools/golden/training.py [OUT]      (default: model/src/test/resources/golden-training)

For each model OUT/NAME.safetensors holds, in fp32:
    ids, targets, first   I64 (2·T)   rows of two sequences, -1 where nothing counts, first visible row
    w/NAME                weights before the first step, in their Hugging Face names
    g/NAME                gradients of the first step's mean loss over valid targets
    e/NAME                weights after ten steps of AdamW (lr 1e-3, betas 0.9/0.95, eps 1e-8, decay 0.1 on matrices)
    losses, losses_bf16   F32 (10)    before each step; in bf16 under autocast
and in its metadata the configuration. Needs torch, transformers, safetensors; one thread, deterministic.
"""

import json
import os
import sys

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
HERE = os.path.dirname(os.path.abspath(__file__))
OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "../../model/src/test/resources/golden-training")
T = 24

MODELS = {
    "llama-1": (dict(vocab_size=61, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
                     rms_norm_eps=1e-6), []),
    "gqa": (dict(vocab_size=61, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                 num_key_value_heads=2, rms_norm_eps=1e-5, rope_theta=500000.0), []),
    "tied": (dict(vocab_size=61, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
                  rms_norm_eps=1e-5, tie_word_embeddings=True), []),
    "documents": (dict(vocab_size=61, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
                       num_key_value_heads=1, rms_norm_eps=1e-5), [[0, 7, 8, 20], [0, 11]]),
}


def main():
    os.makedirs(OUT, exist_ok=True)
    for seed, (name, (settings, documents)) in enumerate(MODELS.items()):
        torch.manual_seed(seed)
        config = LlamaConfig(max_position_embeddings=64, attn_implementation="eager", **settings)
        ids = torch.randint(0, 61, (2, T))
        targets = torch.randint(0, 61, (2, T))
        targets[0, 3] = targets[1, 10:13] = -1
        starts = torch.zeros(2, T, dtype=torch.long)
        for row, cuts in enumerate(documents):
            for cut in cuts:
                starts[row, cut:] = cut
        rows, columns = torch.arange(T)[:, None], torch.arange(T)[None, :]
        visible = (columns <= rows)[None] & (columns[None] >= starts[:, :, None])
        mask = torch.where(visible, 0.0, torch.finfo(torch.float32).min)[:, None]
        tensors = {"ids": ids.flatten(), "targets": targets.flatten(),
                   "first": (starts + torch.tensor([[0], [T]])).flatten()}
        initial = LlamaForCausalLM(config)
        with torch.no_grad():
            for parameter in initial.parameters():
                if parameter.dim() == 2:
                    parameter.mul_(5)
                else:
                    parameter.add_(0.2 * torch.randn_like(parameter))
        state = {n: p.detach().clone() for n, p in initial.named_parameters()}
        for bf16 in (False, True):
            model = LlamaForCausalLM(config)
            model.load_state_dict(state, strict=False)
            model.tie_weights()
            matrices = [p for p in model.parameters() if p.dim() == 2]
            vectors = [p for p in model.parameters() if p.dim() == 1]
            optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1},
                                           {"params": vectors, "weight_decay": 0.0}],
                                          lr=1e-3, betas=(0.9, 0.95), eps=1e-8)
            losses = []
            for step in range(10):
                with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                    logits = model(input_ids=ids, attention_mask=mask,
                                   position_ids=torch.arange(T)[None].expand(2, T)).logits
                loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten(),
                                                         ignore_index=-1)
                optimizer.zero_grad()
                loss.backward()
                losses.append(loss.item())
                if not bf16 and step == 0:
                    for n, p in model.named_parameters():
                        tensors["w/" + n] = p.detach().clone()
                        tensors["g/" + n] = p.grad.clone()
                optimizer.step()
            if not bf16:
                for n, p in model.named_parameters():
                    tensors["e/" + n] = p.detach().clone()
            tensors["losses_bf16" if bf16 else "losses"] = torch.tensor(losses)
        values = dict(settings, max_position_embeddings=64)
        save_file({k: v.contiguous() for k, v in tensors.items()}, os.path.join(OUT, name + ".safetensors"),
                  {"config": json.dumps(values)})
        print(name, losses[0], losses[-1])


main()
