"""Every key of a published checkpoint has one fate, and nothing is left over."""

from pathlib import Path

import pytest

from signgen.errors import UserError
from signgen.exchange.fpdm.keys import STAGE1, STAGE2, map_keys, rows

PATH = Path("last.ckpt")
WANTED = {
    "ipf.image_encoder.visual_projection.weight": (4, 2),
    "ipf.combiner.gate.0.weight": (4, 8),
}
FOUND = {
    "img_encoder.visual_projection.weight": (4, 2),
    "pose_encoder.visual_projection.weight": (4, 2),
    "img_encoder.vision_model.embeddings.position_ids": (1, 5),
    "combiner.dynamic_scalar.0.weight": (4, 8),
}


def test_stage_1():
    entries = map_keys(STAGE1, FOUND, WANTED, PATH)
    assert [entry.target or entry.twin for entry in entries] == [
        "ipf.image_encoder.visual_projection.weight",
        "img_encoder.visual_projection.weight",
        None,
        "ipf.combiner.gate.0.weight",
    ]
    dropped = "dropped: places of patches, not weights"
    assert [(row.keys, row.tensors, row.values, row.becomes) for row in rows(entries, FOUND)] == [
        ("img_encoder.visual_projection.weight", 1, 8, "ipf.image_encoder."),
        ("pose_encoder.visual_projection.weight", 1, 8, "dropped, equals img_encoder."),
        ("img_encoder.vision_model.embeddings.position_ids", 1, 5, dropped),
        ("combiner.dynamic_scalar.0.weight", 1, 32, "ipf.combiner."),
    ]
    # An alias without its twin takes its place.
    found = {key: shape for key, shape in FOUND.items() if not key.startswith("img_encoder.visual")}
    entries = map_keys(STAGE1, found, WANTED, PATH)
    assert entries[0].target == "ipf.image_encoder.visual_projection.weight"


@pytest.mark.parametrize(
    ("found", "wanted", "message"),
    [
        ({"x.weight": (1,)}, {}, r"x\.weight is not known"),
        ({"unet.x": (1,)}, {}, r"unet\.x is not known"),
        ({"unet.x": (1,)}, {"unet.x": (2,)}, r"unet\.x has shape \[1\]; .* expect \[2\]"),
        ({}, {"unet.x": (2,), "unet.y": (1,)}, r"unet\.x is missing \(2 such\)"),
        ({}, {"fusion_mlp.net.0.bias": (2,)}, r"unet\.class_embedding\.net\.0\.bias is missing"),
        (
            {},
            {"source_encoder.encoder.layer.0.attention.o_proj.bias": (2,)},
            r"src_image_encoder\.encoder\.layer\.0\.attention\.output\.dense\.bias is missing",
        ),
    ],
)
def test_what_does_not_fit_is_named_as_published(found, wanted, message):
    with pytest.raises(UserError, match=f"^last.ckpt: {message}"):
        map_keys(STAGE2, found, wanted, PATH)
    with pytest.raises(UserError, match=r"pose_encoder\.visual_projection\.weight has shape"):
        map_keys(STAGE1, FOUND | {"pose_encoder.visual_projection.weight": (4, 3)}, WANTED, PATH)


def test_what_the_model_does_not_have_is_dropped():
    (entry,) = map_keys(STAGE2, {"fusion_model.combiner.output_layer.bias": (1,)}, {}, PATH)
    assert entry.becomes == "dropped: this model has no fusion"
    key = "src_image_encoder.embeddings.mask_token"
    (entry,) = map_keys(STAGE2, {key: (1, 2)}, {}, PATH)
    assert entry.becomes.startswith("dropped: ")
    wanted = {"source_encoder.embeddings.mask_token": (1, 2)}
    (entry,) = map_keys(STAGE2, {key: (1, 2)}, wanted, PATH)
    assert entry.becomes == "source_encoder."
