"""The files that set a machine up: what a fresh clone relies on before any test of ours can run."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools import debian
from tools.lock import locked_lines, normalized

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements-dev.lock").read_text().splitlines()
STEPS = ["test", "lint", "types", "contracts", "docs"]

# Stands where `make` is looked for: writes down what it is asked for, and fails for one target.
FAKE_MAKE = """#!/bin/sh
echo "$1" >> "$ASKED_FOR"
test "$1" != "$BROKEN"
"""


def test_the_lock_names_versions_and_nothing_else() -> None:
    """No address of a package index: the machine's pip knows where packages come from."""
    assert [line for line in LOCK if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.!+]*", line)] == []


def test_the_lock_holds_what_development_requires() -> None:
    """A requirement that was added or raised in pyproject.toml is resolved anew with `make lock`."""
    locked = dict(line.split("==") for line in LOCK)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    required = map(Requirement, [*project["dependencies"], *(line for lines in extras for line in lines)])
    theirs = [requirement for requirement in required if requirement.name != project["name"]]
    assert [str(requirement) for requirement in theirs if not is_met(requirement, locked)] == []


def is_met(requirement: Requirement, locked: dict[str, str]) -> bool:
    """Tell whether a requirement is locked, in a version that it allows."""
    version = locked.get(normalized(requirement.name))
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def test_a_lock_is_written_without_ourselves_and_without_addresses() -> None:
    """pip's report tells where each file came from; the lock does not."""
    wheel = {"url": "https://index.example/Flask_Admin-2.2.1-py3-none-any.whl"}
    report = {
        "install": [
            {"metadata": {"name": "pytz", "version": "2026.1"}, "download_info": wheel},
            {"metadata": {"name": "Flask_Admin", "version": "2.2.1"}, "download_info": wheel},
            {"metadata": {"name": "cs-plugin", "version": "0.1.0"}, "download_info": wheel},
        ]
    }
    assert locked_lines(report) == "flask-admin==2.2.1\npytz==2026.1\n"


def test_every_target_of_the_makefile_is_listed_by_its_help() -> None:
    """A target that help does not list is found by nobody."""
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    command = ("make", "--no-print-directory", "help")
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^make ([a-z-]+) +\S", listed, re.MULTILINE)) == set(phony[1].split())


def run_ci(tmp_path: Path, *, broken: str) -> tuple[int, list[str]]:
    """Run .ci/run with a make that fails for one target; return the exit code and the targets asked for."""
    make, asked_for = tmp_path / "make", tmp_path / "asked for"
    make.write_text(FAKE_MAKE)
    make.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "ASKED_FOR": str(asked_for),
        "BROKEN": broken,
    }
    done = subprocess.run((ROOT / ".ci" / "run",), env=environment, cwd=tmp_path, capture_output=True, check=False)
    return done.returncode, asked_for.read_text().split()


def test_ci_passes_when_every_step_does(tmp_path: Path) -> None:
    """All steps are run, from whatever folder."""
    assert run_ci(tmp_path, broken="none") == (0, ["environment", *STEPS])


@pytest.mark.parametrize("step", STEPS)
def test_ci_fails_with_any_step_and_runs_the_others(tmp_path: Path, step: str) -> None:
    """One run shows all that is wrong."""
    assert run_ci(tmp_path, broken=step) == (1, ["environment", *STEPS])


def test_ci_stops_when_there_is_no_environment(tmp_path: Path) -> None:
    """No step can run without one."""
    code, asked_for = run_ci(tmp_path, broken="environment")
    assert code != 0
    assert asked_for == ["environment"]


def test_who_is_not_root_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command can be copied as it is."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert debian.install(["chromium", "redis-server"]) == 1
    assert "sudo apt-get install --yes --no-install-recommends chromium redis-server" in capsys.readouterr().err


def test_nothing_is_installed_when_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has everything is left alone, and needs no network."""
    monkeypatch.setenv("PATH", "")
    assert debian.install([]) == 0
