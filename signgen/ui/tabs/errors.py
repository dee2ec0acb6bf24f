"""What the page says where a function of a button fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr

from signgen.errors import explain
from signgen.ui.states import error_state, without_folders

__all__ = ["explained"]

log = logging.getLogger(__name__)


def explained(run: Callable[..., Any], outputs: int) -> Callable[..., Any]:
    """Return a function whose errors become one line in the first output, and on stderr.

    Args:
        run: The function of a button.
        outputs: Number of components that it fills; the others stay as they are.
    """

    @wraps(run)
    def safely(*values: Any) -> Any:
        try:
            return run(*values)
        except Exception as error:
            message, _ = explain(error)
            log.error("error: %s", without_folders(message))
            state = error_state(message)
            return state if outputs == 1 else (state, *(gr.skip() for _ in range(outputs - 1)))

    return safely
