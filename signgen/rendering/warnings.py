"""What a render should be warned of before it is looked at: a line each, with what to do."""

from __future__ import annotations

from signgen.config.model import ModelConfig
from signgen.data.framing import SLACK, Crop
from signgen.models.pictures import stance, unusual
from signgen.rendering.base import Frame
from signgen.structures import PoseSequence

__all__ = ["model_warnings"]

FEW_PIXELS = 0.5
"""Share of the model's height below which what is rendered of the source is coarse."""


def model_warnings(
    config: ModelConfig,
    picture: Frame,
    poses: PoseSequence,
    signer: PoseSequence | None = None,
    crop: Crop | None = None,
) -> tuple[str, ...]:
    """Return what is out of what a model knows.

    Args:
        config: Settings of the model.
        picture: (H, W, 3) uint8 RGB, the source.
        poses: Poses in its pixels.
        signer: Key points in the source, in its pixels.
        crop: The part that is rendered; None for the whole.
    """
    # What does not depend on training
    area = picture if crop is None else crop.cut(picture)
    known = config.pictures.frames > 0
    texts = [_keypoints(signer)] if config.guided else []

    # What the training pictures were like
    if known:
        texts += [
            _size(config, poses if signer is None else signer, crop),
            _pixels(config, area),
            _likeness(config, area),
        ]
    return tuple(text for text in texts if text)


def _keypoints(signer: PoseSequence | None) -> str:
    if signer is not None and signer.visible[:1].any():
        return ""
    return (
        "no key points of the source: all of it is painted anew, which costs likeness. Give "
        "--source-poses FILE, or set up an estimator: make pose-mediapipe."
    )


def _size(config: ModelConfig, poses: PoseSequence, crop: Crop | None) -> str:
    """Compare the signer's size in what is rendered."""
    stand, (low, high) = stance(poses), config.pictures.shoulders
    if stand is None or low <= 0:
        return ""
    # As a share of what is rendered
    share = stand.shoulders / (poses.size[1] if crop is None else crop.size[1])
    found = (
        f"shoulders are {share:.0%} of the width of what is rendered, the model knows "
        f"{low:.0%} to {high:.0%}"
    )

    # Beyond what is known
    if share < low / SLACK:
        return f"the signer is small: {found}. Leave out --frame full, or try --align limb."
    if share > high * SLACK:
        return f"the signer is large: {found}. Take a picture that shows more around the signer."
    return ""


def _pixels(config: ModelConfig, area: Frame) -> str:
    """Compare the pixels that there are with those that the model draws."""
    height, width = area.shape[:2]
    if height >= FEW_PIXELS * config.size[0]:
        return ""
    return (
        f"the source is coarse: what is rendered of it has {width} x {height} pixels, the model "
        f"draws {config.size[1]} x {config.size[0]}. Take a picture with a larger signer."
    )


def _likeness(config: ModelConfig, area: Frame) -> str:
    """Compare the picture with those that the model was trained on."""
    found = unusual(config.pictures, area, config.size)
    if not found:
        return ""
    return (
        f"the source is unlike the pictures that the model was trained on ({found}): expect a poor "
        "likeness. --model warp keeps the source's own pixels."
    )
