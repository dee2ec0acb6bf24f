"""Protocols: every preset is complete, can be built, and says what it does."""

from __future__ import annotations

from typing import get_args

import pytest

from signgen.config.evaluation import EvalConfig, ProtocolName
from signgen.errors import ExitCode, UserError
from signgen.evaluation.metric_choice import METRICS, choose_metrics
from signgen.evaluation.protocols import PROTOCOLS, View, describe, with_size
from signgen.media.resizing import Filter


@pytest.mark.parametrize("name", get_args(ProtocolName))
def test_every_protocol_names_metrics_that_can_be_made(name: ProtocolName) -> None:
    protocol = PROTOCOLS[name]
    assert {choice.metric for choice in protocol.metrics} <= set(METRICS)
    assert protocol.resize in get_args(Filter)
    config = EvalConfig(protocol=name, hand_metrics=True, estimator="hrnet")
    names = [one.name for one in choose_metrics(config, images=True)]
    assert len(set(names)) == len(names)
    ends = ("", "_without_source")[: len(protocol.frames)]
    expected = {choice.metric + end for choice in protocol.metrics for end in ends}
    assert expected <= set(names)


def test_protocols_say_what_they_do_and_what_cannot_be_had() -> None:
    text = describe()
    for name, protocol in PROTOCOLS.items():
        assert f"\n{name}: " in f"\n{text}"
        assert protocol.differs
    assert max(map(len, text.splitlines())) <= 100
    assert "best of four pictures" in describe(["pcdms-legacy"])
    assert "cfld" not in describe(["signvip"])


def test_sizes_are_height_and_width() -> None:
    assert PROTOCOLS["phoenix-fpdm"].sizes == ((260, 210),)
    assert PROTOCOLS["signvip"].sizes == ((272, 224),)
    assert with_size(PROTOCOLS["cfld"], (512, 352)).sizes == ((512, 352),)
    assert with_size(PROTOCOLS["cfld"], None).sizes[0] == (256, 176)
    for name, size in (("signvip", (260, 210)), ("cleanfid", (299, 299))):
        with pytest.raises(UserError, match=f"--size {size[0]} {size[1]} is no size") as caught:
            with_size(PROTOCOLS[name], size)
        assert caught.value.code == ExitCode.USAGE


def test_views_of_protocols() -> None:
    fpdm = PROTOCOLS["phoenix-fpdm"]
    assert fpdm.views(fpdm.metrics[0]) == {
        "": View((260, 210), "pillow-bicubic", "all"),
        "_without_source": View((260, 210), "pillow-bicubic", "without-source"),
    }
    pidm = PROTOCOLS["pidm"]
    views = {choice.metric: pidm.views(choice)[""] for choice in pidm.metrics}
    assert views["lpips"] == View((256, 176), "opencv-linear")
    assert views["ssim_256_pidm"] == View((256, 256)), "squares, as they are stored"
