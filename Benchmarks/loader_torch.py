"""Loaders that torch's DataLoader drives: WebDataset as the released trainer reads it, and MosaicML's MDS."""

import random
import struct
import sys
import types
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from loader_base import Peer
from loader_data import CONTEXT, DIMS, RECORD, TEXTS, VIEWS, Batch

ROWS_OF_A_TAR = 1024
RECORD_FORMAT = struct.Struct("<6i2f")


def batch_of(values: dict[str, Any]) -> Batch:
    """Tensors as arrays, the bits of bf16 as u16, without a copy."""
    import torch

    batch = {}
    for name, value in values.items():
        if isinstance(value, torch.Tensor):
            value = value.view(torch.int16) if value.dtype == torch.bfloat16 else value
            value = value.numpy()
        batch[name] = value.view(np.uint16) if value.dtype == np.int16 else value
    return batch


class TorchPeer(Peer):
    # On one core there is no other process: handing batches over would only cost.
    workers = {1: 0, 2: 2}

    def threads(self, workers: int) -> str:
        return "in process, 1 thread" if workers == 0 else f"{workers} worker processes of DataLoader"

    @cache
    def loader(self, folder: Path, batch_size: int, workers: int) -> Any:
        raise NotImplementedError


class WebDataset(TorchPeer):
    """Tars with a `pth.gz` for each sample; all of a sample is read, inflated and unpickled for one view of it.

    The trainer's own pipeline and sizes of its shuffle buffer. Tokens lie beside the embeddings, so that none are made
    on the fly; embeddings stay bf16, and pictures are left out. All that is in the favour of WebDataset.
    """

    name = "WebDataset, .pth.gz"
    packages = ["webdataset", "torch", "numpy"]
    compressed = True

    def write(self, arrays: Batch, folder: Path) -> None:
        import torch
        import webdataset

        row_count = len(arrays["uid"])
        # At least two tars for each of two workers.
        rows_of_a_tar = max(1, min(ROWS_OF_A_TAR, row_count // 4))
        for start in range(0, row_count, rows_of_a_tar):
            with webdataset.TarWriter(str(folder / f"{start // rows_of_a_tar:08d}.tar")) as tar:
                for row in range(start, min(start + rows_of_a_tar, row_count)):
                    tar.write(self.sample(arrays, row, torch))

    @staticmethod
    def sample(arrays: Batch, row: int, torch: Any) -> dict[str, Any]:
        def bf16(values: np.ndarray) -> Any:
            return torch.from_numpy(values.astype(np.uint16).view(np.int16)).view(torch.bfloat16)

        uid = arrays["uid"][row].tobytes().hex()
        parameters = [RECORD_FORMAT.unpack(record.tobytes()) for record in arrays["augmentation"][row]]
        tokens = arrays["tokens"][row].astype(np.int32)
        texts = [" ".join(f"w{token}" for token in caption if token) for caption in tokens.tolist()]
        return {
            "__key__": uid,
            "txt": texts[0],
            "syn.json": {"syn_text": texts[1:]},
            "paug.json": {"param_aug": [[p[:4], [[p[4], p[6]], [p[5], p[7]]]] for p in parameters]},
            "pth.gz": {
                "image_emb": bf16(arrays["image"][row]),
                "text_emb": bf16(arrays["text"][row]),
                "tokens": torch.from_numpy(tokens),
            },
            "json": {"uid": uid, "sha256": uid + uid},
        }

    @staticmethod
    def choose(sample: dict[str, Any]) -> dict[str, Any]:
        """One view, the real caption and one synthetic caption of a decoded sample."""
        import torch

        parameters = sample["paug.json"]["param_aug"]
        view = random.randrange(len(parameters))
        caption = 1 + random.randrange(len(sample["syn.json"]["syn_text"]))
        crop, ((first, a), (second, b)) = parameters[view]
        record = bytearray(RECORD_FORMAT.pack(*crop, first, second, a, b))
        stored = sample["pth.gz"]
        return {
            "image": stored["image_emb"][view],
            "text": stored["text_emb"][0],
            "synthetic_text": stored["text_emb"][caption],
            "tokens": stored["tokens"][0],
            "synthetic_tokens": stored["tokens"][caption],
            "augmentation": torch.frombuffer(record, dtype=torch.uint8),
            "uid": torch.frombuffer(bytearray.fromhex(sample["json"]["uid"]), dtype=torch.uint8),
            "views": view,
            "captions": caption,
        }

    FIELDS = [
        *["image", "text", "synthetic_text", "tokens", "synthetic_tokens", "augmentation"],
        *["uid", "views", "captions"],
    ]

    @cache
    def loader(self, folder: Path, batch_size: int, workers: int) -> Any:
        import webdataset

        pipeline = webdataset.DataPipeline(
            webdataset.SimpleShardList([str(file) for file in sorted(folder.glob("*.tar"))]),
            webdataset.detshuffle(bufsize=2000, initial=500, seed=0),
            webdataset.split_by_worker,
            webdataset.tarfile_to_samples(),
            webdataset.shuffle(bufsize=5000, initial=1000),
            webdataset.decode(),
            webdataset.map(self.choose),
            webdataset.to_tuple(*self.FIELDS),
            webdataset.batched(batch_size, partial=True),
        )
        return webdataset.WebLoader(
            pipeline, batch_size=None, shuffle=False, num_workers=workers, persistent_workers=workers > 0
        )

    def epoch(self, folder: Path, batch_size: int, epoch: int, workers: int) -> Iterator[Batch]:
        for values in self.loader(folder, batch_size, workers):
            yield batch_of(dict(zip(self.FIELDS, values)))


class MDS(TorchPeer):
    """MosaicML's shards of whole rows, shuffled by its own order."""

    name = "MosaicML MDS"
    packages = ["mosaicml-streaming", "torch", "numpy"]
    columns = {
        "image": f"ndarray:uint16:{VIEWS},{DIMS}",
        "text": f"ndarray:uint16:{TEXTS},{DIMS}",
        "tokens": f"ndarray:uint16:{TEXTS},{CONTEXT}",
        "augmentation": f"ndarray:uint8:{VIEWS},{RECORD}",
        "uid": "ndarray:uint8:16",
    }

    @staticmethod
    def streaming() -> Any:
        # Its data sets of pictures import torchvision, whose wheels do not go with a torch for processors alone.
        sys.modules.setdefault("streaming.vision", types.ModuleType("streaming.vision"))
        import streaming

        return streaming

    def write(self, arrays: Batch, folder: Path) -> None:
        with self.streaming().MDSWriter(out=str(folder), columns=self.columns) as writer:
            for row in range(len(arrays["uid"])):
                writer.write({name: np.ascontiguousarray(arrays[name][row]) for name in self.columns})

    @cache
    def loader(self, folder: Path, batch_size: int, workers: int) -> Any:
        streaming = self.streaming()
        import torch

        class Rows(streaming.StreamingDataset):
            def __getitem__(self, at: Any) -> Any:
                row = super().__getitem__(at)
                return choose(row) if isinstance(row, dict) else row

        def choose(row: dict[str, np.ndarray]) -> dict[str, Any]:
            view, caption = random.randrange(VIEWS), random.randrange(1, TEXTS)
            return {
                # torch has copies for i16, and only some for u16.
                "image": row["image"][view].view(np.int16),
                "text": row["text"][0].view(np.int16),
                "synthetic_text": row["text"][caption].view(np.int16),
                "tokens": row["tokens"][0].astype(np.int32),
                "synthetic_tokens": row["tokens"][caption].astype(np.int32),
                "augmentation": row["augmentation"][view],
                "uid": row["uid"],
                "views": view,
                "captions": caption,
            }

        # What a run that was killed left in shared memory would stand in the way.
        streaming.base.util.clean_stale_shared_memory()
        rows = Rows(local=str(folder), shuffle=True, batch_size=batch_size)
        return torch.utils.data.DataLoader(
            rows, batch_size=batch_size, num_workers=workers, persistent_workers=workers > 0
        )

    def epoch(self, folder: Path, batch_size: int, epoch: int, workers: int) -> Iterator[Batch]:
        for values in self.loader(folder, batch_size, workers):
            yield batch_of(values)
