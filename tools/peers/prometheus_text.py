"""The page /metrics of `puna serve` through Prometheus' own parser of its text format.

    pip install prometheus-client
    puna serve MODEL --port 8080 &
    python tools/peers/prometheus_text.py http://127.0.0.1:8080

Fails when the parser does, when a counter does not end in _total, or when a histogram's buckets do not rise to its count.
"""

import math
import sys
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

with urllib.request.urlopen(sys.argv[1] + "/metrics") as answer:
    content_type = answer.headers["Content-Type"]
    text = answer.read().decode("utf-8")
assert content_type.startswith("text/plain; version=0.0.4"), content_type

families = list(text_string_to_metric_families(text))
kinds = {"counter": 0, "gauge": 0, "histogram": 0}
names = set()
for family in families:
    assert family.documentation and family.name not in names, family.name
    names.add(family.name)
    kinds[family.type] += 1  # no other kind is expected
    if family.type == "counter":
        assert [sample.name for sample in family.samples] == [family.name + "_total"], family
    if family.type == "histogram":
        buckets = [sample for sample in family.samples if sample.name.endswith("_bucket")]
        bounds = [float(sample.labels["le"]) for sample in buckets]
        counts = [sample.value for sample in buckets]
        total = next(sample.value for sample in family.samples if sample.name.endswith("_count"))
        sums = [sample.value for sample in family.samples if sample.name.endswith("_sum")]
        assert bounds == sorted(bounds) and bounds[-1] == math.inf, family.name
        assert counts == sorted(counts) and counts[-1] == total and len(sums) == 1, family.name
print(f"{len(families)} families: {kinds}")
