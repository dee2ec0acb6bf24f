"""The repository keeps its own rules: sizes, docstrings, unsafe calls, paths, documents."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "signgen"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 350
# One place for every setting is worth more than the limit: a list, half of it help texts.
LONGER: dict[str, int] = {}
MAX_FUNCTION_LINES = 60


def module_name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def files_of_the_project() -> list[Path]:
    """Tracked and not-ignored files; every file outside caches where there is no git."""
    answer = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode == 0:
        found = [ROOT / line for line in answer.stdout.splitlines()]
    else:
        skipped = {".venv", ".venv-mediapipe", ".venv-mmpose", ".git", "__pycache__", "runs"}
        skipped |= {".mypy_cache", ".ruff_cache"}
        found = [path for path in ROOT.rglob("*") if not skipped & set(path.parts)]
    return [path for path in found if path.is_file()]


# ----- layout -------------------------------------------------------------------------------------


def test_datasets_holds_no_python() -> None:
    # A package of that name would shadow the one on PyPI.
    assert not list((ROOT / "datasets").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_module_is_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGER.get(module_name(path), MAX_LINES), (
        f"{module_name(path)} has {lines} lines; split it"
    )


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_functions_are_short(path: Path) -> None:
    long = {}
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # The docstring is documentation, not length.
            documented = ast.get_docstring(node) is not None
            start = node.body[0].end_lineno if documented else node.lineno
            length = (node.end_lineno or 0) - (start or 0)
            if length > MAX_FUNCTION_LINES:
                long[node.name] = length
    assert not long


def test_module_names_say_something() -> None:
    vague = {"utils", "helpers", "common", "misc", "manager"}
    assert not [module_name(path) for path in MODULES if path.stem in vague]


# ----- docstrings ---------------------------------------------------------------------------------


def undocumented(node: ast.AST, prefix: str = "") -> Iterator[str]:
    """Yield public classes, functions and methods without a docstring."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if child.name.startswith("_") or any(
            isinstance(mark, ast.Name) and mark.id in {"overload", "property"}
            for mark in child.decorator_list
        ):
            continue
        if ast.get_docstring(child) is None:
            yield prefix + child.name
        if isinstance(child, ast.ClassDef):
            yield from undocumented(child, f"{prefix}{child.name}.")


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_public_names_have_docstrings(path: Path) -> None:
    tree = tree_of(path)
    assert ast.get_docstring(tree) or not tree.body, "the module has no docstring"
    assert not list(undocumented(tree))


# ----- unsafe calls -------------------------------------------------------------------------------

UNSAFE_NAMES = {"eval", "exec"}
UNSAFE_ATTRIBUTES = {
    ("pickle", "load"),
    ("pickle", "loads"),
    ("pickle", "Unpickler"),
    ("yaml", "load"),
    ("yaml", "unsafe_load"),
    ("yaml", "full_load"),
    ("os", "system"),
}
UNSAFE_KEYWORDS = {("weights_only", False), ("allow_pickle", True), ("shell", True)}
UNSAFE_KEYWORDS |= {("trust_remote_code", True)}


def unsafe_calls(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called, text = node.func, f"line {node.lineno}: {ast.unparse(node)[:80]}"
        if isinstance(called, ast.Name) and called.id in UNSAFE_NAMES:
            yield text
        if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
            pair = (called.value.id, called.attr)
            if pair in UNSAFE_ATTRIBUTES:
                yield text
            if pair == ("torch", "load") and not any(
                keyword.arg == "weights_only" for keyword in node.keywords
            ):
                yield text
        for keyword in node.keywords:
            value = keyword.value
            if isinstance(value, ast.Constant) and (keyword.arg, value.value) in UNSAFE_KEYWORDS:
                yield text


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_no_unsafe_calls(path: Path) -> None:
    assert not list(unsafe_calls(tree_of(path)))


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_no_pickle_module(path: Path) -> None:
    # `pickles/pickle_machine.py` reads pickles of others without running them.
    imported = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            imported |= {name.name.split(".")[0] for name in node.names}
        if isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert not imported & {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve"}


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_nobody_is_told_to_load_unsafely(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace(" ", "")
    assert not re.search(r"weights_only=False|allow_pickle=True|trust_remote_code=True", text)


@pytest.mark.parametrize(
    "code",
    [
        "pickle.load(f)",
        "eval(text)",
        "yaml.load(text)",
        "yaml.load(text, yaml.Loader)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(line, shell=True)",
    ],
)
def test_unsafe_calls_are_noticed(code: str) -> None:
    assert list(unsafe_calls(ast.parse(code)))


def test_safe_loading_is_allowed() -> None:
    code = "yaml.safe_load(text)\nmodel.eval()\ntorch.load(path, weights_only=True)\n"
    assert not list(unsafe_calls(ast.parse(code)))


# ----- no traces of a workplace -------------------------------------------------------------------

# Spelled in pieces, so that this file does not hold what it forbids.
WORKPLACE = re.compile(r"(?<![\w.~-])/(?:" + "|".join(["wo" + "rk", "ro" + "ot"]) + r")(?=/)")
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".sh", ".cff", ".json", ".csv", ""}


def test_no_workplace_paths() -> None:
    found = []
    for path in files_of_the_project():
        if path.suffix not in TEXT or path.stat().st_size > 1_000_000:
            continue
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
            if WORKPLACE.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}")
    assert not found


def test_constraints_hold_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin) for pin in pins)
    assert "torch==2.13.0" in pins


# ----- package ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_version_is_stated_once(project: dict[str, object]) -> None:
    import signgen

    assert signgen.__version__ == project["project"]["version"]  # type: ignore[index]


def test_every_direct_dependency_is_pinned(project: dict[str, object]) -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in lines}
    wanted = [*project["project"]["dependencies"]]  # type: ignore[index]
    wanted += project["project"]["optional-dependencies"]["dev"]  # type: ignore[index]
    names = {re.sub(r"[-_.]+", "-", re.split(r"[<>=;\[ ]", need)[0]).lower() for need in wanted}
    assert not names - pinned


def test_assets_are_in_the_wheel(project: dict[str, object]) -> None:
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]  # type: ignore[index]
    assert wheel["packages"] == ["signgen"]
    assert "signgen/assets/**" in wheel["artifacts"]


def test_command_line_loads_no_torch() -> None:
    code = (
        "import sys, signgen.cli.main, signgen.structures, signgen.pose, signgen.media\n"
        "import signgen.pose.estimators\n"
        "heavy = {'torch', 'diffusers', 'transformers'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


# ----- ARCHITECTURE.md ----------------------------------------------------------------------------

MENTION = re.compile(r"(?<![\w/.*])((?:[a-z0-9_]+/)*[a-z0-9_]+\.py)\b")


def test_architecture_names_every_package_and_nothing_that_is_gone() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    packages = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert not {name for name in packages if f"\n  {name}/" not in text}
    gone = {
        name
        for name in MENTION.findall(text)
        if not any((top / name).is_file() for top in (PACKAGE, ROOT))
    }
    assert not gone, f"ARCHITECTURE.md mentions what does not exist: {sorted(gone)}"


@pytest.mark.parametrize(
    "path", [path for folder in (".", "datasets", "docs") for path in (ROOT / folder).glob("*.md")]
)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", path.read_text("utf-8"))
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert not [link for link in local if not (path.parent / link).exists()]
