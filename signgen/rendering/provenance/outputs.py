"""The files that a render writes."""

from __future__ import annotations

import re
from pathlib import Path

from signgen.config.render import RenderConfig
from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_output
from signgen.rendering.provenance.credentials import can_sign, manifest_of
from signgen.rendering.provenance.record import sidecar_of

__all__ = ["check_outputs", "output_names"]

PICTURE = re.compile(r"\d{6,}\.png")
"""Name of a frame."""


def output_names(config: RenderConfig) -> tuple[Path, ...]:
    """Return the files that a render writes, unchecked: video, comparison, sheet, provenance."""
    out = Path(config.out)
    extra = (out.with_suffix(".compare.mp4"), out.with_suffix(".sheet.png"))
    signed = can_sign(out) and config.credentials == "beside"
    return (
        *((out, *extra) if config.compare else (out,)),
        sidecar_of(out),
        *((manifest_of(out),) if signed else ()),
    )


def check_outputs(config: RenderConfig) -> tuple[Path, ...]:
    """Return the files that a render writes.

    Raises:
        UserError: If one cannot be written, or is an input.
    """
    # What is written
    alpha, suffix = config.background == "alpha", Path(config.out).suffix.lower()
    if alpha and suffix == ".mp4":
        raise UserError(
            f"{config.out}: MP4 has no opacity; expected a name ending in .webm for --background "
            "alpha, or a folder of pictures.",
            ExitCode.USAGE,
        )
    video, *beside = output_names(config)
    if alpha and not suffix:
        _check_pictures(video, sidecar_of(video), config.audio)
    else:
        check_output(config.out, ".webm" if alpha else ".mp4")
    outputs = (video, *(check_output(path) for path in beside))

    # None of it may be an input
    inputs = [config.source, config.poses, config.source_poses, config.mask]
    inputs += [config.clothes_from, config.face_from, config.background, config.audio]
    inputs += [config.like, config.certificate, config.private_key]
    taken = {Path(name).resolve() for name in inputs if name}
    for path in outputs:
        if path.resolve() in taken:
            raise UserError(
                f"{path} is an input and would be overwritten. Choose another --out.",
                ExitCode.USAGE,
            )
    return outputs


def _check_pictures(folder: Path, sidecar: Path, audio: str) -> None:
    """Refuse a folder for pictures that holds what no render wrote, and sound beside them."""
    if audio != "none":
        raise UserError(
            f"--audio is {audio}, and {folder} would be a folder of pictures, which has no sound; "
            "expected a name ending in .webm as --out.",
            ExitCode.USAGE,
        )
    if not folder.is_dir():
        check_output(folder)
        return
    others = [path.name for path in folder.iterdir() if not PICTURE.fullmatch(path.name)]
    if others or (any(folder.iterdir()) and not sidecar.is_file()):
        raise UserError(
            f"{folder} holds {(others or ['pictures'])[0]}, which no render wrote; expected a new "
            "or empty folder, or one of an earlier render, which is replaced.",
            ExitCode.CANNOT_CREATE,
        )
