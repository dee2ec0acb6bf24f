"""Several transforms of a sequence in one value: what `signgen pose convert` can do."""

from __future__ import annotations

from dataclasses import dataclass

from signgen.pose.transforms import crop, fill_missing, flip, resize, smooth_one_euro
from signgen.structures import PoseSequence

__all__ = ["Changes"]


@dataclass(frozen=True)
class Changes:
    """What to do with a sequence, in the order of the fields; nothing by default.

    Args:
        crop: (x0, y0, x1, y1) in pixels to cut out of the frame.
        resize: New (H, W); each axis is scaled on its own.
        flip: Mirror left and right.
        fill_gaps: Longest gap in frames that is filled by straight lines; 0 fills none.
        smooth: Smooth with the One-Euro filter at its default settings.
    """

    crop: tuple[int, int, int, int] | None = None
    resize: tuple[int, int] | None = None
    flip: bool = False
    fill_gaps: int = 0
    smooth: bool = False

    def apply(self, poses: PoseSequence) -> PoseSequence:
        """Return the changed sequence.

        Raises:
            ValueError: If a size, box or number of frames is out of range.
        """
        if self.crop is not None:
            poses = crop(poses, self.crop)
        if self.resize is not None:
            poses = resize(poses, self.resize)
        if self.flip:
            poses = flip(poses)
        if self.fill_gaps:
            poses = fill_missing(poses, self.fill_gaps)
        return smooth_one_euro(poses) if self.smooth else poses
