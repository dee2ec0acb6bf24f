"""A paper doll: a picture of flat colours whose key points are exact."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from signgen.structures import PoseSequence
from tests.material.pose_figures import HANDS, WHOLEBODY, Build, figure

SKIN, SLEEVE, SHIRT, WALL = (225, 170, 140), (200, 40, 40), (40, 90, 170), (90, 140, 90)
REST = np.array([[60.0, 100.0, 100.0], [120.0, 80.0, 80.0]])


@dataclass(frozen=True)
class Doll:
    """A picture, its key points, and how to pose it otherwise."""

    picture: np.ndarray
    poses: PoseSequence
    build: Build

    def posed(self, arms: np.ndarray, shift: tuple[float, float] = (0, 0)) -> PoseSequence:
        """Key points with other arms (2, 3), see `pose_figures.figure`."""
        return _faceless(figure(self.build, arms[None], sway=np.array([shift], float)))

    def joint(self, poses: PoseSequence, name: str) -> np.ndarray:
        return poses.keypoints[0, WHOLEBODY.index(name)].astype(float)


def _faceless(poses: PoseSequence) -> PoseSequence:
    """Leave out the face, whose points are random in these figures, and the knees."""
    confidence = poses.confidence.copy()
    confidence[:, [1, 2, 3, 4, 13, 14, *range(23, 91)]] = 0
    return replace(poses, confidence=confidence)


def _draw(poses: PoseSequence, build: Build) -> np.ndarray:
    points = poses.keypoints[0].astype(float)
    height, width = build.size
    picture = np.full((height, width, 3), WALL, np.uint8)
    picture[..., 2] += np.linspace(0, 60, height).astype(np.uint8)[:, None]
    at = {name: points[WHOLEBODY.index(name)] for name in WHOLEBODY.names[:17]}

    def line(ends: list[np.ndarray], color: tuple[int, int, int], radius: float) -> None:
        fixed = np.rint(np.array(ends) * 16).astype(np.int32)
        width = round(2 * radius * build.shoulders)
        cv2.polylines(picture, [fixed], False, color, width, cv2.LINE_AA, 4)

    torso = [at[name] for name in ("left_shoulder", "right_shoulder", "right_hip", "left_hip")]
    cv2.fillPoly(picture, [np.rint(torso).astype(np.int32)], SHIRT)
    line([*torso, torso[0]], SHIRT, 0.1)
    line([(at["left_shoulder"] + at["right_shoulder"]) / 2, at["nose"]], SKIN, 0.12)
    line([at["nose"] - (0, 0.1 * build.shoulders), at["nose"]], SKIN, 0.27)
    for side in ("left", "right"):
        line([at[f"{side}_shoulder"], at[f"{side}_elbow"]], SLEEVE, 0.14)
        line([at[f"{side}_elbow"], at[f"{side}_wrist"]], SLEEVE, 0.1)
        hand = points[HANDS[side]]
        for finger in range(5):
            line([hand[0], *hand[1 + 4 * finger : 5 + 4 * finger]], SKIN, 0.03)
        line([hand[0], hand[5], hand[9], hand[13], hand[17], hand[0]], SKIN, 0.04)
    return picture


def paper_doll(arms: np.ndarray = REST, *, scale: float = 1.0) -> Doll:
    """Return a doll of any size and stance; `arms` (2, 3) as in `pose_figures.figure`."""
    lengths = {"shoulders": 70, "torso": 100, "neck": 48, "head": 20, "upper_arm": 60}
    lengths |= {"forearm": 50, "hand": 19}
    build = Build(
        **{name: scale * value for name, value in lengths.items()},
        middle=(120 * scale, 90 * scale),
        size=(round(280 * scale), round(240 * scale)),
    )
    poses = _faceless(figure(build, arms[None]))
    return Doll(_draw(poses, build), poses, build)
