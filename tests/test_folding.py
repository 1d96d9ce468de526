"""What is folded of a mail: quoted history and signatures, in many languages and from many programs, never a line lost.

Each file of `replies` is a mail and, below a line "=== shown ===", what is shown of it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import folding as benchmark
from cs_plugin.mail import folding, reply_words
from cs_plugin.mail.folding import Folded, fold_html, fold_text
from cs_plugin.mail.html_text import text_of

REPLIES = sorted((Path(__file__).parent / "replies").iterdir())


def _read(path: Path) -> tuple[str, str]:
    mail, _, shown = path.read_text("utf-8").partition("\n=== shown ===\n")
    return mail, shown.strip()


def _filled(text: str) -> list[str]:
    return [line.rstrip() for line in re.split(r"\r\n|\r|\n", text) if line.strip()]


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


# Pieces of which mails are made, and what is made to look like them.
_PIECES = st.sampled_from((
    "Thank you", "Blue.", "", " ", "> ", ">", "> Which colour?", ">> deeper", "-- ", "--", "____________", "-----Original Message-----",
    "---------- Forwarded message ---------", "On 2 Nov 2026, at 09:14, Lantern <help@lantern.example> wrote:", "Am 2. Nov. 2026 schrieb", "Rosa:", "wrote:",
    "From: Lantern <help@lantern.example>", "Sent: Monday", "To: Rosa", "Subject: Lamp", "Von: Laterne", "Sent from my iPhone", "\u202b\u200f", "a:", "：",
    "<", "help@lantern.example> wrote:", "mailto:", "\x0b", "\x85", "\u2028", "\0", "\ud800", "confidential",
))
_LINES = st.one_of(_PIECES, st.text(max_size=12))


@pytest.mark.shows("10.7")
@given(st.lists(_LINES, max_size=30), st.sampled_from(("\n", "\r\n", "\r")))
def test_no_line_of_any_text_is_lost(pieces: list[str], end: str):
    """Whatever a text is made of: what is shown and what is folded hold all of its lines, and something is shown if there is something."""
    text = end.join(pieces)
    folded = fold_text(text)
    assert sorted(_filled(folded.shown) + _filled(folded.quoted)) == sorted(_filled(text))
    assert bool(folded.shown.strip()) == bool(text.strip())


@given(st.lists(_LINES, max_size=30))
def test_lines_stay_in_their_order(pieces: list[str]):
    """What is shown and what is folded each hold lines in the order of the mail."""
    text = "\n".join(f"{line} {number}" if line.strip() else "" for number, line in enumerate(pieces) if "\n" not in line and "\r" not in line)
    folded = fold_text(text)
    lines = _filled(text)
    for part in (_filled(folded.shown), _filled(folded.quoted)):
        places = [lines.index(line) for line in part]
        assert places == sorted(places)


_ELEMENTS = st.sampled_from((
    "<div>", "</div>", "<p>", "<br>", "<blockquote>", "</blockquote>", '<blockquote type="cite">', '<div class="gmail_quote">', '<div class="gmail_attr">',
    '<div id="divRplyFwdMsg">', '<div id="appendonsend"></div>', '<div class="moz-signature">', "<table><tr><td>", "</table>", "<li>", "<ul>", "</ul>",
    '<div class="cs-mail">', "<hr>", "<pre>", "</pre>", '<a href="https://shop.example/">', "</a>", "<span", "&nbsp;", "&#0;", "<!--", "-->", "<style>",
    '<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm">', '<div style="display:none">', "</span></td></li></p>",
))


@pytest.mark.shows("10.7")
@given(st.lists(st.one_of(_ELEMENTS, _LINES), max_size=40))
def test_no_line_of_any_html_is_lost(pieces: list[str]):
    """Whatever HTML is made of: what is shown and what is folded hold all lines that it is as text."""
    html = " ".join(pieces)
    folded = fold_html(html)
    assert sorted(_filled(folded.shown) + _filled(folded.quoted)) == sorted(_filled(text_of(html)))


@pytest.mark.parametrize("subject", ["Fwd: Lamp", "FW: Lamp", "WG: Lampe", "TR : Lampe", "RV: Lámpara", "I: Lampada", "ENC: Candeeiro", "转发：灯", "[Shop] Fwd: Lamp"])
def test_a_forwarded_mail_is_left_whole(subject: str):
    """A mail whose subject says that it forwards another is not folded, whatever program wrote it: what is forwarded is what it says."""
    mail = "FYI\n\nFrom: Tom <tom@mail.example>\nSent: Monday\nTo: Rosa\nSubject: Lamp\n\nBroken."
    assert fold_text(mail, subject=subject) == Folded(mail)
    assert not fold_html("<div>FYI</div><div id='divRplyFwdMsg'>From: Tom</div>", subject=subject).quoted


@pytest.mark.parametrize("subject", ["", "Re: Fwd: Lamp", "AW: Lampe", "Forwarding address", "I have a question: where is it?"])
def test_an_answer_is_folded_whatever_it_answers(subject: str):
    """An answer to a forwarded mail is an answer."""
    assert fold_text("Fine.\n\n> The lamp?", subject=subject).quoted == "> The lamp?"


@pytest.mark.parametrize("row", reply_words.ORIGINAL, ids=lambda row: row[0])
def test_each_language_parts_an_answer_from_the_original_message(row: tuple[str, str]):
    """The line between dashes above the mail that is answered is known in each language of the table, each of its wordings."""
    for words in row[1].split("|"):
        for line in (f"-----{words.title()}-----", f"-------- {words} --------", f"*----- {words} -----*"):
            assert fold_text(f"Yes.\n\n{line}\nBefore").shown == "Yes.", line


@pytest.mark.parametrize("row", reply_words.FORWARDED, ids=lambda row: row[0])
def test_each_language_tells_a_forwarded_message(row: tuple[str, str]):
    """The line above a forwarded mail is known in each language of the table, and nothing is folded there."""
    for words in row[1].split("|"):
        for line in (f"---------- {words} ---------", f"{words}:"):
            assert not fold_text(f"See.\n\n{line}\n\n> Before").quoted, line


@pytest.mark.parametrize("row", reply_words.LABELS, ids=lambda row: row[0])
def test_each_language_labels_the_header_of_the_mail_that_is_answered(row: tuple[str, ...]):
    """The header above the mail that is answered is known in each language of the table, bold or not, with blanks before its colons or not."""
    sender, date, to, subject = (labels.split("|")[0].title() for labels in row[1:])
    values = ("Lantern <help@lantern.example>", "Monday", "Rosa <rosa@mail.example>", "Lamp")
    for form in ("{}: {}", "{} : {}", "*{}:* {}", "{}：{}"):
        header = "\n".join(form.format(label, value) for label, value in zip((sender, date, to, subject), values, strict=True))
        assert fold_text(f"Yes.\n\n{header}\n\nBefore").shown == "Yes.", header


@pytest.mark.parametrize("row", [*reply_words.WROTE, *reply_words.WROTE_UNPARTED], ids=lambda row: row[0])
def test_each_language_introduces_a_quote(row: tuple[str, str]):
    """The line above a quote is known by each verb of the table, before the name and behind it."""
    for verb in row[1].replace("\\", "").split("|"):
        for line in (f"2.11.2026 09:14, Rosa <rosa@mail.example> {verb}:", f"2.11.2026 09:14 {verb} Rosa <rosa@mail.example>:"):
            assert fold_text(f"Yes.\n\n{line}\n\n> Before").shown == "Yes.", line


def _unbounded_within(parsed: object, *, within: bool = False) -> bool:
    """Say whether a parsed pattern repeats without bound what itself repeats without bound."""
    for op, value in parsed:  # type: ignore[attr-defined]
        name = str(op)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            _, most, inner = value
            endless = int(most) > 1000
            if (endless and within) or _unbounded_within(inner, within=within or endless):
                return True
        elif (name == "SUBPATTERN" and _unbounded_within(value[3], within=within)) or (name == "BRANCH" and any(_unbounded_within(one, within=within) for one in value[1])) or (name in ("ASSERT", "ASSERT_NOT") and _unbounded_within(value[1], within=within)):
            return True
    return False


def test_no_pattern_repeats_a_repetition():
    """No pattern of the folding holds a repetition without bound within another: that is what makes time grow as a power of the length."""
    from re import _parser  # type: ignore[attr-defined]

    patterns = [one for room in (folding, reply_words) for one in vars(room).values() if isinstance(one, re.Pattern)]
    assert len(patterns) > 10
    assert not [one.pattern for one in patterns if _unbounded_within(_parser.parse(one.pattern, one.flags))]
    assert _unbounded_within(_parser.parse(r"(?:a+b?)+c"))


# What makes careless patterns slow, each a few megabytes long. They end at all only because what is looked at is bounded.
HOSTILE = {
    "lines without end": "\n" * 4_000_000,
    "one line": "On 2 Nov 2026 a@b.example " * 200_000,
    "quotes": "> a\n" * 1_000_000,
    "answers between quotes": "> a\nb\n" * 700_000,
    "introductions that never end": "On 2 Nov 2026 at 09:14 a@b.example\n" * 150_000,
    "headers": "From: a@b.example\n" * 250_000,
    "dates of old programs": "2013/7/20 " + " <a@" * 1_000_000,
    "signatures": "--\n" * 1_500_000,
    "telephones": ("sent from " + "phone " * 18 + "\n") * 40_000,
    "dutch": ("Op " + "heeft " * 60 + ":\n") * 12_000,
    "brackets": "<" * 4_000_000,
    "marks of direction": "\u202b" * 2_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_come_back_whole(name: str):
    """A long text that is made to be slow is folded or not, and none of it is lost."""
    folded = fold_text(HOSTILE[name])
    assert sum(map(len, (folded.shown + folded.quoted).split())) == sum(map(len, HOSTILE[name].split()))


def test_only_the_beginning_of_a_text_is_searched():
    """Behind what is searched a text follows its last line: a quote that began goes on, and none begins there."""
    early = "Yes.\n\nOn 2 Nov 2026, at 09:14, Lantern <help@lantern.example> wrote:\n" + "> word\n" * 50_000 + "end"
    assert fold_text(early).shown == "Yes."
    late = "word\n" * 50_000 + "\nOn 2 Nov 2026, at 09:14, Lantern <help@lantern.example> wrote:\n> Which?"
    assert not fold_text(late).quoted


def test_the_measurement_counts_what_is_right(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """The measurement reads the mails of a project, and counts those that are folded as it says."""
    for folder, second in (("emails", "Yes.\n\n> Blue?"), ("trimmed", "No.")):
        (tmp_path / "email_reply_trimmer/test" / folder).mkdir(parents=True)
        (tmp_path / "email_reply_trimmer/test" / folder / "one.txt").write_text("Yes.\n\n-- \nRosa" if folder == "emails" else "Yes.")
        (tmp_path / "email_reply_trimmer/test" / folder / "two.txt").write_text(second)
    monkeypatch.setattr("sys.argv", ["folding", str(tmp_path)])
    assert benchmark.main() == 0
    assert "| email_reply_trimmer | 2 | 1 |" in capsys.readouterr().out
