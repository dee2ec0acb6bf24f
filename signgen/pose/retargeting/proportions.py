"""How a driving signer's proportions compare with those of the source signer.

Lengths are measured in the picture, over the frames in which both end points are reliable: of a
confidence of at least `RELIABLE`, inside the frame (estimators guess what lies outside). Every
part's ratio is divided by that of the shoulders, the scale between the two pictures, so that 1
means "the same proportions" whatever the sizes of the frames.

- Shoulders, neck (to the nose) and torso: the median over the frames.
- Upper arm, forearm, thigh and palm: the 90th percentile, because a limb that points at the camera
  looks short and no limb looks long; the longer of both sides, because a signer's are equal.
- Head: the root mean square distance from their centre of the head points that both show, median.

A single source frame may foreshorten a limb all the same, so that a measured ratio is held within
`LIMITS`, a palm's ratio within `HAND_LIMITS` of the forearm's. A part that either signer hides is
taken as the shoulders', a palm as the forearm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from signgen.config.pose import Align
from signgen.errors import UserError
from signgen.pose.skeleton import SIDES, SKELETONS
from signgen.pose.transforms import fit_scale
from signgen.structures import PoseSequence

__all__ = ["Alignment", "Array", "Mask", "bridged", "head_points", "measure"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

RELIABLE = 0.3
"""Least confidence of a point that lengths are measured from."""
LIMITS = (0.75, 4 / 3)
"""Range of a part's ratio, relative to the shoulders'."""
HAND_LIMITS = (0.9, 1.1)
"""Range of the palm's ratio, relative to the forearm's."""
WARNING = 1.2
"""A part that differs by this factor or more, or its inverse, is worth a warning."""
SEATED = 2.0
"""Thighs that differ by this factor belong to a seated and a standing signer."""
SIDEWAYS = 1.6
"""Shoulders that the other parts exceed by this factor, in the median, are seen from the side."""

_LIMB_PERCENTILE = 90.0
_HEAD = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_SHOULDERS = ("left_shoulder", "right_shoulder")
#: Ends of a limb, whose names follow the side.
_LIMBS = {
    "upper_arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
    "hand": ("hand_root", "middle_1"),
    "thigh": ("hip", "knee"),
}


@dataclass(frozen=True)
class Alignment:
    """Proportions of the source signer relative to the driving one.

    Args:
        scale: Pixels of the source per pixel of the driver: the ratio of shoulder widths.
        fitted: The factor that fitting the frames alone would take, see `fit_to_source`.
        used: Ratio of every part (torso, neck, head, upper_arm, forearm, hand) relative to `scale`,
            as `retarget` takes it.
        measured: The same as measured; None where one of the signers hides the part.
        driving_neck: (x, y) of the middle between the shoulders, median over the driver's frames.
        source_neck: The same of the source.
        head_radius: Size of the driver's head in its pixels; a quarter of the shoulders' width
            where no head is seen.
    """

    scale: float
    fitted: float
    used: Mapping[str, float]
    measured: Mapping[str, float | None]
    driving_neck: tuple[float, float]
    source_neck: tuple[float, float]
    head_radius: float

    def warnings(self, mode: Align) -> tuple[str, ...]:
        """Say in sentences which parts differ by 20 % or more.

        Args:
            mode: How the poses are aligned: `none` leaves every difference, also that of the
                shoulders; `affine` those relative to the shoulders; `limb` adapts within limits.
        """
        base = self.scale / self.fitted if mode == "none" else 1.0
        lines = []
        for part, ratio in (("shoulders", 1.0), *self.measured.items()):
            if ratio is None or 1 / WARNING < base * ratio < WARNING:
                continue
            line = f"{part.replace('_', ' ')} of the source: {base * ratio:.2f} of the driver's"
            if mode != "limb":
                remedy = "affine or limb" if part == "shoulders" else "limb"
                lines.append(f"{line}; left as it is, mode {remedy} adapts it")
            elif abs(self.used[part] / ratio - 1) > 1e-6:
                used = self.used[part]
                lines.append(f"{line}; taken as {used:.2f}, as if foreshortened or near the lens")
            else:
                lines.append(f"{line}; adapted")
        return tuple(lines)

    def as_json(self) -> dict[str, object]:
        """Return the ratios, rounded to four digits."""
        numbers: dict[str, object] = asdict(self)
        return {name: _rounded(value) for name, value in numbers.items()}


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {name: _rounded(item) for name, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, tuple) else value


def measure(driving: PoseSequence, source: PoseSequence) -> Alignment:
    """Compare the proportions of two signers."""
    # Width and middle of the shoulders
    shoulders = [_shoulders(driving, "driving"), _shoulders(source, "source")]
    widths = [float(np.median(np.hypot(*(pair[:, 0] - pair[:, 1]).T))) for pair in shoulders]
    _check_facing(shoulders, widths)
    necks = [np.median(pair.mean(axis=1), axis=0).tolist() for pair in shoulders]
    scale = widths[1] / widths[0]
    # Ratios of the other parts
    heads = _head_radii(driving, source)
    measured = _ratios(driving, source, heads, scale)
    thigh = measured.pop("thigh")
    _check_front(measured)
    if thigh is not None and not 1 / SEATED < thigh < SEATED:
        raise UserError(
            f"source poses cannot be aligned: the thighs of the source look {thigh:.2f} times as "
            "long as the driver's, as if one sat and the other stood. Take a source frame in the "
            "driver's posture."
        )
    return Alignment(
        scale=scale,
        fitted=fit_scale(driving.size, source.size),
        used=_limited(measured),
        measured=measured,
        driving_neck=(necks[0][0], necks[0][1]),
        source_neck=(necks[1][0], necks[1][1]),
        head_radius=heads[0] if heads else widths[0] / 4,
    )


def bridged(points: Array, seen: Mask) -> Array:
    """Bridge the gaps of (T, K, d) points over time by straight lines; ends are held.

    A point that is never `seen`, (T, K), stays as it is.
    """
    filled, times = points.copy(), np.arange(len(points))
    for k in np.flatnonzero(seen.any(axis=0) & ~seen.all(axis=0)):
        at = np.flatnonzero(seen[:, k])
        for axis in range(points.shape[2]):
            filled[:, k, axis] = np.interp(times, at, points[at, k, axis])
    return filled


def head_points(skeleton: str) -> list[str]:
    """Return the names of the points that move with the head."""
    return [name for name in SKELETONS[skeleton].names if name in _HEAD or name.startswith("face_")]


# ----- lengths ------------------------------------------------------------------------------------


def _reliable(poses: PoseSequence) -> Mask:
    limits = np.array([poses.size[1], poses.size[0]])
    inside = ((poses.keypoints >= 0) & (poses.keypoints <= limits)).all(axis=-1)
    return np.asarray((poses.confidence >= RELIABLE) & inside, dtype=np.bool_)


def _indices(poses: PoseSequence, names: Sequence[str]) -> list[int]:
    return [SKELETONS[poses.skeleton].index(name) for name in names]


def _shoulders(poses: PoseSequence, who: str) -> Array:
    """Return (T', 2, 2): left and right shoulder in the frames that show both."""
    pair = _indices(poses, _SHOULDERS)
    shown = _reliable(poses)[:, pair].all(axis=1)
    if not shown.any():
        raise UserError(
            f"{who} poses cannot be aligned: none of {len(poses)} frames shows both shoulders "
            f"inside the picture with a confidence of {RELIABLE} or more. Choose other poses."
        )
    return poses.keypoints[shown][:, pair].astype(np.float64)


def _head_radii(driving: PoseSequence, source: PoseSequence) -> tuple[float, float] | None:
    """Return the size of both heads from the points that both show, at least two of them."""
    shown = []
    for poses in (driving, source):
        names, reliable = head_points(poses.skeleton), _reliable(poses)
        index = SKELETONS[poses.skeleton].index
        shown.append({name for name in names if reliable[:, index(name)].any()})
    common = sorted(shown[0] & shown[1])
    if len(common) < 2:
        return None
    radii = _head_radius(driving, common), _head_radius(source, common)
    return radii if min(radii) > 0 else None


def _head_radius(poses: PoseSequence, names: Sequence[str]) -> float:
    chosen = _indices(poses, names)
    points = poses.keypoints[:, chosen].astype(np.float64)  # (T, n, 2)
    points = bridged(points, _reliable(poses)[:, chosen])
    spread = points - points.mean(axis=1, keepdims=True)
    return float(np.median(np.sqrt((spread**2).sum(axis=-1).mean(axis=1))))


def _ratios(
    driving: PoseSequence, source: PoseSequence, heads: tuple[float, float] | None, scale: float
) -> dict[str, float | None]:
    """Return the ratio of every part relative to the shoulders', None where a signer hides it."""
    pair = (driving, source)
    lengths: dict[str, Sequence[float | None]] = {
        "torso": [_length(poses, _SHOULDERS, ("left_hip", "right_hip"), 50.0) for poses in pair],
        "neck": [_length(poses, _SHOULDERS, ("nose",), 50.0) for poses in pair],
        "head": heads or (None, None),
    }
    for part, (start, stop) in _LIMBS.items():
        lengths[part] = []
        for poses in pair:
            sides = [
                _length(poses, (f"{side}_{start}",), (f"{side}_{stop}",), _LIMB_PERCENTILE)
                for side in SIDES
            ]
            longest = max((side for side in sides if side is not None), default=None)
            lengths[part] = [*lengths[part], longest]
    return {
        part: theirs / ours / scale if ours and theirs else None
        for part, (ours, theirs) in lengths.items()
    }


def _length(
    poses: PoseSequence, starts: Sequence[str], stops: Sequence[str], percentile: float
) -> float | None:
    """Return a percentile over time of the distance between the middles of two sets of points."""
    if not {*starts, *stops} <= set(SKELETONS[poses.skeleton].names):
        return None
    start, stop = _indices(poses, starts), _indices(poses, stops)
    shown = _reliable(poses)[:, [*start, *stop]].all(axis=1)
    if not shown.any():
        return None
    points = poses.keypoints[shown].astype(np.float64)
    apart = points[:, start].mean(axis=1) - points[:, stop].mean(axis=1)
    return float(np.percentile(np.hypot(*apart.T), percentile))


def _limited(measured: Mapping[str, float | None]) -> dict[str, float]:
    """Hold measured ratios within the limits; stand in for hidden parts."""
    used = {
        part: 1.0 if ratio is None else float(np.clip(ratio, *LIMITS))
        for part, ratio in measured.items()
    }
    hand, forearm = measured["hand"], used["forearm"]
    low, high = (limit * forearm for limit in HAND_LIMITS)
    used["hand"] = forearm if hand is None else float(np.clip(hand, low, high))
    return used


# ----- pairs that cannot be compared --------------------------------------------------------------


def _check_facing(shoulders: Sequence[Array], widths: Sequence[float]) -> None:
    """Refuse signers who show their narrow side or their back, or are mirrored."""
    names = ("driving", "source")
    for name, width in zip(names, widths, strict=True):
        if width < 1:
            raise UserError(
                f"{name} poses cannot be aligned: the shoulders are {width:.1f} pixels apart. "
                "Choose poses seen from the front."
            )
    facing = [float(np.median(pair[:, 0, 0] - pair[:, 1, 0])) for pair in shoulders]
    if facing[0] * facing[1] < 0:
        mirrored = names[int(np.argmin(facing))]
        raise UserError(
            f"{mirrored} poses cannot be aligned: the signer's left shoulder is on the left of the "
            "picture, in the other poses on the right. Is it mirrored, or seen from behind?"
        )


def _check_front(measured: Mapping[str, float | None]) -> None:
    """Refuse a pair of which one shows narrow shoulders beside all its other parts."""
    others = [ratio for part, ratio in measured.items() if part != "hand" and ratio is not None]
    if not others:
        return
    middle = float(np.median(others))
    if not 1 / SIDEWAYS < middle < SIDEWAYS:
        narrow = "source" if middle > 1 else "driving"
        raise UserError(
            f"{narrow} poses cannot be aligned: beside the shoulders, head, trunk and arms are "
            f"{max(middle, 1 / middle):.1f} times as long as in the other poses, as if the signer "
            "stood sideways. Choose poses seen from the front."
        )
