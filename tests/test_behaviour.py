"""docs/behaviour.md and the tests agree: every numbered sentence is shown by a test, and every number that a test claims exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
BEHAVIOUR = TESTS.parent / "docs" / "behaviour.md"


def numbers_of_the_document() -> list[str]:
    """Return the numbers, in their order."""
    return re.findall(r"^\*\*(\d+\.\d+)\*\*", BEHAVIOUR.read_text(), re.MULTILINE)


def numbers_of_the_tests() -> dict[str, list[str]]:
    """Return for each number the tests that claim to show it."""
    shown: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                for number in _claimed(node):
                    shown.setdefault(number, []).append(f"{path.relative_to(TESTS)}::{node.name}")
    return shown


def _claimed(node: ast.FunctionDef | ast.ClassDef) -> list[str]:
    marks = [one for one in node.decorator_list if isinstance(one, ast.Call) and ast.unparse(one.func) == "pytest.mark.shows"]
    return [argument.value for mark in marks for argument in mark.args if isinstance(argument, ast.Constant)]


def test_every_sentence_is_shown_by_a_test() -> None:
    """A sentence without a test is a promise, not a behaviour."""
    shown = numbers_of_the_tests()
    assert [number for number in numbers_of_the_document() if number not in shown] == []


def test_every_number_that_a_test_shows_exists() -> None:
    """A test that shows a number which the document does not have shows nothing."""
    known = numbers_of_the_document()
    unknown = {number: tests for number, tests in numbers_of_the_tests().items() if number not in known}
    assert unknown == {}


def test_no_number_stands_twice() -> None:
    """A number names one sentence."""
    numbers = numbers_of_the_document()
    assert len(numbers) == len(set(numbers))
