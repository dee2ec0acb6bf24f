"""What every dataset offers to the rest of the package."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from signgen.human_parsing.maps import Parts
from signgen.structures import FrameRef, PoseSequence, Record, Triplet


class DatasetAdapter(Protocol):
    """Read access to one dataset; structural, no base class.

    A record is "frames of one signer in one outfit": a video, or the views of one garment.
    """

    @property
    def name(self) -> str:
        """Short name of the dataset."""

    @property
    def skeleton(self) -> str:
        """Name of the skeleton of its poses."""

    def records(self, split: str) -> list[Record]:
        """List the records of a split, sorted by id."""

    def pairs(self, split: str) -> list[Triplet] | None:
        """List the pairs of a split where the dataset names them, else None."""

    def frame(self, ref: FrameRef) -> NDArray[np.uint8]:
        """Read one frame, (H, W, 3) uint8 RGB."""

    def pose(self, ref: FrameRef) -> PoseSequence:
        """Read the pose of one frame, a sequence of length 1, in pixels of the frame."""

    def poses(self, record: Record) -> PoseSequence:
        """Read the poses of a record, one per frame, in pixels of its frames."""

    def parts(self, ref: FrameRef) -> Parts | None:
        """Read the human parsing of a frame, or None where the dataset has none."""
