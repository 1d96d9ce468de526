"""Every option, declared once: forms, defaults, help, commands and documentation are made from these rows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What an option holds."""

    SWITCH = "switch"
    NUMBER = "number"
    LINE = "line"
    CHOICE = "choice"
    TEXT_PER_LANGUAGE = "text_per_language"


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its name in the database, what it holds, what it is without a value of its own, and its words (marked for translation)."""

    name: str
    kind: Kind
    default: Any
    label: str
    help: str
    choices: tuple[tuple[str, str], ...] = ()
    least: int | None = None
    most: int | None = None


def _(text: str) -> str:
    return text


# In the order in which forms show them.
OPTIONS: tuple[Option, ...] = (
    Option("allow_file_uploading", Kind.SWITCH, True, _("Allow file uploading"), _("Allow customers to upload files using the contact page.")),
    Option(
        "default_message",
        Kind.TEXT_PER_LANGUAGE,
        _("Dear Customer,\n\nRegards,\nCustomer service"),
        _("Default message"),
        _("Please fill out the message fields that appear by default when you answer a thread on the customer service page"),
    ),
    Option(
        "after_reply",
        Kind.CHOICE,
        "close",
        _("After a reply"),
        _("What becomes of a thread when its answer is sent."),
        choices=(("close", _("Close the thread")), ("keep", _("Keep its status"))),
    ),
    Option(
        "name_shown",
        Kind.CHOICE,
        "first",
        _("Name shown to customers"),
        _("Under which name customers see an employee's answer."),
        choices=(("first", _("First name")), ("full", _("First and last name")), ("shop", _("The shop's name"))),
    ),
    Option("assign_on_first_reply", Kind.SWITCH, True, _("Assign on first reply"), _("Whoever answers an unassigned thread first takes it.")),
    Option(
        "file_types",
        Kind.LINE,
        "pdf txt png jpg jpeg gif webp zip doc docx rtf",
        _("File types"),
        _("Extensions that customers and employees may attach, with a blank between them."),
    ),
    Option("files_per_message", Kind.NUMBER, 5, _("Files per message"), _("How many files a message may have."), least=0, most=50),
    Option("file_size_mb", Kind.NUMBER, 10, _("File size"), _("How many megabytes (MB) a file may have."), least=1, most=100),
    Option(
        "files_size_mb",
        Kind.NUMBER,
        25,
        _("Size of all files"),
        _("How many megabytes (MB) the files of a message may have together."),
        least=1,
        most=200,
    ),
)

BY_NAME = {option.name: option for option in OPTIONS}
