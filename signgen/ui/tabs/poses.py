"""The tab that looks into files of poses."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import gradio as gr

from signgen.pose.drawing.viewing import view_file
from signgen.pose.summary import summarize
from signgen.ui.states import said, without_folders
from signgen.ui.tabs.errors import explained
from signgen.ui.tasks import Tasks
from signgen.ui.uploads import checked_poses

__all__ = ["poses_tab", "value_table"]

MAX_ROWS = 20
"""Clips of a file that are listed."""


def value_table(values: Mapping[str, object], caption: str) -> str:
    """Return names and values as a table in HTML; both may come from files and are escaped."""
    rows = "".join(
        f'<tr><th scope="row">{escape(name.replace("_", " "))}</th>'
        f"<td>{escape(without_folders(_text(value)))}</td></tr>"
        for name, value in values.items()
    )
    return f'<table class="values"><caption>{escape(caption)}</caption>{rows}</table>'


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def poses_tab(tasks: Tasks, folder: Path) -> None:
    """Lay out the tab and connect its button.

    Args:
        tasks: What runs one task at a time.
        folder: Where files are written.
    """
    gr.Markdown("What a file of poses holds, and how it looks: on black, or on the clip it is of.")
    with gr.Row():
        poses = gr.File(label="File of poses (.pose, JSON, .npz)", elem_id="look-poses")
        clip = gr.File(label="Clip to draw on (optional)", elem_id="look-clip")
    button = gr.Button("Show", variant="primary", elem_id="look")
    status = gr.HTML(elem_id="look-status")
    table = gr.HTML(elem_id="look-table")
    sheet = gr.Image(
        label="Up to eight poses",
        alt_text="Drawings of up to eight poses of the file",
        buttons=["download", "fullscreen"],
        interactive=False,
        elem_id="look-sheet",
    )
    video = gr.Video(label="All poses", height=420, interactive=False, elem_id="look-video")

    def look(poses: str | None, clip: str | None) -> tuple[str, str, str, str]:
        if not poses:
            return said("Choose a file of poses first.", kind="error"), "", gr.skip(), gr.skip()
        with tasks.alone():
            values = summarize(checked_poses(poses), most=MAX_ROWS)
            remarks: Any = values.pop("remarks", ())
            rows: Any = values.pop("rows", ())
            values["file"] = Path(poses).name
            made = Path(mkdtemp(dir=folder))
            for name in ("poses.png", "poses.mp4"):
                view_file(poses, str(made / name), video=clip)
        tables = [value_table(values, "The file")]
        tables += [value_table(row, f"Clip {number}") for number, row in enumerate(rows, 1)]
        state = said("Read.", *(f"Warning: {remark}" for remark in remarks), kind="done")
        return state, "".join(tables), str(made / "poses.png"), str(made / "poses.mp4")

    outputs = [status, table, sheet, video]
    button.click(explained(look, 4), [poses, clip], outputs, api_visibility="private")
