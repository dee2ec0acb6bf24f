"""Settings of examples that cannot be, refused before any is made."""

from __future__ import annotations

from collections.abc import Sequence

from signgen.config.data import DataConfig
from signgen.config.ranges import out_of_range
from signgen.errors import ExitCode, UserError
from signgen.structures import Triplet

__all__ = ["check_pairs", "check_rates", "check_sources", "check_window"]


def check_pairs(pairs: Sequence[Triplet] | None, name: str, split: str) -> None:
    """Refuse a dataset that lists its pairs, but none of a split."""
    if pairs is not None and not pairs:
        raise UserError(
            f"dataset {name} lists no pair in split {split}; expected at least one. Prepare it "
            "again, or choose another split."
        )


def check_rates(config: DataConfig) -> None:
    """Refuse rates and numbers out of range."""
    for problem in out_of_range(config, "data."):
        raise UserError(f"{problem}.", ExitCode.USAGE)


def check_window(side: int, size: tuple[int, int]) -> None:
    """Refuse a window that pictures of a size (H, W) do not have."""
    if side < 0 or side > min(size) or side % 16:
        raise UserError(
            f"data: window is {side}; expected 0 for whole pictures, or a multiple of 16 up to the "
            f"shorter side of the model's pictures, {min(size)}.",
            ExitCode.USAGE,
        )


def check_sources(
    config: DataConfig, size: tuple[int, int], source: tuple[int, int], *, crop: bool
) -> None:
    """Refuse a frame cache where pictures are not what it holds, frames at the model's size."""
    if source == size and not config.source_sides and not crop:
        return
    setting, what = f"source_sides is {list(config.source_sides)}", "sources"
    if source != size:
        setting = f"source_size is {source[0]} {source[1]}"
    elif crop:
        setting, what = "ipf.preprocessing is official", "photos"
    raise UserError(
        f"{config.frame_cache} holds frames at the model's size, {size[0]} {size[1]}; {setting}, "
        f"and such {what} are made from frames as recorded. Leave out --data.frame-cache, or that "
        "setting.",
        ExitCode.USAGE,
    )
