"""Golden files for BPE training: what Hugging Face's BpeTrainer and sentencepiece's trainer make of a made-up text.

Run with tokenizers 0.23.2 and sentencepiece 0.2.2 from the repository's root:
    python tools/golden/bpe_training.py
Writes tokenizer/src/test/resources/train/: corpus.txt, hf-merges.txt, sp-pieces.txt; and, with a second argument (a
text file beside the project), NAME-hf.txt and NAME-sp.txt for it.
"""
import random
import sys
import tempfile
from pathlib import Path

import sentencepiece
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

OUT = Path("tokenizer/src/test/resources/train")
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def corpus() -> str:
    rng = random.Random(11)
    syllables = ["ba", "ne", "ti", "ro", "sha", "lum", "q", "aa", "aaa", "oo", "é", "ü", "ж", "ни", "中", "文字", "か", "ナ", "ß", "ّا"]
    words = ["".join(rng.choices(syllables[:10], k=rng.randint(1, 4))) for _ in range(400)]
    words += ["".join(rng.choices(syllables[10:], k=rng.randint(1, 5))) for _ in range(80)]
    words += ["don't", "WE'LL", "it's", "x1", "2023", "31415926", "a_b", "foo.bar(", "==", "!!", "...", "----", "aaaaaaa", "aaaaa", "🙂", "e\u0301"]
    weights = [1 / (i % 400 + 1) for i in range(len(words))]
    lines = []
    for _ in range(1500):
        line = rng.choice(["", "  ", "    ", "        ", "\t"])
        for word in rng.choices(words, weights, k=rng.randint(0, 9)):
            line += word + rng.choice([" "] * 12 + ["  ", ", ", ". ", "\t", "   "])
        lines.append(line if rng.random() < 0.5 else line.rstrip())
    return "\n".join(lines) + "\n"


def hugging_face(text: str, size: int, target: Path) -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(PATTERN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False, min_frequency=0
    )
    tokenizer.train_from_iterator([text], trainer)
    import json

    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    target.write_text("".join(f"{a} {b}\n" for a, b in merges), encoding="utf-8")


def sentence_piece(file: Path, size: int, target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sentencepiece.SentencePieceTrainer.train(
            input=str(file),
            model_prefix=folder + "/m",
            vocab_size=size,
            model_type="bpe",
            character_coverage=0.99995,
            max_sentencepiece_length=16,
            byte_fallback=True,
            split_digits=True,
            allow_whitespace_only_pieces=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            num_threads=1,
            minloglevel=2,
        )
        model = sentencepiece.SentencePieceProcessor(model_file=folder + "/m.model")
        target.write_text(
            "".join(f"{model.id_to_piece(i)} {int(model.get_score(i))}\n" for i in range(259, model.vocab_size())),
            encoding="utf-8",
        )


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    text = corpus()
    (OUT / "corpus.txt").write_text(text, encoding="utf-8", newline="")
    hugging_face(text, 1000, OUT / "hf-merges.txt")
    sentence_piece(OUT / "corpus.txt", 800, OUT / "sp-pieces.txt")
    for extra in map(Path, sys.argv[1:]):
        hugging_face(extra.read_bytes().decode("utf-8"), 2000, OUT / f"{extra.stem}-hf.txt")
        sentence_piece(extra, 2000, OUT / f"{extra.stem}-sp.txt")
