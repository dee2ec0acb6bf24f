"""`signgen ui`: a page in the browser."""

from __future__ import annotations

from signgen.cli.output import print_note, print_result
from signgen.cli.parsing import command
from signgen.config.ui import UiConfig
from signgen.errors import ExitCode

__all__ = ["ui"]


@command("signgen ui")
def ui(config: UiConfig) -> int:
    """Open a page in the browser: render, score two videos, look into poses.

    It is for this machine alone (127.0.0.1), and nothing leaves it. Ctrl-C ends it, and removes
    what was not downloaded. It needs Gradio: pip install "signgen[ui]".

    Example: signgen ui --port 7861
    """
    from signgen.ui.page import open_page

    with open_page(config) as page:
        print_result(page.url)
        print_note("the page is open; Ctrl-C ends it and removes what was not downloaded")
        page.wait()
    return ExitCode.OK
