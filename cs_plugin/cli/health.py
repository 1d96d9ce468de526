"""Commands that say what is wrong and how to put it right."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from itertools import groupby

import click

from cs_plugin import health
from cs_plugin.cli.group import cs
from cs_plugin.health import Finding, Severity
from cs_plugin.web.mounted import mounted

_WIDTH = 80
# Words, and not colours alone: a log has none, and not everybody sees them.
_MARKS = {
    Severity.WRONG: ("WRONG", "red"),
    Severity.WARNING: ("warning", "yellow"),
    Severity.ADVICE: ("advice", "cyan"),
    Severity.GOOD: ("ok", "green"),
}
_INDENT = " " * 9


@cs.command()
@click.option("--json", "as_json", is_flag=True, help="For programs: a list of what was found.")
def check(*, as_json: bool) -> None:
    """Say quickly whether the desk works, for a monitor; ends with 1 where something is wrong."""
    findings = health.check(mounted())
    if as_json:
        _write_json(findings)
    else:
        for finding in findings:
            # A monitor wants to read what is wrong, and one line where all is well.
            if finding.severity in (Severity.WRONG, Severity.WARNING) or finding is findings[0]:
                _write(finding, lines=finding.severity is Severity.WRONG)
    _end(findings)


@cs.command()
@click.option("--mail", is_flag=True, help="Connect to the mail server, too. Nothing is sent.")
@click.option("--json", "as_json", is_flag=True, help="For programs: a list of what was found.")
def doctor(*, mail: bool, as_json: bool) -> None:
    """Examine everything, with what each gap costs and the lines that close it."""
    findings = health.doctor(mounted(), mail=mail)
    if as_json:
        _write_json(findings)
    else:
        for subject, several in groupby(findings, key=lambda one: one.subject):
            click.secho(subject, bold=True)
            for finding in several:
                _write(finding, lines=True)
            click.echo()
        _write_sum(findings)
    _end(findings)


def _write(finding: Finding, *, lines: bool) -> None:
    word, colour = _MARKS[finding.severity]
    first, *others = _wrapped(finding.what)
    click.echo(f"{click.style(f'{word:<8}', fg=colour)} {first}")
    for line in (*others, *(_wrapped(finding.costs) if finding.costs else ())):
        click.echo(f"{_INDENT}{line}")
    if lines:
        for line in finding.lines:
            click.echo(f"{_INDENT}  {line}".rstrip())


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH - len(_INDENT), break_long_words=False, break_on_hyphens=False) or [""]


def _write_sum(findings: Iterable[Finding]) -> None:
    several = [finding.severity for finding in findings]
    click.echo(f"Wrong: {several.count(Severity.WRONG)}. Warnings: {several.count(Severity.WARNING)}. Advice: {several.count(Severity.ADVICE)}.")


def _write_json(findings: list[Finding]) -> None:
    click.echo(json.dumps({"well": health.is_well(findings), "findings": [asdict(one) for one in findings]}, indent=2, ensure_ascii=False))


def _end(findings: list[Finding]) -> None:
    if not health.is_well(findings):
        sys.exit(1)
