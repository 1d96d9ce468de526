"""The generated documentation: every hook, every configuration key, every option, every command, made from where they are declared.

`python -m tools.docs` writes hooks.md, configuration.md, options.md and commands.md in docs/; `--check` only says which of them is not current.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from cs_plugin import hookspecs, plugins
from cs_plugin.cli import cs
from cs_plugin.extension import SETTINGS
from cs_plugin.plugins import Kind
from cs_plugin.rules.options import BLOCK_TITLES, OPTIONS, Option
from cs_plugin.rules.options import Kind as OptionKind

DOCS = Path(__file__).parents[1] / "docs"


@dataclass(frozen=True, slots=True)
class Group:
    """A kind of hooks, under its title, with what holds for all of them."""

    kind: Kind
    title: str
    text: str


# In the order in which a reader meets them.
GROUPS: tuple[Group, ...] = (
    Group(
        Kind.QUESTION,
        "Questions",
        "The desk asks, the host answers. The last plugin registered is asked first, and the first answer that is not None counts. "
        "A plugin that raises is logged and passed over, unless its question says otherwise.",
    ),
    Group(
        Kind.EVENT,
        "Events",
        "The desk tells what has happened, once the transaction has been committed. Every listener hears it, whatever another one raises. "
        "Nothing is told of what was rolled back. A process that dies between the commit and the telling tells nobody: what must not be lost is "
        "no event.",
    ),
    Group(
        Kind.PLACE,
        "Places",
        "The desk leaves a place in a page or a mail. All answers stand there, in the order in which the plugins were registered; one that raises "
        "is logged and left out.",
    ),
    Group(
        Kind.FIRED_BY_HOST,
        "Fired by the host",
        "The host tells the desk, through `customer_service.hook` or through its own plugin manager (`customer_service.register_in(manager)`). "
        "Every argument is named. What writes joins the transaction of `db.session`, and the host commits it: where that is forgotten, the log "
        "gets an error that names the hook.",
    ),
)

HOOKS_HEAD = """# Hooks

*Made from `cs_plugin/hookspecs.py` by `python -m tools.docs`; change it there.*

A plugin is an object, or a module, whose methods or functions have the names of hooks and are marked with `cs_plugin.hookimpl`. An implementation
may take fewer arguments than the hook has. A host hands its plugins to `CustomerService(app, db=db, plugins=[…])`; an installed package is found
by its entry point in the group `cs_plugin`, unless `CS_ENTRY_POINTS` is off. A hook that does not exist, or an argument that a hook does not have,
stops the start with a `HookError` that names it.

The values that go in and out (`Employee`, `Customer`, `Order`, `ThreadFacts`, …) and `ALL` are all imported from `cs_plugin`.
"""

CONFIGURATION_HEAD = """# Configuration

*Made from `cs_plugin/extension.py` by `python -m tools.docs`; change it there.*

Keys of the application's configuration (`app.config`), set before the desk is mounted. Only `SECRET_KEY`, which is Flask's own, must be there.

| key | without a value of its own | what it means |
| --- | --- | --- |
"""

OPTIONS_HEAD = """# Options

*Made from `cs_plugin/rules/options.py` by `python -m tools.docs`; change it there.*

Options are set by employees, in the admin, for all shops, for a group of shops or for one shop; what is not set for a shop is inherited from its
group, then from all shops, then from the column "default". Of a text each language is inherited by itself; one that has none at all is that of the
store's default language. Options differ from [configuration](configuration.md), which is the application's.

`flask cs options list`, `get`, `set` and `unset` ([commands](commands.md#options)) do the same as the form, under the names in the column "name".
"""

# What each kind holds, for whoever writes a value on the command line.
KINDS: Mapping[OptionKind, str] = {
    OptionKind.SWITCH: "on or off",
    OptionKind.NUMBER: "number, {least} to {most}",
    OptionKind.PORT: "number, {least} to {most}, or nothing",
    OptionKind.LINE: "one line",
    OptionKind.SERVER: "host name or IP address",
    OptionKind.SECRET: "kept encrypted, never shown",
    OptionKind.CHOICE: "one of: {choices}",
    OptionKind.TEXT_PER_LANGUAGE: "a text in each language",
}


COMMANDS_HEAD = """# Commands

*Made from `cs_plugin/cli/` by `python -m tools.docs`; change it there.*

They stand in the `flask` command of every application that the desk is mounted on. `flask --app shop cs …` names the application where it is not
`app.py` or `wsgi.py`. `flask cs COMMAND --help` says the same as this page.
"""


def pages() -> Mapping[str, str]:
    """Return the generated pages: their file names and their texts."""
    return {"hooks.md": hooks_page(), "configuration.md": configuration_page(), "options.md": options_page(), "commands.md": commands_page()}


def hooks_page() -> str:
    """Return the page of all hooks, by kind, each kind in the order of the declarations."""
    parts = [HOOKS_HEAD]
    for group in GROUPS:
        parts.append(f"## {group.title}\n\n{group.text}\n")
        parts.extend(_hook(name) for name in plugins.hook_names() if plugins.kind_of(name) is group.kind)
    return "\n".join(parts)


def _hook(name: str) -> str:
    spec = getattr(hookspecs, name)
    return f"### {name}\n\n```python\n{signature(name)}\n```\n\n{inspect.getdoc(spec)}\n"


def signature(name: str) -> str:
    """Return a hook's signature, an argument a line where one line would be too long to read."""
    found = inspect.signature(getattr(hookspecs, name))
    arguments = [f"{one.name}: {one.annotation}" for one in found.parameters.values()]
    line = f"{name}({', '.join(arguments)}) -> {found.return_annotation}"
    if len(line) <= 100:
        return line
    return f"{name}(\n" + "".join(f"    {argument},\n" for argument in arguments) + f") -> {found.return_annotation}"


def configuration_page() -> str:
    """Return the page of all configuration keys."""
    return CONFIGURATION_HEAD + _rows((f"`{one.key}`", _value(one.default), one.meaning) for one in SETTINGS)


def options_page() -> str:
    """Return the page of all options as the form shows them: by block, in each by section."""
    parts = [OPTIONS_HEAD]
    for block, of_block in groupby(OPTIONS, key=lambda one: one.block):
        parts.append(f"\n## {BLOCK_TITLES[block]}\n")
        for section, several in groupby(of_block, key=lambda one: one.section):
            heading = f"\n### {section}\n" if section else ""
            table = "\n| option | name | what it holds | default | what it means |\n| --- | --- | --- | --- | --- |\n"
            parts.append(heading + table + _rows(_option(one) for one in several))
    return "".join(parts)


def _option(option: Option) -> tuple[str, ...]:
    label = f"{option.label} ({option.flag})" if option.flag else option.label
    return label, f"`{option.name}`", _kind(option), _default(option), f"{option.help} {option.more_help}".strip()


def commands_page() -> str:
    """Return the page of all commands, in the order of the alphabet, as `flask cs --help` lists them: first a table, then each with its options."""
    found = [*_commands("", cs)]
    rows = _rows((f"[`flask cs {name}`](#{name.replace(' ', '-')})", _first_sentence(one)) for name, one in found)
    return COMMANDS_HEAD + "\n| command | what it does |\n| --- | --- |\n" + rows + "".join(_command(name, one) for name, one in found)


def _commands(before: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    """Yield the commands of a group under their whole names; those of a group within it follow it."""
    for name, command in sorted(group.commands.items()):
        yield before + name, command
        if isinstance(command, click.Group):
            yield from _commands(f"{before}{name} ", command)


def _command(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"flask cs {name}")
    usage = " ".join(["flask cs", name, *command.collect_usage_pieces(context)])
    records = [record for one in command.params if isinstance(one, click.Option) and (record := one.get_help_record(context))]
    options = "\n| option | what it does |\n| --- | --- |\n" + _rows((f"`{option}`", meaning) for option, meaning in records) if records else ""
    level = "##" if " " not in name else "###"
    return f"\n{level} {name}\n\n```sh\n{usage}\n```\n\n{inspect.cleandoc(command.help or '')}\n{options}"


def _first_sentence(command: click.Command) -> str:
    return " ".join((command.help or "").partition("\n\n")[0].split())


def _kind(option: Option) -> str:
    choices = ", ".join(f"`{value}` ({label})" for value, label in option.choices)
    return KINDS[option.kind].format(least=option.least, most=option.most, choices=choices)


def _default(option: Option) -> str:
    if option.choices:
        return f"`{option.default}`"
    if isinstance(option.default, bool):
        return "on" if option.default else "off"
    return "nothing" if option.default in ("", None) else _value(option.default)


def _value(value: Any) -> str:
    if value is None:
        return "nothing"
    return f"`{json.dumps(value, ensure_ascii=False)}`" if not isinstance(value, bool) else f"`{value}`"


def _rows(rows: Iterable[tuple[str, ...]]) -> str:
    # Within `code` an entity would be shown as it is written; a table takes this anywhere.
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in rows)


def main(arguments: list[str], docs: Path = DOCS) -> int:
    """Write the pages, or check them; return an exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.docs", description="Write the generated documentation.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a page is not current")
    check = parser.parse_args(arguments).check
    stale = [name for name, text in pages().items() if not _is_current(docs / name, text)]
    for name in stale:
        if check:
            print(f"docs/{name} is not current: run python -m tools.docs", file=sys.stderr)
        else:
            (docs / name).write_text(pages()[name], encoding="utf-8")
    return 1 if check and stale else 0


def _is_current(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
