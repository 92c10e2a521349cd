"""Synthetic captions: written by a CoCa model of open_clip, or ready ones of a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import open_clip
import torch
from PIL import Image

from .drawing import seed_of
from .samples import Sample
from .teachers import casting, load_model, model_name


class Captions(Protocol):
    """What makes `count` captions for each sample."""

    name: str
    settings: str
    count: int

    def pixels(self, image: Image.Image) -> torch.Tensor | None: ...

    def captions(self, samples: Sequence[Sample], pixels: Sequence[torch.Tensor | None]) -> list[list[str]]: ...


class ReadyCaptions:
    """Captions of a file of lines such as `{"uid": "9e39...", "syn_text": ["a dog", ...]}`.

    Args:
        path: the file. `uid` has 32 hexadecimal digits; further fields are ignored.
        count: how many each sample gets, the first ones; None means as many as the first line has.

    Raises:
        SystemExit: a line that is no such object, or has fewer captions.
    """

    def __init__(self, path: Path, count: int | None) -> None:
        self._by_uid: dict[bytes, list[str]] = {}
        try:
            content = path.read_bytes()
        except OSError as error:
            raise SystemExit(f"{path}: {error.strerror}") from None
        for number, line in enumerate(content.splitlines(), 1):
            try:
                fields = json.loads(line)
                texts = [str(text) for text in fields["syn_text"]]
                uid = bytes.fromhex(fields["uid"])
            except (ValueError, KeyError, TypeError):
                raise SystemExit(f'{path}:{number}: expected an object with "uid" and a list "syn_text"') from None
            count = count or len(texts)
            if not texts or len(texts) < count:
                raise SystemExit(f"{path}:{number}: {len(texts)} captions, expected {count}")
            self._by_uid[uid] = texts[:count]
        if count is None:
            raise SystemExit(f"{path}: has no captions")
        self.name, self.count = path.name, count
        self.settings = json.dumps({"sha256": hashlib.sha256(content).hexdigest()})

    def pixels(self, image: Image.Image) -> None:
        """Nothing: the captions are there."""

    def captions(self, samples: Sequence[Sample], pixels: Sequence[None]) -> list[list[str]]:
        """[N][count] captions.

        Raises:
            SystemExit: a sample that the file has no captions for.
        """
        for sample in samples:
            if sample.uid not in self._by_uid:
                raise SystemExit(f"{sample.key}: there are no captions for uid {sample.uid.hex()}")
        return [self._by_uid[sample.uid] for sample in samples]


class Captioner:
    """A CoCa model that draws captions word by word from the likeliest ones (nucleus sampling).

    The chances that decide depend on the seed, the uid and the number of the caption, whatever else is in the batch.

    Args:
        name: MODEL:PRETRAINED or MODEL:random, a CoCa model of open_clip.
        count: captions of each image.
        length: most tokens of a caption, the start and the end among them.
        top_p: words are drawn from the likeliest ones, that have this probability together.
    """

    def __init__(
        self, name: str, seed: int, device: str, precision: str, count: int, length: int = 30, top_p: float = 0.9
    ) -> None:
        # Models of open_clip that write captions do not run in 16 bits throughout.
        precision = "fp32" if precision == "fp32" else "amp"
        self._model, self._transform = load_model(name, seed, device, precision)
        if not hasattr(self._model, "text_decoder"):
            raise SystemExit(f"{name}: writes no captions; models that do are called coca_...")
        self._tokenizer = open_clip.get_tokenizer(model_name(name))
        self._seed, self._device, self._precision = seed, device, precision
        self.name, self.count, self._length, self._top_p = name, count, length, top_p
        self.settings = json.dumps({"sampling": "nucleus", "top_p": top_p, "length": length, "seed": seed})

    def pixels(self, image: Image.Image) -> torch.Tensor:
        """What the model sees of an image, which may be made on another thread: f32 [3, height, width]."""
        return self._transform(image)

    def captions(self, samples: Sequence[Sample], pixels: Sequence[torch.Tensor]) -> list[list[str]]:
        """[N][count] captions of samples and their `pixels`."""
        seen = torch.stack(list(pixels)).to(self._device)
        with casting(self._device, self._precision):
            latent, embedded = self._model._encode_image(seen)
            tokens = self._draw(latent, embedded, self._chances(samples))
        texts = [self._text(row) for row in tokens.tolist()]
        return [texts[at : at + self.count] for at in range(0, len(texts), self.count)]

    def _chances(self, samples: Sequence[Sample]) -> torch.Tensor:
        """Numbers from 0 to 1, f32 [N * count, length]."""
        seeds = [seed_of(self._seed, "caption", sample.uid, k) for sample in samples for k in range(self.count)]
        chances = np.stack([np.random.Generator(np.random.PCG64(seed)).random(self._length) for seed in seeds])
        return torch.from_numpy(chances).to(self._device, torch.float32)

    def _draw(self, latent: torch.Tensor, embedded: torch.Tensor, chances: torch.Tensor) -> torch.Tensor:
        """Token ids [N * count, at most length], zeros behind the end."""
        latent, embedded = (part.repeat_interleave(self.count, dim=0) for part in (latent, embedded))
        start, end = self._tokenizer.sot_token_id, self._tokenizer.eot_token_id
        tokens = torch.full((len(chances), 1), start, device=self._device)
        is_done = torch.zeros(len(chances), dtype=torch.bool, device=self._device)
        for place in range(1, self._length - 1):
            output = self._model(None, tokens, image_latent=latent, image_embs=embedded, output_labels=False)
            logits = output["logits"][:, -1].float()
            # Neither the start, nor what stands for nothing, nor an end before the first word.
            logits[:, [start, 0] + ([end] if place == 1 else [])] = -torch.inf
            drawn = self._pick(logits, chances[:, place]).masked_fill(is_done, 0)
            tokens = torch.cat((tokens, drawn[:, None]), dim=1)
            is_done |= drawn == end
            if is_done.all():
                break
        return tokens

    def _pick(self, logits: torch.Tensor, chances: torch.Tensor) -> torch.Tensor:
        """One id for each row of logits [N, words]."""
        likely, ids = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        up_to = likely.cumsum(dim=-1)
        is_kept = up_to - likely < self._top_p
        whole = (likely * is_kept).sum(dim=-1)
        place = (up_to < (chances * whole)[:, None]).sum(dim=-1, keepdim=True)
        return ids.gather(1, place.clamp(max=ids.shape[1] - 1)).squeeze(1)

    def _text(self, ids: list[int]) -> str:
        end = self._tokenizer.eot_token_id
        words = ids[1 : ids.index(end)] if end in ids else [number for number in ids[1:] if number]
        return " ".join(self._tokenizer.decode(words).split())
