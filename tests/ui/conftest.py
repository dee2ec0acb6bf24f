"""The page in a real browser, and what every test of it ends with: contrast, and no request."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from signgen.config.ui import UiConfig
from signgen.ui.page import Page, open_page

CONTRAST = (Path(__file__).parent / "contrast.js").read_text("utf-8")
PORT = 7893
SLOW = 400_000  # milliseconds; a test machine may be busy


@pytest.fixture(scope="session")
def page() -> Iterator[Page]:
    pytest.importorskip("gradio")
    config = UiConfig(port=PORT, model="warp", device="cpu", max_frames=300, open=False)
    with open_page(config) as opened:
        yield opened


@pytest.fixture
def tab(page: Page, browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Return a tab with the page, and picture it at the end where `SIGNGEN_PICTURES` asks."""
    context = browser.new_context(viewport={"width": 1280, "height": 1100})
    opened = context.new_page()
    opened.set_default_timeout(SLOW)
    outside: list[str] = []
    opened.on("request", lambda sent: outside.append(sent.url))
    opened.goto(page.url)
    opened.wait_for_selector("#render")
    yield opened
    low = {theme: low_contrast(opened, theme) for theme in ("light", "dark")}
    if folder := os.environ.get("SIGNGEN_PICTURES"):
        picture(opened, Path(folder), request.node.name)
    if page.tasks.render is not None:
        page.tasks.render.stop()
        page.tasks.render.wait()
    context.close()
    local = ("http://127.0.0.1:", "data:", "blob:", "about:", "ws://127.0.0.1:")
    assert [url for url in outside if not url.startswith(local)] == []
    assert low == {"light": [], "dark": []}


def low_contrast(tab: Any, theme: str) -> list[str]:
    """Return the texts of the page whose contrast is too low in a theme."""
    switch_theme(tab, theme)
    measured = tab.evaluate(CONTRAST)
    assert measured["seen"] > 10
    return list(measured["bad"])


def switch_theme(tab: Any, theme: str) -> None:
    """Show the page in a theme, at once: nothing fades from one to the other."""
    tab.add_style_tag(content="*, ::before, ::after { transition: none !important; }")
    tab.evaluate(f"document.body.classList.{'add' if theme == 'dark' else 'remove'}('dark')")
    tab.wait_for_timeout(300)


def picture(tab: Any, folder: Path, name: str) -> None:
    """Save the page in both themes and at a phone's width."""
    folder.mkdir(exist_ok=True)
    for theme in ("light", "dark"):
        for where, width in (("desktop", 1280), ("phone", 390)):
            tab.set_viewport_size({"width": width, "height": 1000})
            switch_theme(tab, theme)
            tab.screenshot(path=str(folder / f"{name}-{theme}-{where}.png"), full_page=True)
