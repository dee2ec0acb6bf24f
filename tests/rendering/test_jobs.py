"""Many videos: one model, bad jobs apart, done ones skipped by content, shards of one list."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from signgen.checkpoints import models
from signgen.cli.main import main
from signgen.config.render import RenderConfig
from signgen.pose.formats import write_poses
from signgen.rendering.jobs import read_jobs
from signgen.rendering.provenance.contents import content_digest
from tests.rendering.conftest import random_poses


def run(work: Any, *words: object) -> tuple[int, list[dict[str, Any]], str]:
    """Run the command with the flags that all jobs share; return code, lines and remarks."""
    flags = ("--source", work.source, "--model", work.model, "--device", "cpu", "--no-compare")
    code = main(["render", *map(str, flags), "--steps", "1", *map(str, words), "--json"])
    captured = work.capsys.readouterr()
    return code, [json.loads(line) for line in captured.out.splitlines()], captured.err


def jobs_file(work: Any, *jobs: dict[str, Any] | str) -> Path:
    path = work.folder / "jobs.jsonl"
    lines = [job if isinstance(job, str) else json.dumps(job) for job in jobs]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_folder_becomes_a_folder_and_goes_on(
    work: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poses = tmp_path / "poses"
    poses.mkdir()
    for name in ("a", "b", "c"):
        write_poses(random_poses(2), poses / f"{name}.json")
    (poses / "bad.json").write_text("{")
    loads = []
    original = models.load_model
    monkeypatch.setattr(models, "load_model", lambda *a: loads.append(a) or original(*a))

    # All but the bad one, with one model
    code, rows, _ = run(work, "--poses", poses, "--out", tmp_path / "videos")
    assert code == 3
    assert [row["status"] for row in rows] == ["done", "done", "failed", "done"]
    assert rows[2]["code"] == 65
    assert "bad.json" in rows[2]["error"]
    assert sorted(path.name for path in (tmp_path / "videos").iterdir()) == [
        "a.mp4",
        "a.provenance.json",
        "b.mp4",
        "b.provenance.json",
        "c.mp4",
        "c.provenance.json",
    ]
    assert len(loads) == 1

    # Skipped by content: one changed, one cut off, one mended
    write_poses(random_poses(3), poses / "a.json")
    video = tmp_path / "videos" / "b.mp4"
    video.write_bytes(video.read_bytes()[:-200])
    write_poses(random_poses(1), poses / "bad.json")
    code, rows, err = run(work, "--poses", poses, "--out", tmp_path / "videos")
    assert (code, [row["status"] for row in rows]) == (0, ["done", "done", "done", "skipped"])
    assert [row.get("frames") for row in rows] == [3, 2, 1, None]
    assert err.endswith("3 done, 1 skipped, 0 failed\n")

    # Other settings are another content; a dry run says what would be done
    code, rows, _ = run(
        work, "--poses", poses, "--out", tmp_path / "videos", "--seed", 1, "--dry-run"
    )
    assert {row["status"] for row in rows} == {"planned"}


def test_jobs_of_a_list_have_settings_of_their_own(work: Any) -> None:
    jobs = jobs_file(
        work,
        {"poses": str(work.poses), "out": str(work.out / "a.mp4"), "size": [64, 48]},
        "",
        {"poses": str(work.poses), "out": str(work.out / "b.mp4"), "source": "none.png"},
        {"poses": str(work.poses), "out": str(work.out / "c.mp4"), "seed": 7},
    )
    code, rows, err = run(work, "--jobs", jobs)
    assert (code, [row["status"] for row in rows]) == (3, ["done", "failed", "done"])
    assert (rows[0]["size"], rows[2]["provenance"]["sampling"]["seed"]) == ([64, 48], 7)
    assert rows[1]["code"] == 66
    assert "none.png does not exist" in err


def test_shards_are_all_of_it_once(work: Any) -> None:
    jobs = jobs_file(work, *({"poses": f"{n}.json", "out": f"{n}.mp4"} for n in range(5)))
    parts = [read_jobs(RenderConfig(jobs=str(jobs), shard=f"{i}/3")) for i in range(3)]
    assert sorted(job.poses for part in parts for job in part) == [f"{n}.json" for n in range(5)]


@pytest.mark.parametrize(
    ("lines", "words", "code", "message"),
    [
        (['{"out": "a.mp4"}', '{"poses": '], (), 65, "line 2 is not valid JSON"),
        (["[1]"], (), 65, "line 1 is no JSON object"),
        (['{"pose": "a"}'], (), 2, "pose is not a setting. Did you mean poses?"),
        (['{"model": "warp"}'], (), 2, "line 1: model is the same for all jobs"),
        (['{"out": "a.mp4"}', '{"out": "./a.mp4"}'], (), 2, "would be written twice"),
        (['{"poses": "a.json"}'], (), 2, "line 1: out is missing"),
        (['{"out": "a.mp4"}'], ("--shard", "3/2"), 2, "--shard is 3/2"),
        ([""], (), 65, "holds nothing to render"),
    ],
)
def test_bad_lists_are_refused_before_any_work(
    work: Any, lines: list[str], words: tuple[str, ...], code: int, message: str
) -> None:
    assert main(["render", "--jobs", str(jobs_file(work, *lines)), *words]) == code
    assert message in work.only_line()


def test_a_shard_of_one_video_is_refused(work: Any) -> None:
    assert work.render("--shard", "0/2") == 2
    assert "--shard is for many videos" in work.only_line()


def test_the_digest_is_that_of_contents(work: Any, tmp_path: Path) -> None:
    config = RenderConfig(str(work.source), str(work.poses), "a.mp4", str(work.model))
    copied = tmp_path / "copy.png"
    shutil.copy(work.source, copied)
    same = RenderConfig(str(copied), str(work.poses), "b.mp4", str(work.model), chunk=3)
    before = content_digest(config)
    assert before == content_digest(same)
    assert before != content_digest(replace(config, seed=1))
    write_poses(random_poses(1), work.poses)
    assert before != content_digest(config)
