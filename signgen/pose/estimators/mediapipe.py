"""MediaPipe 0.10.21, whose models are inside its wheel: works offline."""

from __future__ import annotations

import contextlib
import importlib.metadata
import itertools
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signgen.errors import ExitCode, UserError
from signgen.pose.estimators.base import Box, Frame, Person
from signgen.pose.estimators.hand_patches import PATCH_SIZE
from signgen.pose.formats.pose_maps import Component, map_components
from signgen.pose.skeleton import HAND_POINTS

__all__ = ["MediaPipeEstimator", "MediaPipeHands", "MediaPipePerson"]

_INSTALL = (
    "make pose-mediapipe, or: pip install -r requirements/pose-mediapipe.txt "
    "&& pip install --no-deps mediapipe==0.10.21"
)
_PADDING = 1.25
"""Side of the crop over side of the box, as top-down estimators have it (MMPose)."""

_MARGIN = 192
"""Pixels that pictures of hands get on each side of their 256."""
_MESH = tuple(map(str, range(468)))  # without `refine_face_landmarks`, which adds the irises
_HAND = tuple(map(str, range(HAND_POINTS)))


class MediaPipeEstimator:
    """MediaPipe Holistic: body, face and hands of one person, tracked through the clip.

    Only `model_complexity=1` is in the wheel. MediaPipe tells the visibility of body points, which
    becomes their confidence; points of hands and face have confidence 1 where they are found.
    """

    def __init__(self) -> None:
        self._holistic = _load_solutions().holistic
        self._body = [point.name for point in self._holistic.PoseLandmark]

    @property
    def name(self) -> str:
        """Package and version."""
        return f"mediapipe-{importlib.metadata.version('mediapipe')}"

    def estimate(
        self, frames: Iterable[Frame], boxes: Sequence[Box | None] | None = None
    ) -> Iterator[Person]:
        """Estimate one clip, in order (see `PoseEstimator`); every call starts a new graph.

        MediaPipe tracks, so that the crop must hold still: it is what covers all boxes, and a
        quarter more. Where nobody is found confidence is 0 throughout. ValueError if there are not
        as many boxes as frames.
        """
        places = itertools.repeat(None) if boxes is None else boxes
        around = None if boxes is None else _around(boxes)
        graph = None
        try:
            for frame, _ in zip(frames, places, strict=boxes is not None):
                left, top, right, bottom = _crop(around, frame.shape)
                seen = np.ascontiguousarray(frame[top:bottom, left:right])
                with _quiet():
                    # Opened here, because its threads go on logging until the first frame is done.
                    graph = graph or self._holistic.Holistic(
                        static_image_mode=False, model_complexity=1
                    )
                    result = graph.process(seen)
                yield self._person(result, (left, top), (right - left, bottom - top))
        finally:
            if graph is not None:
                with _quiet():
                    graph.close()

    def _person(self, result: Any, corner: tuple[int, int], extent: tuple[int, int]) -> Person:
        """Map one frame's landmarks, 0 to 1 in the crop, to 133 points in pixels of the frame."""
        mapped = map_components(
            {
                name: _component(landmarks, names, corner, extent)
                for name, landmarks, names in (
                    ("POSE_LANDMARKS", result.pose_landmarks, self._body),
                    ("FACE_LANDMARKS", result.face_landmarks, _MESH),
                    ("LEFT_HAND_LANDMARKS", result.left_hand_landmarks, _HAND),
                    ("RIGHT_HAND_LANDMARKS", result.right_hand_landmarks, _HAND),
                )
            }
        )
        if mapped is None:
            raise RuntimeError(f"no map fits the points of MediaPipe: {self._body}")
        points, confidence = mapped[0][0], mapped[1][0]
        return (
            np.where(confidence[:, None] > 0, points, 0).astype(np.float32),
            confidence.astype(np.float32),
        )


def _component(
    landmarks: Any, names: Sequence[str], corner: tuple[int, int], extent: tuple[int, int]
) -> Component:
    """Return the landmarks of one part of one frame in pixels; all missing where there are none."""
    if landmarks is None:
        return Component(names, np.zeros((1, len(names), 2)), np.zeros((1, len(names))))
    table = np.array([(mark.x, mark.y, mark.visibility) for mark in landmarks.landmark])
    # Only landmarks of the body say how visible they are.
    says = landmarks.landmark[0].HasField("visibility")
    confidence = table[:, 2].clip(0, 1) if says else np.ones(len(table))
    return Component(names, (table[:, :2] * extent + corner)[None], confidence[None])


def _around(boxes: Sequence[Box | None]) -> NDArray[np.float64] | None:
    """Return the padded box around all boxes, or None where there is none."""
    known = np.array([box for box in boxes if box is not None], dtype=np.float64)
    if not len(known):
        return None
    low, high = known[:, :2].min(axis=0), known[:, 2:].max(axis=0)
    centre, half = (low + high) / 2, (high - low) / 2 * _PADDING
    return np.concatenate([centre - half, centre + half])


def _crop(around: NDArray[np.float64] | None, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom in whole pixels inside the frame; at least one pixel."""
    height, width = shape[:2]
    if around is None:
        return 0, 0, width, height
    low = np.clip(np.floor(around[:2]), 0, (width - 1, height - 1))
    high = np.clip(np.ceil(around[2:]), low + 1, (width, height))
    left, top, right, bottom = map(int, (*low, *high))
    return left, top, right, bottom


class MediaPipeHands:
    """MediaPipe Hands, a `HandPatchEstimator`.

    Pictures are taken one by one (`static_image_mode`), at most one hand in each, with the larger
    models (`model_complexity=1`) and MediaPipe's own thresholds of 0.5. They get a black `_MARGIN`,
    because the detector of palms looks for hands that are small in the picture: on the two clips
    that FPDM published it finds 2 of 49 true hands without the margin, 32 with it.
    """

    def __init__(self) -> None:
        self._solution = _load_solutions().hands
        self._graph: Any = None

    @property
    def name(self) -> str:
        """Package, version and margin."""
        return f"mediapipe-hands-{importlib.metadata.version('mediapipe')}-margin{_MARGIN}"

    def find(self, patches: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Find the points; see `HandPatchEstimator.find`."""
        points = np.zeros((len(patches), HAND_POINTS, 2), np.float32)
        found = np.zeros(len(patches), np.bool_)
        border = (_MARGIN, _MARGIN)
        pictures = np.pad(patches, ((0, 0), border, border, (0, 0)))
        for index, picture in enumerate(pictures):
            with _quiet():
                # Opened here, because its threads go on logging until the first picture is done.
                self._graph = self._graph or self._solution.Hands(
                    static_image_mode=True, max_num_hands=1
                )
                hands = self._graph.process(picture).multi_hand_landmarks
            if hands:
                marks = [(mark.x, mark.y) for mark in hands[0].landmark]
                points[index] = np.array(marks) * (PATCH_SIZE + 2 * _MARGIN) - _MARGIN
                found[index] = True
        return points, found


class MediaPipePerson:
    """MediaPipe Selfie Segmentation: where a person is in a picture, each by itself."""

    def __init__(self) -> None:
        self._solution = _load_solutions().selfie_segmentation
        self._graph: Any = None

    def find(self, picture: Frame) -> NDArray[np.float32]:
        """Return (H, W), 1 on the person, of a picture (H, W, 3) uint8 RGB."""
        with _quiet():
            # Opened here, because its threads go on logging until the first picture is done.
            self._graph = self._graph or self._solution.SelfieSegmentation(model_selection=0)
            mask = self._graph.process(np.ascontiguousarray(picture)).segmentation_mask
        return np.array(mask, np.float32)


# ----- the library --------------------------------------------------------------------------------


def _load_solutions() -> Any:
    """Return MediaPipe's solutions, such as `holistic`; UserError (69) where they are missing."""
    try:
        with _quiet():
            import mediapipe
    except ModuleNotFoundError as error:
        raise UserError(
            f"mediapipe cannot be used: {error}. To install it: {_INSTALL}", ExitCode.UNAVAILABLE
        ) from error
    except Exception as error:  # a protobuf that does not fit raises many things
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"mediapipe does not import ({type(error).__name__}: {reason}). To install it again: "
            f"{_INSTALL}",
            ExitCode.UNAVAILABLE,
        ) from error
    if not hasattr(mediapipe, "solutions"):
        raise UserError(
            f"mediapipe {mediapipe.__version__} has no models in its package; expected 0.10.21. "
            f"To install it: {_INSTALL}",
            ExitCode.UNAVAILABLE,
        )
    return mediapipe.solutions


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep MediaPipe's C++ log off stderr while it runs; our own lines before and after get there.

    Its libraries write to file descriptor 2 before they look at GLOG_minloglevel or
    TF_CPP_MIN_LOG_LEVEL, so that the descriptor is turned away during each call. What goes wrong
    comes as an exception all the same.
    """
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed: nothing to keep clean
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*GetPrototype.*deprecated")
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
