"""The generated documentation is current, whole, and says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cs_plugin import plugins
from cs_plugin.extension import SETTINGS
from cs_plugin.rules.options import OPTIONS
from tools import docs

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "cs_plugin"


def test_the_generated_pages_are_current() -> None:
    """Whoever changes a hook, a setting or an option writes the pages anew."""
    assert docs.main(["--check"]) == 0


@pytest.mark.parametrize("name", ["hooks.md", "configuration.md", "options.md"])
def test_the_check_fails_for_a_page_that_is_not_current(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A page that lacks a line, or that is not there, stops the check and is named; nothing is written."""
    assert docs.main(["--check"], tmp_path) == 1
    assert not list(tmp_path.iterdir())
    docs.main([], tmp_path)
    assert docs.main(["--check"], tmp_path) == 0
    (tmp_path / name).write_text("old")
    capsys.readouterr()
    assert docs.main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err == f"docs/{name} is not current: run python -m tools.docs\n"
    assert (tmp_path / name).read_text() == "old"


def test_every_hook_stands_in_the_page_once_under_its_kind() -> None:
    """No hook is left out by the grouping, and each has its heading, its signature and its text."""
    page = docs.hooks_page()
    assert sorted(re.findall(r"^### (\w+)$", page, re.MULTILINE)) == sorted(plugins.hook_names())
    for group in docs.GROUPS:
        section = page.partition(f"## {group.title}\n")[2].partition("\n## ")[0]
        found = re.findall(r"^### (\w+)$", section, re.MULTILINE)
        assert found == [name for name in plugins.hook_names() if plugins.kind_of(name) is group.kind]


def test_a_long_signature_is_written_an_argument_a_line() -> None:
    """Twelve arguments on one line are read by nobody."""
    assert docs.signature("cs_current_employee") == "cs_current_employee() -> Employee | None"
    assert "\n    email: str,\n    text: str,\n" in docs.signature("cs_contact_form_submitted")


def test_every_configuration_key_that_the_code_reads_is_a_documented_setting() -> None:
    """A key that is read somewhere and declared nowhere is known to nobody; one that nothing reads does nothing."""
    declared = {setting.key for setting in SETTINGS}
    read = {
        key
        for path in PACKAGE.rglob("*.py")
        if path.name != "extension.py" or path.parent != PACKAGE
        for key in re.findall(r"""(?:config(?:\.get|\.setdefault)?[\[(])["'](CS_\w+)["']""", path.read_text())
    }
    read |= set(re.findall(r"""config\[["'](CS_\w+)["']""", (PACKAGE / "extension.py").read_text()))
    assert read == declared


def test_every_setting_says_what_it_means() -> None:
    """A row of the page is a key, a default and a sentence."""
    page = docs.configuration_page()
    for setting in SETTINGS:
        assert setting.meaning.endswith("."), setting.key
        assert f"| `{setting.key}` | " in page


def test_every_option_stands_in_the_page_with_its_default() -> None:
    """Options are documented under the words that employees see."""
    page = docs.options_page()
    assert [f"| {option.label} |" in page for option in OPTIONS] == [True] * len(OPTIONS)
    assert "| Assign on first reply | switch | on |" in page
    assert "| After a reply | one of: Close the thread, Keep its status | Close the thread |" in page
    assert "| Files per message | number, 0 to 50 | `5` |" in page


def test_no_cell_of_a_table_breaks_its_row() -> None:
    """A line end or a bar in a text would end the cell there."""
    for text in (docs.configuration_page(), docs.options_page()):
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in rows}) == 1
