"""Where a video comes from: kept in it and beside it, printed, and made again from."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from signgen.cli.main import main
from signgen.config.render import RenderConfig
from signgen.errors import UserError
from signgen.files.digests import sha256
from signgen.media import read_comment
from signgen.rendering.provenance.record import read_provenance, settings_of, sidecar_of


@pytest.fixture
def video(work: Any) -> Path:
    assert work.render("--consent", "signed, A 7", "--size", 40, 32, "--steps", 1, seed=5) == 0
    work.capsys.readouterr()
    video: Path = work.out / "a.mp4"
    return video


def test_is_kept_in_the_video_and_beside_it(work: Any, video: Path) -> None:
    beside = json.loads(sidecar_of(video).read_text())
    assert beside["video_sha256"] == sha256(video)
    assert beside["inputs"] == {"source": sha256(work.source), "poses": sha256(work.poses)}
    assert beside["model_sha256"] == sha256(work.model / "manifest.json")
    assert beside["consent"] == "signed, A 7"
    assert beside["digital_source_type"].endswith("/trainedAlgorithmicMedia")
    assert beside["settings"]["source"] == str(work.source)
    assert {"python", "torch", "av"} <= beside["versions"].keys()

    # In the video no folder of this machine, and no words about a person
    inside = read_comment(video)
    assert str(work.folder) not in json.dumps(inside)
    assert "A 7" not in json.dumps(inside)
    assert inside["settings"]["source"] == "source.png"  # type: ignore[index]
    named = ("content_sha256", "inputs", "sampling", "versions", "model_sha256")
    assert {name: inside[name] for name in named} == {name: beside[name] for name in named}


def test_the_printed_command_makes_the_same_bytes(work: Any, video: Path) -> None:
    assert main(["info", str(video), "--json"]) == 0
    printed = json.loads(work.capsys.readouterr().out)
    words = shlex.split(printed["command"])
    words[words.index("--out") + 1] = str(work.out / "b.mp4")
    assert main([*words[1:], "--device", "cpu"]) == 0
    assert (work.out / "b.mp4").read_bytes() == video.read_bytes()
    compared = [work.out / f"{name}.compare.mp4" for name in "ab"]
    assert compared[0].read_bytes() == compared[1].read_bytes()
    work.capsys.readouterr()
    assert main(["info", str(video)]) == 0
    shown = work.capsys.readouterr().out
    for part in ("trainedAlgorithmicMedia", "signed, A 7", "not stated", "5 of 40 x 32"):
        assert part in shown


def test_like_takes_the_settings_and_flags_go_before_them(work: Any, video: Path) -> None:
    again = ["render", "--like", str(video), "--no-compare", "--device", "cpu"]
    assert main([*again, "--out", str(work.out / "b.mp4")]) == 0
    assert work.capsys.readouterr().err.count("\n") == 1  # nothing has changed
    assert (work.out / "b.mp4").read_bytes() == video.read_bytes()
    assert main([*again, "--out", str(work.out / "c.mp4"), "--seed", "0"]) == 0
    changed = read_provenance(work.out / "c.mp4")
    assert changed.sampling["seed"] == 0
    assert changed.settings["size"] == [40, 32]

    # It never becomes its own output
    assert main([*again, "--out", str(video)]) == 2
    assert "a.mp4 is an input and would be overwritten" in work.capsys.readouterr().err


def test_like_in_a_file_of_settings(work: Any, video: Path) -> None:
    (work.folder / "again.yaml").write_text(f"like: {video}\nseed: 6\ncompare: false\n")
    words = ["--config", str(work.folder / "again.yaml"), "--out", str(work.out / "b.mp4")]
    assert main(["render", *words, "--device", "cpu"]) == 0
    made = read_provenance(work.out / "b.mp4")
    assert (made.sampling["seed"], made.settings["size"]) == (6, [40, 32])


def test_changed_and_missing_inputs_are_said_by_digest(work: Any, video: Path) -> None:
    before = sha256(work.poses)
    text = work.poses.read_text()
    work.poses.write_text(text + "\n")
    again = ["render", "--like", str(video), "--out", str(work.out / "b.mp4"), "--dry-run"]
    assert main(again) == 0
    line = f"poses: SHA-256 is {sha256(work.poses)[:16]}, was {before[:16]}"
    assert f"not as for {video}: {line}" in work.capsys.readouterr().err
    work.poses.unlink()
    assert main(again) == 66
    assert f"expected a file of SHA-256 {before}. Give it with --poses" in work.only_line()


def test_a_sidecar_of_another_video_counts_for_nothing(work: Any, video: Path) -> None:
    sidecar = sidecar_of(video)
    values = json.loads(sidecar.read_text())
    sidecar.write_text(json.dumps({**values, "video_sha256": "0" * 64}))
    alone = read_provenance(video)
    assert alone.consent == ""
    assert alone.settings["source"] == "source.png"


def test_a_consent_of_another_render_is_not_kept_by_jobs(work: Any) -> None:
    lines = work.folder / "jobs.jsonl"
    job = {"source": str(work.source), "poses": str(work.poses), "out": str(work.out / "j.mp4")}
    lines.write_text(json.dumps(job))
    words = ["render", "--jobs", str(lines), "--model", str(work.model), "--steps", "1", "--json"]
    for consent, status in (("one", "done"), ("one", "skipped"), ("other", "done")):
        assert main([*words, "--consent", consent, "--device", "cpu"]) == 0
        assert json.loads(work.capsys.readouterr().out)["status"] == status
        assert read_provenance(work.out / "j.mp4").consent == consent


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"settings": {"steps": "many"}}, "steps is"),
        ({"settings": {"stepz": 1}}, "stepz"),
        ({"settings": []}, "settings is missing or unreadable"),
        ({"inputs": {"source": 3}}, "inputs is no list of texts"),
        ({"software": None}, "software is missing"),
        ({"model_terms": {"licence": "x"}}, "licence"),
    ],
)
def test_what_strangers_wrote_is_checked(
    work: Any, video: Path, change: dict[str, Any], said: str
) -> None:
    sidecar = sidecar_of(video)
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), **change}))
    with pytest.raises(UserError, match=said):
        settings_of(read_provenance(video), str(video))


def test_a_stranger_cannot_choose_where_is_written(work: Any, video: Path) -> None:
    sidecar = sidecar_of(video)
    values = json.loads(sidecar.read_text())
    values["settings"] |= {"out": "/etc/passwd", "certificate": "a", "jobs": "b"}
    sidecar.write_text(json.dumps(values))
    config = settings_of(read_provenance(video), str(video))
    assert (config.out, config.certificate, config.jobs) == (RenderConfig.out, "", None)


def test_other_videos_are_said_to_be_others(work: Any, source: Any) -> None:
    from signgen.media import write_video

    write_video(work.out / "other.mp4", [source[:80, :60]] * 2, 25)
    assert main(["info", str(work.out / "other.mp4")]) == 65
    assert "expected a video of `signgen render`" in work.only_line()
