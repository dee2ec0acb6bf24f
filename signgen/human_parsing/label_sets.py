"""What the numbers in label maps mean, and which region a label belongs to: tables.

A map is never read without the name of its label set: label 10 is torso skin for CIHP and a
jumpsuit for LIP, and both have twenty labels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from signgen.config.regions import LabelSetName, Region
from signgen.errors import UserError

__all__ = ["LABEL_SETS", "LabelSet", "label_set", "label_set_of_names"]


@dataclass(frozen=True)
class LabelSet:
    """The labels of a human parser.

    Args:
        name: Its name in settings.
        labels: Names by number, from 0, the background.
        regions: The names of each region's labels; labels of none are background.
    """

    name: LabelSetName
    labels: tuple[str, ...]
    regions: Mapping[Region, tuple[str, ...]]

    def number(self, label: str) -> int:
        """Return the number of a label."""
        return self.labels.index(label)

    def check(self, labels: NDArray[np.uint8], where: object) -> None:
        """Refuse a map with a label that the set does not have.

        Args:
            labels: (H, W).
            where: What to call the map in the message.
        """
        if labels.size and int(labels.max()) >= len(self.labels):
            raise UserError(
                f"{where} has label {labels.max()}; expected 0 to {len(self.labels) - 1}, because "
                f"its label set is {self.name}. Name the label set that it was made with."
            )

    def mirrored(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the map (H, W) of the mirrored picture: left and right labels change places."""
        return np.asarray(self._swapped()[labels[:, ::-1]])

    def _swapped(self) -> NDArray[np.uint8]:
        """Return (256,), what each label becomes in a mirror."""
        table = np.arange(256, dtype=np.uint8)
        for number, label in enumerate(self.labels):
            side, _, part = label.partition("-")
            if side in {"left", "right"}:
                other = "right" if side == "left" else "left"
                table[number] = self.number(f"{other}-{part}")
        return table

    def in_regions(
        self, labels: NDArray[np.uint8], names: Sequence[Region], where: object = "data"
    ) -> NDArray[np.int64]:
        """Turn labels into numbers of regions.

        Args:
            labels: (H, W).
            names: The regions to tell apart. Hands belong to the body where they are none of them.
            where: What the labels are of, for the message.

        Returns:
            (H, W): 0 is elsewhere, 1 the first region, and so on.

        Raises:
            UserError: If the set cannot tell a region from others.
        """
        table = np.zeros(256, np.int64)
        for region, members in self.regions.items():
            known = region if region in names or region != "hands" else "body"
            if known in names:
                table[[self.number(label) for label in members]] = list(names).index(known) + 1
        if unknown := [name for name in names if name not in self.regions]:
            raise UserError(
                f"{where}: its label set {self.name} has no region {unknown[0]}; it has "
                f"{', '.join(self.regions)}. Leave that region out of the model's, or parse with "
                "a network that knows it."
            )
        return np.asarray(table[labels])


def _set(name: LabelSetName, labels: str, **regions: str) -> LabelSet:
    """Return a label set whose names are written one after another."""
    return LabelSet(
        name,
        tuple(labels.split()),
        {
            region: tuple(regions[region].split())
            for region in get_args(Region)
            if region in regions
        },
    )


_CIHP_AND_LIP = (
    "background hat hair glove sunglasses upper-clothes dress coat socks pants {} scarf skirt face "
    "left-arm right-arm left-leg right-leg left-shoe right-shoe"
)

LABEL_SETS: Mapping[LabelSetName, LabelSet] = {
    one.name: one
    for one in (
        _set(
            # Look into Person; SCHP's order, as its README lists it
            "lip-20",
            _CIHP_AND_LIP.format("jumpsuits"),
            face="face sunglasses hair hat",
            cloth="upper-clothes dress coat socks pants jumpsuits scarf skirt left-shoe right-shoe "
            "glove",
            body="left-arm right-arm left-leg right-leg",
        ),
        _set(
            # ATR; SegFormer's clothes checkpoints have its names in their config.json
            "atr-18",
            "background hat hair sunglasses upper-clothes skirt pants dress belt left-shoe "
            "right-shoe face left-leg right-leg left-arm right-arm bag scarf",
            face="face sunglasses hair hat",
            cloth="upper-clothes skirt pants dress belt left-shoe right-shoe scarf",
            body="left-leg right-leg left-arm right-arm",
        ),
        _set(
            # Crowd Instance-level Human Parsing: as LIP but for label 10, which is skin
            "cihp-20",
            _CIHP_AND_LIP.format("torso-skin"),
            face="face sunglasses hair hat",
            cloth="upper-clothes dress coat socks pants scarf skirt left-shoe right-shoe glove",
            body="torso-skin left-arm right-arm left-leg right-leg",
        ),
        _set(
            # DeepFashion-MultiModal
            "deepfashion-24",
            "background top outer skirt dress pants leggings headwear eyeglass neckwear belt "
            "footwear bag hair face skin ring wrist-wearing socks gloves necklace rompers earrings "
            "tie",
            face="face eyeglass hair headwear earrings",
            cloth="top outer skirt dress pants leggings neckwear belt footwear bag socks gloves "
            "rompers tie",
            body="skin ring wrist-wearing necklace",
        ),
        _set(
            # fashn-human-parser 0.1.0
            "fashn-18",
            "background face hair top dress skirt pants belt bag hat scarf glasses arms hands legs "
            "feet torso jewelry",
            face="face hair hat glasses",
            cloth="top dress skirt pants belt scarf feet",
            body="arms legs torso jewelry",
            hands="hands",
        ),
        _set(
            # The rendered signers of `signgen prepare synthetic`: `face` has the ears, an arm
            # reaches from the shoulder to the wrist, skin or sleeve
            "signgen-10",
            "background face hair neck upper-garment left-arm right-arm left-hand right-hand "
            "lower-garment",
            face="face hair",
            cloth="upper-garment lower-garment",
            body="neck left-arm right-arm",
            hands="left-hand right-hand",
        ),
    )
}
"""Label sets by name."""


def label_set(name: str, where: object) -> LabelSet:
    """Return a label set by its name, which came from somewhere."""
    for known in LABEL_SETS.values():
        if known.name == name:
            return known
    raise UserError(
        f"{where} names label set {name[:40]!r}; expected one of {', '.join(LABEL_SETS)}."
    )


def label_set_of_names(names: Sequence[str], where: object) -> LabelSet:
    """Return the label set whose labels have these names, as a network's own settings list them.

    Args:
        names: By number, in any spelling of case, blanks and hyphens.
        where: What to call the network in the message.

    Raises:
        UserError: If no set has just these names in this order.
    """
    spelt = [re.sub(r"[^a-z0-9]", "", name.lower()) for name in names]
    for known in LABEL_SETS.values():
        if spelt == [re.sub(r"[^a-z0-9]", "", label) for label in known.labels]:
            return known
    shown = ", ".join(names[:4])
    raise UserError(
        f"{where} has {len(names)} labels ({shown}, ...); expected those of one of "
        f"{', '.join(LABEL_SETS)}, in order."
    )
