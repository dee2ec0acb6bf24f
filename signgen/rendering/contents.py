"""What a video is made of, as one digest: equal digests, equal frames."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import signgen
from signgen.checkpoints.finding import resolve
from signgen.config.render import RenderConfig
from signgen.errors import UserError
from signgen.files.digests import sha256
from signgen.media import read_comment
from signgen.rendering.warp import WARP

__all__ = ["KEY", "content_digest", "is_made_of"]

KEY = "content_sha256"
"""What the digest is called in the comment of a video."""
FILES = (
    *("source", "poses", "source_poses", "weights", "parsing", "mask", "background", "audio"),
    *("clothes_from", "clothes_parsing", "face_from", "face_parsing"),
)
"""Settings that name files, which count by what is in them; a hub id counts by its name."""
WITHOUT_EFFECT = (
    *("out", "device", "compare", "resume", "jobs", "shard", "engine", "workers"),
    *("dry_run", "json"),
)
"""Settings that frames do not depend on, but for rounding."""


def content_digest(config: RenderConfig) -> str:
    """Return the SHA-256 of all that the frames of a render depend on.

    These are the settings, the contents of the files and of the model, and the version of signgen.

    Raises:
        UserError: If there is no such model.
        OSError: If a file cannot be read.
    """
    # Settings
    made_of: dict[str, object] = {"software": signgen.__version__, **asdict(config)}
    for name in WITHOUT_EFFECT:
        del made_of[name]

    # Contents of files
    for name in FILES:
        path = made_of[name]
        if path and (name in ("source", "poses") or Path(str(path)).exists()):
            made_of[name] = sha256(Path(str(path)))

    # The model, by the digests in its manifest
    if config.model != WARP:
        folder, file, settings = resolve(config.model)
        made_of["model"] = [sha256(folder / "manifest.json"), sha256(file)]
        official = config.official_noise
        if not (settings.sampling.official_noise if official is None else official):
            del made_of["chunk"]
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


def is_made_of(video: Path, digest: str) -> bool:
    """Whether a whole video is there and its comment says that it was made of a digest."""
    try:
        return read_comment(video).get(KEY) == digest
    except UserError:
        return False
