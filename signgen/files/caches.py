"""Folders of shards that are written over several runs: whose they are, and whether they are done.

While one is written it holds `unfinished.json` in place of `index.json`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from signgen.errors import ExitCode, UserError
from signgen.files.writing import make_folder, remove_leftovers, save_text

__all__ = ["INDEX", "PLAN", "claim_cache", "finish_cache"]

INDEX = "index.json"
PLAN = "unfinished.json"


def claim_cache(
    folder: Path, plan: str, fits: Callable[[Path], bool], *, kind: str, other: str, shards: str
) -> bool:
    """Make the folder ours: true if it holds this cache already, finished.

    Args:
        folder: New, empty, or with a cache in it.
        plan: What to begin it with, as JSON.
        fits: Whether an index or plan that is there is of the same cache.
        kind: `frame` or `feature`, for messages.
        other: What a cache that does not fit is of, for messages.
        shards: Pattern of its shards, of which the unfinished ones are removed.

    Raises:
        UserError: If something else is in it (73).
    """
    make_folder(folder)
    names = {path.name for path in folder.iterdir()}
    if not names:
        save_text(folder / PLAN, plan)
        return False
    if not names & {INDEX, PLAN}:
        raise UserError(
            f"{folder} is not empty and holds no {kind} cache; expected a new folder.",
            ExitCode.CANNOT_CREATE,
        )
    if not fits(folder / (INDEX if INDEX in names else PLAN)):
        raise UserError(
            f"{folder} holds a cache of {other}. Remove it first.",
            ExitCode.CANNOT_CREATE,
        )
    remove_leftovers(folder, shards)
    return INDEX in names


def finish_cache(folder: Path, index: str) -> None:
    """Put the index, as JSON, in the place of the plan."""
    save_text(folder / INDEX, index)
    (folder / PLAN).unlink()
