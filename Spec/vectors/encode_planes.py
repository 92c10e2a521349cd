"""Exponent planes (6.4), the encodings fast and balanced: a table and the units that it makes, in the plainest way."""

from dataclasses import dataclass

from primitives import u8, u16, u32

FAST, BALANCED = 1, 2
KIND = 2                       # of the auxiliary page
PLANES = {FAST: 3, BALANCED: 2}


@dataclass
class ExponentTable:
    encoding: int
    offsets: list              # of the ranks: their number makes the levels
    bases: list
    reserved: int = 0
    choose: object = None      # (ranks that say the exponent, place of the value) to one of them, the least if None

    def planes(self):
        return PLANES[self.encoding]

    def levels(self):
        return len(self.offsets) - (2 ** self.planes() - 1)

    def payload(self):
        offsets = [o % 256 for o in self.offsets] + [0] * (16 - len(self.offsets))
        return (u8(self.planes()) + u8(self.levels()) + u16(self.reserved) + u32(len(self.bases)) + bytes(offsets)
                + bytes(self.bases))

    def rank(self, exponent, place):
        base = self.bases[place % len(self.bases)]
        fitting = [r for r, offset in enumerate(self.offsets) if (base + offset) % 256 == exponent] + [len(self.offsets)]
        return self.choose(fitting, place) if self.choose else fitting[0]

    def parts(self, plain):
        """Fractions, planes, levels, exceptions."""
        values = [int.from_bytes(plain[i:i + 2], "little") for i in range(0, len(plain), 2)]
        exponents = [v // 128 % 256 for v in values]
        ranks = [self.rank(e, place) for place, e in enumerate(exponents)]
        top = 2 ** self.planes() - 1
        fractions = bytes(v % 128 * 2 + v // 32768 for v in values)
        words = (len(values) + 63) // 64
        planes = b"".join(bits([min(r, top) // 2 ** k % 2 for r in ranks], 8 * words) for k in range(self.planes()))
        tail = [int(r > top + j) for j in range(self.levels()) for r in ranks if r >= top + j]
        exceptions = bytes(e for e, r in zip(exponents, ranks) if r == len(self.offsets))
        return fractions, planes, bits(tail, (len(tail) + 7) // 8), exceptions

    def encode(self, plain, where=None):
        return b"".join(self.parts(plain))


def bits(values, byte_count):
    """A list of 0 and 1 as bytes, from the least significant bit of the first one on."""
    return sum(bit << i for i, bit in enumerate(values)).to_bytes(byte_count, "little")
