"""What a video was made of: the value, the file beside the video, and the way back to settings."""

from __future__ import annotations

import json
import platform
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import signgen
from signgen.checkpoints.terms import ModelTerms, terms_of
from signgen.config.render import RenderConfig
from signgen.config.yaml import from_mapping
from signgen.errors import ExitCode, UserError
from signgen.files.digests import sha256
from signgen.files.reading import read_json
from signgen.media import read_comment
from signgen.rendering.provenance.contents import (
    FILES,
    WITHOUT_EFFECT,
    content_digest,
    input_digests,
    model_digest,
)
from signgen.rendering.provenance.marks import digital_source_type
from signgen.rendering.warp import WARP

__all__ = [
    "Provenance",
    "changes_since",
    "command_of",
    "is_made_of",
    "provenance_of",
    "read_provenance",
    "settings_of",
    "sidecar_of",
    "sidecar_text",
]

MAX_BYTES = 1 << 20
PACKAGES = ("torch", "diffusers", "transformers", "numpy", "opencv-python-headless", "av")
"""Packages whose version may change pixels or bytes."""


@dataclass(frozen=True)
class Provenance:
    """What a video was made of. Equal values and equal files give equal bytes on one machine.

    Args:
        software: `signgen` and its version.
        versions: Versions of Python and of packages that may change pixels or bytes.
        digital_source_type: IPTC's, see `digital_source_type`.
        content_sha256: Digest of all that the frames depend on, see `content_digest`.
        settings: Settings that are not the defaults. In the video files go by their last name
            (folders of a machine are nobody's business), beside it as they were given.
        inputs: SHA-256 of each file of the settings, by the setting.
        sampling: How the model was sampled, resolved against its own settings.
        model_sha256: Digest of its manifest, which has those of the weights; empty for `warp`.
        model_terms: Licence of the model and of the data that it was trained on.
        estimator: What estimated key points; empty where nothing did.
        consent: What the settings say about the consent of the person shown. Only in the sidecar.
    """

    software: str
    versions: Mapping[str, str]
    digital_source_type: str
    content_sha256: str
    settings: Mapping[str, object]
    inputs: Mapping[str, str]
    sampling: Mapping[str, object]
    model_sha256: str
    model_terms: ModelTerms
    estimator: str = ""
    consent: str = ""

    def in_video(self) -> dict[str, object]:
        """Return what is stored in the video itself, as JSON."""
        values = asdict(self)
        del values["consent"]
        named = {name: Path(str(values["settings"][name])).name for name in self._paths()}
        settings = {**values["settings"], **named}
        settings.pop("consent", None)
        return {**values, "settings": settings}

    def _paths(self) -> list[str]:
        given = [name for name in FILES if self.settings.get(name)]
        paths = [name for name in given if name in self.inputs]
        return paths + ["model"] * Path(str(self.settings.get("model", ""))).is_dir()


# ----- of a render --------------------------------------------------------------------------------


def provenance_of(
    config: RenderConfig, sampling: Mapping[str, object], estimator: str | None
) -> Provenance:
    """Return what a render is made of.

    Args:
        config: Its settings.
        sampling: From `FrameRenderer.facts`.
        estimator: What estimated key points, if anything did.
    """
    defaults = RenderConfig()
    settings = {
        name: value
        for name, value in asdict(config).items()
        if name not in WITHOUT_EFFECT and value != getattr(defaults, name)
    }
    return Provenance(
        software=f"signgen {signgen.__version__}",
        versions=_versions(with_model=config.model != WARP),
        digital_source_type=digital_source_type(config.model),
        content_sha256=content_digest(config),
        settings={**settings, "model": config.model},
        inputs=input_digests(config),
        sampling=sampling,
        model_sha256=model_digest(config),
        model_terms=ModelTerms() if config.model == WARP else terms_of(config.model),
        estimator=estimator or "",
        consent=config.consent,
    )


def _versions(*, with_model: bool) -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in PACKAGES if with_model else PACKAGES[3:]:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue  # such as OpenCV under another name
    return versions


def sidecar_of(video: Path) -> Path:
    """Return the path of the file beside a video that says where it comes from."""
    return video.with_suffix(".provenance.json")


def sidecar_text(provenance: Provenance, video: Path) -> str:
    """Return the text of the file beside a video, with the digest of the video."""
    values = {"schema_version": 1, "video_sha256": sha256(video), **asdict(provenance)}
    return json.dumps(values, indent=1, sort_keys=True) + "\n"


# ----- of a video ---------------------------------------------------------------------------------


def read_provenance(video: str | Path) -> Provenance:
    """Return where a video comes from: by the file beside it if that is its own, else by itself.

    Raises:
        UserError: If it is no video, or says nothing of signgen.
    """
    path = Path(video)
    inside = {} if path.is_dir() else read_comment(path)  # pictures have no room for it
    if beside := _beside(path):
        return _checked(beside, str(sidecar_of(path)))
    return _checked(inside, str(path))


def is_made_of(video: Path, digest: str) -> bool:
    """Whether a video is there as it was written, and was made of a `content_digest`."""
    try:
        return _beside(video).get("content_sha256") == digest
    except (UserError, OSError):
        return False


def _beside(video: Path) -> dict[str, object]:
    """Return what the file beside a video says, if it is there and speaks of these bytes."""
    sidecar = sidecar_of(video)
    if not sidecar.is_file():
        return {}
    values = read_json(sidecar, MAX_BYTES, "the provenance of a video")
    if not isinstance(values, dict) or values.get("video_sha256") != sha256(video):
        return {}
    return values


def _checked(values: Mapping[str, object], where: str) -> Provenance:
    """Return a record of which each field has its type."""
    kinds = {"str": str, "Mapping[str, str]": dict, "Mapping[str, object]": dict}
    chosen: dict[str, object] = {}
    for field in fields(Provenance):
        value = values.get(field.name, "" if field.name in {"estimator", "consent"} else None)
        if not isinstance(value, kinds.get(str(field.type), dict)):
            raise UserError(
                f"{where} does not say how it was made ({field.name} is missing or unreadable); "
                "expected a video of `signgen render`, as it was written."
            )
        if field.type == "Mapping[str, str]" and not all(map(_is_text, value.values())):
            raise UserError(
                f"{where}: {field.name} is no list of texts; expected digests or names."
            )
        chosen[field.name] = value
    terms = chosen["model_terms"]
    assert isinstance(terms, dict)
    chosen["model_terms"] = from_mapping(ModelTerms, terms, f"{where}: model_terms")
    return Provenance(**chosen)  # type: ignore[arg-type]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def settings_of(provenance: Provenance, where: str) -> RenderConfig:
    """Return the settings that made a video; those that frames do not depend on are the defaults.

    Args:
        provenance: Of the video.
        where: What to call the video in messages.

    Raises:
        UserError: If a setting is unknown to this version, or has no value that it can have.
    """
    settings = {
        name: value for name, value in provenance.settings.items() if name not in WITHOUT_EFFECT
    }
    return from_mapping(RenderConfig, settings, where)


def changes_since(provenance: Provenance, config: RenderConfig, video: str) -> list[str]:
    """Return what differs, a line each, between what a video was made of and what is there now.

    Args:
        provenance: Of the video.
        config: Settings that are to make it again.
        video: What to call it.

    Raises:
        UserError: If a file that the video was made of is not there (66).
    """
    # Files that are gone
    for name, digest in provenance.inputs.items():
        path = str(getattr(config, name, ""))
        if path == provenance.settings.get(name) and path and not Path(path).exists():
            raise UserError(
                f"{path}, the {name.replace('_', ' ')} of {video}, is not there; expected a file "
                f"of SHA-256 {digest}. Give it with --{name.replace('_', '-')}.",
                ExitCode.NO_INPUT,
            )

    # Files, the model and versions that are others
    changed = []
    now = input_digests(config)
    then = {**dict.fromkeys(now, ""), **provenance.inputs}
    for name, digest in sorted(then.items()):
        if digest != now.get(name, ""):
            changed.append(f"{name.replace('_', ' ')}: {_digests(digest, now.get(name, ''))}")
    if (model := model_digest(config)) != provenance.model_sha256:
        changed.append(f"model {config.model}: {_digests(provenance.model_sha256, model)}")
    versions = _versions(with_model=config.model != WARP)
    named = {"signgen": f"signgen {signgen.__version__}", **versions}
    for name, number in {"signgen": provenance.software, **provenance.versions}.items():
        if named.get(name) != number:
            changed.append(f"{name}: made with {number}, here is {named.get(name, 'none')}")
    return changed


def _digests(then: str, now: str) -> str:
    return f"SHA-256 is {now[:16] or 'none'}, was {then[:16] or 'none'}"


def command_of(provenance: Provenance, out: str) -> str:
    """Return the command that makes a video again, for a POSIX shell."""
    words = ["signgen", "render"]
    for name, value in replace(provenance).settings.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        else:
            values = value if isinstance(value, list | tuple) else (value,)
            words += [flag, *(shlex.quote(str(one)) for one in values)]
    return " ".join([*words, "--out", shlex.quote(out)])
