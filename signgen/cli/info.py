"""`signgen info`: where a rendered video comes from, and the command that makes it again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from signgen.cli.output import print_json, print_result, table
from signgen.cli.parsing import command
from signgen.config.info import InfoConfig
from signgen.errors import ExitCode

__all__ = ["info"]


@command(
    "signgen info",
    positional={"video": "VIDEO"},
    required={"video": "a video of `signgen render`"},
)
def info(config: InfoConfig) -> int:
    """Say where a rendered video comes from, and the command that makes it again.

    Example: signgen info out.mp4
    """
    from signgen.media import probe_video
    from signgen.rendering.provenance.credentials import describe_credentials
    from signgen.rendering.provenance.record import command_of, read_provenance, sidecar_of

    # What the video and the files beside it say
    path = Path(config.video)
    provenance, shape = read_provenance(path), probe_video(path)
    again = command_of(provenance, f"{path.stem}.again.mp4")
    credentials = describe_credentials(path)
    if config.json:
        print_json({**asdict(provenance), "credentials": credentials, "command": again})
        return ExitCode.OK

    # In lines
    terms = provenance.model_terms
    sidecar = sidecar_of(path)
    lines = {
        "frames": f"{shape.num_frames} of {shape.size[0]} x {shape.size[1]} at {shape.fps:g} fps",
        "made_by": provenance.software,
        "with": [f"{name} {number}" for name, number in provenance.versions.items()],
        "marked_as": provenance.digital_source_type,
        "model": f"{provenance.settings.get('model')} {provenance.model_sha256}".strip(),
        "model_licence": terms.license if provenance.model_sha256 else "none: nothing is learned",
        **({"trained_on": "; ".join(terms.data)} if terms.data else {}),
        **({"key_points_by": provenance.estimator} if provenance.estimator else {}),
        **{f"{name}_sha256": digest for name, digest in provenance.inputs.items()},
        **provenance.sampling,
        "consent": provenance.consent
        or ("not stated" if sidecar.is_file() else f"unknown: {sidecar} is not there"),
        "credentials": credentials,
        "again": again,
    }
    print_result(table(lines))
    return ExitCode.OK
