"""What the doctor finds, and what it advises."""

from __future__ import annotations

import json

import pytest

from signgen.cli import doctor
from signgen.cli.doctor import Finding, diagnose
from signgen.cli.main import main


def test_core_works_where_the_tests_run() -> None:
    findings = {finding.name: finding for finding in diagnose()}
    packages = doctor.core_modules()
    assert {"numpy", "opencv-python-headless", "pyyaml", "tyro", "pose-format"} <= set(packages)
    assert "decord" not in packages, "not a package of the core"
    for name in ("Python", "signgen", "torch", "H.264 video", "bundled model", *packages):
        assert findings[name].state == "ok", findings[name]
    assert "cores" in findings["torch"].text or "CUDA" in findings["torch"].text
    decord = findings["decord"]
    assert decord.state == "optional" or "frames decoded" in decord.text


def test_missing_packages_name_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "OPTIONAL", {"no_such_backend": ("helps", "pip install it")})
    monkeypatch.setattr(doctor, "core_modules", lambda: {"core-library": "no_such_core"})
    findings = {finding.name: finding for finding in diagnose()}
    assert findings["no_such_backend"] == Finding(
        "no_such_backend", "optional", "not installed; helps. To install: pip install it"
    )
    assert findings["core-library"].state == "broken"
    assert findings["core-library"].text.startswith("is not installed (")
    assert findings["core-library"].text.endswith("pip install -c constraints.txt core-library")


def test_hub_state_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "core_modules", dict)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example")
    hub = next(finding for finding in diagnose() if finding.name == "model hub")
    assert hub.text.startswith("offline")
    assert "https://mirror.example" in hub.text


@pytest.mark.parametrize(
    ("state", "code", "verdict"),
    [("optional", 0, "signgen works here."), ("broken", 69, "Something is broken; see above.")],
)
def test_exit_code_follows_the_findings(
    state: str,
    code: int,
    verdict: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(doctor, "diagnose", lambda: iter([Finding("x", state, "mend it")]))
    assert main(["doctor"]) == code
    assert capsys.readouterr().out == f"{state:<9} {'x':<23} mend it\n{verdict}\n"
    assert main(["doctor", "--json"]) == code
    report = json.loads(capsys.readouterr().out)
    assert report["findings"] == [{"name": "x", "state": state, "text": "mend it"}]
    assert (report["schema_version"], report["works"]) == (1, code == 0)
