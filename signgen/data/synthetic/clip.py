"""Renders clips of synthetic signers, with exact key points and part labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from signgen.data.synthetic.body import ARMS, HANDS, body_points, to_pixels
from signgen.data.synthetic.clothing import Layers, paint_layers
from signgen.data.synthetic.drawing import Figure, draw_figure
from signgen.data.synthetic.motion import plan_motion
from signgen.data.synthetic.signer import PARTS, REFERENCE_SIZE, Signer, draw_signer
from signgen.structures import PoseSequence

SKELETON = "coco-wholebody-133"
_SHUTTER = 0.5
"""Exposure as a share of the time between frames."""
_BLUR_SAMPLES = 4
_OCCLUDED = 0.6
"""Confidence of a key point that something hides."""


@dataclass(frozen=True)
class SyntheticClip:
    """A rendered clip and all that is known about it.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        poses: (T, 133) key points in pixels of the frames; confidence 1 where seen, 0.6 where
            another hand or a hand before the face hides the point, 0 outside the frame.
        parts: (T, H, W) uint8 labels, see `PARTS`.
        signer: Name of the signer.
        gloss: Names of the signs, blank-separated.
    """

    frames: NDArray[np.uint8]
    poses: PoseSequence
    parts: NDArray[np.uint8]
    signer: str
    gloss: str = ""


def render_clip(
    signer_seed: int,
    clip_seed: int,
    num_frames: int,
    size: tuple[int, int] = REFERENCE_SIZE,
    fps: float = 25.0,
    motion_blur: bool = False,
) -> SyntheticClip:
    """Render a clip; the same arguments give the same clip.

    Args:
        signer_seed: Seed of the appearance, see `draw_signer`.
        clip_seed: Seed of the motion, together with the signer's.
        num_frames: T, at least 1.
        size: (H, W) of the frames; at least 64 x 64.
        fps: Frames per second.
        motion_blur: Average four pictures over half a frame; key points and parts stay those of the
            middle of the exposure.

    Raises:
        ValueError: If a size, count or rate is out of range.
    """
    if num_frames < 1 or fps <= 0 or min(size) < 64:
        raise ValueError(
            f"num_frames {num_frames}, fps {fps}, size {size}; "
            "expected at least 1 frame, fps > 0 and 64 x 64 pixels"
        )
    signer = draw_signer(signer_seed)
    times = np.arange(num_frames) / fps
    plan = plan_motion(
        (signer_seed, clip_seed, 0xC11F),
        float(times[-1]) + 1 / fps,
        right_handed=signer.right_handed,
    )
    layers = paint_layers(signer, size)
    scale = to_scale(size)
    seen = np.ones(133, dtype=bool)
    points = to_pixels(body_points(signer, plan, times), signer, size)
    pictures = np.empty((num_frames, *size, 3), dtype=np.uint8)
    parts = np.empty((num_frames, *size), dtype=np.uint8)
    for index, frame in enumerate(points):
        canvas = draw_figure(signer, layers, Figure(frame, seen, scale))
        pictures[index], parts[index] = canvas.frame(), canvas.labels
    if motion_blur:
        blurred = np.zeros(pictures.shape, dtype=np.float32)
        for offset in (np.arange(_BLUR_SAMPLES) + 0.5) / _BLUR_SAMPLES - 0.5:
            states = body_points(signer, plan, times + offset * _SHUTTER / fps)
            for index, frame in enumerate(to_pixels(states, signer, size)):
                blurred[index] += draw_figure(signer, layers, Figure(frame, seen, scale)).frame()
        pictures = np.rint(blurred / _BLUR_SAMPLES).astype(np.uint8)
    poses = _poses(points, parts, size, fps)
    return SyntheticClip(pictures, poses, parts, f"Synthetic{signer_seed}", " ".join(plan.gloss))


def to_scale(size: tuple[int, int]) -> float:
    """Pixels per reference unit in a frame of `size` (H, W)."""
    return min(size[0] / REFERENCE_SIZE[0], size[1] / REFERENCE_SIZE[1])


def _poses(
    points: NDArray[np.float64], parts: NDArray[np.uint8], size: tuple[int, int], fps: float
) -> PoseSequence:
    """Exact key points with confidences that tell what hides what."""
    flat = points[..., :2]
    limits = np.array([size[1] - 0.5, size[0] - 0.5])
    inside = np.asarray(np.all((flat >= -0.5) & (flat < limits), axis=-1), dtype=np.bool_)
    pixel = np.clip(np.rint(flat), 0, limits).astype(int)
    under = parts[np.arange(len(parts))[:, None], pixel[..., 1], pixel[..., 0]]  # (T, 133)
    labels = {side: (PARTS[f"{side}_hand"], PARTS[f"{side}_arm"]) for side in HANDS}
    hidden = _among(under, [hand for hand, _ in labels.values()])
    hidden[:, 9:11] = False
    for side, joints in HANDS.items():
        hidden[:, joints] = _among(under[:, joints], labels["right" if side == "left" else "left"])
    confidence = np.where(inside, np.where(hidden, _OCCLUDED, 1.0), 0.0).astype(np.float32)
    keypoints = np.where(inside[..., None], flat, 0.0).astype(np.float32)
    return PoseSequence(keypoints, confidence, SKELETON, size, fps)


def _among(labels: NDArray[np.uint8], wanted: Sequence[int]) -> NDArray[np.bool_]:
    return np.asarray(np.isin(labels, wanted), dtype=np.bool_)


def render_poses(signer: Signer, poses: PoseSequence) -> NDArray[np.uint8]:
    """Draw a signer in given poses, in a frame of the poses' size.

    The thickness of limbs follows the width of the shoulders, hands the poses' own size. Depth is
    not known: bent fingers lie on the side that the palm faces, and the hand with the larger
    picture is the nearer one. A hand with a missing joint, an arm without elbow or wrist and a
    head without two points are left out; a face with a missing landmark is drawn at rest.

    Args:
        signer: Appearance.
        poses: T poses of the skeleton `coco-wholebody-133`.

    Returns:
        (T, H, W, 3) uint8 RGB.

    Raises:
        ValueError: If the skeleton is another one.
    """
    if poses.skeleton != SKELETON:
        raise ValueError(f"poses have skeleton {poses.skeleton}; expected {SKELETON}")
    layers = paint_layers(signer, poses.size)
    frames = [
        draw_figure(*_fitted(signer, layers, figure)).frame()
        for figure in (_figure(signer, poses, index) for index in range(len(poses)))
    ]
    return np.stack(frames)


def _figure(signer: Signer, poses: PoseSequence, index: int) -> Figure:
    """One pose as a figure, with a depth guess."""
    present = poses.confidence[index] > 0
    points = np.zeros((133, 3))
    points[:, :2] = poses.keypoints[index]
    # A wrist stands in for the hand's root and the other way round.
    for side, joints in HANDS.items():
        wrist, root = ARMS[side][2], joints.start
        if present[root] and not present[wrist]:
            points[wrist], present[wrist] = points[root], True
        elif present[wrist] and not present[root]:
            points[root], present[root] = points[wrist], True
        if present[joints].any():
            extent = np.ptp(points[joints][present[joints], :2], axis=0)
            points[joints, 2] = float(np.hypot(*extent)) * 1e-3
    scale = to_scale(poses.size)
    if present[[5, 6]].all():
        scale = float(np.hypot(*(points[5] - points[6])[:2])) / (2 * signer.shoulders)
    return Figure(points, present, max(scale, 1e-3))


def _fitted(signer: Signer, layers: Layers, figure: Figure) -> tuple[Signer, Layers, Figure]:
    """Give the signer the size of the hands in the figure, so that thickness fits."""
    lengths = []
    for joints in HANDS.values():
        if figure.present[joints].all():
            hand = figure.points[joints, :2]
            lengths.append(float(np.hypot(*(hand[9] - hand[0]))) / 0.5)
    if not lengths:
        return signer, layers, figure
    # A foreshortened hand looks short: never thinner than four fifths of the signer's own.
    wanted = max(max(lengths) / figure.scale, 0.8 * signer.hand)
    return replace(signer, hand=min(wanted, 1.25 * signer.hand)), layers, figure
