"""Loading of pretrained parts: safetensors only, no remote code, one-line errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from signgen.structures import ExitCode, UserError


def load_pretrained(
    kind: type[Any], name: str, subfolder: str | None = None, **settings: object
) -> Any:
    """Load a diffusers or transformers class from a hub id or a local folder.

    Args:
        kind: Class with `from_pretrained`.
        name: Hub id or local folder.
        subfolder: Where the part lies inside; a local folder without it is the part itself.
        settings: Further arguments of `from_pretrained`.

    Returns:
        An instance of `kind`.

    Raises:
        UserError: If it is missing, unreachable, or not such a model.
    """
    inside = subfolder
    if subfolder and Path(name).is_dir() and not (Path(name) / subfolder).is_dir():
        inside = None
    if inside:
        settings["subfolder"] = inside
    try:
        return kind.from_pretrained(name, **settings)
    except SafetensorError as error:
        raise UserError(
            f"{name}: the weights of {kind.__name__} are corrupt ({error}); copy them again."
        ) from error
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        where = f" in {subfolder}/" if subfolder else ""
        raise UserError(
            f"{name}: no {kind.__name__} could be loaded ({reason}); expected a hub id that can be "
            f"reached or a local folder with its config and *.safetensors{where}.",
            ExitCode.NO_INPUT,
        ) from error
