"""A driver and a source signer as files, and a command that must fail."""

from pathlib import Path

import pytest

from signgen.cli.main import main
from signgen.media import VideoWriter, save_image
from signgen.pose.formats import write_poses
from tests.material.sample_clips import sample_clip


@pytest.fixture(scope="session")
def clip():
    return sample_clip(0, 6, (91, 73))


@pytest.fixture
def folder(tmp_path, clip, monkeypatch):
    """A driver of 6 frames with its video, and another signer: one pose with its picture."""
    signer = sample_clip(5, 1, (130, 104))
    write_poses(clip.poses, tmp_path / "driving.json")
    with VideoWriter(tmp_path / "driving.mp4", 25.0, (91, 73), crf=0) as writer:
        for frame in clip.frames:
            writer.write(frame)
    write_poses(signer.poses, tmp_path / "signer.json")
    save_image(tmp_path / "signer.png", signer.frames[0])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def failure(capsys):
    """Run a command that fails; return its one line."""

    def run(*words: str) -> str:
        before = sorted(Path().iterdir())
        assert main(list(words)) in {2, 65, 66, 73}
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1, captured.err
        assert sorted(Path().iterdir()) == before, "nothing was written"
        return captured.err

    return run
