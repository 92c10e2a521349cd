# %% [markdown]
# # drshard in ten minutes
#
# A *reinforced* data set stores, once, what large teachers know about every image: embeddings of many augmented views, the
# parameters of each view, a real and several synthetic captions with their embeddings. This walks through all that the
# package does with such a set: writing, reading, loading, going on after a stop, tensors, views, tokens.
#
# Run it as a program (`python tutorial.py`), or cell by cell in an editor that knows `# %%`.

# %%
import io
import json
import tempfile
from pathlib import Path

import drshard
import numpy as np

folder = Path(tempfile.mkdtemp())
print("drshard", drshard.__version__)

# %% [markdown]
# ## A schema
#
# Columns belong to *axes*: the views of an image, its real captions, its synthetic ones. A teacher is a slice of the
# embedding columns, with the scale of its logits, which training needs later.

# %%
VIEWS, CAPTIONS, DIMS = 4, 3, 64

schema = drshard.Schema(
    axes=[
        drshard.Axis("view", kind="views", count=VIEWS, exchangeable=True),
        drshard.Axis("real", kind="real captions", count=1),
        drshard.Axis("synthetic", kind="synthetic captions", count=CAPTIONS, exchangeable=True, source="a captioner"),
    ],
    columns=[
        drshard.Column("uid", role="row_id", element="u8", dims=[16]),
        drshard.Column("image", role="image", type="binary"),
        drshard.Column("augmentation", role="augmentation", type="operations", axis="view"),
        drshard.Column("image_emb", role="image_embedding", element="bf16", dims=[DIMS], axis="view"),
        drshard.Column("text", role="text", type="utf8", axis="real"),
        drshard.Column("text_emb", role="text_embedding", element="bf16", dims=[DIMS], axis="real"),
        drshard.Column("syn_text", role="text", type="utf8", axis="synthetic"),
        drshard.Column("syn_text_emb", role="text_embedding", element="bf16", dims=[DIMS], axis="synthetic"),
    ],
    teachers=[
        drshard.Teacher(
            "openai",
            logit_scale=100.0,
            normalised=True,
            slices=[drshard.Slice(name, 0, DIMS) for name in ("image_emb", "text_emb", "syn_text_emb")],
        )
    ],
)

# %% [markdown]
# ## Rows in
#
# A GPU worker would make these with its teachers (`examples/build_shards.py` does). float32 goes in, bfloat16 is stored,
# rounded to nearest. The shard appears under its name when it is complete; a writer that was killed goes on with
# `resume=True`, at `writer.row_count`.

# %%
generator = np.random.default_rng(0)


def unit(*shape):
    vectors = generator.standard_normal(shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def picture(number):
    """A picture as a file has it: here the simplest kind that there is."""
    pixels = np.random.default_rng(number).integers(0, 256, (48, 64, 3), np.uint8)
    return b"P6 64 48 255\n" + pixels.tobytes()


rows = 200
for shard in range(2):
    with drshard.ShardWriter(folder / f"{shard:08}.drs", schema, shard_tag=shard) as writer:
        first = shard * rows // 2
        numbers = range(first, first + rows // 2)
        writer.write_batch(
            {
                "uid": np.stack([np.frombuffer(f"{number:016}".encode(), np.uint8) for number in numbers]),
                "image": [picture(number) for number in numbers],
                "augmentation": [
                    [
                        drshard.Augmentation(crop=(view, number % 9, 40, 40), operations=[(0, 0.0), (6, 0.27)])
                        for view in range(VIEWS)
                    ]
                    for number in numbers
                ],
                "image_emb": unit(rows // 2, VIEWS, DIMS),
                "text": [[f"picture number {number}"] for number in numbers],
                "text_emb": unit(rows // 2, 1, DIMS),
                "syn_text": [[f"caption {i} of {number}" for i in range(CAPTIONS)] for number in numbers],
                "syn_text_emb": unit(rows // 2, CAPTIONS, DIMS),
            }
        )
        writer.note("made by", "the tutorial")

# %% [markdown]
# ## Any cell of any row

# %%
ds = drshard.open(folder)
print(ds)
row = ds[123]
print(row["text"], row["syn_text"][1], row["augmentation"][2])
print(row["image_emb"].shape, row["image_emb"].dtype)

# Many rows, some columns, view 2 alone, as float32: one call, sorted and joined reads.
taken = ds.take([7, 180, 3], columns=["image_emb", "text"], variants={"view": 2}, dtype="f32")
assert taken["image_emb"].shape == (3, DIMS)

# What was rounded to bfloat16 is off by less than one part in 256.
lengths = np.linalg.norm(taken["image_emb"], axis=1)
assert np.allclose(lengths, 1, atol=1 / 128)

# %% [markdown]
# ## Epochs of paired batches
#
# Each batch pairs every image (one of its views) with a real and with a synthetic caption. Arrays lie in the loader's
# memory; nobody writes there as long as you have one of them. One `for` is one epoch.

# %%
loader = drshard.Loader(ds, batch_size=32, seed=7, content=("embeddings", "augmentations", "texts"))
for batch in loader:
    if batch["step"] == 0:
        print({key: getattr(value, "shape", value) for key, value in batch.items()})
        print(batch["caption"][0], "|", batch["syn_caption"][0], "|", batch["augmentation"][0])
    # Row, view and caption of every sample say where it comes from.
    again = ds.take(batch["row"], ["image_emb"])["image_emb"][np.arange(32), batch["view"]]
    assert again.tobytes() == batch["image_emb"].tobytes()

# %% [markdown]
# ## Stopped, and going on
#
# The order is a pure function of the rows, the options, the epoch and the step: a state is a small dict.

# %%
first_run = drshard.Loader(ds, batch_size=32, seed=7)
rows_seen = []
for batch in first_run:
    rows_seen.append(batch["row"].tolist())
    if batch["step"] == 2:
        state = json.dumps(first_run.state_dict())
        break

second_run = drshard.Loader(ds, batch_size=32, seed=7)
second_run.load_state_dict(json.loads(state))
rows_seen += [batch["row"].tolist() for batch in second_run]
assert rows_seen == [batch["row"].tolist() for batch in drshard.Loader(ds, batch_size=32, seed=7)]

# The same batches on four ranks: each has its part of every batch.
parts = [
    next(iter(drshard.Loader(ds, batch_size=32, seed=7, rank=rank, world_size=4)))["row"].tolist() for rank in range(4)
]
assert sum(parts, []) == rows_seen[0]

# %% [markdown]
# ## Some rows only
#
# Validation rows by a split of the ids: whoever names the same split gets the same rows, in any copy of the set.

# %%
training = drshard.Loader(ds, batch_size=8, split=("mine", 0, 90, 100), tail="short")
validation = drshard.Loader(ds, batch_size=8, split=("mine", 90, 100, 100), tail="short")
kept = [{int(row) for batch in part for row in batch["row"]} for part in (training, validation)]
assert kept[0].isdisjoint(kept[1]) and len(kept[0] | kept[1]) == len(ds)
print(len(kept[0]), "rows to train on,", len(kept[1]), "to validate")

# %% [markdown]
# ## What goes wrong has a name

# %%
try:
    drshard.Loader(ds, batch_size=32, views="no such axis")
except drshard.ArgumentError as error:
    print("ArgumentError:", error)

broken = folder / "broken"
broken.mkdir()
data = bytearray((folder / "00000000.drs").read_bytes())
data[len(data) // 2] ^= 1
(broken / "00000000.drs").write_bytes(data)
try:
    drshard.open(broken).take(range(100))
except drshard.CorruptError as error:
    print(type(error).__name__, "in column", error.column, "at byte", error.position)

# %% [markdown]
# ## PyTorch
#
# The same batches as tensors, `torch.bfloat16` included, without a copy. Inside a `DataLoader` the batches of all workers
# come in the same order as without any; `ViewMaker` decodes an image and makes the stored view of it again.

# %%
try:
    import PIL
    import torch
except ImportError:
    print("torch and pillow are not installed: the rest is about them")
else:
    import drshard.torch
    from drshard.views import ViewMaker

    loader = drshard.torch.PairedLoader(
        ds,
        batch_size=32,
        seed=7,
        content=("embeddings", "augmentations", "images"),
        image_transform=ViewMaker(32),
        image_threads=2,
    )
    batch = next(iter(loader))
    print(batch["image"].shape, batch["image_emb"].dtype)
    assert batch["row"].tolist() == rows_seen[0]

    # What the released recipe would see: the crop in pixels of the source, bicubic, then the recorded operations.
    augmentation = batch["augmentation"][0]
    source = ds[int(batch["row"][0])]["image"]
    view = drshard.augment.replay(PIL.Image.open(io.BytesIO(source)), augmentation, size=32)
    print(view.size, augmentation.to_published())

    # The teacher's targets: softmax of scaled similarities, from the stored embeddings and the stored scale.
    scale = ds.schema.teachers[0].logit_scale
    targets = torch.softmax(scale * batch["image_emb"].float() @ batch["text_emb"].float().T, dim=1)
    assert torch.allclose(targets.sum(1), torch.ones(32))

# %% [markdown]
# `examples/train_student.py` trains a MobileCLIP student with these targets, `examples/build_shards.py` makes shards of your
# own images. The `drshard` command line converts the published sets: `drshard convert datacompdr/ --output shards/`.

# %%
import shutil  # noqa: E402

shutil.rmtree(folder)
