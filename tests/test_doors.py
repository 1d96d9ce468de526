"""The doors at the root: where the project's card names hooks, templates and migrations, the package's own files stand."""

from __future__ import annotations

import filecmp
from importlib.resources import files
from pathlib import Path

import pytest

import cs_plugin

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("door", ["hookspecs.py", "templates", "migrations"])
def test_a_door_opens_into_the_package(door: str) -> None:
    """It is a link, relative so that a clone anywhere has it, to what is installed."""
    path = ROOT / door
    assert path.is_symlink()
    assert not path.readlink().is_absolute()
    assert path.resolve() == (Path(cs_plugin.__file__).parent / door).resolve()


def test_what_stands_behind_the_doors_is_what_the_package_loads() -> None:
    """The hooks, a template and a migration are read as resources of the package, and are the same files."""
    package = files("cs_plugin")
    for inside in ("hookspecs.py", "templates/cs_plugin/mail/reply/body.txt", "migrations/versions/0001_first.py"):
        assert filecmp.cmp(ROOT / inside, str(package / inside), shallow=False)
