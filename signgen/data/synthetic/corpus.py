"""Writes a corpus of rendered signers in the folder layout of PHOENIX-2014T.

Layout: `signgen.data.phoenix14t`. Signers are disjoint between the splits.
"""

from __future__ import annotations

import glob
import json
import multiprocessing
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.data.manifest import SPLITS
from signgen.data.synthetic.body import need_packages
from signgen.data.synthetic.signers.regions import LABELS
from signgen.errors import ExitCode, UserError
from signgen.files.locking import locked
from signgen.files.writing import written
from signgen.human_parsing.maps import LABEL_SET_FILE, save_labels
from signgen.structures import PoseSequence, Progress

if TYPE_CHECKING:
    from signgen.data.synthetic.clip import RenderedClip, Studio

__all__ = ["CorpusPlan", "write_corpus"]

_PNG_COMPRESSION = [cv2.IMWRITE_PNG_COMPRESSION, 3]


@dataclass(frozen=True)
class CorpusPlan:
    """What a corpus is made of; its splits have signers of their own, about 80/10/10 %.

    Args:
        signers: Number of signers, at least 3.
        clips_per_signer: Clips of each signer.
        seed: The same plan gives the same corpus.
        frames: Frames per clip.
        size: (H, W) of the frames.
        assets: A checkout of makehuman-assets, for garments and hair; None dresses signers in
            shells of their own bodies.

    Raises:
        UserError: If a number is out of range.
    """

    signers: int
    clips_per_signer: int = 1
    seed: int = 0
    frames: int = 24
    size: tuple[int, int] = (260, 210)
    assets: Path | None = None

    def __post_init__(self) -> None:
        if self.signers < 3:
            raise UserError(
                f"--signers is {self.signers}; expected at least 3, because train, dev and test "
                "have their own signers.",
                ExitCode.USAGE,
            )
        if self.clips_per_signer < 1 or self.frames < 1:
            raise UserError(
                f"--clips-per-signer is {self.clips_per_signer} and --frames is {self.frames}; "
                "expected at least 1 each.",
                ExitCode.USAGE,
            )
        if min(self.size) < 64 or self.seed < 0:
            raise UserError(
                f"--size is {self.size[0]} {self.size[1]} and --seed {self.seed}; "
                "expected at least 64 x 64 pixels and a seed of 0 or more.",
                ExitCode.USAGE,
            )

    @property
    def splits(self) -> dict[str, int]:
        """Number of signers per split, at least one each."""
        held_out = max(1, round(self.signers / 10))
        return {"train": self.signers - 2 * held_out, "dev": held_out, "test": held_out}

    def jobs(self, root: Path) -> list[_Job]:
        """List the clips; seeds depend on the plan's seed, split, signer and clip alone."""
        jobs: list[_Job] = []
        first = 1
        for number, (split, count) in enumerate(self.splits.items()):
            for index in range(count):
                seeds = np.random.SeedSequence((self.seed, number, index))
                speaker = f"Signer{first + index:03d}"
                jobs += [
                    _Job(root, split, f"{speaker}_clip{clip + 1:03d}", speaker, seed, clip, self)
                    for clip in range(self.clips_per_signer)
                    for seed in [int(seeds.generate_state(1)[0])]
                ]
            first += count
        return jobs


@dataclass(frozen=True)
class _Job:
    """One clip to render into the folder `root`."""

    root: Path
    split: str
    name: str
    speaker: str
    signer_seed: int
    clip_seed: int
    plan: CorpusPlan


def write_corpus(
    out: Path, plan: CorpusPlan, *, progress: Progress | None = None, workers: int = 1
) -> dict[str, int]:
    """Render a corpus; the folder appears only when all of it is written.

    Args:
        out: Folder to create; it must not exist or be empty.
        plan: What to render.
        progress: Shows how far it is.
        workers: Processes to render with; above 1 they are spawned, so the caller's main module
            must be importable.

    Returns:
        Number of clips per split.

    Raises:
        UserError: If the folder cannot be created or is not empty, the extra `synthetic` is not
            installed, or the assets are not such a checkout.
    """
    with locked(out, "a preparation"), _new_folder(out) as root, written(out):
        # Anny's cache is made here once, not by every worker at a time
        _studio(plan.assets)
        jobs = plan.jobs(root)
        done = _run(jobs, workers)
        glosses = list(done if progress is None else progress(done, len(jobs)))
        _write_annotations(root, jobs, glosses)
        (root / "parts" / LABEL_SET_FILE).write_text("signgen-10\n", encoding="utf-8")
        (root / "README.md").write_text(_card(plan), encoding="utf-8")
    return {split: count * plan.clips_per_signer for split, count in plan.splits.items()}


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `out`; rename it at the end, remove it after an error."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(
            f"{out} exists and is not empty; expected a new folder. "
            "Choose another one or remove it.",
            ExitCode.CANNOT_CREATE,
        )
    # What a killed process left; the lock says that none is alive
    for leftover in out.parent.glob(f"{glob.escape(out.name)}.*.partial"):
        shutil.rmtree(leftover, ignore_errors=True)
    root = out.with_name(f"{out.name}.{os.getpid()}.partial")
    try:
        root.mkdir(parents=True)
    except OSError as error:
        raise UserError(
            f"{out} cannot be created ({error.strerror}); expected a folder that may be written.",
            ExitCode.CANNOT_CREATE,
        ) from error
    try:
        yield root
        root.replace(out)
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise


def _run(jobs: Sequence[_Job], workers: int) -> Iterable[str]:
    """Write all clips and return their glosses in order."""
    if workers <= 1:
        yield from map(_write_clip, jobs)
        return
    with ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_use_one_thread,
    ) as pool:
        yield from pool.map(_write_clip, jobs)


def _use_one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@cache
def _studio(assets: Path | None) -> Studio:
    need_packages()
    from signgen.data.synthetic.clip import Studio

    return Studio(assets)


def _write_clip(job: _Job) -> str:
    """Render one clip and write its frames, labels, key points and hand boxes.

    Returns:
        The names of its signs, blank-separated.
    """
    from signgen.pose.formats import write_poses

    plan = job.plan
    clip = _studio(plan.assets).render_clip(job.signer_seed, job.clip_seed, plan.frames, plan.size)
    frames = job.root / "features" / f"fullFrame-{plan.size[1]}x{plan.size[0]}px"
    _write_frames(frames / job.split / job.name, clip)
    _write_labels(job.root / "parts" / job.split / job.name, clip.labels)
    for folder in ("keypoints", "hand_boxes"):
        (job.root / folder / job.split).mkdir(parents=True, exist_ok=True)
    write_poses(_rounded(clip.poses), job.root / "keypoints" / job.split / f"{job.name}.json")
    boxes = job.root / "hand_boxes" / job.split / f"{job.name}.json"
    boxes.write_text(json.dumps(clip.hand_boxes()) + "\n", encoding="utf-8")
    return clip.gloss


def _rounded(poses: PoseSequence) -> PoseSequence:
    """Key points to a hundredth of a pixel, which halves the file."""
    return replace(
        poses, keypoints=np.round(poses.keypoints, 2), confidence=np.round(poses.confidence, 2)
    )


def _write_frames(folder: Path, clip: RenderedClip) -> None:
    """Write frames as images0001.png, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(clip.frames[..., ::-1], start=1):
        path = folder / f"images{number:04d}.png"
        if not cv2.imwrite(str(path), np.ascontiguousarray(frame), _PNG_COMPRESSION):
            raise UserError(f"{path} cannot be written; is the disk full?", ExitCode.IO)


def _write_labels(folder: Path, labels: NDArray[np.uint8]) -> None:
    """Write label maps as indexed pictures, images0001.png, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(labels, start=1):
        save_labels(folder / f"images{number:04d}.png", frame)


def _write_annotations(root: Path, jobs: Sequence[_Job], glosses: Sequence[str]) -> None:
    folder = root / "annotations" / "manual"
    folder.mkdir(parents=True)
    for split in SPLITS:
        lines = ["name|video|start|end|speaker|orth|translation"]
        for job, gloss in zip(jobs, glosses, strict=True):
            if job.split == split:
                # The published files name a /1/ folder that does not exist; readers expect it.
                words = gloss.lower().replace("-", " ")
                lines.append(f"{job.name}|{job.name}/1/*.png|-1|-1|{job.speaker}|{gloss}|{words}")
        path = folder / f"PHOENIX-2014-T.{split}.corpus.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _card(plan: CorpusPlan) -> str:
    height, width = plan.size
    clips = plan.clips_per_signer
    table = "\n".join(
        f"| {split} | {count} | {count * clips} | {count * clips * plan.frames} |"
        for split, count in plan.splits.items()
    )
    labels = ", ".join(f"{value} {name}" for name, value in LABELS.items())
    command = (
        f"signgen prepare synthetic --out FOLDER --signers {plan.signers} "
        f"--clips-per-signer {clips} --seed {plan.seed} --frames {plan.frames} "
        f"--size {height} {width}"
    )
    command += " --assets MAKEHUMAN_ASSETS" if plan.assets else ""
    return f"""# Synthetic signers

Rendered signers, not photographs: appearance, motion, key points and labels are all computed, so
nobody is depicted and the data may be shared and trained on freely. The signs are random and mean
nothing.

Made with seed {plan.seed} by

    {command}

| split | signers | clips | frames |
|---|---|---|---|
{table}

Signers are disjoint between the splits. Frames are {width} x {height} pixels (width x height),
25 per second.

- `features/fullFrame-{width}x{height}px/<split>/<clip>/images0001.png`: frames, laid out as
  PHOENIX-2014T
- `annotations/manual/PHOENIX-2014-T.<split>.corpus.csv`: clip, signer (`speaker`) and
  signs (`orth`: handshape-place-movement-hands)
- `keypoints/<split>/<clip>.json`: 133 exact COCO-WholeBody key points per frame; confidence 1 seen,
  0.6 hidden, 0 outside the frame
- `parts/<split>/<clip>/images0001.png`: indexed pictures, label set `signgen-10`: {labels}
- `hand_boxes/<split>/<clip>.json`: for `left` and `right` one box per frame, left, top, right and
  bottom in pixels, around what is seen of the hand; null where nothing is
"""
