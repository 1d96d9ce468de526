"""What other projects expect of their mails, against what we read: `python -m benchmarks.expectations FOLDER [--told FILE] [--show PATTERN]`.

FOLDER holds unpacked sources of other mail software, each in a folder of its own (benchmarks/foreign-mails.md names them); nothing of it is kept
here. Read are the expectations that a machine can read: files of results, and the plainest assertions of tests. FILE is what Sisimai itself says of
its bounces, a line for each (benchmarks/foreign-mails.md says how it is made): its tests do not name recipients.
"""

from __future__ import annotations

import argparse
import ast
import datetime as dt
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from cs_plugin.mail.header_lines import decode_words, free_text, raw_text, read_date, read_ids, read_mailboxes
from cs_plugin.mail.parse import ReadingLimits, read_mail
from cs_plugin.mail.splitting import Splitting
from cs_plugin.rules.incoming import Bounce, IncomingMail
from tools.foreign_mails import leaves_of_ours


@dataclass(frozen=True, slots=True)
class Expectation:
    """One thing that a project expects of one mail or header line, and what we read."""

    kind: str
    where: str
    theirs: Any
    ours: Any

    @property
    def met(self) -> bool:
        """Tell whether both are the same."""
        return bool(self.theirs == self.ours)


def _plain(text: str) -> str:
    """Return text without what line ends and blanks make different."""
    return " ".join(text.replace("\0", "").split())


# mail-parser (Rust): a JSON file for each mail and each kind of header.


_COMMENT = re.compile(r"\([^()]*\)+")
_NOT_ONE_LINE = re.compile(r"\n(?![ \t]).*", re.DOTALL)


def _rust_addresses(value: Any) -> list[list[str]]:
    found = []
    for one in value.get("List") or [two for group in value.get("Group", []) for two in group.get("addresses", [])]:
        if one.get("address"):
            # Comments are part of a name for them; a name that is the address again is none for us.
            name = _plain(_COMMENT.sub("", one.get("name") or "")).strip("<>")
            found.append([one["address"], "" if name == one["address"] else name])
    return found


def _our_addresses(raw: bytes) -> list[list[str]]:
    return [[one.address, one.name] for one in read_mailboxes(raw) if "@" in one.address]


def _moment(value: Any) -> str:
    try:
        offset = dt.timedelta(hours=value["tz_hour"], minutes=value["tz_minute"]) * (-1 if value["tz_before_gmt"] else 1)
        at = dt.datetime(value["year"], value["month"], value["day"], value["hour"], value["minute"], value["second"], tzinfo=dt.timezone(offset))
    except ValueError:
        return ""
    return at.astimezone(dt.UTC).isoformat()


def _our_moment(raw: bytes) -> str:
    found = read_date(raw.strip())
    return found.isoformat() if found else ""


def _our_type(raw: bytes) -> list[Any]:
    limits = ReadingLimits()
    node = Splitting(b"Content-Type: " + raw.strip() + b"\n\n", limits.parts, limits.depth, limits.header_bytes).split()
    # Encoded words in names are decoded where files are named.
    return [node.kind, {name: decode_words(raw_text(value.encode("latin-1", "replace"))) for name, (value, _said) in node.parameters.items()}]


def _rust_type(value: Any) -> list[Any]:
    kind = "/".join(filter(None, (value["c_type"], value.get("c_subtype"))))
    return [kind.lower(), dict(_rust_attribute(one) for one in value.get("attributes") or ())]


def _rust_attribute(one: Any) -> tuple[str, str]:
    name, value = (one["name"], one["value"]) if isinstance(one, dict) else one
    return name.lower(), value


def mail_parser_rust(folder: Path) -> Iterator[Expectation]:
    """Header lines, and whole mails: subject, sender, recipients, id, date, texts and files."""
    of_headers: tuple[tuple[str, Callable[[Any], Any], Callable[[bytes], Any]], ...] = (
        ("address", _rust_addresses, _our_addresses),
        ("date", _moment, _our_moment),
        ("id", lambda value: [f"<{one}>" for one in value], lambda raw: list(read_ids(raw, 100))),
        ("content_type", _rust_type, _our_type),
        ("unstructured", _plain, lambda raw: free_text(b" ".join(raw.split()), 900)),
    )
    for name, theirs, ours in of_headers:
        for number, case in enumerate(json.loads((folder / "resources" / f"{name}.json").read_text())):
            header = _NOT_ONE_LINE.sub("", case["header"])
            # Lists of links (List-Help and its like) are read by the same code of theirs.
            if case["expected"] is not None and not re.search(r"<(?:http|ftp|mailto):|^NO ", header):
                yield Expectation(f"header {name}", f"{name}.json {number}", theirs(case["expected"]), ours(header.encode()))
    for path in sorted((folder / "resources" / "eml").rglob("*.eml")):
        yield from _rust_mail(path, json.loads(path.with_suffix(".json").read_text()))


def _rust_mail(path: Path, wanted: Any) -> Iterator[Expectation]:
    raw, where = path.read_bytes(), f"{path.parent.name}/{path.stem}"
    mail = read_mail(raw)
    said: dict[str, Any] = {}
    for line in wanted["parts"][0]["headers"]:
        said.setdefault(str(line["name"]), line["value"])   # theirs keeps each of a name; the first counts for us
    if "subject" in said and "Text" in said["subject"]:
        yield Expectation("subject", where, _plain(said["subject"]["Text"]), mail.subject)
    if "from" in said and "Address" in said["from"]:
        theirs = _rust_addresses(said["from"]["Address"])[:1]
        yield Expectation("sender", where, theirs[0][0] if theirs else None, mail.sender and mail.sender.address)
    if "to" in said and "Address" in said["to"]:
        yield Expectation("to", where, [one[0] for one in _rust_addresses(said["to"]["Address"])], [one.address for one in mail.to])
    if "message_id" in said and "Text" in said["message_id"]:
        yield Expectation("message id", where, f"<{said['message_id']['Text']}>", mail.message_id)
    if "date" in said and "DateTime" in said["date"]:
        yield Expectation("date", where, _moment(said["date"]["DateTime"]), mail.sent_at.isoformat() if mail.sent_at else "")
    texts = [_plain(body["Text"]) for number in wanted["text_body"] if "Text" in (body := wanted["parts"][number]["body"])]
    ours = _plain(f"{mail.text} {mail.quoted}")
    if texts and not mail.html:
        yield Expectation("text", where, sorted(" ".join(texts).split()), sorted(ours.split()))
    yield Expectation("how many files", where, len(wanted["attachments"]), len(mail.parts))


# James Mime4J: a tree for each mail, and the decoded content of each part in a file of its own.


def mime4j(folder: Path) -> Iterator[Expectation]:
    """The types of the parts, and their decoded content."""
    for path in sorted((folder / "core" / "src" / "test" / "resources").rglob("*_decoded.xml")):
        raw = path.with_name(path.name.replace("_decoded.xml", ".msg")).read_bytes()
        try:
            tree = ElementTree.fromstring(path.read_bytes())
        except ElementTree.ParseError:
            continue   # holds bytes that no XML may hold
        theirs = [_content(path, body) for body in _bodies(tree)]
        ours = [content for kind, content in leaves_of_ours(raw)]
        where = path.name.removesuffix("_decoded.xml")
        if not any(True for _ in tree.iter("message") if _ is not tree):   # we do not look into a mail within a mail
            yield Expectation("how many parts", where, len(theirs), len(ours))
            if len(theirs) == len(ours):
                yield Expectation("decoded parts", where, [_lines(one) for one in theirs], [_lines(one) for one in ours])


def _bodies(tree: ElementTree.Element) -> Iterator[ElementTree.Element]:
    return (one for one in tree.iter() if one.tag in ("text-body", "binary-body", "body"))


def _content(path: Path, body: ElementTree.Element) -> bytes:
    name = body.get("name")
    return path.with_name(name).read_bytes() if name else (body.text or "").encode()


def _lines(content: bytes) -> bytes:
    return b"\n".join(content.split()).strip()


# php-imap: the plainest assertions of its tests.

_FIXTURE = re.compile(r'getFixture\("([^"]+)"\)|from[A-Za-z]*\([^;]{0,200}?"messages", "([^"]+)"')
_ASSERTED = (
    ("subject", re.compile(r'assertEquals\("((?:[^"\\]|\\.)*)", \$message->subject(?:\)|->)')),
    ("subject", re.compile(r"assertEquals\('([^']*)', \$message->subject(?:\)|->)")),
    ("text", re.compile(r'assertEquals\("((?:[^"\\]|\\.)*)", \$message->getTextBody\(\)')),
    ("sender", re.compile(r'assertEquals\("([^"]*)", \$message->from->first\(\)->mail')),
    ("to", re.compile(r'assertEquals\("([^"]*)", \$message->to->first\(\)->mail')),
    ("message id", re.compile(r'assertEquals\("([^"]*)", \$message->message_id')),
    ("date", re.compile(r'assertEquals\("([^"]*)", \$message->date->first\(\)->setTimezone\(.UTC.\)->format\("Y-m-d H:i:s"\)')),
    ("how many files", re.compile(r"assertCount\((\d+), \$(?:message->attachments\(\)|attachments)\)")),
    ("name of a file", re.compile(r'assertEquals\("((?:[^"\\]|\\.)*)", \$attachment->name\)')),
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def php_imap(folder: Path) -> Iterator[Expectation]:
    """What its tests assert of subject, text, sender, recipient, id, date, and the number and names of files."""
    for test in sorted((folder / "tests").rglob("*Test.php")):
        source = test.read_text()
        fixture = _FIXTURE.search(source)
        path = folder / "tests" / "messages" / (fixture.group(1) or fixture.group(2)) if fixture else None
        # Some read several mails in one test: which assertion is of which is not told.
        if path is None or not path.is_file() or len(_FIXTURE.findall(source)) > 1:
            continue
        mail = read_mail(path.read_bytes())
        names = [part.name for part in mail.parts]
        for kind, pattern in _ASSERTED:
            for found in pattern.finditer(source):
                theirs = re.sub(r"\\(.)", lambda one: _ESCAPES.get(one.group(1), one.group(1)), found.group(1))
                yield Expectation(kind, path.name, *_both(kind, theirs, mail, names))


# FreeScout: likewise, of its own mails.

_FREESCOUT = (
    ("subject", re.compile(r'assertSame\("([^"]*)", \(string\)\$message->(?:getSubject\(\)|subject)\)')),
    ("how many files", re.compile(r"assertSame\((\d+), \$attachments->count\(\)\)")),
    ("name of a file", re.compile(r'(?m)^\s*self::assertSame\("([^"]*)", \$attachment->filename\)')),
    ("text", re.compile(r'assertSame\("([^"]*)", \$message->getTextBody\(\)\)')),
)


def freescout(folder: Path) -> Iterator[Expectation]:
    """What its tests assert of subjects, texts and files."""
    source = (folder / "tests" / "Unit" / "WebklexTest.php").read_text()
    for one in source.split('getFixture("')[1:]:
        path = folder / "tests" / "Messages" / one.partition('"')[0]
        mail = read_mail(path.read_bytes())
        for kind, pattern in _FREESCOUT:
            for found in pattern.finditer(one):
                yield Expectation(kind, path.name, *_both(kind, found.group(1).replace("\\n", "\n"), mail, [part.name for part in mail.parts]))


def _both(kind: str, theirs: Any, mail: IncomingMail, names: list[str]) -> tuple[Any, Any]:
    if kind == "subject":
        return _plain(theirs), mail.subject
    if kind == "text":
        return _plain(theirs), _plain(f"{mail.text} {mail.quoted}")
    if kind == "sender" and isinstance(theirs, str):
        return theirs, mail.sender.address if mail.sender else ""
    if kind == "to" and isinstance(theirs, str):
        return theirs, mail.to[0].address if mail.to else ""
    if kind in ("sender", "to", "cc"):
        ours = {"sender": (mail.sender,) if mail.sender else (), "to": mail.to, "cc": mail.cc}[kind]
        return theirs, [one.address for one in ours]
    if kind == "message id":
        return theirs.strip("<>"), (mail.message_id or "").strip("<>")
    if kind == "date":
        return theirs, mail.sent_at.strftime("%Y-%m-%d %H:%M:%S") if mail.sent_at else ""
    if kind == "how many files":
        return int(theirs), len(names)
    return theirs, theirs if theirs in names else names


# mail (Ruby): the plainest assertions of its specifications.

_RUBY_FIXTURE = re.compile(r"read_(?:raw_)?fixture\(([^()]*)\)")
_RUBY_PENDING = re.compile(r"\bpending\n.*?\n    end\n", re.DOTALL)
_RUBY_SAID = re.compile(r"expect\(@?(?:mail|message|m)(\.[a-z_]+(?:\[\d\]|\.[a-z]+)*)\)\.to (?:eq|be) ?(\[[^\]\n]*\]|\"[^\"\n]*\"|'[^'\n]*'|\d+)")
_RUBY_BOUNCED = re.compile(r"expect\(@?mail\d?\)\.(to|not_to) be_bounced")
_RUBY_KINDS = {
    ".from": "sender", ".to": "to", ".cc": "cc", ".subject": "subject", ".message_id": "message id", ".attachments.length": "how many files",
    ".attachments.size": "how many files", ".attachments.first.filename": "name of a file", ".attachments[0].filename": "name of a file",
    ".attachments[1].filename": "name of a file", ".decoded": "text", ".body.decoded": "text",
}  # fmt: skip


def mail_ruby(folder: Path) -> Iterator[Expectation]:
    """What its specifications say of sender, recipients, subject, id, and files; and what was not delivered for good."""
    for spec in sorted((folder / "spec" / "mail").glob("*_spec.rb")):
        source = spec.read_text()
        # What stands behind a mail's name is of that mail, until another is made or read.
        for one in re.split(r"(?=read_(?:raw_)?fixture\()", _RUBY_PENDING.sub("", source))[1:]:
            said = _RUBY_FIXTURE.match(one)
            path = (folder / "spec" / "fixtures").joinpath(*re.findall(r"'([^']*)'", said.group(1))) if said else None
            if path is not None and path.is_file() and path.suffix == ".eml":
                yield from _ruby_mail(path, re.split(r"Mail\.new\b|Mail::Message\.new|\.sub\(", one)[0])


def _ruby_mail(path: Path, said: str) -> Iterator[Expectation]:
    mail = read_mail(path.read_bytes())
    names = [part.name for part in mail.parts]
    for field, value in _RUBY_SAID.findall(said):
        kind = _RUBY_KINDS.get(field)
        if kind is not None:
            theirs = ast.literal_eval(value)
            yield Expectation(kind, path.name, *_both(kind, theirs[:1] if kind == "sender" else theirs, mail, names))
    for word in _RUBY_BOUNCED.findall(said):
        yield Expectation("a bounce for good", path.name, word == "to", mail.bounce is not None and mail.bounce.permanent)


# mail-mime-parser (PHP): a table for each mail in its tests, and its texts in files of their own.

_PHP_TABLE = re.compile(r"runEmailTest\('([^']+)', \[(.*?)\n        \]\)", re.DOTALL)
_PHP_LINE = re.compile(r"'([A-Za-z-]+)' => (?:\[\s*((?:'(?:name|email)' => '[^'\n]*',?\s*)+)\]|'([^'\n]*)'|(\d+)|new DateTime\('([^']*)'\))")


def mail_mime_parser(folder: Path) -> Iterator[Expectation]:
    """Sender, recipient, subject, id, date, text, and the number of files."""
    emails = folder / "tests" / "_data" / "emails"
    for test in sorted((folder / "tests").rglob("EmailFunctionalTest.php")):
        for name, table in _PHP_TABLE.findall(re.sub(r"(?m)//.*$|(?s:/\*.*?\*/)", "", test.read_text())):
            path = emails / f"{name}.txt"
            if path.is_file():
                yield from _php_mail(path, table)


def _php_mail(path: Path, table: str) -> Iterator[Expectation]:
    mail = read_mail(path.read_bytes())
    names = [part.name for part in mail.parts]
    for field, person, words, number, date in _PHP_LINE.findall(table):
        if person:
            who = mail.sender if field == "From" else mail.to[0] if mail.to else None
            said = dict(re.findall(r"'(name|email)' => '([^'\n]*)'", person))
            yield Expectation("sender" if field == "From" else "to", path.name, said["email"], who and who.address)
            if "name" in said:
                yield Expectation("name of a person", path.name, said["name"], who and who.name)
        elif field == "text" or (field == "html" and "'text'" not in table):
            theirs, ours = _both("text", (path.parent / "files" / words).read_bytes().decode("latin-1"), mail, names)
            # Of HTML they compare the letters, and we name its images too.
            yield Expectation("text", path.name, theirs, theirs if field == "html" and theirs in ours else ours)
        elif field in _PHP_KINDS:
            value = parsedate_to_datetime(date).astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S") if date else words or number
            yield Expectation(_PHP_KINDS[field], path.name, *_both(_PHP_KINDS[field], value, mail, names))


_PHP_KINDS = {"Subject": "subject", "Message-ID": "message id", "Date": "date", "attachments": "how many files"}


# Sisimai: what its tests expect of hard and soft, and what it says itself of recipients.

_SISIMAI_CASE = re.compile(r"'(\d\d)'\s*=>\s*\[((?:\s*\[[^\]]*\],?)+)\s*\]")
_SISIMAI_ROW = re.compile(r"\['([^']*)',\s*'([^']*)',\s*'([^']*)',\s*([01])")
_SISIMAI_ENGINE = re.compile(r"\$enginename = '(\w+)'")


def sisimai(folder: Path, told: Path | None) -> Iterator[Expectation]:
    """Whether a mail is a bounce, whether it is for good, its status, and (of `told`) its recipient."""
    recipients: dict[str, set[str]] = defaultdict(set)
    for line in told.read_text(errors="replace").splitlines() if told else ():
        path, _number, recipient, *_ = line.split("\t")
        recipients[Path(path).name].add(recipient.lower())
    for test in sorted((folder / "t").glob("[3-8]*.t")):
        source = test.read_text(errors="replace")
        engine = _SISIMAI_ENGINE.search(source)
        for number, rows in _SISIMAI_CASE.findall(source) if engine else ():
            name = _sisimai_file(folder, test.name, engine.group(1).lower() if engine else "", number)
            if name is not None and (facts := _SISIMAI_ROW.findall(rows)):
                yield from _of_bounce(name, facts, recipients.get(name.name, set()))


def _sisimai_file(folder: Path, test: str, engine: str, number: str) -> Path | None:
    kind = "rhost-" if "-rhost-" in test or "rhost" in test else "" if engine in ("arf", "rfc3464", "rfc3834") else "lhost-"
    path = folder / "set-of-emails" / "maildir" / "bsd" / f"{kind}{engine}-{number}.eml"
    return path if path.is_file() else None


def _of_bounce(path: Path, facts: list[tuple[str, str, str, str]], recipients: set[str]) -> Iterator[Expectation]:
    bounce = read_mail(path.read_bytes()).bounce
    reasons = {reason for _status, _code, reason, _hard in facts}
    is_none = reasons <= {"feedback", "vacation", "delivered"}
    yield Expectation("no bounce" if is_none else "a bounce", path.name, not is_none, bounce is not None)
    if is_none or bounce is None:
        return
    # Theirs tells whether the address will never take a mail, ours whether this mail will never arrive.
    if any(hard == "1" for *_, hard in facts):
        yield Expectation("hard, and so for good", path.name, True, bounce.permanent)
    yield from _status_and_recipient(path.name, bounce, {status for status, *_ in facts}, recipients)


def _status_and_recipient(name: str, bounce: Bounce, statuses: set[str], recipients: set[str]) -> Iterator[Expectation]:
    if bounce.status:
        same = bounce.status in statuses
        yield Expectation("status", name, bounce.status if same else sorted(statuses), bounce.status)
    if recipients:
        same = bounce.recipient.lower() in recipients
        yield Expectation("recipient", name, bounce.recipient if same else sorted(recipients), bounce.recipient)


# flufl.bounce: a table in its tests.


def flufl(folder: Path) -> Iterator[Expectation]:
    """Whether a mail is a bounce, and its recipient."""
    seen: dict[str, set[str]] = defaultdict(set)
    for node in ast.walk(ast.parse((folder / "tests" / "test_detectors.py").read_text())):
        if isinstance(node, ast.Tuple) and len(node.elts) >= 3 and isinstance(node.elts[1], ast.Constant) and isinstance(node.elts[2], ast.List):
            found = {one.value.decode().lower() for one in node.elts[2].elts if isinstance(one, ast.Constant) and isinstance(one.value, bytes)}
            seen[str(node.elts[1].value)] |= found
    for name, addresses in sorted(seen.items()):
        path = folder / "tests" / "data" / name
        if not path.is_file():
            continue
        bounce = read_mail(path.read_bytes()).bounce
        yield Expectation("a bounce" if addresses else "no bounce", name, bool(addresses), bounce is not None)
        if addresses and bounce:
            same = bounce.recipient.lower() in addresses
            yield Expectation("recipient", name, bounce.recipient if same else sorted(addresses), bounce.recipient)


def sources(folder: Path, told: Path | None) -> Iterator[tuple[str, Iterator[Expectation]]]:
    """Yield each source that the folder holds, with what is expected there."""
    readers: tuple[tuple[str, str, Callable[[Path], Iterator[Expectation]]], ...] = (
        ("mail-parser (Rust)", "stalwartlabs+mail-parser", mail_parser_rust),
        ("James Mime4J", "apache+james-mime4j", mime4j),
        ("php-imap", "Webklex+php-imap", php_imap),
        ("FreeScout", "freescout-help-desk+freescout", freescout),
        ("mail (Ruby)", "mikel+mail", mail_ruby),
        ("mail-mime-parser (PHP)", "zbateson+mail-mime-parser", mail_mime_parser),
        ("Sisimai (Perl)", "sisimai+p5-sisimai", lambda path: sisimai(path, told)),
        ("flufl.bounce", "flufl_bounce", flufl),
    )
    for name, beginning, reader in readers:
        for path in sorted(folder.glob(f"{beginning}*"))[:1]:
            yield name, reader(path)


def main() -> int:
    """Print how many expectations of each kind are met, and those that are not of the kinds that are asked for."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--told", type=Path, help="what Sisimai says of its bounces")
    asked.add_argument("--show", default="", help="a pattern for source and kind: what of it is not met is printed")
    asked.add_argument("--json", type=Path)
    given = asked.parse_args()
    rows = []
    print("| source | what | expected | met |\n| --- | --- | ---: | ---: |")
    for source, expected in sources(given.folder, given.told):
        whole, met = Counter[str](), Counter[str]()
        for one in expected:
            whole[one.kind] += 1
            met[one.kind] += one.met
            if not one.met and given.show and re.search(given.show, f"{source} {one.kind}"):
                print(f"  {one.where} {one.kind}: {str(one.theirs)[:300]!r} and not {str(one.ours)[:300]!r}", file=sys.stderr)
        for kind in whole:
            print(f"| {source} | {kind} | {whole[kind]} | {met[kind]} |")
            rows.append({"source": source, "kind": kind, "expected": whole[kind], "met": met[kind]})
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
