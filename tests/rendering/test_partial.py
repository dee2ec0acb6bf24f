"""Renders that are stopped: what is left can be played, and going on gives the same bytes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from signgen.config.render import RenderConfig
from signgen.errors import Stopped, UserError
from signgen.media import read_video
from signgen.pose.formats import write_poses
from signgen.rendering import command, partial
from signgen.rendering.command import render_files
from signgen.rendering.partial import PartialRender
from tests.rendering.conftest import random_poses


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (command, partial):
        monkeypatch.setattr(module, "SEGMENT", 2)


def config_of(work: Any, name: str, **changes: Any) -> RenderConfig:
    files = (str(work.source), str(work.poses), str(work.out / name), str(work.model))
    return RenderConfig(*files, device="cpu", steps=1, **changes)


class Stop:
    """Progress that does something after so many frames of a run, and counts them."""

    def __init__(self, after: int, what: Any) -> None:
        self.after, self.what, self.frames = after, what, 0

    def __call__(self, items: Iterable[Any], total: int, /) -> Iterable[Any]:
        for item in items:
            self.frames += 1
            if self.frames == self.after:
                self.what()
            yield item


def broken() -> None:
    raise RuntimeError("broken")


def everything(folder: Path, name: str) -> list[bytes]:
    ends = (".mp4", ".compare.mp4", ".sheet.png")
    return [(folder / f"{name}{end}").read_bytes() for end in ends]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_what_can_be_played_and_gone_on_with(
    work: Any, number: signal.Signals
) -> None:
    render_files(config_of(work, "whole.mp4"))
    config = config_of(work, "a.mp4")
    with pytest.raises(Stopped, match=r"after frame 3 of 5.*can be played") as stop:
        render_files(config, progress=Stop(3, lambda: os.kill(os.getpid(), number)))
    assert stop.value.code == 128 + number
    assert not (work.out / "a.mp4").exists()
    part = work.out / "a.mp4.part"
    for name in ("video.mp4", "compare.mp4"):
        assert len(list(read_video(part / name))) == 3

    # The rest, and nothing else, is rendered
    rest = Stop(9, broken)
    render_files(config, progress=rest)
    assert rest.frames == 2
    assert not part.exists()
    for ours, whole in zip(everything(work.out, "a"), everything(work.out, "whole"), strict=True):
        assert ours == whole


@pytest.mark.parametrize("steady", [False, True])
def test_whole_segments_survive_a_failure_again_and_again(work: Any, *, steady: bool) -> None:
    render_files(config_of(work, "whole.mp4", steady=steady))
    config, frames = config_of(work, "a.mp4", steady=steady), []
    for after in (4, 2):
        stop = Stop(after, broken)
        with pytest.raises(RuntimeError):
            render_files(config, progress=stop)
        frames.append(stop.frames)
        # As a kill while a frame is written leaves it
        for waiting in (work.out / "a.mp4.part").glob("after-*.rgb"):
            with waiting.open("ab") as file:
                file.write(b"torn")
    render_files(config)
    assert everything(work.out, "a") == everything(work.out, "whole")


def test_most_frames_can_be_played_after_every_frame_of_a_short_render(
    work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (command, partial):
        monkeypatch.setattr(module, "SEGMENT", 24)
    write_poses(random_poses(12), work.poses)
    shown = []

    class Look:
        """Counts what a kill would leave before every frame."""

        def __call__(self, items: Iterable[Any], total: int, /) -> Iterable[Any]:
            for item in items:
                video = work.out / "a.mp4.part" / "video.mp4"
                shown.append(len(list(read_video(video))) if video.exists() else 0)
                yield item

    config = config_of(work, "a.mp4", compare=False)
    render_files(config, progress=Look())
    assert len(shown) == 12
    assert all(count >= 0.8 * kept for kept, count in enumerate(shown))
    render_files(replace(config, out=str(work.out / "b.mp4")))
    assert (work.out / "a.mp4").read_bytes() == (work.out / "b.mp4").read_bytes()


def test_other_settings_are_refused_or_begin_anew(work: Any) -> None:
    with pytest.raises(RuntimeError):
        render_files(config_of(work, "a.mp4"), progress=Stop(4, broken))
    part = work.out / "a.mp4.part"
    state = json.loads((part / "state.json").read_text())
    assert state["whole"] == 2
    with pytest.raises(UserError, match=r"a\.mp4\.part holds frames made of other settings"):
        render_files(config_of(work, "a.mp4", seed=1))
    render_files(config_of(work, "a.mp4", seed=1, resume=False))
    assert not part.exists()
    assert len(list(read_video(work.out / "a.mp4"))) == 5


def test_a_part_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    part = PartialRender.open(tmp_path / "a.mp4.part", "x", 25, (32, 48))
    part.append(video=[np.zeros((32, 48, 3), np.uint8)] * 2)
    (tmp_path / "a.mp4.part" / "video.mp4").write_bytes(b"short")
    with pytest.raises(UserError, match=r"video\.mp4 is cut off"):
        PartialRender.open(tmp_path / "a.mp4.part", "x", 25, (32, 48))
