"""States in words: a paragraph that screen readers read out when it changes, and a bar."""

from __future__ import annotations

import os
import re
from html import escape

from signgen.ui.tasks import RenderState

__all__ = ["error_state", "render_state", "said", "without_folders"]


def without_folders(text: str) -> str:
    """Return a text in which files of the page go by their names, without its temporary folder."""
    folder = os.environ.get("GRADIO_TEMP_DIR")
    return re.sub(rf"{re.escape(folder)}/(?:[\w.-]+/)*", "", text) if folder else text


def said(*lines: str, kind: str = "note") -> str:
    """Return lines as what a screen reader reads out.

    Args:
        lines: Plain text.
        kind: `note`, `done` or `error`.
    """
    role = "alert" if kind == "error" else "status"
    live = "assertive" if kind == "error" else "polite"
    paragraphs = "".join(f"<p>{escape(without_folders(line))}</p>" for line in lines if line)
    return f'<div class="state {kind}" role="{role}" aria-live="{live}">{paragraphs}</div>'


def error_state(message: str) -> str:
    """Return an error as one line."""
    return said(f"Error: {message}", kind="error")


def render_state(state: RenderState) -> str:
    """Return how far a render is: stage, frames, rate and time left; or what came of it."""
    if state.stage:
        return _progress(state)
    if state.partial is not None or state.error:
        lines = [f"Error: {state.error}" if state.partial is None else _stopped(state)]
        return said(*lines, kind="error" if state.partial is None else "note")
    if state.result is None:
        return ""
    result, (height, width) = state.result, state.result.size
    line = (
        f"Done: {result.frames} frames of {height} x {width} at {result.fps:g} frames per second, "
        f"in {result.seconds:.0f} seconds."
    )
    return said(line, *(f"Warning: {warning}" for warning in result.warnings), kind="done")


def _progress(state: RenderState) -> str:
    line = f"{state.stage[:1].upper()}{state.stage[1:]}"
    if state.total:
        line += f": frame {state.done} of {state.total}"
    if state.seconds_left is not None:
        line += f", {state.rate:.2g} frames per second, {_duration(state.seconds_left)} left"
    bar = (
        f'<progress max="{max(state.total, 1)}" value="{state.done}" '
        f'aria-label="Frames rendered"></progress>'
    )
    return said(line) + bar


def _stopped(state: RenderState) -> str:
    return (
        f"Stopped after {state.done} of {state.total} frames. They can be played below; Render "
        "with the same settings goes on with the next."
    )


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    return f"{seconds:.0f} seconds" if minutes < 2 else f"{minutes:.0f} minutes"
