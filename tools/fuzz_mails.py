# ruff: noqa: E501 - the mails are tables, a mail on a line
"""Reading damaged mails for long: `python -m tools.fuzz_mails [--minutes N] [--seed N] [--keep FOLDER]`.

Mails of tests/mails/ are mutated, cut, spliced and nested, read, and judged: reading raises nothing, every text is clean, nothing takes out of
proportion. What fails is written into a folder with its seed; a mail made of it belongs into tests/mails/.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from cs_plugin.mail.parse import read_mail
from tools.foreign_mails import is_clean

MAILS = Path(__file__).parent.parent / "tests" / "mails"
_LONGEST = 200_000
# What is put in: what readers of mail trip over.
_PIECES = (
    b"\0", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"--", b"=?", b"?=", b"=?utf-8?B?", b"=?utf-8?Q?=FF?=", b"=?x?q?", b"\xff\xfe", b"\xed\xa0\x80", b"\x1b$B", b"\x1b(B",
    b'"', b"<", b">", b"(", b")", b";", b":", b",", b"\\", b"=", b"==", b"%", b"*", b"'", b"*0*=", b"*=", b"begin 644 x\n", b"\nend\n", b"+AAA-", b"cid:", b"<html>",
    b"Content-Type: multipart/mixed; boundary=x\n\n--x\n", b"Content-Type: message/rfc822\n\n", b"Content-Transfer-Encoding: base64\n",
    b"Content-Transfer-Encoding: quoted-printable\n", b"Content-Transfer-Encoding: x-uuencode\n", b"charset=utf-16", b"charset=iso-2022-jp", b"charset=utf-7",
    b"charset=hz", b"charset=zlib", b"charset=gb18030", b"From: ", b"Date: Mon, 99 Feb 99999 99:99:99 +99999999\n", b"Subject: ", b"References: <", b"> ", b"x" * 1_000,
    b"Action: failed\n", b"Status: 5.", b"Final-Recipient: rfc822;", b"format=flowed", b"</p>", b"<p>", b"<div class=gmail_quote>", b"\xc2\xa0", b"\xf0\x9f\x98\x80",
)  # fmt: skip


def _at(chance: random.Random, mail: bytes) -> int:
    return chance.randint(0, len(mail))


def _changed(chance: random.Random, mail: bytes, _mails: Sequence[bytes]) -> bytes:
    at = _at(chance, mail)
    return mail[:at] + bytes((chance.randrange(256),)) + mail[at + 1 :]


def _put_in(chance: random.Random, mail: bytes, _mails: Sequence[bytes]) -> bytes:
    at = _at(chance, mail)
    return mail[:at] + chance.choice(_PIECES) * chance.choice((1, 1, 1, 2, 50)) + mail[at:]


def _cut_out(chance: random.Random, mail: bytes, _mails: Sequence[bytes]) -> bytes:
    at = _at(chance, mail)
    return mail[:at] + mail[at + chance.choice((1, 2, 10, 100, 1_000)) :]


def _cut_off(chance: random.Random, mail: bytes, _mails: Sequence[bytes]) -> bytes:
    return mail[: _at(chance, mail)]


def _spliced(chance: random.Random, mail: bytes, mails: Sequence[bytes]) -> bytes:
    other = chance.choice(mails)
    return mail[: _at(chance, mail)] + other[_at(chance, other) :]


def _repeated(chance: random.Random, mail: bytes, _mails: Sequence[bytes]) -> bytes:
    start = _at(chance, mail)
    end = start + chance.choice((1, 5, 50, 500))
    return mail[:end] + mail[start:end] * chance.choice((1, 3, 30, 300)) + mail[end:]


def _lines_shuffled(chance: random.Random, mail: bytes, _mails: Sequence[bytes]) -> bytes:
    lines = mail.splitlines(keepends=True)
    chance.shuffle(lines)
    return b"".join(lines)


def _line_ends(chance: random.Random, mail: bytes, _mails: Sequence[bytes]) -> bytes:
    return mail.replace(b"\r\n", chance.choice((b"\n", b"\r", b"\n\r", b"\r\r\n")))


def _deepened(chance: random.Random, mail: bytes, mails: Sequence[bytes]) -> bytes:
    deep = chance.choice((1, 3, 20, 150))
    same = chance.random() < 0.3
    before = b"".join(b"Content-Type: multipart/%s; boundary=q%d\r\n\r\n--q%d\r\n" % (chance.choice((b"mixed", b"alternative", b"related", b"digest")), n, n)
                      for n in ((0,) * deep if same else range(deep)))  # fmt: skip
    return b"From: a@b.example\r\nSubject: deep\r\n" + before + mail + b"\r\n--q0\r\n\r\n" + chance.choice(mails)


_WAYS: tuple[Callable[[random.Random, bytes, Sequence[bytes]], bytes], ...] = (
    _changed, _changed, _put_in, _put_in, _put_in, _cut_out, _cut_off, _spliced, _repeated, _lines_shuffled, _line_ends, _deepened,
)  # fmt: skip


def own_mails() -> list[bytes]:
    """Return the mails of tests/mails/ in the order of their names."""
    return [path.read_bytes() for path in sorted(MAILS.glob("*.eml"))]


def damaged(chance: random.Random, mails: Sequence[bytes]) -> bytes:
    """Return a mail that was damaged in up to eight ways."""
    mail = chance.choice(mails)
    for _ in range(chance.choice((1, 1, 2, 3, 5, 8))):
        mail = chance.choice(_WAYS)(chance, mail, mails)[:_LONGEST]
    return mail


def failure(mail: bytes) -> str:
    """Return what is wrong with how a mail is read, or an empty text."""
    try:
        return "" if is_clean(read_mail(mail)) else "a text is not clean"
    except Exception:  # noqa: BLE001 - this is what is looked for
        return traceback.format_exc()


def main() -> int:
    """Read damaged mails until the time is over; say what was found."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--minutes", type=float, default=60)
    asked.add_argument("--seed", type=int, default=time.time_ns())
    asked.add_argument("--keep", type=Path, default=Path("fuzz-found"))
    given = asked.parse_args()
    mails, seed, read, found, slowest = own_mails(), given.seed, 0, 0, (0.0, 0, 0)
    until = time.monotonic() + given.minutes * 60
    while time.monotonic() < until:
        seed += 1
        mail = damaged(random.Random(seed), mails)
        began = time.process_time()
        wrong = failure(mail)
        took = time.process_time() - began
        slowest = max(slowest, (took, len(mail), seed))
        read += 1
        if wrong or took > 5:
            found += 1
            given.keep.mkdir(parents=True, exist_ok=True)
            (given.keep / f"{seed}.eml").write_bytes(mail)
            print(f"seed {seed}: {wrong or f'{took:.1f} seconds'}", flush=True)
    print(f"{read} mails read in {given.minutes:g} minutes, {found} failed; the slowest took {slowest[0]:.2f} s for {slowest[1]} bytes (seed {slowest[2]})")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
