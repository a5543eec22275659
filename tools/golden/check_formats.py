"""Reads what Puna writes with torch, safetensors, transformers' loader of shards and gguf, and compares every byte.

    mvn -q -Dquick -pl formats -am compile
    python tools/golden/check_formats.py /path/to/jdk-25/bin/java
"""

import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy as np
import safetensors
import torch
from safetensors.torch import load_file

from formats import KNOWN_GGUF, OUT as GOLDEN, ROOT, raw

checked = 0


def same(name, expected, found):
    global checked
    # torch has bool where the files between have bytes
    assert tuple(expected.shape) == tuple(found.shape), name
    assert found.dtype == (torch.uint8 if expected.dtype == torch.bool else expected.dtype), name
    assert raw(expected) == raw(found), name
    checked += 1


def main():
    java = sys.argv[1] if len(sys.argv) > 1 else "java"
    jackson = next(pathlib.Path.home().glob(".m2/repository/tools/jackson/core/jackson-core/*/jackson-core-*[0-9].jar"))
    classes = [ROOT / "formats/target/classes", ROOT / "tensor/target/classes", jackson]
    out = pathlib.Path(tempfile.mkdtemp())
    subprocess.run(
        [java, "-cp", ":".join(map(str, classes)), ROOT / "tools/golden/WriteFormats.java", GOLDEN, out], check=True)

    written = load_file(out / "types.safetensors")
    for name, tensor in load_file(GOLDEN / "types.safetensors").items():
        if name not in ("f8", "u32"):
            same(name, tensor, written[name])
    with safetensors.safe_open(out / "types.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt", "über": "ja"}, file.metadata()

    shards = {}
    for file in sorted((out / "sharded").glob("*.safetensors")):
        shards |= load_file(file)
    golden = {}
    for file in sorted((GOLDEN / "sharded").glob("*.safetensors")):
        golden |= load_file(file)
    assert shards.keys() == golden.keys()
    for name, tensor in golden.items():
        same(name, tensor, shards[name])

    ours, theirs = gguf.GGUFReader(out / "types.gguf"), gguf.GGUFReader(GOLDEN / "types.gguf")
    by_name = {tensor.name: tensor for tensor in ours.tensors}
    for tensor in theirs.tensors:
        if tensor.tensor_type.name in KNOWN_GGUF:
            found = by_name.pop(tensor.name)
            assert found.tensor_type == tensor.tensor_type and list(found.shape) == list(tensor.shape), tensor.name
            assert np.asarray(found.data).tobytes() == np.asarray(tensor.data).tobytes(), tensor.name
            global checked
            checked += 1
    assert not by_name
    for key, field in theirs.fields.items():
        # The headers' counts; and the reader of gguf 0.x shows nested arrays flat, so compare the raw parts.
        if not key.startswith("GGUF."):
            assert [p.tobytes() for p in field.parts] == [p.tobytes() for p in ours.fields[key].parts], key

    def pth(path):
        return torch.load(path, weights_only=True, map_location="cpu")

    written = pth(out / "types.pth" / "consolidated.00.pth")
    for name, tensor in pth(GOLDEN / "types.pth").items():
        same(name, tensor, written[name])
    for folder in ("meta-llama2", "meta-llama3"):
        for path in sorted((GOLDEN / folder).glob("*.pth")):
            written = pth(out / folder / path.name)
            torch.load(out / folder / path.name, weights_only=True, mmap=True)
            for name, tensor in pth(path).items():
                if name != "rope.freqs":
                    same(f"{folder}/{path.name}/{name}", tensor, written[name])
    print(f"{checked} tensors, every byte equal")


if __name__ == "__main__":
    main()
