"""SSIM of the hands, the face and the mouth, the parts of the picture that carry the sign."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.metrics.base import ClipMeans, FrameSizes, Score, check_frames
from signgen.evaluation.metrics.pixels.image import SSIM_WINDOW, ssim
from signgen.evaluation.metrics.regions import (
    FACE,
    HAND,
    MOUTH,
    Part,
    PatchRules,
    checked_poses,
    cut,
    find_places,
    mean_of_present,
    patch_side,
    too_small,
)
from signgen.structures import PoseSequence

__all__ = ["FaceSSIM", "HandSSIM", "MouthSSIM", "RegionSSIM"]

VERSION = "1"
"""Version of the definitions in this file; part of every signature."""


class RegionSSIM:
    """SSIM of square patches around one part of the true signer, cut alike from both pictures.

    The patch is scaled with the height of the frame. It counts only under `rules`; `coverage` is
    the share that counts; none of a frame so small that the patch is below the window of SSIM.
    Outside of the frame both pictures are mirrored. The score is the mean over patches: over hands,
    not over frames.

    Differs from FPDM: the paper does not say when a hand is left out nor which window its SSIM has,
    because no code of its hand metrics was published; both are stated in the signature here. It
    has no scores of face and mouth; signers judge by them as well.

    Args:
        part: What is measured.
        rules: Which patches count.
    """

    def __init__(self, part: Part, rules: PatchRules | None = None) -> None:
        self.name = f"{part.name}_ssim"
        self._part, self._rules = part, rules or PatchRules()
        self._means = ClipMeans()
        self._regions = {region: ClipMeans() for region in part.regions}
        self._sizes = FrameSizes()
        self._candidates = 0
        self._too_small = ""
        self.latest: NDArray[np.float64] | None = None

    def update(
        self,
        generated: NDArray[np.uint8],
        reference: NDArray[np.uint8],
        poses: PoseSequence | None = None,
        *,
        clip: str = "",
    ) -> None:
        """Take frames of one clip; see `Metric.update`.

        Poses in a picture of another size are scaled to the frames.

        Raises:
            ValueError: If the numbers of poses and frames differ.
            UserError: If there are no poses, or of another skeleton.
        """
        check_frames(generated, reference)
        poses = checked_poses(poses, len(generated), metric=self.name, clip=clip)
        size = (int(generated.shape[1]), int(generated.shape[2]))
        side = patch_side(self._part, self._rules.patch_height, size)
        self._sizes.add(generated)
        self._candidates += len(self._regions) * len(generated)
        per_region = np.full((len(self._regions), len(generated)), np.nan)
        self.latest = per_region[0]
        if reason := too_small(self._part, side, size, SSIM_WINDOW):
            self._too_small = reason
            return
        for row, (region, points) in enumerate(self._part.regions.items()):
            places = find_places(poses, points, side, size, self._rules)
            values = ssim(cut(generated, places), cut(reference, places))
            self._means.add(clip, values)
            self._regions[region].add(clip, values)
            per_region[row, places.chosen] = values
        self.latest = mean_of_present(per_region)

    def compute(self) -> Score:
        """Return the mean over patches; details: `coverage`, and `left` and `right` of hands."""
        coverage = self._means.count / self._candidates if self._candidates else None
        regions = {region: means.mean() for region, means in self._regions.items()}
        score = self._means.score(
            self.name,
            (
                *self._rules.signature(self._part),
                "win:gauss11-1.5",
                "border:none",
                "range:255",
                "channels:rgb",
                f"size:{self._sizes}",
                f"mean:{self._part.counted}",
                f"version:{VERSION}",
            ),
            higher_is_better=True,
            details={"coverage": coverage} | (regions if len(regions) > 1 else {}),
        )
        return score if score.n else replace(score, unavailable=self._too_small)


HandSSIM = partial(RegionSSIM, HAND)
"""Hand SSIM: FPDM, section 4."""
FaceSSIM = partial(RegionSSIM, FACE)
"""The same of the face."""
MouthSSIM = partial(RegionSSIM, MOUTH)
"""The same of the mouth."""
