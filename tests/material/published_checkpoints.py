"""Checkpoints as the published FPDM program writes them, of tiny models and of the golden numbers.

The published names are written down here once more, independently of the importer.
"""

import importlib.util
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch

from signgen.config.model import FPDMConfig, tiny_fpdm
from signgen.models import build_model
from tests.material.training_containers import save_container

GOLDENS = Path(__file__).resolve().parents[2] / ".." / "shared" / "goldens"

RENAMED = (
    (r"^autoencoder\.", "vae."),
    (r"^fusion_mlp\.", "unet.class_embedding."),
    (r"^source_projection\.", "sd_model.srcimage_proj_model."),
    (r"^pose_encoder\.", "sd_model.pose_t_proj."),
    (r"^source_encoder\.", "src_image_encoder."),
    (r"^ipf\.image_encoder\.", "fusion_model.img_encoder."),
    (r"^ipf\.combiner\.pose_projection\.", "fusion_model.combiner.kpt_projection_layer."),
    (r"^ipf\.combiner\.source_projection\.", "fusion_model.combiner.image_projection_layer."),
    (r"^ipf\.combiner\.hidden\.", "fusion_model.combiner.combiner_layer."),
    (r"^ipf\.combiner\.output\.", "fusion_model.combiner.output_layer."),
    (r"^ipf\.combiner\.gate\.", "fusion_model.combiner.dynamic_scalar."),
    (r"\.attention\.q_proj\.", ".attention.attention.query."),
    (r"\.attention\.k_proj\.", ".attention.attention.key."),
    (r"\.attention\.v_proj\.", ".attention.attention.value."),
    (r"\.attention\.o_proj\.", ".attention.output.dense."),
)
SETTINGS = {
    "project_name": "tiny",
    "model_img_size": [48, 64],  # width, height
    "src_encoder_size": [28, 28],
    "temperature": 0.07,
    "fusion_image_encoder": True,
}


def tiny_config(**changes) -> FPDMConfig:
    """Settings that an import of a tiny checkpoint should give."""
    tiny = tiny_fpdm()
    source = replace(
        tiny.source_encoder,
        table_size=42,
        position_interpolation="scale",
        trained=False,
        projection_dropout=0.2,
    )
    return replace(tiny, source_encoder=source, **changes)


def published_state(config: FPDMConfig, seed: int = 0) -> dict[str, torch.Tensor]:
    """Return the state dict of stage 2 for a model with random weights, aliases included."""
    torch.manual_seed(seed)
    own = build_model(config).state_dict()
    state = {}
    for name, value in own.items():
        key = name
        for pattern, published in RENAMED:
            key = re.sub(pattern, published, key)
        if config.source_encoder.kind == "clip":
            key = re.sub(r"^src_image_encoder\.", "src_image_encoder.vision_model.", key)
        # Nothing may be zero or alike, as some tensors are in a new model.
        state[key] = torch.randn_like(value) * 0.05
    for key in list(state):
        if key.startswith("unet."):
            state[f"sd_model.{key}"] = state[key]
        if key.startswith("fusion_model.img_encoder."):
            state[key.replace("img_encoder", "pose_encoder")] = state[key]
    if config.source_encoder.kind == "dinov2":
        state["src_image_encoder.embeddings.mask_token"] = torch.zeros(1, 16)
    return state


def submodels(config: FPDMConfig) -> dict[str, dict]:
    """Return the library configurations of a model's parts, as JSON has them."""
    model = build_model(config)
    unet = dict(model.unet.config) | {"class_embed_type": None}
    if model.ipf is not None:
        unet |= {"class_embed_type": "mlp"}
        unet |= {"projection_class_embeddings_input_dim": model.ipf.width}
    parts = {
        "vae": dict(model.autoencoder.config),
        "unet_fork": unet,
        "scheduler": dict(model.schedule.scheduler.config) | {"set_alpha_to_one": False},
    }
    if model.ipf is not None:
        parts["clip_vision"] = model.ipf.image_encoder.config.to_dict()
    if config.source_encoder.kind == "dinov2":
        parts["dinov2"] = model.source_encoder.config.to_dict()
    else:
        parts["clip_vision"] = model.source_encoder.config.to_dict()
    return json.loads(json.dumps(parts))


def save_stage2(folder: Path, state: dict[str, torch.Tensor], **settings) -> Path:
    return save_container(folder / "stage2.ckpt", state, SETTINGS | settings)


def save_stage1(folder: Path, state: dict[str, torch.Tensor], **settings) -> Path:
    inside = "fusion_model."
    state = {key.removeprefix(inside): v for key, v in state.items() if key.startswith(inside)}
    named = {"conbiner_self_learning": True, "img_size": [32, 32]}
    return save_container(folder / "stage1.ckpt", state, named | settings)


def save_submodels(folder: Path, parts: dict[str, dict]) -> Path:
    path = folder / "submodels.json"
    path.write_text(json.dumps(parts))
    return path


# ----- golden numbers -----------------------------------------------------------------------------


def golden_rule():
    spec = importlib.util.spec_from_file_location("weights", GOLDENS / "weights_by_name.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def golden_checkpoint(folder: Path, stage: int) -> Path:
    """Rebuild a golden checkpoint in full: every weight is a function of its name."""
    rule = golden_rule()
    listed = json.loads((GOLDENS / f"stage{stage}_checkpoint.json").read_text())
    shapes = {rule.canonical(key): shape for key, shape in listed["state_dict"]}
    with ThreadPoolExecutor(2) as pool:
        values = pool.map(lambda item: torch.from_numpy(rule.weight(*item)), shapes.items())
        made = dict(zip(shapes, values, strict=True))
    state = {key: made[rule.canonical(key)] for key, _ in listed["state_dict"]}
    return save_container(folder / f"stage{stage}.ckpt", state, listed["hyper_parameters"])
