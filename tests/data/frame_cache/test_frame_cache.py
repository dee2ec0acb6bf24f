"""The frame cache: the same bytes as decoding, resumable, and never of other data unnoticed."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from signgen.cli.main import main
from signgen.config.data import DataConfig
from signgen.config.model import tiny_fpdm
from signgen.data.dataset import ManifestDataset, bundled_sample, open_dataset
from signgen.data.examples.batching import batches
from signgen.data.examples.loading import TripletDataset
from signgen.data.frame_cache.reading import FrameCache
from signgen.data.frame_cache.writing import write_cache
from signgen.files.caches import INDEX, PLAN
from signgen.files.digests import sha256
from signgen.media.resizing import resize_image
from signgen.structures import ExitCode, FrameRef, UserError

SIZE = (64, 48)
SMALL = SIZE[0] * SIZE[1] * 3 * 30
"""Shards of 30 frames, so that the sample has several."""


@pytest.fixture(scope="module")
def sample() -> ManifestDataset:
    return open_dataset("sample")


@pytest.fixture(scope="module")
def made(sample: ManifestDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache") / "cache"
    write_cache(sample, ("train", "dev"), folder, SIZE, shard_bytes=SMALL)
    return folder


def all_frames(dataset: ManifestDataset, split: str) -> list[FrameRef]:
    return [FrameRef(r, i) for r in dataset.records(split) for i in range(r.num_frames)]


def test_every_frame_is_the_resized_one(sample: ManifestDataset, made: Path) -> None:
    cache = FrameCache.open(made)
    assert len(cache.index.shards) > 2
    for split in ("train", "dev"):
        for ref in all_frames(sample, split):
            frame = cache.frame(ref)
            assert np.array_equal(frame, resize_image(sample.frame(ref), SIZE, "area"))
            assert (frame.dtype, frame.shape) == (np.uint8, (*SIZE, 3))
            assert not frame.flags.writeable
    for shard in cache.index.shards:
        assert shard.sha256 == sha256(made / shard.file)
    assert sorted(p.name for p in made.iterdir())[-1] == INDEX


def test_loader_processes_give_the_batches_of_decoding(sample: ManifestDataset, made: Path) -> None:
    model = tiny_fpdm()
    assert model.size == SIZE
    plain = TripletDataset(sample, DataConfig(workers=0), model, seed=5)
    cached = TripletDataset(sample, DataConfig(workers=2, frame_cache=str(made)), model, seed=5)
    cached[0]
    for one, two in zip(
        batches(plain, start=0, steps=4, batch_size=3),
        batches(cached, start=0, steps=4, batch_size=3),
        strict=True,
    ):
        for name in ("source", "target", "pose", "hands"):
            assert torch.equal(getattr(one, name), getattr(two, name))


def test_only_the_index_travels(sample: ManifestDataset, made: Path) -> None:
    cache, ref = FrameCache.open(made), FrameRef(sample.records("train")[0], 3)
    frame = cache.frame(ref)
    assert len(pickle.dumps(cache)) < 20_000, "frames must not travel"
    assert np.array_equal(pickle.loads(pickle.dumps(cache)).frame(ref), frame)


def test_several_processes_write_the_same_bytes(
    sample: ManifestDataset, made: Path, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    write_cache(
        sample,
        ("train", "dev"),
        tmp_path / "c",
        SIZE,
        shard_bytes=SMALL,
        workers=2,
        progress=lambda *now: seen.append(now),
    )
    for path in made.iterdir():
        assert (tmp_path / "c" / path.name).read_bytes() == path.read_bytes()
    assert seen[-1][0] == seen[-1][1] > 30


class Broken:
    """The sample until frame number `after`."""

    skeleton = "coco-wholebody-133"

    def __init__(self, dataset: ManifestDataset, after: int, error: BaseException) -> None:
        self.dataset, self.after, self.error = dataset, after, error
        self.name, self.records, self.read = dataset.name, dataset.records, 0

    def frame(self, ref: FrameRef) -> np.ndarray:
        self.read += 1
        if self.read > self.after:
            raise self.error
        return self.dataset.frame(ref)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), UserError("images0001.png is damaged")])
def test_an_interrupted_cache_is_no_cache_and_is_finished_later(
    error: BaseException, sample: ManifestDataset, made: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "c"
    arguments = (("train", "dev"), folder, SIZE)
    broken = Broken(sample, 16 + 40, error)  # 16 for the fingerprints
    with pytest.raises(type(error)):
        write_cache(broken, *arguments, shard_bytes=SMALL)  # type: ignore[arg-type]
    assert {path.name for path in folder.iterdir()} == {PLAN, "frames-00000.bin"}
    with pytest.raises(UserError, match="finish it with") as caught:
        FrameCache.open(folder)
    assert caught.value.code == ExitCode.NO_INPUT
    first = (folder / "frames-00000.bin").stat().st_mtime_ns
    left_by_a_killed_process = folder / ".frames-00001.bin.01234567.part"
    left_by_a_killed_process.mkdir()
    (left_by_a_killed_process / "frames-00001.bin").write_bytes(b"half a shard")
    counting = Broken(sample, 10**9, error)
    write_cache(counting, *arguments, shard_bytes=SMALL)  # type: ignore[arg-type]
    assert (folder / "frames-00000.bin").stat().st_mtime_ns == first
    for path in made.iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes()
    assert {p.name for p in folder.iterdir()} == {p.name for p in made.iterdir()}
    counting.read = 0
    write_cache(counting, *arguments, shard_bytes=SMALL)  # type: ignore[arg-type]
    assert counting.read <= 16, "a finished cache is not written again"


def test_other_data_another_size_or_split_are_refused(
    sample: ManifestDataset, made: Path, tmp_path: Path
) -> None:
    shutil.copytree(bundled_sample(), tmp_path / "other")
    others = open_dataset(str(tmp_path / "other"))
    cache, record = FrameCache.open(made), sample.records("train")[0]
    cache.check(others, "train", SIZE, "area")
    for clip in (tmp_path / "other").glob("features/*/train/*"):
        pictures = sorted(clip.glob("images*.png"))
        for one, two in zip(pictures[::2], pictures[1::2], strict=False):
            one.write_bytes(two.read_bytes())
    renamed = FrameCache(made, replace(cache.index, resize="other"))
    for refused, message in (
        (lambda: cache.check(sample, "train", (32, 32), "area"), r"64 x 48 .* expected 32 x 32"),
        (lambda: cache.check(sample, "test", SIZE, "area"), "train, dev of .*; expected test"),
        (lambda: renamed.check(sample, "train", SIZE, "area"), "frames resized by other; expected"),
        (lambda: cache.check(others, "train", SIZE, "area"), "other data than phoenix14t has now"),
        (lambda: cache.frame(FrameRef(record, 99_999)), "holds no frame 99999"),
        (lambda: cache.frame(FrameRef(replace(record, id="nobody"), 0)), "holds no frame"),
        (lambda: write_cache(sample, ("dev",), made, SIZE), "of other data, of another size"),
    ):
        with pytest.raises(UserError, match=message):
            refused()


@pytest.mark.parametrize(
    ("changes", "sides", "message"),
    [
        ({"size": (32, 32)}, (), r"64 x 48 pixels .* expected 32 x 32"),
        ({"resize": "bicubic"}, (), r"by opencv .*; expected pillow bicubic \(--resize bicubic\)"),
        ({"source_size": (32, 32)}, (), "size, 64 48; source_size is 32 32"),
        ({}, (32, 64), r"size, 64 48; source_sides is \[32, 64\]"),
    ],
)
def test_a_model_that_wants_other_pixels_is_refused(
    changes: dict, sides: tuple[int, ...], message: str, sample: ManifestDataset, made: Path
) -> None:
    config = DataConfig(frame_cache=str(made), source_sides=sides)
    with pytest.raises(UserError, match=message) as caught:
        TripletDataset(sample, config, replace(tiny_fpdm(), **changes), 0)
    assert caught.value.code == (ExitCode.USAGE if "source" in message else ExitCode.DATA)
    assert "\n" not in str(caught.value)
    same = replace(tiny_fpdm(), source_size=SIZE)
    TripletDataset(sample, DataConfig(frame_cache=str(made)), same, 0)[0]


def test_a_cache_resized_as_the_model_serves_it(sample: ManifestDataset, tmp_path: Path) -> None:
    model = replace(tiny_fpdm(), resize="bicubic")
    write_cache(sample, ("train",), tmp_path / "c", SIZE, "bicubic")
    plain = TripletDataset(sample, DataConfig(), model, 0)[1]
    cached = TripletDataset(sample, DataConfig(frame_cache=str(tmp_path / "c")), model, 0)[1]
    area = TripletDataset(sample, DataConfig(), tiny_fpdm(), 0)[1]
    for name in ("source", "target"):
        assert torch.equal(getattr(plain, name), getattr(cached, name))
        assert not torch.equal(getattr(plain, name), getattr(area, name))
    with pytest.raises(UserError, match="resized otherwise"):
        write_cache(sample, ("train",), tmp_path / "c", SIZE, "area")


def test_folders_that_hold_something_else_are_refused(
    sample: ManifestDataset, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("full", "file"):
        with pytest.raises(UserError) as caught:
            write_cache(sample, ("dev",), tmp_path / name, SIZE)
        assert caught.value.code == ExitCode.CANNOT_CREATE


def test_a_full_disk_is_noticed_before_anything_is_written(
    sample: ManifestDataset, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"needs .* GB") as caught:
        write_cache(sample, ("train",), tmp_path / "c", (200_000, 200_000))
    assert caught.value.code == ExitCode.IO
    assert not list((tmp_path / "c").glob("*.bin"))


def test_damaged_caches_are_refused(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    shutil.copytree(made, folder)
    shard = folder / "frames-00001.bin"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"frames-00001\.bin has \d+ bytes; its index says"):
        FrameCache.open(folder)
    shard.unlink()
    with pytest.raises(UserError, match=r"frames-00001\.bin does not exist"):
        FrameCache.open(folder)


def test_an_index_is_not_trusted(made: Path, tmp_path: Path) -> None:
    index = json.loads((made / INDEX).read_text())
    for change in (
        {"version": 2},
        {"format": "x"},
        {"kind": "latents"},
        {"size": [64]},
        {"size": [64, -48]},
        {"size": [64, True]},
        {"records": [["train", "a", 0, 0, 10**6]]},
        {"records": [["train", "a", 99, 0, 1]]},
        {"records": [["train", "a", 0, -1, 1]]},
        {"records": [["train"]]},
        {"records": None},
        {"shards": [{"file": "../../etc/passwd", "frames": "3", "sha256": ""}]},
        {"splits": 5},
        {"splits": {"train": 5}},
    ):
        (tmp_path / INDEX).write_text(json.dumps(index | change))
        with pytest.raises(UserError, match=r"index\.json") as caught:
            FrameCache.open(tmp_path)
        assert "\n" not in str(caught.value)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["prepare", "cache", "--out", str(tmp_path / "c"), "--size", "64", "48"]
    assert main([*words, "--splits", "train", "dev"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'c'}\n"
    assert main([*words, "--splits", "train", "dev", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["frames"] > 0
    assert made["size"] == [64, 48]
    assert main([*words, "--splits", "test"]) == ExitCode.CANNOT_CREATE
    assert "another size" in capsys.readouterr().err
    words[3] = str(tmp_path / "b")
    assert main([*words, "--splits", "dev", "--resize", "bicubic"]) == 0
    assert FrameCache.open(tmp_path / "b").index.resize == "pillow bicubic"
