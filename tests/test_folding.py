"""What is folded of a mail: quoted history and signatures, in many languages and from many programs, never a line lost.

Each file of `replies` is a mail and, below a line "=== shown ===", what is shown of it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_plugin.mail import folding, reply_words
from cs_plugin.mail.folding import Folded, fold_html, fold_text
from cs_plugin.mail.html_text import text_of

REPLIES = sorted((Path(__file__).parent / "replies").iterdir())


def _read(path: Path) -> tuple[str, str]:
    mail, _, shown = path.read_text("utf-8").partition("\n=== shown ===\n")
    return mail, shown.strip()


def _filled(text: str) -> list[str]:
    return [line for line in re.split(r"\r\n|\r|\n", text) if line.strip()]


def _fold(path: Path) -> tuple[str, Folded]:
    mail, _ = _read(path)
    return (text_of(mail), fold_html(mail)) if path.suffix == ".html" else (mail, fold_text(mail))


@pytest.mark.shows("10.7")
@pytest.mark.parametrize("path", REPLIES, ids=lambda path: path.name)
def test_a_reply_shows_what_is_new_in_it(path: Path):
    """Each reply of ours is folded as its file says."""
    assert _fold(path)[1].shown.strip() == _read(path)[1]


@pytest.mark.shows("10.7")
@pytest.mark.parametrize("path", REPLIES, ids=lambda path: path.name)
def test_what_is_folded_is_not_lost(path: Path):
    """What is shown and what is folded hold each line of the mail once."""
    text, folded = _fold(path)
    assert sorted(_filled(folded.shown) + _filled(folded.quoted)) == sorted(_filled(text))
