"""Configuration files: strict in, plain out."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

import signgen.config
from signgen.config.model import FPDMConfig, full_fpdm, tiny_fpdm
from signgen.config.render import RenderConfig
from signgen.config.train import TrainConfig
from signgen.config.yaml import from_mapping, load_config, to_mapping, to_yaml
from signgen.errors import ExitCode, UserError


def test_round_trip_of_every_settings_class(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    modules = [
        importlib.import_module(f"signgen.config.{module.name}")
        for module in pkgutil.iter_modules(signgen.config.__path__)
    ]
    classes = {
        value
        for module in modules
        for name, value in vars(module).items()
        if name.endswith("Config") and dataclasses.is_dataclass(value)
    }
    assert len(classes) > 20
    for cls in classes:
        path.write_text(to_yaml(cls()))
        assert load_config(path, cls) == cls()


@pytest.mark.parametrize("preset", [full_fpdm, tiny_fpdm, FPDMConfig])
def test_round_trip_of_presets_is_plain(preset) -> None:
    text = to_yaml(preset())
    assert "preset" not in text
    assert "!!" not in text
    assert from_mapping(FPDMConfig, yaml.safe_load(text), "x") == preset()


def test_round_trip_of_changed_values(tmp_path: Path) -> None:
    config = RenderConfig(
        source="a b.png", size=(100, 80), guidance=(1.5, 2.0), steps=3, compare=False
    )
    path = tmp_path / "render.yaml"
    path.write_text(to_yaml(config))
    assert load_config(path, RenderConfig) == config


def test_preset_is_the_base_that_other_keys_override() -> None:
    mapping = {"model": {"preset": "full", "size": [256, 256], "unet": {"layers_per_block": 2}}}
    model = from_mapping(TrainConfig, mapping, "x").model
    expected = full_fpdm()
    expected = dataclasses.replace(
        expected, size=(256, 256), unet=dataclasses.replace(expected.unet, layers_per_block=2)
    )
    assert model == expected
    assert from_mapping(TrainConfig, {"model": {"preset": "mini"}}, "x").model == FPDMConfig()
    assert from_mapping(
        TrainConfig, {"model": {"offset_noise": 0}}, "x"
    ).model == dataclasses.replace(tiny_fpdm(), offset_noise=0.0)


def test_yaml_traps(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("precision: no\nlearning_rate: 1e-4\nwarmup: 10\n")
    config = load_config(path, TrainConfig)
    assert config.precision == "no"
    assert config.learning_rate == 1e-4
    assert config.warmup == 10
    path.write_text("")
    assert load_config(path, TrainConfig) == TrainConfig()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {unt: {}}", "model.unt is not a setting. Did you mean model.unet?"),
        ("model: {unet: {layer_per_block: 1}}", "Did you mean model.unet.layers_per_block?"),
        ("model: {prest: tiny}", "Did you mean model.preset?"),
        ("zzzzzzz: 1", "zzzzzzz is not a setting."),
        ("1: 1", "1 is not a setting."),
        ("steps: true", "steps is True; expected a whole number."),
        ("steps: 1.5", "steps is 1.5; expected a whole number."),
        ("steps: ten", "steps is 'ten'; expected a whole number."),
        ("steps: 017", "steps is '017'; expected a whole number."),
        ("steps: 1:30", "steps is '1:30'; expected a whole number."),
        ("learning_rate: true", "expected a number."),
        ("learning_rate: .nan", "expected a number."),
        ("learning_rate: .inf", "expected a number."),
        ("steps: null", "steps is None; expected a whole number."),
        (
            "stage: gan",
            "stage is 'gan'; expected one of vae, ipf, fpdm, decoder, windows, signer, distill, "
            "motion.",
        ),
        (
            "stage: [vae]",
            "expected one of vae, ipf, fpdm, decoder, windows, signer, distill, motion.",
        ),
        ("model: {size: 64}", "model.size is 64; expected two whole numbers."),
        ("model: {size: [64]}", "expected two whole numbers."),
        ("model: {size: [64, 48, 3]}", "expected two whole numbers."),
        ("model: {pose_channels: [1, x]}", "expected a list of whole numbers."),
        ("model: {drop_per_batch: 1}", "expected true or false."),
        (
            "model: {sampling: {eta: 1.0}}",
            "model.sampling.eta is no setting any more; sampling.sampler took its place: "
            "write `sampler: ddpm` for `eta: 1.0`, `sampler: ddim` for `eta: 0.0`.",
        ),
        ("model: {sampling: {theta: 1.0}}", "model.sampling.theta is not a setting. Did you"),
        (
            "model: {preset: huge}",
            "model.preset is 'huge'; expected one of full, guided, mini, tiny.",
        ),
        ("model: tiny", "model is a text; expected a group of settings."),
        ("model: {unet: {pretrained: 3}}", "expected a text or null."),
    ],
)
def test_bad_settings_are_one_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        load_config(path, TrainConfig)
    assert caught.value.code == ExitCode.USAGE
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"a: [1",
        b"- 1\n- 2\n",
        b"steps: 1\nsteps: 2\n",
        b"\xff\xfe\x00",
        b"steps: !!python/object/apply:os.system [ls]",
        b"[" * 5000,
        b"# " + b"x" * (1 << 20),
        b"steps: 2020-99-99",
    ],
)
def test_broken_files_are_bad_data(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        load_config(path, TrainConfig)
    assert caught.value.code == ExitCode.DATA
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(UserError) as caught:
            load_config(path, TrainConfig)
        assert caught.value.code == ExitCode.NO_INPUT


# ----- which model --------------------------------------------------------------------------------


@dataclass(frozen=True)
class ToyConfig:
    """Settings of a second model."""

    kind: ClassVar[str] = "toy"
    size: tuple[int, int] = (8, 8)
    width: int = 3


def test_kind_chooses_among_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("kind: toy\nwidth: 4\n")
    either: Any = FPDMConfig | ToyConfig
    assert load_config(path, either) == ToyConfig(width=4)
    # A union that grows later counts, too.
    monkeypatch.setattr("signgen.config.train.ModelConfig", either)
    path.write_text("model: {kind: toy, width: 4}\nsteps: 9\n")
    config = load_config(path, TrainConfig)
    assert config.model == ToyConfig(width=4)
    path.write_text(to_yaml(config))
    assert "kind: toy" in path.read_text()
    assert load_config(path, TrainConfig) == config
    # Without a word it is the one that the settings start from, and FPDM at first.
    assert from_mapping(TrainConfig, {"model": {"width": 5}}, "x", config).model.width == 5
    assert from_mapping(TrainConfig, {"model": {"size": [64, 48]}}, "x").model.kind == "fpdm"
    assert from_mapping(TrainConfig, {"model": {"kind": "fpdm"}}, "x").model == tiny_fpdm()
    assert from_mapping(TrainConfig, {"model": {"kind": "fpdm"}}, "x", config).model == FPDMConfig()
    assert "kind" not in to_mapping(tiny_fpdm())
    for model, message in (
        ({"kind": "toi"}, "x: model.kind is 'toi'; expected one of fpdm, toy."),
        ({"kind": "toy", "preset": "tiny"}, "x: model.preset is not a setting."),
        ({"kind": "toy", "unet": {}}, "x: model.unet is not a setting."),
    ):
        with pytest.raises(UserError, match=re.escape(message)):
            from_mapping(TrainConfig, {"model": model}, "x")


# ----- base ---------------------------------------------------------------------------------------


def test_base_takes_the_place_of_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "whole.yaml").write_text(
        "model: {preset: full, size: [512, 352]}\nsteps: 9\nstart_from: [a]\n"
    )
    path = tmp_path / "delta.yaml"
    path.write_text("base: whole.yaml\nmodel: {drop_pose: 0}\nstart_from: []\n")
    expected = load_config(tmp_path / "whole.yaml", TrainConfig)
    model = dataclasses.replace(expected.model, drop_pose=0.0)
    expected = dataclasses.replace(expected, model=model, start_from=())
    assert load_config(path, TrainConfig) == expected
    assert expected.steps == 9
    assert expected.model.size == (512, 352)


@pytest.mark.parametrize(
    ("base", "code", "message"),
    [
        ("none.yaml", ExitCode.NO_INPUT, "none.yaml does not exist; expected a configuration"),
        ("../c.yaml", ExitCode.USAGE, "base is '../c.yaml'; expected the name of a file in the"),
        ("/etc/c.yaml", ExitCode.USAGE, "expected the name of a file in the same folder"),
        ("[a.yaml]", ExitCode.USAGE, "expected the name of a file in the same folder"),
        ("''", ExitCode.USAGE, "base is ''; expected the name of a file in the same folder"),
        ("", ExitCode.USAGE, "base is None; expected the name of a file in the same folder"),
        ("based.yaml", ExitCode.USAGE, "base is based.yaml, which has a base itself"),
        ("c.yaml", ExitCode.USAGE, "base is c.yaml, which has a base itself"),
        ("wrong.yaml", ExitCode.USAGE, "wrong.yaml: stepz is not a setting. Did you mean steps?"),
    ],
)
def test_bad_bases(base: str, code: ExitCode, message: str, tmp_path: Path) -> None:
    (tmp_path / "based.yaml").write_text("base: wrong.yaml\n")
    (tmp_path / "wrong.yaml").write_text("stepz: 1\n")
    path = tmp_path / "c.yaml"
    path.write_text(f"base: {base}\n")
    with pytest.raises(UserError) as caught:
        load_config(path, TrainConfig)
    assert caught.value.code == code
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
