"""`signgen render`: a source frame and poses become a video."""

from __future__ import annotations

from signgen.cli.output import bar, print_json, print_note, print_result, table
from signgen.cli.parsing import command
from signgen.config.render import RenderConfig
from signgen.errors import ExitCode

__all__ = ["render"]

GROUPS = {
    "poses": ("clip", "pose_size", "pose_fps", "source_poses", "estimator", "weights"),
    "human parsing": ("parsing", "label_set", "clothes_parsing", "face_parsing"),
    "editing": ("clothes_from", "face_from", "edit_region", "mask"),
    "sampling": ("guidance", "sampler", "official_noise", "precision", "seed", "chunk"),
}


@command("signgen render", groups=GROUPS)
def render(config: RenderConfig) -> int:
    """Render a signer: one source frame and a pose sequence become a video.

    Example: signgen render --source frame.png --poses seq.json -o out.mp4 --steps 20

    Without weights: signgen render --source frame.png --source-poses frame.json --poses seq.json
    --model warp
    """
    from signgen.rendering.command import as_json, render_files
    from signgen.rendering.planning import plan

    if config.dry_run:
        planned = as_json(plan(config))
        known = {name: value for name, value in planned.items() if value is not None}
        print_json(planned) if config.json else print_result(table(known))
        return ExitCode.OK
    result = render_files(config, progress=bar("frame"))
    if config.json:
        print_json(as_json(result))
        return ExitCode.OK
    print_result("\n".join(result.files))
    for warning in result.warnings:
        print_note(f"warning: {warning}")
    height, width = result.size
    print_note(
        f"{result.frames} frame{'' if result.frames == 1 else 's'} of {height} x {width} "
        f"at {result.fps:g} fps in {result.seconds:.1f} s"
    )
    return ExitCode.OK
