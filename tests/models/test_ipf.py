import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from signgen.config.model import IPFConfig, tiny_fpdm
from signgen.models import build_stage
from signgen.models.ipf import IPF, Combiner, info_nce, with_sources
from signgen.structures import UserError

GOLDENS = Path(__file__).resolve().parents[2] / ".." / "shared" / "goldens"
needs_goldens = pytest.mark.skipif(
    not (GOLDENS / "stage1.npz").is_file(), reason="golden numbers are not here"
)
# Name in the published checkpoint -> name here.
COMBINER_NAMES = {
    "kpt_projection_layer": "pose_projection",
    "image_projection_layer": "source_projection",
    "combiner_layer": "hidden",
    "output_layer": "output",
    "dynamic_scalar": "gate",
}
TINY = IPFConfig(image_size=32, patch_size=16, width=16, layers=1, heads=2, embedding_width=16)

CONVOLUTIONAL = IPFConfig(
    kind="convolutional", image_size=32, width=16, layers=3, embedding_width=16
)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_combiner_has_the_published_size():
    combiner = Combiner(768)
    assert sum(p.numel() for p in combiner.parameters()) == 4_133_377
    assert len(combiner.state_dict()) == 12


def test_gate_chooses_between_pose_and_source():
    combiner = Combiner(8).eval()
    torch.nn.init.zeros_(combiner.output.weight)
    torch.nn.init.zeros_(combiner.output.bias)
    source, pose = normal(2, 8, seed=1), normal(2, 8, seed=2)
    for bias, expected in ((1e4, pose), (-1e4, source)):
        torch.nn.init.constant_(combiner.gate[3].bias, bias)
        assert torch.allclose(combiner(source, pose), expected)


def test_source_enhanced_loss_is_cross_entropy_on_the_doubled_matrix():
    target, fused, source = (normal(5, 16, seed=k) for k in range(3))
    rows, columns = torch.cat([target, source]), torch.cat([fused, source])
    expected = 0.0
    for i in range(10):
        cosines = torch.nn.functional.cosine_similarity(rows[i : i + 1], columns, dim=1) / 0.07
        expected += float(torch.logsumexp(cosines, 0) - cosines[i]) / 10
    made = info_nce(*with_sources(target, fused, source))
    assert float(made) == pytest.approx(expected, abs=1e-5)


def test_fusing_to_the_source_is_punished():
    target, source = normal(6, 16, seed=1), normal(6, 16, seed=2)
    copied = info_nce(*with_sources(target, source, source))
    right = info_nce(*with_sources(target, target, source))
    assert float(copied) > float(right) + 1


def test_stage_learns_to_tell_a_batch_apart(batch):
    stage = build_stage(tiny_fpdm(), "ipf")
    optimizer = torch.optim.AdamW(stage.parameters(), lr=1e-2)
    values = []
    for _ in range(20):
        losses = stage.loss(batch)
        losses["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
        values.append(float(losses["info_nce"].detach()))
    assert min(values[-5:]) < values[0] / 2
    assert 0 <= float(losses["top1"]) <= 1


def dots(steps, count=8, side=32):
    """Yield signers who are a colour, each in some poses, which are the place of a square."""
    random = np.random.default_rng(0)
    for _ in range(steps):
        colours = np.repeat(random.uniform(-1, 0.5, (2, 3, 1, 1)), count, axis=0)
        source, target = (
            np.broadcast_to(colours, (2 * count, 3, side, side)).copy() for _ in range(2)
        )
        pose = np.zeros_like(target)
        for i in range(2 * count):
            for picture, shown in ((source, False), (target, True)):
                y, x = random.integers(side - 6, size=2)
                picture[i, :, y : y + 6, x : x + 6] = 1
                if shown:
                    pose[i, :, y : y + 6, x : x + 6] = 1
        yield [torch.from_numpy(pixels).float() for pixels in (source, target, pose)]


def test_a_convolutional_tower_learns_from_nothing_where_things_are():
    ipf = IPF(replace(CONVOLUTIONAL, combiner_dropout=0.0))
    optimizer = torch.optim.AdamW(ipf.parameters(), lr=3e-3)
    for source, target, pose in dots(60):
        fused = ipf.fuse(ipf.embed(source), ipf.embed_pose(pose))
        losses = ipf.contrast(ipf.embed(source), ipf.embed(target), fused)
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
    # Ranks among one signer's poses: chance is 4.5 of 8
    with torch.no_grad():
        source, target, pose = next(dots(1, count=32))
        likeness = (
            ipf.fuse(ipf.embed(source), ipf.embed_pose(pose))
            @ torch.nn.functional.normalize(ipf.embed(target), dim=1).mT
        )
    for own in (likeness[:32, :32], likeness[32:, 32:]):
        ranks = 1 + (own > own.diagonal()[:, None]).sum(dim=1)
        assert ranks.float().mean() < 6  # of 32; chance is 16.5


def test_a_convolutional_tower_is_saved_and_loaded_as_others_are(tmp_path, batch):
    ipf = IPF(CONVOLUTIONAL).eval()
    ipf.image_encoder.save_pretrained(tmp_path)
    again = IPF(replace(CONVOLUTIONAL, pretrained=str(tmp_path))).eval()
    with torch.no_grad():
        assert torch.equal(again.embed(batch.source), ipf.embed(batch.source))
    wrong = replace(tiny_fpdm(), ipf=replace(CONVOLUTIONAL, width=24, pretrained=str(tmp_path)))
    with pytest.raises(UserError, match=r"ipf\.width"):
        build_stage(wrong, "ipf")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 12}, "ipf.width is 12; expected a multiple of 8"),
        ({"image_size": 36}, "ipf.image_size is 36; expected a multiple of 8"),
    ],
)
def test_sizes_of_convolutions_that_do_not_fit_are_named(change, message):
    with pytest.raises(UserError, match=message):
        IPF(replace(CONVOLUTIONAL, **change))


@pytest.mark.parametrize("config", [TINY, CONVOLUTIONAL], ids=["clip", "convolutional"])
def test_every_weight_is_trained(batch, config):
    stage = IPF(config)
    stage.loss(batch)["loss"].backward()
    assert not [name for name, p in stage.named_parameters() if p.grad is None]


def test_fused_embeddings_have_unit_length_and_poses_are_pictures(batch):
    ipf = IPF(TINY).eval()
    with torch.no_grad():
        fused = ipf.fuse(ipf.embed(batch.source), ipf.embed_pose(batch.pose))
        assert torch.equal(ipf.embed_pose(batch.pose), ipf.embed(batch.pose * 2 - 1))
    assert torch.allclose(fused.norm(dim=1), torch.ones(2))
    with pytest.raises(ValueError, match="pose_embedding"):
        ipf.fuse(fused, fused[:, :4])


def test_photos_are_cropped_where_the_settings_say_official(batch):
    consistent = IPF(TINY).eval()
    official = IPF(replace(TINY, preprocessing="official")).eval()
    official.load_state_dict(consistent.state_dict())
    tall = torch.rand(2, 3, 60, 30) * 2 - 1
    with torch.no_grad():
        assert torch.equal(consistent.embed_photo(tall), consistent.embed(tall))
        assert torch.equal(official.embed(tall), consistent.embed(tall))
        assert not torch.allclose(official.embed_photo(tall), official.embed(tall), atol=1e-3)
        # What the crop cuts off is not seen, whatever it is.
        changed = tall.clone()
        changed[..., :10, :] = 1
        assert torch.allclose(official.embed_photo(tall), official.embed_photo(changed), atol=1e-5)
        assert torch.equal(official.embed_pose(tall), consistent.embed_pose(tall))


def test_sources_may_have_another_size_than_targets(batch):
    ipf = IPF(TINY).eval()
    wide = replace(batch, source=torch.rand(2, 3, 40, 80) * 2 - 1)
    with torch.no_grad():
        assert float(ipf.loss(wide)["loss"]) > 0


def test_symmetric_loss_is_the_mean_of_both_directions():
    source, target = normal(4, 16, seed=1), normal(4, 16, seed=2)
    fused = torch.nn.functional.normalize(normal(4, 16, seed=3), dim=-1)
    ipf = IPF(replace(TINY, loss="baseline", symmetric=True))
    expected = (info_nce(target, fused) + info_nce(fused, target)) / 2
    assert torch.allclose(ipf.contrast(source, target, fused)["info_nce"], expected, atol=1e-6)


# ----- golden numbers of the published program ----------------------------------------------------


def golden_rule():
    spec = importlib.util.spec_from_file_location("weights", GOLDENS / "weights_by_name.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def golden_name(name):
    if name.startswith("image_encoder."):
        return "img_encoder." + name.removeprefix("image_encoder.")
    for published, own in COMBINER_NAMES.items():
        name = name.replace(f"combiner.{own}.", f"combiner.{published}.")
    return name


@pytest.fixture
def golden_ipf(tmp_path):
    """Build stage 1 of the goldens: tower from a folder, every weight by its published name."""
    rule = golden_rule()
    settings = json.loads((GOLDENS / "stage2_submodel_configs.json").read_text())["clip_vision"]
    tower = CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            **{
                key: settings[key]
                for key in (
                    "hidden_size",
                    "intermediate_size",
                    "projection_dim",
                    "num_hidden_layers",
                    "num_attention_heads",
                    "patch_size",
                    "image_size",
                    "hidden_act",
                    "layer_norm_eps",
                )
            }
        )
    )
    tower.save_pretrained(tmp_path)

    def build(loss):
        ipf = IPF(IPFConfig(pretrained=str(tmp_path), loss=loss)).eval()
        published = json.loads((GOLDENS / "stage1_checkpoint.json").read_text())["state_dict"]
        names = {name for name, _ in published}
        state = {}
        for name, value in ipf.state_dict().items():
            assert golden_name(name) in names
            state[name] = torch.from_numpy(rule.weight(golden_name(name), value.shape))
        ipf.load_state_dict(state)
        return ipf

    return build


@needs_goldens
@pytest.mark.parametrize(
    ("loss", "mode"), [("baseline", "baseline"), ("source-enhanced", "source_enhanced")]
)
def test_stage_1_equals_the_published_program(golden_ipf, loss, mode):
    rule, golden = golden_rule(), np.load(GOLDENS / "stage1.npz", allow_pickle=False)
    scalars = json.loads((GOLDENS / "stage1_scalars.json").read_text())["scalars_float64"]
    ipf = golden_ipf(loss)
    source, pose, target = (
        ipf.image_encoder(
            pixel_values=torch.from_numpy(rule.tiled(f"input.stage1.{name}", 4, 224, 224, 32))
        ).image_embeds
        for name in ("source", "pose", "target")
    )
    fused = ipf.fuse(source, pose)
    for name, value, tolerance in (
        ("source_embeds", source, 5e-5),
        ("pose_embeds", pose, 5e-5),
        ("target_embeds", target, 5e-5),
        ("fused_raw", ipf.combiner(source, pose), 5e-5),
        ("fused", fused, 1e-6),
    ):
        assert np.abs(value.detach().numpy() - golden[name]).max() < tolerance, name
    losses = ipf.contrast(source, target, fused)
    losses["loss"].backward()
    logged = f"log_{mode}_"
    losses = {name: value.detach() for name, value in losses.items()}
    assert float(losses["loss"]) == pytest.approx(scalars[f"loss_{mode}"], abs=5e-5)
    assert float(losses["l1"]) == pytest.approx(scalars[f"{logged}loss_fushion_l1"], abs=5e-5)
    assert float(losses["top1"]) == scalars[f"{logged}fushion_acc_top1"]
    assert float(losses["mean_rank"]) == scalars[f"{logged}fushion_acc_mean_pos"]
    gradients = {golden_name(n): p.grad.norm().item() for n, p in ipf.named_parameters()}
    for key, value in scalars.items():
        if key.startswith(f"gradnorm_{mode}:"):
            assert gradients[key.split(":")[1]] == pytest.approx(value, rel=1e-4), key


@needs_goldens
@pytest.mark.parametrize("l1_weight", [1e-4, 0.0])
@pytest.mark.parametrize(
    ("loss", "mode"), [("baseline", "baseline"), ("source-enhanced", "source_enhanced")]
)
def test_loss_equals_the_published_program_on_drawn_embeddings(loss, mode, l1_weight):
    rule = golden_rule()
    scalars = json.loads((GOLDENS / "stage1_scalars.json").read_text())["scalars_float64"]
    source, target, fused = (
        torch.from_numpy(rule.normal(f"input.stage1.loss.{name}", (6, 768)))
        for name in ("source", "target", "fused")
    )
    fused = torch.nn.functional.normalize(fused + 0.3 * target + 0.3 * source, dim=-1)
    ipf = IPF(IPFConfig(**{**vars(TINY), "loss": loss, "l1_weight": l1_weight}))
    expected = scalars[f"synthetic_loss_{mode}_l1_{l1_weight:.4f}".replace("_0.0000", "_0")]
    made = float(ipf.contrast(source, target, fused)["loss"].detach())
    assert made == pytest.approx(expected, abs=1e-6)
