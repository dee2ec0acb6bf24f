"""TorchScript is a program: no other file than the published one is run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from signgen.errors import ExitCode, UserError
from signgen.evaluation.metrics.features import i3d
from signgen.evaluation.metrics.features.i3d import open_i3d
from signgen.evaluation.metrics.networks import FeatureExtractor, Unavailable


class Tiny(nn.Module):
    """Takes what StyleGAN-V's I3D takes: (N, 3, T, H, W) pixels and three options."""

    def forward(self, x: Tensor, rescale: bool, resize: bool, return_features: bool) -> Tensor:
        if not (rescale and resize and return_features):
            x = x * 0
        return x.mean(dim=[3, 4]).flatten(1)  # (N, 3 T)


def test_without_a_file_it_says_how_to_get_it() -> None:
    opened = open_i3d(None)
    assert isinstance(opened, Unavailable)
    assert opened.reason.startswith("needs i3d_torchscript.pt, get it with: curl")


def test_other_files_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.jit.script(Tiny()).save(tmp_path / "i3d_torchscript.pt")

    def never(*_: object, **__: object) -> None:
        pytest.fail("an unknown program was loaded")

    monkeypatch.setattr(torch.jit, "load", never)
    with pytest.raises(UserError, match="expected bec6519f") as caught:
        open_i3d(tmp_path / "i3d_torchscript.pt")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="does not exist") as caught:
        open_i3d(tmp_path / "absent.pt")
    assert caught.value.code == ExitCode.NO_INPUT


def test_the_published_file_is_given_stacks_of_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tiny.pt"
    torch.jit.script(Tiny()).save(path)
    monkeypatch.setattr(i3d, "I3D_DIGEST", hashlib.sha256(path.read_bytes()).hexdigest())
    extractor = open_i3d(path)
    assert isinstance(extractor, FeatureExtractor)
    stacks = np.random.default_rng(0).integers(0, 256, (3, 16, 20, 18, 3), np.uint8)
    expected = stacks.mean(axis=(2, 3)).transpose(0, 2, 1).reshape(3, -1)
    np.testing.assert_allclose(extractor(stacks), expected, rtol=1e-5)
