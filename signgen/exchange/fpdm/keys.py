"""What every key of a published FPDM checkpoint becomes: names and shapes in, a table out.

Nothing is left over silently: a key is mapped to a weight of our model, is an alias that must equal
its twin, is dropped for a reason, or is an error; and every weight of our model must be given.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from signgen.errors import UserError

__all__ = ["STAGE1", "STAGE2", "Entry", "Row", "Shapes", "Stage", "check_stage", "map_keys", "rows"]

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of tensors by name."""


@dataclass(frozen=True)
class Stage:
    """How the checkpoints of a stage are put together.

    Args:
        name: As in messages.
        flag: The flag that takes such a file.
        prefixes: Our prefix for each published one, longer ones first.
        aliases: For each published prefix, the one whose tensors it repeats, or which repeats it.
        preferred: Prefixes of aliases that win where they differ: the published program calls its
            U-Net through them. Elsewhere a difference is an error.
    """

    name: str
    flag: str
    prefixes: Mapping[str, str]
    aliases: Mapping[str, str]
    preferred: frozenset[str] = frozenset()


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
    aliases={
        "sd_model.unet.": "unet.",
        "fusion_model.pose_encoder.": "fusion_model.img_encoder.",
    },
    preferred=frozenset({"sd_model.unet."}),
)

#: (ours, as published): names inside a part that differ. Those of DINOv2 are of transformers 5 and
#: 4; files with either are read.
_NAMES = (
    ("combiner.pose_projection.", "combiner.kpt_projection_layer."),
    ("combiner.source_projection.", "combiner.image_projection_layer."),
    ("combiner.hidden.", "combiner.combiner_layer."),
    ("combiner.output.", "combiner.output_layer."),
    ("combiner.gate.", "combiner.dynamic_scalar."),
    (".attention.q_proj.", ".attention.attention.query."),
    (".attention.k_proj.", ".attention.attention.key."),
    (".attention.v_proj.", ".attention.attention.value."),
    (".attention.o_proj.", ".attention.output.dense."),
    ("source_encoder.", "source_encoder.vision_model."),  # CLIP's, of B1
)
_DROPPED = (
    (r".*\.embeddings\.position_ids", "places of patches, not weights"),
    (r"src_image_encoder\.embeddings\.mask_token", "only DINOv2's own pretraining uses it"),
    (r"src_image_encoder\.visual_projection\..*", "source tokens are taken before it"),
)


@dataclass(frozen=True)
class Entry:
    """What becomes of one key.

    Args:
        key: The key.
        prefix: The published prefix that it has.
        fate: `mapped` to a weight of ours, `alias` of another key, or `dropped`.
        target: The weight's name in our model; empty unless mapped.
        twin: The key that it must equal; empty unless an alias.
        preferred: Whether it wins where it differs from its twin.
        reason: Why it is dropped; empty unless it is.
    """

    key: str
    prefix: str
    fate: Literal["mapped", "alias", "dropped"]
    target: str = ""
    twin: str = ""
    preferred: bool = False
    reason: str = ""


def map_keys(stage: Stage, found: Shapes, wanted: Shapes, path: Path) -> list[Entry]:
    """Say what every key of a checkpoint becomes.

    Args:
        stage: Which kind of checkpoint it is.
        found: Its keys.
        wanted: Weights of the model that its settings make; all must be given.
        path: The file, for messages.

    Returns:
        One entry a key, in the checkpoint's order.

    Raises:
        UserError: If a key is unknown, a shape is not that of the model, two keys are one weight,
            or a weight is missing.
    """
    entries = [_entry(stage, key, found, wanted, path) for key in found]
    given: dict[str, str] = {}
    for entry in entries:
        if entry.fate != "mapped":
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
    """Refuse the checkpoint of another stage, or of another program.

    Args:
        stage: Which kind of checkpoint it should be.
        found: Its keys.
        path: The file, for messages.

    Raises:
        UserError: If no key is as in such checkpoints.
    """
    if any(key.startswith(tuple(stage.prefixes)) for key in found):
        return
    for other in (STAGE1, STAGE2):
        if any(key.startswith(tuple(other.prefixes)) for key in found):
            raise UserError(
                f"{path} is a checkpoint of {other.name}; expected one of {stage.name}. Give it as "
                f"{other.flag}."
            )
    raise UserError(
        f"{path} has no key of FPDM's {stage.name} (the first is {next(iter(found))[:80]!a}); "
        f"expected {', '.join(stage.prefixes)} and others."
    )


def _check_shape(key: str, found: tuple[int, ...], wanted: tuple[int, ...], path: Path) -> None:
    if found != wanted:
        raise UserError(
            f"{path}: {key} has shape {list(found)}; its settings expect {list(wanted)}. Give the "
            "sizes of its parts with --submodels."
        )


def _entry(stage: Stage, key: str, found: Shapes, wanted: Shapes, path: Path) -> Entry:
    prefix, known = _prefix_of(stage, key), key
    if prefix in stage.aliases:
        known = stage.aliases[prefix] + key.removeprefix(prefix)
        if known in found:
            _check_shape(key, found[key], found[known], path)
            return Entry(key, prefix, "alias", twin=known, preferred=prefix in stage.preferred)
    for pattern, reason in _DROPPED:
        if re.fullmatch(pattern, known) and not _target(stage, known, wanted):
            return Entry(key, prefix, "dropped", reason=reason)
    if key.startswith("fusion_model.") and not any(name.startswith("ipf.") for name in wanted):
        return Entry(key, prefix, "dropped", reason="this model has no fusion")
    target = _target(stage, known, wanted)
    if target is None:
        raise UserError(
            f"{path}: {key[:120]} is not known; expected the keys of FPDM's {stage.name} in the "
            "published sizes, or in those that --submodels gives."
        )
    return Entry(key, prefix, "mapped", target=target)


def _prefix_of(stage: Stage, key: str) -> str:
    known = [*stage.aliases, *stage.prefixes]
    return next((prefix for prefix in known if key.startswith(prefix)), "")


def _target(stage: Stage, key: str, wanted: Shapes) -> str | None:
    """Return the name of a key's weight in our model, or None if it has none."""
    prefix = next((prefix for prefix in stage.prefixes if key.startswith(prefix)), None)
    if prefix is None:
        return None
    name = stage.prefixes[prefix] + key.removeprefix(prefix)
    return next((spelled for spelled in _spellings(name) if spelled in wanted), None)


def _spellings(name: str) -> Iterator[str]:
    yield name
    for ours, published in _NAMES:
        if published in name:
            yield name.replace(published, ours)


def _published(stage: Stage, name: str) -> str:
    """Return the key of one of our weights in a checkpoint, for messages."""
    for ours, published in _NAMES[:-1]:
        name = name.replace(ours, published)
    for prefix, ours in stage.prefixes.items():
        if name.startswith(ours):
            return prefix + name.removeprefix(ours)
    return name


# ----- table --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """Keys of one prefix that have one fate.

    Args:
        keys: Prefix, or the key where it is one.
        tensors: How many.
        values: Numbers in them.
        becomes: Our prefix, what they repeat, or why they are dropped.
    """

    keys: str
    tensors: int
    values: int
    becomes: str


def rows(
    stage: Stage, entries: Sequence[Entry], found: Shapes, differing: Sequence[Entry]
) -> list[Row]:
    """Sum entries up by prefix and fate, in the checkpoint's order.

    Args:
        stage: Which kind of checkpoint it is.
        entries: From `map_keys`.
        found: Shapes of the keys.
        differing: Aliases that differ from their twins, and win.
    """
    differ = {entry.key for entry in differing}
    sums: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        becomes = _becomes(stage, entry, differs=entry.key in differ)
        sums.setdefault((entry.prefix or entry.key, becomes), []).append(entry)
    return [
        Row(
            members[0].key if len(members) == 1 else prefix,
            len(members),
            sum(math.prod(found[entry.key]) for entry in members),
            becomes,
        )
        for (prefix, becomes), members in sums.items()
    ]


def _becomes(stage: Stage, entry: Entry, *, differs: bool) -> str:
    if entry.fate == "dropped":
        return f"dropped: {entry.reason}"
    if entry.fate == "alias":
        twin = stage.aliases[entry.prefix]
        return f"taken, differs from {twin}" if differs else f"dropped, equals {twin}"
    return next(ours for ours in stage.prefixes.values() if entry.target.startswith(ours))
