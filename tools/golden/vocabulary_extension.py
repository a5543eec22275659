"""Golden file for vocabulary extension: ids that sentencepiece gives with Llama-2's and Chinese-LLaMA's pieces merged.

Run with sentencepiece 0.2.2 and protobuf from the repository's root; the argument is the folder with the two models:
    python tools/golden/vocabulary_extension.py ../shared/samples/tokenizers
Writes tokenizer/src/test/resources/train/extended.txt: a text in JSON, a tab, its ids.
"""
import json
import random
import sys
from pathlib import Path

import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as proto

TEXTS = [
    "人工智能是计算机科学、心理学、哲学等学科融合的交叉学科。",
    "白日依山尽,黄河入海流。欲穷千里目,更上一层楼。",
    "The primary use of LLaMA is research on large language models. 中文和English混合 text 2023年10月12日",
    "  leading spaces\n\tand tabs\n\n新的一行",
    "",
    " ",
    "100000 1024 10 3.14159 x=10;",
    "龘靐齉 🙂 \u0e01\u0e02",
    "a\u2581b ▁▁",
]

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    base = proto.ModelProto()
    base.ParseFromString((folder / "llama2-sentencepiece.model").read_bytes())
    more = proto.ModelProto()
    more.ParseFromString((folder / "chinese-sentencepiece.model").read_bytes())
    known = {p.piece for p in base.pieces}
    for p in more.pieces:
        if p.piece not in known:
            new = proto.ModelProto().SentencePiece()
            new.piece = p.piece
            new.score = 0
            base.pieces.append(new)
    assert len(base.pieces) == 49953, len(base.pieces)
    model = sentencepiece.SentencePieceProcessor(model_proto=base.SerializeToString())
    rng = random.Random(5)
    pieces = [p.piece.replace("\u2581", " ") for p in base.pieces[259:]]
    texts = TEXTS + ["".join(rng.choices(pieces, k=rng.randint(1, 12))) for _ in range(300)]
    out = Path("tokenizer/src/test/resources/train/extended.txt")
    out.write_text(
        "".join(json.dumps(t) + "\t" + " ".join(map(str, model.encode(t))) + "\n" for t in texts), encoding="utf-8"
    )
