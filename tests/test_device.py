"""Devices by name."""

from __future__ import annotations

import pytest
import torch

from signgen.device import choose_device, named_device
from signgen.structures import ExitCode, UserError

HAS_MPS = torch.backends.mps.is_available()
ABSENT = f"cuda:{torch.cuda.device_count()}"


def test_names_of_settings_and_of_torch() -> None:
    assert choose_device("cpu") == "cpu"
    assert named_device("auto").type == choose_device("auto")
    assert named_device(torch.device("cpu")) == named_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(
    ("choose", "name", "code"),
    [
        (choose_device, "gpu", ExitCode.USAGE),
        (named_device, "gpu", ExitCode.USAGE),
        (named_device, ABSENT, ExitCode.UNAVAILABLE),
        *([] if HAS_MPS else [(choose_device, "mps", ExitCode.UNAVAILABLE)]),
    ],
)
def test_what_is_not_there_is_refused(choose, name: str, code: ExitCode) -> None:
    with pytest.raises(UserError, match=name) as caught:
        choose(name)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)
