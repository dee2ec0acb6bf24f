"""Key points that came with generated frames, read clip by clip when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from signgen.evaluation.clips import ClipFiles, file_beside
from signgen.media import open_clip
from signgen.pose.formats import read_poses
from signgen.structures import PoseSequence

__all__ = ["GivenPoses"]


@dataclass(frozen=True)
class GivenPoses(Mapping[str, PoseSequence]):
    """Poses of the generated frames, by clip.

    Args:
        path: One file where there is one clip, else a folder with one file per clip.
        clips: The clips.
        skip_source: Leave out the first frame of each, which is not measured.
        last: The poses read last, which several metrics ask for, chunk by chunk.
    """

    path: Path
    clips: Sequence[ClipFiles]
    skip_source: bool = False
    last: dict[str, PoseSequence] = field(default_factory=dict)

    def __getitem__(self, clip: str) -> PoseSequence:
        """Read the poses of a clip.

        Raises:
            KeyError: If there is no such clip.
            UserError: If there is no file of its name, or it cannot be read.
        """
        if clip not in self.last:
            poses = self._read(clip)
            self.last.clear()
            self.last[clip] = poses
        return self.last[clip].frames(slice(1 if self.skip_source else 0, None))

    def _read(self, clip: str) -> PoseSequence:
        found = next((one for one in self.clips if one.id == clip), None)
        if found is None:
            raise KeyError(clip)
        single = len(self.clips) == 1 and not self.path.is_dir()
        path = self.path if single else file_beside(self.path, clip, "poses")
        frames = open_clip(found.generated)
        return read_poses(path, size=frames.info.size, fps=frames.fps)

    def __iter__(self) -> Iterator[str]:
        return (clip.id for clip in self.clips)

    def __len__(self) -> int:
        return len(self.clips)

    def __deepcopy__(self, memo: dict[int, object]) -> GivenPoses:
        """Return the poses themselves: they never change."""
        return self
