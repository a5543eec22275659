#!/usr/bin/env python3
"""Golden bytes of x86-64 instructions: what GNU as makes of the samples that Puna's tests encode.

    mvn -q -Dquick -pl assembler -am test-compile
    java -cp assembler/target/classes:assembler/target/test-classes dev.puna.assembler.InstructionSamples \\
        | python3 tools/golden/assembler.py > assembler/src/test/resources/dev/puna/assembler/golden.txt

Reads one instruction a line in Intel syntax, writes "HEX<tab>INSTRUCTION". Made with GNU as 2.40; needs Java 25 and
binutils 2.40 or newer. The samples are deterministic: the seed stands in InstructionSamples.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    instructions = [line.rstrip("\n") for line in sys.stdin if line.strip()]
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory, "samples.s")
        listing = Path(directory, "samples.lst")
        # One line of directives, so that instruction i stands in line i + 2 of the source.
        source.write_text(".intel_syntax noprefix\n" + "\n".join(instructions) + "\n")
        subprocess.run(
            ["as", f"-aln={listing}", "--listing-lhs-width=8", "-o", str(Path(directory, "samples.o")), str(source)],
            check=True,
        )
        encoded = {}
        for line in listing.read_text().splitlines():
            match = re.match(r"\s*(\d+) [0-9a-f]{4,} ([0-9A-F ]+?)\s*\t", line)
            if match:
                encoded[int(match.group(1)) - 2] = match.group(2).replace(" ", "")
    for i, instruction in enumerate(instructions):
        print(f"{encoded[i]}\t{instruction}")


if __name__ == "__main__":
    main()
