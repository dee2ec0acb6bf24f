"""What a render reads: checked before anything is computed, cheapest first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signgen.config.render import RenderConfig
from signgen.config.sampling import PRESETS, Sampling
from signgen.media.audio import Sound
from signgen.pose.estimators import PoseEstimator, open_estimator
from signgen.pose.extraction.cache import VideoPoses
from signgen.pose.extraction.clips import estimate_source
from signgen.pose.formats import Reading, read_clip_of
from signgen.pose.retargeting.align import align_to_source
from signgen.pose.skeleton import COCO_WHOLEBODY
from signgen.pose.summary import remarks
from signgen.pose.transforms import fill_missing, fit_to_source, smooth_one_euro
from signgen.rendering.base import Frame, PartsOf, check_chunk
from signgen.rendering.editing import Donor
from signgen.rendering.finishing.backgrounds import Background, open_background
from signgen.rendering.provenance.credentials import check_signer
from signgen.rendering.provenance.outputs import check_outputs
from signgen.rendering.reading import open_audio, open_poses, read_source
from signgen.rendering.regions import open_donors, open_mask, open_parsing
from signgen.rendering.warp import WARP, first_pose
from signgen.structures import ExitCode, PoseSequence, Progress, UserError

__all__ = ["Inputs", "Motion", "check_inputs"]

MAX_SIDE = 4096
MIN_FPS, MAX_FPS = 1, 240
MODEL_SETTINGS = (
    *(
        "frame",
        "preset",
        "parsing",
        "label_set",
        "clothes_from",
        "face_from",
        "edit_region",
        "mask",
    ),
    *("steps", "guidance", "sampler", "official_noise", "precision", "seed", "chunk"),
)
"""Settings that mean nothing where nothing is sampled."""


@dataclass(frozen=True)
class Motion:
    """Poses as they are rendered.

    Args:
        poses: Extracted, aligned as the settings say, and in pixels of the source.
        warnings: What should be known of the poses, and what differs between the signers, where
            they are aligned.
        estimator: What found key points in the video or the source; None where nothing had to.
        signer: Key points of the source, in its pixels; None where nothing needs them.
    """

    poses: PoseSequence
    warnings: tuple[str, ...] = ()
    estimator: str | None = None
    signer: PoseSequence | None = None


@dataclass(frozen=True)
class Inputs:
    """Everything a render starts from.

    Args:
        source: (H, W, 3) uint8 RGB.
        poses: The motion, or the video to extract it from.
        size: (H, W) of the video to write.
        sampling: How to sample, as far as the settings say.
        outputs: Files to write, the video first.
        remarks: What should be known of a file of poses.
        parts: Gives the human parsing of the source; None where none is named.
        donors: Pictures that regions are taken from.
        mask: (H, W), where the source is made anew; None for everywhere.
        background: What is to be behind the signer; None for what is rendered there.
        sound: Sound of the video; None for none.
    """

    source: Frame
    poses: PoseSequence | VideoPoses
    size: tuple[int, int]
    sampling: Sampling
    outputs: tuple[Path, ...]
    remarks: tuple[str, ...] = ()
    parts: PartsOf | None = None
    donors: tuple[Donor, ...] = ()
    mask: NDArray[np.bool_] | None = None
    background: Background | None = None
    sound: Sound | None = None

    @property
    def alpha(self) -> bool:
        """Whether frames have opacity."""
        return self.background is not None and self.background.kind == "alpha"

    @property
    def edits(self) -> dict[str, Any]:
        """What a model's renderer is told of edits, and others are not."""
        donors = {"donors": self.donors} if self.donors else {}
        return donors if self.mask is None else {**donors, "mask": self.mask}

    def motion(
        self, config: RenderConfig, progress: Progress | None = None, *, guided: bool = False
    ) -> Motion:
        """Return the poses to render, extracted and aligned as the settings say.

        Args:
            config: The settings.
            progress: Wraps the frames that poses are extracted from.
            guided: Whether key points of the source are of use: they are estimated where that can
                be done, and else do without.

        Raises:
            UserError: If nobody is found, or the two signers cannot be aligned.
        """
        poses, size = self.poses, (self.source.shape[0], self.source.shape[1])
        estimator: PoseEstimator | None = None
        signer: PoseSequence | None = None
        warnings = self.remarks

        # Extract the poses
        if isinstance(poses, VideoPoses):
            estimator = poses.estimator
            poses = poses.read(progress)
            warnings += remarks(Reading(poses), config.poses)

        # Mend and calm them
        if config.fill_gaps:
            poses = fill_missing(poses, config.fill_gaps)
        if config.smooth:
            poses = smooth_one_euro(poses)

        # Find the signer in the source
        if config.source_poses or _needs_signer(config):
            signer, estimator = self._signer(config, estimator)
        elif guided and poses.skeleton == COCO_WHOLEBODY:
            signer, estimator = self._signer_if_found(config, estimator)

        # Bring the poses onto the source
        where = config.source_poses or config.source
        if config.align != "none" and signer is not None:
            aligned = align_to_source(poses, signer, config.align, (config.poses, where))
            poses, warnings = aligned.poses, warnings + aligned.warnings
        if signer is not None:
            first_pose(signer, poses.skeleton, size, where)
        used = None if estimator is None else estimator.name
        return Motion(fit_to_source(poses, size), warnings, used, signer)

    def _signer(
        self, config: RenderConfig, estimator: PoseEstimator | None
    ) -> tuple[PoseSequence, PoseEstimator | None]:
        """Return the key points of the source: those of a file, else estimated.

        Args:
            config: The settings.
            estimator: One that is open already.
        """
        # Those that are given
        if config.source_poses:
            size = (self.source.shape[0], self.source.shape[1])
            given = read_clip_of(Path(config.source_poses), config.source, size).poses
            number = config.source_frame if len(given) > 1 else 0
            if number >= len(given):
                raise UserError(
                    f"--source-frame is {number}; {config.source_poses} has {len(given)} poses. "
                    "Take poses of the whole video, or those of this frame alone."
                )
            return given.frames(slice(number, number + 1)), estimator

        # Else estimated
        estimator = estimator or _open_for_source(config)
        return estimate_source(self.source, estimator, name=config.source), estimator

    def _signer_if_found(
        self, config: RenderConfig, estimator: PoseEstimator | None
    ) -> tuple[PoseSequence | None, PoseEstimator | None]:
        """Return the key points of the source as `_signer`; None where nothing finds them."""
        try:
            return self._signer(config, estimator)
        except UserError as error:
            # Only what nobody asked for may be missing
            chosen = config.estimator != "auto" or config.weights
            if error.code not in {ExitCode.UNAVAILABLE, ExitCode.DATA} or chosen:
                raise
            return None, estimator


def _needs_signer(config: RenderConfig) -> bool:
    """Whether a render cannot do without key points of the source."""
    kept = config.background == "keep" and not config.parsing and config.person_mask != "mediapipe"
    return config.align != "none" or config.model == WARP or kept


def _open_for_source(config: RenderConfig) -> PoseEstimator:
    try:
        return open_estimator(config.estimator, config.weights)
    except UserError as error:
        if config.estimator != "auto" or config.weights or error.code != ExitCode.UNAVAILABLE:
            raise
        what = "--background keep" if config.align == "none" else f"--align {config.align}"
        what = "--model warp" if config.model == WARP else what
        raise UserError(
            f"{what} needs key points of {config.source}. Give them with --source-poses FILE, "
            "whose first pose is taken, or set up an estimator: make pose-mediapipe.",
            ExitCode.UNAVAILABLE,
        ) from error


def sampling_of(config: RenderConfig) -> Sampling:
    """Return how a render is to be sampled."""
    preset = PRESETS[config.preset]
    return Sampling(
        preset.steps if config.steps is None else config.steps,
        config.guidance,
        config.sampler or preset.sampler,
        config.official_noise,
        config.precision,
        config.seed,
    )


def check_inputs(config: RenderConfig) -> Inputs:
    """Check everything that needs no model, cheapest first.

    Raises:
        UserError: If a setting, an input or an output is unusable.
    """
    # Settings
    for flag, value in (("--source", config.source), ("--poses", config.poses)):
        if not value:
            raise UserError(
                f"{flag} is missing; expected a file. See `signgen render --help`.", ExitCode.USAGE
            )
    if config.model == WARP:
        _check_warp(config)
    check_chunk(config.chunk)
    check_signer(config)
    if config.fill_gaps < 0:
        raise UserError(
            f"--fill-gaps is {config.fill_gaps}; expected a number of frames, 0 for none.",
            ExitCode.USAGE,
        )
    sampling = sampling_of(config)
    outputs = check_outputs(config)

    # The source
    source = read_source(config)
    height, width = (int(side) for side in source.shape[:2])
    size = config.size or (height, width)
    if not all(16 <= side <= MAX_SIDE for side in size):
        origin = "--size" if config.size else config.source
        raise UserError(
            f"{origin} is {size[0]} x {size[1]} (height x width); expected sides of 16 to "
            f"{MAX_SIDE}. Choose another --size.",
            ExitCode.USAGE if config.size else ExitCode.DATA,
        )

    # The poses
    opened = open_poses(config, (height, width))
    poses = opened.poses if isinstance(opened, Reading) else opened
    said = remarks(opened, config.poses) if isinstance(opened, Reading) else opened.clip.remarks
    if not MIN_FPS <= poses.fps <= MAX_FPS:
        raise UserError(
            f"{config.poses}: fps is {poses.fps:g}; a video can have {MIN_FPS} to {MAX_FPS}. "
            "Give the right one with --pose-fps."
        )
    parts = open_parsing(config, config.parsing, source)
    return Inputs(
        source,
        poses,
        size,
        sampling,
        outputs,
        said,
        parts,
        open_donors(config),
        open_mask(config, source, parts),
        open_background(config, parts),
        open_audio(config),
    )


def _check_warp(config: RenderConfig) -> None:
    """Refuse settings of models."""
    for name in MODEL_SETTINGS:
        if getattr(config, name) != getattr(RenderConfig, name):
            raise UserError(
                f"--{name.replace('_', '-')} is a setting of models, and --model warp has none. "
                "Leave it out.",
                ExitCode.USAGE,
            )
    if config.device in ("cuda", "mps"):
        raise UserError(
            f"--device is {config.device}; --model warp computes on the CPU. Leave it out.",
            ExitCode.USAGE,
        )
