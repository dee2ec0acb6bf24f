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
TREES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}
MAX_LINES = 350
MAX_FUNCTION_LINES = 60
MAX_NAMES = 20
"""Names at one level of the package: what a reader takes in at one look."""
UNPICKLING = {"signgen/files/foreign/unpickling.py"}
"""The one place that may read pickles of strangers, with an allow-list in a limited process."""


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
        paths = [ROOT / line for line in answer.stdout.splitlines()]
    else:
        skipped = {
            ".venv",
            ".venv-mediapipe",
            ".venv-mmpose",
            ".venv-ui",
            ".venv-site",
            ".git",
            "__pycache__",
            "runs",
        }
        skipped |= {".mypy_cache", ".ruff_cache"}
        paths = [path for path in ROOT.rglob("*") if not skipped & set(path.parts)]
    return [path for path in paths if path.is_file()]


# ----- layout -------------------------------------------------------------------------------------


def test_datasets_holds_no_python() -> None:
    # A package of that name would shadow the one on PyPI.
    assert not list((ROOT / "datasets").rglob("*.py"))


def test_modules_and_levels_are_short() -> None:
    lengths = {name: len((ROOT / name).read_text("utf-8").splitlines()) for name in TREES}
    assert not {name: length for name, length in lengths.items() if length > MAX_LINES}
    folders = {(ROOT / name).parent for name in TREES}
    levels = {
        folder: {path.name for path in folder.iterdir() if not path.name.startswith("__")}
        for folder in folders
    }
    assert not {folder: names for folder, names in levels.items() if len(names) > MAX_NAMES}


def test_functions_are_short() -> None:
    long = {}
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                # The docstring is documentation, not length.
                documented = ast.get_docstring(node) is not None
                start = node.body[0].end_lineno if documented else node.lineno
                length = (node.end_lineno or 0) - (start or 0)
                if length > MAX_FUNCTION_LINES:
                    long[f"{name}: {node.name}"] = length
    assert not long


def test_module_names_say_something() -> None:
    vague = {"utils", "helpers", "common", "misc", "manager"}
    assert not [name for name in TREES if Path(name).stem in vague]


# ----- docstrings ---------------------------------------------------------------------------------


def undocumented(node: ast.AST, prefix: str) -> Iterator[str]:
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


def test_public_names_have_docstrings() -> None:
    assert not [name for name, tree in TREES.items() if tree.body and not ast.get_docstring(tree)]
    assert not [
        missing for name, tree in TREES.items() for missing in undocumented(tree, f"{name}: ")
    ]


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
PICKLES = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve"}


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


def imported(tree: ast.Module) -> set[str]:
    """Return the top names of all packages that a module imports."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {name.name.split(".")[0] for name in node.names}
        if isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


def test_no_unsafe_calls() -> None:
    assert not {name: calls for name, tree in TREES.items() if (calls := [*unsafe_calls(tree)])}
    assert not [
        name
        for name, tree in TREES.items()
        if imported(tree) & PICKLES and not name.startswith(tuple(UNPICKLING))
    ]


def test_nobody_is_told_to_load_unsafely() -> None:
    advice = re.compile(r"weights_only=False|allow_pickle=True|trust_remote_code=True")
    texts = {name: (ROOT / name).read_text("utf-8").replace(" ", "") for name in TREES}
    assert not [name for name, text in texts.items() if advice.search(text)]


@pytest.mark.parametrize(
    ("code", "unsafe"),
    [
        ("pickle.load(f)", True),
        ("eval(text)", True),
        ("yaml.load(text)", True),
        ("yaml.load(text, yaml.Loader)", True),
        ("torch.load(path)", True),
        ("torch.load(path, weights_only=False)", True),
        ("np.load(path, allow_pickle=True)", True),
        ("subprocess.run(line, shell=True)", True),
        ("yaml.safe_load(text)\nmodel.eval()\ntorch.load(path, weights_only=True)\n", False),
    ],
)
def test_unsafe_calls_are_noticed(code: str, unsafe: bool) -> None:
    assert bool(list(unsafe_calls(ast.parse(code)))) == unsafe


# ----- no traces of a workplace -------------------------------------------------------------------

# Spelled in pieces, so that this file does not hold what it forbids.
WORKPLACE = re.compile(r"(?<![\w.~-])/(?:" + "|".join(["wo" + "rk", "ro" + "ot"]) + r")(?=/)")
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".sh", ".cff", ".json", ".csv", ""}


def test_no_workplace_paths() -> None:
    traces = []
    for path in files_of_the_project():
        if path.suffix not in TEXT or path.stat().st_size > 1_000_000:
            continue
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
            if WORKPLACE.search(line):
                traces.append(f"{path.relative_to(ROOT)}:{number}")
    assert not traces


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
    needs = [*project["project"]["dependencies"]]  # type: ignore[index]
    for extra in project["project"]["optional-dependencies"].values():  # type: ignore[index]
        needs += extra
    names = {re.sub(r"[-_.]+", "-", re.split(r"[<>=;\[ ]", need)[0]).lower() for need in needs}
    # Its own extras, and what needs an older Pillow and so is pinned in requirements/ui.txt
    assert names - pinned == {"signgen", "gradio"}


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


def test_a_dry_run_loads_few_modules_and_no_torch(tmp_path: Path) -> None:
    demo = ROOT / "signgen" / "assets" / "sample" / "demo"
    words = ["render", "--source", str(demo / "source.png"), "--poses", str(demo / "poses.json")]
    code = (
        "import sys\n"
        "from signgen.cli.main import main\n"
        f"assert main([*{words!r}, '--device', 'cpu', '--dry-run']) == 0\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'scipy', 'sympy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert len(sys.modules) < 800, len(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=tmp_path, stdout=subprocess.DEVNULL
    )
    assert list(tmp_path.iterdir()) == []


def test_a_model_loads_what_it_calls_and_the_rest_of_a_library_when_it_is_asked_for() -> None:
    code = (
        "import sys\n"
        "from signgen.cli.later import LATER, install\n"
        "install()\n"
        "import signgen.rendering.renderer, signgen.models.fpdm, signgen.models.autoencoder\n"
        "early = [name for name in LATER if type(sys.modules.get(name)).__name__ == 'module']\n"
        "assert not early, early\n"
        "assert 'scipy.stats._distn_infrastructure' not in sys.modules\n"
        "assert len(sys.modules) < 3500, len(sys.modules)\n"
        "from diffusers.models.unets import UNet1DModel, UNet2DConditionModel\n"
        "from signgen.models.backbone import UNet2DConditionModel as ours\n"
        "assert ours is UNet2DConditionModel, 'one class'\n"
        "import scipy.stats\n"
        "assert scipy.stats.norm.cdf(0) == 0.5"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


# ----- documents ----------------------------------------------------------------------------------

MENTION = re.compile(r"(?<![\w/.*])((?:[a-z0-9_]+/)*[a-z0-9_]+\.py)\b")


def test_architecture_names_every_package_and_nothing_that_is_gone() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    packages = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert not {name for name in packages if f"\n  {name}/" not in text}
    mentioned = set(MENTION.findall(text))
    assert not {
        name for name in mentioned if not any((top / name).is_file() for top in (PACKAGE, ROOT))
    }


def test_links_lead_somewhere() -> None:
    for path in [
        path for folder in (".", "datasets", "docs") for path in ROOT.glob(f"{folder}/*.md")
    ]:
        links = re.findall(r"\]\(([^)#]+)", path.read_text("utf-8"))
        local = [link for link in links if not re.match(r"[a-z]+:", link)]
        assert not [link for link in local if not (path.parent / link).exists()], path
