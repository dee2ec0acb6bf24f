from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import signgen
from signgen.checkpoints.folders import CARD, verify, write_folder
from signgen.checkpoints.models import (
    MODEL_FILES,
    load_into,
    load_model,
    load_stage1,
    read_weights,
    resolve,
    save_pretrained,
    start_from,
)
from signgen.checkpoints.runs import newest_checkpoint, save_checkpoint
from signgen.config.model import tiny_fpdm, tiny_parsing
from signgen.config.train import TrainConfig
from signgen.config.yaml import to_yaml
from signgen.models import FPDM, build_model
from signgen.models.base import stored_state
from signgen.models.ipf import IPF
from signgen.structures import ExitCode, UserError


@pytest.fixture(scope="module")
def model() -> FPDM:
    torch.manual_seed(0)
    return build_model(tiny_fpdm()).eval()


@pytest.fixture
def folder(model: FPDM, tmp_path: Path) -> Path:
    return save_pretrained(model, tmp_path / "model", card="# card")


def test_model_folder_round_trip_is_exact(model: FPDM, folder: Path) -> None:
    loaded = load_model(str(folder))
    assert not loaded.training
    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=0, atol=0)
    assert loaded.config == model.config
    assert sorted(path.name for path in folder.iterdir()) == sorted([*MODEL_FILES, CARD])


def test_the_card_may_be_edited(folder: Path) -> None:
    assert (folder / CARD).read_text() == "# card"
    (folder / CARD).write_text("# another card")
    load_model(folder)


def test_an_older_model_is_replaced_and_nothing_else(model: FPDM, folder: Path) -> None:
    before = (folder / "model.safetensors").stat().st_size
    signgen.save_pretrained(model, folder, half=True)
    assert (folder / "model.safetensors").stat().st_size < 0.6 * before
    assert not (folder / CARD).exists()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match=r"thesis\.txt") as caught:
        signgen.save_pretrained(model, folder)
    assert caught.value.code == ExitCode.CANNOT_CREATE
    with pytest.raises(UserError, match="is a file"):
        signgen.save_pretrained(model, folder / "thesis.txt")
    with pytest.raises(UserError, match="cannot be written"):
        signgen.save_pretrained(model, folder / "thesis.txt" / "model")
    assert (folder / "thesis.txt").read_text() == "mine"
    load_model(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "config.yaml"])
def test_a_changed_byte_is_found(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[-3] ^= 0x55
    (folder / name).write_bytes(data)
    with pytest.raises(UserError, match="SHA-256") as caught:
        read_weights(folder)
    assert caught.value.code == ExitCode.DATA


def test_missing_file_and_newer_format_are_named(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(UserError, match="format 99"):
        verify(folder)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="missing") as caught:
        load_model(str(folder))
    assert caught.value.code == ExitCode.NO_INPUT


def test_weights_of_other_settings_are_refused(folder: Path) -> None:
    config = tiny_fpdm()
    other = build_model(replace(config, unet=replace(config.unet, block_channels=(16, 16))))
    with pytest.raises(UserError, match="unet"):
        load_into(other, read_weights(folder), folder)


@pytest.mark.parametrize("name", ["no-such-model", "./nowhere", "a/b/c", "", "runs/ipf"])
def test_unknown_model_is_a_user_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        load_model(name)
    assert caught.value.code == ExitCode.NO_INPUT


def test_a_revision_is_for_hub_ids_only(folder: Path) -> None:
    for name in ("mini", str(folder)):
        with pytest.raises(UserError, match="revision is v1") as caught:
            signgen.load_model(name, revision="v1")
        assert caught.value.code == ExitCode.USAGE
    with pytest.raises(UserError, match="one of both"):
        signgen.load_model("owner/name@v1", revision="v2")


def _save_run(run: Path, steps: list[int], keep: int = 2) -> None:
    run.mkdir()
    (run / "config.yaml").write_text(to_yaml(TrainConfig(out=str(run))))
    for step in steps:
        state = {"ipf.x": torch.full((2,), float(step))}
        save_checkpoint(run, step, state, None, {"step": step}, keep)


def test_newest_intact_checkpoint_wins_and_old_ones_go(tmp_path: Path) -> None:
    run = tmp_path / "run"
    _save_run(run, [1, 2, 10])
    assert sorted(p.name for p in (run / "checkpoints").iterdir()) == ["step-000002", "step-000010"]
    newest = newest_checkpoint(run)
    assert newest is not None
    assert newest.name == "step-000010"
    (newest / "model.safetensors").write_bytes(b"torn")
    assert newest_checkpoint(run) == run / "checkpoints" / "step-000002"
    (run / "checkpoints" / "step-000002" / "manifest.json").unlink()
    with pytest.raises(UserError):
        newest_checkpoint(run)


def test_a_failed_write_leaves_nothing_and_keeps_the_old(tmp_path: Path) -> None:
    run = tmp_path / "run"
    _save_run(run, [1])
    with pytest.raises(AttributeError):
        save_checkpoint(run, 2, {"x": "not a tensor"}, None, {}, 2)  # type: ignore[dict-item]
    assert [p.name for p in (run / "checkpoints").iterdir()] == ["step-000001"]


def test_stage_1_is_loaded_from_whole_models_and_alone(
    model: FPDM, folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text(to_yaml(TrainConfig(stage="ipf")))
    save_checkpoint(run, 1, stored_state(model.ipf), None, {}, 1)
    for name in (folder, run, run / "checkpoints" / "step-000001"):
        ipf, config = load_stage1(str(name))
        assert config == tiny_fpdm()
        assert not ipf.training
        for key, value in model.ipf.state_dict().items():
            torch.testing.assert_close(ipf.state_dict()[key], value, rtol=0, atol=0)


def test_a_model_without_a_whole_stage_1_is_refused(model: FPDM, tmp_path: Path) -> None:
    state = stored_state(model.ipf)
    del state["ipf.combiner.hidden.bias"]
    settings = {"config.yaml": to_yaml(tiny_fpdm())}
    write_folder(tmp_path / "part", {"model.safetensors": state}, settings)
    with pytest.raises(UserError, match=r"lacks 1 weights of stage 1, such as ipf\.combiner"):
        load_stage1(str(tmp_path / "part"))
    write_folder(tmp_path / "none", {"model.safetensors": {"x": torch.zeros(1)}}, settings)
    with pytest.raises(UserError, match="holds no stage 1"):
        load_stage1(str(tmp_path / "none"))


@pytest.mark.parametrize("changes", [{"pretrained": "clip"}, {"loss": "none"}])
def test_a_training_file_is_a_model_only_where_nothing_is_trained(
    changes: dict[str, str], tmp_path: Path
) -> None:
    ipf = replace(tiny_fpdm().ipf, **changes)
    file = tmp_path / "run.yaml"
    file.write_text(to_yaml(TrainConfig(stage="ipf", model=replace(tiny_fpdm(), ipf=ipf))))
    with pytest.raises(UserError, match="holds no weights") as caught:
        load_stage1(str(file))
    assert "\n" not in str(caught.value)


def test_part_of_a_model_is_not_a_model(tmp_path: Path) -> None:
    _save_run(tmp_path / "run", [1])
    with pytest.raises(UserError, match="part of a model"):
        load_model(str(tmp_path / "run"))


def test_a_model_that_would_stay_random_in_part_is_refused(model: FPDM, tmp_path: Path) -> None:
    state = stored_state(model)
    fused = {name: value for name, value in state.items() if not name.startswith("fusion_mlp.")}
    settings = {"config.yaml": to_yaml(tiny_fpdm())}
    write_folder(tmp_path / "part", {"model.safetensors": fused}, settings)
    with pytest.raises(UserError, match=r"lacks 4 weights of this model, such as fusion_mlp\."):
        load_model(str(tmp_path / "part"))


def test_a_run_of_another_number_of_u_nets_is_no_start(tmp_path: Path) -> None:
    pair = tiny_parsing()
    tied = replace(pair, reference=replace(pair.reference, tied=True))
    one = str(save_pretrained(build_model(tied), tmp_path / "tied"))
    with pytest.raises(UserError, match=r"holds one U-Net for .*\(tied\); .* a U-Net each"):
        start_from((one,), pair, "fpdm")
    # What is no denoiser may come from there
    assert start_from((one,), pair, "vae")[0].autoencoder == pair.autoencoder
    assert start_from((one,), tied, "fpdm")[0] == tied


def test_another_tower_takes_the_whole_place_of_that_of_a_model(
    folder: Path, tmp_path: Path
) -> None:
    wanted = replace(tiny_fpdm().ipf, kind="convolutional")
    tower = IPF(wanted)
    write_folder(
        tmp_path / "tower",
        {"model.safetensors": {f"ipf.{name}": x for name, x in tower.state_dict().items()}},
        {"config.yaml": to_yaml(replace(tiny_fpdm(), ipf=wanted))},
    )
    config, state = start_from((str(folder), str(tmp_path / "tower")), tiny_fpdm(), "fpdm")
    assert config.ipf == wanted
    assert state.keys() == stored_state(build_model(config)).keys()  # nothing of CLIP's is left


def test_both_u_nets_of_the_pair_start_from_that_of_fpdm(folder: Path) -> None:
    config, state = start_from((str(folder),), tiny_parsing(), "fpdm")
    own = build_model(config).state_dict()
    unet = {name for name in read_weights(folder) if name.startswith("unet.")}
    assert unet <= own.keys()
    for name in unet:
        both = f"source_net.{name.removeprefix('unet.')}"
        assert own[both].shape == state[both].shape
        assert torch.equal(state[both], state[name])


def test_weights_can_be_read_by_whom_the_settings_can(folder: Path) -> None:
    modes = {file.name: file.stat().st_mode for file in folder.iterdir()}
    assert modes["model.safetensors"] == modes["config.yaml"]


@pytest.mark.parametrize("tuned", [False, True])
def test_a_pretrained_autoencoder_is_stored_only_if_its_decoder_was_trained(
    model: FPDM, tuned: bool
) -> None:
    section = replace(tiny_fpdm().autoencoder, pretrained="owner/name", decoder_trained=tuned)
    changed = copy.copy(model)
    changed.config = replace(tiny_fpdm(), autoencoder=section)
    parts = {name.split(".")[0] for name in stored_state(changed)}
    assert ("autoencoder" in parts) == tuned
    assert "unet" in parts


def test_bundled_model_loads_and_is_small() -> None:
    folder, _, config = resolve("mini")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert size <= 48_000_000
    loaded = load_model("mini")
    assert loaded.config == config
    assert all(bool(torch.isfinite(p).all()) for p in loaded.parameters())


def test_checkpoints_are_ordered_by_number(tmp_path: Path) -> None:
    for step in (999_500, 1_000_000, 1_000_500):
        save_checkpoint(tmp_path, step, {"x": torch.ones(1)}, None, {}, keep=2)
    names = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert names == {"step-1000000", "step-1000500"}
    newest = newest_checkpoint(tmp_path)
    assert newest is not None
    assert newest.name == "step-1000500"


def test_weights_that_are_not_finite_push_no_checkpoint_out(tmp_path: Path) -> None:
    good = save_checkpoint(tmp_path, 1, {"x": torch.ones(1)}, None, {}, keep=1)
    bad = {"x": torch.tensor([float("nan")])}
    for weights, ema in ((bad, None), ({"x": torch.ones(1)}, bad)):
        with pytest.raises(UserError, match="weight x is not finite"):
            save_checkpoint(tmp_path, 2, weights, ema, {}, keep=1)
    assert newest_checkpoint(tmp_path) == good
    # A folder that was written before they were checked
    write_folder(tmp_path / "old", {"model.safetensors": bad}, {})
    with pytest.raises(UserError, match="weight x is not finite"):
        read_weights(tmp_path / "old")


def test_damaged_newest_checkpoint_is_named_and_pushes_none_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = save_checkpoint(tmp_path, 2, {"x": torch.ones(1)}, None, {}, keep=2)
    damaged = save_checkpoint(tmp_path, 9, {"x": torch.ones(1)}, None, {}, keep=2)
    (damaged / "model.safetensors").write_bytes(b"torn")
    assert newest_checkpoint(tmp_path) == good
    assert "step-000009/model.safetensors is corrupt" in caplog.text
    save_checkpoint(tmp_path, 3, {"x": torch.ones(1)}, None, {}, keep=1)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-000003"]
