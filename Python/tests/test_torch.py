"""Batches as tensors, workers of torch's DataLoader, states of torchdata's."""

from __future__ import annotations

import gc
import io

import drshard
import pytest
from conftest import DIMS, ROWS, arrays_of
from heavy import need

numpy, torch = need("numpy", "torch")
Image = need("PIL.Image")

import drshard.torch  # noqa: E402
from drshard.views import ViewMaker  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402


def alike(a: dict, b: dict) -> bool:
    assert a.keys() == b.keys()
    return all(
        torch.equal(a[key], b[key]) if isinstance(a[key], torch.Tensor) else list(a[key]) == list(b[key])
        for key in a
        if key not in ("epoch", "step")
    ) and (a["epoch"], a["step"]) == (b["epoch"], b["step"])


def test_tensors_hold_what_arrays_hold(shards):
    content = ("embeddings", "tokens", "row_ids", "texts")
    arrays = drshard.Loader(shards, batch_size=32, token_dtype="i64", content=content)
    tensors = drshard.torch.PairedLoader(shards, batch_size=32, content=content)
    for a, b in zip(arrays, tensors):
        assert b["image_emb"].dtype == torch.bfloat16 and b["text"].dtype == torch.int64
        assert b["image_emb"].shape == (32, DIMS)
        for key in ("image_emb", "text_emb", "syn_text_emb", "text", "row", "row_id", "view", "synthetic"):
            own = torch.from_numpy(a[key].view("int16")).view(torch.bfloat16) if "emb" in key else a[key]
            assert torch.equal(b[key], torch.as_tensor(own)), key
        assert list(a["caption"]) == list(b["caption"])


def test_tensors_lie_in_the_loaders_memory_and_keep_it(shards):
    loader = drshard.torch.PairedLoader(shards, batch_size=32)
    offsets = {name: offset for name, _, _, offset in arrays_of(loader)}
    batches = loader.epoch(0)
    batch = next(batches)
    for name in ("image_emb", "text_emb", "syn_text_emb", "text", "syn_text", "row"):
        assert batch[name].data_ptr() == batches._info.data + offsets[name], name
    kept = batch["text_emb"][4]
    copy = kept.clone()
    del batch
    assert len([batch["step"] for batch in batches]) == 5
    batches.close()
    assert torch.equal(kept, copy) and loader.counts()["live_batch_count"] == 1
    del kept
    gc.collect()
    assert loader.counts()["live_batch_count"] == 0


def test_other_libraries_take_bfloat16_by_dlpack(shards):
    plain = drshard.torch.PairedLoader(shards, batch_size=32)
    for a, b in zip(drshard.Loader(shards, batch_size=32, arrays="dlpack"), plain):
        taken = torch.from_dlpack(a["image_emb"])
        assert taken.dtype == torch.bfloat16 and torch.equal(taken, b["image_emb"])


@pytest.mark.parametrize("workers, context", [(1, "fork"), (2, "fork"), (3, "fork"), (2, "spawn")])
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_workers_make_the_same_batches_in_the_same_order(shards, workers, context):
    expected = [*drshard.torch.PairedLoader(shards, batch_size=32), *()]
    loader = drshard.torch.PairedLoader(shards, batch_size=32)
    data = DataLoader(
        loader, batch_size=None, num_workers=workers, persistent_workers=True, multiprocessing_context=context
    )
    first, second = list(data), list(data)
    assert len(first) == len(expected) and all(map(alike, first, expected))
    assert [batch["epoch"] for batch in second] == [1] * 6 and [batch["step"] for batch in second] == list(range(6))


def test_a_plain_loader_stands_in_a_dataloader_too(shards):
    options = {"batch_size": 32, "embedding_dtype": "f32"}
    expected = list(drshard.Loader(shards, **options))
    made = list(DataLoader(drshard.Loader(shards, **options), batch_size=None, num_workers=2))
    assert [batch["step"] for batch in made] == list(range(6))
    for a, b in zip(made, expected):
        assert torch.equal(a["image_emb"], torch.from_numpy(b["image_emb"]))
        assert torch.equal(a["text"], torch.from_numpy(b["text"]))


def test_a_run_with_workers_goes_on_at_the_state_behind_a_batch(shards):
    loader = drshard.torch.PairedLoader(shards, batch_size=16)
    whole = list(loader)
    state = loader.state_at(0, 5)
    other = drshard.torch.PairedLoader(shards, batch_size=16)
    other.load_state_dict(state)
    rest = list(DataLoader(other, batch_size=None, num_workers=2))
    assert len(rest) == 8 and all(map(alike, rest, whole[5:]))


@pytest.mark.parametrize("workers", [0, 2])
def test_torchdatas_loader_keeps_and_restores_the_state(shards, workers):
    stateful = need("torchdata.stateful_dataloader")

    def make():
        return stateful.StatefulDataLoader(
            drshard.torch.PairedLoader(shards, batch_size=16), batch_size=None, num_workers=workers
        )

    whole = list(make())
    for behind in (1, 4, 7):
        running = make()
        batches = iter(running)
        for _ in range(behind):
            next(batches)
        state = running.state_dict()
        resumed = make()
        resumed.load_state_dict(state)
        rest = list(resumed)
        assert [batch["step"] for batch in rest] == list(range(behind, 13))
        assert all(map(alike, rest, whole[behind:]))


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_torchdatas_loader_goes_on_behind_an_epoch(shards, workers):
    stateful = need("torchdata.stateful_dataloader")

    def make():
        loader = drshard.torch.PairedLoader(shards, batch_size=40, tail="short")
        return stateful.StatefulDataLoader(loader, batch_size=None, num_workers=workers, persistent_workers=workers > 0)

    running = make()
    assert len(list(running)) == 6
    state = running.state_dict()
    resumed = make()
    resumed.load_state_dict(state)
    rest = [(batch["epoch"], batch["step"]) for epoch in range(2) for batch in resumed]
    # Whether the first `for` is what is left of the old epoch, or the new one, is torchdata's: nothing is lost.
    assert rest[:6] == [(1, step) for step in range(6)]


@pytest.mark.parametrize("workers, persistent", [(0, False), (1, True), (2, True), (2, False)])
def test_an_epoch_that_was_left_is_begun_again_with_and_without_workers(shards, workers, persistent):
    data = DataLoader(
        drshard.torch.PairedLoader(shards, batch_size=40, tail="short"),
        batch_size=None,
        num_workers=workers,
        persistent_workers=persistent,
    )
    for batch in data:
        if batch["step"] == 1:
            break
    assert [(batch["epoch"], batch["step"]) for batch in data] == [(0, step) for step in range(6)]


def test_a_state_of_other_workers_is_refused(shards):
    loader = drshard.torch.PairedLoader(shards, batch_size=16)
    state = loader.state_dict() | {"worker": {"id": 0, "count": 3, "step": 6}}
    loader.load_state_dict(state)
    with pytest.raises(drshard.ArgumentError, match="as many workers"):
        list(DataLoader(loader, batch_size=None, num_workers=2))


def test_an_error_in_a_worker_has_its_kind(own_shards):
    loader = drshard.torch.PairedLoader(own_shards, batch_size=16)
    data = bytearray((own_shards / "00000001.drs").read_bytes())
    for at in range(1000, len(data) - 9000, 50):
        data[at] ^= 1
    (own_shards / "00000001.drs").write_bytes(data)
    with pytest.raises(drshard.CorruptError):
        list(DataLoader(loader, batch_size=None, num_workers=2))


def test_rank_and_world_size_are_those_of_the_job(shards, monkeypatch, tmp_path):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    loader = drshard.torch.PairedLoader(shards, batch_size=32)
    assert (loader.rank, loader.world_size) == (1, 2) and len(next(iter(loader))["row"]) == 16
    assert drshard.torch.PairedLoader(shards, batch_size=32, rank=0, world_size=1).world_size == 1
    monkeypatch.delenv("RANK")
    with pytest.raises(drshard.ArgumentError, match="WORLD_SIZE"):
        drshard.torch.PairedLoader(shards, batch_size=32)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1)
    try:
        assert drshard.torch.world() == (0, 1)
    finally:
        torch.distributed.destroy_process_group()


def test_tensors_go_to_a_device(shards):
    batch = next(iter(drshard.torch.PairedLoader(shards, batch_size=32, device="meta")))
    assert batch["image_emb"].device.type == "meta" and batch["text"].device.type == "meta"


# Images


def picture(seed: int, size: tuple[int, int] = (40, 30)) -> bytes:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (*size[::-1], 3), generator=generator, dtype=torch.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels.numpy()).save(file, "png")
    return file.getvalue()


@pytest.fixture(scope="module")
def pictured(tmp_path_factory):
    """The first rows of the small set, with images that can be decoded."""
    from conftest import rows, schema

    folder = tmp_path_factory.mktemp("pictured")
    columns = rows(0, 64)
    columns["image"] = [picture(i) for i in range(64)]
    columns["augmentation"] = [
        [drshard.Augmentation(crop=(v, 2, 20, 25), operations=[(6, 0.27)]) for v in range(4)]
    ] * 64
    with drshard.ShardWriter(folder / "a.drs", schema()) as writer:
        writer.write_batch(columns)
    return folder


def test_views_are_made_of_images_and_augmentations(pictured):
    content = ("embeddings", "augmentations", "tokens", "images")
    maker = ViewMaker(16)
    plain = drshard.torch.PairedLoader(pictured, batch_size=16, content=content)
    for threads in (0, 2):
        made = drshard.torch.PairedLoader(
            pictured, batch_size=16, content=content, image_transform=maker, image_threads=threads
        )
        for a, b in zip(plain, made):
            expected = torch.stack([maker(*pair) for pair in zip(a["image"], a["augmentation"])])
            assert torch.equal(b["image"], expected) and b["image"].shape == (16, 3, 16, 16)
        plain.set_epoch(0)


def test_a_view_is_the_replayed_image_normalised():
    data = picture(3)
    augmentation = drshard.Augmentation(crop=(5, 5, 20, 20), operations=[(13, 0.0)])
    own = drshard.augment.replay(Image.open(io.BytesIO(data)), augmentation, 8)
    raw = ViewMaker(8, None, None)(data, augmentation)
    assert raw.dtype == torch.uint8 and raw.permute(1, 2, 0).tolist() == torch.from_numpy(numpy.array(own)).tolist()
    mean, std = torch.tensor((0.5, 0.25, 0.75)), torch.tensor((0.5, 0.2, 0.1))
    view = ViewMaker(8, (0.5, 0.25, 0.75), (0.5, 0.2, 0.1))(data, augmentation)
    assert torch.allclose(view, (raw.float() / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1), atol=1e-6)
    assert ViewMaker((6, 9))(data, None).shape == (3, 6, 9)


def test_images_that_cannot_be_decoded_are_an_error_with_a_name(shards):
    with pytest.raises(drshard.ArgumentError, match="decoded"):
        ViewMaker(8)(b"no image", None)
    with pytest.raises(drshard.ArgumentError, match="missing"):
        ViewMaker(8)(None, None)
    with pytest.raises(drshard.ArgumentError, match="content"):
        drshard.torch.PairedLoader(shards, batch_size=16, image_transform=ViewMaker(8))
    assert ROWS == 210


def test_the_patched_loop_of_open_clip_gets_its_tuple(pictured):
    open_clip = need("open_clip")
    import argparse

    from drshard import openclip

    args = argparse.Namespace(batch_size=8, workers=0, seed=3, rank=1, world_size=2)
    data = openclip.paired_data(pictured, args, open_clip.image_transform(16, is_train=True), epoch=2)
    loader = data.dataloader
    assert (len(loader), loader.num_batches, loader.num_samples) == (4, 4, 64)
    seen = 0
    plain = drshard.Loader(
        pictured, batch_size=16, seed=3, rank=1, world_size=2, embedding_dtype="f32", token_dtype="i64"
    )
    plain.set_epoch(2)
    for batch, own in zip(loader, plain):
        image, text, image_emb, text_emb, syn_text, syn_text_emb = batch
        assert image.shape == (8, 3, 16, 16) and image.dtype == torch.float32
        for tensor, key in (
            (text, "text"),
            (image_emb, "image_emb"),
            (text_emb, "text_emb"),
            (syn_text, "syn_text"),
            (syn_text_emb, "syn_text_emb"),
        ):
            assert torch.equal(tensor, torch.from_numpy(own[key]))
        seen += 1
    assert seen == 4
    args.workers = 2
    again = openclip.paired_data(pictured, args, open_clip.image_transform(16, is_train=True), epoch=2).dataloader
    assert all(torch.equal(a, b) for x, y in zip(again, _restarted(loader)) for a, b in zip(x, y))


def _restarted(loader):
    loader.set_epoch(2)
    return loader
