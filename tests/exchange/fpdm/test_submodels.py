"""Configurations of parts become ours, and what ours cannot say is an error."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from signgen.config.model import full_fpdm, tiny_fpdm
from signgen.errors import ExitCode, UserError
from signgen.exchange.fpdm.submodels import read_parts, settings_of
from signgen.exchange.fpdm.submodels_check import check_parts
from signgen.models import build_model
from tests.material.published_checkpoints import GOLDENS, submodels, tiny_config

PATH = Path("parts.json")
TINY = tiny_config()
PARTS = submodels(TINY)


@pytest.fixture(scope="module")
def model():
    with torch.device("meta"):
        return build_model(TINY)


def test_parts_of_a_model_give_its_settings_back():
    source = replace(tiny_fpdm().source_encoder, position_interpolation="scale", trained=False)
    start = replace(full_fpdm(None, None, None), source_encoder=source)
    made = settings_of(PARTS, start, PATH)
    assert made.unet == replace(TINY.unet, attention=(True, True))
    assert made.autoencoder == TINY.autoencoder
    assert made.scheduler == replace(TINY.scheduler, set_alpha_to_one=False)
    assert replace(made.ipf, combiner_dropout=0.5) == TINY.ipf
    assert made.source_encoder == replace(TINY.source_encoder, projection_dropout=0.0)


def test_the_parts_of_a_model_are_accepted(model):
    check_parts(PARTS, model, PATH)
    # Notes of the libraries do not matter, and neither does what they call a default.
    noted = {name: part | {"_name_or_path": "x", "max_length": 3} for name, part in PARTS.items()}
    check_parts({"clip_vision": noted["clip_vision"]}, model, PATH)


def test_what_a_part_leaves_out_is_the_librarys_default(model):
    part = {key: value for key, value in PARTS["unet_fork"].items() if key != "norm_num_groups"}
    with pytest.raises(UserError, match=r"unet_fork\.norm_num_groups is 32; only 8 "):
        check_parts({"unet_fork": part}, model, PATH)


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("clip_vision", "hidden_act", "gelu"),
        ("clip_vision", "layer_norm_eps", 1e-6),
        ("clip_vision", "pruned_heads", {"0": [1]}),
        ("clip_vision", "query_norm", True),
        ("dinov2", "use_swiglu_ffn", True),
        ("dinov2", "qkv_bias", False),
        ("vae", "act_fn", "mish"),
        ("vae", "latents_mean", [0.1]),
        ("unet_fork", "class_embed_type", None),
        ("unet_fork", "projection_class_embeddings_input_dim", 17),
        ("unet_fork", "conv_in_kernel", 5),
        ("unet_fork", "use_linear_projection", False),
        ("unet_fork", "attention_head_dim", [2, 8]),
        ("unet_fork", "down_block_types", ["CrossAttnDownBlock2D", "AttnDownBlock2D"]),
        ("unet_fork", "transformer_layers_per_block", 2),
        ("unet_fork", "new_switch", 1),
        ("scheduler", "beta_schedule", "linear"),
        ("scheduler", "clip_sample", True),
        ("scheduler", "variance_type", "learned"),
    ],
)
def test_what_our_settings_cannot_say_is_named(part, key, value, model):
    with pytest.raises(UserError) as caught:
        check_parts({part: PARTS[part] | {key: value}}, model, PATH)
    assert f"parts.json: {part}.{key} is {json.dumps(value)}" in str(caught.value)


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("clip_vision", "hidden_size", "64"),
        ("clip_vision", "intermediate_size", 65),
        ("dinov2", "num_hidden_layers", 0),
        ("dinov2", "num_attention_heads", True),
        ("vae", "block_out_channels", []),
        ("vae", "block_out_channels", [8, -8]),
        ("vae", "scaling_factor", None),
        ("unet_fork", "attention_head_dim", [3, 3]),
        ("unet_fork", "attention_head_dim", None),
        ("unet_fork", "upcast_attention", 1),
        ("scheduler", "prediction_type", "sample"),
        ("scheduler", "timestep_spacing", []),
    ],
)
def test_values_of_another_type_are_named(part, key, value):
    with pytest.raises(UserError, match=rf"^parts\.json: {part}\.{key} is .*; expected "):
        settings_of({part: PARTS[part] | {key: value}}, TINY, PATH)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a JSON object"),
        ("[]", "is not a JSON object"),
        ('{"vae": 1}', "is not a JSON object"),
        ('{"vea": {}}', r"'vea' is not a part\. Did you mean vae"),
        ("{" * 100_000, "expected a JSON object"),
        (" " * 2**21, "expected a JSON object"),
    ],
)
def test_other_files_are_refused(text, message, tmp_path):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match=message):
        read_parts(tmp_path / "a.json")
    with pytest.raises(UserError, match="does not exist") as caught:
        read_parts(tmp_path / "b.json")
    assert caught.value.code == ExitCode.NO_INPUT


@pytest.mark.skipif(
    not (GOLDENS / "stage2_submodel_configs.json").is_file(), reason="golden numbers are not here"
)
def test_golden_parts():
    parts = read_parts(GOLDENS / "stage2_submodel_configs.json")
    made = settings_of(parts, full_fpdm(None, None, None), PATH)
    with torch.device("meta"):
        check_parts(parts, build_model(made), PATH)
    assert made.unet.attention == (True, False)
    assert made.unet.head_width == 64
    assert made.unet.upcast_attention
    assert made.source_encoder.table_size == 518
    assert (made.ipf.mlp_ratio, made.source_encoder.mlp_ratio) == (2, 4)
    assert made.scheduler.prediction_type == "v_prediction"
