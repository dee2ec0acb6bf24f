"""What the pictures of a split are like, measured on a few of them."""

from __future__ import annotations

from signgen.config.pictures import PicturesConfig
from signgen.data.adapter import DatasetAdapter
from signgen.models.pictures import measure_pictures
from signgen.structures import FrameRef

__all__ = ["measure_split"]

MEASURED = 200
"""Records of which a frame is measured, at most."""


def measure_split(
    adapter: DatasetAdapter, split: str, size: tuple[int, int], *, drawn: bool = False
) -> PicturesConfig:
    """Measure the middle frames of records that are spread evenly over a split.

    Args:
        adapter: The dataset.
        split: `train`, `dev` or `test`.
        size: (H, W) of the model.
        drawn: Poses are drawn beforehand, so that how signers stand is not measured.
    """
    records = adapter.records(split)
    stride = max(1, -(-len(records) // MEASURED))
    refs = [FrameRef(record, record.num_frames // 2) for record in records[::stride]]
    poses = (None if drawn else adapter.pose(ref) for ref in refs)
    return measure_pictures(zip(map(adapter.frame, refs), poses, strict=True), size)
