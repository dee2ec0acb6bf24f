"""What a render takes: measured by one, said by the plan of the next."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from signgen.pose.formats import write_poses
from signgen.rendering.command import render_files
from signgen.rendering.planning import plan
from tests.rendering.conftest import random_poses
from tests.rendering.test_command import config_of


def test_a_plan_says_what_a_render_like_it_took_here(
    work: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNGEN_CACHE", str(tmp_path / "cache"))
    config = config_of(work)
    assert plan(config).estimate is None, "nothing like it was rendered yet"
    result = render_files(config)
    found = plan(config).estimate
    assert found is not None
    assert found.seconds == pytest.approx(result.seconds, rel=0.02, abs=0.06)
    assert found.memory_mib > 50
    written = sum(Path(name).stat().st_size for name in result.files)
    assert found.disk_mib == pytest.approx(2 * written / 2**20, abs=0.006)

    # Twice the frames, twice the time and room; what decides on a frame is another measurement
    write_poses(random_poses(10), work.poses)
    twice = plan(config).estimate
    assert twice is not None
    assert twice.seconds == pytest.approx(2 * found.seconds, abs=0.11)
    assert twice.memory_mib == found.memory_mib
    assert plan(replace(config, seed=9)).estimate == twice
    for other in ({"steps": 7}, {"size": (32, 32)}, {"compare": not config.compare}):
        assert plan(replace(config, **other)).estimate is None
    assert work.render("--dry-run", "--json", *_words(config)) == 0
    assert json.loads(work.capsys.readouterr().out)["estimate"]["memory_mib"] == found.memory_mib

    # A file that somebody else wrote is nothing to stop for
    for text in ("[", "[1]", '{"a": 1}', '{"a": {"seconds": NaN, "memory_mib": 1, "bytes": 1}}'):
        (tmp_path / "cache" / "renders.json").write_text(text)
        assert plan(config).estimate is None


def _words(config: Any) -> tuple[object, ...]:
    words = () if config.steps is None else ("--steps", config.steps)
    return (*words, "--compare" if config.compare else "--no-compare")
