"""Another background behind the signer: the source's own, a colour, a picture, a video, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, repeat
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from PIL import ImageColor

from signgen.config.render import RenderConfig
from signgen.errors import ExitCode, UserError
from signgen.media import looks_like_video, probe_video, read_image, read_video
from signgen.pose.transforms import fit_to_source
from signgen.pose.warping import Figure
from signgen.rendering.base import Frame, PartsOf, resize_picture
from signgen.rendering.finishing.masks import FindPerson, Opacity, cut_out, open_finder
from signgen.structures import PoseSequence

__all__ = ["Background", "on_checks", "open_background"]

Backdrops = Callable[[tuple[int, int], float, int], Iterator[Frame]]
"""Given (H, W), frames per second and the first frame's number, the pictures behind frames."""

CHECK = 8
"""Side in pixels of the fields that show where nothing is."""
KEEP, ALPHA = "keep", "alpha"


@dataclass(frozen=True)
class Background:
    """What is to be behind the signer.

    Args:
        find: Finds the signer in frames.
        kind: `keep` for the source's own, `alpha` for nothing, or `other`.
        behind: Gives the pictures of `other`.
        parts: Gives the human parsing of the source, where there is one.
    """

    find: FindPerson
    kind: Literal["keep", "alpha", "other"]
    behind: Backdrops | None = None
    parts: PartsOf | None = None

    def put(
        self,
        frames: Iterable[Frame],
        poses: PoseSequence,
        source: Frame,
        signer: PoseSequence | None,
        start: int = 0,
    ) -> Iterator[Frame]:
        """Yield frames with the background, in order: (H, W, 3), of `alpha` (H, W, 4).

        Args:
            frames: (H, W, 3) uint8 RGB, as large as the source.
            poses: Poses of the whole video.
            source: (H, W, 3) uint8 RGB.
            signer: Key points in it, which `keep` needs where the signer is found by them alone.
            start: Number of the first frame in the video.
        """
        size = (source.shape[0], source.shape[1])
        placed = fit_to_source(poses, size)
        behind = None if self.behind is None else self.behind(size, poses.fps, start)
        own = self._in_source(source, signer or poses) if self.kind == KEEP else None
        seen = _nearest_seen(placed)
        for index, frame in enumerate(frames, start):
            # Find the signer
            figure = _figure(placed, seen[index])
            opacity = self.find(frame, figure)  # (H, W)

            # Put something behind
            if own is not None:
                yield _mixed(frame, source, np.maximum(opacity, own))
                continue
            person = cut_out(frame, opacity, figure.unit(size))  # (H, W, 4)
            if behind is None:
                yield person
            else:
                share = np.asarray(person[..., 3] / 255, np.float32)
                yield _mixed(person[..., :3], next(behind), share)

    def _in_source(self, source: Frame, signer: PoseSequence) -> Opacity:
        """Return where the source does not show its background."""
        size = (source.shape[0], source.shape[1])
        if self.parts is not None:
            person = np.asarray(self.parts().labels > 0, np.float32)
            person = np.asarray(cv2.resize(person, size[::-1]), np.float32)
        else:
            person = self.find(source, _figure(fit_to_source(signer, size), 0))
        # Shadows and the camera's blur beside the person are no background either
        side = 2 * max(1, round(0.01 * max(size))) + 1
        grown = cv2.dilate(person, np.ones((side, side), np.uint8))
        return np.asarray(cv2.blur(grown, (side, side)), np.float32)


def _figure(poses: PoseSequence, index: int) -> Figure:
    return Figure.of(poses.keypoints[index], poses.confidence[index], poses.skeleton)


def _mixed(front: Frame, behind: Frame, share: Opacity) -> Frame:
    mixed = behind + share[..., None] * (front.astype(np.float32) - behind)
    return np.asarray(np.rint(mixed), np.uint8)


def _nearest_seen(poses: PoseSequence) -> list[int]:
    """Return for every frame the last one up to it in which somebody is seen, else the first."""
    seen = np.flatnonzero(poses.visible.any(axis=1))
    places = np.searchsorted(seen, np.arange(len(poses)), side="right") - 1
    return [int(seen[max(place, 0)]) for place in places]


def on_checks(frame: Frame) -> Frame:
    """Return a frame as (H, W, 3): where it has opacity, over fields of two greys."""
    if frame.shape[2] == 3:
        return frame
    rows, columns = np.mgrid[: frame.shape[0], : frame.shape[1]] // CHECK
    grey = np.where((rows + columns) % 2, 153, 102).astype(np.uint8)
    share = np.asarray(frame[..., 3] / 255, np.float32)
    return _mixed(frame[..., :3], np.repeat(grey[..., None], 3, axis=2), share)


# ----- from settings ------------------------------------------------------------------------------


def open_background(config: RenderConfig, parts: PartsOf | None = None) -> Background | None:
    """Return what is to be behind the signer; None where frames stay as they are rendered.

    Args:
        config: The settings.
        parts: Gives the human parsing of the source, where there is one.

    Raises:
        UserError: If it is no colour and no file that can be read, or there is nothing that finds
            the signer.
    """
    named = config.background
    if not named:
        if config.person_mask != "auto":
            raise UserError(
                "--person-mask finds the signer for --background; expected that, too.",
                ExitCode.USAGE,
            )
        return None
    find = open_finder(config)
    if named == KEEP:
        return Background(find, "keep", parts=parts)
    if named == ALPHA:
        return Background(find, "alpha")
    return Background(find, "other", _file(named) if Path(named).is_file() else _colour(named))


def _colour(name: str) -> Backdrops:
    try:
        colour = ImageColor.getrgb(name)[:3]
    except ValueError:
        raise UserError(
            f"--background is {name}; expected keep, alpha, a colour such as green or #00b140, a "
            "picture or a video, and there is no such file.",
            ExitCode.NO_INPUT if Path(name).suffix else ExitCode.USAGE,
        ) from None
    return lambda size, fps, start: repeat(np.full((*size, 3), colour, np.uint8))


def _file(name: str) -> Backdrops:
    if looks_like_video(name):
        probe_video(name)
        return lambda size, fps, start: islice(_looped(name, size, fps), start, None)
    picture = read_image(name)
    return lambda size, fps, start: repeat(_cover(picture, size))


def _looped(name: str, size: tuple[int, int], fps: float) -> Iterator[Frame]:
    """Yield the frames of a video at a size and rate, again and again."""
    while True:
        for frame in read_video(name, fps):
            yield _cover(frame, size)


def _cover(picture: Frame, size: tuple[int, int]) -> Frame:
    """Return the middle of a picture, scaled so that it just covers a size (H, W)."""
    height, width = picture.shape[:2]
    scale = max(size[0] / height, size[1] / width)
    rows, columns = min(height, round(size[0] / scale)), min(width, round(size[1] / scale))
    top, left = (height - rows) // 2, (width - columns) // 2
    middle = picture[top : top + rows, left : left + columns]
    return resize_picture(middle.astype(np.float32), size)
