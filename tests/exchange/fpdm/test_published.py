"""What a checkpoint says of its run is believed, and what it does not say is said to be unknown."""

from dataclasses import replace
from pathlib import Path

import pytest

from signgen.errors import UserError
from signgen.exchange.fpdm.published import published, run_of, with_widths

PATH = Path("last.ckpt")
FUSED = {"unet.class_embedding.net.0.weight": (768, 768)}
UNFUSED = {"unet.conv_in.weight": (320, 4, 3, 3)}
CLIP = {"src_image_encoder.vision_model.pre_layrnorm.bias": (1024,)}
B6 = {"conbiner_self_learning": True}
B5 = {"conbiner_self_learning": False}
AT_512 = {"src_encoder_size": [512, 512], "model_img_size": [352, 512]}


@pytest.mark.parametrize(
    ("stage1", "stage2", "shapes", "verdict"),
    [
        (B6, None, {}, "A3: "),
        (B5, None, {}, "A2: "),
        ({}, None, {}, "A2 or A3: stage 1; the file does not say"),
        (B6, AT_512, FUSED, "B6: DINOv2 tokens of sources at 512"),
        (B5, AT_512, FUSED, "B5: "),
        (None, AT_512, FUSED, "B5 or B6: "),
        (None, AT_512 | B6, FUSED, "B6: "),
        (None, {}, FUSED, "B5 or B6: DINOv2 tokens of sources at an unknown size"),
        (B6, AT_512, UNFUSED, "B3: DINOv2 tokens of sources at 512, no fusion"),
        (None, {"src_encoder_size": [224, 224]}, UNFUSED, "B2: "),
        (None, {}, UNFUSED, "B2 or B3: "),
        (None, {}, CLIP, "B1: CLIP tokens"),
        (None, AT_512, CLIP | FUSED, "none of the published ablations: CLIP tokens"),
    ],
)
def test_verdicts(stage1, stage2, shapes, verdict):
    assert run_of(stage1, stage2, shapes, PATH).verdict.startswith(verdict)


def test_sizes_are_written_width_first():
    run = run_of(None, AT_512, FUSED, PATH)
    assert run.size == (512, 352)
    assert published(run, "openpose-18", None).size == (512, 352)
    assert published(run, "openpose-18", (64, 64)).size == (64, 64)
    assert published(replace(run, size=None), "openpose-18", None).size == (512, 352)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model_img_size", [352]),
        ("model_img_size", "352x512"),
        ("model_img_size", [352, 0]),
        ("model_img_size", [352.0, 512]),
        ("src_encoder_size", [512, 256]),
        ("src_encoder_size", True),
    ],
)
def test_sizes_that_are_none_are_named(key, value):
    with pytest.raises(UserError, match=rf"^last\.ckpt: {key} .*expected "):
        run_of(None, {key: value}, FUSED, PATH)


def test_an_imported_model_needs_nothing_from_elsewhere():
    for shapes in (FUSED, UNFUSED, CLIP):
        config = published(run_of(None, AT_512, shapes, PATH), "openpose-18", None)
        parts = (config.autoencoder, config.unet, config.scheduler, config.source_encoder)
        assert [part.pretrained for part in (*parts, config.ipf)] == [None] * 5


def test_canvases_go_with_the_skeleton():
    run = run_of(None, AT_512, FUSED, PATH)
    config = published(run, "coco-wholebody-133", None)
    assert (config.pose_canvas, config.pose_canvas_render) == ((260, 210), None)


def test_stage_1_alone_has_the_pictures_it_was_trained_on():
    config = published(run_of(B6, None, {}, PATH), "openpose-18", None)
    assert (config.pose_canvas, config.pose_canvas_render) == ((1101, 750), None)
    assert config.source_size is None
    config = published(run_of(None, AT_512, FUSED, PATH), "openpose-18", None)
    assert (config.pose_canvas, config.pose_canvas_render) == ((550, 375), (1101, 750))
    assert config.source_size == (512, 512)


def test_widths_come_from_the_tensors():
    config = published(run_of(None, AT_512, FUSED, PATH), "openpose-18", None)
    assert with_widths(config, {}) == config
    shapes = {"sd_model.srcimage_proj_model.net.0.weight": (24, 1024)}
    shapes |= {"sd_model.pose_t_proj.conv_in.weight": (4, 3, 3, 3)}
    shapes |= {f"sd_model.pose_t_proj.blocks.{n}.weight": (8 + n, 4, 3, 3) for n in range(6)}
    config = with_widths(config, shapes)
    assert config.source_encoder.projection_width == 24
    assert config.pose_channels == (4, 9, 11, 13)
