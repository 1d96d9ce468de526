"""Mails as they are written: whatever people put into them, they arrive whole, and nothing can be slipped into their headers."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import io
import re
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path
from typing import IO

import jinja2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cs_plugin.errors import UndeliverableError
from cs_plugin.extension import _mail_templates
from cs_plugin.mail.compose import Composer, Letter, lines, short_references, to_message
from cs_plugin.mail.headers import wire_address
from cs_plugin.rules.inquiry import StoredFile, clean_line, clean_text
from cs_plugin.rules.outgoing import Mailbox, OutgoingMail
from cs_plugin.rules.shops import Shop
from tests.hosts.store import make_store
from tests.hosts.writing import begin, messages_of
from tests.servers.smtp import SMTPServer

NOW = dt.datetime(2026, 11, 21, 18, 0, tzinfo=dt.UTC)
ADDRESSED = {"From", "To", "Cc", "Reply-To"}
HEADERS = ADDRESSED | {"Subject", "Date", "Message-ID", "In-Reply-To", "References", "MIME-Version", "Content-Type", "Content-Language"}

ANYTHING = st.one_of(
    st.text(st.characters(codec=None), max_size=300),
    st.text(alphabet='ab"\\,;:<>@()[]=?_.%\r\n\t\0\x85\u202e\u2028é中😀\ud800', max_size=120),
    st.sampled_from(["=?utf-8?q?x?=", "Müller, Jörg", "a\r\nBcc: c@d.example", '"', "\\", "x" * 400, "é" * 400, "عميل"]),
)


def nothing(_key: str) -> IO[bytes]:
    """Open a file of three bytes, whatever the key."""
    return io.BytesIO(b"abc")


def mail(**changes: object) -> OutgoingMail:
    """Return a mail with some of its fields changed."""
    fields: dict[str, object] = {
        "kind": "reply",
        "sender": Mailbox("desk@shop.example", "Paris"),
        "to": (Mailbox("jan@example.com", "Jan Kowalski"),),
        "subject": "An answer",
        "text": "Hello.\n",
        "html": "<p>Hello.</p>\n",
        "message_id": "<1@shop.example>",
        "language": "en",
        "shop_id": "1",
    }
    return OutgoingMail(**{**fields, **changes})  # type: ignore[arg-type]


def read(message: EmailMessage) -> EmailMessage:
    """Return a mail as its bytes are read by whoever gets it."""
    read_back = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
    assert isinstance(read_back, EmailMessage)
    return read_back


def raw(message: EmailMessage, name: str) -> str:
    """Return a header as it goes over the wire, unfolded."""
    return dict(email.message_from_bytes(message.as_bytes(), policy=email.policy.compat32).items())[name].replace("\r\n", "").replace("\n", "")


@settings(max_examples=300, deadline=None)
@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING)
@example("", "", '""', "")
@example("", "", "<>", "")
def test_nothing_that_people_write_breaks_a_mail_or_adds_to_its_headers(name: str, subject: str, file_name: str, text: str) -> None:
    """Names, subjects, file names and texts of any letters come back as they were, but for what no line can hold."""
    sent = to_message(
        mail(
            sender=Mailbox("desk@shop.example", name),
            to=(Mailbox("jan@example.com", name), Mailbox("eva@bücher.example", name)),
            cc=(Mailbox("cc@example.com", name),),
            reply_to=Mailbox("box@shop.example", name),
            subject=subject,
            text=text,
            html=text,
            files=(StoredFile(file_name, "text/plain", 3, b"", "key"),),
        ),
        nothing,
        NOW,
    )
    whole = sent.as_bytes()
    assert whole.isascii()
    assert b"\0" not in whole
    assert all(len(line) <= 998 for line in whole.split(b"\r\n"))
    assert b"\r" not in whole.replace(b"\r\n", b"")
    assert b"\n" not in whole.replace(b"\r\n", b"")
    arrived = read(sent)
    assert set(arrived.keys()) <= HEADERS
    assert len(arrived.keys()) == len(set(arrived.keys()))
    assert arrived["Subject"] == clean_line(subject, 900)
    assert [one.addr_spec for one in arrived["To"].addresses] == ["jan@example.com", "eva@xn--bcher-kva.example"]
    assert [one.addr_spec for header in ("From", "Cc", "Reply-To") for one in arrived[header].addresses] == [
        "desk@shop.example",
        "cc@example.com",
        "box@shop.example",
    ]
    assert _name_in(raw(sent, "From")) == clean_line(name, 200)
    (attached,) = arrived.iter_attachments()
    last = clean_line(file_name.replace("\\", "/").rpartition("/")[2], 200)
    assert attached.get_filename() == (last.replace("=?", "=_").translate(str.maketrans("\"<>", "'()")) or "file")
    assert attached.get_content_type() == "text/plain"
    assert attached.get_payload(decode=True) == b"abc"
    for kind in ("plain", "html"):
        part = arrived.get_body((kind,))
        assert part is not None
        assert part.get_content().replace("\r\n", "\n").rstrip("\n") == clean_text(text).rstrip("\n")


def _name_in(header: str) -> str:
    # Python's newer parser puts a blank between the encoded words of a long name; the older one reads them as RFC 2047 has it.
    if "=?" in header:
        return str(make_header(decode_header(header))).rpartition(" <")[0]
    return parseaddr(header)[0]


@settings(max_examples=300)
@given(ANYTHING, st.sampled_from(["", "@", "@x.example", '"@x.example']))
def test_an_address_is_written_whole_or_refused(local: str, rest: str) -> None:
    """What no mail can be sent to is an error, never a header of another shape."""
    try:
        written = wire_address(local + rest)
    except UndeliverableError:
        return
    assert not re.search(r"[\x00-\x1f\x7f]", written)
    assert written.rpartition("@")[0] == (local + rest).strip().rpartition("@")[0]


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("jan@example.com", "jan@example.com"),
        ('"john doe"@example.com', '"john doe"@example.com'),
        (r'"a\"b@c,d>"@example.com', r'"a\"b@c,d>"@example.com'),
        ("o'brien+tag=1/2@example.com", "o'brien+tag=1/2@example.com"),
        ("jan@bücher.example", "jan@xn--bcher-kva.example"),
        ("jan@straße.example", "jan@xn--strae-oqa.example"),
        ("jörg@example.com", "jörg@example.com"),
        ("root@localhost", "root@localhost"),
        ("jan@[192.0.2.1]", "jan@[192.0.2.1]"),
    ],
)
def test_odd_addresses_are_right(address: str, written: str) -> None:
    """Quoted local parts stay quoted, domains in other scripts become ASCII, local parts in other scripts stay."""
    assert wire_address(address) == written
    message = to_message(mail(to=(Mailbox(address, "J, D"),)), nothing, NOW)
    assert f'To: "J, D" <{written}>\r\n' in message.as_bytes().decode()


TOO_LONG = "é" * 40 + "@x.example"
NO_ADDRESSES = ("", "desk", "@x.example", "a@", "a b@x.example", "a@x y.example", "a@b@x.example", "a\r\nb@x.example", "a@x..example", TOO_LONG)


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_what_is_no_address_fails_in_clear_words(address: str) -> None:
    """Such a mail fails for good and says why."""
    with pytest.raises(UndeliverableError, match="No mail can be sent to or from this address") as caught:
        to_message(mail(to=(Mailbox(address),)), nothing, NOW)
    assert caught.value.permanent


@pytest.mark.parametrize("length", [20, 80, 200, 900])
def test_message_ids_of_customers_stay_unbroken(length: int, smtp_server: SMTPServer) -> None:
    """In-Reply-To and twenty References come back letter for letter after a real server has read them, folded at blanks only."""
    from cs_plugin.mail.transport import SmtpTransport

    ids = tuple(f"<{number:03}{'Ab_=?/+.' * length}"[: length - 13] + "@mail.example>" for number in range(20))
    message = to_message(mail(in_reply_to=ids[-1], references=ids), nothing, NOW)
    with SmtpTransport(smtp_server.host, smtp_server.port).connect() as connection:
        connection.send(message, "desk@shop.example", ["jan@example.com"])
    (received,) = smtp_server.wait_for(1)
    folded = re.search(rb"(?ms)^References: (.*?)\r\n(?=\S)", received.raw)
    assert folded is not None
    assert tuple(folded[1].decode().split()) == ids
    assert all(len(line) <= 998 for line in received.raw.split(b"\r\n"))
    assert f"In-Reply-To: {ids[-1]}\r\n".encode() in received.raw


@pytest.mark.parametrize("broken", ["no brackets", "<a b@c>", "<a@b>\r\nBcc: c@d.example", "<é@b>", "<>", "", "<" + "x" * 2000 + ">"])
def test_what_is_no_message_id_is_left_out(broken: str) -> None:
    """A broken Message-ID of somebody else's neither breaks a header nor keeps the good ones out."""
    arrived = read(to_message(mail(in_reply_to=broken, references=("<good@x.example>", broken)), nothing, NOW))
    assert arrived["In-Reply-To"] is None
    assert arrived["References"] == "<good@x.example>"


def test_references_keep_the_first_and_the_newest() -> None:
    """A long conversation is told by the mail that began it and the nineteen newest, each once."""
    ids = [f"<{number}@x.example>" for number in range(40)]
    assert short_references([*ids, ids[-1]]) == (ids[0], *ids[-19:])
    assert short_references(ids[:3]) == tuple(ids[:3])


def test_texts_are_carried_exactly() -> None:
    """Dots at the beginning of lines, very long lines, trailing blanks and an empty text arrive as they were."""
    for text in (".\n..\n.x\n", "x" * 5000 + "\n", "-- \nParis\n", "From here\n", "\n", "é" * 3000 + "\n"):
        part = read(to_message(mail(text=text), nothing, NOW)).get_body(("plain",))
        assert part is not None
        assert part.get_content().replace("\r\n", "\n") == text


def test_the_encoded_lines_are_as_short_as_the_standard_asks() -> None:
    """Quoted-printable and base64 lines have at most 76 characters (RFC 2045), encoded words 75 (RFC 2047)."""
    long_file = StoredFile("ä" * 150 + ".txt", "text/plain", 3, b"", "k")
    sent = to_message(mail(subject="é中" * 100, text="é" * 500, files=(long_file,)), lambda _: io.BytesIO(b"x" * 5000), NOW)
    assert max(len(line) for line in sent.as_bytes().split(b"\r\n")) <= 78
    assert max(len(word) for word in re.findall(rb"=\?\S+\?=", sent.as_bytes())) <= 75


@pytest.mark.parametrize("content_type", ["", "text", "message/rfc822", "multipart/mixed", "text/html\r\nX: y", "../etc", "TEXT/é"])
def test_an_odd_type_becomes_plain_bytes(content_type: str) -> None:
    """A file is never taken apart as a mail, whatever type it was given."""
    (part,) = read(to_message(mail(files=(StoredFile("a.bin", content_type, 3, b"", "k"),)), nothing, NOW)).iter_attachments()
    assert part.get_content_type() == "application/octet-stream"
    assert part.get_content() == b"abc"


def test_a_missing_file_fails_for_good_and_says_so() -> None:
    """A mail whose file is gone is not tried for days."""
    def gone(_key: str) -> IO[bytes]:
        raise FileNotFoundError

    with pytest.raises(UndeliverableError, match=r"The file invoice\.pdf is no longer there\.") as caught:
        to_message(mail(files=(StoredFile("invoice.pdf", "application/pdf", 3, b"", "k"),)), gone, NOW)
    assert caught.value.permanent


LANGUAGES = [("en", "en"), ("pt_BR", "pt-BR"), ("zh-Hant-TW", "zh-Hant-TW"), ("x\r\nBcc: a@b", None), ("", None)]


@pytest.mark.parametrize(("language", "header"), LANGUAGES)
def test_the_language_is_named(language: str, header: str | None) -> None:
    """Content-Language holds a language, or is not there."""
    assert read(to_message(mail(language=language), nothing, NOW))["Content-Language"] == header


def test_a_queued_mail_is_the_same_when_it_is_read_back() -> None:
    """What the outbox keeps as JSON becomes the same mail; what a newer version wrote besides is passed over."""
    whole = mail(cc=(Mailbox("c@x.example"),), reply_to=Mailbox("b@x.example"), references=("<1@x>",), headers={"A": "b"}, only_to=("c@x.example",))
    row = {**whole.as_row(), "written_by": "a newer version"}
    assert OutgoingMail.from_row(row) == whole
    assert whole.recipients == ("c@x.example",)


def path_of(name: str) -> str:
    """Return the path of a template: in `name`, two underscores stand for a slash and the last one for the dot."""
    return f"cs_plugin/mail/{'.'.join(name.replace('__', '/').rsplit('_', 1))}"


def written_by(**templates: str) -> OutgoingMail:
    """Return a confirmation as a host with these templates of its own would send it."""
    of_the_host = {path_of(name): text for name, text in templates.items()}
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.DictLoader(of_the_host), jinja2.PackageLoader("cs_plugin", "templates")]),
        autoescape=jinja2.select_autoescape(["html"], default=False),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    words = {"thread": None, "link": "", "tag": "", "answers_by_mail": False}
    letter = Letter("confirmation", Shop("1", "Paris"), "en", Mailbox("a@x.example"), (Mailbox("b@x.example"),), words)
    return Composer(environment, "x.example").compose(letter)


def test_a_host_overrides_a_mail_and_its_frame() -> None:
    """Templates are looked for in the host's folder first, each file by itself."""
    written = written_by(_base_html="<h1>House style</h1>{% block heading %}{% endblock %}")
    assert "<h1>House style</h1>Your message has been received" in written.html
    assert "Thank you for your message." in written.text
    assert written_by(confirmation__body_txt="Hello from {{ shop.name }}.").text == "Hello from Paris.\n"


@pytest.mark.parametrize(
    "broken", ["{{ nobody.knows }}", "{% if %}", "{{ 1 / 0 }}", "{% include 'not/there.html' %}", "{{ shop.name.nothing() }}", "{% extends 7 %}"]
)
@pytest.mark.parametrize("name", ["confirmation__subject_txt", "confirmation__body_txt", "confirmation__body_html", "_base_html"])
def test_a_broken_template_of_a_host_is_passed_over_for_ours(name: str, broken: str, caplog: pytest.LogCaptureFixture) -> None:
    """The mail is what it would be without it, and the log names the template."""
    written, ours = written_by(**{name: broken}), written_by()
    assert (written.subject, written.text, written.html) == (ours.subject, ours.text, ours.html)
    assert path_of("confirmation__body_html" if name == "_base_html" else name) in caplog.text


def test_what_a_host_writes_well_stays_where_another_file_is_broken() -> None:
    """A broken HTML part does not take the text part with it."""
    written = written_by(confirmation__body_html="{% if %}", confirmation__body_txt="Hello from {{ shop.name }}.")
    assert written.text == "Hello from Paris.\n"
    assert "Your message has been received" in written.html


@pytest.mark.shows("2.8", "11.3")
def test_a_customers_message_outlives_a_broken_template(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In a store whose own folder holds one: the message is kept, and both mails go out."""
    (tmp_path / "templates/cs_plugin/mail/confirmation").mkdir(parents=True)
    (tmp_path / "templates/cs_plugin/mail/confirmation/body.html").write_text("{{ nobody.knows }}")
    (tmp_path / "templates/cs_plugin/mail/contact_notice").mkdir()
    (tmp_path / "templates/cs_plugin/mail/contact_notice/subject.txt").write_text("Somebody wrote: {{ customer }}")
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    store.app.jinja_loader = jinja2.FileSystemLoader(tmp_path / "templates")
    store.desk.composer = Composer(_mail_templates(store.app), "x.example")
    thread_id = begin(store)
    with store.app.app_context():
        store.desk.office.deliver()
    subjects = [str(mail.message["Subject"]) for mail in store.desk.transport.sent]   # type: ignore[attr-defined]
    assert len(messages_of(store, thread_id)) == 1
    assert subjects[0] == "Your message has been received"
    assert subjects[1].startswith("Somebody wrote: ")
    assert "cs_plugin/mail/confirmation/body.html" in caplog.text


def test_a_message_id_of_ours_tells_nothing_and_has_an_ascii_domain() -> None:
    """No clock and no process number stand in it, and two are never alike."""
    composer = Composer(jinja2.Environment(autoescape=True), "bücher.example")
    assert re.fullmatch(r"<[0-9a-f]{32}@xn--bcher-kva\.example>", composer.new_message_id())
    assert composer.new_message_id() != composer.new_message_id()


def test_lines_of_people_are_escaped_and_kept() -> None:
    """Text becomes HTML with its lines, and never markup of its own."""
    assert lines("<b>a</b>\n& b") == "&lt;b&gt;a&lt;/b&gt;<br>\n&amp; b"
