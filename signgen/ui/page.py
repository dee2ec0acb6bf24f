"""The page as a whole, and the server that shows it to this machine alone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from signgen.config.ui import UiConfig
from signgen.errors import ExitCode, UserError
from signgen.ui.tasks import Tasks

__all__ = ["Page", "open_page"]

ADDRESS = "127.0.0.1"
QUEUE = 16
"""Requests that may wait."""
FONTS = ["system-ui", "sans-serif"]
"""Of the machine: the page loads nothing from elsewhere."""


@dataclass(frozen=True)
class Page:
    """A page that is being shown.

    Args:
        url: Where.
        tasks: What it has going on.
        server: Gradio's page.
    """

    url: str
    tasks: Tasks
    server: Any

    def wait(self) -> None:
        """Wait until a signal ends the process."""
        while True:
            time.sleep(3600)


@contextmanager
def open_page(config: UiConfig) -> Iterator[Page]:
    """Show the page until the block ends; then a render is stopped and all files are removed.

    Raises:
        UserError: If Gradio is not installed, or the port is in use.
    """
    if find_spec("gradio") is None:
        raise UserError(
            "gradio is not installed, which shows the page: pip install 'signgen[ui]'.",
            ExitCode.UNAVAILABLE,
        )
    if not 1 <= config.port <= 65535:
        raise UserError(f"--port is {config.port}; expected 1 to 65535.", ExitCode.USAGE)
    with TemporaryDirectory(prefix="signgen-ui-", ignore_cleanup_errors=True) as folder:
        # Uploads lie there too, and nobody is told of what is done here
        os.environ["GRADIO_TEMP_DIR"] = folder
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
        tasks = Tasks()
        server = _blocks(tasks, Path(folder), config)
        url = _launched(server, Path(folder), config)
        try:
            yield Page(url, tasks, server)
        finally:
            if tasks.render is not None:
                tasks.render.stop()
                tasks.render.wait(60)
            server.close(verbose=False)


def _blocks(tasks: Tasks, folder: Path, config: UiConfig) -> Any:
    """Return the page, not shown yet."""
    import gradio as gr

    from signgen.ui.tabs.poses import poses_tab
    from signgen.ui.tabs.rendering import rendering_tab
    from signgen.ui.tabs.scoring import scoring_tab

    with gr.Blocks(title="signgen", analytics_enabled=False) as page:
        gr.Markdown(
            "# signgen\nA picture of a signer and a sequence of poses become a video of that "
            "signer. All of it stays on this machine. Videos are marked as synthetic; render "
            "people who agreed to it."
        )
        with gr.Tab("Render"):
            rendering_tab(tasks, folder, config, page)
        with gr.Tab("Score"):
            scoring_tab(tasks, folder, config)
        with gr.Tab("Poses"):
            poses_tab(tasks, folder)
    page.queue(max_size=QUEUE, default_concurrency_limit=1)
    return page


def _launched(page: Any, folder: Path, config: UiConfig) -> str:
    """Show the page on this machine alone and return its address."""
    import gradio as gr

    theme = gr.themes.Base(
        primary_hue="blue", neutral_hue="slate", font=FONTS, font_mono=["monospace"]
    )
    try:
        _, url, _ = page.launch(
            server_name=ADDRESS,
            server_port=config.port,
            share=False,
            inbrowser=config.open,
            prevent_thread_lock=True,
            quiet=True,
            show_error=True,
            footer_links=[],
            allowed_paths=[str(folder)],
            max_file_size=config.max_upload * 10**6,
            enable_monitoring=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            theme=theme,
            css=(files("signgen.ui") / "style.css").read_text("utf-8"),
            js=(files("signgen.ui") / "camera.js").read_text("utf-8"),
        )
    except OSError as error:
        raise UserError(
            f"port {config.port} is in use; expected a free one. Choose another: signgen ui "
            f"--port {config.port % 65535 + 1}.",
            ExitCode.UNAVAILABLE,
        ) from error
    return str(url)
