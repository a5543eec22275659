"""Reads what a run left with the field's own tools, and says whether they agree with Puna.

    puna score RUN/checkpoints/step-N --file TEXT --json > SCORE.json
    python tools/golden/check_training.py RUN SCORE.json TEXT

1. transformers loads the newest checkpoint as it is, tokenizer included; its log-probabilities of TEXT's tokens are those
   of SCORE.json (Puna's own forward) within 1e-4.
2. TensorBoard's reader finds every scalar of metrics.jsonl in the event files.

Needs torch, transformers, tensorboard.
"""

import json
import os
import sys

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoModelForCausalLM, AutoTokenizer


def main(run, score, text):
    checkpoints = os.path.join(run, "checkpoints")
    newest = os.path.join(checkpoints, sorted(n for n in os.listdir(checkpoints) if n.startswith("step-"))[-1])
    model, report = AutoModelForCausalLM.from_pretrained(newest, dtype=torch.float32, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"], report
    tokenizer = AutoTokenizer.from_pretrained(newest)
    scored = json.load(open(score))
    ids = tokenizer(open(text).read())["input_ids"]
    tokens = [t["id"] if isinstance(t, dict) else t for t in scored["tokens"]]
    assert ids[-len(tokens):] == tokens, (ids[:8], tokens[:8])
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    expected = [logits[i - 1, ids[i]].item() for i in range(1, len(ids))]
    found = [p for p in scored["logprobs"] if p is not None][-len(expected):]
    largest = max(abs(a - b) for a, b in zip(found, expected))
    print("%s: %d parameters in transformers; %d log-probabilities, largest difference %.1e" % (
        newest, model.num_parameters(), len(found), largest))
    assert len(found) == len(expected) and largest < 1e-4

    lines = [json.loads(line) for line in open(os.path.join(run, "metrics.jsonl"))]
    events = EventAccumulator(os.path.join(run, "tensorboard"))
    events.Reload()
    for tag, field in [("train/loss", "loss"), ("train/lr", "lr"), ("train/gradient_norm", "gradientNorm"),
                       ("train/tokens_per_second", "tokensPerSecond"), ("validation/loss", "validationLoss"),
                       ("validation/bits_per_byte", "bitsPerByte")]:
        wanted = {line["step"]: line[field] for line in lines if field in line}
        if not wanted:
            continue
        read = {s.step: s.value for s in events.Scalars(tag)}
        assert read.keys() == wanted.keys(), (tag, len(read), len(wanted))
        assert all(abs(read[s] - wanted[s]) <= 1e-6 * abs(wanted[s]) for s in wanted), tag
        print("%s: %d scalars as in metrics.jsonl" % (tag, len(read)))


main(*sys.argv[1:])
