"""What a video is made of, as one digest: equal digests, equal frames."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import signgen
from signgen.checkpoints.finding import resolve
from signgen.config.render import RenderConfig
from signgen.files.digests import sha256
from signgen.files.paths import check_input
from signgen.rendering.warp import WARP

__all__ = ["content_digest", "input_digests", "model_digest"]

FILES = (
    *("source", "poses", "source_poses", "weights", "parsing", "mask", "background", "audio"),
    *("clothes_from", "clothes_parsing", "face_from", "face_parsing"),
)
"""Settings that name files, which count by what is in them; a hub id counts by its name."""
WITHOUT_EFFECT = (
    *("out", "device", "compare", "resume", "jobs", "shard", "engine", "workers"),
    *("dry_run", "json", "like", "certificate", "private_key", "credentials"),
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
    made_of |= input_digests(config)

    # The model, by the digests in its manifest
    if config.model != WARP:
        folder, file, settings = resolve(config.model)
        made_of["model"] = [sha256(folder / "manifest.json"), sha256(file)]
        official = config.official_noise
        if not (settings.sampling.official_noise if official is None else official):
            del made_of["chunk"]
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


def input_digests(config: RenderConfig) -> dict[str, str]:
    """Return the SHA-256 of every file of the settings, by the setting.

    Raises:
        OSError: If source or poses cannot be read.
    """
    paths = {name: getattr(config, name) for name in FILES}
    return {
        name: sha256(Path(path))
        for name, path in paths.items()
        if path and (name in ("source", "poses") or Path(path).exists())
    }


def model_digest(config: RenderConfig) -> str:
    """Return the SHA-256 of a model's manifest, which has those of the weights; empty for `warp`.

    Raises:
        UserError: If there is no such model.
    """
    if config.model == WARP:
        return ""
    return sha256(check_input(resolve(config.model)[0] / "manifest.json", "manifest of a model"))
