"""Mails are read: each oddity is a mail of our own in tests/mails/, and tests/mails/expected.json says what we read in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cs_plugin.mail.machines import NAMES
from cs_plugin.mail.parse import ReadingLimits, read_mail
from cs_plugin.rules.incoming import Bounce, Correspondent, IncomingMail
from cs_plugin.rules.oddities import ODDITIES
from tools.foreign_mails import is_clean, leaves_of_ours, leaves_of_the_standard_library

MAILS = Path(__file__).parent / "mails"
EXPECTED: dict[str, dict[str, Any]] = json.loads((MAILS / "expected.json").read_text())
FILES = sorted(path.stem for path in MAILS.glob("*.eml"))

# What is read otherwise than by the standard library's parser, and why.
OTHERWISE = {
    "base64_joined": "it stops at the padding of the first piece",
    "base64_that_is_text": "it makes rubbish of the text",
    "bom_before_header": "it takes the header for the text",
    "bounce_boundary_wrong": "it does not guess",
    "boundary_another": "it does not guess",
    "boundary_the_same_within": "it passes over what stands behind the first end",
    "charset_punycode": "it raises",
    "encoding_with_comment": "it does not decode it",
    "header_name_with_blank": "it ends the header there",
    "boundary_unsaid": "it does not guess",
    "header_lines_without_blanks": "it begins the text there",
    "header_rubbish_within": "it begins the text there",
    "line_above_the_header": "it takes the header for the text",
    "lines_before_the_header": "it takes the header for the text",
    "many_parts": "it has no limit",
    "nested_deep": "it has no limit",
    "parameters_without_marks": "it reads neither the type nor what stands behind it",
    "parts_after_the_end": "it passes them over",
    "type_comments": "it takes them for the type",
    "uuencode_as_transfer_bare": "it decodes none without the first line",
}


def read(name: str) -> IncomingMail:
    """Read a mail of ours."""
    return read_mail((MAILS / f"{name}.eml").read_bytes())


def pair(one: Correspondent) -> list[str]:
    """A correspondent as JSON holds one."""
    return [one.address, one.name]


def bounce(one: Bounce | None) -> list[Any] | None:
    """A bounce as JSON holds one."""
    return one and [one.permanent, one.recipient, one.status, one.words, one.message_id]


# How each kind of expectation is read off a mail.
READ: dict[str, Any] = {
    "text": lambda mail: mail.text,
    "quoted": lambda mail: mail.quoted,
    "whole": lambda mail: "\n".join(line for line in f"{mail.text}\n{mail.quoted}".splitlines() if line),
    "html": lambda mail: mail.html,
    "subject": lambda mail: mail.subject,
    "sender": lambda mail: mail.sender and pair(mail.sender),
    "to": lambda mail: [pair(one) for one in mail.to],
    "cc": lambda mail: [pair(one) for one in mail.cc],
    "written_to": lambda mail: list(mail.written_to),
    "return_path": lambda mail: mail.return_path,
    "message_id": lambda mail: mail.message_id,
    "in_reply_to": lambda mail: list(mail.in_reply_to),
    "references": lambda mail: list(mail.references),
    "sent_at": lambda mail: mail.sent_at and mail.sent_at.isoformat(),
    "parts": lambda mail: [[one.name, one.content_type, len(one.content), one.content_id] for one in mail.parts],
    "part_names": lambda mail: [one.name for one in mail.parts],
    "part_count": lambda mail: len(mail.parts),
    "inline": lambda mail: [one.inline for one in mail.parts],
    "automatic": lambda mail: mail.automatic,
    "bounce": lambda mail: bounce(mail.bounce),
    "bounce_id": lambda mail: mail.bounce.message_id,
    "bounce_to": lambda mail: mail.bounce.recipient,
    "oddities": lambda mail: list(mail.oddities),
}


@pytest.mark.shows("10.7")
@pytest.mark.parametrize("name", FILES)
def test_a_mail_is_read_as_it_is_expected(name: str) -> None:
    """Every mail of tests/mails/ has an expectation; a mail without one fails here."""
    wanted = dict(EXPECTED[name])
    mail = read(name)
    assert wanted.pop("shows")
    contained, _clean = wanted.pop("contains", []), wanted.pop("clean", None)
    assert {key: READ[key](mail) for key in wanted} == wanted
    assert [one for one in contained if one not in mail.text + mail.quoted] == []
    assert is_clean(mail)


def test_every_expectation_has_its_mail() -> None:
    """An expectation of a mail that is gone expects nothing."""
    assert sorted(EXPECTED) == FILES


def test_every_oddity_is_shown_by_a_mail() -> None:
    """What reading can name as odd has words for people, and a mail that shows it."""
    named = {oddity for name in FILES for oddity in read(name).oddities}
    shown_elsewhere = {"headers_cut", "text_cut"}   # long mails, which are made where they are read
    assert named | shown_elsewhere == set(ODDITIES)


@pytest.mark.shows("10.8")
def test_every_sign_of_a_machine_is_shown_by_a_mail() -> None:
    """A sign that no mail bears is not tested."""
    assert {read(name).automatic for name in FILES} - {""} == NAMES


@pytest.mark.parametrize("name", sorted(set(FILES) - set(OTHERWISE)))
def test_a_mail_is_split_as_the_standard_library_splits_it(name: str) -> None:
    """The same parts with the same content; where ours differs, OTHERWISE says why. Of a mail within a mail that parser shows the inside."""
    raw = (MAILS / f"{name}.eml").read_bytes()
    ours, theirs = leaves_of_ours(raw), leaves_of_the_standard_library(raw)
    assert [kind for kind, _content in ours] == [kind for kind, _content in theirs]
    for (_kind, mine), (_other, content) in zip(ours, theirs, strict=True):
        assert content is None or mine == content


@pytest.mark.parametrize("name", sorted(OTHERWISE))
def test_what_is_said_to_be_split_otherwise_is(name: str) -> None:
    """An exemption that is none would hide a mistake."""
    raw = (MAILS / f"{name}.eml").read_bytes()
    try:
        theirs = leaves_of_the_standard_library(raw)
    except UnicodeError:
        return
    ours = leaves_of_ours(raw)
    assert len(ours) != len(theirs) or any(mine != other for mine, other in zip(ours, theirs, strict=True))


ENDS = {"blanks": b"= \t\r\n", "a lone CR": b"=\r", "blanks and a lone CR": b"= \r", "blanks and LF": b"=  \n", "what is usual": b"=\r\n"}


@pytest.mark.parametrize("kind", ENDS)
def test_a_soft_line_break_loses_no_text_however_it_was_mended(kind: str) -> None:
    """Servers pad lines with blanks, and some programs end them with a CR alone."""
    raw = b"From: a@b.example\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
    assert read_mail(raw + b"One" + ENDS[kind] + b" two gr=C3=BC=C3=9Fe = 2\nthree" + ENDS[kind]).text == "One two grüße = 2\nthree"


# What people write above their mails, and what machines do.
BY_PEOPLE = ("Afwezig", "Afwezig: levering", "Out of office - deliver next door?", "Automatic reply - still no answer to my question")
BY_MACHINES = ("Out of Office", "Automatic reply: My order", "Automatisch antwoord: Bestelling", "Fuori sede: Ordine", "Abwesenheitsnotiz (Jan)")


@pytest.mark.shows("10.8")
@pytest.mark.parametrize(("subject", "sign"), [*((one, "") for one in BY_PEOPLE), *((one, "subject") for one in BY_MACHINES)])
def test_a_subject_is_a_machines_only_in_its_own_shape(subject: str, sign: str) -> None:
    """By itself, or with what is answered behind a colon: a person's goes on behind a dash, and their mail would lie in spam."""
    assert read_mail(f"From: a@b.example\nSubject: {subject}\n\nHi\n".encode()).automatic == sign


def test_too_long_a_text_is_cut_and_kept_whole_as_a_file() -> None:
    """What is shown has an end; the whole is still to be had."""
    raw = b"From: a@b.example\nSubject: x\n\n" + b"One line of many.\n" * 50_000
    mail = read_mail(raw)
    assert len(mail.text) + len(mail.quoted) <= ReadingLimits().text
    assert mail.oddities == ("text_cut",)
    assert [(part.name, part.content_type, len(part.content)) for part in mail.parts] == [("text.txt", "text/plain", 900_000)]


def test_too_long_an_html_is_cut_and_kept_whole_as_a_file() -> None:
    """HTML too has an end."""
    raw = b"From: a@b.example\nContent-Type: text/html\n\n" + b"<p>One line of many.</p>\n" * 1_000
    mail = read_mail(raw, limits=ReadingLimits(html=1_000))
    assert len(mail.html) <= 1_000
    assert mail.oddities == ("text_cut",)
    assert [(part.name, len(part.content)) for part in mail.parts] == [("text.html", 25_000)]


def test_many_texts_share_one_limit() -> None:
    """A thousand long texts are no longer than one."""
    part = b"--b\n\n" + b"x" * 1_000 + b"\n"
    mail = read_mail(b"From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n" + part * 50 + b"--b--\n", limits=ReadingLimits(text=5_000))
    assert len(mail.text) <= 5_000 + 2 * 50
    assert len(mail.parts) == 45
    assert mail.oddities == ("text_cut",)


def test_too_long_a_header_is_passed_over_and_the_text_is_read() -> None:
    """The rest of a header without end is left out; the text behind it is not."""
    raw = b"From: a@b.example\nSubject: x\n" + b"X-Long: many\n" * 2_000 + b"\nThe text.\n"
    mail = read_mail(raw, limits=ReadingLimits(header_bytes=5_000))
    assert mail.text == "The text."
    assert mail.subject == "x"
    assert mail.oddities == ("headers_cut",)


def test_the_lines_of_the_header_are_shown_decoded_and_in_order() -> None:
    """Whoever looks at a mail sees its header as it was meant."""
    mail = read("words_mixed")
    assert [name for name, _value in mail.headers] == ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"]
    assert dict(mail.headers)["Subject"] == "Grüße and café today"
    assert mail.headers[0] == ("From", "Ann Smith <ann@customer.example>")


def test_only_so_many_lines_of_the_header_are_shown() -> None:
    """A page can show them."""
    raw = b"From: a@b.example\n" + b"X-Line: one\n" * 2_000 + b"\nx\n"
    assert len(read_mail(raw).headers) == ReadingLimits().headers
