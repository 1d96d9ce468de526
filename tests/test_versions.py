"""The lowest versions of what the desk requires, and the newest Python: the journeys run with them; and how the environments are made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import versions
from tools.versions import ENVIRONMENTS, Environment, find_python, lowest, main, requirements, run

LOWEST, NEWEST_PYTHON = ENVIRONMENTS[0], ENVIRONMENTS[-1]
PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def test_the_journeys_with_the_lowest_versions() -> None:
    """Every lower bound of pyproject.toml is one that the desk works with."""
    outcome = run(LOWEST, versions.ECONOMICAL)
    assert outcome.passed, outcome.said
    bounds = dict(line.split("==") for line in lowest(requirements(PYPROJECT)))
    for name, version in zip(versions.SHOWN, outcome.versions, strict=True):
        assert re.fullmatch(rf"{re.escape(bounds[name])}(\.0)*", version), (name, version)
    assert_they_ran(outcome.said)


@pytest.mark.skipif(find_python(NEWEST_PYTHON.python) is None, reason=f"Python {NEWEST_PYTHON.python} is not on this machine")
def test_the_journeys_with_the_newest_python() -> None:
    """And the newest versions."""
    outcome = run(NEWEST_PYTHON, versions.ECONOMICAL)
    assert outcome.passed, outcome.said
    assert_they_ran(outcome.said)


def assert_they_ran(said: str) -> None:
    """None was skipped, and both were there."""
    found = re.search(r"^(\d+) passed(, \d+ deselected)?(, \d+ warnings?)? in", said, re.MULTILINE)
    assert found is not None, said
    assert int(found[1]) == 2


def test_a_lower_bound_is_taken_exactly() -> None:
    """What stands behind it, extras and markers included, is left out; a name without a bound is not held."""
    assert lowest(["flask>=3.0,<4", "SQLAlchemy>=2.0.23,<2.2", "tzdata", "psycopg[binary]>=3.1; sys_platform == 'linux'"]) == [
        "flask==3.0", "sqlalchemy==2.0.23", "psycopg==3.1",
    ]  # fmt: skip


def test_every_requirement_has_a_lower_bound() -> None:
    """But for data that has a new version every month."""
    assert len(lowest(requirements(PYPROJECT))) == len(requirements(PYPROJECT)) - 1


def test_a_python_that_is_not_there_is_none() -> None:
    """No guess, and no other version in its place."""
    assert find_python("3.99") is None


def test_every_python_of_the_classifiers_has_an_environment() -> None:
    """And the table shows both ends of the oldest."""
    promised = set(re.findall(r'"Programming Language :: Python :: (3\.\d+)"', PYPROJECT.read_text()))
    assert {one.python for one in ENVIRONMENTS} == promised
    assert [one.lowest for one in ENVIRONMENTS].count(True) == 1


def test_the_table_says_which_python_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It is a line of the table, and no failure of the desk's."""
    monkeypatch.setattr(versions, "ENVIRONMENTS", (Environment("tomorrow", "3.99"),))
    assert main([]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "| tomorrow | 3.99 | – | – | – | – | Python 3.99 is not on this machine |"


def test_an_environment_that_cannot_be_made_is_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also where the program that failed has said nothing."""
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(versions, "FOLDER", tmp_path)
    monkeypatch.setattr(versions, "find_python", lambda _version: broken)
    outcome = run(Environment("impossible", "3.11", lowest=True))
    assert not outcome.passed
    assert outcome.said == f"{broken} ended with 3"
