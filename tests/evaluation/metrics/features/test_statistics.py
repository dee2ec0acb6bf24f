"""Saved statistics come back whole, or are refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from signgen.errors import ExitCode, UserError
from signgen.evaluation.metrics.features.accumulation import FeatureStatistics, Moments
from signgen.evaluation.metrics.features.statistics import load_statistics, save_statistics

SIGNATURE = "net:test|resize:none"


@pytest.fixture
def statistics() -> FeatureStatistics:
    return Moments().add(np.random.default_rng(0).normal(size=(30, 6))).statistics(SIGNATURE)


def test_statistics_come_back(statistics: FeatureStatistics, tmp_path: Path) -> None:
    save_statistics(tmp_path / "real.npz", statistics)
    back = load_statistics(tmp_path / "real.npz", SIGNATURE)
    assert (back.count, back.signature) == (30, SIGNATURE)
    np.testing.assert_array_equal(back.mean, statistics.mean)
    np.testing.assert_array_equal(back.scatter, statistics.scatter)
    assert [path.name for path in tmp_path.iterdir()] == ["real.npz"]


def test_other_features_are_refused(statistics: FeatureStatistics, tmp_path: Path) -> None:
    save_statistics(tmp_path / "real.npz", statistics)
    with pytest.raises(UserError, match=r"statistics of 'net:test\|resize:none'"):
        load_statistics(tmp_path / "real.npz", "net:other")


def changed(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda arrays: arrays.update(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed(count=31), "checksum"),
        (changed(mean=np.zeros(6)), "checksum"),
        (changed(signature="net:other"), "checksum"),
        (changed(mean=np.zeros(5)), "mean"),
        (changed(scatter=np.zeros((6, 6), np.float32)), "float64"),
        (changed(count=1), "1 items"),
        (changed(format=2), "format 2"),
        (changed(mean=np.array([{}], object)), "no usable file"),
        (lambda arrays: arrays.pop("scatter"), "holds"),
        (changed(mu=np.zeros(3)), "holds"),
    ],
)
def test_changed_files_are_refused_in_one_line(
    statistics: FeatureStatistics, tmp_path: Path, change: Callable[..., None], message: str
) -> None:
    path = tmp_path / "real.npz"
    save_statistics(path, statistics)
    with np.load(path) as archive:
        arrays = dict(archive)
    change(arrays)
    np.savez(path, **arrays)
    with pytest.raises(UserError, match=message) as caught:
        load_statistics(path, SIGNATURE)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_damaged_and_absent_files_are_refused(
    statistics: FeatureStatistics, tmp_path: Path
) -> None:
    path = tmp_path / "real.npz"
    save_statistics(path, statistics)
    content = path.read_bytes()
    flipped = content.replace(statistics.mean.tobytes(), (statistics.mean + 1).tobytes())
    assert flipped != content
    for damaged in (content[:200], b"no archive", flipped):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="no usable file of feature statistics"):
            load_statistics(path, SIGNATURE)
    with pytest.raises(UserError, match="does not exist") as caught:
        load_statistics(tmp_path / "absent.npz", SIGNATURE)
    assert caught.value.code == ExitCode.NO_INPUT
