import json
from dataclasses import replace

import pytest
import torch
from diffusers import DDPMScheduler
from safetensors.torch import load_file
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Dinov2Config,
    Dinov2Model,
)

from signgen.config import AutoencoderConfig, SchedulerConfig, UNetConfig, full_fpdm, tiny_fpdm
from signgen.models import build_model
from signgen.models.autoencoder import build_autoencoder
from signgen.models.backbone import build_unet
from signgen.structures import ExitCode, UserError


@pytest.fixture
def folders(tmp_path):
    """Save small models in the layouts of Stable Diffusion 2.1, CLIP and DINOv2."""
    base, clip, dino = (tmp_path / name for name in ("base", "clip", "dino"))
    tiny = tiny_fpdm()
    build_autoencoder(replace(tiny.autoencoder, scaling_factor=0.18215)).save_pretrained(
        base / "vae"
    )
    unet = build_unet(replace(tiny.unet, block_channels=(16, 32, 32, 32)))
    unet.save_pretrained(base / "unet")
    # Stable Diffusion's U-Net knows no class embedding.
    settings = json.loads((base / "unet" / "config.json").read_text())
    settings["class_embed_type"] = None
    (base / "unet" / "config.json").write_text(json.dumps(settings))
    DDPMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        steps_offset=1,
        clip_sample=False,
    ).save_pretrained(base / "scheduler")
    CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=16,
            intermediate_size=32,
            projection_dim=24,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=32,
            patch_size=16,
        )
    ).save_pretrained(clip)
    Dinov2Model(
        Dinov2Config(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=70, patch_size=14
        )
    ).save_pretrained(dino)
    return base, clip, dino


def test_the_full_model_is_built_from_folders(folders, batch):
    base, clip, dino = folders
    config = replace(full_fpdm(str(base), str(clip), str(dino)), size=(64, 48))
    model = build_model(config).eval()
    saved = load_file(base / "unet" / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(model.unet.state_dict()[name], value) for name, value in saved.items())
    assert model.ipf.width == 24
    assert model.latents.scaling == 0.18215
    assert model.schedule.timesteps(20)[0] == 951
    assert not model.source_encoder.embeddings.mask_token.requires_grad
    with torch.no_grad():
        source = model.encode_source(batch.source)
        # 512 pixels in patches of 14: 36 x 36 tokens and the class token.
        assert source.tokens.shape == (2, 1297, 16)
        made = model.denoise(
            torch.randn(2, 4, 8, 6), torch.tensor([1, 2]), model.condition(source, batch.pose)
        )
    assert torch.isfinite(made).all()


def test_parts_are_accepted_without_their_parent_folder(folders):
    base, *_ = folders
    whole = build_autoencoder(AutoencoderConfig(pretrained=str(base)))
    part = build_autoencoder(AutoencoderConfig(pretrained=str(base / "vae")))
    assert torch.equal(whole.quant_conv.weight, part.quant_conv.weight)


@pytest.mark.parametrize("part", ["autoencoder", "unet", "scheduler", "source_encoder", "ipf"])
def test_a_missing_folder_is_one_line(tmp_path, part):
    config = tiny_fpdm()
    where = str(tmp_path / "nowhere")
    broken = replace(config, **{part: replace(getattr(config, part), pretrained=where)})
    with pytest.raises(UserError) as caught:
        build_model(broken)
    assert caught.value.code == ExitCode.NO_INPUT
    assert str(caught.value).startswith(where)
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_refused(folders):
    base, *_ = folders
    weights = base / "vae" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(weights), weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(UserError, match="safetensors"):
        build_autoencoder(AutoencoderConfig(pretrained=str(base)))


def test_corrupt_weights_are_named(folders):
    base, *_ = folders
    weights = base / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(UserError, match="base") as caught:
        build_autoencoder(AutoencoderConfig(pretrained=str(base)))
    assert "\n" not in str(caught.value)


def test_latent_channels_must_agree(folders):
    base, *_ = folders
    with pytest.raises(UserError, match="latent channels"):
        build_unet(UNetConfig(pretrained=str(base)), latent_channels=16)


def test_no_download_without_pretrained_parts(monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("went to the network"))
    build_model(replace(tiny_fpdm(), scheduler=SchedulerConfig()))
