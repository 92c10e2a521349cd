#!/usr/bin/env python3
"""Other codecs on the bytes of bf16 embeddings: one thread each, and every round trip is checked.

`codecs.py` runs it beside CodecBenchmark, and it prints records as that does, one JSON object a line. Speeds are in
GB/s of plain bytes, by the processor time of the process, so that a thread that a codec starts anyway counts too. A
peer is given all bytes at once; where it can it decodes into memory that is there already.

    python3 codec_peers.py [--mib N] [--rounds N] [--only PEER] [--suffix TEXT] NAME:FILE.npy…
"""

import argparse
import json
import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Callable

import blosc2
import numpy as np
import zipnn
import zstandard
from pcodec import ChunkConfig, standalone

HOT_BYTES = 192 << 10
CELLS_OF_A_ROUND = 2000


@dataclass
class Peer:
    name: str
    encode: Callable[[np.ndarray], Any]
    # Gets what `encode` gave and memory for the result; returns what holds the bytes.
    decode: Callable[[Any, np.ndarray], Any]
    size: Callable[[Any], int] = len


def zipnn_peer() -> Peer:
    codec = zipnn.ZipNN(bytearray_dtype="bfloat16", input_format="byte", threads=1)
    # It may change the bytes that it is given.
    return Peer("ZipNN", lambda a: codec.compress(bytearray(a)), lambda c, out: codec.decompress(c))


def blosc_peer(name: str, codec: blosc2.Codec, level: int, shuffle: blosc2.Filter) -> Peer:
    filters = [blosc2.Filter.NOFILTER] * 5 + [shuffle]
    settings = {"codec": codec, "clevel": level, "typesize": 2, "filters": filters, "nthreads": 1}

    def decode(compressed: bytes, out: np.ndarray) -> np.ndarray:
        blosc2.decompress2(compressed, dst=out, nthreads=1)
        return out

    return Peer(name, lambda a: blosc2.compress2(a, **settings), decode)


def pcodec_peer() -> Peer:
    config = ChunkConfig(compression_level=8)

    def decode(compressed: bytes, out: np.ndarray) -> np.ndarray:
        standalone.simple_decompress_into(compressed, out.view(np.uint16))
        return out

    return Peer("pcodec u16, level 8", lambda a: standalone.simple_compress(a.view(np.uint16), config), decode)


def zstd_peer(level: int) -> Peer:
    encoder, decoder = zstandard.ZstdCompressor(level=level), zstandard.ZstdDecompressor()
    return Peer(f"zstd -{level}", lambda a: encoder.compress(a), lambda c, out: decoder.decompress(c))


def split_peer() -> Peer:
    """The low and the high bytes apart, in blocks that stay in the cache while they are split."""
    encoder, decoder = zstandard.ZstdCompressor(level=1), zstandard.ZstdDecompressor()
    block = 1 << 18

    def encode(a: np.ndarray) -> list[bytes]:
        parts = (a[i : i + block] for i in range(0, len(a), block))
        return [encoder.compress(np.ascontiguousarray(p[half::2])) for p in parts for half in (0, 1)]

    def decode(frames: list[bytes], out: np.ndarray) -> np.ndarray:
        for i in range(0, len(frames), 2):
            place = out[i // 2 * block : (i // 2 + 1) * block]
            for half in (0, 1):
                place[half::2] = np.frombuffer(decoder.decompress(frames[i + half]), np.uint8)
        return out

    return Peer("2 planes, zstd -1", encode, decode, lambda frames: sum(map(len, frames)))


def all_peers() -> list[Peer]:
    return [
        zipnn_peer(),
        blosc_peer("blosc2 bitshuffle+lz4", blosc2.Codec.LZ4, 5, blosc2.Filter.BITSHUFFLE),
        blosc_peer("blosc2 shuffle+zstd1", blosc2.Codec.ZSTD, 1, blosc2.Filter.SHUFFLE),
        pcodec_peer(),
        zstd_peer(1),
        zstd_peer(3),
        split_peer(),
    ]


def seconds(rounds: int, body: Callable[[], Any], at_least: float = 0.0) -> list[float]:
    """Of each round, after one that does not count; a slow body has three rounds only."""
    start = time.process_time()
    body()
    first = time.process_time() - start
    repeats = max(1, int(at_least / max(first, 1e-7)))
    times = []
    for _ in range(rounds if first < 2 else min(3, rounds)):
        start = time.process_time()
        for _ in range(repeats):
            body()
        times.append((time.process_time() - start) / repeats)
    return times


class PeerRun:
    """The measurements of one data set, in the records of CodecBenchmark."""

    def __init__(self, data: str, array: np.ndarray, byte_count: int, rounds: int, suffix: str = "") -> None:
        self.data = data
        self.suffix = suffix
        self.cell = array.shape[-1] * 2
        self.plain = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        repeats = -(-byte_count // len(self.plain))
        self.large = np.tile(self.plain, repeats)
        self.out = np.ones(len(self.large), np.uint8)
        self.rounds = rounds

    def add(self, storage: str, what: str, values: list[float], unit: str) -> None:
        record = {"data": self.data, "storage": storage + self.suffix, "what": what, "unit": unit, "values": values}
        print(json.dumps(record), flush=True)

    def speed(self, storage: str, what: str, byte_count: int, body: Callable, at_least: float = 0.0) -> None:
        times = seconds(self.rounds, body, at_least)
        self.add(storage, what, [byte_count / t / 1e9 for t in times], "GB/s")

    def check(self, peer: Peer, compressed: Any, plain: np.ndarray) -> None:
        out = np.zeros(len(plain), np.uint8)
        if not np.array_equal(np.frombuffer(peer.decode(compressed, out), np.uint8), plain):
            raise SystemExit(f"{peer.name} changed the bytes of {self.data}")

    def run(self, only: str | None) -> None:
        if only is None:
            self.copies()
            self.cells()
        for peer in all_peers():
            if only is not None and peer.name != only:
                continue
            compressed = peer.encode(self.plain)
            self.check(peer, compressed, self.plain)
            self.add(peer.name, "ratio", [len(self.plain) / peer.size(compressed)], "")
            self.speed(peer.name, "encode", len(self.large), lambda: peer.encode(self.large))
            compressed = peer.encode(self.large)
            self.check(peer, compressed, self.large)
            self.speed(peer.name, "decode, unchecked", len(self.large), lambda: peer.decode(compressed, self.out))
            hot = self.plain[: HOT_BYTES // self.cell * self.cell]
            compressed = peer.encode(hot)
            place = self.out[: len(hot)]
            self.speed(
                peer.name, "decode in L2, unchecked", len(hot), lambda: peer.decode(compressed, place), at_least=0.1
            )

    def copies(self) -> None:
        name = "numpy copy"
        self.speed(name, "decode, unchecked", len(self.large), lambda: np.copyto(self.out, self.large))
        rows = self.large[: len(self.large) // self.cell * self.cell].reshape(-1, self.cell)
        order = np.random.default_rng(1).permutation(len(rows))
        target = self.out[: rows.size].reshape(rows.shape)
        name = "numpy take of rows"
        self.speed(name, "decode, unchecked", rows.size, lambda: np.take(rows, order, 0, target, mode="clip"))

    def cells(self) -> None:
        """ZipNN on every cell by itself, the time of calls included."""
        peer = zipnn_peer()
        count = min(CELLS_OF_A_ROUND, len(self.plain) // self.cell)
        step = len(self.plain) // self.cell // count * self.cell
        cells = [self.plain[i * step : i * step + self.cell] for i in range(count)]
        compressed = [peer.encode(cell) for cell in cells]
        for cell, stored in zip(cells, compressed):
            self.check(peer, stored, cell)
        name, byte_count = "ZipNN, cell by cell", count * self.cell
        self.add(name, "ratio", [byte_count / sum(map(len, compressed))], "")
        self.speed(name, "encode", byte_count, lambda: [peer.encode(cell) for cell in cells])
        self.speed(name, "decode, unchecked", byte_count, lambda: [peer.decode(c, self.out) for c in compressed])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only")
    parser.add_argument("--suffix", default="")
    parser.add_argument("data", nargs="+")
    arguments = parser.parse_args()
    blosc2.set_nthreads(1)
    names = ["blosc2", "numpy", "pcodec", "zipnn", "zstandard"]
    print(json.dumps({"what": "versions", "versions": {name: version(name) for name in names}}))
    for data in arguments.data:
        name, path = data.split(":")
        PeerRun(name, np.load(path), arguments.mib << 20, arguments.rounds, arguments.suffix).run(arguments.only)


if __name__ == "__main__":
    main()
