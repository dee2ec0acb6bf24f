"""Move one picture of a signer to other poses, part by part; nothing is learned.

`prepare_source` takes a source picture apart once: person and background, torso with head, upper
arms, forearms and hands, each with what is hidden of it filled. `warp` moves the parts to one pose
by the bones' maps (see `find_motion`) and says for every pixel where it comes from (`WarpMaps`).
Handshapes come from the source's hands, bent bone by bone; a hand that the source does not show is
drawn. What moves in neither pose is the source's own pixel.
"""

from __future__ import annotations

from signgen.pose.warping.bones import BoneMove
from signgen.pose.warping.figure import SIDES, Figure
from signgen.pose.warping.layers import Layer
from signgen.pose.warping.maps import WarpMaps
from signgen.pose.warping.motion import find_motion
from signgen.pose.warping.moves import HandMove, Motion
from signgen.pose.warping.parts import PARTS
from signgen.pose.warping.source import WarpSource, prepare_source
from signgen.pose.warping.trunk import HeadMove, Station, TrunkMove
from signgen.pose.warping.warp import Warped, warp

__all__ = [
    "PARTS",
    "SIDES",
    "BoneMove",
    "Figure",
    "HandMove",
    "HeadMove",
    "Layer",
    "Motion",
    "Station",
    "TrunkMove",
    "WarpMaps",
    "WarpSource",
    "Warped",
    "find_motion",
    "prepare_source",
    "warp",
]
