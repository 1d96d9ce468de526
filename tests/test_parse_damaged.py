# ruff: noqa: E501 - the mails are tables, a mail on a line
"""Whatever bytes are read: nothing raises, every text is clean, and no mail costs more than its length."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cs_plugin.mail.charsets import decode
from cs_plugin.mail.header_lines import decode_words, read_date, read_ids, read_mailboxes
from cs_plugin.mail.parameters import read_parameters
from cs_plugin.mail.parse import read_mail
from tools.foreign_mails import is_clean
from tools.fuzz_mails import damaged, failure, own_mails

OWN = own_mails()
QUICK = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@QUICK
@given(st.integers(0, 2**32))
def test_damaged_mails_are_read(seed: int) -> None:
    """Changed, cut, spliced, nested: reading raises nothing, and leaves every text clean."""
    assert failure(damaged(random.Random(seed), OWN)) == ""


@QUICK
@given(st.binary(max_size=500))
def test_any_bytes_are_read(raw: bytes) -> None:
    """What is no mail at all is one that says little."""
    assert is_clean(read_mail(raw))
    assert is_clean(read_mail(b"Subject: " + raw + b"\nContent-Type: multipart/mixed; boundary=b\n\n--b\n" + raw))


@QUICK
@given(st.binary(max_size=300), st.sampled_from(["", "utf-8", "utf-7", "iso-2022-jp", "iso-2022-kr", "hz", "gb2312", "big5", "utf-16", "utf-32", "x-none", "johab"]))
def test_any_bytes_are_text_in_any_charset(raw: bytes, charset: str) -> None:
    """The ladder of charsets has a last rung."""
    assert isinstance(decode(raw, charset)[0], str)


@QUICK
@given(st.binary(max_size=300))
def test_any_header_line_is_read(raw: bytes) -> None:
    """Mailboxes, ids, dates, parameters and words are read of any bytes."""
    assert all(one.address for one in read_mailboxes(raw))
    assert all(one.startswith("<") and one.endswith(">") for one in read_ids(raw, 10))
    assert read_date(raw) is None or read_date(raw).tzinfo is not None
    read_parameters(raw)
    decode_words(raw.decode("latin-1"))


# Mails that cost a reader much which is not made for them; each as Python makes it.
EXPENSIVE = {
    "nested": 'b"".join(b"Content-Type: multipart/mixed; boundary=d%d\\n\\n--d%d\\n" % (n, n) for n in range(20_000)) + b"x\\n" * 200_000',
    "mails within mails": 'b"Content-Type: message/rfc822\\n\\n" * 50_000',
    "parts": 'b"Content-Type: multipart/mixed; boundary=b\\n\\n" + b"--b\\n\\nx\\n" * 200_000',
    "lines like boundaries": 'b"Content-Type: multipart/mixed; boundary=b\\n\\n" + b"--c\\n" * 500_000',
    "header lines": 'b"X: y\\n" * 300_000 + b"\\n\\nx"',
    "rubbish between header lines": 'b"X-A: b\\nno header\\n" * 50_000 + b"\\n\\nx"',
    "lines of rubbish before a header line": 'b"X-A: b\\n" + (b"no header\\n" * 19 + b"X-A: b\\n") * 5_000 + b"\\n\\nx"',
    "bare lines of uuencode": 'b"Content-Transfer-Encoding: x-uuencode\\n\\n" + b"#86)C\\n" * 300_000',
    "recipients": 'b"To: " + b"a@b.example, " * 200_000 + b"\\n\\nx"',
    "many To lines": 'b"To: a@b.example\\n" * 100_000 + b"\\n\\nx"',
    "quotes in From": 'b"From: " + b\'"\\\\" \' * 300_000 + b"\\n\\nx"',
    "brackets in From": 'b"From: " + b"(" * 1_000_000 + b"\\n\\nx"',
    "angles in From": 'b"From: " + b"<" * 1_000_000 + b"\\n\\nx"',
    "encoded words": 'b"Subject: " + b"=?utf-8?b?4pyT?= " * 100_000 + b"\\n\\nx"',
    "beginnings of encoded words": 'b"Subject: " + b"=?utf-8?q?" * 100_000 + b"\\n\\nx"',
    "unknown charsets": 'b"Subject: " + b" ".join(b"=?c%d?q?=FF?=" % n for n in range(50_000)) + b"\\n\\nx"',
    "references": 'b"References: " + b"<a@b> " * 200_000 + b"\\n\\nx"',
    "parameters": 'b"Content-Type: text/plain" + b"; a=b" * 200_000 + b"\\n\\nx"',
    "pieces of a name": 'b"Content-Disposition: attachment" + b"".join(b"; filename*%d=x" % n for n in range(100_000)) + b"\\n\\nx"',
    "a folded line": 'b"Subject: x\\n" + b" y\\n" * 500_000 + b"\\nx"',
    "blanks before a fold": 'b"X-A: a" + b" " * 1_000_000 + b"b\\n c\\n\\nx"',
    "a route without an end": 'b"From: <" + b"@" * 1_000_000 + b"\\n\\nx"',
    "uuencoded beginnings behind a text": 'b"\\n" + b"a line of the text\\n" * 100_000 + b"begin 644 x\\n" * 100_000',
    "uuencoded beginnings": 'b"\\n" + b"begin 644 x\\n" * 100_000',
    "padding": 'b"Content-Type: a/b\\nContent-Transfer-Encoding: base64\\n\\n" + b"AA==\\n" * 500_000',
    "padding in text": 'b"Content-Transfer-Encoding: base64\\n\\n" + b"A=" * 1_000_000',
    "quoted": 'b"Content-Transfer-Encoding: quoted-printable\\n\\n" + b"=\\n" * 1_000_000',
    "quoted, with blanks": 'b"Content-Transfer-Encoding: quoted-printable\\n\\n" + b"= \\n" * 500_000 + b"=" + b" " * 1_000_000 + b"= =" * 300_000',
    "flowed": 'b"Content-Type: text/plain; format=flowed\\n\\n" + b"> x \\n" * 300_000',
    "switches of Japanese": 'b"Content-Type: text/plain; charset=iso-2022-jp\\n\\n" + b"\\x1b$B\\xff\\x1b(B" * 100_000',
    "files of one name": 'b"Content-Type: multipart/mixed; boundary=b\\n\\n" + b"--b\\nContent-Disposition: attachment; filename=x\\n\\nx\\n" * 2_000',
    "images shown": 'b"Content-Type: text/html\\n\\n" + b"<img src=cid:x>" * 100_000',
    "blank lines": 'b"Subject: x\\n\\n" + b"\\n" * 3_000_000',
    "reports": 'b"Return-Path: <>\\nContent-Type: multipart/report; boundary=b\\n\\n" + b"--b\\nContent-Type: message/delivery-status\\n\\n" + b"Action: failed\\n\\n" * 100_000',
    "a bounce of long lines": 'b"Return-Path: <>\\nFrom: mailer-daemon@x.example\\n\\n" + (b"This is a" + b"x" * 5_000 + b"\\n") * 12',
    "a bounce of dots": 'b"Return-Path: <>\\nFrom: mailer-daemon@x.example\\n\\n" + b"5.1." * 300_000 + b"<" * 300_000',
}


def test_mails_made_to_be_expensive_are_read_in_bounded_work() -> None:
    """What takes the square of its length would take minutes; the system stops a process that has worked half a minute for one of them."""
    program = f"""
        import resource, sys
        from cs_plugin.mail.parse import read_mail
        for kind, made in {EXPENSIVE!r}.items():
            used = resource.getrusage(resource.RUSAGE_SELF)
            resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 30, resource.RLIM_INFINITY))
            print("stopped at", kind, flush=True)
            read_mail(eval(made))
        print("all are read")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False)
    assert (done.stdout.splitlines()[-1], done.stderr) == ("all are read", "")


# What a header can be filled with: each mark by itself, and those that go together somewhere.
FILLINGS = (*(chr(one) for one in range(32, 127) if not chr(one).isalnum()), "\t", "a@", "<@", "@:", "=?", "?=", '\\"', "%41", "*0=", ";a", "a.", "a ", " (", "\r ", "ä", "\0")
HEADERS = (
    "From", "To", "Reply-To", "Subject", "Date", "Message-ID", "References", "Content-Type", "Content-Disposition", "Content-Transfer-Encoding", "Content-ID",
    "Return-Path", "Received", "Auto-Submitted", "List-ID", "X-Failed-Recipients", "X-Any",
)  # fmt: skip


def test_no_header_costs_the_square_of_what_it_is_filled_with() -> None:
    """Whatever it is filled with, 200 kB in one line, or folded behind it; the system stops a process that has worked ten seconds for a mail."""
    program = f"""
        import resource
        from itertools import product
        from cs_plugin.mail.parse import read_mail
        for name, filling in product({HEADERS!r}, {FILLINGS!r}):
            used = resource.getrusage(resource.RUSAGE_SELF)
            resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 10, resource.RLIM_INFINITY))
            print("stopped at", name, repr(filling), flush=True)
            fill = (filling * (200_000 // len(filling))).encode()
            read_mail(name.encode() + b": a " + fill + b" b\\n c\\n" + name.encode() + b": <" + fill + b"\\n\\nx")
        print("all are read")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False)
    assert (done.stdout.splitlines()[-1], done.stderr) == ("all are read", "")


# Mails of 25 MB, of every kind that could be copied too often.
LARGE = {
    "an attachment": 'b"Content-Type: multipart/mixed; boundary=b\\n\\n--b\\n\\nHi\\n--b\\nContent-Type: application/pdf\\nContent-Transfer-Encoding: base64\\n\\n" + (b"QUJD" * 19 + b"\\r\\n") * 320_000 + b"--b--\\n"',
    "a damaged attachment": 'b"Content-Type: application/pdf\\nContent-Transfer-Encoding: base64\\n\\n" + (b"QUJD" * 19 + b"\\r\\n") * 320_000 + b"QQ==QUJD!"',
    "a thousand attachments": 'b"Content-Type: multipart/mixed; boundary=b\\n\\n" + (b"--b\\nContent-Type: a/b\\nContent-Disposition: attachment\\n\\n" + b"x" * 25_000 + b"\\n") * 1_000',
    "a text": 'b"Content-Type: text/plain; charset=utf-8\\n\\n" + "Grüße 😀 from here\\n".encode() * 1_087_000',
    "short lines": 'b"Content-Type: multipart/mixed; boundary=b\\n\\n--b\\n\\n" + b"a\\n" * 12_500_000',
    "a page": 'b"Content-Type: text/html; charset=utf-8\\n\\n" + "<p>Grüße 😀 from here</p>\\n".encode() * 833_000',
    "an unknown charset": 'b"Content-Type: text/plain; charset=x\\n\\n" + b"Gr\\xfc\\xdfe " * 4_160_000',
    "quoted-printable": 'b"Content-Type: text/html\\nContent-Transfer-Encoding: quoted-printable\\n\\n" + b"=C3=BC=\\r\\n" * 2_700_000',
    "padded quoted-printable": 'b"Content-Type: text/html\\nContent-Transfer-Encoding: quoted-printable\\n\\n" + b"=C3= \\r\\n" * 3_570_000',
    "a header": 'b"X-Line: many\\n" * 1_900_000 + b"\\nx"',
    "lines like boundaries": 'b"Content-Type: multipart/mixed; boundary=b\\n\\n" + b"--c\\n" * 6_000_000',
}


def test_a_mail_of_25_mb_costs_less_than_150_mb_above_the_idle_process() -> None:
    """The mail's own bytes are part of it. Each is read by a process of its own, whose peak the system tells; before, it has read a small one."""
    program = f"""
        import os, resource
        from cs_plugin.mail.parse import read_mail
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        read_mail(b"From: a@b.example\\nReturn-Path: <>\\nContent-Type: text/html\\n\\n<p>Gr\\xfc\\xdfe</p>")
        for kind, made in {LARGE!r}.items():
            child = os.fork()
            if not child:
                idle, raw = peak(), eval(made)
                assert 24_000_000 < len(raw) < 26_000_000, (kind, len(raw))
                read_mail(raw)
                print(kind, (peak() - idle) // 1024, sep=":", flush=True)
                os._exit(0)
            os.waitpid(child, 0)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    cost = {kind: int(megabytes) for kind, _colon, megabytes in (line.partition(":") for line in done.stdout.splitlines())}
    assert cost.keys() == LARGE.keys()
    assert {kind: megabytes for kind, megabytes in cost.items() if megabytes >= 150} == {}
    assert min(cost.values()) >= 20   # less than the mail itself would be no measurement
