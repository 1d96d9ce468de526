"""Measure how many replies that others have collected are folded as those say, by ours and by other parsers.

`python -m benchmarks.folding FOLDER [--peers PYTHON] [--wrong NAME]`. FOLDER holds the unpacked sources of the projects in SOURCES, each under the
name that stands there; PYTHON is the interpreter of an environment in which quotequail, mail-parser-reply and email-reply-parser are installed.
"""

from __future__ import annotations

import argparse
import ast
import email
import html
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cs_plugin.mail.folding import fold_html, fold_text


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that somebody collected. `shown` is what they say is new in it; or else `holds` stands in that, and `lacks` does not."""

    name: str
    text: str
    is_html: bool = False
    shown: str | None = None
    holds: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    def is_right(self, shown: str) -> bool:
        found = _words(shown)
        if self.shown is not None:
            return found == _words(self.shown)
        return all(_words(one) in found for one in self.holds) and not any(_words(one) in found for one in self.lacks)


def _words(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\xa0", " ")).strip()


def _trimmer(folder: Path) -> Iterator[Reply]:
    """email_reply_trimmer (Ruby): a mail and what is left of it, as files of the same name."""
    for mail in sorted(folder.glob("test/emails/*.txt")):
        yield Reply(mail.name, mail.read_text("utf-8"), shown=(folder / "test/trimmed" / mail.name).read_text("utf-8"))


def _literal(quoted: str) -> str:
    return str(ast.literal_eval(quoted))


def _javascript(folder: Path) -> Iterator[Reply]:
    """email-reply-parser (JavaScript): tests that compare the first fragment of a fixture with a text."""
    tests = (folder / "test/test.js").read_text("utf-8")
    common = _literal("'" + re.search(r"COMMON_FIRST_FRAGMENT = '(.*?)';", tests, re.DOTALL)[1] + "'")  # type: ignore[index]
    known = set()
    for body in re.split(r"\nexport function ", tests)[1:]:
        name = re.search(r'get_email\("(\w+)"\)', body)
        if not name or name[1] in known:
            continue
        text = (folder / f"test/fixtures/{name[1]}.txt").read_text("utf-8")
        literal = re.search(r'test\.equal\((".*?"), (?:fragments\[0\]\.toString|email\.getVisibleText|reply\.fragments\[0\])', body)
        if "COMMON_FIRST_FRAGMENT" in body or literal:
            known.add(name[1])
            yield Reply(name[1], text, shown=_literal(literal[1]) if literal else common)


def _php(folder: Path) -> Iterator[Reply]:
    """EmailReplyParser (PHP): likewise."""
    tests = "".join(one.read_text("utf-8") for one in sorted(folder.glob("tests/**/*Test.php")))
    cases = "".join(one.read_text("utf-8") for one in sorted(folder.glob("tests/**/*TestCase.php")))
    found = re.search(r"COMMON_FIRST_FRAGMENT = '(.*?)';", cases + tests, re.DOTALL)
    for body in re.split(r"\n    (?:/\*\*|const|public|protected|private)\b", tests)[1:]:
        name = re.search(r"getFixtures\('(\w+\.txt)'\)", body)
        if name and found and "COMMON_FIRST_FRAGMENT" in body:
            yield Reply(name[1], (folder / "tests/Fixtures" / name[1]).read_text("utf-8"), shown=found[1])


def _talon(folder: Path) -> Iterator[Reply]:
    """Talon (Python): replies of well-known programs in HTML, and mails whose plain text it cuts."""
    for one in sorted(folder.glob("tests/fixtures/html_replies/*.html")):
        yield Reply(one.name, one.read_text("utf-8"), is_html=True, shown="Hi. I am fine.\n\nThanks,\nAlex")
    for one in sorted(folder.glob("tests/fixtures/standard_replies/*.eml")):
        told = one.with_name(one.stem + "_reply_text")
        for part in email.message_from_bytes(one.read_bytes()).walk():
            if part.get_content_type() == "text/plain":
                text = part.get_payload(decode=True).decode(part.get_content_charset() or "utf-8", "replace")  # type: ignore[union-attr]
                yield Reply(one.name, text, shown=told.read_text("utf-8") if told.exists() else "Hello")
                break


def _python(folder: Path) -> Iterator[Reply]:
    """mail-parser-reply (Python): tests that say what stands in the newest of the replies, and what in the older ones."""
    tests = next(iter(sorted(folder.glob("test/test*.py")))).read_text("utf-8")
    for body in re.split(r"\n    def ", tests)[1:]:
        name = re.search(r"get_email\('(\w+)', parse=True", body)
        if not name:
            continue
        text = (folder / f"test/emails/{name[1]}.txt").read_text("utf-8")
        whole = re.search(r'assertTrue\((".*?") == mail\.replies\[0\]\.body\)', body)
        holds = tuple(_literal(one) for one in re.findall(r'assert(?:True|In)\((".*?")(?: in |, )mail\.replies\[0\]\.body\)', body))
        lacks = tuple(_literal(one) for one in re.findall(r'assert(?:True|In)\((".*?")(?: in |, )mail\.replies\[[1-9]\]\.\w+\)', body))
        lacks += tuple(_literal(one) for one in re.findall(r'assertTrue\((".*?") == mail\.replies\[[1-9]\]\.body\)', body))
        lacks = tuple(one for one in lacks if text.count(one) == 1)   # "Hej" stands in both
        if whole:
            yield Reply(name[1], text, shown=_literal(whole[1]))
        elif holds or lacks:
            yield Reply(name[1], text, holds=holds, lacks=lacks)


# Whose replies are read, by the name of the folder that holds their source.
SOURCES: Mapping[str, Callable[[Path], Iterator[Reply]]] = {
    "email_reply_trimmer": _trimmer,
    "email-reply-parser-js": _javascript,
    "EmailReplyParser-php": _php,
    "talon": _talon,
    "mail-parser-reply": _python,
}

# How each of the others is asked for the new text of a plain one; they are given HTML as ours turns it into text, but for quotequail, which reads it.
PEERS: Mapping[str, str] = {
    "quotequail": "import quotequail; ask = lambda t: quotequail.quote(t, quote_intro_line=True)[0][1]",
    "mail-parser-reply": "from mailparser_reply import EmailReplyParser; from mailparser_reply.constants import MAIL_LANGUAGES; "
                         "parser = EmailReplyParser(languages=list(MAIL_LANGUAGES)); ask = lambda t: parser.read(t).latest_reply or ''",
    "email-reply-parser": "from email_reply_parser import EmailReplyParser; ask = EmailReplyParser.parse_reply",
}
_ASKING = """import json, sys
{}
out = []
for text in json.load(sys.stdin):
    try:
        out.append(ask(text))
    except Exception:  # other parsers may raise anything; what they raise on counts as wrong
        out.append("")
json.dump(out, sys.stdout)
"""


def _ours(replies: list[Reply]) -> list[str]:
    return [(fold_html if one.is_html else fold_text)(one.text).shown for one in replies]


def _peer(python: str, asking: str, replies: list[Reply]) -> list[str]:
    from cs_plugin.mail.html_text import text_of

    texts = json.dumps([text_of(one.text) if one.is_html else one.text for one in replies])
    ran = subprocess.run([python, "-c", _ASKING.format(asking)], input=texts, capture_output=True, text=True, check=True)
    return [html.unescape(one) if one else "" for one in json.loads(ran.stdout)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peers", default="")
    parser.add_argument("--wrong", default="", help="print what this parser gets wrong")
    given = parser.parse_args()
    columns = ["ours", *(PEERS if given.peers else ())]
    print("| source | replies | " + " | ".join(columns) + " |")
    print("| --- | ---: |" + " ---: |" * len(columns))
    totals = dict.fromkeys(columns, 0)
    number = 0
    wrong: list[tuple[Reply, str]] = []
    texts: set[str] = set()
    for source, reader in SOURCES.items():
        folder = given.folder / source
        if not folder.is_dir():
            print(f"{source}: not there", file=sys.stderr)
            continue
        replies = [one for one in reader(folder) if _words(one.text) not in texts]   # two of them share many of their mails
        texts |= {_words(one.text) for one in replies}
        right = {}
        for column in columns:
            shown = _ours(replies) if column == "ours" else _peer(given.peers, PEERS[column], replies)
            verdicts = [one.is_right(text) for one, text in zip(replies, shown, strict=True)]
            right[column] = sum(verdicts)
            totals[column] += right[column]
            if column == given.wrong:
                wrong += [(one, text) for one, text, good in zip(replies, shown, verdicts, strict=True) if not good]
        number += len(replies)
        print(f"| {source} | {len(replies)} | " + " | ".join(str(right[one]) for one in columns) + " |")
    print(f"| **all** | {number} | " + " | ".join(f"{totals[one]} ({100 * totals[one] // max(number, 1)} %)" for one in columns) + " |")
    for one, text in wrong:
        expected = one.shown if one.shown is not None else (one.holds, one.lacks)
        print(f"\n##### {one.name}\n{one.text[:1500]}\n--- expected: {expected}\n--- {given.wrong}:\n{text[:1500]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
