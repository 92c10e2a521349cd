"""Loading: epochs of paired batches, made ahead on threads of the library's, without the GIL."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from ctypes import POINTER, byref, c_char_p, c_int64, c_size_t, c_void_p
from dataclasses import fields
from typing import Any, NamedTuple

from . import _options, _types
from ._batch import BatchMaker
from ._native import Array, BatchInfo, Handle, LoaderCounts, LoaderSet, call, error_of, library, taken_text
from .dataset import DataSet
from .errors import END, NOT_YET, ArgumentError, ClosedError

# How long a call of the library's waits at most: a signal such as Ctrl-C is looked at between two calls.
_PATIENCE = 50_000_000
_next = library.drs_epoch_next


class Position(NamedTuple):
    """A step of an epoch; of one of several workers, the next of its own."""

    epoch: int
    step: int
    worker: tuple[int, int] | None = None


class Loader:
    """Epochs of a data set, or of several, as paired batches: every image with a real and a synthetic caption.

    ``for batch in loader`` is one epoch, and the next ``for`` is the next epoch; one that was left (``break``, an exception)
    is begun again, where it began. `set_epoch` chooses another, `load_state_dict` goes on in the middle of one. The order is a pure function of the rows, the options, the epoch and the step (Spec/ORDER.md): the
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
    tensors. Both may stand in a `torch.utils.data.DataLoader`, once `drshard.torch` is imported. Many threads may use one loader; each `epoch` belongs to one.

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
        self._options = {name: list(each) if hasattr(each, "__next__") else each for name, each in options.items()}
        # Where the next `for` begins, and behind which batch the run is.
        self._start = self._at = Position(0, 0)
        self._open()

    def _open(self) -> None:
        chosen = self._choices()
        self.data_sets = [
            each if isinstance(each, DataSet) else DataSet(each, mapped=chosen.mapped, checked=chosen.checked)
            for each in self._data
        ]
        native, kept = chosen.native()
        pointer = c_void_p()
        with ExitStack() as users:
            handles = [users.enter_context(each._handle) for each in self.data_sets]
            sets, keeps = chosen.sets(self.data_sets, handles)
            call(library.drs_loader_create, (LoaderSet * len(sets))(*sets), len(sets), byref(native), byref(pointer))
        del keeps, kept
        self._handle = Handle(pointer.value, library.drs_loader_free, "loader")
        self.batch_size = chosen.batch_size
        self.rank, self.world_size = chosen.rank, chosen.world_size
        with self._handle as handle:
            arrays, value_names = _arrays(handle), _value_names(handle)
        self._maker = self._make_maker(arrays, value_names, chosen)
        self.array_names = [name for name, *_ in arrays]

    def _choices(self) -> _options.LoaderChoices:
        known = [each.name for each in fields(_options.LoaderChoices)]
        for name in self._options:
            if name not in known:
                raise TypeError(f"{type(self).__name__} has no option {name!r}; there are {', '.join(known)}")
        options: dict[str, Any] = self._options
        return _options.LoaderChoices(**options)

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
        return {"data": self._data, "options": self._options, "start": self._start, "at": self._at}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._data, self._options = state["data"], state["options"]
        self._start, self._at = state["start"], state["at"]
        self._open()

    # Epochs

    def __len__(self) -> int:
        """Steps of the epoch that comes next."""
        return self.size(self._start.epoch)[0]

    def size(self, epoch: int = 0) -> tuple[int, int]:
        """Steps of an epoch and, of this rank, its samples."""
        steps, samples = c_int64(), c_int64()
        number = _types.integer("epoch", epoch)
        with self._handle as handle:
            call(library.drs_loader_size, handle, number, byref(steps), byref(samples))
        return steps.value, samples.value

    def epoch(self, epoch: int, start: int = 0, stride: int = 1) -> Batches:
        """The batches of an epoch from step ``start`` on, or every ``stride``-th of them. It has no part in the state.

        Raises:
            ArgumentError: for an epoch or a step that is not there.
        """
        numbers = (("epoch", epoch), ("start", start), ("stride", stride))
        return Batches(self, *(_types.integer(*each) for each in numbers))

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch that the next ``for`` begins: the epoch of a state that was loaded goes on where that was."""
        self.size(epoch)
        if epoch != self._start.epoch:
            self._start = Position(epoch, 0)
        self._at = self._start

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker = _worker()
        start = self._start
        epoch, step, count = start.epoch, start.step, worker[1]
        if start.worker is None:
            # A state of the whole run, or a new epoch: every worker begins at its own place behind it.
            step += worker[0]
        elif start.worker != worker:
            raise ArgumentError(
                f"the state is of worker {start.worker[0]} of {start.worker[1]}, and this is worker "
                f"{worker[0]} of {count}: resume with as many workers"
            )
        kept = worker if count > 1 else None
        self._at = Position(epoch, step, kept)
        if step < self.size(epoch)[0]:
            for batch in self.epoch(epoch, step, count):
                # Before it is handed out: a state is that behind the last batch that was delivered.
                self._at = Position(epoch, batch["step"] + count, kept)
                yield batch
        self._start = self._at = Position(epoch + 1, 0)

    # State

    def state_dict(self) -> dict[str, Any]:
        """What a run has to keep to go on behind the last batch that a ``for`` delivered: a small dict for JSON.

        Behind the last batch of an epoch, a ``for`` that goes on there has nothing left, and the one after it is the next
        epoch; when the ``for`` has ended, the state is the start of the next epoch.
        """
        at = self._at
        state = self.state_at(at.epoch, at.step)
        if at.worker is not None:
            state["worker"] = {"id": at.worker[0], "count": at.worker[1], "step": at.step}
        return state

    def state_at(self, epoch: int, step: int) -> dict[str, Any]:
        """The state of a run that goes on at a step of an epoch: behind a batch, at ``batch["step"] + 1``."""
        steps = self.size(epoch)[0]
        place = min(_types.integer("step", step, least=0), steps)
        with self._handle as handle:
            return json.loads(taken_text(library.drs_loader_state, handle, epoch, place) or "{}")

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where a state was taken; the next ``for`` begins there.

        Raises:
            ArgumentError: if another plan, or other rows, made the state: names what differs.
        """
        try:
            state = dict(state)
            worker = state.pop("worker", None)
            numbers = (
                None if worker is None else [_types.integer(key, worker[key], 0) for key in ("id", "count", "step")]
            )
            text = json.dumps(state).encode()
        except (TypeError, ValueError, KeyError, RecursionError) as error:
            raise ArgumentError(f"no state of a loader: {error!r:.200}") from None
        epoch, step = c_int64(), c_int64()
        with self._handle as handle:
            call(library.drs_loader_resume, handle, text, byref(epoch), byref(step))
        if numbers is None:
            self._start = Position(epoch.value, step.value)
        else:
            self._start = Position(epoch.value, numbers[2], (numbers[0], numbers[1]))
        self._at = self._start

    # What it did

    def counts(self) -> dict[str, int]:
        """What was done since the loader was made: batches, bytes, what was waited for (drshard.h names all)."""
        counts = LoaderCounts()
        with self._handle as handle:
            library.drs_loader_count(handle, byref(counts))
        return {each[0]: getattr(counts, each[0]) for each in counts._fields_}

    def quarantine(self, number: int = 0) -> str | None:
        """The quarantine list of a data set, with the rows that were found damaged since; None if there are none."""
        with self._handle as handle:
            return taken_text(library.drs_loader_quarantine, handle, _types.integer("number", number, least=0))

    def explain(self, epoch: int, step: int) -> list[dict[str, Any]]:
        """Which shard, row, view and captions each sample of a step is, as ``drshard explain --json`` calls them. Reads no
        embeddings."""
        place = _types.integer("epoch", epoch), _types.integer("step", step)
        with self._handle as handle:
            return json.loads(taken_text(library.drs_loader_explain, handle, *place) or "[]")


class Batches:
    """The batches of an epoch, in order. It belongs to one thread; any may close it, and a signal's handler too."""

    def __init__(self, loader: Loader, epoch: int, start: int, stride: int) -> None:
        pointer = c_void_p()
        with loader._handle as handle:
            call(library.drs_epoch_start, handle, epoch, start, stride, byref(pointer))
        self._handle = Handle(pointer.value, library.drs_epoch_free, "epoch")
        self._make = loader._maker.make
        self._info = BatchInfo()
        self._error = c_void_p()
        self._place = byref(self._info), byref(self._error)
        # Who takes it out has the turn to ask for a batch.
        self._turn: list[None] = [None]

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> dict[str, Any]:
        """The next batch; waits for it.

        Raises:
            Error: of the kind of what is wrong with a file. Asked again, it raises again.
            ClosedError: if the epoch is closed, now or meanwhile.
            ArgumentError: if another thread asks at the same time.
        """
        with self._handle as handle:
            try:
                self._turn.pop()
            except IndexError:
                raise ArgumentError("two threads ask for batches of one epoch at once") from None
            try:
                return self._next(handle)
            finally:
                self._turn.append(None)

    def _next(self, handle: int | None) -> dict[str, Any]:
        if self._info.batch is not None:
            # An interrupt came between the library's answer and its use: nobody got it.
            library.drs_batch_free(self._info.batch)
            self._info.batch = None
        code = NOT_YET
        while code == NOT_YET:
            code = _next(handle, _PATIENCE, *self._place)
        if code == 0:
            return self._make(self._info)
        if code != END:
            error = error_of(self._error)
            self._error.value = None
            raise error
        if self._handle.is_closed:
            raise ClosedError("the epoch is closed")
        raise StopIteration

    def cancel(self) -> None:
        """Ends the epoch: who waits for a batch gets no more. Does nothing to one that is closed."""
        with suppress(ClosedError), self._handle as handle:
            library.drs_epoch_cancel(handle)

    def close(self) -> None:
        """Ends the epoch and its threads. Batches that were delivered stay."""
        self.cancel()
        self._handle.close()


def _worker() -> tuple[int, int]:
    """Which of how many workers of a torch DataLoader this process is."""
    data = sys.modules.get("torch.utils.data")
    information = data.get_worker_info() if data is not None else None
    return (information.id, information.num_workers) if information is not None else (0, 1)


def _arrays(handle: int | None) -> list[tuple[str, int, int, int]]:
    """Name, number of the element type, width and offset of every array."""
    table, count = POINTER(Array)(), c_size_t()
    library.drs_loader_arrays(handle, byref(table), byref(count))
    return [(table[i].name.decode(), table[i].element, table[i].width, table[i].offset) for i in range(count.value)]


def _value_names(handle: int | None) -> list[str]:
    table, count = POINTER(c_char_p)(), c_size_t()
    library.drs_loader_value_names(handle, byref(table), byref(count))
    return [table[i].decode() for i in range(count.value)]


def signature(*own: inspect.Parameter) -> inspect.Signature:
    """What a loader takes, with the defaults of the options: for those who read it, and for editors."""
    kinds = inspect.Parameter
    options = [kinds(each.name, kinds.KEYWORD_ONLY, default=each.default) for each in fields(_options.LoaderChoices)]
    return inspect.Signature([kinds("data", kinds.POSITIONAL_OR_KEYWORD), *own, *options])


Loader.__signature__ = signature()  # type: ignore[attr-defined]
