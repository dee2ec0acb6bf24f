"""A file of poses as it is read: its bytes, the format that recognises it, and its clips."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

import numpy as np

from signgen.errors import ExitCode, UserError
from signgen.files import reading
from signgen.files.paths import check_no_device
from signgen.pose.formats.checks import MAX_FRAMES, checked_fps
from signgen.structures import PoseSequence

__all__ = [
    "KNOWN",
    "MAX_BYTES",
    "Clips",
    "Format",
    "InputFile",
    "Reading",
    "read_bytes",
    "read_json",
]

MAX_BYTES = 512 * 2**20
KNOWN = (
    "JSON of signgen, MMPose, OpenPose, AlphaPose or COCO-WholeBody, .pose, .npz, a pickle of "
    "MSKA, SLRT or DWPose, or DeepFashion text"
)
_HEAD = 4096


def read_bytes(path: Path) -> bytes:
    """Read a whole file of at most `MAX_BYTES`, which may not be empty."""
    return _filled(reading.read_bytes(path, MAX_BYTES, "a file of poses"), path)


def read_json(path: Path) -> object:
    """Read a JSON file as `read_bytes` does; NaN is let through, to be named with its place."""
    return reading.parse_json(read_bytes(path), path, "poses", _compact)


def _compact(item: object) -> object:
    """Return points (x, y, confidence) as `number_array` makes them: a tenth as large."""
    if not isinstance(item, list):
        return item
    try:
        array = np.asarray(item)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return item
    return array if array.dtype.kind in "iuf" and array.shape[1:] == (3,) else item


def _filled(data: bytes, path: Path) -> bytes:
    if not data:
        raise UserError(f"{path} is empty (0 bytes); expected poses. Write the file again.")
    return data


@dataclass(frozen=True)
class InputFile:
    """A file or folder of poses whose format is to be found; read as far as a format asks for it.

    Args:
        size: (H, W) of the pictures as the caller knows it; what the file says goes first.
        fps: Frames per second as the caller knows them, whatever the file says.
    """

    path: Path
    size: tuple[int, int] | None = None
    fps: float | None = None

    def rate(self, value: object) -> float:
        """Return the frames per second: the caller's, else what the file says, which is checked."""
        return checked_fps(value, self.path) if self.fps is None else self.fps

    @cached_property
    def head(self) -> bytes:
        """The first bytes of a file, whatever its size."""
        check_no_device(self.path, "a file of poses")
        try:
            with self.path.open("rb") as stream:
                return _filled(stream.read(_HEAD), self.path)
        except FileNotFoundError as error:
            raise UserError(
                f"{self.path} does not exist; expected a file of poses.", ExitCode.NO_INPUT
            ) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"{self.path} cannot be read: {reason}.", ExitCode.NO_INPUT) from error

    @cached_property
    def data(self) -> bytes:
        """The whole file."""
        return read_bytes(self.path)

    @cached_property
    def document(self) -> object:
        """The parsed JSON of a file, or of a folder's first one; None where it is no JSON."""
        if self.parts:
            return read_json(self.parts[0])
        if self.head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] not in (b"{", b"["):
            return None
        return read_json(self.path)

    @cached_property
    def parts(self) -> list[Path]:
        """The JSON files of a folder, one per frame, by the numbers in their names."""
        if not self.path.is_dir():
            return []
        found = [file for file in self.path.glob("*.json") if not file.name.startswith(".")]
        # Beside numbered frames, a file without a number, such as summary.json, is none
        numbered = [file for file in found if re.search(r"\d", file.stem)]
        files = sorted(numbered or found, key=_numbers)
        if not files:
            raise UserError(
                f"{self.path} is a folder without *.json; expected MMPose or OpenPose JSON, one "
                "file per frame."
            )
        if len(files) > MAX_FRAMES:
            raise UserError(f"{self.path} has {len(files)} files; at most {MAX_FRAMES} are read.")
        return files


def _numbers(file: Path) -> tuple[list[int], str]:
    return [int(digits) for digits in re.findall(r"\d{1,18}", file.stem)], file.name


@dataclass(frozen=True)
class Format:
    """One format of poses; `signgen.pose.formats.FORMATS` lists them all.

    Args:
        recognise: Tells by its content whether a file is of this format.
        read: Lists the clips of such a file, and says what is wrong with it.
        folders: Whether folders with one file per frame may be of this format.
    """

    recognise: Callable[[InputFile], bool]
    read: Callable[[InputFile], Clips]
    folders: bool = False


@dataclass(frozen=True)
class Reading:
    """What was read of one clip.

    Args:
        people: Most people in one frame; None where the format does not say.
        assumed: Which of `size` and `fps` the file does not say: the caller's, else guessed.
        stated_fps: Frames per second that the file says, which the caller's may have replaced.
    """

    poses: PoseSequence
    people: int | None = None
    assumed: tuple[str, ...] = ()
    stated_fps: float | None = None


class Clips(Mapping[str, PoseSequence]):
    """The clips of a file by name; a clip is read each time it is looked up, and not kept.

    Args:
        format: Name of the format, such as `own` or `mska`.
        readers: Function that reads a clip, by its name, in the order of the file.

    Raises:
        UserError: If there are no clips. Looking up a clip also raises it where the clip is broken.
    """

    def __init__(
        self, path: Path, format: str, readers: Mapping[str, Callable[[], Reading]]
    ) -> None:
        if not readers:
            raise UserError(f"{path} holds 0 clips; expected at least 1.")
        self.path = path
        self.format = format
        self._readers = readers

    @staticmethod
    def of_one(file: InputFile, format: str, reading: Reading) -> Clips:
        """Return the one clip of a file, named as the file without its suffix."""
        return Clips(file.path, format, {file.path.stem: lambda: reading})

    def __getitem__(self, name: str) -> PoseSequence:
        return self._readers[name]().poses

    def __contains__(self, name: object) -> bool:
        return name in self._readers  # without reading the clip

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)

    def reading(self, clip: str | None = None) -> Reading:
        """Read one clip; without a name the only one."""
        if clip is None:
            if len(self) > 1:
                some = ", ".join(_short(name) for name in list(self)[:3])
                raise UserError(
                    f"{self.path} holds {len(self)} clips ({some}{', ...' * (len(self) > 3)}); "
                    "name one with --clip."
                )
            clip = next(iter(self))
        if clip not in self._readers:
            near = get_close_matches(clip, list(self), n=1) if len(self) <= 20_000 else []
            hint = f" Did you mean {_short(near[0])}?" if near else ""
            raise UserError(
                f"{self.path} holds no clip {_short(clip)}; it holds {len(self)}, such as "
                f"{_short(next(iter(self)))}.{hint}",
                ExitCode.NO_INPUT,
            )
        return self._readers[clip]()


def _short(name: str) -> str:
    return repr(name) if len(name) <= 80 else f"{name[:77]!r}..."
