#!/usr/bin/env python3
"""Checks the worked examples of FORMAT.md: what the decoder reads from their bytes, and what the encoder of the vectors
makes of their values.

    examples.py

An example stands between `<!-- example:NAME -->` and `<!-- end -->`; its lines are a name and hexadecimal groups.
"""
import os
import re
import sys
from types import SimpleNamespace

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "vectors")]

import decoder_planes                                                   # noqa: E402
import encode_planes                                                    # noqa: E402

EXAMPLE = re.compile(r"<!-- example:(\S+) -->\n```\n(.*?)```\n<!-- end -->\n", re.DOTALL)


def planes(lines):
    """6.4: the parts of a unit of balanced, and the values, exponents and ranks that they say."""
    column = SimpleNamespace(cell_byte_count=40, element_size=2)
    payload = bytes.fromhex("".join(lines["table"]))
    values = [int(value, 16) for value in lines["values"]]
    plain = b"".join(value.to_bytes(2, "little") for value in values)
    parts = [bytes.fromhex("".join(lines[name])) for name in ("fractions", "planes", "levels", "exceptions")]
    table = decoder_planes.parse_table(payload, column, 2, "table", 0)
    yield "decoded values", decoder_planes.decode_unit(table, b"".join(parts), len(values), "unit", 0), plain
    yield "ranks", decoder_planes.read_ranks(table, b"".join(parts), len(values), "unit", 0)[0], [int(r) for r in lines["ranks"]]
    yield "exponents", [value >> 7 & 255 for value in values], [int(e, 16) for e in lines["exponents"]]
    encoder = encode_planes.ExponentTable(2, list(payload[8:8 + 3 + payload[1]]), list(payload[24:]))
    yield "made table", encoder.payload(), payload
    yield "made parts", list(encoder.parts(plain)), parts


CHECKS = {"planes": planes}


def read_examples(text):
    """By name: by the name of a line its groups."""
    return {name: {words[0]: words[1:] for words in map(str.split, body.splitlines())} for name, body in EXAMPLE.findall(text)}


def main():
    with open(os.path.join(HERE, "FORMAT.md"), encoding="utf-8") as file:
        examples = read_examples(file.read())
    problems = [f"{name}: not in FORMAT.md, or not checked" for name in sorted(set(examples) ^ set(CHECKS))]
    passed = 0
    for name in sorted(set(examples) & set(CHECKS)):
        for what, found, written in CHECKS[name](examples[name]):
            if found == written:
                passed += 1
            else:
                problems.append(f"{name}: {what}: {found}, and the text says {written}")
    for problem in problems:
        print(problem)
    print(f"{passed} passed, {len(problems)} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
