#!/usr/bin/env python3
"""Checks the worked examples of FORMAT.md: what the decoder reads from their bytes, and what the encoder of the vectors
makes of their values.

    examples.py

An example stands between `<!-- example:NAME -->` and `<!-- end -->`; its lines are a name and groups.
"""
import os
import re
import sys
from types import SimpleNamespace

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "vectors")]

import decoder_archive                                                  # noqa: E402
import decoder_operations                                               # noqa: E402
import decoder_planes                                                   # noqa: E402
import decoder_tokens                                                   # noqa: E402
import encode_archive                                                   # noqa: E402
import encode_operations                                                # noqa: E402
import encode_planes                                                    # noqa: E402
import encode_tokens                                                    # noqa: E402

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


def archive(lines):
    """6.5: a value whose symbol is known, and a step of a lane, in both directions."""
    mean, unit, scale = map(int, lines["element"])
    weight, cell_class, before, total = map(int, lines["cell"])
    prediction, halves, context = map(int, lines["forecast"])
    symbol, value = int(lines["symbol"][0]), int(lines["value"][0], 16)
    alone = [1 if s == 0 else 2047 if s == symbol else 0 for s in range(128)]
    table = SimpleNamespace(lane_count=16, dims=1, means=[mean], units=[unit], first_scales=[0], later_scales=[scale],
                            contexts=[decoder_archive.make_slots(alone)] * 32)
    reader = decoder_archive.Unit(table, b"", 1, before + 1, "unit", 0)
    forecast = reader.forecast(0, total, weight, cell_class, before)
    yield "context, sign of the prediction, base", forecast, (context, prediction < 0, halves // 2 - unit + 116)
    reader.states = [1 << 27 | 1]
    yield "decoded value", reader.decode_cell([forecast])[0] << 5, value
    state, begin, frequency = int(lines["step"][0], 16), int(lines["step"][1]), int(lines["step"][2])
    word, after = int(lines["word"][0], 16), int(lines["state"][0], 16)
    table.contexts = [decoder_archive.make_slots([begin, frequency, 2048 - begin - frequency])]
    reader.states, reader.stored = [state], word.to_bytes(2, "little")
    yield "symbol and state behind the step", (reader.next_symbol(0, 0), reader.states[0]), (1, after)
    encoder = encode_archive.ArchiveModel(16, [mean], [unit], [0], [scale], [[begin, frequency, 2048 - begin - frequency]])
    yield "encoded symbol and context", encoder.look(0, value, total, weight, cell_class, before), (value, symbol, context)
    states, words = [after] * 16, []
    encoder.put_group([(0, (0, 1, 0))], states, words)
    yield "state and words of the encoder", (states[0], words), (state, [word])


def joined(lines, *names):
    return bytes.fromhex("".join(group for name in names for group in lines[name]))


def tokens(lines):
    """6.6: a unit of two cells, in both directions."""
    payload, stored, plain = (joined(lines, name) for name in ("table", "unit", "plain"))
    table = decoder_tokens.parse_table(payload, None, "table", 0)
    yield "plain bytes", decoder_tokens.decode_unit(table, stored, SimpleNamespace(element_size=2), 2, len(plain), "unit", 0), plain
    yield "made unit", encode_tokens.encode_unit(payload, [plain[2:], b""]), stored


def operations(lines):
    """6.7: a unit of three records, in both directions."""
    payload, stored = joined(lines, "table", "pairs", "pattern"), joined(lines, "unit")
    cells = [joined(lines, name) for name in ("first", "second", "third")]
    plain = bytes(map(len, cells)) + b"".join(cells)
    table = decoder_operations.parse_table(payload, None, "table", 0)
    yield "plain bytes", decoder_operations.decode_unit(table, stored, None, 3, len(plain), "unit", 0), plain
    yield "made unit", encode_operations.encode_unit(payload, cells), stored


CHECKS = {"archive": archive, "operations": operations, "planes": planes, "tokens": tokens}


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
