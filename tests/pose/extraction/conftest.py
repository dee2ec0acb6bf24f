from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the user's cache out of it."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("SIGNGEN_CACHE", str(folder))
    return folder
