"""What a file of poses holds: one clip or many, each read when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from signgen.errors import ExitCode, UserError
from signgen.structures import PoseSequence

__all__ = ["Clips", "Reading"]


@dataclass(frozen=True)
class Reading:
    """What was read of one clip.

    Args:
        poses: The signer's sequence.
        people: Most people in one frame; None where the format does not say.
    """

    poses: PoseSequence
    people: int | None = None


class Clips(Mapping[str, PoseSequence]):
    """The clips of a file by name; a clip is read each time it is looked up, and not kept.

    Args:
        path: The file or folder; named in messages.
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

    def __getitem__(self, name: str) -> PoseSequence:
        return self._readers[name]().poses

    def __contains__(self, name: object) -> bool:
        return name in self._readers  # without reading the clip

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)

    def reading(self, clip: str | None = None) -> Reading:
        """Read one clip.

        Args:
            clip: Its name; the only clip without it.

        Raises:
            UserError: If there is no such clip (66), there are several and none is named, or it is
                broken.
        """
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
