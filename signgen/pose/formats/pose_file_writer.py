"""Write `.pose` files of version 0.2 with pose-format's own components for COCO-WholeBody-133.

BODY 23, FACE 68, LEFT_HAND 21 and RIGHT_HAND 21 points of x, y and confidence; one person;
coordinates, confidences and the frame rate in float32, which is what the format can carry.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from signgen.errors import UserError
from signgen.structures import PoseSequence

__all__ = ["to_bytes"]


def to_bytes(poses: PoseSequence, path: Path) -> bytes:
    """Return the file of a sequence.

    Args:
        poses: The sequence, `coco-wholebody-133`.
        path: Named in messages.

    Raises:
        UserError: If the skeleton is another one.
    """
    if poses.skeleton != "coco-wholebody-133":
        raise UserError(
            f"{path}: .pose cannot carry the skeleton {poses.skeleton}; expected "
            "coco-wholebody-133. Write .json or .npz."
        )
    from pose_format import Pose
    from pose_format.numpy import NumPyPoseBody
    from pose_format.pose_header import PoseHeader, PoseHeaderDimensions
    from pose_format.utils.cocowholebody133_header import cocowholebody_components

    height, width = poses.size
    header = PoseHeader(
        version=0.2,
        dimensions=PoseHeaderDimensions(width, height, 0),
        components=cocowholebody_components(),
    )
    data = np.ma.masked_array(
        poses.keypoints[:, None], mask=np.repeat(~poses.visible[:, None, :, None], 2, axis=-1)
    )
    out = io.BytesIO()
    Pose(header, NumPyPoseBody(poses.fps, data, poses.confidence[:, None])).write(out)
    return out.getvalue()
