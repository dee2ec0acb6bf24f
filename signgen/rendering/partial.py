"""A render that has not ended: whole segments that can be played, and the frames after them.

It lies in a folder `NAME.mp4.part` beside the video. Whatever ends the process, the same command
goes on with the first frame that is missing, and the video has the bytes that it had without.

    NAME.mp4.part/video.mp4 compare.mp4    whole segments, and frames after them to be played
                  video.webm               in place of video.mp4 where frames have opacity,
                  video/000000.png         or in their place pictures
                  row-000012.png           rows of the contact sheet
                  last-000024.rgb          the last frame of the last whole segment, as it is
                  after-000024.rgb         frames after it
                  state.json               what they are made of, and how much of them counts
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from signgen.errors import ExitCode, UserError
from signgen.files.reading import read_json
from signgen.files.writing import make_folder, save_text, written
from signgen.media import read_image
from signgen.media.audio import Sound
from signgen.media.pictures import append_pictures, finish_pictures, picture_name
from signgen.media.segments import append_segment, finish_segments
from signgen.rendering.base import Frame

__all__ = ["SEGMENT", "PartialRender", "part_of"]

SEGMENT = 24
"""Frames of a segment. More compress better; so many are kept in memory and on disk as they are."""
PLAYABLE = 0.8
"""Share of the frames that can be played at any time, whatever ends the process."""


@dataclass
class PartialRender:
    """Frames of a render that are kept; open one with `PartialRender.open`.

    Args:
        folder: Where they lie.
        made_of: Digest of what they are made of.
        fps: Frames per second.
        size: (H, W) of the frames.
        suffix: What the video is: `.mp4`; or of frames with opacity, (H, W, 4), `.webm`, or empty
            for a folder of pictures.
        whole: Number of frames in whole segments.
        lengths: Bytes of each growing video that count.
        shown: Number of frames that can be played.
    """

    folder: Path
    made_of: str
    fps: float
    size: tuple[int, int]
    suffix: str = ".mp4"
    whole: int = 0
    lengths: dict[str, int] = field(default_factory=dict)
    shown: int = 0

    @staticmethod
    def open(
        folder: Path,
        made_of: str,
        fps: float,
        size: tuple[int, int],
        *,
        resume: bool = True,
        suffix: str = ".mp4",
    ) -> PartialRender:
        """Go on with the frames in a folder, or begin where there are none.

        Args:
            folder: Where they lie.
            made_of: Digest of what they are to be made of.
            fps: Frames per second.
            size: (H, W) of the frames.
            resume: Whether to go on; else what is there is deleted.
            suffix: What the video is, see above.

        Raises:
            UserError: If the frames there are made of something else, or damaged.
        """
        part = PartialRender(folder, made_of, fps, size, suffix)
        if not resume:
            shutil.rmtree(folder, ignore_errors=True)
        state = folder / "state.json"
        if not state.is_file():
            shutil.rmtree(folder, ignore_errors=True)
            make_folder(folder)
            part._save()
            return part

        # What is there already
        kept = read_json(state, 1 << 16, "the state of a render")
        if not isinstance(kept, dict) or kept.get("made_of") != made_of:
            raise UserError(
                f"{folder} holds frames made of other settings, files or another version; expected "
                "those of this render. Render with them, or give --no-resume to begin anew.",
                ExitCode.USAGE,
            )
        part.whole, part.lengths = int(kept["whole"]), dict(kept["lengths"])
        part.shown = part.whole
        for name, length in part.lengths.items():
            path = folder / name
            if not path.is_file() or path.stat().st_size < length:
                raise UserError(f"{path} is cut off. Give --no-resume to begin anew.")
        if not suffix and part.whole:
            path = part.video("video") / picture_name(part.whole - 1)
            if not path.is_file():
                raise UserError(f"{path} is missing. Give --no-resume to begin anew.")
        return part

    @property
    def _shape(self) -> tuple[int, int, int]:
        return (*self.size, 3 if self.suffix == ".mp4" else 4)

    def video(self, name: str) -> Path:
        """Return where a growing video lies: `video` or `compare`."""
        return self.folder / f"{name}{self.suffix if name == 'video' else '.mp4'}"

    @property
    def _after(self) -> Path:
        return self.folder / f"after-{self.whole:06d}.rgb"

    def waiting(self) -> list[Frame]:
        """Return the frames after the last whole segment, at most a segment of them."""
        height, width, channels = self._shape
        if not self._after.is_file():
            return []
        # A frame that was being written counts for nothing
        data = np.fromfile(self._after, np.uint8)
        count = min(len(data) // (height * width * channels), SEGMENT)
        frames = data[: count * height * width * channels].reshape(count, *self._shape)
        with self._after.open("r+b") as file:
            file.truncate(frames.nbytes)
        return list(frames)

    def last(self, waiting: list[Frame]) -> Frame | None:
        """Return the last frame that is kept, or None before the first.

        Args:
            waiting: From `waiting`.
        """
        if waiting or not self.whole:
            return waiting[-1] if waiting else None
        return np.fromfile(self._last(self.whole), np.uint8).reshape(self._shape)

    def _last(self, whole: int) -> Path:
        return self.folder / f"last-{whole:06d}.rgb"

    def keep(self, frame: Frame) -> None:
        """Keep the next frame, (H, W, 3), or with opacity (H, W, 4), until its segment is whole."""
        with written(self._after), self._after.open("ab") as file:
            file.write(np.ascontiguousarray(frame).tobytes())

    def append(self, **videos: list[Frame]) -> None:
        """Append a whole segment, or the last one.

        Args:
            videos: Its frames by the name of the growing video: `video`, `compare`.
        """
        frames = next(iter(videos.values()))
        old, count = (self._after, self._last(self.whole)), len(frames)
        lengths = self._grow(videos)
        last = self._last(self.whole + count)
        with written(last):
            last.write_bytes(np.ascontiguousarray(frames[-1]).tobytes())
        self.whole, self.lengths = self.whole + count, lengths
        self.shown = self.whole
        self._save()
        for file in old:
            file.unlink(missing_ok=True)

    def show(self, **videos: list[Frame]) -> None:
        """Append frames of a segment that is not whole, to be played until the render goes on.

        They count for nothing: the segment is encoded again when it is whole.
        """
        if frames := next(iter(videos.values())):
            self._grow(videos)
            self.shown = self.whole + len(frames)

    def show_most(self, **videos: list[Frame]) -> None:
        """Show frames as `show` does, where too few of all can be played: at the beginning."""
        if self.shown < PLAYABLE * (self.whole + len(next(iter(videos.values())))):
            self.show(**videos)

    def _grow(self, videos: dict[str, list[Frame]]) -> dict[str, int]:
        lengths = {}
        for name, frames in videos.items():
            path = self.video(name)
            if not path.suffix:
                append_pictures(path, frames, self.whole)
                continue
            length = self.lengths.get(path.name, 0)
            lengths[path.name] = append_segment(path, length, frames, self.whole, self.fps)
        return lengths

    def _save(self) -> None:
        state = {"made_of": self.made_of, "whole": self.whole, "lengths": self.lengths}
        save_text(self.folder / "state.json", json.dumps(state))

    def row(self, index: int) -> Path:
        """Return where the row of a frame on the contact sheet lies."""
        return self.folder / f"row-{index:06d}.png"

    def rows(self) -> list[Frame]:
        """Return the rows of the contact sheet, in order."""
        return [read_image(path) for path in sorted(self.folder.glob("row-*.png"))]

    def finish(
        self,
        name: str,
        out: Path,
        metadata: dict[str, object],
        shown: Path,
        sound: Sound | None = None,
    ) -> None:
        """Make the video `out` of a growing one; see `finish_segments`, `finish_pictures`."""
        path = self.video(name)
        if not path.suffix:
            finish_pictures(path, out, self.whole, self.size, shown)
            return
        length = self.lengths[path.name]
        finish_segments(path, length, out, self.whole, self.fps, metadata, shown, sound=sound)

    def remove(self) -> None:
        """Delete it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def part_of(video: Path) -> Path:
    """Return the folder of the frames of a video that is not ready."""
    return video.with_name(f"{video.name}.part")
