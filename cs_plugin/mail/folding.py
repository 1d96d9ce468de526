"""Fold quoted history and signatures beneath what somebody has written: nothing is deleted, and in doubt nothing is folded.

First what mail programs mark in HTML, then the words by which they introduce a quote (`reply_words`), then quotequail's patterns. All work grows with
the length of the text: lines are cut before a pattern sees them, and only the first part of a text is searched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import quotequail

from cs_plugin.mail import reply_words as words
from cs_plugin.mail.html_text import lines_of

# So much of a text is searched; what stands behind it goes with its last line.
_SEARCHED_CHARACTERS = 200_000
_SEARCHED_LINES = 5_000
_LINE = 400   # characters of a line that a pattern sees
_INTRODUCTION = 6   # lines over which the line above a quote may be broken, and the characters of them
_INTRODUCTION_CHARACTERS = 600
_HEADER = 14   # lines within which the header of the mail that is answered ends
_SIGNATURE = 25   # lines of a signature at most: what is longer is text behind a line of two dashes
_FOOTER = 8
_MOBILE_LINES = 40


@dataclass(frozen=True, slots=True)
class Folded:
    """What a mail says: `shown`, and folded away beneath it `quoted`, "" if nothing. Together they hold every line that is not empty, in order."""

    shown: str
    quoted: str = ""


def fold_text(text: str, *, subject: str = "") -> Folded:
    """Fold a plain text. A mail whose subject or text says that it forwards another is left whole. Never raises."""
    lines = re.split(r"\r\n|\r|\n", text[:_SEARCHED_CHARACTERS])
    rest = [text[_SEARCHED_CHARACTERS:]] if len(text) > _SEARCHED_CHARACTERS else []
    if rest:   # the line that was cut stays whole
        lines[-1] += rest.pop()
    return _fold(lines, {}, subject)


def fold_html(html: str, *, subject: str = "") -> Folded:
    """Fold HTML, turned into text. Never raises."""
    read = lines_of(html)
    return _fold(read.lines, read.marks, subject)


def forwards(subject: str) -> bool:
    """Say whether a subject says that the mail forwards another ("Fwd: …")."""
    return words.FORWARDING_SUBJECT.match(subject[:_LINE]) is not None


def _fold(lines: list[str], marks: Mapping[int, str], subject: str) -> Folded:
    if len(lines) > _SEARCHED_LINES:
        lines = [*lines[: _SEARCHED_LINES - 1], "\n".join(lines[_SEARCHED_LINES - 1 :])]
    whole = Folded(_joined(lines))
    if forwards(subject):
        return whole
    page = _Page(lines, marks)
    history = page.history()
    if history is None:
        return whole
    keep = [not (history.start <= number < history.end) for number in range(len(lines))]
    shown = [number for number, kept in enumerate(keep) if kept]
    signature = page.signature(shown)
    if len(shown) == signature == len(lines):
        return whole
    for number in shown[signature:]:
        keep[number] = False
    visible = _joined(line for line, kept in zip(lines, keep, strict=True) if kept)
    return Folded(visible, _joined(line for line, kept in zip(lines, keep, strict=True) if not kept)) if visible else whole


def _joined(lines: Iterable[str]) -> str:
    """Return lines as a text without empty ones at its ends."""
    text = "\n".join(lines).rstrip()
    return text[text.rfind("\n", 0, len(text) - len(text.lstrip())) + 1 :]


@dataclass(frozen=True, slots=True)
class _History:
    """The lines from `start` to before `end` are quoted history; none where both are the same."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Found:
    """Where history begins: at line `start`, its quote at `body`. `quoted`: each of its lines has a ">"; `introduced`: words stand above it."""

    start: int
    body: int
    quoted: bool
    introduced: bool = True


# --- the words of reply_words, made into patterns ---------------------------------------------------------------------------------------------


def _any(table: Iterable[tuple[str, str]]) -> str:
    return "|".join(alternatives for _, alternatives in table)


def _longest_first(alternatives: str) -> str:
    return "|".join(sorted(set(_low(alternatives).split("|")), key=len, reverse=True))


def _low(line: str) -> str:
    """Return a line in lower case, as all words are compared. The dot that is left of a Turkish capital I goes."""
    return line.casefold().replace("i\u0307", "i")


_WROTE = re.compile(rf"(?<!\w)(?:{_longest_first(_any(words.WROTE))})(?!\w)|{_longest_first(_any(words.WROTE_UNPARTED))}")
_BEGINS = re.compile(
    rf"(?:{_longest_first(_any(words.BEGINS))})(?!\w)[\s,:]|\d|在|于|เมื่อ|"
    r"[^\W\d_]{1,12}[.,]{1,2}\s?\d|[^\W\d_]{1,4}\s\d|[^\W\d_]{2,14},\s"
)
_FIRST_PERSON = re.compile(rf"(?<!\w)(?:{_any(words.FIRST_PERSON)})(?!\w)")
_ORIGINAL = frozenset(_low(_any(words.ORIGINAL)).split("|"))
_FORWARDED = frozenset(_low(_any(words.FORWARDED)).split("|"))
_MOBILE = re.compile(_any((name, f"(?:{pattern})") for name, pattern in words.MOBILE))
_KINDS: Mapping[str, str] = {
    **dict.fromkeys(words.OTHER_LABELS, "o"),
    **{
        label: kind
        for row in words.LABELS
        for kind, labels in zip("dts", row[2:], strict=True)
        for label in _low(labels).split("|")
    },
    **{label: "f" for row in words.LABELS for label in _low(row[1]).split("|")},
}
# A label that stands for two things in two languages, with the other one: "A" is to whom in Italian, "Od" from whom in Polish.
_ALSO: Mapping[str, str] = {"до": "t", "do": "t", "от": "f", "data": "d", "date": "d", "datum": "d", "la": "t", "за": "t"}

_ADDRESS = re.compile(r"[^\s@]@[^\s@]|<\s*mailto:")
_TIME = re.compile(r"\d{1,2}\s?[:.hHч時时시點点]\s?\d{2}|(?:19|20|25)\d\d|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|[٠-٩۰-۹]{1,2}:[٠-٩۰-۹]{2}|[٠-٩۰-۹]{4}")
_DIGIT = re.compile(r"[\d@<]")
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d,? \d{1,2}:\d\d (?:gmt|utc)[+-]\d|\d{4}[/-]\d{1,2}[/-]\d{1,2} .{0,120}<\S{1,200}@\S{1,200}>:?$")
_DIRECTION = str.maketrans("\xa0\u202f\u2009\u3000\t", "     ", "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_DECORATION = "-–—―=_*~#>:： ."
_RULE = re.compile(r"[-–—―=_*~#+ᐧ·•\s]+")
_LONG_RULE = re.compile(r"[_=*-]{4,}")
_DELIMITER = re.compile(r"--\s*")
_LINKS = re.compile(r"\(?<?\(?(?:https?://|mailto:)\S*|[\[\]]")
_BRACKETS = "()<>[]{}*_«»“”\"'|~-– "


def _plain(line: str) -> str:
    """Return a line as patterns see it: cut, without marks of direction and of bold, its blanks made one."""
    cut = line[:_LINE]
    return " ".join((cut if cut.isascii() else cut.translate(_DIRECTION)).split()).strip("*_ ")


class _Page:
    """A text as lines, with what mail programs have marked in it. Looks for where history and signature begin."""

    def __init__(self, lines: Sequence[str], marks: Mapping[int, str]) -> None:
        self.lines = lines
        self.marks = marks
        self.plain = [_plain(line) if line else "" for line in lines]
        self.quoted = [line.startswith(">") for line in self.plain]
        self.has_quotes = True in self.quoted

    def history(self) -> _History | None:
        """Return what is history; None where nothing is to be folded at all: the mail forwards another, or answers stand between the quotes."""
        passed = False   # within the header that a mail begins with
        for number, line in enumerate(self.plain):
            if not line or (passed and self._kind(number)):
                continue
            passed = False
            if self._forwards(number):
                return None
            found = self._begins(number)
            if found is None:
                continue
            if found.quoted:
                return self._quote(found)
            # With nothing above it, what it introduces is what is shown; another may begin within that.
            if self._written(0, found.start):
                return self._with_rule(found.start, len(self.lines))
            passed = True
        return _History(len(self.lines), len(self.lines))

    def _forwards(self, number: int) -> bool:
        line = self.plain[number]
        decorated = line[0] in "-–—=_>" or line[-1] in ":：" or line.startswith("Begin ")
        return decorated and self._core(line) in _FORWARDED

    def _core(self, line: str) -> str:
        """Return the words between dashes; of "Forwarded by Anna" only what every such line says."""
        core = _low(line.strip(_DECORATION))
        return "forwarded by" if core.startswith("forwarded by ") else core

    def _begins(self, number: int) -> _Found | None:
        line = self.plain[number]
        if self.quoted[number]:
            return _Found(number, number, quoted=True, introduced=False)
        mark = self.marks.get(number)
        if mark == "cut" or self._says_original(line) or self._is_header(number):
            return _Found(number, number, quoted=False)
        if mark == "intro":
            return self._marked(number)
        return self._introduced(number)

    def _says_original(self, line: str) -> bool:
        return line[0] in "-–—_=*" and line[-1] in "-–—_=*:" and self._core(line) in _ORIGINAL

    def _is_header(self, number: int) -> bool:
        """Say whether a header begins here: from whom, when, to whom, about what, in any order, in any language."""
        if not self._kind(number):
            return False
        kinds: set[str] = set()
        addressed = False
        strange = 0
        for line_number in range(number, min(number + _HEADER, len(self.lines))):
            line = self.plain[line_number]
            kind = self._kind(line_number)
            kinds |= set(kind)
            addressed = addressed or (bool(kind) and _ADDRESS.search(line) is not None)
            strange = 0 if kind or not line else strange + 1
            if strange > 2:
                break
        kinds.discard("o")
        ruled = self._above_is_rule(number)
        # A traveller's "From: Berlin, To: Paris, Date: …" is no header: one has a subject or an address.
        return "f" in kinds and (len(kinds) > 3 or (len(kinds) > 2 and ("s" in kinds or addressed)) or (len(kinds) > 1 and ruled and addressed))

    def _kind(self, number: int) -> str:
        """Return what the label of a line stands for, as letters, or ""."""
        beginning = self.plain[number][:40]
        if ":" not in beginning and "：" not in beginning:
            return ""
        label = beginning.replace("：", ":").partition(":")[0]
        name = _low(label.strip("*_ >"))
        return _KINDS.get(name, "") + _ALSO.get(name, "")

    def _above_is_rule(self, number: int) -> bool:
        above = (self.lines[one].strip()[:_LINE] for one in range(number - 1, max(number - 4, -1), -1))
        return _RULE.fullmatch(next((line for line in above if line), "x")) is not None

    def _marked(self, number: int) -> _Found:
        """Return what a program's own mark begins: the quote behind it, if one comes soon, else all that follows."""
        for body in range(number + 1, min(number + 8, len(self.lines))):
            if self.quoted[body]:
                return _Found(number, body, quoted=True)
        return _Found(number, number, quoted=False)

    def _introduced(self, number: int) -> _Found | None:
        """Find the line above a quote, which may be broken into several: it has a date or an address, and ends with a colon."""
        first = self.plain[number]
        if first[-1] not in ":：" and not ("@" in first or "<" in first or (_DIGIT.search(first) and _BEGINS.match(_low(first)))):
            return self._without_colon(number)
        window = ""
        end = number
        while end < min(number + _INTRODUCTION, len(self.lines)) and len(window) < _INTRODUCTION_CHARACTERS:
            piece = self.plain[end] if end == number else self.plain[end].removeprefix("> ")
            end += 1
            if not piece:
                if end < len(self.lines) and self.plain[end].startswith("<"):
                    continue
                break
            window = f"{window} {piece}" if window else piece
            if piece[-1] in ":：" and not _low(piece).endswith("mailto:"):
                return self._nearest(number, end) or self._judged(number, end, window)
            if piece[-1] in "-–" and window[0] in "-–" and _WROTE.search(_low(window)) and _TIME.search(window):
                return self._at(number, end)
            if end == number + 1 and _ISO_DATE.match(_low(window)):
                return self._at(number, end)
        return self._without_colon(number)

    def _nearest(self, number: int, end: int) -> _Found | None:
        """Return the introduction that begins on a later line with a capital: text without an empty line below it stands right above."""
        for begin in range(end - 1, number, -1):
            line = self.plain[begin]
            starts = line and line[0].isupper() and _DIGIT.search(line) and _BEGINS.match(_low(line))
            if starts and _is_introduction(_low(" ".join(self.plain[begin:end]))):
                return self._at(begin, end)
        return None

    def _without_colon(self, number: int) -> _Found | None:
        """Take a line that ends with "wrote" for one above a quote where the quote follows, or where it has all else that such lines have."""
        if not self.has_quotes and "@" not in self.plain[number] and "mailto:" not in self.plain[number]:
            return None   # neither a quote follows nor is anybody named
        line = _low(self.plain[number])
        if len(line) > 200 or not _WROTE.search(line[-30:]):
            return None
        found = self._at(number, number + 1)
        whole = _ADDRESS.search(line) and _TIME.search(line) and _BEGINS.match(line) and _WROTE.search(line[-12:]) and not _FIRST_PERSON.search(line)
        return found if found.quoted or whole else None

    def _judged(self, number: int, end: int, window: str) -> _Found | None:
        found = self._at(number, end)
        low = _low(window)
        told = any(pattern.search(low) for pattern in (_WROTE, _ADDRESS, _TIME))
        if told if found.quoted else _is_introduction(low):
            return found
        dated = found.quoted or (_TIME.search(low) and not _FIRST_PERSON.search(low))
        return found if dated and self._known_to_quotequail(number, end) else None

    def _known_to_quotequail(self, number: int, end: int) -> bool:
        """Ask quotequail, whose patterns others keep up, about lines that end with a colon; it would take them without a date or a quote, too."""
        return len(quotequail.quote("\n".join(self.plain[number:end]) + "\n", limit=_INTRODUCTION * 2, quote_intro_line=True)) > 1

    def _at(self, start: int, end: int) -> _Found:
        body = next((one for one in range(end, min(end + 3, len(self.lines))) if self.plain[one]), end)
        return _Found(start, body, quoted=body < len(self.lines) and self.quoted[body])

    def _quote(self, found: _Found) -> _History | None:
        """Decide about a quote whose lines have a ">": it is history if nothing, or only a signature, stands below, or if all of the answer does."""
        answers = self._below(found.body)
        above = self._written(0, found.start)
        if answers is None:
            return None
        if not answers or self._is_footer(answers):
            if above:
                return self._with_rule(found.start, len(self.lines))
            return _History(len(self.lines), len(self.lines))
        if above and not self._greets(found.start):
            return None
        # The answer stands below: what it answers is folded if words introduce it. A quote without them was put there by hand.
        return _History(found.start, min(answers)) if found.introduced else _History(len(self.lines), len(self.lines))

    def _below(self, body: int) -> Sequence[int] | None:
        """Return the lines of text below the last quoted one; None where text stands between quotes."""
        last = body
        since: list[int] = []
        number = body
        while number < len(self.lines):
            if self.quoted[number]:
                if since and not self._is_broken_line(last, since, number):
                    return None
                since = []
                last = number
            elif self.plain[number]:
                if self._says_original(self.plain[number]) or self.marks.get(number) == "cut" or self._is_header(number):
                    return since
                found = None if since else self._introduced(number)
                if found and found.quoted:
                    number = last = found.body
                    continue
                since.append(number)
            number += 1
        return since

    def _is_broken_line(self, last: int, between: Sequence[int], then: int) -> bool:
        """Say whether a line between quoted ones is the end of a long one, which a program has broken without a new ">"."""
        return len(between) == 1 and then - last == 2 and len(self.lines[last]) > 60 and self.plain[between[0]][0].islower()

    def _is_footer(self, numbers: Sequence[int]) -> bool:
        """Say whether the lines below a quote are a signature or a company's notice and no answer."""
        if self.signature(numbers) == 0:
            return True
        text = " ".join(self.plain[one] for one in numbers[:40])
        ruled = all(_RULE.fullmatch(self.lines[one].strip()[:_LINE]) for one in numbers)
        return ruled or words.NOTICE.search(text[:2000]) is not None

    def _greets(self, before: int) -> bool:
        """Say whether all that stands above is one short line, such as "Hi,"."""
        above = [line for line in self.plain[:before] if line]
        return len(above) == 1 and len(above[0]) <= 40 and above[0][-1] in ",!、،:."

    def _written(self, start: int, end: int) -> bool:
        """Say whether anything stands in these lines but rules and marks of a signature."""
        return any(line.strip() and not _RULE.fullmatch(line.strip()[:_LINE]) for line in self.lines[start:end])

    def _with_rule(self, start: int, end: int) -> _History:
        """Take the rule above history into it."""
        while start and (not self.lines[start - 1].strip() or _LONG_RULE.fullmatch(self.lines[start - 1].strip()[:_LINE])):
            start -= 1
        return _History(start, end)

    # --- signatures -------------------------------------------------------------------------------------------------------------------------------

    def signature(self, numbers: Sequence[int]) -> int:
        """Return where among some lines the signature at their end begins; their count where there is none."""
        filled = [place for place, number in enumerate(numbers) if self.lines[number].strip()]
        end = self._delimited(numbers, filled)
        filled = [place for place in filled if place < end]
        for _ in range(_MOBILE_LINES):
            if not filled or not self._closes(numbers[filled[-1]]):
                break
            end = filled.pop()
        return end

    def _delimited(self, numbers: Sequence[int], filled: Sequence[int]) -> int:
        """Return the place of the line of two dashes (RFC 3676, section 4.3), or of the rule above a list's footer."""
        for place in filled[-_SIGNATURE - 1 :]:
            line = self.lines[numbers[place]].strip()[:_LINE]
            if line.startswith("--") and _DELIMITER.fullmatch(line):
                return place
        for place in filled[-_FOOTER:]:
            line = self.lines[numbers[place]].strip()[:_LINE]
            if len(line) > 1 and not line.strip("_"):
                return place
        return len(numbers)

    def _closes(self, number: int) -> bool:
        """Say whether a line at the end is a program's: "Sent from my iPhone", a rule, or part of what the program marked as a signature."""
        if self.marks.get(number) == "signature":
            return True
        line = self.lines[number].strip()
        if len(line) > 250:
            return False
        if _RULE.fullmatch(line):
            return True
        bare = _low(" ".join(_LINKS.sub(" ", line.translate(_DIRECTION)).split()).strip(_BRACKETS))
        return 4 < len(bare) <= 120 and _MOBILE.fullmatch(bare) is not None


def _is_introduction(window: str) -> bool:
    """Say whether a line in lower case introduces a quote by itself, without a ">" below it: somebody wrote, at a time or from an address."""
    if _FIRST_PERSON.search(window):
        return False
    address = _ADDRESS.search(window) is not None
    time = _TIME.search(window) is not None
    wrote = _WROTE.search(window) is not None
    if wrote:
        return address or (time and _BEGINS.match(window) is not None)
    # Gmail in some languages writes no verb: "пт, 5 янв. 2024 г. в 10:00, Анна <anna@example.com>:".
    return address and time and window.rstrip(":： ")[-1:] in ">)）" and _BEGINS.match(window) is not None
