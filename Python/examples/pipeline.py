"""From a loader's batches to what a training step takes, made ahead on a thread while the step before runs."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from student import ImageMaker

# By part of a step: the keys of the embeddings and of the token ids in a batch.
EMBEDDINGS = {"image": "image_emb", "real": "text_emb", "synthetic": "syn_text_emb"}
TOKENS = {"real": "text", "synthetic": "syn_text"}
CAPTIONS = {"real": ("real",), "synthetic": ("synthetic",), "both": ("real", "synthetic")}


@dataclass
class StepInput:
    """What one process needs for a step: images u8 [B, 3, H, W], token ids and stored embeddings by part."""

    images: torch.Tensor
    tokens: dict[str, torch.Tensor]
    stored: dict[str, torch.Tensor]

    @classmethod
    def of(cls, batch: Mapping[str, Any], images: torch.Tensor, captions: Sequence[str], taught: bool) -> StepInput:
        for part in captions:
            if TOKENS[part] not in batch:
                raise ValueError(f"the shards have no tokens of {part} captions: convert with --tokenizer")
        stored = {part: batch[EMBEDDINGS[part]] for part in ("image", *captions)} if taught else {}
        return cls(images, {part: batch[TOKENS[part]].long() for part in captions}, stored)

    def to(self, device: torch.device) -> StepInput:
        def moved(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            return {key: tensor.to(device, non_blocking=True) for key, tensor in tensors.items()}

        return StepInput(self.images.to(device, non_blocking=True), moved(self.tokens), moved(self.stored))

    def __len__(self) -> int:
        return self.images.shape[0]


@dataclass
class Prepared:
    """A step's input, where in the epochs it is, and the state of the loader behind its batch."""

    input: StepInput
    epoch: int
    step: int
    state: dict[str, Any]


class Pipeline:
    """An endless sequence of prepared batches, epoch after epoch.

    The loader has delivered more than was trained on: a checkpoint keeps the state that came with the batch, not the
    loader's own. `waited` is the time in seconds that the consumer spent waiting.
    """

    def __init__(
        self,
        loader: Any,
        maker: ImageMaker,
        captions: Sequence[str],
        taught: bool,
        device: torch.device,
        ahead: int = 2,
    ) -> None:
        self.loader, self.maker, self.captions, self.taught, self.device = loader, maker, captions, taught, device
        self.waited = 0.0
        self._ready: queue.Queue[Prepared | BaseException] = queue.Queue(max(1, ahead))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._prepare, name="batches", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Prepared]:
        return self

    def __next__(self) -> Prepared:
        began = time.perf_counter()
        item = self._ready.get()
        self.waited += time.perf_counter() - began
        if isinstance(item, BaseException):
            self._put(item)  # whoever asks again gets it again, and does not wait for ever
            raise item
        return item

    def close(self) -> None:
        """End the thread. The loader stays its owner's."""
        self._ended.set()
        while self._thread.is_alive():
            self._drop()
            self._thread.join(0.05)
        self._drop()

    def _drop(self) -> None:
        with contextlib.suppress(queue.Empty):
            self._ready.get_nowait()

    def _put(self, item: Prepared | BaseException) -> None:
        while not self._ended.is_set():
            try:
                return self._ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def _prepare(self) -> None:
        try:
            empty = 0
            while not self._ended.is_set():
                before = empty
                empty += 1
                for batch in self.loader:
                    empty = 0
                    self._put(self._prepared(batch))
                    if self._ended.is_set():
                        return
                # Resumed behind an epoch's last step, one pass may be empty; a second one says that all will be.
                if before and empty:
                    raise ValueError("the set has fewer rows than a batch")
        except BaseException as error:  # handed to the thread that asks for batches
            self._put(error)

    def _prepared(self, batch: Mapping[str, Any]) -> Prepared:
        state = self.loader.state_dict()
        made = StepInput.of(batch, self.maker(batch), self.captions, self.taught)
        if self.device.type == "cuda":
            # The copy runs beside the step before it only from memory that is pinned.
            made = StepInput(made.images.pin_memory(), made.tokens, made.stored)
        return Prepared(made, int(batch["epoch"]), int(batch["step"]), state)
