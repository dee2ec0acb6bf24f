from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from signgen.errors import ExitCode, UserError
from signgen.files.locking import locked

HOLD = """
import sys, time
from pathlib import Path
from signgen.files.locking import locked
with locked(Path(sys.argv[1]), "a training"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_lock_refuses_a_second_holder_and_dies_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "new" / "run"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(UserError, match="run is in use: a training") as caught,
            locked(path, "a training"),
        ):
            pass
        assert caught.value.code == ExitCode.CANNOT_CREATE
    finally:
        other.kill()
        other.wait()
    with locked(path, "a training"):
        with pytest.raises(UserError, match="in use"), locked(path, "a training"):
            pass
        with locked(path.with_name("other"), "a training"):
            pass
    assert not list(path.parent.iterdir())
