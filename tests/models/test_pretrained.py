import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from diffusers import DDPMScheduler
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Dinov2Config,
    Dinov2Model,
)

from signgen.config.autoencoder import AutoencoderConfig
from signgen.config.model import (
    SchedulerConfig,
    UNetConfig,
    full_fpdm,
    tiny_fpdm,
)
from signgen.models import build_model
from signgen.models.autoencoder import build_autoencoder
from signgen.models.backbone import build_unet
from signgen.models.pretrained import parts_of
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


@pytest.fixture
def config(folders):
    """Settings of the published kind, of the sizes that the folders have."""
    base, clip, dino = map(str, folders)
    published, tiny = full_fpdm(base, clip, dino), tiny_fpdm()
    encoder = replace(published.source_encoder, width=16, layers=1, heads=2)
    return replace(
        published,
        size=(64, 48),
        autoencoder=replace(tiny.autoencoder, pretrained=base, scaling_factor=0.18215),
        unet=replace(tiny.unet, pretrained=base, block_channels=(16, 32, 32, 32)),
        source_encoder=encoder,
        ipf=replace(tiny.ipf, pretrained=clip, embedding_width=24),
    )


def test_the_full_model_is_built_from_folders(folders, config, batch):
    base, *_ = folders
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


def test_all_missing_folders_are_named_at_once(tmp_path):
    names = [str(tmp_path / name) for name in ("base", "clip", "dino")]
    with pytest.raises(UserError, match=re.escape(", ".join(names))):
        build_model(full_fpdm(*names))


def test_stages_need_only_their_own_parts(config):
    assert set(parts_of(config)) == {"scheduler", "autoencoder", "unet", "ipf", "source_encoder"}
    assert set(parts_of(config, "vae")) == {"autoencoder"}
    assert set(parts_of(config, "ipf")) == {"ipf"}
    assert "ipf" not in parts_of(replace(config, fusion="none"))


@pytest.mark.parametrize(
    ("section", "change", "message"),
    [
        ("unet", {"cross_attention_width": 1024}, "cross_attention_dim is 16; .* expects 1024"),
        (
            "unet",
            {"head_width": 16},
            r"attention_head_dim is \[2, 4, 4, 4\]; model.unet",
        ),
        ("unet", {"upcast_attention": True}, "upcast_attention is False"),
        ("autoencoder", {"scaling_factor": 1.0}, "scaling_factor is 0.18215"),
        ("autoencoder", {"block_channels": (8, 16)}, "block_out_channels is"),
        ("source_encoder", {"layers": 24}, "num_hidden_layers is 1; .* expects 24"),
        ("ipf", {"embedding_width": 768}, "projection_dim is 24; .* expects 768"),
    ],
)
def test_sizes_must_be_those_of_the_settings(config, section, change, message):
    other = replace(config, **{section: replace(getattr(config, section), **change)})
    with pytest.raises(UserError, match=message) as caught:
        build_model(other)
    assert "\n" not in str(caught.value)
    assert caught.value.code == ExitCode.DATA


def test_settings_of_a_schedule_say_what_the_pretrained_one_is(folders, config):
    path = folders[0] / "scheduler" / "scheduler_config.json"
    settings = json.loads(path.read_text())
    for change in ({"spacing": "trailing"}, {"zero_terminal_snr": True}, {"beta_end": 0.02}):
        other = replace(config, scheduler=replace(config.scheduler, **change))
        with pytest.raises(UserError, match=rf"model\.scheduler\.{next(iter(change))} expects"):
            build_model(other)
    path.write_text(json.dumps(settings | {"prediction_type": "epsilon"}))
    with pytest.raises(UserError, match=r"prediction_type is epsilon; model\.scheduler\.pred"):
        build_model(config)
    other = replace(config, scheduler=replace(config.scheduler, prediction_type="epsilon"))
    assert build_model(other).schedule.prediction_type == "epsilon"

    # What the file leaves out is what the settings say
    for key in ("timestep_spacing", "rescale_betas_zero_snr"):
        settings.pop(key)
    path.write_text(json.dumps(settings))
    free = {"spacing": "trailing", "zero_terminal_snr": True}
    schedule = build_model(replace(config, scheduler=replace(config.scheduler, **free))).schedule
    assert schedule.facts().items() >= free.items()
    assert schedule.timesteps(4)[0] == 999
    assert float(schedule.alphas_cumprod[-1]) == 0


def test_clipping_and_broken_descriptions_are_refused(folders, config):
    path = folders[0] / "scheduler" / "scheduler_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps(settings | {"clip_sample": True}))
    with pytest.raises(UserError, match="clip_sample is True"):
        build_model(config)
    path.write_text("[]")
    with pytest.raises(UserError, match=f"{path} is not a description"):
        build_model(config)
    path.unlink()
    with pytest.raises(UserError, match=f"{path} is missing") as caught:
        build_model(config)
    assert caught.value.code == ExitCode.NO_INPUT


def test_parts_of_a_hub_id_are_loaded_from_its_cache(folders, config, tmp_path, monkeypatch):
    """All three parts of one repository, one with a revision, without a network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    for number, (folder, name) in enumerate(zip(folders, ("base", "clip", "dino"), strict=True)):
        home = tmp_path / "hub" / f"models--owner--{name}"
        (home / "refs").mkdir(parents=True)
        (home / "refs" / "v1").write_text(f"{number}" * 40)
        shutil.copytree(folder, home / "snapshots" / (f"{number}" * 40))
    sections = {
        section: replace(getattr(config, section), pretrained=f"owner/{name}@v1")
        for section, name in [
            ("scheduler", "base"),
            ("autoencoder", "base"),
            ("unet", "base"),
            ("ipf", "clip"),
            ("source_encoder", "dino"),
        ]
    }
    torch.manual_seed(3)
    ours = build_model(replace(config, **sections)).state_dict()
    torch.manual_seed(3)
    theirs = build_model(config).state_dict()
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())


def test_pickled_weights_are_refused_with_what_converts_them(folders):
    base, *_ = folders
    weights = base / "vae" / "diffusion_pytorch_model.safetensors"
    right = load_file(weights)
    torch.save(right, weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(UserError, match=r"diffusion_pytorch_model.bin, a pickle") as caught:
        build_autoencoder(AutoencoderConfig(pretrained=str(base)))
    assert caught.value.code == ExitCode.NO_INPUT

    # What it says to do does it
    command = re.search(r"python (-c '.*')", str(caught.value))
    subprocess.run([sys.executable, *shlex.split(command[1])], check=True, timeout=300)
    converted = build_autoencoder(AutoencoderConfig(pretrained=str(base))).state_dict()
    assert all(torch.equal(converted[name], value) for name, value in right.items())


@pytest.mark.parametrize("part", ["unet", "vae", "clip", "dino"])
def test_half_precision_variants_are_read(folders, config, part):
    base, clip, dino = folders
    folder = {"clip": clip, "dino": dino}.get(part, base / part)
    (plain,) = folder.glob("*.safetensors")
    halved = {name: value.half() for name, value in load_file(plain).items()}
    save_file(halved, plain.with_suffix(".fp16.safetensors"), {"format": "pt"})
    plain.unlink()
    model = build_model(config)
    parts = {
        "unet": model.unet,
        "vae": model.autoencoder,
        "clip": model.ipf.image_encoder,
        "dino": model.source_encoder,
    }
    loaded = parts[part].state_dict()
    same = [name for name in halved if name in loaded]
    assert len(same) > 10
    assert all(loaded[name].dtype == torch.float32 for name in same)
    assert all(torch.equal(loaded[name], halved[name].float()) for name in same)


@pytest.mark.parametrize("part", ["unet", "vae", "clip", "dino"])
def test_missing_weights_are_no_random_ones(folders, config, part):
    base, clip, dino = folders
    (path,) = {"clip": clip, "dino": dino}.get(part, base / part).glob("*.safetensors")
    state = load_file(path)
    gone = sorted(state)[0]
    save_file(
        {name: value for name, value in state.items() if name != gone}, path, {"format": "pt"}
    )
    with pytest.raises(UserError, match=r"weights of .* are missing, such as") as caught:
        build_model(config)
    assert gone in str(caught.value)
    assert "\n" not in str(caught.value)


def test_stable_diffusion_1_is_named(folders, config):
    path = folders[0] / "unet" / "config.json"
    changed = {"attention_head_dim": 8, "cross_attention_dim": 768}
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(UserError, match=r"8 heads at every .* width 768, as Stable Diffusion 1"):
        build_model(config)


def test_a_folder_without_weights_says_what_is_there(folders, config):
    (folders[1] / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"has no model\.safetensors \(config\.json is there\)"):
        build_model(config)


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
