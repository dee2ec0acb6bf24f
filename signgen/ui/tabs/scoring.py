"""The tab that scores two videos."""

from __future__ import annotations

from html import escape
from pathlib import Path
from tempfile import mkdtemp

import gradio as gr

from signgen.config.evaluation import EvalConfig
from signgen.config.ui import UiConfig
from signgen.errors import ExitCode, UserError
from signgen.evaluation.command import evaluate
from signgen.files.writing import save_text
from signgen.media import probe_video
from signgen.ui.states import said, without_folders
from signgen.ui.tabs.errors import explained
from signgen.ui.tasks import Tasks
from signgen.ui.uploads import checked_poses

__all__ = ["scoring_tab"]


def scoring_tab(tasks: Tasks, folder: Path, config: UiConfig) -> None:
    """Lay out the tab and connect its button; arguments as `rendering_tab`."""
    gr.Markdown(
        "Scores of one video against the true one, frame by frame, beside baselines to beat."
        " **Automatic scores do not show that signing is understood.**"
    )
    with gr.Row():
        generated = gr.File(label="Generated video", elem_id="score-generated")
        reference = gr.File(label="True video", elem_id="score-reference")
        poses = gr.File(
            label="Poses of the true video, for hands (optional)", elem_id="score-poses"
        )
    button = gr.Button("Score", variant="primary", elem_id="score")
    status = gr.HTML(elem_id="score-status")
    page = gr.HTML(elem_id="score-report")
    files = gr.File(label="Download the report", file_count="multiple", interactive=False)

    def score(generated: str | None, reference: str | None, poses: str | None) -> object:
        if not generated or not reference:
            return said("Choose two videos first.", kind="error"), gr.skip(), gr.skip()
        for video in (generated, reference):
            _check_length(video, config)
        with tasks.alone():
            made = Path(mkdtemp(dir=folder))
            written = [str(made / name) for name in ("report.html", "report.json")]
            report = evaluate(
                EvalConfig(
                    generated=generated,
                    reference=reference,
                    poses=checked_poses(poses) if poses else None,
                    hand_metrics=bool(poses),
                    report=written[0],
                    out=written[1],
                    device=config.device,
                )
            )
        # Both name the uploads, not where the page keeps them
        for file in map(Path, written):
            save_text(file, without_folders(file.read_text("utf-8")))
        html = Path(written[0]).read_text("utf-8")
        frame = f'<iframe title="Report" sandbox="allow-scripts" srcdoc="{escape(html)}"></iframe>'
        state = said("Scored.", *(f"Warning: {line}" for line in report.warnings), kind="done")
        return state, frame, written

    button.click(
        explained(score, 3),
        [generated, reference, poses],
        [status, page, files],
        api_visibility="private",
    )


def _check_length(video: str, config: UiConfig) -> None:
    frames = probe_video(video, count=True).num_frames
    if frames is not None and frames > config.max_frames:
        raise UserError(
            f"{Path(video).name} has {frames} frames; the page takes up to {config.max_frames}. "
            f"Start it with signgen ui --max-frames {frames}.",
            ExitCode.USAGE,
        )
