"""Golden hashes of token ids, made with sentencepiece and tiktoken.

    python tools/golden/tokenizer.py ../shared/samples/tokenizers tokenizer/src/test/resources/golden-tokenizer.txt

Twenty blocks of about one megabyte of text are made here and, by the same rules, in GoldenText.java: source-like and
prose-like lines, random Unicode, malformed UTF-8, runs of one character, numbers, unpaired surrogates. For each block
the SHA-256 of all ids is written: little-endian 32-bit numbers, -1 behind every document.
"""
import base64, hashlib, struct, sys
import sentencepiece, tiktoken

PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
           r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
CODE = ["public ", "static ", "final ", "int ", "void ", "return ", "if (", ") {\n", "}\n", "    ", "\t", "\n\n", ";\n",
        "System.out.println(", "\"", "'", " = ", " == ", "i++", "null", "0x", "->", "::", "/** ", " * ", "// ", "@Override\n",
        "getValue", "HashMap<String, List<Integer>>", "foo_bar", "camelCaseName", "ABC", "a", "x1", "[]", "()", "...", "\r\n"]
PROSE = ["the", "of", "and", "Whale", "was", "I've", "you'LL", "don't", "it's", "naïve", "façade", "über", "Москва", "привет",
         "世界", "こんにちは", "안녕하세요", "नमस्ते", "ภาษาไทย", "مرحبا", "שלום", "Ελλάδα", "🦙", "👩‍👩‍👧", "é", "e\u0301", "ﬁ", "½", "…",
         "extraordinarily", "in", "tokenization", "counter-revolutionary", "a", "'ſ", "▁", "\u00a0", "\u3000", "\u200b", "‘quoted’"]
MARKS = [" ", " ", " ", " ", " ", ", ", ". ", "! ", "? ", "; ", " – ", "\n", "\n\n", "  ", " (", ") ", "-"]
RANGES = [(0x20, 0x7f), (0x80, 0x24f), (0x370, 0x52f), (0x590, 0x6ff), (0x900, 0xdff), (0x1e00, 0x2bff), (0x3040, 0x30ff),
          (0x4e00, 0x9fff), (0xac00, 0xd7a3), (0xe000, 0xfffd), (0x10000, 0x107ff), (0x1f300, 0x1faff), (0x20000, 0x2a6df), (0, 0x20)]
RUNS = [" ", "a", "q", "=", "-", "\n", "▁", "é", "ab", " a", "\t", "9", "世", "\r\n", "xyz", "\u2003"]


class Random:
    """SplitMix64."""
    def __init__(self, seed):
        self.state = seed

    def next(self, bound):
        self.state = (self.state + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        return ((z ^ (z >> 31)) >> 33) % bound


def document(r):
    """A str (perhaps with unpaired surrogates) or bytes (perhaps malformed UTF-8)."""
    kind, length = r.next(10), 1 + r.next(200)
    if kind <= 2:
        return "".join(CODE[r.next(len(CODE))] for _ in range(length))
    if kind <= 4:
        return "".join(PROSE[r.next(len(PROSE))] + MARKS[r.next(len(MARKS))] for _ in range(length))
    if kind == 5:
        out = []
        for _ in range(length):
            low, high = RANGES[r.next(len(RANGES))]
            out.append(chr(low + r.next(high - low)))
        return "".join(out)
    if kind == 6:
        text = "".join(PROSE[r.next(len(PROSE))] + " " for _ in range(length // 4 + 1)).encode()
        out = bytearray(text)
        for _ in range(1 + length // 10):
            out[r.next(len(out))] = r.next(256)
        return bytes(out)
    if kind == 7:
        return "".join(RUNS[r.next(len(RUNS))] * (1 + r.next(120)) + CODE[r.next(len(CODE))] for _ in range(1 + length // 20))
    if kind == 8:
        return "".join(str(r.next(1 << 20)) + MARKS[r.next(len(MARKS))] for _ in range(length))
    units = []
    for _ in range(length):
        units.append(0xD800 + r.next(0x800) if r.next(3) == 0 else 0x20 + r.next(0x500))
    return b"".join(struct.pack("<H", u) for u in units).decode("utf-16-le", "surrogatepass")


def block(number):
    r, size, documents = Random(number + 1), 0, []
    while size < 1_000_000:
        d = document(r)
        size += len(d) if isinstance(d, bytes) else len(d.encode("utf-16-le", "surrogatepass")) // 2
        documents.append(d)
    return documents


def well_formed(text):
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def main(folder, out):
    ranks = {base64.b64decode(t): int(i) for t, i in (l.split() for l in open(folder + "/llama3-tiktoken.model", "rb") if l.strip())}
    llama3 = tiktoken.Encoding(name="llama3", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
    llama2 = sentencepiece.SentencePieceProcessor(model_file=folder + "/llama2-sentencepiece.model")
    lines = []
    for number in range(20):
        documents = block(number)
        hashes = [hashlib.sha256() for _ in range(4)]
        for d in documents:
            raw = d if isinstance(d, bytes) else well_formed(d).encode()
            ids2, ids3 = llama2.encode(raw), llama3.encode_ordinary(raw.decode("utf-8", "replace"))
            for h, ids in ((hashes[0], ids2), (hashes[1], ids3)):
                h.update(struct.pack("<%di" % (len(ids) + 1), *ids, -1))
            hashes[2].update(llama2.decode(ids2).encode("utf-8", "surrogatepass") + b"\0")
            hashes[3].update(llama3.decode(ids3).encode() + b"\0")
        lines.append("%d %d %s\n" % (number, len(documents), " ".join(h.hexdigest() for h in hashes)))
    open(out, "w").write("# made by tools/golden/tokenizer.py with sentencepiece %s, tiktoken %s: block, documents, "
                         "SHA-256 of Llama-2 ids, Llama-3 ids, Llama-2 decoded, Llama-3 decoded\n"
                         % (sentencepiece.__version__, tiktoken.__version__) + "".join(lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
