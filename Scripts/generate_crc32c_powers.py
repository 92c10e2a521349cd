#!/usr/bin/env python3
"""Writes Sources/CDRKernels/crc32c_powers.h: powers of x modulo the CRC-32C polynomial, by which streams are joined.

A 32-bit remainder is bit-reflected, as in the checksum itself: bit 31 - k is the coefficient of x^k. The kernels multiply
two reflected operands without carries; the missing bit of such a product (127 bits, not 128) is one factor x, and the
place of a 32-bit constant in a 64-bit operand is x^32, so that every exponent is 33 less than the distance in bits.
"""

import pathlib

OUTPUT = pathlib.Path(__file__).parent.parent / "Sources/CDRKernels/crc32c_powers.h"
POLYNOMIAL = 0x82F63B78
PERIOD = 2**31 - 1  # x^PERIOD = 1: (x + 1) times a primitive polynomial of degree 31
ITERATIONS = 32
LAYOUTS = [(40, 0), (40, 64), (40, 128), (24, 256)]


def times(a: int, b: int) -> int:
    """The product of two reflected remainders."""
    product = 0
    for bit in range(31, -1, -1):
        if b >> bit & 1:
            product ^= a
        a = a >> 1 ^ (POLYNOMIAL if a & 1 else 0)
    return product


def power(n: int) -> int:
    n %= PERIOD
    result, square = 1 << 31, 1 << 30
    while n:
        if n & 1:
            result = times(result, square)
        square = times(square, square)
        n >>= 1
    return result


def hexes(values: list[int]) -> str:
    return ", ".join(f"0x{v:08x}" for v in values)


def main() -> None:
    assert power(PERIOD) == 1 << 31 and power(32) == POLYNOMIAL
    lines = [
        "// Written by Scripts/generate_crc32c_powers.py; do not edit.",
        "#ifndef CRC32C_POWERS_H",
        "#define CRC32C_POWERS_H",
        "",
        "#include <stdint.h>",
        "",
        "/// Iterations of a superblock at most.",
        f"#define CRC32C_ITERATIONS {ITERATIONS}",
        "",
        "// CRC32C_FOLD_d: for moving the first and the second half of a 128-bit register on by d bytes.",
    ]
    for d in (16, 32, 48, 64, 96, 128, 192, 256):
        lines.append(f"#define CRC32C_FOLD_{d} {hexes([power(8 * d + 31), power(8 * d - 33)])}")
    for stream, folded in LAYOUTS:
        lines += [
            "",
            f"// Superblocks of i + 1 iterations, each {stream} bytes of three streams and then {folded} folded ones: for",
            "// moving each stream's remainder on to the end.",
            f"static const uint32_t crc32c_ends_{stream}_{folded}[CRC32C_ITERATIONS][3] = {{",
        ]
        for i in range(1, ITERATIONS + 1):
            ends = [8 * i * (after * stream + folded) - 33 for after in (2, 1, 0)]
            lines.append(f"    {{{hexes([power(n) for n in ends])}}},")
        lines.append("};")
    OUTPUT.write_text("\n".join(lines + ["", "#endif", ""]), encoding="ascii")


if __name__ == "__main__":
    main()
