"""A tiny model, a source, poses, and a folder to run the render command in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from signgen.checkpoints.models import save_pretrained
from signgen.cli.main import main
from signgen.config.model import tiny_fpdm
from signgen.models import FPDM, build_model
from signgen.pose.formats import write_poses
from signgen.structures import PoseSequence

SIZE = (90, 70)


@pytest.fixture(autouse=True)
def signing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign nothing, wherever c2pa-python is installed: what is written is then the same everywhere.

    Signatures are tested in `provenance/`, which has a fixture of this name that leaves them on.
    """
    monkeypatch.setattr("signgen.rendering.provenance.credentials.is_installed", lambda: False)


def random_poses(
    frames: int = 5, size: tuple[int, int] = SIZE, skeleton: str = "coco-wholebody-133"
) -> PoseSequence:
    count = int(skeleton.rsplit("-", 1)[1])
    points = np.random.default_rng(0).uniform(0.1, 0.9, (frames, count, 2)) * (size[1], size[0])
    confidence = np.ones((frames, count), np.float32)
    return PoseSequence(points.astype(np.float32), confidence, skeleton, size, 12.5)


@dataclass(frozen=True)
class Workplace:
    """Inputs, an empty output folder, and what the command printed."""

    folder: Path
    model: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def source(self) -> Path:
        return self.folder / "source.png"

    @property
    def poses(self) -> Path:
        return self.folder / "poses.json"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def render(self, *words: object, **changes: object) -> int:
        settings = {
            "source": self.source,
            "poses": self.poses,
            "out": self.out / "a.mp4",
            "model": self.model,
            "device": "cpu",
            **changes,
        }
        flags = [word for name, value in settings.items() for word in (f"--{name}", value)]
        return main(["render", *map(str, flags), *map(str, words)])

    def only_line(self) -> str:
        """Return what was printed, which must be one line of complaint on stderr."""
        captured = self.capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1, captured.err
        assert captured.err.startswith("signgen: error: ")
        assert "Traceback" not in captured.err
        return captured.err

    def left(self) -> list[str]:
        """Return the names of all files at the output place."""
        return sorted(path.name for path in self.out.iterdir())


@pytest.fixture
def make_poses() -> Callable[..., PoseSequence]:
    return random_poses


@pytest.fixture(scope="session")
def model() -> FPDM:
    torch.manual_seed(0)
    return build_model(tiny_fpdm()).eval()


@pytest.fixture(scope="session")
def model_folder(model: FPDM, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "tiny"
    save_pretrained(model, folder, half=True)
    return folder


@pytest.fixture(scope="session")
def source() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


@pytest.fixture
def work(
    tmp_path: Path, source: np.ndarray, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> Workplace:
    place = Workplace(tmp_path, model_folder, capsys)
    Image.fromarray(source).save(place.source)
    write_poses(random_poses(), place.poses)
    place.out.mkdir()
    return place
