"""The loss curve of a run, as transformers and PyTorch train it: same weights, same tokens in the same order.

    python tools/golden/training_curve.py init  DIR                  a random 15M LLaMA in DIR/start
    python tools/golden/training_curve.py torch DIR SHARD STEPS BATCH     trains it, losses to DIR/torch.json
    python tools/golden/training_curve.py plot  DIR OUT.png RUN...   DIR/torch.json beside each RUN/metrics.jsonl

Between the first and the last, Puna trains from the same weights on the same shard:

    puna train recipes/llama-15m.yaml --set model.start=DIR/start --set output=RUN --set steps=STEPS \\
        --set batch.sequences=BATCH --set batch.microSequences=BATCH --set data.documents=ignored --set precision=fp32 \\
        --set 'data.sources=[{name: corpus, shards: [SHARD], weight: 1}]' --set schedule.warmupSteps=30 \\
        --set data.validation=[]

The order of the sequences is computed here once more from the description of the token sampler (a Feistel network over
SplitMix64's finalizer), so a mistake in it would show as two different curves. fp32; AdamW, schedule and clipping are
PyTorch's own. Needs torch, transformers, safetensors, numpy, matplotlib for the plot.
"""

import json
import math
import sys
import time

import numpy as np

M = (1 << 64) - 1
T, SEED, LR, WARMUP = 256, 1, 5e-4, 30


def mix(z):
    z &= M
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M
    return z ^ (z >> 31)


def permuted(size, seed, index):
    half = max(1, (65 - (64 - (size - 1).bit_length())) // 2)
    mask = (1 << half) - 1
    keys = [mix(seed + (i + 1) * 0x9E3779B97F4A7C15) for i in range(4)]
    x = index
    while True:
        left, right = x >> half, x & mask
        for key in keys:
            left, right = right, left ^ (mix(right ^ key) & mask)
        x = (left << half) | right
        if x < size:
            return x


def init(directory):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(
        vocab_size=32000, hidden_size=288, intermediate_size=768, num_hidden_layers=6, num_attention_heads=6,
        max_position_embeddings=256, rms_norm_eps=1e-5, tie_word_embeddings=True)).save_pretrained(directory + "/start")


def train(directory, shard, steps, batch):
    import torch
    from transformers import LlamaForCausalLM
    tokens = np.memmap(shard + ".bin", dtype=np.uint16, mode="r")
    samples = (len(tokens) - 1) // T
    model = LlamaForCausalLM.from_pretrained(directory + "/start", dtype=torch.float32)
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
                                  lr=LR, betas=(0.9, 0.95), eps=1e-8)
    losses, began = [], time.time()
    for step in range(1, steps + 1):
        places = [permuted(samples, mix(SEED) + i // samples, i % samples) * T
                  for i in range((step - 1) * batch, step * batch)]
        rows = torch.from_numpy(np.stack([tokens[p:p + T + 1] for p in places]).astype(np.int64))
        if step < WARMUP:
            lr = LR * step / WARMUP
        else:
            lr = LR * (0.1 + 0.9 * (1 + math.cos(math.pi * (step - WARMUP) / (steps - WARMUP))) / 2)
        for group in optimizer.param_groups:
            group["lr"] = lr
        logits = model(input_ids=rows[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if step % 10 == 0 or step == 1:
            print(step, losses[-1], "%.0f tokens/s" % (step * batch * T / (time.time() - began)), flush=True)
            with open(directory + "/torch.json", "w") as out:
                json.dump({"steps": list(range(1, step + 1)), "losses": losses}, out)


def plot(directory, target, runs):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    reference = json.load(open(directory + "/torch.json"))
    steps, expected = reference["steps"], reference["losses"]
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 8), sharex=True, height_ratios=[2, 1])
    top.plot(steps, expected, label="transformers + PyTorch, fp32", linewidth=4, alpha=0.4, marker="o", markersize=3)
    for run in runs:
        lines = [json.loads(line) for line in open(run + "/metrics.jsonl")]
        losses = [line["loss"] for line in lines]
        name = "Puna " + next(line.split(":")[1].strip() for line in open(run + "/recipe.yaml") if line.startswith("precision"))
        compared = [(step, loss) for step, loss in zip(steps, expected) if step <= len(losses)]
        relative = [abs(losses[step - 1] - loss) / loss for step, loss in compared]
        top.plot(range(1, len(losses) + 1), losses, label=name, linewidth=1)
        bottom.semilogy([step for step, _ in compared], [max(r, 1e-9) for r in relative], label=name)
        print("%s: %d steps, %d compared up to step %d; relative difference median %.1e, largest %.1e (step %d)" % (
            name, len(losses), len(compared), compared[-1][0], sorted(relative)[len(relative) // 2], max(relative),
            compared[relative.index(max(relative))][0]))
    top.set_ylabel("loss, nats per token")
    bottom.set_ylabel("relative difference to PyTorch")
    bottom.set_xlabel("step")
    top.legend()
    bottom.legend()
    bottom.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(target, dpi=80)


if __name__ == "__main__":
    command, rest = sys.argv[1], sys.argv[2:]
    if command == "init":
        init(rest[0])
    elif command == "torch":
        train(rest[0], rest[1], int(rest[2]), int(rest[3]))
    else:
        plot(rest[0], rest[1], rest[2:])
