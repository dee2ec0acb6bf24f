"""Nodes of ComfyUI, loaded and called as ComfyUI does it, without its server."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from signgen.errors import UserError
from signgen.media import read_image
from signgen.pose.formats import read_poses, write_poses
from signgen.rendering.warp import WarpRenderer

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "signgen" / "assets" / "sample" / "demo"


@pytest.fixture(scope="module")
def nodes() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "custom_nodes.signgen", ROOT / "integrations" / "comfyui" / "__init__.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # as ComfyUI does it
    spec.loader.exec_module(module)
    return module


def test_every_node_keeps_the_contract(nodes: ModuleType) -> None:
    made: set[str] = {"IMAGE", "POSE_KEYPOINT", "STRING", "FLOAT", "INT"}
    for node in nodes.NODE_CLASS_MAPPINGS.values():
        made |= set(node.RETURN_TYPES)
    assert nodes.NODE_CLASS_MAPPINGS.keys() == nodes.NODE_DISPLAY_NAME_MAPPINGS.keys()
    for node in nodes.NODE_CLASS_MAPPINGS.values():
        assert isinstance(node.CATEGORY, str)
        assert callable(getattr(node(), node.FUNCTION))
        asked = node.INPUT_TYPES()
        for kind, *options in [*asked["required"].values(), *asked.get("optional", {}).values()]:
            assert kind in made if isinstance(kind, str) else options[0]["default"] in kind


def run(nodes: ModuleType, name: str, **values: Any) -> Any:
    """Call a node as the server does: by its function's name, with the inputs by name."""
    node = nodes.NODE_CLASS_MAPPINGS[name]()
    (result,) = getattr(node, node.FUNCTION)(**values)
    return result


def test_renders_what_the_library_renders(nodes: ModuleType, tmp_path: Path) -> None:
    # Three poses as the DWPose preprocessor gives them: a list of frames with a canvas
    poses = read_poses(DEMO / "poses.json").frames([0, 20, 40])
    write_poses(poses, tmp_path / "frames", format="openpose")
    height, width = poses.size
    frames = [json.loads(path.read_text()) for path in sorted((tmp_path / "frames").iterdir())]
    key_points = [{**frame, "canvas_height": height, "canvas_width": width} for frame in frames]

    # Through the nodes
    model = run(nodes, "SigngenLoadModel", model="warp", device="auto")
    taken = run(nodes, "SigngenTakePoses", pose_keypoint=key_points, frames_per_second=25.0)
    picture = read_image(DEMO / "source.png")
    values: dict[str, Any] = {
        "model": model,
        "source": torch.from_numpy(picture[None].astype(np.float32) / 255),
        "poses": taken,
        "preset": "quality",
        "seed": 0,
    }
    images = run(nodes, "SigngenRender", **values, align="none", source_poses=taken)
    assert images.dtype == torch.float32
    assert images.shape == (3, height, width, 3)
    assert 0 <= float(images.min()) <= float(images.max()) <= 1

    # And without them
    expected = np.stack(list(WarpRenderer().render(picture, poses, signer=poses.frames([0]))))
    np.testing.assert_array_equal(np.rint(images.numpy() * 255), expected)

    # Aligning wants to know where the signer is
    with pytest.raises(UserError, match="align is limb; expected source_poses"):
        run(nodes, "SigngenRender", **values, align="limb")
