from dataclasses import replace

import pytest
import torch
from diffusers import UNet2DConditionModel

from signgen.config.model import UNetConfig, tiny_fpdm
from signgen.models.backbone import FusionMLP, PoseInputConv2d, build_pose_encoder, build_unet
from signgen.structures import ExitCode, UserError

TINY = tiny_fpdm().unet
STABLE_DIFFUSION = UNetConfig(
    block_channels=(320, 640, 1280, 1280),
    layers_per_block=2,
    cross_attention_width=1024,
    head_width=64,
)


def inputs(height, width, batch=2):
    z = torch.randn(batch, 4, height, width)
    pose = torch.randn(batch, 16, height, width)
    t = torch.tensor([3, 700])[:batch]
    return z, pose, t, torch.randn(batch, 5, 16), torch.randn(batch, 64)


def run(unet, z, pose, t, tokens, added):
    widened = torch.cat([z, pose], dim=1)
    return unet(widened, t, encoder_hidden_states=tokens, class_labels=added).sample


@pytest.mark.parametrize("size", [(8, 6), (7, 5), (9, 13)])
def test_equals_the_stock_unet_with_a_hook(size):
    unet = build_unet(TINY).eval()
    stock = UNet2DConditionModel.from_config(unet.config).eval()
    stock.load_state_dict(unet.state_dict())
    z, pose, t, tokens, added = inputs(*size)
    stock.conv_in.register_forward_hook(lambda module, args, output: output + pose)
    with torch.no_grad():
        expected = stock(z, t, encoder_hidden_states=tokens, class_labels=added).sample
        made = run(unet, z, pose, t, tokens, added)
    assert made.shape == z.shape
    assert torch.allclose(made, expected, atol=1e-6)


def test_attention_and_upcasting_as_the_settings_say():
    unet = build_unet(replace(TINY, attention=(True, False), upcast_attention=True), fused=False)
    assert unet.config["down_block_types"] == ("CrossAttnDownBlock2D", "DownBlock2D")
    assert unet.config["up_block_types"] == ("UpBlock2D", "CrossAttnUpBlock2D")
    assert unet.config["upcast_attention"] is True
    assert unet.class_embedding is None
    with pytest.raises(UserError, match="attention is") as caught:
        build_unet(replace(TINY, attention=(True,)))
    assert caught.value.code == ExitCode.USAGE


def test_pose_and_fusion_reach_the_output():
    unet = build_unet(TINY).eval()
    z, pose, t, tokens, added = inputs(8, 6)
    with torch.no_grad():
        base = run(unet, z, pose, t, tokens, added)
        assert not torch.allclose(base, run(unet, z, 0 * pose, t, tokens, added), atol=1e-3)
        assert not torch.allclose(base, run(unet, z, pose, t, tokens, 0 * added), atol=1e-3)
        assert not torch.allclose(base, run(unet, z, pose, t, 0 * tokens, added), atol=1e-5)
        plain = unet(z, t, encoder_hidden_states=tokens, class_labels=added).sample
        assert torch.allclose(plain, run(unet, z, 0 * pose, t, tokens, added))


def test_null_tokens_leave_the_output_bias_only():
    unet = build_unet(TINY).eval()
    attention = unet.down_blocks[0].attentions[0].transformer_blocks[0].attn2
    hidden = torch.randn(2, 7, 16)
    with torch.no_grad():
        made = attention(hidden, encoder_hidden_states=torch.zeros(2, 5, 16))
    assert torch.allclose(made, attention.to_out[0].bias.expand_as(made))


def test_published_sizes():
    with torch.device("meta"):
        unet = build_unet(STABLE_DIFFUSION)
        mlp = FusionMLP(768, 1280)
        pose = build_pose_encoder((16, 32, 96, 256), 320)
    count = {name: sum(p.numel() for p in m.parameters()) for name, m in locals().items()}
    assert count == {"unet": 865_910_724, "mlp": 1_574_912, "pose": 1_086_480}
    assert count["unet"] + count["mlp"] == 867_485_636
    assert len(unet.state_dict()) == 686
    assert unet.config["attention_head_dim"] == (5, 10, 20, 20)
    assert set(mlp.state_dict()) == {"net.0.weight", "net.0.bias", "net.3.weight", "net.3.bias"}


def test_cross_attention_follows_stable_diffusion():
    four = build_unet(replace(TINY, block_channels=(8, 8, 16, 16)))
    assert [hasattr(block, "attentions") for block in four.down_blocks] == [True] * 3 + [False]
    assert [hasattr(block, "attentions") for block in four.up_blocks] == [False] + [True] * 3
    two = build_unet(TINY)
    assert all(hasattr(block, "attentions") for block in [*two.down_blocks, *two.up_blocks])
    heads = two.down_blocks[1].attentions[0].transformer_blocks[0].attn1.heads
    assert heads == 32 // TINY.head_width


def test_widths_must_fit_heads_and_groups():
    with pytest.raises(UserError, match="block_channels") as caught:
        build_unet(replace(TINY, block_channels=(12, 24)))
    assert caught.value.code == ExitCode.USAGE


def test_fusion_mlp_answers_zero_with_its_bias_response():
    mlp = FusionMLP(8, 12).eval()
    zero = mlp(torch.zeros(1, 8))
    expected = mlp.net[3](torch.nn.functional.gelu(mlp.net[0].bias))
    assert torch.allclose(zero[0], expected)
    assert float(zero.detach().abs().max()) > 0


def test_pose_encoder_starts_silent_and_learns():
    encoder = build_pose_encoder((4, 8, 8, 16), 16)
    made = encoder(torch.rand(2, 3, 64, 48))
    assert made.shape == (2, 16, 8, 6)
    assert torch.equal(made, torch.zeros_like(made))
    made.sum().backward()
    assert float(encoder.conv_out.weight.grad.abs().max()) > 0


def test_pose_input_convolution_keeps_weight_names():
    plain = torch.nn.Conv2d(4, 6, 3, padding=1)
    widened = PoseInputConv2d.like(plain)
    assert widened.state_dict().keys() == plain.state_dict().keys()
    assert widened.weight is plain.weight
