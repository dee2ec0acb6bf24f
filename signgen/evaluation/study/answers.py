"""Read what raters send back: the key of a study, and a file of answers from each rater."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from signgen.errors import UserError
from signgen.evaluation.study.design import SCALES, Item, Pair
from signgen.files.paths import check_input
from signgen.files.reading import read_json

__all__ = ["Answers", "Choice", "Key", "Rating", "read_answers", "read_key"]

MAX_BYTES = 1 << 24
CHOICES = ("left", "right", "same", "cannot")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Key:
    """What a study shows: items and pairs by their names on its page."""

    study: str
    items: Mapping[str, Item]
    pairs: Mapping[str, Pair]


@dataclass(frozen=True)
class Rating:
    """What a rater says of a video.

    Args:
        values: 1 to 5 by the name of the scale; empty where the rater could not judge.
        signed: What was signed, in the rater's words.
    """

    item: Item
    values: Mapping[str, int]
    signed: str


@dataclass(frozen=True)
class Choice:
    """Which video of a pair a rater prefers: `left`, `right`, `same`, or `cannot` judge."""

    left: Item
    right: Item
    choice: str


@dataclass(frozen=True)
class Answers:
    """All that a rater says.

    Args:
        rater: The rater's code.
        hearing: deaf, hearing, ...; empty if the rater would not say.
    """

    rater: str
    hearing: str
    ratings: Sequence[Rating]
    choices: Sequence[Choice]
    comment: str


def read_key(path: Path) -> Key:
    """Read the key of a study.

    Raises:
        UserError: If it is not one.
    """
    check_input(path, "key of a study")
    return _read(path, _key, "the key.json that signgen eval --study wrote", "Make the study anew")


def read_answers(path: Path, key: Key) -> Answers:
    """Read the answers of a rater.

    Raises:
        UserError: If they are damaged, of another study, or of what the study does not show.
    """
    return _read(
        path,
        lambda value: _answers(value, key),
        f"the file that the page of study {key.study} saves",
        "Ask the rater for it again",
    )


def _read(path: Path, parse: Callable[[Any], Value], expected: str, advice: str) -> Value:
    value = read_json(path, MAX_BYTES, expected)
    try:
        if not isinstance(value, dict):
            raise ValueError("is no JSON object")
        if value.get("schema_version") != 1:
            raise ValueError(f"has schema_version {value.get('schema_version')!r:.40}, not 1")
        return parse(value)
    except KeyError as error:
        problem = f"lacks {error}"
    except (TypeError, AttributeError):
        problem = "has a value of another kind"
    except ValueError as error:
        problem = str(error)
    raise UserError(f"{path} {problem}; expected {expected}. {advice}.")


def _key(value: Any) -> Key:
    items = [
        Item(_text(item["id"]), _text(item["system"]), _text(item["clip"]), Path(item["path"]))
        for item in value["items"]
    ]
    key = Key(_text(value["study"]), {item.id: item for item in items}, {})
    pairs = {}
    for pair in value["pairs"]:
        one, other = (_shown(key, name).id for name in pair["items"])
        pairs[_text(pair["id"])] = Pair(pair["id"], (one, other))
    return Key(key.study, key.items, pairs)


def _answers(value: Any, key: Key) -> Answers:
    if value["study"] != key.study:
        raise ValueError(f"is of study {value['study']!r:.40}, not of {key.study}")
    rater, about = _text(value["rater"]), value["about"]
    if not rater.strip():
        raise ValueError("names no rater")
    if about["consent"] is not True:
        raise ValueError("has no consent of the rater")
    ratings = [_rating(rating, key) for rating in value["ratings"]]
    choices = [_choice(choice, key) for choice in value["pairs"]]
    _check_once("item", [rating.item.id for rating in ratings])
    _check_once("pair", [choice["pair"] for choice in value["pairs"]])
    hearing, comment = _text(about.get("hearing", "")), _text(value.get("comment") or "")
    return Answers(rater, hearing, ratings, choices, comment)


def _rating(value: Any, key: Key) -> Rating:
    item, signed = _shown(key, value["item"]), _text(value.get("signed") or "")
    if value["cannot_judge"] is True:
        return Rating(item, {}, signed)
    values = {scale.name: value[scale.name] for scale in SCALES}
    for name, given in values.items():
        if type(given) is not int or not 1 <= given <= 5:
            raise ValueError(f"has {name} {given!r:.40} of item {item.id}, not 1 to 5")
    return Rating(item, values, signed)


def _choice(value: Any, key: Key) -> Choice:
    if value["pair"] not in key.pairs:
        raise ValueError(f"names pair {value['pair']!r:.40}, which the study does not show")
    left, right = _shown(key, value["left"]), _shown(key, value["right"])
    if {left.id, right.id} != set(key.pairs[value["pair"]].items):
        raise ValueError(f"has other videos in pair {value['pair']}")
    if value["choice"] not in CHOICES:
        raise ValueError(f"has choice {value['choice']!r:.40}, not {', '.join(CHOICES)}")
    return Choice(left, right, value["choice"])


def _shown(key: Key, name: Any) -> Item:
    if name not in key.items:
        raise ValueError(f"names item {name!r:.40}, which the study does not show")
    return key.items[name]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _check_once(what: str, names: Sequence[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"answers {what} {twice} twice")
