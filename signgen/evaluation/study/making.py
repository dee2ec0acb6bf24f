"""Write a study: its page for the raters, its key for those who ask."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from signgen.config.evaluation import EvalConfig
from signgen.errors import ExitCode, UserError
from signgen.evaluation.clips import ClipFiles, pair_paths
from signgen.evaluation.reports.report import GENERATED
from signgen.evaluation.study.design import SCALES, Item, Pair, items_of, pairs_of
from signgen.files.writing import atomic_folder
from signgen.media import read_frames, write_video
from signgen.structures import Progress

__all__ = ["Study", "make_study"]

MAX_BYTES = 200 * 10**6
"""Bytes of all videos at most: browsers keep the whole page in memory."""


@dataclass(frozen=True)
class Study:
    """A study that was written.

    Args:
        id: Digest of what is shown; ratings name it.
        page: For the raters.
        key: Says which item is what; not for the raters.
        items: Number of videos that are rated.
        pairs: Number of comparisons.
    """

    id: str
    page: Path
    key: Path
    items: int
    pairs: int


def make_study(config: EvalConfig, progress: Progress | None = None) -> Study:
    """Write the folder of a study.

    Every video is encoded anew, all in the same way, which takes names and metadata from it.

    Args:
        config: `study`, `study_clips`, `study_instructions`, `generated`, `reference` (whose clips
            are the ones asked about; it is not shown), `compare` and `seed`.
        progress: Wraps the videos as they are encoded.

    Raises:
        UserError: If paths are missing or unusable, or the page would be too large.
    """
    # Choose what is shown
    if config.generated is None or config.reference is None:
        raise UserError(
            "--study shows the videos of --generated and --compare; expected --generated and "
            "--reference, whose clips are asked about.",
            ExitCode.USAGE,
        )
    clips = _chosen(config)
    paths = {clip.id: {GENERATED: clip.generated, **clip.compared} for clip in clips}
    items = items_of(paths, config.seed)
    pairs = pairs_of(items, config.seed)

    # Encode and write
    folder = Path(str(config.study))
    with atomic_folder(folder) as made, TemporaryDirectory(prefix="signgen-study-") as scratch:
        work = Path(scratch)
        wanted = items if progress is None else progress(items, len(items))
        videos = _encoded(wanted, work)
        signed = ""
        if config.study_instructions is not None:
            signed = _data_uri(_video(Path(config.study_instructions), work / "instructions.mp4"))
        study = hashlib.sha256("".join(videos.values()).encode()).hexdigest()[:16]
        page = _page(study, items, pairs, videos, signed)
        (made / "study.html").write_text(page, encoding="utf-8")
        key = {
            "schema_version": 1,
            "study": study,
            "systems": {GENERATED: config.generated, **{path: path for path in config.compare}},
            "scales": [asdict(scale) for scale in SCALES],
            "items": [{**asdict(item), "path": str(item.path)} for item in items],
            "pairs": [asdict(pair) for pair in pairs],
        }
        (made / "key.json").write_text(json.dumps(key, indent=1) + "\n", encoding="utf-8")
    return Study(study, folder / "study.html", folder / "key.json", len(items), len(pairs))


def _chosen(config: EvalConfig) -> Sequence[ClipFiles]:
    """Return the clips that are shown, spread evenly over those that all systems have."""
    if config.study_clips < 1:
        raise UserError(
            f"--study-clips is {config.study_clips}; expected a number of clips.", ExitCode.USAGE
        )
    others = {path: path for path in config.compare}
    clips = pair_paths(str(config.generated), str(config.reference), compare=others).clips
    chosen = np.linspace(0, len(clips) - 1, min(config.study_clips, len(clips))).round()
    return [clips[int(index)] for index in chosen]


def _encoded(items: Iterable[Item], work: Path) -> dict[str, str]:
    """Return every item's video as a data URI, by the name of the item."""
    videos: dict[str, str] = {}
    total = 0
    for item in items:
        video = _video(item.path, work / f"{item.id}.mp4")
        total += video.stat().st_size
        if total > MAX_BYTES:
            raise UserError(
                f"the videos of the study have more than {MAX_BYTES // 10**6} MB; expected a page "
                "that a browser can hold. Show fewer: --study-clips N.",
                ExitCode.USAGE,
            )
        videos[item.id] = _data_uri(video)
    return videos


def _video(source: Path, video: Path) -> Path:
    """Encode a clip anew: H.264 as every browser plays it, without sound and metadata."""
    clip = read_frames(source)
    write_video(video, clip, clip.fps)
    return video


def _data_uri(video: Path) -> str:
    return f"data:video/mp4;base64,{base64.b64encode(video.read_bytes()).decode()}"


def _page(
    study: str,
    items: Sequence[Item],
    pairs: Sequence[Pair],
    videos: Mapping[str, str],
    instructions: str,
) -> str:
    """Return the page: an HTML document that needs no network and no other file."""
    folder = files("signgen.evaluation.study") / "templates"
    style, script = ((folder / name).read_text("utf-8") for name in ("study.css", "study.js"))
    environment = Environment(
        loader=PackageLoader("signgen.evaluation.study"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    data = {
        "study": study,
        "items": [item.id for item in items],
        "pairs": [asdict(pair) for pair in pairs],
        "videos": dict(videos),
        "scales": [scale.name for scale in SCALES],
    }
    return environment.get_template("study.html").render(
        policy="default-src 'none'; media-src data:; connect-src 'none'; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'; "
        "form-action 'none'",
        style=style,
        script=script,
        # No text of it can end the element that holds it
        data=json.dumps(data).replace("<", "\\u003c"),
        scales=SCALES,
        items=len(items),
        pairs=len(pairs),
        instructions=instructions,
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
