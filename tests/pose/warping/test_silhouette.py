"""Person and background, parted by colour around key points."""

from __future__ import annotations

from pathlib import Path

import signgen
from signgen.media import read_image
from signgen.pose.formats import read_poses
from signgen.pose.warping.figure import Figure
from signgen.pose.warping.silhouette import person_mask

PLACES = {
    "left gap": (77, 154),
    "right gap": (149, 147),
    "shirt": (105, 140),
    "left arm": (64, 150),
    "right arm": (166, 155),
}
"""(x, y) in the picture of the demo, of which gaps between arm and shirt show the wall."""


def test_the_room_seen_between_arm_and_trunk_is_not_the_person():
    demo = Path(signgen.__file__).parent / "assets" / "sample" / "demo"
    poses = read_poses(demo / "poses.json")
    picture = read_image(demo / "source.png")
    figure = Figure.of(poses.keypoints[0], poses.confidence[0], poses.skeleton)
    mask = person_mask(picture, figure, figure.unit(picture.shape[:2]))
    seen = {name: mask[y, x] for name, (x, y) in PLACES.items()}
    assert seen["left gap"] < 0.2
    assert seen["right gap"] < 0.2
    assert min(seen[name] for name in ("shirt", "left arm", "right arm")) > 0.9
