"""Settings classes as tyro takes them: a flag for each setting, with help, in titled boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, make_dataclass
from types import NoneType
from typing import Annotated, Any, get_args, get_type_hints

import docstring_parser
from tyro.conf import DisallowNone, OmitArgPrefixes, Positional, arg
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

__all__ = ["Common", "flag_types", "flags_class", "values_of"]

Option = tuple[str, Any, Any]
"""Name, type and default, as `dataclasses.make_dataclass` takes them."""
BOX = "box_"
"""Begins the names of fields that hold the flags of one group."""
SHORT_FLAGS = {"out": ("-o",), "source": ("-s",), "poses": ("-p",)}


@dataclass(frozen=True)
class Common:
    """Flags of every command."""

    config: str = ""
    """YAML file of settings. Precedence: defaults < --config FILE.yaml < flags."""
    debug: bool = False
    """Show the traceback of an error."""


def flags_class(
    settings: Any,
    groups: Mapping[str, Sequence[str]] | None = None,
    positional: Mapping[str, str] | None = None,
) -> type[Any]:
    """Return a class that tyro makes the flags of a command of.

    Args:
        settings: Instance of a settings class; its values are the defaults.
        groups: Settings whose flags get a box of their own in the help, by the title of it; none
            for the inner settings class of that name. Flags in no group come first.
        positional: Settings that words without a flag fill, with what the help calls them.
    """
    options = _options(settings)
    common = _options(Common())
    for number, (title, names) in enumerate((groups or {}).items()):
        if names:
            key = f"{BOX}{number}"
            box = make_dataclass(key, [options.pop(name) for name in names])
            titled = _marked(box, OmitArgPrefixes, arg(name=title))
            common[key] = (key, titled, field(default_factory=box))
        else:
            common[title] = options.pop(title)
    if positional:
        many = isinstance(getattr(settings, next(iter(positional))), tuple)
        about = arg(
            metavar=" ".join(positional.values()) + " ..." * many,
            help=f"The same as {' '.join(f'--{name}' for name in positional)}.",
            help_behavior_hint="",
        )
        common["names"] = ("names", Annotated[tuple[str, ...], Positional, about], ())
    return make_dataclass(type(settings).__name__, [*options.values(), *common.values()])


def values_of(flags: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the settings that parsed flags hold by name, and the words without a flag."""
    values = asdict(flags)
    names = values.pop("names", ())
    for key in [key for key in values if key.startswith(BOX)]:
        values |= values.pop(key)
    return {name: value for name, value in values.items() if not hasattr(Common, name)}, names


def flag_types(settings: Any, prefix: str = "--") -> Iterator[tuple[str, Any]]:
    """Yield every flag of settings, in all its spellings, with the type of its value."""
    types = get_type_hints(type(settings))
    for name in (setting.name for setting in fields(settings)):
        value, dashed = getattr(settings, name), name.replace("_", "-")
        if is_dataclass(value):
            yield from flag_types(value, f"{prefix}{dashed}.")
            continue
        negative = [f"{prefix}no-{dashed}"] if types[name] in {bool, bool | None} else []
        for flag in (f"{prefix}{dashed}", *negative, *SHORT_FLAGS.get(name, ())):
            yield flag, types[name]


def _options(settings: Any) -> dict[str, Option]:
    """Return settings as fields, by name; inner settings classes become classes of flags, too."""
    types = get_type_hints(type(settings))
    texts = {
        parameter.arg_name: " ".join((parameter.description or "").split())
        for base in type(settings).__mro__[:-1]
        for parameter in docstring_parser.parse_from_object(base).params
    }
    options: dict[str, Option] = {}
    for name in (setting.name for setting in fields(settings)):
        value = getattr(settings, name)
        if is_dataclass(value):
            inner = _options(value).values()
            box = make_dataclass(name, inner, namespace={"__doc__": value.__doc__})
            options[name] = (name, box, field(default_factory=box))
        else:
            options[name] = (name, _flag(name, types[name], value, texts.get(name, "")), value)
    return options


def _flag(name: str, kind: Any, default: object, text: str) -> Any:
    """Return the type of a setting with what tyro is to know of its flag."""
    metavar = "H W" if kind == tuple[int, int] else None
    marks: list[object] = []
    if kind == bool | None or (kind in SEVERAL_WORDS and default is None):
        marks = [DisallowNone, *SEVERAL_WORDS.get(kind, ())]
    elif NoneType in get_args(kind):
        # The word None is taken, too, but leaving the flag out says the same.
        bare = PrimitiveTypeInfo.make(get_args(kind)[0], set())
        metavar = getattr(ConstructorRegistry.get_primitive_spec(bare), "metavar", None)
    about = arg(
        aliases=SHORT_FLAGS.get(name),
        metavar=metavar,
        help=text,
        help_behavior_hint="" if default in {None, "", ()} else None,
    )
    return _marked(kind, about, *marks)


def _marked(kind: Any, *marks: object) -> Any:
    return Annotated[(kind, *marks)]


# ----- values of several words --------------------------------------------------------------------


def _integers(words: Sequence[str]) -> tuple[int, ...]:
    return tuple(map(int, words))


def _one_or_two(words: Sequence[str]) -> tuple[float, float]:
    first, second = words if len(words) > 1 else (*words, *words)
    return float(first), float(second)


def _spec(
    counts: int | tuple[int, ...], metavar: str, read: Callable[[Sequence[str]], Any]
) -> tuple[PrimitiveConstructorSpec[Any]]:
    spec = PrimitiveConstructorSpec(
        nargs=counts,
        metavar=metavar,
        instance_from_str=read,
        is_instance=lambda value: True,
        str_from_instance=lambda value: [str(value)],
    )
    return (spec,)


SEVERAL_WORDS: Mapping[Any, tuple[PrimitiveConstructorSpec[Any]]] = {
    tuple[int, int] | None: _spec(2, "H W", _integers),
    tuple[int, int, int, int] | None: _spec(4, "X0 Y0 X1 Y1", _integers),
    tuple[float, float] | None: _spec((1, 2), "W1 [W2]", _one_or_two),
}
