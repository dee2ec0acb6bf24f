"""What is written is what was asked for: odd sizes, every rate, 10-bit input, sound."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from signgen.config.render import RenderConfig
from signgen.errors import UserError
from signgen.media import probe_video, read_image, read_video, save_image, write_video
from signgen.media.audio import has_sound
from signgen.media.resizing import resize_image
from signgen.pose.formats import read_poses, write_poses
from signgen.pose.transforms import fit_to_source
from signgen.rendering.command import render_files
from tests.media.test_audio import write_sound

DEMO = Path(__file__).parents[2] / "signgen" / "assets" / "sample" / "demo"


def config_of(folder: Path, size: tuple[int, int], fps: float, **changes: Any) -> RenderConfig:
    """Return settings that warp a small source, with its poses, to four frames."""
    source = resize_image(read_image(DEMO / "source.png"), size, "area")
    save_image(folder / "source.png", source)
    poses = fit_to_source(read_poses(DEMO / "poses.json"), size).frames([0, 5, 10, 15])
    write_poses(replace(poses, fps=fps), folder / "poses.json")
    names = {name: str(folder / name) for name in ("source.png", "poses.json", "out.mp4")}
    files = {"source": names["source.png"], "out": names["out.mp4"]}
    files |= dict.fromkeys(("poses", "source_poses"), names["poses.json"])
    return RenderConfig(**{**files, "model": "warp", "compare": False, **changes})


@pytest.mark.parametrize(
    ("fps", "rate"),
    [
        (8, 8),
        (12.5, Fraction(25, 2)),
        (23.976, Fraction(24000, 1001)),
        (25, 25),
        (29.97, Fraction(30000, 1001)),
        (50, 50),
        (59.94, Fraction(60000, 1001)),
        (60, 60),
    ],
)
def test_rates_are_exact(tmp_path: Path, fps: float, rate: Fraction) -> None:
    result = render_files(config_of(tmp_path, (65, 52), fps))
    with av.open(result.files[0]) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == rate
        times = [frame.pts * stream.time_base for frame in container.decode(stream)]
    assert times == [number / Fraction(rate) for number in range(4)]


@pytest.mark.parametrize("size", [(65, 52), (64, 53), (65, 53)])
def test_odd_sizes_get_a_row_or_column_more(tmp_path: Path, size: tuple[int, int]) -> None:
    config = config_of(tmp_path, size, 25)
    result = render_files(config)
    assert result.size == size
    info = probe_video(result.files[0], count=True)
    assert (info.num_frames, info.size) == (4, (size[0] + size[0] % 2, size[1] + size[1] % 2))
    source, first = read_image(config.source), next(read_video(result.files[0]))
    assert np.abs(first[: size[0], : size[1]].astype(int) - source).mean() < 4


def test_ten_bits_are_read_and_their_sound_is_copied(tmp_path: Path) -> None:
    config = config_of(tmp_path, (64, 52), 25)
    picture = read_image(config.source)
    clip = tmp_path / "ten.mp4"
    write_sound(tmp_path / "sound.mp4", "aac", 1.0, video=True)
    with av.open(str(clip), "w") as out, av.open(str(tmp_path / "sound.mp4")) as sound:
        stream = out.add_stream("libx264", rate=25, options={"crf": "8"})
        stream.height, stream.width, stream.pix_fmt = 64, 52, "yuv420p10le"
        heard = out.add_stream_from_template(sound.streams.audio[0])
        for number in range(25):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        for packet in sound.demux(sound.streams.audio[0]):
            if packet.pts is not None:
                packet.stream = heard
                out.mux(packet)
    config = replace(config, source=str(clip), audio="copy", background=str(clip))
    result = render_files(config)
    with av.open(result.files[0]) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
        samples = sum(frame.samples for frame in container.decode(container.streams.audio[0]))
    assert samples / 44_100 == pytest.approx(0.16, abs=0.03)
    assert result.provenance.settings["audio"] == "copy"
    first = next(read_video(result.files[0]))
    assert np.abs(first.astype(int) - picture).mean() < 6


def test_sound_of_a_file_and_none_to_copy(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", "pcm_s16le", 0.1)
    config = config_of(tmp_path, (64, 52), 25, audio=str(tmp_path / "a.wav"))
    assert has_sound(render_files(config).files[0])
    with pytest.raises(UserError, match=r"--audio copy takes .*; neither of them is a video"):
        render_files(replace(config, audio="copy"))
    write_video(tmp_path / "clip.mp4", [read_image(config.source)], 25)
    silent = replace(config, audio="copy", source=str(tmp_path / "clip.mp4"))
    with pytest.raises(UserError, match=r"clip\.mp4 has no sound\. Give a file"):
        render_files(silent)
    with pytest.raises(UserError, match="would be overwritten"):
        render_files(replace(config, audio=config.out))
