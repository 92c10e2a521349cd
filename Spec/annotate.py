#!/usr/bin/env python3
"""Puts the listings of appendix A into FORMAT.md: what `decoder.py explain` says about two of the vectors.

    annotate.py            writes FORMAT.md
    annotate.py --check    writes nothing, and exits with 1 if FORMAT.md is stale
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import decoder_explain                                                  # noqa: E402

FORMAT = os.path.join(HERE, "FORMAT.md")
NAMES = ("empty", "two-columns")


def listing(name):
    with open(os.path.join(HERE, "vectors", "valid", name + ".drs"), "rb") as file:
        return decoder_explain.explain(file.read())


def annotated(text):
    for name in NAMES:
        begin, end = f"<!-- dump:{name} -->\n", "<!-- end -->\n"
        if text.count(begin) != 1 or end not in text[text.index(begin):]:
            sys.exit(f"FORMAT.md: the markers {begin.strip()} and {end.strip()} must be there once")
        head, rest = text.split(begin)
        text = f"{head}{begin}```\n{listing(name)}```\n{rest[rest.index(end):]}"
    return text


def main(arguments):
    if set(arguments) - {"--check"}:
        sys.exit(__doc__)
    with open(FORMAT, encoding="utf-8", newline="") as file:
        old = file.read()
    new = annotated(old)
    if new == old:
        print("FORMAT.md: its listings are those of the vectors")
        return 0
    if arguments:
        print("FORMAT.md: its listings are stale; run annotate.py")
        return 1
    with open(FORMAT, "w", encoding="utf-8", newline="") as file:
        file.write(new)
    print("FORMAT.md: listings written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
