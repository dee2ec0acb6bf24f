"""Configurations of parts become ours, and what ours cannot say is an error."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from signgen.config.model import full_fpdm, tiny_fpdm
from signgen.errors import ExitCode, UserError
from signgen.exchange.fpdm.submodels import check_parts, read_parts, settings_of
from signgen.models import build_model
from tests.material.published_checkpoints import GOLDENS, submodels, tiny_config

PATH = Path("parts.json")
TINY = tiny_config()
PARTS = submodels(TINY)


@pytest.fixture(scope="module")
def model():
    with torch.device("meta"):
        return build_model(TINY)


def test_parts_of_a_model_give_its_settings_back(model):
    source = replace(tiny_fpdm().source_encoder, position_interpolation="scale", trained=False)
    start = replace(full_fpdm(None, None, None), source_encoder=source)
    made = settings_of(PARTS, start, PATH)
    assert made.unet == replace(TINY.unet, attention=(True, True))
    assert made.autoencoder == TINY.autoencoder
    assert made.scheduler == replace(TINY.scheduler, set_alpha_to_one=False)
    assert replace(made.ipf, combiner_dropout=0.5) == TINY.ipf
    assert made.source_encoder == replace(TINY.source_encoder, projection_dropout=0.0)
    # Notes of the libraries do not matter.
    noted = {name: part | {"_name_or_path": "x"} for name, part in PARTS.items()}
    noted["clip_vision"] |= {"max_length": 3}
    assert settings_of(noted, start, PATH) == made
    check_parts(noted, model, PATH)


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("clip_vision", "hidden_act", "gelu"),
        ("clip_vision", "layer_norm_eps", 1e-6),
        ("clip_vision", "intermediate_size", 65),
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


def test_what_a_part_leaves_out_is_the_librarys_default(model):
    part = {key: value for key, value in PARTS["unet_fork"].items() if key != "norm_num_groups"}
    with pytest.raises(UserError, match=r"unet_fork\.norm_num_groups is 32; only 8 "):
        check_parts({"unet_fork": part}, model, PATH)


def test_values_of_another_type_are_named():
    for part, key, value in (
        ("clip_vision", "hidden_size", "64"),
        ("dinov2", "num_attention_heads", True),
        ("vae", "block_out_channels", 8),
        ("vae", "scaling_factor", None),
        ("unet_fork", "block_out_channels", []),
        ("unet_fork", "attention_head_dim", None),
        ("unet_fork", "upcast_attention", 1),
        ("scheduler", "prediction_type", "score"),
        ("scheduler", "timestep_spacing", []),
    ):
        with pytest.raises(UserError, match=rf"^parts\.json: {part}") as caught:
            settings_of({part: PARTS[part] | {key: value}}, TINY, PATH)
        assert caught.value.code == ExitCode.DATA


def test_other_files_are_refused(tmp_path):
    for text, message in (
        ("", "expected a JSON object"),
        ("[]", "is not a JSON object"),
        ('{"vae": 1}', "is not a JSON object"),
        ('{"vea": {}}', r"'vea' is not a part\. Did you mean vae"),
    ):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(UserError, match=message):
            read_parts(tmp_path / "a.json")


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
