"""From one source frame and a pose sequence to frames of that signer, in order, a chunk at a time.

torch is imported on use, so that the render command can check its inputs first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.config.model import FPDMConfig, Precision, Sampler
from signgen.config.pose import Device
from signgen.device import autocast, check_precision, choose_device
from signgen.media.resizing import squash
from signgen.models.inputs import PoseDrawing, source_size
from signgen.pose.skeleton import SKELETONS
from signgen.pose.transforms import fit_to_source, resize
from signgen.structures import (
    Conditioning,
    ExitCode,
    PoseSequence,
    SourceFeatures,
    UserError,
)

if TYPE_CHECKING:
    from torch import Tensor

    from signgen.diffusion.guidance import NoiseSchedule
    from signgen.models import FPDM

__all__ = [
    "Frame",
    "Renderer",
    "check_names",
    "check_numbers",
    "check_skeleton",
    "check_steps",
    "generate",
    "place",
    "resized",
]

Frame = NDArray[np.uint8]


def generate(
    model: FPDM,
    source: SourceFeatures,
    pose: Tensor,
    *,
    frames: Sequence[int],
    seed: int,
    steps: int | None = None,
    guidance: tuple[float, float] | None = None,
    sampler: Sampler | None = None,
    official_noise: bool | None = None,
    precision: Precision = "no",
) -> Tensor:
    """Sample pictures of a signer; the noise of a frame depends on `seed` and its index alone.

    With `official_noise` it depends on the batch too: see `BatchNoise`.

    Args:
        model: The model, in eval mode.
        source: Features of one signer, or of B signers.
        pose: (B, 3, H, W) drawn poses in [0, 1], on the model's device.
        frames: B indices of the frames in their sequence, which choose the noise.
        seed: Seed of the noise.
        steps: Denoising steps; the model's own number if not given.
        guidance: Weights w1 (source and pose) and w2 (fusion), FPDM Eq. 12; the model's own if
            not given. A model without fusion uses w1 alone.
        sampler: How to denoise; the model's own if not given.
        official_noise: Draw the noise of the batch as FPDM's published code; as the model's
            settings say if not given.
        precision: That of the networks. Latents and the sampler's arithmetic have 32 bits, as has
            decoding where the autoencoder says `force_upcast`: Stable Diffusion's overflows in 16.

    Returns:
        (B, 3, H, W) float32 in [-1, 1].
    """
    import torch

    from signgen.diffusion.guidance import BatchNoise, FrameNoise, guided, sample

    defaults = model.config.sampling
    indices = list(frames)

    def denoise(z: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        with autocast(precision, pose.device):
            return model.denoise(z, t, conditioning)

    with torch.inference_mode():
        features = source.expand(len(pose)) if len(source.tokens) == 1 else source
        with autocast(precision, pose.device):
            branches = model.branches(model.condition(features, pose))
        official = defaults.official_noise if official_noise is None else official_noise
        noise = BatchNoise(seed) if official else FrameNoise(seed)
        shape = model.latents.shape((int(pose.shape[-2]), int(pose.shape[-1])))
        latents = sample(
            guided(denoise, branches, defaults.guidance if guidance is None else guidance),
            model.schedule,
            sampler=defaults.sampler if sampler is None else sampler,
            steps=defaults.steps if steps is None else steps,
            noise=noise.initial(indices, shape).to(pose.device),
            step_noise=lambda step: noise.step(indices, step, shape).to(pose.device),
        )
        upcast = bool(model.autoencoder.config["force_upcast"])
        with autocast("no" if upcast else precision, pose.device):
            return model.latents.decode(latents).float()


class Renderer:
    """Render a signer from poses.

    Args:
        model: The model.
        device: `auto`, `cpu` or `cuda`, where the model is moved; it stays if not given.
        steps: Denoising steps; the model's own number if not given.
        guidance: Weights w1 and w2; the model's own if not given.
        sampler: How to denoise; the model's own if not given.
        official_noise: Draw the noise of a chunk as FPDM's published code draws it for a batch; as
            the model's settings say if not given.
        precision: That of the networks; see `generate`.
        seed: Seed of the noise.
        chunk: Frames computed at a time; memory grows with it, the result does not depend on it
            but for `official_noise`.

    Raises:
        UserError: If the device or the precision is not there (69), a setting is out of range (2),
            or a size of the model is (65).

    Example:
        renderer = Renderer(load_model("mini"))
        frames = list(renderer.render(source, poses))
    """

    def __init__(
        self,
        model: FPDM,
        *,
        device: Device | None = None,
        steps: int | None = None,
        guidance: tuple[float, float] | None = None,
        sampler: Sampler | None = None,
        official_noise: bool | None = None,
        precision: Precision = "no",
        seed: int = 0,
        chunk: int = 8,
    ) -> None:
        if device is not None:
            model = model.to(choose_device(device))
        self.model = model.eval()
        self.device = next(model.parameters()).device
        sampling = model.config.sampling
        self.steps = sampling.steps if steps is None else steps
        self.guidance = sampling.guidance if guidance is None else guidance
        self.sampler: Sampler = sampling.sampler if sampler is None else sampler
        self.official_noise = sampling.official_noise if official_noise is None else official_noise
        self.precision = precision
        self.seed, self.chunk = seed, chunk
        self.source_size = source_size(model.config)
        self.drawing = PoseDrawing.of(model.config)
        check_numbers(self.steps, self.guidance, chunk, seed)
        check_names(self.sampler, precision)
        check_precision(precision, self.device)
        check_steps(model.schedule, self.sampler, self.steps)

    def render(
        self, source: Frame, poses: PoseSequence, size: tuple[int, int] | None = None
    ) -> Iterator[Frame]:
        """Yield one frame per pose, in order; whole chunks are computed at a time.

        Args:
            source: (H, W, 3) uint8 RGB picture of the signer.
            poses: Poses of the model's skeleton; scaled to the source if the sizes differ.
            size: (H, W) of the frames; the source's size if not given.

        Yields:
            (H, W, 3) uint8 RGB.

        Raises:
            UserError: If the skeleton is not the model's.
        """
        import torch

        from signgen.data.examples.loading import to_pixels

        config = self.model.config
        check_skeleton(poses.skeleton, config, "the pose sequence")
        height, width = source.shape[:2]
        size = (height, width) if size is None else size
        placed = resize(place(poses, (height, width)), self.drawing.canvas)
        with torch.inference_mode(), autocast(self.precision, self.device):
            pixels = to_pixels(squash(source, self.source_size, config.resize))[None]
            pixels = pixels.to(self.device)
            features = self.model.encode_source(pixels)
        for start in range(0, len(placed), self.chunk):
            indices = range(start, min(start + self.chunk, len(placed)))
            for picture in self._chunk(features, placed, indices):
                yield resized(picture, size)

    def _chunk(
        self, features: SourceFeatures, poses: PoseSequence, indices: range
    ) -> list[NDArray[np.float32]]:
        """Return (H, W, 3) float32 pictures in [0, 255] at the model's size."""
        import torch

        drawn = np.stack([self.drawing.draw(poses, index) for index in indices])
        pose = torch.from_numpy(drawn).permute(0, 3, 1, 2).float().to(self.device) / 255
        pictures = generate(
            self.model,
            features,
            pose,
            frames=indices,
            seed=self.seed,
            steps=self.steps,
            guidance=self.guidance,
            sampler=self.sampler,
            official_noise=self.official_noise,
            precision=self.precision,
        )
        pixels = ((pictures + 1) * 127.5).permute(0, 2, 3, 1).cpu().numpy()
        return list(pixels.astype(np.float32))


def check_skeleton(skeleton: str, config: FPDMConfig, where: str) -> None:
    """Check that poses are of the model's skeleton.

    Args:
        skeleton: That of the poses.
        config: Settings of the model.
        where: What to call the poses in the message.

    Raises:
        UserError: If they are not.
    """
    if skeleton != config.skeleton:
        raise UserError(
            f"{where} has {SKELETONS[skeleton].num_keypoints} key points (skeleton {skeleton}); "
            f"the model was trained on {config.skeleton}. Extract the poses again with that "
            "skeleton."
        )


def place(poses: PoseSequence, size: tuple[int, int]) -> PoseSequence:
    """Return the poses in a source of `size` (H, W), scaled to fit if their own size differs."""
    return poses if tuple(poses.size) == tuple(size) else fit_to_source(poses, size)


def resized(picture: NDArray[np.float32], size: tuple[int, int]) -> Frame:
    """Return an (H, W, 3) picture in [0, 255] at `size` (H, W) as uint8."""
    if picture.shape[:2] != size:
        # Bicubic rings when it shrinks, so that averages areas instead.
        shrinks = picture.shape[0] >= size[0] and picture.shape[1] >= size[1]
        method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        picture = cv2.resize(picture, (size[1], size[0]), interpolation=method).astype(np.float32)
    return np.asarray(picture.round().clip(0, 255), dtype=np.uint8)


def check_numbers(
    steps: int | None, guidance: tuple[float, float] | None, chunk: int, seed: int
) -> None:
    """Check the numbers of a render.

    Raises:
        UserError: If one is out of range (2).
    """
    if steps is not None and steps < 1:
        raise UserError(f"--steps is {steps}; expected at least 1.", ExitCode.USAGE)
    if chunk < 1:
        raise UserError(f"--chunk is {chunk}; expected at least 1.", ExitCode.USAGE)
    if not 0 <= seed < 2**63:
        raise UserError(f"--seed is {seed}; expected 0 to 2^63 - 1.", ExitCode.USAGE)
    if guidance is not None and not all(math.isfinite(weight) for weight in guidance):
        raise UserError(f"--guidance is {guidance}; expected finite numbers.", ExitCode.USAGE)


def check_steps(schedule: NoiseSchedule, sampler: Sampler, steps: int) -> None:
    """Check that a sampler can take so many steps.

    Raises:
        UserError: If it cannot (2).
    """
    from signgen.diffusion.guidance import sampling_timesteps

    try:
        sampling_timesteps(schedule, sampler, steps)
    except ValueError as error:
        raise UserError(f"--{error}.", ExitCode.USAGE) from None


def check_names(sampler: str, precision: str) -> None:
    """Check the names of a sampler and a precision.

    Raises:
        UserError: If one is unknown (2).
    """
    for flag, name, known in (
        ("--sampler", sampler, get_args(Sampler)),
        ("--precision", precision, get_args(Precision)),
    ):
        if name not in known:
            raise UserError(
                f"{flag} is {name}; expected one of {', '.join(known)}.", ExitCode.USAGE
            )
