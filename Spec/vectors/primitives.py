"""Numbers, text, records and CRC-32C as bytes: sections 4 and 8.1 of FORMAT.md."""

import struct


def _table():
    rows = []
    for n in range(256):
        for _ in range(8):
            n = (n >> 1) ^ (0x82F63B78 if n & 1 else 0)
        rows.append(n)
    return rows


_CRC = _table()


def crc32c(data):
    c = 0xFFFFFFFF
    for b in data:
        c = _CRC[(c ^ b) & 255] ^ (c >> 8)
    return c ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283


def pad64(n):
    return (n + 63) // 64 * 64


def padded(data):
    return bytes(data) + bytes(pad64(len(data)) - len(data))


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def u8(n):
    return struct.pack("<B", n)


def u16(n):
    return struct.pack("<H", n)


def u32(n):
    return struct.pack("<I", n)


def u64(n):
    return struct.pack("<Q", n)


def u128(n):
    return n.to_bytes(16, "little")


def f64(x):
    """A number, or its 64 bits as bytes."""
    return x if isinstance(x, bytes) else struct.pack("<d", x)


def text(s):
    return s if isinstance(s, bytes) else s.encode("utf-8")


def record(fields):
    return b"".join(u16(tag) + u32(len(value)) + value for tag, value in fields)
