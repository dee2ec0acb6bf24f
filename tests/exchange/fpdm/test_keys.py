"""Every key of a published checkpoint has one fate, and nothing is left over."""

from pathlib import Path

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


def test_what_the_model_does_not_have_is_dropped():
    (entry,) = map_keys(STAGE2, {"fusion_model.combiner.output_layer.bias": (1,)}, {}, PATH)
    assert entry.becomes == "dropped: this model has no fusion"
    key = "src_image_encoder.embeddings.mask_token"
    (entry,) = map_keys(STAGE2, {key: (1, 2)}, {}, PATH)
    assert entry.becomes.startswith("dropped: ")
    wanted = {"source_encoder.embeddings.mask_token": (1, 2)}
    (entry,) = map_keys(STAGE2, {key: (1, 2)}, wanted, PATH)
    assert entry.becomes == "source_encoder."
