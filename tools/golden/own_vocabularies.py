"""Golden hashes of token ids of Puna's own small vocabularies, made with sentencepiece, tiktoken and tokenizers.

    python tools/golden/own_vocabularies.py        (from the root of the repository)

Needs nothing but this repository: the vocabularies in tokenizer/src/test/resources/own were trained by Puna on the text of
this repository (puna tokenizer train, 2,000 ids, both kinds), the text is that of tokenizer.py. Writes golden.txt beside
them: for each block the SHA-256 of all ids, little-endian 32-bit numbers, -1 behind every document.
"""
import base64, hashlib, struct
import sentencepiece, tiktoken, tokenizers
from tokenizer import PATTERN, block, well_formed

OWN = "tokenizer/src/test/resources/own/"
BLOCKS = 3


def main():
    ranks = {base64.b64decode(t): int(i) for t, i in (l.split() for l in open(OWN + "tiktoken.model", "rb") if l.strip())}
    tik = tiktoken.Encoding(name="own", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
    sp = sentencepiece.SentencePieceProcessor(model_file=OWN + "sentencepiece.model")
    hf = tokenizers.Tokenizer.from_file(OWN + "byte-level.json")
    lines = []
    for number in range(BLOCKS):
        documents = block(number)
        hashes = [hashlib.sha256() for _ in range(3)]
        for d in documents:
            raw = d if isinstance(d, bytes) else well_formed(d).encode()
            text = raw.decode("utf-8", "replace")
            all_ids = [sp.encode(raw), tik.encode_ordinary(text), hf.encode(text, add_special_tokens=False).ids]
            for h, ids in zip(hashes, all_ids):
                h.update(struct.pack("<%di" % (len(ids) + 1), *ids, -1))
        lines.append("%d %d %s\n" % (number, len(documents), " ".join(h.hexdigest() for h in hashes)))
        print(lines[-1], end="", flush=True)
    open(OWN + "golden.txt", "w").write(
        "# made by tools/golden/own_vocabularies.py with sentencepiece %s, tiktoken %s, tokenizers %s: block, documents, SHA-256 "
        "of ids: sentencepiece, tiktoken, tokenizers on byte-level.json\n"
        % (sentencepiece.__version__, tiktoken.__version__, tokenizers.__version__) + "".join(lines))


main()
