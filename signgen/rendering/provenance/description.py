"""Where a video comes from, in lines."""

from __future__ import annotations

from pathlib import Path

from signgen.media import probe_video, read_frames
from signgen.rendering.provenance.credentials import describe_credentials
from signgen.rendering.provenance.record import command_of, read_provenance, sidecar_of

__all__ = ["describe"]


def describe(video: Path) -> dict[str, object]:
    """Return what a video says of itself, by what a line is about; the last is the command.

    Raises:
        UserError: As `read_provenance`.
    """
    provenance, pictures = read_provenance(video), video.is_dir()
    shape = read_frames(video).info if pictures else probe_video(video)
    rate = "" if pictures else f" at {shape.fps:g} fps"
    terms, sidecar = provenance.model_terms, sidecar_of(video)
    unstated = "not stated" if sidecar.is_file() else f"unknown: {sidecar} is not there"
    return {
        "frames": f"{shape.num_frames} of {shape.size[0]} x {shape.size[1]}{rate}",
        "made_by": provenance.software,
        "with": [f"{name} {number}" for name, number in provenance.versions.items()],
        "marked_as": provenance.digital_source_type,
        "model": f"{provenance.settings.get('model')} {provenance.model_sha256}".strip(),
        "model_licence": terms.license if provenance.model_sha256 else "none: nothing is learned",
        **({"trained_on": "; ".join(terms.data)} if terms.data else {}),
        **({"key_points_by": provenance.estimator} if provenance.estimator else {}),
        **{f"{name}_sha256": digest for name, digest in provenance.inputs.items()},
        **provenance.sampling,
        "consent": provenance.consent or unstated,
        "credentials": describe_credentials(video),
        "again": command_of(provenance, f"{video.stem}.again{video.suffix}"),
    }
