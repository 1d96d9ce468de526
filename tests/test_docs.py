"""The generated documentation is current, whole, and says what the code does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from cs_plugin import CustomerService, Orders, People, StoreAnswers, plugins
from cs_plugin.adapters import orders, people
from cs_plugin.cli import cs
from cs_plugin.extension import SETTINGS
from cs_plugin.rules.options import BLOCK_TITLES, OPTIONS
from tools import docs

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "cs_plugin"


def test_the_generated_pages_are_current() -> None:
    """Whoever changes a hook, a setting or an option writes the pages anew."""
    assert docs.main(["--check"]) == 0


@pytest.mark.parametrize("name", ["hooks.md", "configuration.md", "options.md", "commands.md"])
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
    """Options are documented under the words that employees see and the names that commands take, block by block as in the form."""
    page = docs.options_page()
    assert re.findall(r"^\| [^|]+ \| `(\w+)` \|", page, re.MULTILINE) == [option.name for option in OPTIONS]
    for block, title in BLOCK_TITLES.items():
        section = page.partition(f"## {title}\n")[2].partition("\n## ")[0]
        assert re.findall(r"^\| [^|]+ \| `(\w+)` \|", section, re.MULTILINE) == [option.name for option in OPTIONS if option.block is block]
    assert "| Assign on first reply | `assign_on_first_reply` | on or off | on | Whoever" in page
    assert "| one of: `close` (Close the thread), `keep` (Keep its status) | `close` |" in page
    assert "| Files per message | `files_per_message` | number, 0 to 50 | `5` |" in page
    assert "| IMAP options (/norsh) | `imap_norsh` |" in page
    for option in OPTIONS:
        assert f"{option.help} {option.more_help}".strip() in page


def test_every_command_stands_in_the_page_with_its_options() -> None:
    """What `flask cs COMMAND --help` says can be read without the program, and every command says what it is for."""
    page = docs.commands_page()
    groups = {name: one for name, one in cs.commands.items() if isinstance(one, click.Group)}
    within = {f"{name} {inner}": command for name, group in groups.items() for inner, command in group.commands.items()}
    assert re.findall(r"^## (\w+)$", page, re.MULTILINE) == sorted(cs.commands)
    assert re.findall(r"^### (\w+ \w+)$", page, re.MULTILINE) == sorted(within)
    for name, command in (cs.commands | within).items():
        section = re.split(rf"\n##+ {name}\n", page)[1].partition("\n##")[0]
        assert command.help, name
        assert command.help.split("\n")[0].strip() in section, name
        options = [text for one in command.params for text in one.opts if text.startswith("--")]
        assert [text for text in options if text not in section] == [], name
        assert f"](#{name.replace(' ', '-')})" in page
    assert r"| `--retry ID\|all` | " in page


WRITTEN = " ".join(path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def test_everything_that_a_template_can_call_is_documented() -> None:
    """What the desk adds to a host's templates is known to nobody unless it is written down, with its arguments."""
    app = Flask("store")
    app.config.update(SECRET_KEY="a secret that is long enough", SQLALCHEMY_DATABASE_URI="sqlite://", CS_MAIL_URL="memory:", CS_ENTRY_POINTS=False)
    CustomerService(app, db=SQLAlchemy(app))
    added = sorted(name for name in app.jinja_env.globals if name.startswith("cs_"))
    assert {"cs_contact_form", "cs_order_panel", "cs_my_messages"} <= set(added)
    assert [name for name in added if f"{{{{ {name}(" not in WRITTEN] == []


@pytest.mark.parametrize(("title", "usual"), [("of people", people.USUAL), ("of orders", orders.USUAL)])
def test_the_usual_names_are_those_that_are_tried(title: str, usual: Mapping[str, tuple[str, ...]]) -> None:
    """Whoever reads the page knows what has to be named, and what is found in which order."""
    table = (ROOT / "docs/another-kind-of-store.md").read_text().partition(f"| {title} | names |\n")[2].partition("\n\n")[0]
    written = {row.split("`")[1]: tuple(re.findall(r"`([^`]+)`", row.split("|")[2])) for row in table.splitlines()[1:]}
    assert written == usual


@pytest.mark.parametrize("declared", [People, Orders, StoreAnswers])
def test_every_argument_of_the_ready_answers_is_explained(declared: type[Any]) -> None:
    """Each is named in the docstring or in the page for stores of another kind."""
    explained = f"{declared.__doc__} {(ROOT / 'docs/another-kind-of-store.md').read_text()}"
    names = [one.name for one in fields(declared) if one.name not in ("db", "model")]
    assert [name for name in names if not re.search(rf"\b{name}\b", explained)] == []


def test_no_cell_of_a_table_breaks_its_row() -> None:
    """A line end or a bar in a text would end the cell there."""
    for text in (docs.configuration_page(), docs.options_page(), docs.commands_page()):
        for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
        assert not re.search(r"^(?!\|).*\|$", text, re.MULTILINE)
