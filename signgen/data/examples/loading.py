"""From triplets to batches: the one place where dataset pixels become tensors."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from signgen.config.data import DataConfig
from signgen.config.model import ModelConfig
from signgen.data.adapter import DatasetAdapter
from signgen.data.examples.augmentation import (
    choose_side,
    choose_window,
    drops_source,
    flips,
    jitter,
    recolour,
)
from signgen.data.examples.checks import (
    check_clips,
    check_pairs,
    check_rates,
    check_sources,
    check_window,
)
from signgen.data.examples.drawings import DrawnFrames
from signgen.data.examples.example import Example, box_mask, collate
from signgen.data.examples.guides import GuideMaker, to_pixels, unknown_guide
from signgen.data.examples.regions import check_parts, frame_regions
from signgen.data.examples.triplets import draw, draw_clip, shuffled, vary, with_few_sources
from signgen.data.frame_cache.reading import FrameCache
from signgen.media.resizing import resize_image
from signgen.models.guided.windows import find_windows
from signgen.models.inputs import PoseDrawing, source_size, square, tower_side
from signgen.pose.skeleton import SKELETONS
from signgen.pose.transforms import face_boxes, flip, hand_boxes, resize
from signgen.structures import FrameRef, Guide, PoseSequence, Triplet, UserError

__all__ = ["Example", "TripletDataset", "box_mask", "collate", "to_pixels"]


class TripletDataset(Dataset[Example]):
    """Training examples by position; every item is a pure function of (seed, position).

    Args:
        adapter: Where frames and poses come from.
        config: Split and rates.
        model: Sizes, skeleton and drawing of poses that the model wants.
        seed: Seed of the run.
        guided: Whether examples come with a guide: the source moved to the pose.
        tower: How stage 1's tower sees photos: `squash`, from what the model sees; `crop`, from
            frames as recorded, as FPDM trains stage 1; or not at all.
        clip: Consecutive examples, from a multiple of so many on, that are consecutive frames of
            one video with one source. What augmentation draws is drawn once for them, but for the
            noise on key points.

    Raises:
        UserError: If the skeletons disagree, a rate or size is out of range, or the frame cache
            holds other data or frames of another size, or sources are not made from such frames;
            or no video has enough frames.
    """

    def __init__(
        self,
        adapter: DatasetAdapter,
        config: DataConfig,
        model: ModelConfig,
        seed: int,
        *,
        guided: bool = False,
        tower: Literal["squash", "crop", "none"] = "squash",
        clip: int = 1,
    ) -> None:
        if adapter.skeleton != model.skeleton:
            raise UserError(
                f"dataset {adapter.name} has poses of skeleton {adapter.skeleton}; "
                f"the model reads {model.skeleton}."
            )
        check_rates(config)
        check_window(config.window, model.size)
        check_parts(adapter, config.split, model.regions)
        self.adapter, self.config, self.model, self.seed = adapter, config, model, seed
        self.guided = guided
        self.records = adapter.records(config.split)
        self.pairs = adapter.pairs(config.split)
        check_pairs(self.pairs, adapter.name, config.split)
        self.clip = clip
        if clip > 1:
            check_clips(config, self.pairs, self.records, clip)
            self.records = [record for record in self.records if record.num_frames >= clip]
        self._together = clip if clip > 1 else config.targets_per_record
        self.source_size = source_size(model)
        self.drawing = PoseDrawing.of(model, training=True)
        self.drawn: DrawnFrames | None = None
        if config.pose_pictures:
            self.drawn = DrawnFrames(adapter, config, self.records, model)
        self.tower = tower
        self._side = None if tower == "none" else tower_side(model)
        kept = Path(config.warp_cache) / "{}x{}".format(*model.size) if config.warp_cache else None
        self._guides = GuideMaker(adapter, model.size, kept)
        self._frames: dict[tuple[FrameRef, tuple[tuple[int, int], ...]], NDArray[np.uint8]] = {}
        self._cached = FrameCache.open(config.frame_cache) if config.frame_cache else None
        if self._cached is not None:
            check_sources(config, model.size, self.source_size, crop=self._crops)
            self._cached.check(adapter, config.split, model.size, model.resize)

    def __getitem__(self, position: int) -> Example:
        """Return example `position`."""
        example = self.whole(position, guided=self.guided)
        if not self.config.window:
            return example
        poses = resize(self.adapter.pose(self.triplet(position).target), self.model.size)
        if flips(self.seed, self._group(position), self.config.flip_rate):
            poses = flip(poses)
        rows, columns = choose_window(poses, self.config.window, self.seed, position)

        def cut(value: Tensor) -> Tensor:
            return value[..., rows, columns]

        guide, parts = example.guide, example.target_parts
        return replace(
            example,
            target=cut(example.target),
            pose=cut(example.pose),
            hands=cut(example.hands),
            face=cut(example.face),
            target_parts=None if parts is None else cut(parts),
            guide=None if guide is None else guide.mapped(cut),
        )

    def whole(self, position: int, *, guided: bool) -> Example:
        """Return example `position` without cutting a window out of it.

        Args:
            position: Its number.
            guided: Whether to make its guide.
        """
        size, triplet = self.model.size, self.triplet(position)
        drawn_for = self._group(position)
        # Source, coarse where a side is chosen, and target
        side = choose_side(self.config.source_sides, self.seed, drawn_for)
        coarse = [] if side is None else [(side, side)]
        source = self._frame(triplet.source, *coarse, self.source_size)
        target = self._frame(triplet.target, size)
        own = self._tower_photos(triplet, coarse)
        guide = self._guide(triplet, drawn_for) if guided else None
        # Pose on the canvas for its drawing, at the model's size for the hands
        poses = self.drawing.exact(self.pose(triplet.target))
        poses = resize(poses, self.drawing.canvas)
        if self.config.jitter:
            poses = jitter(poses, self.seed, position, self.config.jitter)
        placed = resize(poses, size)
        mirrored = flips(self.seed, drawn_for, self.config.flip_rate)
        if mirrored:
            # Differs from FPDM: there x becomes W - x, one pixel of the canvas beside the mirror
            # image of the frames, because it counts columns from 0 to W; `official_flip` does so.
            poses, placed = flip(poses, official=self.config.official_flip), flip(placed)
            source, target = source[:, ::-1], target[:, ::-1]
            own = {name: photo[:, ::-1] for name, photo in own.items()}
            guide = None if guide is None else guide.mapped(lambda value: value.flip(-1))
        before = self.drawn
        canvas = self.drawing.on_canvas(poses) if before is None else before.draw(triplet.target)
        drawn = torch.from_numpy(self.drawing.shrink(canvas).copy())
        if self._side is not None and (self.drawing.apart or before is not None):
            own["tower_pose"] = canvas
        if guide is not None and self.model.decoder.in_windows:
            guide = replace(guide, windows=find_windows(placed))
        points, visible = placed.keypoints[0], placed.confidence[0]
        regions = partial(frame_regions, self.adapter, self.model.regions, mirrored)
        example = Example(
            source=to_pixels(source),
            target=to_pixels(target),
            pose=rearrange(drawn, "h w c -> c h w").float().div_(255),
            hands=box_mask(hand_boxes(points, visible), size),
            face=box_mask(face_boxes(points, visible), size),
            source_parts=regions(triplet.source, self.source_size),
            target_parts=regions(triplet.target, size),
            guide=guide,
            **{
                name: self._square(picture, crop=self._crops and name != "tower_pose")
                for name, picture in own.items()
            },
        )
        return self._recoloured(example, drawn_for)

    def pose(self, ref: FrameRef) -> PoseSequence:
        """Return the key points of a frame; all missing where data of drawings have none."""
        if self.drawn is None or self.drawn.has_keypoints:
            return self.adapter.pose(ref)
        points = np.zeros((1, SKELETONS[self.model.skeleton].num_keypoints, 2), np.float32)
        return PoseSequence(points, points[..., 0], self.model.skeleton, self.model.size, 25.0)

    def _group(self, position: int) -> int:
        """Return which examples look alike: targets of one source are told apart by pose alone."""
        return position // self._together

    @property
    def _crops(self) -> bool:
        return self._side is not None and self.tower == "crop"

    def _tower_photos(
        self, triplet: Triplet, coarse: list[tuple[int, int]]
    ) -> dict[str, NDArray[np.uint8]]:
        """Return the photos that stage 1's tower sees otherwise than the model does."""
        if self._crops:
            frames = {"tower_source": triplet.source, "tower_target": triplet.target}
            return {name: self._frame(ref) for name, ref in frames.items()}
        if self._side is not None and coarse:
            return {"tower_source": self._frame(triplet.source, *coarse)}
        return {}

    def _square(self, picture: NDArray[np.uint8], *, crop: bool) -> Tensor:
        """Return a picture as the tower sees it, (3, side, side) in [-1, 1]."""
        if self._side is None:
            raise ValueError("the model has no tower")
        return square(to_pixels(picture)[None], self._side, crop=crop)[0] * 2 - 1

    def _guide(self, triplet: Triplet, position: int) -> Guide:
        source = self._frame(triplet.source, self.model.size)
        if drops_source(self.seed, position, self.config.unknown_source_rate):
            return unknown_guide(source)
        return self._guides.make(triplet, source)

    def _recoloured(self, example: Example, group: int) -> Example:
        """Change the colours of source and target alike, where the settings say so."""
        strength, guide = self.config.colour_jitter, example.guide
        if not strength:
            return example
        names = ("source", "target", "tower_source", "tower_target")
        given = {name: getattr(example, name) for name in names}
        given = {name: photo for name, photo in given.items() if photo is not None}
        pictures = [*given.values(), *([] if guide is None else [guide.source, guide.warped])]
        changed = recolour(pictures, self.seed, group, strength)
        if guide is not None:
            guide = replace(guide, source=changed[-2], warped=changed[-1])
        photos = dict(zip(given, changed, strict=False))
        return replace(example, guide=guide, **photos)

    def triplet(self, position: int) -> Triplet:
        """Return source and target of example `position`."""
        config, seed = self.config, self.seed
        if self.pairs is not None:
            index = shuffled(len(self.pairs), seed, position)
            return vary(self.pairs[index], seed, position, config.identity_rate)
        # Pairs of one record stay together when they are shuffled
        together = self._together
        group, member = divmod(position, together)
        if config.pairs:
            group = shuffled(max(1, config.pairs // together), seed, group)
        index, rate = group * together + member, config.identity_rate
        if self.clip > 1:
            return draw_clip(self.records, seed, index, self.clip, rate)
        drawn = draw(self.records, seed, index, rate, config.min_distance, together)
        return with_few_sources(drawn, config.source_frames)

    def _frame(self, ref: FrameRef, *sizes: tuple[int, int]) -> NDArray[np.uint8]:
        """Return a frame resized to one size after the other.

        It comes from the frame cache, where all frames are wanted at its size, or from memory where
        it is there.
        """
        if self._cached is not None:
            return self._cached.frame(ref)
        if (ref, sizes) in self._frames:
            return self._frames[ref, sizes]
        frame = self.adapter.frame(ref)
        for size in sizes:
            frame = resize_image(frame, size, self.model.resize)
        if self.config.cache:
            self._frames[ref, sizes] = frame
        return frame
