"""A training step of a student: precision, large batches in pieces, optimiser, learning rate, several processes."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from pipeline import StepInput
from processes import Processes
from reinforced import ReinforcedLoss
from student import Look, Student
from torch.nn.parallel import DistributedDataParallel

DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
# As CLIP: a scale above 100 makes training unstable.
LARGEST_LOG_SCALE = math.log(100)


@dataclass(frozen=True)
class Recipe:
    """What the optimiser does; the defaults are those of the released recipes for large batches."""

    steps: int
    learning_rate: float = 1e-3
    warmup: int = 1000
    weight_decay: float = 0.2
    betas: tuple[float, float] = (0.9, 0.95)
    epsilon: float = 1e-8
    clip: float | None = 1.0
    precision: str = "fp32"
    accumulate: int = 1

    def rate(self, step: int) -> float:
        """The learning rate of a step, from 0: rises linearly, then falls as a cosine to 0 behind the last step."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def optimiser_for(model: torch.nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW. Gains, biases and the logit scale, which have one dimension or none, are not drawn towards zero."""
    parameters = [each for each in model.parameters() if each.requires_grad]
    groups = [
        {"params": [each for each in parameters if each.ndim < 2], "weight_decay": 0.0},
        {"params": [each for each in parameters if each.ndim >= 2], "weight_decay": recipe.weight_decay},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=recipe.betas, eps=recipe.epsilon)


@contextlib.contextmanager
def _buffers_kept(model: torch.nn.Module) -> Iterator[None]:
    """Running statistics are behind the block as they were before it: a pass that is repeated counts once."""
    before = [(buffer, buffer.clone()) for buffer in model.buffers()]
    yield
    with torch.no_grad():
        for buffer, value in before:
            buffer.copy_(value)


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """The state of torch's random numbers, on the CPU and on the device."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: dict[str, torch.Tensor], device: torch.device) -> None:
    torch.set_rng_state(state["cpu"].cpu())
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"].cpu(), device)


@dataclass
class Trainer:
    """A student in training. `step` does one step of the optimiser on this process's part of a batch."""

    model: torch.nn.Module
    loss: ReinforcedLoss
    recipe: Recipe
    where: Processes
    steps_done: int = 0
    look: Look = field(init=False)

    def __post_init__(self) -> None:
        device = self.where.device
        self.look = Look.of(self.model)
        self.student = Student(self.model.to(device)).train()
        self.module: torch.nn.Module = self.student
        if self.where.count > 1:
            self.module = DistributedDataParallel(self.student, device_ids=[device] if device.type == "cuda" else None)
        self.optimiser = optimiser_for(self.model, self.recipe)
        self.dtype = DTYPES[self.recipe.precision]
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.dtype is torch.float16)

    def step(self, given: StepInput) -> dict[str, torch.Tensor]:
        """One step. Returns the loss and its parts, and the gradient's norm, of this process and without gradients."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.rate(self.steps_done)
        given = given.to(self.where.device)
        self.optimiser.zero_grad(set_to_none=True)
        parts = self.gradients(given)
        self.scaler.unscale_(self.optimiser)
        largest = self.recipe.clip if self.recipe.clip else math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), largest)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        with torch.no_grad():
            self.model.logit_scale.clamp_(0, LARGEST_LOG_SCALE)
        self.steps_done += 1
        return {**parts, "gradient_norm": norm.detach()}

    def gradients(self, given: StepInput) -> dict[str, torch.Tensor]:
        """Add the gradient of the loss on all rows of all processes to the parameters.

        The loss compares every row with every other, so a batch that does not fit in memory cannot be cut up and its
        losses added. Its features can: those of all pieces are computed without a graph, the loss and its gradient with
        respect to each feature from all of them, and then each piece once more, with a graph that this gradient enters.
        """
        pieces = self._pieces(given)
        if len(pieces) == 1:
            features = self._features(pieces[0])
            parts, gradients = self._feature_gradients(features, given)
            torch.autograd.backward(features, gradients)
            return parts
        states, parts_of = [], []
        with torch.no_grad(), _buffers_kept(self.student):
            for piece in pieces:
                states.append(random_state(self.where.device))
                parts_of.append(self._features(piece, self.student))
        together = self._together(parts_of, given)
        parts, gradients = self._feature_gradients(together, given)
        after = self._backward_in_pieces(pieces, states, gradients)
        set_random_state(after, self.where.device)
        return parts

    def _pieces(self, given: StepInput) -> list[StepInput]:
        count = self.recipe.accumulate
        if len(given) % count:
            raise ValueError(f"{len(given)} rows of a process cannot be cut into {count} pieces")
        size = len(given) // count
        cuts = [slice(i * size, (i + 1) * size) for i in range(count)]
        return [StepInput(given.images[cut], {k: v[cut] for k, v in given.tokens.items()}, {}) for cut in cuts]

    def _features(self, piece: StepInput, module: torch.nn.Module | None = None) -> tuple[torch.Tensor, ...]:
        """Image features, text features (the captions' parts one below the other) and the logit scale of a piece."""
        enabled = self.dtype is not None
        with torch.autocast(self.where.device.type, dtype=self.dtype or torch.bfloat16, enabled=enabled):
            images = self.look.normalised(piece.images)
            return (module or self.module)(images, torch.cat(list(piece.tokens.values())))

    def _feature_gradients(
        self, features: tuple[torch.Tensor, ...], given: StepInput
    ) -> tuple[dict[str, torch.Tensor], tuple[torch.Tensor, ...]]:
        """The loss's parts, and its gradient for features of the whole batch and for the logit scale."""
        image, text, scale = leaves = tuple(each.detach().requires_grad_() for each in features)
        texts = dict(zip(given.tokens, text.split(len(given))))
        parts = self.loss(image, texts, scale, given.stored)
        self.scaler.scale(parts["loss"]).backward()
        return {name: value.detach() for name, value in parts.items()}, tuple(leaf.grad for leaf in leaves)

    def _together(self, parts_of: list[tuple[torch.Tensor, ...]], given: StepInput) -> tuple[torch.Tensor, ...]:
        """Features of pieces as those of the batch: a piece has all captions' parts of its rows, the batch of all."""
        images, texts, scales = zip(*parts_of)
        split = [text.chunk(len(given.tokens)) for text in texts]
        return torch.cat(images), torch.cat([torch.cat(part) for part in zip(*split)]), scales[0]

    def _backward_in_pieces(
        self,
        pieces: list[StepInput],
        states: list[dict[str, torch.Tensor]],
        gradients: tuple[torch.Tensor, ...],
    ) -> dict[str, torch.Tensor]:
        image, text, scale = gradients
        images = image.chunk(len(pieces))
        texts = [part.chunk(len(pieces)) for part in text.chunk(len(pieces[0].tokens))]
        for number, (piece, state) in enumerate(zip(pieces, states)):
            set_random_state(state, self.where.device)  # the same dropout as in the pass without a graph
            last = number == len(pieces) - 1
            # Processes exchange gradients once, with the last piece.
            waits = contextlib.nullcontext() if last or self.where.count == 1 else self.module.no_sync()
            with waits:
                features = self._features(piece)
                own = torch.cat([part[number] for part in texts])
                # The logit scale belongs to the batch, not to each piece: its gradient enters once.
                torch.autograd.backward(features, (images[number], own, scale if last else torch.zeros_like(scale)))
        return random_state(self.where.device)

    def state(self) -> dict[str, Any]:
        """All that a later step depends on, but for the data."""
        return {
            "state_dict": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "steps_done": self.steps_done,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["state_dict"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        self.steps_done = state["steps_done"]
