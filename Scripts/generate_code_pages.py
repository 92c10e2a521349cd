#!/usr/bin/env python3
"""Writes Sources/DRText/Tokenizer/CodePageTable.swift.

Source: the single-byte character sets that ftfy 6.3.1 considers, as Python's codecs carry them. A byte that a
windows-125x page leaves undefined stands for the control character of the same number.
"""

import pathlib

OUTPUT = pathlib.Path(__file__).parent.parent / "Sources/DRText/Tokenizer/CodePageTable.swift"
PAGES = ["latin-1", "cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1257", "iso8859-2", "mac-roman", "cp437"]

HEADER = '''\
// Written by Scripts/generate_code_pages.py; do not edit.
// Source: the mapping tables of the Unicode consortium, https://www.unicode.org/Public/MAPPINGS/, by Python's codecs.

/// For each single-byte character set, in hexadecimal, the code points of the bytes 0x80 to 0xFF.
let codePageTable: [(name: String, points: String)] = [
'''


def point(byte: int, page: str) -> str:
    try:
        return f"{ord(bytes([byte]).decode(page)):x}"
    except UnicodeDecodeError:
        return f"{byte:x}"


def main() -> None:
    text = HEADER
    for page in PAGES:
        text += f'    (\n        "{page}",\n        """\n'
        for row in range(0x80, 0x100, 16):
            text += "        " + " ".join(point(byte, page) for byte in range(row, row + 16)) + "\n"
        text += '        """\n    ),\n'
    OUTPUT.write_text(text + "]\n", encoding="ascii")


if __name__ == "__main__":
    main()
