"""lm-evaluation-harness over HTTP against `puna serve`, beside transformers on the same weights.

    pip install "lm-eval[api]" transformers torch
    puna convert MODEL hf --to hf                # the same weights for both
    puna serve hf --port 8080 &
    python tools/peers/lm_eval_local_completions.py hf http://127.0.0.1:8080/v1/completions

A task of its own, made of this repository's words, needs no download: its log-likelihoods go over `prompt` of token ids,
`echo` and `logprobs` (multiple choice, perplexity), and `generate_until` over plain completions. Every log-likelihood of
the server is held against transformers' own, in float32; ends with the largest difference.
"""

import json
import sys

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.openai_completions import LocalCompletionsAPI
from transformers import AutoModelForCausalLM, AutoTokenizer

model_path, url = sys.argv[1:3]
name = url.split("/v1/")[0]
import urllib.request

with urllib.request.urlopen(name + "/v1/models") as answer:
    served = json.load(answer)["data"][0]["id"]

harness = LocalCompletionsAPI(
    model=served, base_url=url, tokenizer=model_path, tokenizer_backend="huggingface", tokenized_requests=True,
    batch_size=4, num_concurrent=1, max_retries=1, seed=1, max_length=256,
)
pairs = [
    ("The tensor", " has a shape."), ("The tensor", " runs away."), ("A page of keys", " and values"),
    ("Once upon a time", " there was a llama on the plateau."), ("One", " two three"), ("", "No context at all."),
]


def instances(kind, requests):
    return [Instance(kind, {}, request, i) for i, request in enumerate(requests)]


scored = harness.loglikelihood(instances("loglikelihood", pairs))
rolling = harness.loglikelihood_rolling(instances("loglikelihood_rolling", [("A text that is scored as a whole.",)]))
written = harness.generate_until(
    instances("generate_until", [("Once upon", {"until": ["\n\n"], "max_gen_toks": 12, "temperature": 0})]))

tokenizer = AutoTokenizer.from_pretrained(model_path)
model = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32).eval()
worst = 0.0
for (context, continuation), (score, greedy) in zip(pairs, scored):
    if context:
        before, after = harness._encode_pair(context, continuation)
    else:
        before, after = [harness.prefix_token_id], harness.tok_encode(continuation)
    with torch.no_grad():
        logits = model(torch.tensor([before + after])).logits[0, len(before) - 1 : -1].log_softmax(-1)
    own = logits[range(len(after)), after].sum().item()
    own_greedy = logits.argmax(-1).tolist() == list(after)
    worst = max(worst, abs(own - score))
    print(f"{context!r:20} {continuation!r:40} server {score:10.5f}  transformers {own:10.5f}  greedy {greedy} {own_greedy}")
    assert bool(greedy) == own_greedy
print("rolling", rolling, "written", written)
print(f"largest difference {worst:.2e} of {len(pairs)} sums of log-probabilities")
