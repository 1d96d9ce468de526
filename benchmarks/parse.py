# ruff: noqa: E501 - the lines of mails stand on one line
"""Reading mails against the plain standard-library parser: `python -m benchmarks.parse [--json FILE] [--runs N] [--folder FOLDER]`.

The plain parser is `message_from_bytes`, a walk over all parts, and `get_payload(decode=True)` of each: nothing is decoded from a charset, no header
is read, no text chosen, folded or cleaned. Ours is the whole of `read_mail`. Both read the same mails in turn; what counts is the ratio.
"""

from __future__ import annotations

import argparse
import base64
import json
import platform
import random
import sys
import time
from collections.abc import Callable, Sequence
from email import message_from_bytes
from pathlib import Path
from statistics import median

from cs_plugin.mail.parse import read_mail
from tools.foreign_mails import mails_of

MAILS = Path(__file__).parent.parent / "tests" / "mails"
_AT_MOST = 3.0
_WORDS = ["order", "parcel", "delivery", "size", "colour", "invoice", "shoes", "shirt", "refund", "exchange", "week", "arrived", "broken", "missing", "thank", "please", "when", "where", "our", "your", "the", "a", "of", "to"]


def plainly(raw: bytes) -> int:
    """Read a mail by the standard library alone; return how many bytes its parts have."""
    total = 0
    for part in message_from_bytes(raw).walk():
        if not part.is_multipart():
            content = part.get_payload(decode=True)
            total += len(content) if isinstance(content, bytes) else 0
    return total


def _text(chance: random.Random, words: int) -> str:
    return "\r\n".join(" ".join(chance.choices(_WORDS, k=12)) for _ in range(words // 12))


def _head(number: int, more: str = "") -> str:
    relays = "".join(f"Received: from relay{n}.example (relay{n}.example [192.0.2.{n}])\r\n\tby mx.example with ESMTPS id {number}{n};\r\n\tMon, 02 Mar 2026 10:15:0{n} +0000\r\n" for n in range(4))
    return (
        f"Return-Path: <customer{number}@customer.example>\r\nDelivered-To: help@shop.example\r\n{relays}From: =?utf-8?q?J=C3=BCrgen_{number}?= <customer{number}@customer.example>\r\n"
        f"To: Help <help@shop.example>\r\nSubject: =?utf-8?q?Gr=C3=B6=C3=9Fe_of_order_{number}?=\r\nDate: Mon, 02 Mar 2026 10:15:00 +0000\r\nMessage-ID: <{number}@customer.example>\r\n{more}MIME-Version: 1.0\r\n"
    )


def _made(number: int) -> bytes:
    """Make a mail: a quarter each plain, alternative with HTML, with a file of 50 kB, and replies."""
    chance = random.Random(number)
    plain = f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße,\r\n{_text(chance, 120)}\r\n"
    kind = number % 4
    if kind == 0:
        return (_head(number) + plain).encode()
    if kind == 1:
        html = "".join(f"<p style='margin:0'>{line}</p>\r\n" for line in _text(chance, 240).splitlines())
        return (
            f'{_head(number)}Content-Type: multipart/alternative; boundary="b"\r\n\r\n--b\r\n{plain}--b\r\n'
            f"Content-Type: text/html; charset=utf-8\r\n\r\n<html><body>{html}</body></html>\r\n--b--\r\n"
        ).encode()
    if kind == 2:
        file = base64.encodebytes(chance.randbytes(50_000)).decode().replace("\n", "\r\n")
        return (
            f'{_head(number)}Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n{plain}--b\r\nContent-Type: image/jpeg; name="photo.jpg"\r\n'
            f'Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename="photo.jpg"\r\n\r\n{file}--b--\r\n'
        ).encode()
    quoted = "\r\n".join(f"> {line}" for line in _text(chance, 240).splitlines())
    more = f"In-Reply-To: <{number - 1}@shop.example>\r\nReferences: <{number - 2}@shop.example> <{number - 1}@shop.example>\r\n"
    return f"{_head(number, more)}{plain}\r\nOn Mon, 2 Mar 2026 at 10:15, Help wrote:\r\n{quoted}\r\n".encode()


def _took(work: Callable[[bytes], object], mails: Sequence[bytes]) -> float:
    began = time.process_time()
    for mail in mails:
        work(mail)
    return (time.process_time() - began) * 1_000 / len(mails)


def measured(mails: Sequence[bytes], runs: int) -> dict[str, float]:
    """Return the medians, in milliseconds of the processor a mail, and of the ratios of each run the least, the middle and the largest."""
    plain, ours = [], []
    for run in range(runs + 1):
        one, other = _took(_without_raising, mails), _took(read_mail, mails)
        if run:   # the first warms up
            plain.append(one)
            ours.append(other)
    ratios = sorted(other / one for one, other in zip(plain, ours, strict=True))
    return {
        "mails": len(mails),
        "kilobytes": round(sum(map(len, mails)) / len(mails) / 1_000, 1),
        "standard_ms": round(median(plain), 3),
        "ours_ms": round(median(ours), 3),
        "ratio": round(median(ratios), 2),
        "least": round(ratios[0], 2),
        "most": round(ratios[-1], 2),
    }


def _without_raising(raw: bytes) -> int:
    try:
        return plainly(raw)
    except (UnicodeError, LookupError, RecursionError):
        return 0   # it raises on some of ours


def main() -> int:
    """Measure, print a table, and say whether it is met."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--json", type=Path)
    asked.add_argument("--runs", type=int, default=5)
    asked.add_argument("--folder", type=Path, help="checkouts whose mails are read too, as tools.foreign_mails does")
    given = asked.parse_args()
    made = [_made(number) for number in range(400)]
    cases = {
        "plain": made[::4],
        "alternative with HTML": made[1::4],
        "file of 50 kB": made[2::4],
        "reply": made[3::4],
        "all four": made,
        "tests/mails": [path.read_bytes() for path in sorted(MAILS.glob("*.eml"))],
    }
    if given.folder:
        cases["foreign mails"] = [raw for folder in sorted(given.folder.iterdir()) if folder.is_dir() for _where, raw in mails_of(folder)]
    rows = [{"case": name, **measured(mails, given.runs)} for name, mails in cases.items()]
    print(f"{platform.machine()}, Python {platform.python_version()}, {sys.platform}; {given.runs} runs\n")
    print("| case | mails | kB a mail | standard_ms | ours_ms | ratio | least | most |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        print("| " + " | ".join(map(str, row.values())) + " |")
    met = all(float(row["ratio"]) <= _AT_MOST for row in rows)
    print(f"\nat most {_AT_MOST:g} times the standard library: {'met' if met else 'missed'}")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
