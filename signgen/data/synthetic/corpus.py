"""Writes a corpus of synthetic signers in the folder layout of PHOENIX-2014T.

Layout: `signgen.data.phoenix14t`. Signers are disjoint between the splits.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.data.manifest import SPLITS
from signgen.data.synthetic.clip import SyntheticClip, render_clip
from signgen.data.synthetic.signer import PARTS, REFERENCE_SIZE
from signgen.structures import ExitCode, PoseSequence, UserError

_PNG_COMPRESSION = [cv2.IMWRITE_PNG_COMPRESSION, 3]


@dataclass(frozen=True)
class ClipJob:
    """One clip to render.

    Args:
        root: Folder of the corpus being written.
        split: `train`, `dev` or `test`.
        name: Name of the clip.
        speaker: Name of the signer.
        signer_seed: Seed of the appearance.
        clip_seed: Seed of the motion.
        frames: Number of frames.
        size: (H, W) of the frames.
        fps: Frames per second.
        motion_blur: Whether frames are blurred along the motion.
    """

    root: Path
    split: str
    name: str
    speaker: str
    signer_seed: int
    clip_seed: int
    frames: int
    size: tuple[int, int]
    fps: float
    motion_blur: bool


def split_signers(signers: int) -> dict[str, int]:
    """Number of signers per split: about 80, 10 and 10 in a hundred, at least one each.

    Args:
        signers: Number of signers, at least 3.

    Raises:
        UserError: If there are fewer than 3.
    """
    if signers < 3:
        raise UserError(
            f"--signers is {signers}; expected at least 3, because train, dev and test have their "
            "own signers.",
            ExitCode.USAGE,
        )
    held_out = max(1, round(signers / 10))
    return {"train": signers - 2 * held_out, "dev": held_out, "test": held_out}


def plan_corpus(
    root: Path,
    signers: int,
    clips_per_signer: int,
    seed: int,
    *,
    frames: int,
    size: tuple[int, int],
    fps: float,
    motion_blur: bool,
) -> list[ClipJob]:
    """List the clips of a corpus; seeds depend on corpus seed, split, signer and clip alone.

    Raises:
        UserError: If there are too few signers or clips, or a size, rate or seed is out of range.
    """
    if clips_per_signer < 1 or frames < 1:
        raise UserError(
            f"--clips-per-signer is {clips_per_signer} and --frames is {frames}; "
            "expected at least 1 each.",
            ExitCode.USAGE,
        )
    if min(size) < 64 or fps <= 0 or seed < 0:
        raise UserError(
            f"--size is {size[0]} {size[1]}, fps {fps:g} and --seed {seed}; "
            "expected at least 64 x 64 pixels, a positive frame rate and a seed of 0 or more.",
            ExitCode.USAGE,
        )
    jobs = []
    first = 1
    for number, (split, count) in enumerate(split_signers(signers).items()):
        for index in range(count):
            signer_seed = int(np.random.SeedSequence((seed, number, index)).generate_state(1)[0])
            speaker = f"Signer{first + index:03d}"
            for clip in range(clips_per_signer):
                name = f"{speaker}_clip{clip + 1:03d}"
                jobs.append(
                    ClipJob(
                        root,
                        split,
                        name,
                        speaker,
                        signer_seed,
                        clip,
                        frames,
                        size,
                        fps,
                        motion_blur,
                    )
                )
        first += count
    return jobs


def write_corpus(
    out: Path,
    signers: int,
    clips_per_signer: int,
    seed: int,
    frames: int = 24,
    size: tuple[int, int] = REFERENCE_SIZE,
    fps: float = 25.0,
    *,
    motion_blur: bool = False,
    progress: Callable[[int, int], None] | None = None,
    workers: int = 1,
) -> dict[str, int]:
    """Render a corpus; the folder appears only when all of it is written.

    Args:
        out: Folder to create; it must not exist or be empty.
        signers: Number of signers, at least 3; see `split_signers`.
        clips_per_signer: Clips of each signer.
        seed: The same seed gives the same corpus.
        frames: Frames per clip.
        size: (H, W) of the frames.
        fps: Frames per second.
        motion_blur: Blur frames along the motion.
        progress: Called with (clips done, clips in all).
        workers: Processes to render with; above 1 they are spawned, so the caller's main module
            must be importable.

    Returns:
        Number of clips per split.

    Raises:
        UserError: If a number is out of range, or the folder cannot be created or is not empty.
    """
    with _new_folder(out) as root:
        jobs = plan_corpus(
            root,
            signers,
            clips_per_signer,
            seed,
            frames=frames,
            size=size,
            fps=fps,
            motion_blur=motion_blur,
        )
        glosses = []
        for job_gloss in _run(jobs, workers):
            glosses.append(job_gloss)
            if progress is not None:
                progress(len(glosses), len(jobs))
        _write_annotations(root, jobs, glosses)
        (root / "README.md").write_text(
            _card(jobs, signers, clips_per_signer, seed), encoding="utf-8"
        )
    return {split: sum(job.split == split for job in jobs) for split in SPLITS}


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `out`; rename it at the end, remove it after an error."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(
            f"{out} exists and is not empty; expected a new folder. "
            "Choose another one or remove it.",
            ExitCode.CANNOT_CREATE,
        )
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


def _run(jobs: Sequence[ClipJob], workers: int) -> Iterable[str]:
    """Write all clips and return their glosses in order."""
    if workers <= 1:
        yield from map(write_clip, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(write_clip, jobs)


def write_clip(job: ClipJob) -> str:
    """Render one clip and write its frames, key points and parts.

    Returns:
        The names of its signs, blank-separated.
    """
    from signgen.pose.formats import write_poses

    clip = render_clip(
        job.signer_seed, job.clip_seed, job.frames, job.size, job.fps, job.motion_blur
    )
    _write_frames(frames_folder(job.root, job.size) / job.split / job.name, clip.frames[..., ::-1])
    _write_frames(job.root / "parts" / job.split / job.name, clip.parts)
    path = job.root / "keypoints" / job.split / f"{job.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_poses(_rounded(clip), path)
    return clip.gloss


def _rounded(clip: SyntheticClip) -> PoseSequence:
    """Key points to a hundredth of a pixel, which halves the file."""
    return replace(
        clip.poses,
        keypoints=np.round(clip.poses.keypoints, 2),
        confidence=np.round(clip.poses.confidence, 2),
    )


def frames_folder(root: Path, size: tuple[int, int]) -> Path:
    """Folder of the frames, named after their width and height as in PHOENIX-2014T."""
    return root / "features" / f"fullFrame-{size[1]}x{size[0]}px"


def _write_frames(folder: Path, frames: NDArray[np.uint8]) -> None:
    """Write BGR or grey pictures as images0001.png, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames, start=1):
        path = folder / f"images{number:04d}.png"
        if not cv2.imwrite(str(path), np.ascontiguousarray(frame), _PNG_COMPRESSION):
            raise UserError(
                f"{path} could not be written; is the disk full?", ExitCode.CANNOT_CREATE
            )


def _write_annotations(root: Path, jobs: Sequence[ClipJob], glosses: Sequence[str]) -> None:
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


def _card(jobs: Sequence[ClipJob], signers: int, clips_per_signer: int, seed: int) -> str:
    first = jobs[0]
    height, width = first.size
    counts = split_signers(signers)
    table = "\n".join(
        f"| {split} | {counts[split]} | {counts[split] * clips_per_signer} |"
        f" {counts[split] * clips_per_signer * first.frames} |"
        for split in SPLITS
    )
    labels = ", ".join(f"{value} {name}" for name, value in PARTS.items())
    command = (
        f"signgen prepare synthetic --out FOLDER --signers {signers} "
        f"--clips-per-signer {clips_per_signer} --seed {seed}"
    )
    other = (("frames", first.frames, 24), ("fps", first.fps, 25.0))
    command += "".join(f" --{name} {value:g}" for name, value, usual in other if value != usual)
    command += f" --size {height} {width}" if first.size != REFERENCE_SIZE else ""
    command += " --motion-blur" if first.motion_blur else ""
    return f"""# Synthetic signers

Drawn signers, not photographs: appearance, motion, key points and part labels are all computed, so
nobody is depicted and the data may be shared and trained on freely. The signs are random and mean
nothing.

Made with seed {seed} by

    {command}

| split | signers | clips | frames |
|---|---|---|---|
{table}

Signers are disjoint between the splits. Frames are {width} x {height} pixels (width x height),
{first.fps:g} per second.

- `features/fullFrame-{width}x{height}px/<split>/<clip>/images0001.png`: frames, laid out as
  PHOENIX-2014T
- `annotations/manual/PHOENIX-2014-T.<split>.corpus.csv`: clip, signer (`speaker`) and
  signs (`orth`: handshape-place-movement-hands)
- `keypoints/<split>/<clip>.json`: 133 exact COCO-WholeBody key points per frame; confidence 1 seen,
  0.6 hidden by a hand, 0 outside the frame
- `parts/<split>/<clip>/images0001.png`: labels: {labels}
"""
