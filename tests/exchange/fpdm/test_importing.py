"""Published checkpoints become model folders: by name, by number, whole or not at all."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from signgen.checkpoints.finding import resolve
from signgen.checkpoints.models import load_model, start_from
from signgen.cli.main import main
from signgen.config.exchange import ImportFPDMConfig
from signgen.config.model import FPDMConfig
from signgen.config.yaml import load_config
from signgen.errors import ExitCode, UserError
from signgen.exchange.fpdm.importing import import_fpdm
from signgen.media import read_frames
from signgen.pose.formats import write_poses
from signgen.structures import PoseSequence
from tests.material.published_checkpoints import (
    GOLDENS,
    golden_checkpoint,
    golden_rule,
    published_state,
    save_stage1,
    save_stage2,
    save_submodels,
    submodels,
    tiny_config,
)

TINY = tiny_config()
STATE = published_state(TINY)
PARTS = submodels(TINY)
needs_goldens = pytest.mark.skipif(
    not (GOLDENS / "stage2_checkpoint.json").is_file(), reason="golden numbers are not here"
)


@pytest.fixture
def config(tmp_path):
    """The command's settings for the tiny checkpoint of stage 2."""
    return ImportFPDMConfig(
        stage2=str(save_stage2(tmp_path, STATE)),
        out=str(tmp_path / "model"),
        submodels=str(save_submodels(tmp_path, PARTS)),
    )


def refused(config: ImportFPDMConfig, code: ExitCode = ExitCode.DATA) -> str:
    before = sorted(Path(config.out).parent.rglob("*")) if config.out else []
    with pytest.raises(UserError) as caught:
        import_fpdm(config)
    assert caught.value.code == code, caught.value
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 500
    if config.out:
        assert sorted(Path(config.out).parent.rglob("*")) == before  # nothing half-written
    return text


# ----- a whole model ------------------------------------------------------------------------------


def test_a_whole_model_gets_the_published_weights_and_settings(config):
    result = import_fpdm(config)
    model = load_model(config.out)
    own = model.state_dict()
    assert result.tensors == len(own)
    rows = {row.keys: row for row in result.tables[config.stage2]}
    assert rows["unet.class_embedding."].becomes == "fusion_mlp."
    assert rows["sd_model.unet."].becomes == "dropped, equals unet."
    assert sum(row.tensors for row in rows.values()) == len(STATE)
    # By hand, one of each part.
    old = "src_image_encoder.encoder.layer.0.attention"
    fusion = "fusion_model.combiner"
    for name, key in {
        "autoencoder.encoder.conv_in.weight": "vae.encoder.conv_in.weight",
        "unet.conv_in.weight": "unet.conv_in.weight",
        "fusion_mlp.net.3.weight": "unet.class_embedding.net.3.weight",
        "pose_encoder.conv_out.bias": "sd_model.pose_t_proj.conv_out.bias",
        "source_projection.net.4.bias": "sd_model.srcimage_proj_model.net.4.bias",
        "source_encoder.encoder.layer.0.attention.k_proj.bias": f"{old}.attention.key.bias",
        "source_encoder.encoder.layer.0.attention.o_proj.weight": f"{old}.output.dense.weight",
        "ipf.combiner.gate.3.weight": f"{fusion}.dynamic_scalar.3.weight",
        "ipf.combiner.source_projection.weight": f"{fusion}.image_projection_layer.weight",
        "ipf.image_encoder.visual_projection.weight": (
            "fusion_model.img_encoder.visual_projection.weight"
        ),
    }.items():
        assert torch.equal(own[name], STATE[key]), name
    settings = model.config
    assert (settings.size, settings.source_size) == ((64, 48), (512, 512))
    assert settings.pose_channels == TINY.pose_channels
    assert settings.source_encoder == TINY.source_encoder
    assert settings.unet == replace(TINY.unet, attention=(True, True))
    assert settings.scheduler.spacing == TINY.scheduler.spacing
    assert settings.scheduler.set_alpha_to_one is False
    assert (settings.skeleton, settings.pose_style) == ("openpose-18", "fpdm")
    assert (settings.pose_canvas, settings.pose_canvas_render) == ((550, 375), (1101, 750))
    assert settings.drop_per_batch
    assert settings.drop_pose_in_evaluation
    assert settings.stage2_combiner_dropout
    assert settings.ipf.preprocessing == "official"
    assert (settings.resize, settings.sampling.guidance) == ("bicubic", (2.0, 2.0))


def test_the_command_prints_the_table_and_the_model_renders(config, tmp_path, capsys):
    words = ["--stage2", config.stage2, "--out", config.out, "--submodels", str(config.submodels)]
    assert main(["import-fpdm", *words, "--skeleton", "coco-wholebody-133"]) == ExitCode.OK
    printed = capsys.readouterr().out
    assert "sd_model.pose_t_proj.   " in printed
    assert "B5 or B6: DINOv2 tokens of sources at 28" in printed
    Image.fromarray(np.full((64, 48, 3), 90, np.uint8)).save(tmp_path / "source.png")
    points = np.random.default_rng(0).uniform(5, 40, (2, 133, 2)).astype(np.float32)
    poses = PoseSequence(points, np.ones((2, 133), np.float32), "coco-wholebody-133", (64, 48), 5.0)
    write_poses(poses, tmp_path / "poses.json")
    words = ["--source", tmp_path / "source.png", "--poses", tmp_path / "poses.json"]
    words += ["--model", config.out, "--steps", "1", "--device", "cpu", "--out", tmp_path / "a.mp4"]
    assert main(["render", *map(str, words)]) == ExitCode.OK, capsys.readouterr().err
    assert len(list(read_frames(tmp_path / "a.mp4"))) == 2
    words = [config.out, "--license", "mit", "--data", "deepfashion"]
    for out in (tmp_path / "hub", tmp_path / "again"):
        assert main(["export", *words, "--to-hub-folder", str(out)]) == ExitCode.OK
        card = (out / "README.md").read_text()
        assert "trained with dhlee-work/FPDM and imported into signgen" in " ".join(card.split())
        assert "CreativeML Open RAIL++-M" in card
        words = [str(out)]


def test_half_is_half_and_close(config):
    import_fpdm(replace(config, half=True))
    size = (Path(config.out) / "model.safetensors").stat().st_size
    own = load_model(config.out).state_dict()
    assert size == pytest.approx(2 * sum(v.numel() for v in own.values()), rel=0.1)
    assert torch.equal(own["unet.conv_in.weight"], STATE["unet.conv_in.weight"].half().float())


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float64])
def test_numbers_of_other_types_become_32_bits(kind, config, tmp_path, capsys):
    save_stage2(tmp_path, {key: value.to(kind) for key, value in STATE.items()})
    words = ["--stage2", config.stage2, "--out", config.out, "--submodels", str(config.submodels)]
    assert main(["import-fpdm", *words, "--json"]) == ExitCode.OK
    own = load_model(config.out).state_dict()
    assert torch.equal(own["unet.conv_in.weight"], STATE["unet.conv_in.weight"].to(kind).float())
    made = json.loads(capsys.readouterr().out)
    assert made["folder"] == config.out
    assert made["tables"][config.stage2][0]["keys"] == "vae."
    assert made["verdict"].startswith("B5 or B6")


def test_a_model_folder_is_replaced_and_others_are_not(config, tmp_path):
    import_fpdm(config)
    first = (Path(config.out) / "manifest.json").read_text()
    import_fpdm(replace(config, half=True))
    assert (Path(config.out) / "manifest.json").read_text() != first
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    inside = Path(config.out) / "stage2.ckpt"
    inside.write_bytes(Path(config.stage2).read_bytes())
    for changes, code, message in (
        ({"out": str(tmp_path / "mine")}, ExitCode.CANNOT_CREATE, "is not a model folder"),
        ({"out": config.stage2}, ExitCode.CANNOT_CREATE, "not replaced"),
        ({"stage2": str(inside)}, ExitCode.CANNOT_CREATE, "which would be replaced"),
        ({"stage2": ""}, ExitCode.USAGE, "--stage1 and --stage2 are missing"),
        ({"out": ""}, ExitCode.USAGE, "--out is missing"),
        ({"skeleton": "openpose-17"}, ExitCode.USAGE, "--skeleton"),
        ({"size": (60, 48)}, ExitCode.USAGE, "multiples of 8"),
        ({"stage2": "none.ckpt"}, ExitCode.NO_INPUT, "does not exist"),
    ):
        assert message in refused(replace(config, **changes), code)


# ----- keys that are wrong ------------------------------------------------------------------------


def changed(tmp_path: Path, more: dict[str, torch.Tensor], without: str = "-") -> None:
    """Save stage 2 with more keys, or others, and without those that begin with a text."""
    state = {key: value for key, value in STATE.items() if not key.startswith(without)}
    save_stage2(tmp_path, state | more)


def test_unknown_missing_and_misshapen_keys_are_named(config, tmp_path):
    query = "src_image_encoder.encoder.layer.0.attention.attention.query.bias"
    hidden = "fusion_model.combiner.combiner_layer.bias"
    pose = "fusion_model.pose_encoder.visual_projection.weight"
    twin = "fusion_model.img_encoder.visual_projection.weight"
    for more, without, message in (
        ({"unet.extra.weight": torch.ones(2)}, "-", "unet.extra.weight is not known"),
        ({"loss.weight": torch.ones(2)}, "-", "loss.weight is not known"),
        ({}, query, f"{query} is missing (1 such)"),
        ({hidden: torch.ones(17)}, "-", f"{hidden} has shape [17]; its settings expect [16]"),
        ({pose: STATE[pose] + 1e-7}, "-", f"{pose} differs from {twin}"),
        ({pose: STATE[pose][:1]}, "-", f"{pose} has shape"),
    ):
        changed(tmp_path, more, without)
        assert message in refused(config)
    assert "--submodels" in refused(replace(config, submodels=None))


def test_the_unet_that_is_called_wins_and_one_copy_is_enough(config, tmp_path):
    key = "unet.conv_in.weight"
    changed(tmp_path, {key: STATE[key] + 1})
    result = import_fpdm(config)
    assert torch.equal(load_model(config.out).state_dict()[key], STATE[key])
    assert "1 tensors of sd_model.unet. differ" in result.notes[0]
    assert any(row.becomes == "taken, differs from unet." for row in result.tables[config.stage2])
    changed(tmp_path, {}, without="unet.")
    assert not import_fpdm(config).notes
    assert torch.equal(load_model(config.out).state_dict()[key], STATE[key])


def test_both_spellings_of_dinov2_are_read(config, tmp_path):
    spellings = {f"attention.attention.{w}": f"attention.{w[0]}_proj" for w in ("query", "key")}
    spellings |= {"attention.attention.value": "attention.v_proj"}
    spellings |= {"attention.output.dense": "attention.o_proj"}
    state = {}
    for key, value in STATE.items():
        name = key
        for old, new in spellings.items() if key.startswith("src_image") else ():
            name = name.replace(old, new)
        state[name] = value
    save_stage2(tmp_path, state)
    import_fpdm(config)
    # Both at once are one weight twice.
    save_stage2(tmp_path, STATE | state)
    assert "are the same weight" in refused(config)


def test_unusable_numbers_are_named(config, tmp_path):
    key = "sd_model.pose_t_proj.conv_in.bias"
    for value in (torch.nan, torch.inf):
        changed(tmp_path, {key: torch.full_like(STATE[key], value)})
        assert f"{key} holds NaN or infinity" in refused(config)
    changed(tmp_path, {key: torch.full_like(STATE[key], 70_000.0)})
    assert "--half" in refused(replace(config, half=True))


def test_a_damaged_file_is_named(config):
    path = Path(config.stage2)
    data = path.read_bytes()
    numbers = STATE["vae.encoder.conv_in.weight"].numpy().tobytes()
    assert data.count(numbers) == 1
    path.write_bytes(data.replace(numbers, bytes(len(numbers))))
    assert "vae.encoder.conv_in.weight has a member" in refused(config)
    path.write_bytes(data[:-100])
    assert "truncated or broken zip archive" in refused(config)


# ----- stage 1, and both --------------------------------------------------------------------------


def test_stage_1_alone_starts_a_training(config, tmp_path):
    path = save_stage1(tmp_path, STATE)
    result = import_fpdm(replace(config, stage2="", stage1=str(path)))
    assert result.verdict == "A3: stage 1 with the source-enhanced loss"
    assert "`stage1.ckpt`: epoch 3, step 7, " in (Path(config.out) / "README.md").read_text()
    folder, _, settings = resolve(config.out)
    assert folder == Path(config.out)
    adopted, state = start_from((config.out,), replace(TINY, drop_pose=0.5), "fpdm")
    assert {key.split(".")[0] for key in state} == {"ipf"}
    assert adopted.ipf == settings.ipf
    assert adopted.drop_pose == 0.5
    key = "combiner.kpt_projection_layer.weight"
    assert torch.equal(state["ipf.combiner.pose_projection.weight"], STATE[f"fusion_model.{key}"])
    with pytest.raises(UserError, match="only part of a model"):
        load_model(config.out)
    save_stage1(tmp_path, STATE, conbiner_self_learning=False)
    result = import_fpdm(replace(config, stage2="", stage1=str(path)))
    assert result.verdict.startswith("A2: ")
    assert load_config(Path(config.out) / "config.yaml", FPDMConfig).ipf.loss == "baseline"


def test_files_given_to_the_wrong_flag_are_named(config, tmp_path):
    text = refused(replace(config, stage2="", stage1=config.stage2))
    assert text.endswith(
        "is a checkpoint of stage 2; expected one of stage 1. Give it as --stage2."
    )
    text = refused(replace(config, stage2=str(save_stage1(tmp_path, STATE))))
    assert text.endswith(
        "is a checkpoint of stage 1; expected one of stage 2. Give it as --stage1."
    )
    torch.save({"layer.weight": torch.ones(2)}, tmp_path / "stage2.ckpt")
    assert "has no key of FPDM's stage 2 (the first is 'layer.weight')" in refused(config)


def test_plain_files_of_torch_have_the_published_settings(config, tmp_path):
    torch.save({"state_dict": STATE}, tmp_path / "stage2.ckpt")
    result = import_fpdm(replace(config, half=True))
    assert result.verdict.startswith("B5 or B6: DINOv2 tokens of sources at an unknown size")
    settings = load_config(Path(config.out) / "config.yaml", FPDMConfig)
    assert (settings.size, settings.source_encoder.image_size) == ((512, 352), 512)
    card = (Path(config.out) / "README.md").read_text()
    assert f"- `stage2.ckpt`: {len(STATE)} tensors\n" in card


def test_both_files_say_which_ablation_it_is(config, tmp_path):
    config = replace(config, stage1=str(save_stage1(tmp_path, STATE)))
    result = import_fpdm(config)
    assert result.verdict.startswith("B6: ")
    assert not result.notes
    save_stage1(tmp_path, STATE, conbiner_self_learning=False)
    assert import_fpdm(config).verdict.startswith("B5: ")
    # Another stage 1 than the one inside: that one stays, and what the other says is not believed.
    save_stage1(tmp_path, {key: value + 1 for key, value in STATE.items()})
    result = import_fpdm(config)
    assert result.verdict.startswith("B5 or B6")
    assert "tensors of stage 1 (img_encoder." in result.notes[0]
    key = "ipf.combiner.output.bias"
    expected = STATE["fusion_model.combiner.output_layer.bias"]
    assert torch.equal(load_model(config.out).state_dict()[key], expected)


def test_a_stage_2_without_its_copy_takes_stage_1_from_its_file(config, tmp_path):
    changed(tmp_path, {}, without="fusion_model.")
    assert "fusion_model.img_encoder." in refused(config)
    result = import_fpdm(replace(config, stage1=str(save_stage1(tmp_path, STATE))))
    assert len(result.tables) == 2
    assert len(load_model(config.out).state_dict()) == result.tensors


# ----- ablations ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "name"), [(224, "B2"), (28, "B2 or B3")])
def test_without_fusion(side, name, config, tmp_path):
    own = tiny_config(fusion="none")
    state = published_state(own)
    # The published program keeps stage 1 in the file even where it does not use it.
    state |= {key: value for key, value in STATE.items() if key.startswith("fusion_model.")}
    save_stage2(tmp_path, state, src_encoder_size=[side, side])
    save_submodels(tmp_path, submodels(own))
    result = import_fpdm(config)
    assert result.verdict.startswith(f"{name}: DINOv2 tokens of sources at {side}, no fusion")
    model = load_model(config.out)
    assert model.ipf is None
    assert model.config.source_encoder.image_size == side
    assert any("has no fusion" in row.becomes for row in result.tables[config.stage2])


def test_source_tokens_of_clip(config, tmp_path):
    own = replace(
        TINY,
        fusion="none",
        source_encoder=replace(
            TINY.source_encoder, kind="clip", table_size=0, position_interpolation="size"
        ),
    )
    state = published_state(own)
    state["src_image_encoder.vision_model.embeddings.position_ids"] = torch.arange(5)
    state["src_image_encoder.visual_projection.weight"] = torch.ones(4, 16)
    save_stage2(tmp_path, state)
    save_submodels(tmp_path, submodels(own))
    result = import_fpdm(config)
    assert result.verdict.startswith("B1: CLIP tokens")
    assert load_model(config.out).config.source_encoder.kind == "clip"


# ----- golden numbers of the published program ----------------------------------------------------


@needs_goldens
def test_golden_checkpoints_compute_as_the_published_program(tmp_path, capsys):
    words = ["--submodels", GOLDENS / "stage2_submodel_configs.json", "--out", tmp_path / "model"]
    for stage in (1, 2):
        words += [f"--stage{stage}", golden_checkpoint(tmp_path, stage)]
    assert main(["import-fpdm", *map(str, words)]) == ExitCode.OK
    printed = capsys.readouterr().out
    assert "B6: DINOv2 tokens of sources at 126" in printed
    listed = json.loads((GOLDENS / "stage2_checkpoint.json").read_text())
    assert f"sd_model.unet.                           {212}" in printed
    assert listed["entries_by_prefix"]["sd_model.unet"] == 212
    rule, golden = golden_rule(), np.load(GOLDENS / "stage1.npz", allow_pickle=False)
    model = load_model(str(tmp_path / "model"))
    assert (model.config.size, model.config.source_encoder.image_size) == ((128, 96), 126)
    # Without DINOv2's mask token, which only its own pretraining uses.
    values = sum(value.numel() for value in model.state_dict().values())
    assert values == listed["unique_parameters"] - 64
    with torch.no_grad():
        source, pose = (
            model.ipf.embed_pixels(
                torch.from_numpy(rule.tiled(f"input.stage1.{name}", 4, 224, 224, 32))
            )
            for name in ("source", "pose")
        )
        fused = model.ipf.fuse(source, pose)
    assert np.abs(source.numpy() - golden["source_embeds"]).max() < 5e-5
    assert np.abs(pose.numpy() - golden["pose_embeds"]).max() < 5e-5
    assert np.abs(fused.numpy() - golden["fused"]).max() < 1e-6
    for name, key in (
        ("unet.conv_in.weight", "unet.conv_in.weight"),
        ("source_projection.net.3.weight", "sd_model.srcimage_proj_model.net.3.weight"),
        ("pose_encoder.blocks.5.weight", "sd_model.pose_t_proj.blocks.5.weight"),
        ("source_encoder.layernorm.bias", "src_image_encoder.layernorm.bias"),
        ("autoencoder.decoder.conv_out.bias", "vae.decoder.conv_out.bias"),
    ):
        value = model.state_dict()[name]
        assert np.array_equal(value.numpy(), rule.weight(key, value.shape)), name
