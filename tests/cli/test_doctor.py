"""What the doctor finds, and what it advises."""

from __future__ import annotations

import pytest

from signgen.cli import doctor
from signgen.cli.doctor import Finding, diagnose, report, works
from signgen.cli.main import main


def test_core_works_where_the_tests_run() -> None:
    findings = {finding.name: finding for finding in diagnose()}
    for name in ("Python", "torch", "H.264 video", *(name for _, name in doctor.CORE)):
        assert findings[name].state == "ok", findings[name]
    assert "cores" in findings["torch"].text or "CUDA" in findings["torch"].text


def test_missing_backends_name_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "OPTIONAL", (("no_such_backend", "helps", "pip install it"),))
    monkeypatch.setattr(doctor, "CORE", (("no_such_core", "core-library"),))
    findings = {finding.name: finding for finding in diagnose()}
    assert findings["no_such_backend"].state == "optional"
    assert "pip install it" in findings["no_such_backend"].text
    assert findings["core-library"].state == "broken"
    assert "pip install -c constraints.txt core-library" in findings["core-library"].text
    assert not works(list(findings.values()))


def test_hub_state_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CORE", ())
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example")
    hub = next(finding for finding in diagnose() if finding.name == "model hub")
    assert hub.text.startswith("offline")
    assert "https://mirror.example" in hub.text


def test_exit_code_follows_the_findings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "diagnose", lambda: iter([Finding("x", "optional", "missing")]))
    assert main(["doctor"]) == 0
    assert "signgen works here" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "diagnose", lambda: iter([Finding("x", "broken", "mend it")]))
    assert main(["doctor"]) == 69
    assert "mend it" in capsys.readouterr().out


def test_report_is_plain() -> None:
    assert report([Finding("x", "ok", "y")])["findings"] == [
        {"name": "x", "state": "ok", "text": "y"}
    ]
