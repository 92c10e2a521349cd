"""Loading: epochs of paired batches, made ahead on threads of the library's, without the GIL."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator, Mapping
from ctypes import POINTER, byref, c_char_p, c_int64, c_size_t, c_void_p
from typing import Any

from . import _options, _types
from ._batch import BatchMaker
from ._native import Array, BatchInfo, Handle, LoaderCounts, LoaderSet, call, error_of, library, taken_text
from .dataset import DataSet
from .errors import END, NOT_YET, ArgumentError, ClosedError

# How long a call of the library's waits at most: a signal such as Ctrl-C is looked at between two calls.
_PATIENCE = 50_000_000


class Loader:
    """Epochs of a data set, or of several, as paired batches: every image with a real and a synthetic caption.

    ``for batch in loader`` is one epoch; the next ``for`` is the next epoch, or the rest of one that was left by ``break``.
    `set_epoch` chooses. The order is a pure function of the rows, the options, the epoch and the step (Spec/ORDER.md): the
    same for any number of ranks, threads and workers.

    A batch is a dict of arrays of B samples. They lie in memory of the library's, which nobody writes to as long as
    somebody has one of them.

    | key | |
    |---|---|
    | ``image_emb``, ``text_emb``, ``syn_text_emb`` | [B, D], as stored or ``embedding_dtype``; bf16 as `ml_dtypes.bfloat16`, or uint16 without ml_dtypes |
    | ``text``, ``syn_text`` | [B, context] token ids: start, tokens, end, zeros |
    | ``text_length``, ``syn_text_length`` | int32 [B]: ids before the zeros |
    | ``caption``, ``syn_caption`` | sequences of B str (content "texts") |
    | ``image`` | sequence of B bytes or `Locator` (content "images") |
    | ``augmentation`` | sequence of B `Augmentation` |
    | ``row`` | int64 [B]: rows of the data set |
    | ``row_id`` | uint8 [B, n] (content "row_ids") |
    | ``view``, ``real``, ``synthetic`` | int32 [B]: the variants that were delivered; of several axes ``view_axis`` ... too |
    | ``set`` | int32 [B], of several data sets |
    | ``repetition`` | uint8 [B], with tail "pad": samples that are there again to fill the batch |
    | ``epoch``, ``step`` | int |

    A forked child may go on with it, and it can be pickled for a spawned one. `drshard.torch.PairedLoader` is the same with
    tensors, and may stand in a `torch.utils.data.DataLoader`. Many threads may use one loader; each `epoch` belongs to one.

    Args:
        data: a path, a `DataSet`, or a list of these, whose rows are mixed.
        batch_size: rows of a global batch, of all ranks together.
        seed: below 2**63.
        rank, world_size: which process of a job this is.
        order: "blocks" (blocks of rows, mixed in a window), "global" (every row anywhere), "none".
        variants: "balanced" (all rows of a block have the same view, each view once in as many epochs as there are),
            "epoch", "independent".
        tail: of the last rows: "drop", "pad", "short".
        lanes, block_rows, window_blocks: how the order is made: Spec/ORDER.md section 4.
        epoch_steps: steps of an epoch of several sets; None: as many as their rows fill.
        weights: of several sets, whole numbers.
        content: of "embeddings", "augmentations", "tokens", "texts", "images", "row_ids". What is not named is not read.
        views, real, synthetic: axes that are drawn from: a name, names, or a dict of names and weights; None: the only one.
        tokenizer: the name of the tokenizer whose tokens are wanted; None: the only one.
        embedding_dtype: "bf16", "f16", "f32"; None: as stored.
        join_embeddings: whether the embedding columns of a part stand side by side in one array; else they are
            ``image_emb/COLUMN`` and so on, where there are several.
        token_dtype: "i32", "i64", or "u16" where all ids fit.
        only, exclude: row ids (bytes, or hexadecimal digits): only these rows, or all others.
        split: (name, from, to, count): only rows whose ids fall into parts [from, to) of ``count`` equal ones.
        quarantine: texts, or paths, of lists of rows that are not read.
        max_lost_rows: so many rows that turn out to be damaged are substituted, and counted; None: the first ends the run.
        threads: that read and decode; None: one a core, at most 8.
        prefetch_bytes: of batches that are made ahead, at least.
        read_ahead_bytes: that the system is asked to fetch ahead; 0: none.
        mapped, checked: of paths, as for `open`.
        arrays: "numpy", or "dlpack" for `DLPackArray`, which other libraries take without a copy, bfloat16 too.

    Raises:
        ArgumentError: for options that cannot be, or a batch larger than the data.
        SchemaError: for a schema that lacks what batches are made of, or sets that do not fit each other.
        Error: of the kind of what is wrong with a file.
    """

    def __init__(self, data, **options: Any) -> None:
        # Kept as they are: a spawned process makes the same loader of them.
        self._data = list(data) if isinstance(data, (list, tuple)) else [data]
        self._options = dict(options)
        self._epoch = 0
        self._step = 0
        self._worker: tuple[int, int] | None = None
        self._open()

    def _open(self) -> None:
        chosen = _options.LoaderChoices(**self._options)
        self.data_sets = [
            each if isinstance(each, DataSet) else DataSet(each, mapped=chosen.mapped, checked=chosen.checked)
            for each in self._data
        ]
        sets, keeps = chosen.sets(self.data_sets)
        native, kept = chosen.native()
        pointer = c_void_p()
        call(library.drs_loader_create, (LoaderSet * len(sets))(*sets), len(sets), byref(native), byref(pointer))
        del keeps, kept
        self._handle = Handle(pointer.value, library.drs_loader_free, "loader")
        self.batch_size = chosen.batch_size
        self.rank, self.world_size = chosen.rank, chosen.world_size
        arrays, value_names = _arrays(self._handle.get()), _value_names(self._handle.get())
        self._maker = self._make_maker(arrays, value_names, chosen)
        self.array_names = [name for name, *_ in arrays]

    _batch_maker: type[BatchMaker] | None = None

    def _make_maker(self, arrays, value_names, chosen) -> BatchMaker:
        kind = self._batch_maker
        if kind is None and chosen.arrays == "dlpack":
            from ._dlpack import DLPackMaker as kind
        kind = kind or BatchMaker
        locates = any(column.role == "image" and column.type == "locator" for column in self.schema.columns)
        return kind(arrays, value_names, locates=locates, pads=chosen.tail == "pad", mixed_axes=chosen.mixed_axes())

    @property
    def schema(self):
        """The schema of the first data set."""
        return self.data_sets[0].schema

    def close(self) -> None:
        """Frees the loader. Batches, and iterators that run, stay as they are."""
        self._handle.close()

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"data": self._data, "options": self._options, "epoch": self._epoch, "step": self._step}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._data, self._options = state["data"], state["options"]
        self._epoch, self._step, self._worker = state["epoch"], state["step"], None
        self._open()

    # Epochs

    def __len__(self) -> int:
        """Steps of the epoch that comes next."""
        return self.size(self._epoch)[0]

    def size(self, epoch: int = 0) -> tuple[int, int]:
        """Steps of an epoch and, of this rank, its samples."""
        steps, samples = c_int64(), c_int64()
        call(library.drs_loader_size, self._handle.get(), _types.integer("epoch", epoch), byref(steps), byref(samples))
        return steps.value, samples.value

    def epoch(self, epoch: int, start: int = 0, stride: int = 1) -> Batches:
        """The batches of an epoch from step ``start`` on, or every ``stride``-th of them. It has no part in the state.

        Raises:
            ArgumentError: for an epoch or a step that is not there.
        """
        numbers = (("epoch", epoch), ("start", start), ("stride", stride))
        return Batches(self, *(_types.integer(*each) for each in numbers))

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch that the next ``for`` begins."""
        self.size(epoch)
        if epoch != self._epoch:
            self._epoch, self._step, self._worker = epoch, 0, None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker, count = _worker()
        epoch, step = self._epoch, self._step
        if self._worker is None or count == 1:
            # A state of the whole run, or a new epoch: every worker begins at its own place behind it.
            step += worker
        elif self._worker != (worker, count):
            raise ArgumentError(
                f"the state is of worker {self._worker[0]} of {self._worker[1]}, and this is worker "
                f"{worker} of {count}: resume with as many workers"
            )
        steps = self.size(epoch)[0]
        if step < steps or count == 1:
            self._worker = (worker, count) if count > 1 else None
            for batch in self.epoch(epoch, min(step, steps), count):
                # Before it is handed out: a state is that behind the last batch that was delivered.
                self._epoch, self._step = epoch, batch["step"] + count
                yield batch
        self._epoch, self._step, self._worker = epoch + 1, 0, None

    # State

    def state_dict(self) -> dict[str, Any]:
        """What a run has to keep to go on behind the last batch that ``for`` delivered: a small dict for JSON.

        Behind the last batch of an epoch the state is the start of the next one as soon as the ``for`` has ended.
        """
        state = self.state_at(self._epoch, self._step)
        if self._worker is not None:
            state["worker"] = {"id": self._worker[0], "count": self._worker[1], "step": self._step}
        return state

    def state_at(self, epoch: int, step: int) -> dict[str, Any]:
        """The state of a run that goes on at a step of an epoch: behind a batch, at ``batch["step"] + 1``."""
        steps = self.size(epoch)[0]
        place = min(_types.integer("step", step, least=0), steps)
        text = taken_text(library.drs_loader_state, self._handle.get(), epoch, place)
        return json.loads(text or "{}")

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where a state was taken; the next ``for`` begins there.

        Raises:
            ArgumentError: if another plan, or other rows, made the state: names what differs.
        """
        try:
            state = dict(state)
            worker = state.pop("worker", None)
            own = (
                None
                if worker is None
                else tuple(_types.integer(key, worker[key], 0) for key in ("id", "count", "step"))
            )
        except (TypeError, ValueError, KeyError) as error:
            raise ArgumentError(f"no state of a loader: {error!r}") from None
        epoch, step = c_int64(), c_int64()
        try:
            text = json.dumps(state)
        except (TypeError, ValueError) as error:
            raise ArgumentError(f"no state of a loader: {error}") from None
        call(library.drs_loader_resume, self._handle.get(), text.encode(), byref(epoch), byref(step))
        if own is None:
            self._epoch, self._step, self._worker = epoch.value, step.value, None
        else:
            self._epoch, self._step, self._worker = state["epoch"], own[2], (own[0], own[1])

    # What it did

    def counts(self) -> dict[str, int]:
        """What was done since the loader was made: batches, bytes, what was waited for (drshard.h names all)."""
        counts = LoaderCounts()
        library.drs_loader_count(self._handle.get(), byref(counts))
        return {each[0]: getattr(counts, each[0]) for each in counts._fields_}

    def quarantine(self, number: int = 0) -> str | None:
        """The quarantine list of a data set, with the rows that were found damaged since; None if there are none."""
        return taken_text(library.drs_loader_quarantine, self._handle.get(), _types.integer("number", number, least=0))

    def explain(self, epoch: int, step: int) -> list[dict[str, Any]]:
        """Which shard, row, view and captions each sample of a step is. Reads no embeddings."""
        place = _types.integer("epoch", epoch), _types.integer("step", step)
        return json.loads(taken_text(library.drs_loader_explain, self._handle.get(), *place) or "[]")


class Batches:
    """The batches of an epoch, in order. It belongs to one thread; `close` ends it from any."""

    def __init__(self, loader: Loader, epoch: int, start: int, stride: int) -> None:
        pointer = c_void_p()
        call(library.drs_epoch_start, loader._handle.get(), epoch, start, stride, byref(pointer))
        self._handle = Handle(pointer.value, library.drs_epoch_free, "epoch")
        self._make = loader._maker.make
        self._info = BatchInfo()
        self._error = c_void_p()
        self._place = byref(self._info), byref(self._error)
        self._lock = threading.Lock()

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> dict[str, Any]:
        """The next batch; waits for it.

        Raises:
            Error: of the kind of what is wrong with a file. Asked again, it raises again.
        """
        if not self._lock.acquire(False):
            raise ArgumentError("two threads ask for batches of one epoch at once")
        try:
            pointer = self._handle.pointer
            if pointer is None:
                raise ClosedError("the epoch is closed")
            while True:
                code = library.drs_epoch_next(pointer, _PATIENCE, *self._place)
                if code == 0:
                    return self._make(self._info)
                if code != NOT_YET:
                    break
            if code == END:
                raise StopIteration
            error = error_of(self._error)
            self._error.value = None
            raise error
        finally:
            self._lock.release()

    def cancel(self) -> None:
        """Ends the epoch, from any thread: who waits for a batch gets no more."""
        if self._handle.pointer is not None:
            library.drs_epoch_cancel(self._handle.pointer)

    def close(self) -> None:
        """Ends the epoch and its threads. Batches that were delivered stay."""
        self.cancel()
        with self._lock:
            self._handle.close()


def _worker() -> tuple[int, int]:
    """Which of how many workers of a torch DataLoader this process is."""
    data = sys.modules.get("torch.utils.data")
    information = data.get_worker_info() if data is not None else None
    return (information.id, information.num_workers) if information is not None else (0, 1)


def _arrays(handle: int) -> list[tuple[str, int, int, int]]:
    """Name, number of the element type, width and offset of every array."""
    table, count = POINTER(Array)(), c_size_t()
    library.drs_loader_arrays(handle, byref(table), byref(count))
    return [(table[i].name.decode(), table[i].element, table[i].width, table[i].offset) for i in range(count.value)]


def _value_names(handle: int) -> list[str]:
    table, count = POINTER(c_char_p)(), c_size_t()
    library.drs_loader_value_names(handle, byref(table), byref(count))
    return [table[i].decode() for i in range(count.value)]
