"""Values that cross the seams between layers.

Shape legend, used by every comment of the package: `B` batch, `T` frames, `K` key points, `C`
channels, `N` tokens, `D` token width, `E` embedding width, `H, W` pixels, `h, w` latent cells.
Sizes are (H, W), points are (x, y) in pixels, images are RGB, frame rates are frames per second.
"""

from signgen.errors import ExitCode, UserError
from signgen.structures.guide import Guide, Windows
from signgen.structures.values import (
    Batch,
    Conditioning,
    FrameRef,
    PoseSequence,
    Progress,
    Record,
    SourceFeatures,
    Triplet,
    expect,
)

__all__ = [
    "Batch",
    "Conditioning",
    "ExitCode",
    "FrameRef",
    "Guide",
    "PoseSequence",
    "Progress",
    "Record",
    "SourceFeatures",
    "Triplet",
    "UserError",
    "Windows",
    "expect",
]
