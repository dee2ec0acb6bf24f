"""Stick figures with exact proportions, all of them in the plane of the picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from signgen.pose.skeleton import FINGERS, SKELETONS
from signgen.structures import PoseSequence

WHOLEBODY = SKELETONS["coco-wholebody-133"]
HANDS = {"left": slice(91, 112), "right": slice(112, 133)}
HEAD = [*range(5), *range(23, 91)]


@dataclass(frozen=True)
class Build:
    """Lengths of a figure in pixels; `hand` reaches from the wrist to the middle knuckle."""

    shoulders: float = 100.0
    torso: float = 150.0
    neck: float = 70.0
    head: float = 30.0
    upper_arm: float = 90.0
    forearm: float = 75.0
    hand: float = 25.0
    middle: tuple[float, float] = (250.0, 180.0)
    size: tuple[int, int] = (500, 500)


def hand_shape() -> np.ndarray:
    """(21, 2): an open hand that points to the right, 1 from the wrist to the middle knuckle."""
    shape = np.zeros((21, 2))
    spread = dict(zip(FINGERS, (-0.9, -0.3, 0.0, 0.25, 0.5), strict=True))
    for finger, joints in FINGERS.items():
        ray = np.array([np.cos(spread[finger]), np.sin(spread[finger])])
        shape[list(joints)] = ray * np.array([1.0, 1.4, 1.7, 1.9])[:, None]
    return shape


def face_shape(seed: int = 0) -> np.ndarray:
    """(73, 2): nose, eyes, ears and 68 face points around the nose, of root mean square 1."""
    points = np.random.default_rng(seed).uniform(-1, 1, (73, 2)) * (0.8, 1.0)
    points[0] = 0
    spread = points - points.mean(axis=0)
    return points / np.sqrt((spread**2).sum(axis=1).mean())


def along(degrees: np.ndarray | float) -> np.ndarray:
    """Unit vectors; 0 degrees points right in the picture, 90 down."""
    angle = np.radians(np.asarray(degrees, dtype=float))
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def figure(
    build: Build, arms: np.ndarray, *, sway: np.ndarray | None = None, fps: float = 25.0
) -> PoseSequence:
    """Draw up a figure.

    Args:
        build: Its lengths.
        arms: (T, 2, 3) degrees of upper arm, forearm and hand, left side first.
        sway: (T, 2) moves of the whole figure in pixels.
        fps: Frame rate.
    """
    frames = len(arms)
    points = np.zeros((frames, 133, 2))
    shift = np.zeros((frames, 2)) if sway is None else sway
    middle = np.array(build.middle) + shift
    nose = middle - (0, build.neck)
    points[:, HEAD] = nose[:, None] + build.head * face_shape()
    for row, (side, sign) in enumerate((("left", 0.5), ("right", -0.5))):
        name = f"{side}_{{}}".format
        shoulder = middle + np.array((sign * build.shoulders, 0))
        upper, lower, pointing = (along(arms[:, row, k]) for k in range(3))
        elbow = shoulder + build.upper_arm * upper
        wrist = elbow + build.forearm * lower
        shape = build.hand * hand_shape()
        turned = (
            shape[:, 0, None] * pointing[:, None]
            + shape[:, 1, None] * np.stack([-pointing[..., 1], pointing[..., 0]], -1)[:, None]
        )
        hip = middle + np.array((sign * 0.7 * build.shoulders, build.torso))
        for joint, value in (
            ("shoulder", shoulder),
            ("elbow", elbow),
            ("wrist", wrist),
            ("hip", hip),
            ("knee", hip + np.array((0, build.torso))),
        ):
            points[:, WHOLEBODY.index(name(joint))] = value
        points[:, HANDS[side]] = wrist[:, None] + turned
    confidence = np.ones((frames, 133), np.float32)
    confidence[:, 15:23] = 0  # ankles and feet
    points[confidence == 0] = 0
    return PoseSequence(points.astype(np.float32), confidence, WHOLEBODY.name, build.size, fps)


def waving(frames: int = 20, seed: int = 3) -> np.ndarray:
    """(T, 2, 3) smooth degrees, hands away from the face and from each other."""
    rng = np.random.default_rng(seed)
    rest = np.array([[70.0, 40.0, 20.0], [110.0, 140.0, 160.0]])
    phase = rng.uniform(0, 6, (2, 3))
    return rest + 12 * np.sin(np.arange(frames)[:, None, None] / 3 + phase)


def signer(seed: int, motion: int, frames: int = 20) -> PoseSequence:
    """A figure of its own proportions that sways and signs with foreshortened arms."""
    rng = np.random.default_rng(seed)
    names = ("shoulders", "torso", "neck", "head", "upper_arm", "forearm", "hand")
    build = Build(**{name: getattr(Build(), name) * rng.uniform(0.85, 1.15) for name in names})
    time = np.arange(frames)[:, None]
    phases = np.random.default_rng(motion).uniform(0, 6, 5)
    sway = 3 * np.sin(time / 7 + phases[:2])
    poses = figure(build, waving(frames, motion), sway=sway)
    points = poses.keypoints.astype(float)
    for part, side in enumerate(HANDS):
        arm = [WHOLEBODY.index(f"{side}_elbow"), WHOLEBODY.index(f"{side}_wrist")]
        arm += range(*HANDS[side].indices(133))
        shoulder = points[:, [WHOLEBODY.index(f"{side}_shoulder")]]
        depth = 0.85 + 0.1 * np.sin(time[..., None] / 5 + phases[2 + part])
        points[:, arm] = shoulder + depth * (points[:, arm] - shoulder)
    return replace(poses, keypoints=points.astype(np.float32))


def length(poses: PoseSequence, start: str, stop: str) -> np.ndarray:
    """(T,) distance of two points."""
    first, second = (poses.keypoints[:, WHOLEBODY.index(name)] for name in (start, stop))
    return np.linalg.norm(first - second, axis=-1)
