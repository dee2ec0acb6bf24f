from __future__ import annotations

import pytest
import torch

from signgen.checkpoints.models import load_model
from signgen.device import choose_device, find_device
from signgen.errors import ExitCode, UserError


@pytest.mark.parametrize("find", [choose_device, find_device])
def test_unknown_device_is_refused(find: object) -> None:
    with pytest.raises(UserError, match="--device is foo; expected auto, cpu or cuda") as caught:
        find("foo")  # type: ignore[operator]
    assert caught.value.code == ExitCode.USAGE


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
@pytest.mark.parametrize("device", ["cuda", "cuda:3", torch.device("cuda")])
def test_model_on_a_missing_gpu_is_refused(device: str) -> None:
    with pytest.raises(UserError, match="finds no CUDA device") as caught:
        load_model("mini", device)
    assert caught.value.code == ExitCode.UNAVAILABLE


def test_devices_that_are_there_are_taken() -> None:
    assert find_device("cpu") == find_device(torch.device("cpu")) == torch.device("cpu")
    assert find_device("auto").type in {"cpu", "cuda"}
