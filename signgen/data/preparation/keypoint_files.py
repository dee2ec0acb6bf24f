"""Key points that lie beside a dataset's clips, found by the clips' names."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from signgen.data.folder import SPLIT_NAMES
from signgen.data.manifest import Entry
from signgen.pose.formats import Clips, Reading, read_clip, read_clips
from signgen.structures import ExitCode, UserError

__all__ = ["KeypointFiles", "Place"]

_SUFFIXES = frozenset({".json", ".npz", ".pkl", ".pose", ".txt"})
_ENDINGS = ("_keypoints", "_pose", "_openpose", "_json", "_color")  # the last is AUTSL's


class Place(NamedTuple):
    """Poses of one clip: a file or folder of its own, or a clip of a file that holds many.

    Names above the folder `below` say nothing about the clip.
    """

    path: Path
    below: Path
    clip: str | None = None

    def fit(self, entry: Entry) -> int:
        """Count the names on the way to the clip that are the record's split or folders."""
        parts = (*self.path.relative_to(self.below).parts, *(self.clip or "").split("/"))
        names = {SPLIT_NAMES.get(part, part) for part in parts}
        return len({entry.record.split, *entry.record.id.split("/")[:-1]} & names)

    def __str__(self) -> str:
        return str(self.path) if self.clip is None else f"{self.path}, clip {self.clip},"


class KeypointFiles:
    """Finds the poses of a record in folders and in files that hold many clips.

    A file belongs to a record where its name without ending is the record's name (both without
    what recorders and estimators append, such as `_color` and `_keypoints`). So do a folder of JSON
    files, one per frame, and a clip of a file that holds many, such as the pickles of MSKA and
    SLRT. Where several records share a name, the split or the folders of the record's id decide;
    a place is never given to a record while it fits another one better. A file of one clip belongs
    to the only record, whatever its name.

    Args:
        paths: Folders, looked through at any depth, and files.
    """

    def __init__(self, paths: Sequence[Path], entries: Iterable[Entry]) -> None:
        self.paths = tuple(paths)
        self._namesakes: dict[str, list[Entry]] = {}
        for entry in entries:
            self._namesakes.setdefault(_name(entry), []).append(entry)
        self._records = sum(map(len, self._namesakes.values()))
        self._files: dict[Path, Clips] = {}
        self._places: dict[str, list[Place]] = {}
        for path in paths:
            # The name of the only folder, such as `train`, cannot tell its files apart.
            below = path if len(paths) == 1 else path.parent
            places = _look(path, below, self._namesakes) if path.is_dir() else self._clips(path)
            for name, place in places:
                if name in self._namesakes:
                    self._places.setdefault(name, []).append(place)

    def _clips(self, path: Path) -> Iterator[tuple[str, Place]]:
        clips = self._files[path] = read_clips(path)
        if list(clips) == [path.stem]:
            only = next(iter(self._namesakes)) if self._records == len(self.paths) == 1 else ""
            yield only or _plain(path.stem), Place(path, path.parent)
            return
        for clip in clips:
            yield _clip_name(clip), Place(path, path.parent, clip)

    def place(self, entry: Entry) -> Place:
        """Return where the poses of a record lie."""
        name = _name(entry)
        candidates = self._places.get(name, [])
        others = [other for other in self._namesakes.get(name, []) if other.record != entry.record]
        fits = {
            place: place.fit(entry)
            for place in candidates
            if all(place.fit(entry) >= place.fit(other) for other in others)
        }
        best = [place for place, fit in fits.items() if fit == max(fits.values())]
        if not best:
            searched = ", ".join(map(str, self.paths))
            raise UserError(f"no key points named {name} in {searched}.", ExitCode.NO_INPUT)
        if len(best) > 1:
            raise UserError(f"{best[0]} and {best[1]} both fit {entry.name}; expected one.")
        for other in others:
            if fits[best[0]] == best[0].fit(other) == max(place.fit(other) for place in candidates):
                raise UserError(
                    f"{best[0]} fits {entry.name} and {other.name}; expected folders that tell "
                    "them apart, as the recordings have."
                )
        return best[0]

    def read(self, place: Place, entry: Entry) -> Reading:
        """Read the poses of a record from where they lie."""
        if place.clip is not None:
            return self._files[place.path].reading(place.clip)
        return read_clip(place.path, size=entry.size, fps=entry.fps)


def _look(folder: Path, below: Path, names: Container[str]) -> Iterator[tuple[str, Place]]:
    """Yield the files and the folders of frames below a folder that may be those of a record."""
    for top, folders, files in os.walk(folder):
        for name in sorted(folders):
            if _plain(name) in names and any(Path(top, name).glob("*.json")):
                yield _plain(name), Place(Path(top, name), below)
                folders.remove(name)
        folders.sort()
        for name in sorted(files):
            if Path(name).suffix in _SUFFIXES:
                yield _plain(Path(name).stem), Place(Path(top, name), below)


def _clip_name(clip: str) -> str:
    """Return the record's name in the name of a clip: `fullFrame-.../train/NAME/1/NAME` too."""
    parts = clip.split("/")
    for number, part in enumerate(parts[:-1]):
        if part in SPLIT_NAMES:
            return parts[number + 1]
    return parts[-1]


def _name(entry: Entry) -> str:
    return _plain(entry.record.id.rpartition("/")[2])


def _plain(name: str) -> str:
    """Return a name without what estimators append to it."""
    for ending in _ENDINGS:
        if name.endswith(ending) and name != ending:
            return name.removesuffix(ending)
    return name
