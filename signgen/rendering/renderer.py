"""From one source frame and a pose sequence to frames of that signer, in order, a chunk at a time.

torch is imported on use, so that the render command can check its inputs first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from einops import rearrange
from numpy.typing import NDArray
from PIL import Image

from signgen.config.pose import Device
from signgen.config.render import Framing
from signgen.config.sampling import Sampling
from signgen.data.framing import Crop, choose_crop
from signgen.device import autocast, check_precision, choose_device
from signgen.diffusion.guidance import guidance_weights
from signgen.media.resizing import check_size, resize_image
from signgen.models.inputs import PoseDrawing, source_size, tower_side
from signgen.pose.drawing.drawn import DrawnPoses
from signgen.pose.resting import rest_arms
from signgen.pose.transforms import fill_missing, fit_to_source
from signgen.rendering.acceleration import ahead, remember
from signgen.rendering.base import (
    Frame,
    PartsOf,
    check_chunk,
    check_skeleton,
    picture_of,
    resize_picture,
)
from signgen.rendering.editing import Donor, Kept, check_donors, compose, shows
from signgen.rendering.generation import Drawn, check_steps, generated
from signgen.rendering.guiding import GuideSource
from signgen.rendering.regions import regions_of
from signgen.rendering.warnings import model_warnings
from signgen.rendering.warp import MAX_GAP, first_pose
from signgen.rendering.windows import windows
from signgen.structures import ExitCode, PoseSequence, SourceFeatures, UserError

if TYPE_CHECKING:
    from torch import Tensor

    from signgen.diffusion.samplers import Callback
    from signgen.models.base import PoseGuidedModel

__all__ = ["Renderer"]

GUIDE_PIXELS = 2_000_000
"""Pixels of guides computed at a time at most, about 250 bytes each."""


class Renderer:
    """Render a signer from poses.

    Args:
        model: The model.
        sampling: How to sample; what it leaves open is the model's own.
        device: `auto`, `cpu`, `cuda` or `mps`, where the model is moved; it stays if not given.
        frame: `auto` renders the part of a source picture in which the signer is as large as the
            model knows, where the whole picture is not so, and pastes it back; `full` does not.
        chunk: Frames that a GPU computes at a time; memory grows with it. On a CPU every frame is
            computed by itself, so that it changes no byte, but for `official_noise`; a GPU may
            round the last bit of another batch differently. A model with motion computes a window
            of frames at a time, whatever the chunk, which is then what is decoded at a time.
        overlap: Draw the next chunk's poses and paste the last one's frames in other threads while
            a chunk is computed; no byte changes. On CUDA if not given: a CPU's cores are all busy.

    Raises:
        UserError: If the device or the precision is not there (69), a setting is out of range (2),
            or a size of the model is (65); or the noise of a batch is asked of a model with motion,
            whose windows share frames (2).

    Example:
        renderer = Renderer(load_model("mini"), Sampling(steps=4))
        frames = list(renderer.render("signer.png", read_poses("seq.json")))
    """

    def __init__(
        self,
        model: PoseGuidedModel,
        sampling: Sampling | None = None,
        *,
        device: Device | None = None,
        frame: Framing = "auto",
        chunk: int = 8,
        overlap: bool | None = None,
    ) -> None:
        if device is not None:
            model = model.to(choose_device(device))
        self.model = model.eval()
        self.device = next(model.parameters()).device
        self.sampling = (sampling or Sampling()).resolve(model.config.sampling)
        self.chunk, self.frame = chunk, frame
        self.overlap = self.device.type == "cuda" if overlap is None else overlap
        self.source_size = source_size(model.config)
        self.drawing = PoseDrawing.of(model.config)
        self.motion = model.config.motion
        check_chunk(chunk)
        if self.motion.window and self.sampling.official_noise:
            raise UserError(
                "--official-noise draws noise by batch; expected noise by frame for a model with "
                "motion, whose windows share frames.",
                ExitCode.USAGE,
            )
        check_precision(self.sampling.precision, self.device)
        check_steps(model.schedule, self.sampling)
        guidance_weights(self.sampling.guidance, model.config.branches)

    @property
    def pose_style(self) -> Literal["clean", "fpdm"]:
        """How poses are drawn for the model."""
        return self.model.config.pose_style

    def facts(self) -> dict[str, object]:
        """Return how frames are sampled, as JSON."""
        return self.sampling.facts(self.chunk) | ({"frame": "full"} if self.frame == "full" else {})

    def check_skeleton(self, skeleton: str, where: str) -> None:
        """Refuse poses of another skeleton than the model's; see `check_skeleton`."""
        check_skeleton(skeleton, self.model.config, where)

    def render(
        self,
        source: Frame | Image.Image | str | Path,
        poses: PoseSequence,
        size: tuple[int, int] | None = None,
        *,
        signer: PoseSequence | None = None,
        parts: PartsOf | None = None,
        donors: Sequence[Donor] = (),
        mask: NDArray[np.bool_] | None = None,
        callback: Callback | None = None,
        start: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> Iterator[Frame]:
        """Yield one frame per pose, in order; on a GPU whole chunks are computed at a time.

        Args:
            source: Picture of the signer: (H, W, 3) uint8 RGB, a PIL picture, or a file.
            poses: Poses of the model's skeleton; scaled to the source if the sizes differ.
            size: (H, W) of the frames; the source's size if not given.
            signer: Key points in the source, of which the first pose is taken: a guided decoder
                moves the source from them, and they help to find the part of it to render.
            parts: Gives the human parsing of the source, which a model that has regions needs.
            donors: Pictures that regions are taken from, for models that can.
            mask: (H, W) of the source, where frames are made anew; elsewhere they are the source.
            callback: Is told every denoising step of every chunk; see `generate`.
            start: Number of the first frame to render; frames are those of the whole sequence.
            progress: Is told after every frame how many are done, and of how many.

        Yields:
            (H, W, 3) uint8 RGB.

        Raises:
            UserError: If the source is no such picture, or a skeleton is not the model's.
        """
        # Find what to render
        if size is not None:
            check_size(size)
        self.check_skeleton(poses.skeleton, "the pose sequence")
        picture = picture_of(source)
        whole = (picture.shape[0], picture.shape[1])
        placed = fit_to_source(self.drawing.exact(poses), whole)
        own: PoseSequence | None = None
        if signer is not None and signer.visible[:1].any():
            own = first_pose(signer, poses.skeleton, whole)
        crop = self.crop(placed, own)
        area, inside = picture, placed
        if crop is not None:
            area, inside = crop.cut(picture), crop.place(placed)
            own = None if own is None else crop.place(own)

        # Once per signer
        regions = regions_of(self.model.config.regions, parts, whole, crop, self.source_size)
        features = self._borrowed(self._encode(area, regions), donors)
        kept = None if mask is None else self._kept(area, crop, mask)
        memory = remember(self.model, features)
        guide: GuideSource | None = None
        if self.model.config.guided:
            guide = GuideSource.of(area, own)
            inside = fill_missing(inside, MAX_GAP)
            inside = inside if own is None else rest_arms(inside, own)

        # Chunk by chunk: drawn, sampled, pasted
        drawn: Iterator[Drawn] = self._drawings(inside, guide, self._chunks(area, inside, start))
        drawn = ahead(drawn) if self.overlap else drawn
        shared = {"sampling": self.sampling, "memory": memory, "kept": kept, "callback": callback}
        sampled = generated(self.model, features, drawn, self._step(area), **shared)
        for indices, frames in ahead(sampled) if self.overlap else sampled:
            for index, frame in zip(indices, frames, strict=True):
                if index < start:
                    continue
                # Put it in its place
                if crop is None and mask is None:
                    yield resize_picture(frame, size or whole)
                else:
                    pasted = resize_picture(frame, whole if crop is None else crop.size)
                    pasted = pasted if crop is None else crop.paste(picture, pasted)
                    pasted = pasted if mask is None else compose(picture, pasted, mask)
                    yield resize_picture(pasted.astype(np.float32), size) if size else pasted
                if progress is not None:
                    progress(index + 1 - start, len(inside) - start)

    def warnings(
        self, source: Frame, poses: PoseSequence, signer: PoseSequence | None = None
    ) -> tuple[str, ...]:
        """Return what is out of what the model knows; arguments as `FrameRenderer.warnings`."""
        crop = self.crop(poses, signer)
        return model_warnings(self.model.config, source, poses, signer, crop)

    def crop(self, poses: PoseSequence, signer: PoseSequence | None = None) -> Crop | None:
        """Return the part of the source that is rendered, or None where it is the whole.

        Args:
            poses: Poses in pixels of the source.
            signer: Key points in the source, in its pixels.
        """
        if self.frame == "full":
            return None
        one = None if signer is None else signer.frames([0])
        return choose_crop(poses, one, self.model.config.pictures)

    def _step(self, area: Frame) -> int:
        """Return the frames to compute at a time: fewer where guides are large."""
        if self.sampling.official_noise:
            return self.chunk
        # Libraries choose algorithms by the size of a batch, and each rounds in its own way
        if self.device.type == "cpu":
            return 1
        if not self.model.config.guided:
            return self.chunk
        height, width = area.shape[:2]
        return max(1, min(self.chunk, GUIDE_PIXELS // int(height * width)))

    def _encode(self, picture: Frame, regions: NDArray[np.int64] | None) -> SourceFeatures:
        """Encode the signer, once per signer; regions (Hs, Ws) have the size of sources."""
        import torch

        from signgen.data.examples.loading import to_pixels

        squashed = resize_image(picture, self.source_size, self.model.config.resize)  # (Hs, Ws, 3)
        with torch.inference_mode(), autocast(self.sampling.precision, self.device):
            return self.model.encode_source(
                to_pixels(squashed)[None].to(self.device),
                None if regions is None else torch.from_numpy(regions)[None].to(self.device),
            )

    def _borrowed(self, features: SourceFeatures, donors: Sequence[Donor]) -> SourceFeatures:
        """Return features of a signer with regions of other pictures."""
        import torch

        from signgen.models.base import BorrowsRegions

        check_donors(self.model.config, [donor.region for donor in donors])
        names = self.model.config.regions
        for donor in donors:
            shows(donor.parts(), donor.region)
            whole = (donor.picture.shape[0], donor.picture.shape[1])
            regions = regions_of(names, donor.parts, whole, None, self.source_size)
            assert isinstance(self.model, BorrowsRegions)
            with torch.inference_mode():
                other = self._encode(donor.picture, regions)
                features = self.model.borrow(features, other, donor.region)
        return features

    def _kept(self, area: Frame, crop: Crop | None, mask: NDArray[np.bool_]) -> Kept:
        """Return what an edit does not touch of the part that is rendered."""
        import torch

        from signgen.data.examples.loading import to_pixels

        config = self.model.config
        squashed = resize_image(area, config.size, config.resize)
        shown = np.repeat(mask[..., None] * np.uint8(255), 3, axis=2)
        shown = shown if crop is None else crop.cut(shown)
        inside = resize_picture(shown.astype(np.float32), config.size)
        with torch.inference_mode():
            latents = self.model.latents.encode(
                to_pixels(squashed)[None].to(self.device), sample=False
            )
            cells = torch.nn.functional.adaptive_max_pool2d(
                torch.from_numpy(inside[None, None, ..., 0].astype(np.float32)), latents.shape[-2:]
            )
        return Kept(latents, (cells > 0).to(self.device))

    def _chunks(self, area: Frame, poses: PoseSequence, start: int) -> Iterator[range]:
        """Yield the numbers of the frames to compute at a time, from the chunk of a frame on."""
        if self.motion.window:
            yield from windows(self.motion, len(poses), start)
            return
        step = self._step(area)
        for first in range(start - start % step, len(poses), step):
            yield range(first, min(first + step, len(poses)))

    def _drawings(
        self, poses: PoseSequence, guide: GuideSource | None, chunks: Iterable[range]
    ) -> Iterator[Drawn]:
        """Yield what every chunk is sampled from."""
        apart = self.drawing.apart or isinstance(poses, DrawnPoses)
        side = tower_side(self.model.config)
        for indices in chunks:
            canvases = [self.drawing.on_canvas(poses, index) for index in indices]
            pose = self._stacked([self.drawing.shrink(canvas) for canvas in canvases])
            clip: Tensor | None = None
            if apart and side is not None:
                from signgen.models.encoders import clip_pixels

                clip = clip_pixels(self._stacked(canvases) * 2 - 1, side)  # (B, 3, S, S)
            moved = None if guide is None else guide.move(poses, indices)
            yield Drawn(indices, pose, clip, moved)

    def _stacked(self, pictures: Sequence[Frame]) -> Tensor:
        """Return drawings (H, W, 3) as (B, 3, H, W) in [0, 1], on the model's device."""
        import torch

        stacked = torch.from_numpy(np.stack(pictures))
        return rearrange(stacked, "b h w c -> b c h w").float().to(self.device) / 255
