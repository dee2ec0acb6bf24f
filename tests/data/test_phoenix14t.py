"""The layout of PHOENIX-2014T: what is found, what is wrong, and its true numbers."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from signgen.data.dataset import bundled_sample, open_dataset
from signgen.data.examples.triplets import draw, first_frame_pairs
from signgen.data.phoenix14t import COUNTS, find_root, scan
from signgen.media import save_image
from signgen.structures import ExitCode, FrameRef, Record, UserError
from tests.material.places import REAL, needs_real

HEADER = "name|video|start|end|speaker|orth|translation"
RECORD = open_dataset("sample").records("test")[0]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copytree(bundled_sample(), tmp_path / "corpus")
    return tmp_path / "corpus"


def table(root: Path, split: str = "test") -> Path:
    return root / "annotations" / "manual" / f"PHOENIX-2014-T.{split}.corpus.csv"


def clip_folder(root: Path) -> Path:
    return next((root / "features").glob("fullFrame-*px")) / "test" / RECORD.id


def test_root_is_found_below_the_named_folder(copied: Path, tmp_path: Path) -> None:
    assert find_root(tmp_path) == copied
    with pytest.raises(UserError, match="not a folder") as missing:
        open_dataset(str(tmp_path / "nowhere"))
    assert missing.value.code == ExitCode.NO_INPUT
    with pytest.raises(UserError, match="fullFrame"):
        open_dataset(str(copied / "annotations"))


def test_gloss_text_size_and_rate_are_kept(copied: Path) -> None:
    text = table(copied).read_text()
    first = text.split("\n")[1]
    quoted = first.rpartition("|")[0] + '|er sagt "nein'  # a quote is text
    table(copied).write_text(text.replace(first, quoted))
    (clip_folder(copied) / "createDnnTrainingLabels-profile.py.lprof").write_text("stray")
    entry = scan(copied, ["test"]).entries[0]
    row = dict(zip(HEADER.split("|"), quoted.split("|"), strict=True))
    assert (entry.record.gloss, entry.record.text) == (row["orth"], row["translation"])
    assert (entry.record.num_frames, entry.fps) == (RECORD.num_frames, 25)
    assert open_dataset(str(copied)).frame(FrameRef(entry.record, 0)).shape[:2] == entry.size


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda clip: [frame.unlink() for frame in clip.glob("*.png")], "holds no images"),
        (shutil.rmtree, "is missing"),
        (lambda clip: (clip / "images0002.png").unlink(), "lacks images0002.png"),
        (lambda clip: (clip / "images0001.png").write_bytes(b"GIF89a"), "is no picture"),
    ],
)
def test_clip_whose_frames_are_not_whole_is_named(
    copied: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(clip_folder(copied))
    found = scan(copied, ["test"])
    (problem,) = found.problems
    assert problem.record == f"test/{RECORD.id}"
    assert message in problem.message
    assert RECORD.id not in {entry.record.id for entry in found.entries}
    with pytest.raises(UserError, match=RECORD.id):
        open_dataset(str(copied))
    open_dataset(str(copied), ["train"]).records("train")  # the other splits are as good as before


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("only|three|fields", "3 fields"),
        ("../train|x|-1|-1|S|g|t", "expected a folder's name"),
        ("..|x|-1|-1|S|g|t", "expected a folder's name"),
        ("|x|-1|-1|S|g|t", "expected a folder's name"),
        (f"{RECORD.id}|x|-1|-1|S|g|t", "second time"),
    ],
)
def test_bad_rows_are_named_and_left_out(copied: Path, row: str, message: str) -> None:
    before = scan(copied, ["test"]).entries
    with table(copied).open("a", encoding="utf-8") as file:
        file.write(row + "\n")
    found = scan(copied, ["test"])
    assert found.entries == before
    (problem,) = found.problems
    assert f"line {len(before) + 2}" in problem.message
    assert message in problem.message
    table(copied).write_text(table(copied).read_text().replace("speaker", "signer"))
    with pytest.raises(UserError, match="lacks the column speaker"):
        scan(copied, ["test"])


def test_key_points_of_another_length_are_refused(copied: Path) -> None:
    (clip_folder(copied) / f"images{RECORD.num_frames:04d}.png").unlink()
    dataset = open_dataset(str(copied))
    with pytest.raises(UserError, match="expected as many"):
        dataset.poses(dataset.records("test")[0])


# ----- the true counts ----------------------------------------------------------------------------


def lengths(split: str) -> list[int]:
    """Per-video frame counts with the number, sum, least and greatest of the corpus."""
    count, frames = COUNTS[split]
    least, most = {"train": (16, 475), "dev": (16, 272), "test": (17, 242)}[split]
    rng = random.Random(split)
    drawn = [least, most] + [
        round(min(most, max(least, rng.gauss(frames / count, 30)))) for _ in range(count - 2)
    ]
    while sum(drawn) != frames:
        place = rng.randrange(2, count)
        step = 1 if sum(drawn) < frames else -1
        if least <= drawn[place] + step <= most:
            drawn[place] += step
    return drawn


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test split with its true number of videos and frames; all frames are one picture."""
    root = tmp_path_factory.mktemp("phoenix") / "release" / "PHOENIX-2014-T"
    picture = root / "one.png"
    picture.parent.mkdir(parents=True)
    save_image(picture, np.zeros((26, 21, 3), np.uint8))
    rows = [HEADER]
    for number, count in enumerate(lengths("test")):
        folder = root / "features" / "fullFrame-210x260px" / "test" / f"clip-{number:04d}"
        folder.mkdir(parents=True)
        for frame in range(1, count + 1):
            (folder / f"images{frame:04d}.png").hardlink_to(picture)
        rows.append(f"{folder.name}|{folder.name}/1/*.png|-1|-1|Signer01|GLOSS|text")
    table(root).parent.mkdir(parents=True)
    table(root).write_text("\n".join(rows) + "\n")
    return root


def test_test_protocol_has_as_many_pairs_as_the_paper(generated: Path) -> None:
    found = scan(find_root(generated.parent.parent))
    records = [entry.record for entry in found.entries]
    assert not found.problems
    assert (len(records), sum(r.num_frames for r in records)) == COUNTS["test"] == (642, 64_627)
    pairs = list(first_frame_pairs(records))
    assert len(pairs) == 64_627
    assert all(pair.source == FrameRef(pair.target.record, 0) for pair in pairs)
    assert len(set(pairs)) == len(pairs)


def test_training_draws_its_pairs_within_videos_of_the_true_lengths() -> None:
    counts = lengths("train")
    assert (len(counts), sum(counts)) == COUNTS["train"] == (7096, 827_354)
    records = [Record(f"clip{i}", "train", "S", n) for i, n in enumerate(counts)]
    pairs = [draw(records, 7, index) for index in range(0, 100_000, 10)]
    assert all(pair.source.record is pair.target.record for pair in pairs)
    assert all(0 <= pair.source.index < pair.source.record.num_frames for pair in pairs)
    # 10,000 draws leave about exp(-10000 / 7096) = 24 % of the videos out.
    assert 0.72 < len({pair.target.record.id for pair in pairs}) / 7096 < 0.79


@needs_real
def test_genuine_layout_is_read() -> None:
    dataset = open_dataset(str(REAL / "phoenix14t"))
    records = [record for split in ("train", "dev", "test") for record in dataset.records(split)]
    assert records
    assert all(record.signer.startswith("Signer") for record in records)
    assert all(record.gloss.isupper() for record in records)
    frame = dataset.frame(FrameRef(records[0], 0))
    assert frame.shape == (260, 210, 3)
    assert frame.dtype == np.uint8
