"""What every key of a published FPDM checkpoint becomes: names and shapes in, a table out.

Nothing is left over silently: a key is mapped to a weight of our model, is an alias that must equal
its twin, is dropped for a reason, or is an error; and every weight of our model must be given.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from signgen.errors import UserError

__all__ = ["STAGE1", "STAGE2", "Entry", "Row", "Shapes", "Stage", "check_stage", "map_keys", "rows"]

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of tensors by name."""


@dataclass(frozen=True)
class Stage:
    """How the checkpoints of a stage are put together.

    Args:
        flag: The flag that takes such a file.
        prefixes: Our prefix for each published one, longer ones first.
        aliases: For each published prefix, the one whose tensors it repeats, or which repeats it.
    """

    name: str
    flag: str
    prefixes: Mapping[str, str]
    aliases: Mapping[str, str] = field(default_factory=dict)


STAGE1 = Stage(
    name="stage 1",
    flag="--stage1",
    prefixes={"img_encoder.": "ipf.image_encoder.", "combiner.": "ipf.combiner."},
    aliases={"pose_encoder.": "img_encoder."},
)
STAGE2 = Stage(
    name="stage 2",
    flag="--stage2",
    prefixes={
        "vae.": "autoencoder.",
        "unet.class_embedding.": "fusion_mlp.",
        "unet.": "unet.",
        "sd_model.srcimage_proj_model.": "source_projection.",
        "sd_model.pose_t_proj.": "pose_encoder.",
        "src_image_encoder.": "source_encoder.",
        "fusion_model.img_encoder.": "ipf.image_encoder.",
        "fusion_model.combiner.": "ipf.combiner.",
    },
    aliases={"sd_model.unet.": "unet.", "fusion_model.pose_encoder.": "fusion_model.img_encoder."},
)
_NAMES = {
    "combiner.kpt_projection_layer.": "combiner.pose_projection.",
    "combiner.image_projection_layer.": "combiner.source_projection.",
    "combiner.combiner_layer.": "combiner.hidden.",
    "combiner.output_layer.": "combiner.output.",
    "combiner.dynamic_scalar.": "combiner.gate.",
    # DINOv2's of transformers 4; files may have those of transformers 5, which are ours.
    ".attention.attention.query.": ".attention.q_proj.",
    ".attention.attention.key.": ".attention.k_proj.",
    ".attention.attention.value.": ".attention.v_proj.",
    ".attention.output.dense.": ".attention.o_proj.",
    # CLIP's, of B1.
    "source_encoder.vision_model.": "source_encoder.",
}
"""Published names inside our parts, and ours."""
_DROPPED = {
    r".*\.embeddings\.position_ids": "places of patches, not weights",
    r"src_image_encoder\.embeddings\.mask_token": "only DINOv2's own pretraining uses it",
    r"src_image_encoder\.visual_projection\..*": "source tokens are taken before it",
}
"""Why keys are dropped for which the model has no weight."""


@dataclass(frozen=True)
class Entry:
    """What becomes of one key.

    Args:
        prefix: The published prefix that it has.
        becomes: Our prefix, what it repeats, or why it is dropped.
        target: The weight's name in our model; None unless it is mapped to one.
        twin: The key that it must equal; None unless it is an alias.
    """

    key: str
    prefix: str
    becomes: str
    target: str | None = None
    twin: str | None = None


def map_keys(stage: Stage, found: Shapes, wanted: Shapes, path: Path) -> list[Entry]:
    """Say what every key of a checkpoint becomes, in its order."""
    entries = [_entry(stage, key, found, wanted, path) for key in found]
    given: dict[str, str] = {}
    for entry in entries:
        if entry.target is None:
            continue
        if entry.target in given:
            raise UserError(
                f"{path}: {given[entry.target]} and {entry.key} are the same weight; expected it "
                "once."
            )
        given[entry.target] = entry.key
        _check_shape(entry.key, found[entry.key], wanted[entry.target], path)
    missing = [name for name in wanted if name not in given]
    if missing:
        raise UserError(
            f"{path}: {_published(stage, missing[0])} is missing ({len(missing)} such); expected a "
            f"checkpoint of FPDM's {stage.name} and, where its parts have other sizes than the "
            "published ones, these as --submodels."
        )
    return entries


def check_stage(stage: Stage, found: Shapes, path: Path) -> None:
    """Refuse the checkpoint of another stage, or of another program."""
    for one in (stage, STAGE1, STAGE2):
        if any(key.startswith(tuple(one.prefixes)) for key in found):
            if one is stage:
                return
            raise UserError(
                f"{path} is a checkpoint of {one.name}; expected one of {stage.name}. Give it as "
                f"{one.flag}."
            )
    raise UserError(
        f"{path} has no key of FPDM's {stage.name} (the first is {next(iter(found))[:80]!a}); "
        f"expected {', '.join(stage.prefixes)} and others."
    )


def _entry(stage: Stage, key: str, found: Shapes, wanted: Shapes, path: Path) -> Entry:
    known = [*stage.aliases, *stage.prefixes]
    prefix = next((prefix for prefix in known if key.startswith(prefix)), "")
    name = key
    if prefix in stage.aliases:
        name = stage.aliases[prefix] + key.removeprefix(prefix)
        if name in found:
            _check_shape(key, found[key], found[name], path)
            return Entry(key, prefix, f"dropped, equals {stage.aliases[prefix]}", twin=name)
    for target in _targets(stage, name):
        if target in wanted:
            ours = next(ours for ours in stage.prefixes.values() if target.startswith(ours))
            return Entry(key, prefix, ours, target=target)
    reasons = [reason for pattern, reason in _DROPPED.items() if re.fullmatch(pattern, name)]
    if key.startswith("fusion_model.") and not any(name.startswith("ipf.") for name in wanted):
        reasons.append("this model has no fusion")
    if not reasons:
        raise UserError(
            f"{path}: {key[:120]} is not known; expected the keys of FPDM's {stage.name} in the "
            "published sizes, or in those that --submodels gives."
        )
    return Entry(key, prefix, f"dropped: {reasons[0]}")


def _targets(stage: Stage, name: str) -> list[str]:
    """Return what the weight of a published key may be called in our model."""
    for prefix, ours in stage.prefixes.items():
        if name.startswith(prefix):
            target = ours + name.removeprefix(prefix)
            return [target, *(target.replace(old, new) for old, new in _NAMES.items())]
    return []


def _published(stage: Stage, name: str) -> str:
    """Return the key of one of our weights in a checkpoint, for messages."""
    for published, ours in list(_NAMES.items())[:-1]:
        name = name.replace(ours, published)
    pairs = (pair for pair in stage.prefixes.items() if name.startswith(pair[1]))
    prefix, ours = next(pairs, ("", ""))
    return prefix + name.removeprefix(ours)


def _check_shape(key: str, found: tuple[int, ...], wanted: tuple[int, ...], path: Path) -> None:
    if found != wanted:
        raise UserError(
            f"{path}: {key} has shape {list(found)}; its settings expect {list(wanted)}. Give the "
            "sizes of its parts with --submodels."
        )


@dataclass(frozen=True)
class Row:
    """Keys of one prefix that become the same.

    Args:
        keys: Prefix, or the key where it is one.
        values: Numbers in them.
        becomes: Our prefix, what they repeat, or why they are dropped.
    """

    keys: str
    tensors: int
    values: int
    becomes: str


def rows(entries: Iterable[Entry], found: Shapes) -> list[Row]:
    """Sum entries up by prefix and what they become, in the checkpoint's order."""
    groups: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        groups.setdefault((entry.prefix or entry.key, entry.becomes), []).append(entry.key)
    return [
        Row(
            keys[0] if len(keys) == 1 else prefix,
            len(keys),
            sum(math.prod(found[key]) for key in keys),
            becomes,
        )
        for (prefix, becomes), keys in groups.items()
    ]
