"""The terms that a model comes under, read from its card or from the settings of its run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from signgen.checkpoints.finding import resolve
from signgen.checkpoints.folders import CARD
from signgen.config.documents import parse_mapping
from signgen.files.reading import read_text

__all__ = ["ModelTerms", "terms_of"]

MAX_BYTES = 1 << 22


@dataclass(frozen=True)
class ModelTerms:
    """The terms of a model and of the data that it was trained on, as its card says them."""

    license: str = "not stated"
    """Licence of the weights."""
    data: tuple[str, ...] = ()
    """Name and licence of each corpus that it was trained on."""


def terms_of(model: str) -> ModelTerms:
    """Return the terms of a model, by the front matter of its card; `not stated` without one.

    Args:
        model: As `resolve` takes it.
    """
    folder, _, _ = resolve(model)
    card = folder / CARD
    if not card.is_file():
        return ModelTerms()
    matter = _front_matter(card)
    data = matter.get("training_data")
    corpora = data if isinstance(data, list) else []
    return ModelTerms(
        license=str(matter.get("license_name") or matter.get("license") or "not stated"),
        data=tuple(
            f"{corpus.get('name', 'unnamed')}: {corpus.get('license', 'not stated')}"
            for corpus in corpora
            if isinstance(corpus, dict)
        ),
    )


def _front_matter(card: Path) -> dict[str, object]:
    """Return the keys between the two lines of dashes that begin a card."""
    text = read_text(card, MAX_BYTES, "a model card in Markdown")
    start, dashes, rest = text.partition("---\n")
    if start.strip() or not dashes:
        return {}
    return parse_mapping(rest.partition("\n---")[0].encode(), str(card))
