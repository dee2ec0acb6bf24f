"""Words become settings: precedence, spellings, words without a flag, groups."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from signgen.cli import evaluate, prepare, render, train
from signgen.cli.main import main
from signgen.cli.options import Common, flag_types, flags_class
from signgen.cli.parsing import parse
from signgen.config.data import PreparePhoenixConfig
from signgen.config.evaluation import EvalConfig
from signgen.config.pose import PoseConvertConfig, PoseExtractConfig
from signgen.config.render import RenderConfig
from signgen.config.train import TrainConfig
from tests.material.pose_samples import coco, pose_bytes


def parsed(cls: type[Any], line: str, **options: Any) -> Any:
    return parse(cls, line.split(), prog="x", description="x", **options)


def test_precedence_defaults_yaml_flags(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("steps: 50\nguidance: [1, 1.5]\nofficial_noise: true\n")
    config = parsed(RenderConfig, f"--steps 3 --config {path}")
    assert (config.steps, config.guidance, config.seed) == (3, (1.0, 1.5), 0)
    config = parsed(RenderConfig, f"--config={path} --steps None --no-official-noise")
    assert (config.steps, config.official_noise) == (None, False)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-s a.png -p b.json -o c.mp4", {"source": "a.png", "poses": "b.json", "out": "c.mp4"}),
        ("--guidance 1.5", {"guidance": (1.5, 1.5)}),
        ("--guidance=1.5", {"guidance": (1.5, 1.5)}),
        ("--guidance 1 -2 --seed 4", {"guidance": (1.0, -2.0), "seed": 4}),
        ("--size 260 210", {"size": (260, 210)}),
        ("--no-compare --dry_run", {"compare": False, "dry_run": True}),
        ("--official-noise", {"official_noise": True}),
        ("--no-official-noise", {"official_noise": False}),
        ("--source -", {"source": "-"}),
        ("--source-poses None --steps None --align limb", {"align": "limb"}),
        ("--seed -3", {"seed": -3}),
        ("", {}),
    ],
)
def test_spellings(line: str, expected: dict[str, object]) -> None:
    assert parsed(RenderConfig, line) == RenderConfig(**expected)


@pytest.mark.parametrize(
    "line",
    [
        "IN OUT --fps 50 --size 480 640",
        "--size 480 640 IN --fps=50 OUT",
        "--fps 50 IN -o OUT --size 480 640",
        "--out OUT --source IN --fps 50 --size 480 640",
        "IN --size 480 640 OUT --fps 50",
    ],
)
def test_words_without_a_flag_stand_anywhere(line: str) -> None:
    config = parsed(PoseConvertConfig, line, positional={"source": "IN", "out": "OUT"})
    assert config == PoseConvertConfig("IN", "OUT", size=(480, 640), fps=50.0)


def test_a_flag_of_many_values_takes_all_words_to_the_next_flag() -> None:
    line = "a --inputs b c --out d e"
    config = parsed(PoseExtractConfig, line, positional={"inputs": "VIDEO"})
    assert (sorted(config.inputs), config.out) == (["a", "b", "c", "e"], "d")


def test_nested_flags() -> None:
    line = "--model.unet.head-width 4 --model.no-drop-per-batch --start-from a b --data.cache"
    config = parsed(TrainConfig, line, groups=train.GROUPS)
    assert config.model.unet.head_width == 4
    assert not config.model.drop_per_batch
    assert config.data.cache
    assert config.start_from == ("a", "b")


@pytest.mark.parametrize(
    ("settings", "groups"),
    [
        (TrainConfig(), train.GROUPS),
        (RenderConfig(), render.GROUPS),
        (EvalConfig(), evaluate.GROUPS),
        (PreparePhoenixConfig(), prepare.CLIP_GROUPS),
    ],
)
def test_groups_leave_the_flags_that_matter_most(settings: Any, groups: Any) -> None:
    boxed = {name for names in groups.values() for name in names}
    boxed |= {title for title, names in groups.items() if not names}
    plain = [one.name for one in fields(settings) if one.name not in boxed]
    assert 3 < len(plain) <= 12
    names = [one.name for one in fields(flags_class(settings, groups))]
    assert names[: len(plain)] == plain
    assert len(names) == len(plain) + len(fields(Common)) + len(groups)


def test_every_setting_has_a_help_text() -> None:
    for settings in (TrainConfig(), RenderConfig(), EvalConfig(), PreparePhoenixConfig()):
        pending = [*fields(flags_class(settings))]
        for one in pending:
            if hasattr(one.type, "__metadata__"):
                assert one.type.__metadata__[0].help, one.name
            else:
                pending += fields(one.type)
    assert dict(flag_types(TrainConfig()))["--model.unet.layers-per-block"] is int


def test_names_that_begin_with_a_dash(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["pose", "info", "--", "-abc.pose"]) == 66
    assert "error: -abc.pose does not exist" in capsys.readouterr().err
    (tmp_path / "-abc.pose").write_bytes(pose_bytes(coco()))
    assert main(["pose", "convert", "-abc.pose", "--fps", "50", "out.npz"]) == 0
    assert main(["pose", "info", "-abc.pose", "out.npz", "--json"]) == 0
    files = json.loads(capsys.readouterr().out.splitlines()[-1])["files"]
    assert [row["file"] for row in files] == ["-abc.pose", "out.npz"]
    assert files[1]["fps"] == 50


def test_links_in_circles_and_long_outputs_are_no_fault_of_signgen(tmp_path, capsys):
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    poses = str(tmp_path / "a.pose")
    Path(poses).write_bytes(pose_bytes(coco()))
    loop = str(tmp_path / "loop.mp4")
    assert main(["pose", "view", poses, "--video", loop, "-o", str(tmp_path / "v.mp4")]) == 66
    assert "loop.mp4 is a link that leads back to itself" in capsys.readouterr().err
    words = ["render", "--source", "s.png", "--poses", poses, "--out", "x" * 300 + ".mp4"]
    assert main(words) in (66, 73)
    assert "fault of signgen" not in capsys.readouterr().err


def test_control_characters_are_shown_and_long_paths_do_not_exist(tmp_path, capsys):
    for name, shown in (
        ("a\x1b[31m.pose", "a\\x1b[31m.pose"),
        ("x" * 5000, "which no name"),
    ):
        assert main(["pose", "info", str(tmp_path / name)]) == 66
        err = capsys.readouterr().err
        assert shown in err
        assert "\x1b" not in err
