"""Which run of the published FPDM program a checkpoint is of, and the settings that run had.

The program is dhlee-work/FPDM, its ablations those of the paper's tables 1 and 2. What a
checkpoint does not say is said to be unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from signgen.config.model import FPDMConfig, SamplingConfig, full_fpdm
from signgen.errors import UserError
from signgen.exchange.fpdm.keys import Shapes
from signgen.exchange.licences import base_models
from signgen.files.foreign.checkpoints import Plain

__all__ = ["BASES", "PROGRAM", "Run", "published", "run_of", "with_widths"]

PROGRAM = "dhlee-work/FPDM"
"""Repository of the published program; the card says it, and so do exports of the model."""
BASES = base_models(full_fpdm())
"""What published weights were made from and hold, with the licences."""
_SIZE = (512, 352)
"""Height and width of the published pictures of DeepFashion."""
_SOURCE_SIDE = 512
#: (height, width) of the canvas in training and outside of it, by skeleton. The published test
#: draws DeepFashion's poses at twice the size and with lines of the same width.
_CANVASES: Mapping[str, tuple[tuple[int, int], tuple[int, int] | None]] = {
    "openpose-18": ((550, 375), (1101, 750)),
    "coco-wholebody-133": ((260, 210), None),
}


@dataclass(frozen=True)
class Run:
    """What checkpoints say of the run that wrote them.

    Args:
        whole: Whether they are a whole model, not stage 1 alone.
        fused: Whether the fusion of stage 1 enters the U-Net.
        source: Encoder of the source tokens.
        side: Side of the sources in pixels, or None if they do not say.
        size: Height and width of the pictures, or None if they do not say.
        loss: Loss of stage 1, or None if they do not say.
    """

    whole: bool
    fused: bool
    source: Literal["dinov2", "clip"]
    side: int | None
    size: tuple[int, int] | None
    loss: Literal["source-enhanced", "baseline"] | None

    @property
    def verdict(self) -> str:
        """Name of the ablation, or what cannot be known, as a sentence for people."""
        loss = f"stage 1 with the {self.loss} loss"
        if not self.whole:
            if self.loss is None:
                return "A2 or A3: stage 1; the file does not say with which loss"
            return f"{'A3' if self.loss == 'source-enhanced' else 'A2'}: {loss}"
        encoder = "CLIP" if self.source == "clip" else "DINOv2"
        tokens = f"{encoder} tokens of sources at {self.side or 'an unknown size'}"
        if not self.fused:
            known = {224: "B2", _SOURCE_SIDE: "B3"}.get(self.side or 0, "B2 or B3")
            return f"{'B1' if self.source == 'clip' else known}: {tokens}, no fusion"
        if self.source == "clip":
            return f"none of the published ablations: {tokens}, and fusion"
        if self.loss is None:
            return (
                f"B5 or B6: {tokens}, and fusion; the file does not say with which loss stage 1 "
                "was trained, its own checkpoint does (--stage1)"
            )
        return f"{'B6' if self.loss == 'source-enhanced' else 'B5'}: {tokens}, and {loss}"


def run_of(
    stage1: Mapping[str, Plain] | None,
    stage2: Mapping[str, Plain] | None,
    shapes: Shapes,
    path: Path,
) -> Run:
    """Read what the settings and keys of checkpoints say.

    Args:
        stage1: Settings of stage 1's run, if its checkpoint is given and is the one that stage 2
            was trained with.
        stage2: Settings of stage 2's run, if its checkpoint is given.
        shapes: Shapes of stage 2's tensors, else of stage 1's.
        path: Their file, for messages.
    """
    settings = stage1 or {} if stage2 is None else stage2
    learning = (stage1 or {}).get("conbiner_self_learning", settings.get("conbiner_self_learning"))
    side = _pair(settings, "src_encoder_size", path) if stage2 is not None else None
    if side is not None and side[0] != side[1]:
        raise UserError(f"{path}: src_encoder_size is {list(side)}; expected a square.")
    size = _pair(settings, "model_img_size", path) if stage2 is not None else None
    clip = any(key.startswith("src_image_encoder.vision_model.") for key in shapes)
    return Run(
        whole=stage2 is not None,
        fused=stage2 is None or any("unet.class_embedding." in key for key in shapes),
        source="clip" if clip else "dinov2",
        side=side[0] if side else None,
        size=size,
        loss=("source-enhanced" if learning else "baseline") if type(learning) is bool else None,
    )


def _pair(settings: Mapping[str, Plain], key: str, path: Path) -> tuple[int, int] | None:
    """Return (height, width) of a setting that the program writes as [width, height]."""
    value = settings.get(key)
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 2:
        width, height = value
        if type(width) is int and type(height) is int and 0 < min(width, height) < 2**14:
            return height, width
    raise UserError(f"{path}: {key} of its settings is {str(value)[:60]}; expected two sizes.")


def published(run: Run, skeleton: str, size: tuple[int, int] | None) -> FPDMConfig:
    """Return the settings of the published model, with parts that load nothing from elsewhere.

    Args:
        run: What the checkpoints say.
        skeleton: Skeleton of the poses.
        size: Height and width of the pictures, if the user gives them.
    """
    base = full_fpdm(base=None, clip=None, dino=None)
    canvas, canvas_render = _CANVASES.get(skeleton, (None, None))
    if not run.whole:
        # Stage 1 was trained on the test's drawings, and on sources as large as targets.
        canvas, canvas_render = canvas_render or canvas, None
    clip = run.source == "clip"
    return replace(
        base,
        size=size or run.size or _SIZE,
        source_size=(_SOURCE_SIDE, _SOURCE_SIDE) if run.whole else None,
        resize="bicubic",
        fusion="ipf" if run.fused else "none",
        pose_style="fpdm",
        pose_canvas=canvas,
        pose_canvas_render=canvas_render,
        skeleton=skeleton,
        source_encoder=replace(
            base.source_encoder,
            kind=run.source,
            image_size=base.ipf.image_size if clip else run.side or _SOURCE_SIDE,
            table_size=0 if clip else base.source_encoder.table_size,
            position_interpolation="size" if clip else "scale",
        ),
        ipf=replace(base.ipf, loss=run.loss or base.ipf.loss, preprocessing="official"),
        sampling=SamplingConfig(steps=20, guidance=(2.0, 2.0)),
        # What the published training did, so that a resumed one goes on as it was.
        stage2_combiner_dropout=True,
        drop_per_batch=True,
        drop_pose_in_evaluation=True,
    )


def with_widths(config: FPDMConfig, shapes: Shapes) -> FPDMConfig:
    """Take the widths that no library configuration has from the tensors that have them.

    Args:
        config: Settings with the published widths.
        shapes: Shapes of stage 2's tensors. A tensor that is missing is named later.
    """
    hidden = shapes.get("sd_model.srcimage_proj_model.net.0.weight", ())
    if len(hidden) == 2:
        encoder = replace(config.source_encoder, projection_width=hidden[0])
        config = replace(config, source_encoder=encoder)
    pose = "sd_model.pose_t_proj."
    blocks = [f"{pose}conv_in.weight", *(f"{pose}blocks.{n}.weight" for n in range(1, 32, 2))]
    found = [shapes[name] for name in blocks if name in shapes]
    channels = tuple(shape[0] for shape in found if len(shape) == 4)
    return replace(config, pose_channels=channels) if len(channels) > 1 else config
