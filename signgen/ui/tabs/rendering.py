"""The tab that renders: source, poses, a few settings; progress, Stop, result."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import gradio as gr

from signgen.config.render import Framing, RenderConfig
from signgen.config.sampling import Preset
from signgen.config.ui import UiConfig
from signgen.errors import ExitCode, UserError
from signgen.rendering.base import Frame
from signgen.rendering.planning import RenderPlan, plan
from signgen.rendering.provenance.contents import content_digest
from signgen.rendering.provenance.description import describe
from signgen.rendering.warp import WARP
from signgen.ui.pictures import source_view
from signgen.ui.states import render_state, said, without_folders
from signgen.ui.tabs.errors import explained
from signgen.ui.tabs.poses import value_table
from signgen.ui.tasks import RenderState, Tasks
from signgen.ui.uploads import checked_poses, copy_example

__all__ = ["rendering_tab"]

log = logging.getLogger(__name__)

REFRESH = 0.4
"""Seconds between two looks at how far a render is."""
SHOWN = 7
"""Components that show how far a render is, see `_view`."""
OF_MODELS = ("preset", "seed", "steps", "frame")
"""Settings that `warp` has not."""


def rendering_tab(tasks: Tasks, folder: Path, config: UiConfig, page: gr.Blocks) -> None:
    """Lay out the tab and connect its buttons.

    Args:
        tasks: What runs one task at a time.
        folder: Where files are written.
        config: Settings of the page.
        page: It shows a render that is going on, or the last one, when it is loaded.
    """
    with gr.Row():
        with gr.Column(min_width=320):
            example = gr.Button("Fill in the bundled example", elem_id="example")
            inputs = _inputs(config)
            with gr.Row():
                check = gr.Button("Check", elem_id="check")
                render = gr.Button("Render", variant="primary", elem_id="render")
                stop = gr.Button("Stop", variant="stop", elem_id="stop")
        with gr.Column(min_width=320):
            status = gr.HTML(elem_id="status")
            outputs = _outputs()
    filled = [inputs[name] for name in ("source", "source_poses", "poses")]

    def fill() -> tuple[str, str, str]:
        picture, poses = copy_example(folder / "example")
        return picture, poses, poses

    example.click(fill, None, filled, api_visibility="private")

    # What the buttons do
    buttons = _Buttons(tasks, folder, config, tuple(inputs))
    fields, watched = list(inputs.values()), [status, *outputs.values()]
    quiet = {"api_visibility": "private"}
    check.click(explained(buttons.show_plan, 2), fields, [status, outputs["source"]], **quiet)
    render.click(buttons.start, fields, watched, concurrency_limit=None, **quiet)
    stop.click(buttons.stop, None, [status], queue=False, **quiet)
    page.load(buttons.watch, None, watched, concurrency_limit=None, **quiet)


@dataclass(frozen=True)
class _Buttons:
    """What the buttons call.

    Args:
        names: Settings in the order of the values that the functions are called with.
    """

    tasks: Tasks
    folder: Path
    config: UiConfig
    names: tuple[str, ...]

    def settings(self, values: tuple[Any, ...]) -> RenderConfig:
        """Return the settings that the fields hold."""
        return _settings(dict(zip(self.names, values, strict=True)), self.folder, self.config)

    def show_plan(self, *values: Any) -> tuple[str, Frame]:
        """Check everything; return what would be rendered, and the source with its key points."""
        wanted = self.settings(values)
        planned = _checked_plan(wanted, self.config)
        shown, about = source_view(wanted.source, wanted.source_poses or "", planned.crop)
        return said(_planned(planned), about, *_warnings(planned), kind="done"), shown

    def start(self, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Check everything, begin to render, and watch it."""
        error = explained(self._begin, SHOWN)(*values)
        if error is not None:
            yield error
        else:
            yield from self.watch()

    def _begin(self, *values: Any) -> None:
        wanted = self.settings(values)
        planned = _checked_plan(wanted, self.config)
        for warning in planned.warnings:
            log.warning("warning: %s", without_folders(warning))
        extraction = bool(planned.extraction and not planned.extraction.startswith("cached"))
        self.tasks.start(wanted, extraction)

    def watch(self) -> Iterator[tuple[Any, ...]]:
        """Yield what the page shows of the render that goes on, or of the last one."""
        task, before = self.tasks.render, None
        while task is not None:
            ended = task.wait(REFRESH)
            if task.state is not before or ended:
                before = task.state
                yield _view(before)
            if ended:
                return

    def stop(self) -> str:
        """End the render after the frame that is being computed."""
        if self.tasks.render is None or not self.tasks.render.state.stage:
            return said("Nothing is being rendered.")
        self.tasks.render.stop()
        return said("Stopping after this frame.")


# ----- layout -------------------------------------------------------------------------------------


def _inputs(config: UiConfig) -> dict[str, Any]:
    """Lay out what is asked for, by the name of the setting."""
    asked: dict[str, Any] = {
        "source": gr.File(label="Picture of the signer (file)", elem_id="source"),
    }
    with gr.Accordion("Or take a picture with the camera", open=False):
        asked["webcam"] = gr.Image(
            label="Camera", sources=["webcam"], type="filepath", format="png", elem_id="webcam"
        )
        gr.HTML(elem_id="camera-status")
    asked["poses"] = gr.File(label="Poses to sign, or a clip to take them from", elem_id="poses")
    asked["source_poses"] = gr.File(
        label="Key points of the picture (optional)",
        elem_id="source-poses",
    )
    asked["align"] = gr.Radio(
        [
            ("as they are", "none"),
            ("move and scale", "affine"),
            ("the signer's proportions", "limb"),
        ],
        value="none",
        label="Bring the poses onto the signer",
        elem_id="align",
    )
    asked["background"] = gr.Radio(
        [("as it is rendered", ""), ("the picture's own, still", "keep"), "white", "green"],
        value="",
        label="Behind the signer",
        elem_id="background",
    )
    asked["preset"] = gr.Radio(
        list(get_args(Preset)), value="quality", label="Quality or speed", elem_id="preset"
    )
    asked["seed"] = gr.Number(0, label="Seed of the noise", precision=0, minimum=0, elem_id="seed")
    with gr.Accordion("More settings", open=False):
        asked["model"] = gr.Textbox(
            config.model,
            label="Model",
            info="mini (bundled), warp (no model), a folder, or owner/name on the hub",
            elem_id="model",
        )
        asked["frame"] = gr.Radio(
            list(get_args(Framing)), value="auto", label="Part of the picture that is rendered"
        )
        asked["steps"] = gr.Number(
            0, label="Denoising steps (0: those of the preset)", precision=0, elem_id="steps"
        )
        asked["smooth"] = gr.Checkbox(label="Calm key points")
        asked["steady"] = gr.Checkbox(label="Calm still pixels")
        asked["consent"] = gr.Textbox(
            label="Consent of the person shown", info="Kept beside the video, not in it"
        )
    return asked


def _outputs() -> dict[str, Any]:
    """Lay out what is shown, in the order of `_view`."""
    return {
        "source": gr.Image(
            label="Source with its key points",
            alt_text="The source picture with its key points drawn on it",
            buttons=["download", "fullscreen"],
            interactive=False,
            elem_id="source-view",
        ),
        "first": gr.Gallery(
            label="First frames and the newest",
            columns=5,
            object_fit="contain",
            height=190,
            buttons=[],
            visible=False,
            interactive=False,
            elem_id="first",
        ),
        "compare": gr.Video(
            label="Source, driving pose and result side by side",
            visible=False,
            interactive=False,
            elem_id="compare",
        ),
        "video": gr.Video(
            label="Result", height=420, visible=False, interactive=False, elem_id="result"
        ),
        "files": gr.File(
            label="Download",
            file_count="multiple",
            visible=False,
            interactive=False,
            elem_id="files",
        ),
        "about": gr.HTML(elem_id="about"),
    }


# ----- functions of the buttons -------------------------------------------------------------------


def _settings(values: dict[str, Any], folder: Path, page: UiConfig) -> RenderConfig:
    """Return the settings of a render, with a name of its own for each content."""
    webcam = values.pop("webcam")
    source, poses = values.pop("source") or webcam, values.pop("poses")
    if not source or not poses:
        missing = "a picture of the signer" if not source else "poses, or a clip"
        raise UserError(f"Choose {missing} first, or fill in the bundled example.", ExitCode.USAGE)
    source_poses = values.pop("source_poses")
    for path in (poses, source_poses):
        if path:
            checked_poses(path)
    values["steps"] = values["steps"] or None
    chosen = {name: value for name, value in values.items() if value not in (None, "")}
    if chosen.get("model") == WARP:
        chosen = {name: value for name, value in chosen.items() if name not in OF_MODELS}
    config = RenderConfig(
        source=source, poses=poses, source_poses=source_poses, device=page.device, **chosen
    )
    results = folder / "results"
    results.mkdir(exist_ok=True)
    name = f"signgen-{content_digest(config)[:12]}.mp4"
    return replace(config, out=str(results / name))


def _checked_plan(config: RenderConfig, page: UiConfig) -> RenderPlan:
    """Check all of a render, its length too."""
    planned = plan(config)
    if planned.frames > page.max_frames:
        raise UserError(
            f"{Path(config.poses).name} has {planned.frames} frames; the page renders up to "
            f"{page.max_frames}. Start it with signgen ui --max-frames {planned.frames}, or use "
            "signgen render.",
            ExitCode.USAGE,
        )
    return planned


def _planned(planned: RenderPlan) -> str:
    height, width = planned.size
    steps = "" if planned.steps is None else f", {planned.steps} steps each"
    return (
        f"Ready: {planned.frames} frames of {height} x {width} at {planned.fps:g} frames per "
        f"second{steps}, on {planned.device}."
    )


def _warnings(planned: RenderPlan) -> list[str]:
    return [f"Warning: {warning}" for warning in planned.warnings]


def _view(state: RenderState) -> tuple[Any, ...]:
    """Return what the page shows of a render, in the order of its components."""
    newest = [] if state.latest is None else [(state.latest, f"Frame {state.done}")]
    frames = [(frame, f"Frame {number}") for number, frame in enumerate(state.first, 1)]
    frames += newest if state.done > len(state.first) else []
    compare: Any = None
    video: Any = None if state.partial is None else str(state.partial)
    files: list[str] = []
    about = ""
    if state.result is not None:
        files = list(state.result.files)
        video, compare = files[:2]
        about = value_table(describe(Path(video)), "Where it comes from")
    elif state.partial is not None:
        compare = str(state.partial.with_name("compare.mp4"))
    shown = [
        gr.update(value=value or None, visible=bool(value))
        for value in (frames, compare, video, files)
    ]
    return render_state(state), gr.skip(), *shown, about
