"""Videos in the folder layout of RWTH-PHOENIX-Weather 2014T, with key points beside them.

    ROOT/annotations/manual/PHOENIX-2014-T.<split>.corpus.csv            name|video|...|speaker|...
    ROOT/features/fullFrame-<W>x<H>px/<split>/<name>/images0001.png ...
    ROOT/keypoints/<split>/<name>.json                 signgen pose JSON, one pose per frame
    ROOT/parts/<split>/<name>/images0001.png           human-parsing labels, optional

The first two are the corpus as published (its `video` column names a `/1/` folder that does not
exist on disk, so frames are found by `<split>/<name>`); the last two are ours.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from signgen.media import read_image
from signgen.pose.formats import read_poses
from signgen.structures import ExitCode, FrameRef, PoseSequence, Record, UserError

SPLITS = ("train", "dev", "test")


def find_root(folder: Path) -> Path:
    """Return the folder that holds `features/`, at `folder` or up to three levels below it.

    Args:
        folder: What the user named, for example the unpacked archive.

    Raises:
        UserError: If there is none.
    """
    if not folder.is_dir():
        raise UserError(
            f"{folder} is not a folder; expected data in the PHOENIX-2014T layout. "
            "Make some with `signgen prepare synthetic --out FOLDER`.",
            ExitCode.NO_INPUT,
        )
    for pattern in ("", "*/", "*/*/", "*/*/*/"):
        for candidate in sorted(path.parent for path in folder.glob(f"{pattern}features")):
            if any((candidate / "features").glob("fullFrame-*px")):
                return candidate
    raise UserError(
        f"{folder} has no features/fullFrame-<W>x<H>px folder; expected the PHOENIX-2014T layout.",
        ExitCode.NO_INPUT,
    )


class Phoenix14T:
    """RWTH-PHOENIX-Weather 2014T, or any data in its layout such as the synthetic corpus.

    Args:
        root: Folder with `features/` and `annotations/`, or one of its parents.

    Raises:
        UserError: If the folder does not hold the layout.
    """

    name = "phoenix14t"
    skeleton = "coco-wholebody-133"

    def __init__(self, root: Path) -> None:
        self.root = find_root(root)
        self.frames_root = next(iter(sorted((self.root / "features").glob("fullFrame-*px"))))

    def records(self, split: str) -> list[Record]:
        """List the clips of a split, sorted by name.

        Args:
            split: `train`, `dev` or `test`.

        Raises:
            UserError: If the annotation or a clip's frames are missing.
        """
        table = self.root / "annotations" / "manual" / f"PHOENIX-2014-T.{split}.corpus.csv"
        if not table.is_file():
            raise UserError(
                f"{table} is missing; expected the annotation of split {split}.", ExitCode.NO_INPUT
            )
        with table.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines, delimiter="|", quoting=csv.QUOTE_NONE))
        if not rows or not {"name", "speaker"} <= set(rows[0]):
            raise UserError(
                f"{table} has no clips; expected a header name|video|...|speaker|... and rows."
            )
        records = []
        for row in rows:
            folder = self.frames_root / split / row["name"]
            count = sum(1 for _ in folder.glob("images*.png"))
            if count == 0:
                raise UserError(
                    f"{folder} holds no images*.png; expected the frames of a clip in {table.name}."
                )
            records.append(Record(row["name"], split, row["speaker"], count))
        return sorted(records, key=lambda record: record.id)

    def frame(self, ref: FrameRef) -> NDArray[np.uint8]:
        """Read one frame, (H, W, 3) uint8 RGB."""
        record = ref.record
        return read_image(
            self.frames_root / record.split / record.id / f"images{ref.index + 1:04d}.png"
        )

    def pose(self, record: Record) -> PoseSequence:
        """Read the key points of a clip, (T, 133) in pixels of its frames.

        Raises:
            UserError: If the file is missing, broken, or its length differs from the number of
                frames.
        """
        return _read_clip_poses(
            self.root / "keypoints" / record.split / f"{record.id}.json", record.num_frames
        )

    def parts(self, ref: FrameRef) -> NDArray[np.uint8] | None:
        """Read the (H, W) human-parsing labels of a frame, or None if the corpus has none."""
        record = ref.record
        path = self.root / "parts" / record.split / record.id / f"images{ref.index + 1:04d}.png"
        if not path.is_file():
            return None
        with Image.open(path, formats=["PNG"]) as labels:
            return np.asarray(labels.convert("L"))


@lru_cache(maxsize=4096)
def _read_clip_poses(path: Path, num_frames: int) -> PoseSequence:
    poses = read_poses(path)
    if len(poses) != num_frames:
        raise UserError(
            f"{path} has {len(poses)} poses; its clip has {num_frames} frames, expected as many."
        )
    return poses


def bundled_sample() -> Path:
    """Return the folder of the synthetic sample that ships with the package."""
    return Path(__file__).resolve().parent.parent / "assets" / "sample"


def open_dataset(root: str) -> Phoenix14T:
    """Open the dataset a user names.

    Args:
        root: A folder, or `sample` for the bundled sample.
    """
    return Phoenix14T(bundled_sample() if root == "sample" else Path(root))
