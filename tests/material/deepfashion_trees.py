"""Small copies of DeepFashion In-shop in every layout, drawn on the spot: no photograph in them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from signgen.data.deepfashion.lists import ViewName, parse_name
from signgen.pose.skeleton import SKELETONS
from tests.material.sample_clips import sample_clip

SIZE = (128, 88)
"""Height and width of the pictures."""
LAYOUTS = ("fpdm", "nted", "patn-csv", "gfla-csv", "pcdms", "mcld")
GROUPS = {
    "train": (
        ("WOMEN/Rompers_Jumpsuits/id_00000011/01", ("1_front", "2_side", "3_back", "6_flat")),
        ("MEN/Shirts_Polos/id_00000012/02", ("1_front", "4_full")),
        ("WOMEN/Dresses/id_00000013/01", ("1_front", "7_additional")),
    ),
    "test": (
        ("MEN/Tees_Tanks/id_00000012/01", ("1_front", "2_side", "3_back")),
        ("WOMEN/Blouses_Shirts/id_00000014/03", ("1_front", "3_back")),
    ),
}
"""Garments and their views; the `flat` one shows no hips and is in no pair."""
CLIPS = {"train": (5, 6, 7), "test": (11, 12)}
"""Clips of the sample that show both wrists throughout, one for each garment."""
FRAME = {"fpdm": "padded256", "nted": "padded256", "patn-csv": "256x176", "gfla-csv": "padded256"}
FRAME |= {"pcdms": "unit", "mcld": "256x176"}


@dataclass(frozen=True, eq=False)
class DrawnView:
    """A drawn person: picture, and joints (18, 2) in whole pixels of 256x176; -1 is missing."""

    name: ViewName
    split: str
    picture: NDArray[np.uint8]
    joints: NDArray[np.int64]

    @property
    def paired(self) -> bool:
        return self.name.tag != "flat"


def joints_18(points: NDArray[np.float32], confidence: NDArray[np.float32]) -> NDArray[np.int64]:
    """Take the 18 joints of OpenPose from 133 points of a picture of 256x176, by their names.

    The neck is between the shoulders; hips are put at the edge of the picture, legs left out.
    """
    whole, names = SKELETONS["coco-wholebody-133"], SKELETONS["openpose-18"].names
    joints = np.full((18, 2), -1)
    for number, name in enumerate(names):
        sources = ["left_shoulder", "right_shoulder"] if name == "neck" else [name]
        indices = [whole.index(source) for source in sources]
        if name.endswith(("knee", "ankle")):
            continue
        if (confidence[indices] > 0).all():
            joints[number] = np.rint(points[indices].mean(axis=0))
    for side in ("right", "left"):
        shoulder = joints[names.index(f"{side}_shoulder")]
        joints[names.index(f"{side}_hip")] = (shoulder[0], 254)
    return joints


@lru_cache
def views() -> tuple[DrawnView, ...]:
    """Draw everyone, once."""
    drawn = []
    for split, groups in GROUPS.items():
        for number, (folder, tags) in enumerate(groups):
            clip = sample_clip(CLIPS[split][number], size=(256, 176))
            for place, tag in enumerate(tags):
                name = parse_name(f"{folder}_{tag}")
                assert name is not None
                joints = joints_18(
                    clip.poses.keypoints[3 * place], clip.poses.confidence[3 * place]
                )
                if tag == "6_flat":
                    joints[[8, 11]] = -1
                picture = cv2.resize(
                    clip.frames[3 * place], SIZE[::-1], interpolation=cv2.INTER_AREA
                )
                drawn.append(DrawnView(name, split, picture, joints))
    return tuple(drawn)


def pairs(split: str) -> list[tuple[ViewName, ViewName]]:
    """All ordered (source, target) pairs of a split."""
    names = [view.name for view in views() if view.split == split and view.paired]
    return [pair for pair in permutations(names, 2) if pair[0].group == pair[1].group]


def write_tree(root: Path, layout: str) -> Path:
    """Write the copy in one layout; the key points of `mcld` go to `extra.csv`."""
    nested = layout in {"fpdm", "nted", "gfla-csv"}
    top = {"gfla-csv": "img_highres", "pcdms": "all_data_png"}.get(layout, "img")
    for view in views():
        folder = {"patn-csv": f"{view.split}_highres", "mcld": view.split}.get(layout, top)
        stem = view.name.nested if nested else view.name.flat()
        path = root / folder / f"{stem}.{'png' if layout == 'pcdms' else 'jpg'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(view.picture).save(path)
    if layout == "mcld":
        densepose = root / "train_densepose" / f"{views()[0].name.flat()}.png"
        densepose.parent.mkdir()
        Image.fromarray(views()[0].picture).save(densepose)
    for split in GROUPS:
        _write_pairs(root, layout, split)
        if layout in {"nted", "patn-csv"}:
            names = [f"{view.name.flat()}.jpg" for view in views() if view.split == split]
            write_lines(root / f"{split}.lst", names)
    _write_keypoints(root, layout)
    return root


def _write_pairs(root: Path, layout: str, split: str) -> None:
    listed = pairs(split)
    if layout in {"fpdm", "pcdms"}:
        file = f"{split}_pairs_data.json" if layout == "fpdm" else f"{split}_data.json"
        spelled = [[spell(layout, name) for name in pair] for pair in listed]
        items = [{"source_image": one, "target_image": other} for one, other in spelled]
        write_lines(root / file, [json.dumps(items)])
    elif layout == "nted":
        targets = dict.fromkeys(target for _, target in listed)
        sources = {t: [source for source, target in listed if target == t] for t in targets}
        if split == "train":
            lines = [",".join(spell(layout, n) for n in (t, *sources[t])) for t in targets]
        else:
            lines = [f"{spell(layout, t)},{spell(layout, s)}" for s, t in listed]
        write_lines(root / f"{split}_pairs.txt", lines)
    else:
        file = {"patn-csv": "fashion-resize-pairs-{}.csv", "gfla-csv": "fasion-pairs-{}.csv"}.get(
            layout, "data/{}.csv"
        )
        lines = [",".join(spell(layout, name) for name in pair) for pair in listed]
        write_lines(root / file.format(split), ["from,to", *lines])


def spell(layout: str, name: ViewName) -> str:
    """The name as the lists of a layout have it."""
    if layout == "fpdm":
        return f"./img/{name.nested}.jpg"
    if layout == "nted":
        return f"{name.nested}.jpg"
    if layout == "gfla-csv":
        return f"{name.flat('fasion', underscores=False)}.jpg"
    return f"{name.flat()}.jpg"


def in_frame(joints: NDArray[np.int64], frame: str) -> NDArray[np.float64]:
    """Joints of 256x176 in another frame, -1 where missing."""
    shift, scale = {"padded256": ((40, 0), (1, 1)), "unit": ((0, 0), (176, 256))}.get(
        frame, ((0, 0), (1, 1))
    )
    moved = (joints + shift) / scale
    return np.where((joints < 0).any(axis=1, keepdims=True), -1.0, moved)


def write_table(path: Path, chosen: Iterable[DrawnView], layout: str, frame: str) -> None:
    """Write an annotation table as PATN does: y first."""
    lines = ["name:keypoints_y:keypoints_x"]
    for view in chosen:
        x, y = in_frame(view.joints, frame).astype(int).T.tolist()
        lines.append(f"{spell(layout, view.name)}: {y}: {x}")
    write_lines(path, lines)


def _write_keypoints(root: Path, layout: str) -> None:
    if layout == "mcld":
        write_table(root / "extra.csv", views(), layout, "256x176")
    elif layout.endswith("csv"):
        word = "fasion-resize-annotation" if layout == "patn-csv" else "fasion-annotation"
        for split in GROUPS:
            chosen = [view for view in views() if view.split == split]
            write_table(root / f"{word}-{split}.csv", chosen, layout, FRAME[layout])
    else:
        for view in views():
            path = root / "pose" / f"{view.name.nested}.txt"
            if layout == "pcdms":
                path = root / "normalized_pose_txt" / f"{view.name.flat()}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savetxt(path, in_frame(view.joints, FRAME[layout]))


def write_lines(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
