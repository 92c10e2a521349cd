"""Loaders that work inside the process: NumPy, ArrayRecord, Lance, Parquet, Vortex."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from loader_base import BlockPeer, DrawPeer, column_names
from loader_data import BLOCK_ROWS, COLUMNS, SHAPES, TEXTS, VIEWS, Batch, Block, Draw, draws


def touch(array: np.ndarray) -> None:
    """Every page of a map once, so that no epoch that is timed pays for the first touch of another plane."""
    np.ascontiguousarray(array).reshape(-1).view(np.uint8)[::4096].max()


class Planes:
    """A file for each array, [variant][row][values], mapped."""

    def write(self, arrays: Batch, folder: Path) -> None:
        for name, array in arrays.items():
            if name == "uid":
                np.save(folder / "uid.npy", array)
                continue
            shape = (array.shape[1], len(array), *array.shape[2:])
            planes = np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=array.dtype, shape=shape)
            for variant in range(shape[0]):
                planes[variant] = array[:, variant]
            planes.flush()

    def open(self, folder: Path, workers: int) -> tuple[Batch, int]:
        planes = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in SHAPES}
        for array in planes.values():
            touch(array)
        return planes, len(planes["uid"])


class NumPyRows(Planes, DrawPeer):
    name = "NumPy memory map of planes, fancy indexing of random rows"
    packages = ["numpy"]

    def read(self, planes: Batch, draw: Draw) -> Batch:
        row_count = len(planes["uid"])
        variants = {"image": draw.views, "augmentation": draw.views, "text": 0, "tokens": 0}
        batch = {}
        for name, (source, kind, width) in COLUMNS.items():
            # All planes as one, so that every sample has a view of its own at the cost of a single index.
            places = variants.get(name, draw.captions) * row_count + draw.rows
            batch[name] = planes[source].reshape(-1, width)[places].astype(kind, copy=False)
        return batch


class NumPyBlocks(Planes, BlockPeer):
    name = "NumPy memory map of planes, blocks"
    packages = ["numpy"]

    def read(self, planes: Batch, block: Block) -> Batch:
        rows = slice(block.rows.start, block.rows.stop)
        variants = {"image": block.view, "augmentation": block.view, "text": 0, "tokens": 0}
        return {n: planes[source][variants.get(n, block.caption), rows] for n, (source, _, _) in COLUMNS.items()}


class ArrayRecord(DrawPeer):
    name = "ArrayRecord, batched reads of random rows"
    packages = ["array_record", "numpy"]
    # Places in a record, which is all of a row.
    places = {}
    end = 0
    for source, (kind, shape) in SHAPES.items():
        places[source] = end
        end += int(np.prod(shape)) * np.dtype(kind).itemsize

    def write(self, arrays: Batch, folder: Path) -> None:
        from array_record.python.array_record_module import ArrayRecordWriter

        # Groups of one, uncompressed: what random reads are fastest with.
        writer = ArrayRecordWriter(str(folder / "rows.array_record"), "group_size:1,uncompressed")
        for row in range(len(arrays["uid"])):
            writer.write(b"".join(arrays[source][row].tobytes() for source in SHAPES))
        writer.close()

    def open(self, folder: Path, workers: int) -> tuple[Any, int]:
        from array_record.python.array_record_module import ArrayRecordReader

        # On one core threads of its own would only be in the way.
        options = "readahead_buffer_size:0" + (",max_parallelism:0" if workers == 1 else "")
        reader = ArrayRecordReader(str(folder / "rows.array_record"), options)
        return reader, reader.num_records()

    def read(self, reader: Any, draw: Draw) -> Batch:
        batch = {name: np.empty((len(draw.rows), width), kind) for name, (_, kind, width) in COLUMNS.items()}
        for start in range(0, len(draw.rows), 256):
            # No more at once: the records of larger reads fall out of the cache before they are used.
            piece = slice(start, start + 256)
            records = reader.read(draw.rows[piece].tolist())
            views, captions = draw.views[piece], draw.captions[piece]
            variants = {"image": views, "augmentation": views, "text": captions * 0, "tokens": captions * 0}
            for name, (source, _, width) in COLUMNS.items():
                kind = np.dtype(SHAPES[source][0])
                size = width * kind.itemsize
                first = (self.places[source] + variants.get(name, captions) * size).tolist()
                values = b"".join([record[at : at + size] for record, at in zip(records, first)])
                batch[name][piece] = np.frombuffer(values, kind).reshape(-1, width)
        return batch

    def threads(self, workers: int) -> str:
        return "in process, 1 thread" if workers == 1 else "in process, 2 threads of Python and those of the library"


def table(arrays: Batch, rows: slice, as_lists: bool) -> Any:
    """Arrow: a column for each variant, of fixed-size binaries, or of fixed-size lists of numbers."""
    import pyarrow as pa

    def column(values: np.ndarray) -> Any:
        values = np.ascontiguousarray(values)
        if as_lists:
            return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])
        size = values.shape[1] * values.itemsize
        return pa.FixedSizeBinaryArray.from_buffers(pa.binary(size), len(values), [None, pa.py_buffer(values)])

    columns = {}
    for name, (_, shape) in SHAPES.items():
        if name == "uid":
            columns[name] = column(arrays[name][rows])
        else:
            columns |= {f"{name}_{v}": column(arrays[name][rows, v]) for v in range(shape[0])}
    return pa.table(columns)


def tables(arrays: Batch, as_lists: bool = False, rows: int = BLOCK_ROWS * 4) -> tuple[Any, Iterator[Any]]:
    """The schema, and all rows piece by piece."""
    starts = range(0, len(arrays["uid"]), rows)
    pieces = (table(arrays, slice(start, start + rows), as_lists) for start in starts)
    batches = (batch for piece in pieces for batch in piece.combine_chunks().to_batches())
    return table(arrays, slice(0, 1), as_lists).schema, batches


def batch_of(found: Any, names: dict[str, str]) -> Batch:
    """The columns of an Arrow table or record batch as arrays, without a copy where they are in one piece."""
    import pyarrow as pa

    batch = {}
    for name, (source, _, width) in COLUMNS.items():
        column = found.column(names[name])
        if isinstance(column, pa.ChunkedArray):
            column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        kind = np.dtype(SHAPES[source][0])
        if pa.types.is_fixed_size_list(column.type):
            values = column.flatten().to_numpy(zero_copy_only=True)
        else:
            size = width * kind.itemsize
            values = np.frombuffer(column.buffers()[1], kind, len(column) * width, column.offset * size)
        batch[name] = values.reshape(-1, width)
    return batch


class PerThread:
    """One object for each thread that asks."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make
        self.local = threading.local()

    def __call__(self) -> Any:
        if not hasattr(self.local, "value"):
            self.local.value = self.make()
        return self.local.value


class Lance:
    """One column per view and caption, fixed-size binaries."""

    packages = ["pylance", "pyarrow", "numpy"]

    def write(self, arrays: Batch, folder: Path) -> None:
        import lance
        import pyarrow as pa

        schema, batches = tables(arrays)
        lance.write_dataset(pa.RecordBatchReader.from_batches(schema, batches), str(folder / "rows.lance"))

    def threads(self, workers: int) -> str:
        return "in process, " + ("1 core" if workers == 1 else "2 threads of Python and those of the library")


class LanceTake(Lance, DrawPeer):
    name = "Lance, take of random rows"

    def open(self, folder: Path, workers: int) -> tuple[Any, int]:
        import lance

        data_set = lance.dataset(str(folder / "rows.lance"))
        return data_set, data_set.count_rows()

    def order(self, row_count: int, batch_size: int, epoch: int) -> Iterator[Draw]:
        for draw in draws(row_count, batch_size, epoch):
            # One view and one caption for the batch: `take` has one set of columns for all rows.
            count = len(draw.rows)
            yield replace(draw, views=draw.views[:1].repeat(count), captions=draw.captions[:1].repeat(count))

    def read(self, data_set: Any, draw: Draw) -> Batch:
        names = column_names(int(draw.views[0]), int(draw.captions[0]))
        batch = batch_of(data_set.take(draw.rows, columns=list(names.values())), names)
        return {name: values.astype(COLUMNS[name][1], copy=False) for name, values in batch.items()}


class LanceBlocks(Lance, BlockPeer):
    name = "Lance, reads of blocks"

    def open(self, folder: Path, workers: int) -> tuple[Any, int]:
        from lance.file import LanceFileReader

        # The reader of the file itself: scans of a data set take longer for 256 rows.
        files = list((folder / "rows.lance" / "data").glob("*.lance"))
        if len(files) != 1:
            raise ValueError(f"{len(files)} files where one was written")

        def make(view: int, caption: int) -> Any:
            return LanceFileReader(str(files[0]), columns=list(column_names(view, caption).values()))

        # A reader has one set of columns, and lends itself to one thread only.
        readers = PerThread(lambda: {(v, c): make(v, c) for v in range(VIEWS) for c in range(1, TEXTS)})
        return readers, readers()[0, 1].num_rows()

    def read(self, readers: Any, block: Block) -> Batch:
        reader, count = readers()[block.view, block.caption], len(block.rows)
        results = reader.read_range(block.rows.start, count, batch_size=count)
        return batch_of(results.to_table(), column_names(block.view, block.caption))


class Parquet(BlockPeer):
    """One column per view and caption, fixed-size binaries; a row group is a block, the least that can be read."""

    name = "Parquet, plain"
    packages = ["pyarrow", "numpy"]
    codec = "none"

    def write(self, arrays: Batch, folder: Path) -> None:
        import pyarrow.parquet as pq

        schema, batches = tables(arrays, rows=BLOCK_ROWS)
        settings = {"compression": self.codec, "use_dictionary": False, "write_statistics": False}
        with pq.ParquetWriter(folder / "rows.parquet", schema, **settings) as writer:
            for batch in batches:
                writer.write_batch(batch, row_group_size=BLOCK_ROWS)

    def open(self, folder: Path, workers: int) -> tuple[Any, int]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pa.set_cpu_count(workers)
        # Mapped, which is faster than reading, and a reader for each thread.
        source = pa.memory_map(str(folder / "rows.parquet"))
        touch(np.frombuffer(source.read_buffer(), np.uint8))
        metadata = pq.read_metadata(source)
        files = PerThread(lambda: pq.ParquetFile(source, metadata=metadata))
        return files, metadata.num_rows

    def read(self, files: Any, block: Block) -> Batch:
        names = column_names(block.view, block.caption)
        group = block.rows.start // BLOCK_ROWS
        # Blocks are what threads share out; columns shared out as well were slower.
        return batch_of(files().read_row_group(group, columns=list(names.values()), use_threads=False), names)


class ParquetZstd(Parquet):
    name = "Parquet, zstd"
    compressed = True
    codec = "zstd"


class Vortex(BlockPeer):
    """One column per view and caption, fixed-size lists (it has no fixed-size binaries)."""

    name = "Vortex, default encodings"
    packages = ["vortex-data", "pyarrow", "numpy"]
    options = "default"

    def write(self, arrays: Batch, folder: Path) -> None:
        import pyarrow as pa
        import vortex

        schema, batches = tables(arrays, as_lists=True)
        options = getattr(vortex.io.VortexWriteOptions, self.options)()
        options.write(pa.RecordBatchReader.from_batches(schema, batches), str(folder / "rows.vortex"))

    def open(self, folder: Path, workers: int) -> tuple[Any, int]:
        import vortex

        # The calling threads drive their reads themselves.
        vortex.set_worker_threads(0)
        file = vortex.open(str(folder / "rows.vortex"), memory_map=True)
        for view in range(VIEWS):
            # What is not compressed is delivered out of the map.
            names = column_names(view, view % (TEXTS - 1) + 1)
            for values in batch_of(self.table_of(file.scan(list(names.values()))), names).values():
                touch(values)
        scans = {}
        for view in range(VIEWS):
            for caption in range(1, TEXTS):
                scans[view, caption] = file.to_repeated_scan(list(column_names(view, caption).values()))
        return scans, len(file)

    def read(self, scans: Any, block: Block) -> Batch:
        scan = scans[block.view, block.caption]
        rows = self.table_of(scan.execute(row_range=(block.rows.start, block.rows.stop)))
        return batch_of(rows, column_names(block.view, block.caption))

    @staticmethod
    def table_of(found: Any) -> Any:
        import pyarrow as pa

        rows = found.read_all().to_arrow_array()
        if isinstance(rows, pa.ChunkedArray):
            rows = rows.combine_chunks()
        return pa.RecordBatch.from_struct_array(rows)


class VortexCompact(Vortex):
    name = "Vortex, compact encodings"
    compressed = True
    options = "compact"
