import numpy as np
import pytest
import torch
from PIL import Image

from signgen.config import IPFConfig, SourceEncoderConfig, tiny_fpdm
from signgen.models.encoders import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    SourceProjection,
    build_clip,
    build_dinov2,
    clip_embedding,
    preprocess,
    source_tokens,
)


def smooth_picture(height, width):
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / (9 + c)) * np.cos(y / (13 - c)) for c in range(3)]
    return ((np.stack(waves, axis=-1) + 1) * 127.5).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), [(260, 210), (512, 512), (100, 90)])
def test_preprocess_resizes_as_pillow(height, width):
    picture = smooth_picture(height, width)
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
    made = preprocess(pixels, 224, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))[0].permute(1, 2, 0) * 255
    expected = np.asarray(Image.fromarray(picture).resize((224, 224), Image.Resampling.BICUBIC))
    assert np.abs(made.numpy() - expected).max() < 1.6


def test_preprocess_normalises():
    white = torch.ones(1, 3, 8, 8)
    made = preprocess(white, 8, IMAGENET_MEAN, IMAGENET_STD)[0, :, 0, 0]
    expected = [(1 - m) / s for m, s in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)]
    assert made.tolist() == pytest.approx(expected)


def test_preprocess_wants_pictures():
    with pytest.raises(ValueError, match=r"pixels has shape \(3, 8, 8\)"):
        preprocess(torch.ones(3, 8, 8), 8, IMAGENET_MEAN, IMAGENET_STD)


def test_source_tokens_include_the_class_token():
    config = tiny_fpdm().source_encoder
    encoder = build_dinov2(config).eval()
    source = torch.rand(2, 3, 64, 48) * 2 - 1
    with torch.no_grad():
        tokens = source_tokens(encoder, source, config.image_size)
        pixels = preprocess(source, config.image_size, IMAGENET_MEAN, IMAGENET_STD)
        states = encoder(pixel_values=pixels)
    assert tokens.shape == (2, 1 + 4, 16)
    assert torch.equal(tokens[:, 0], states.pooler_output)


def test_new_dinov2_needs_no_interpolation_and_drops_no_path():
    encoder = build_dinov2(SourceEncoderConfig(image_size=70, width=32, layers=2, heads=2))
    assert encoder.embeddings.position_embeddings.shape == (1, 26, 32)
    assert encoder.config.drop_path_rate == 0
    assert encoder.config._attn_implementation == "sdpa"
    pixels = torch.rand(1, 3, 70, 70)
    encoder.train()
    assert torch.equal(
        encoder(pixel_values=pixels).last_hidden_state,
        encoder.eval()(pixel_values=pixels).last_hidden_state,
    )


def test_published_sizes():
    with torch.device("meta"):
        clip = build_clip(
            IPFConfig(
                image_size=224,
                patch_size=14,
                width=1024,
                layers=24,
                heads=16,
                embedding_width=768,
            )
        )
        projection = SourceProjection(1024, 768, 1024, 0.2)
    assert sum(p.numel() for p in clip.parameters()) == 303_966_208
    assert len(clip.state_dict()) == 392
    assert sum(p.numel() for p in projection.parameters()) == 1_576_192
    assert set(projection.state_dict()) == {
        f"net.{i}.{kind}" for i in (0, 3, 4) for kind in ("weight", "bias")
    }


def test_clip_embedding_is_the_projected_class_token():
    config = tiny_fpdm().ipf
    tower = build_clip(config).eval()
    with torch.no_grad():
        embedding = clip_embedding(tower, torch.rand(3, 3, 64, 48), config.image_size)
    assert embedding.shape == (3, config.embedding_width)
    assert not torch.allclose(embedding.norm(dim=1), torch.ones(3))
