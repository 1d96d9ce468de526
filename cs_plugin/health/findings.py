"""What an examination finds: values, so that a terminal, a monitor and a test read the same."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum

from cs_plugin import plugins
from cs_plugin.rules.inquiry import clean_text

# What turns the direction of what stands around it: on a terminal a line would read as another.
_TURNS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


class Severity(StrEnum):
    """How bad it is. Only what is wrong makes a command end with 1."""

    WRONG = "wrong"
    WARNING = "warning"
    ADVICE = "advice"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found: a sentence, what it costs to leave it so, and the lines to add or to run."""

    subject: str
    severity: Severity
    what: str
    costs: str = ""
    lines: tuple[str, ...] = ()

    def without(self, secrets: Iterable[str]) -> Finding:
        """Return it with every secret blotted out, wherever an error may have repeated one, and without what drives a terminal."""

        def blot(text: str) -> str:
            for secret in secrets:
                text = text.replace(secret, "…")
            return "".join(c for c in clean_text(text) if unicodedata.bidirectional(c) not in _TURNS)

        return replace(self, what=blot(self.what), costs=blot(self.costs), lines=tuple(blot(line) for line in self.lines))


def good(subject: str, what: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(subject, Severity.GOOD, what)


def wrong(subject: str, what: str, costs: str = "", *lines: str) -> Finding:
    """Return that something is broken."""
    return Finding(subject, Severity.WRONG, what, costs, lines)


def warning(subject: str, what: str, costs: str = "", *lines: str) -> Finding:
    """Return that something will hurt somebody."""
    return Finding(subject, Severity.WARNING, what, costs, lines)


def advice(subject: str, what: str, costs: str = "", *lines: str) -> Finding:
    """Return that something could be better."""
    return Finding(subject, Severity.ADVICE, what, costs, lines)


def guarded(subject: str, check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """Return what a check finds. One that breaks is itself a finding: an examination goes on whatever is broken."""
    found: list[Finding] = []
    try:
        found.extend(check())
    except Exception as error:  # noqa: BLE001 - whatever is broken in a store, the rest is still examined
        found.append(wrong(subject, f"This could not be examined: {said(error)}"))
    return found


def said(error: BaseException) -> str:
    """Return an error on one line: the driver's own words where a database spoke."""
    original = getattr(error, "orig", None) or error
    words = " ".join(str(original).split())
    return f"{type(original).__name__}: {words}"[:300] if words else type(original).__name__


@contextmanager
def kept_from_the_log() -> Iterator[list[Exception]]:
    """Catch what the desk logs of answers that raise: it is told here once, and not as a traceback between the lines."""
    raised: list[Exception] = []

    def catch(record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], Exception):
            raised.append(record.exc_info[1])
            return False
        return True

    plugins.log.addFilter(catch)
    try:
        yield raised
    finally:
        plugins.log.removeFilter(catch)
