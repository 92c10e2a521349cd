#!/usr/bin/env python3
"""Writes Sources/DRText/Tokenizer/HTMLEntityTable.swift.

Source: the named character references of the HTML standard (https://html.spec.whatwg.org/entities.json), as the
Python module html.entities carries them.
"""

import html.entities
import pathlib
import textwrap

OUTPUT = pathlib.Path(__file__).parent.parent / "Sources/DRText/Tokenizer/HTMLEntityTable.swift"

HEADER = '''\
// Written by Scripts/generate_html_entities.py; do not edit.
// Source: the named character references of the HTML standard, https://html.spec.whatwg.org/entities.json

/// The named character references of the HTML standard, one word each: the name without its semicolon, `*` where the
/// name also stands without one, `=`, and the code points in hexadecimal joined by `+`.
let htmlEntityTable = """
'''


def main() -> None:
    table = html.entities.html5
    words = []
    for name in sorted(table):
        if not name.endswith(";"):
            assert name + ";" in table and table[name + ";"] == table[name], name
            continue
        bare = name[:-1]
        points = "+".join(f"{ord(point):x}" for point in table[name])
        words.append(f"{bare}{'*' if bare in table else ''}={points}")
    lines = textwrap.wrap(" ".join(words), width=112, break_long_words=False, break_on_hyphens=False)
    body = "".join(f"    {line}\n" for line in lines)
    OUTPUT.write_text(HEADER + body + '    """\n', encoding="ascii")


if __name__ == "__main__":
    main()
