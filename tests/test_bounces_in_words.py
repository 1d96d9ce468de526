"""What servers write in place of a report is read; what people, carriers and automatic answers write of such things is not."""

from __future__ import annotations

import pytest

from cs_plugin.mail.parse import read_mail
from cs_plugin.mail.undelivered import read_words
from cs_plugin.rules.incoming import IncomingMail

OURS = "<ours@shop.example>"


def mail(sender: str, subject: str, text: str, more: str = "") -> IncomingMail:
    """Read a mail as it is given."""
    return read_mail(f"{more}From: {sender}\nTo: help@shop.example\nSubject: {subject}\n\n{text}".encode())


def by_a_server(text: str, subject: str = "Delivery failed") -> IncomingMail:
    """Read a mail of a mail server."""
    return mail("MAILER-DAEMON@mx.example", subject, text, "Return-Path: <>\n")


@pytest.mark.shows("10.8")
@pytest.mark.parametrize(
    "sentence",
    [
        "Your message could not be delivered to <{}>.",
        "We were unable to deliver your message to {}",
        "Delivery to the following recipient failed permanently:\n\n  {}",
        "Ihre Nachricht konnte nicht zugestellt werden: {}",
        "Votre message n'a pas pu être remis à {}",
        "No se ha podido entregar su mensaje a {}",
        "Impossibile recapitare: il messaggio non è stato recapitato a {}",
        "Ваше сообщение не доставлено: {}",
        "次の宛先に配信できませんでした。\n{}",
        "以下邮件无法投递：\n{}",
    ],
)
def test_a_sentence_in_any_language_tells_whom_a_mail_did_not_reach(sentence: str) -> None:
    """Whatever the server, it names the recipient beside what it could not do."""
    bounce = by_a_server(sentence.format("ann@customer.example") + "\n").bounce
    assert bounce is not None
    assert (bounce.recipient, bounce.permanent) == ("ann@customer.example", True)


@pytest.mark.shows("10.8")
@pytest.mark.parametrize(
    ("said", "permanent"),
    [
        ("421 4.4.1 Connection timed out", False),
        ("421 4.4.1 Connection timed out\nI'm not going to try again.", True),
        ("550 5.1.1 No such user", True),
        ("451 4.3.0 Try later\nMessage will be retried for 4 more days", False),
        ("Connection refused\nTHIS IS A WARNING MESSAGE ONLY", False),
        ("Connection refused", True),
    ],
)
def test_words_count_before_codes_when_it_is_asked_whether_a_mail_may_still_arrive(said: str, permanent: bool) -> None:
    """A temporary error for which a server has given up is one for good."""
    bounce = by_a_server(f"Could not be delivered:\n<ann@customer.example>:\n{said}\n").bounce
    assert bounce is not None
    assert bounce.permanent is permanent


@pytest.mark.shows("10.8")
@pytest.mark.parametrize(
    ("sender", "subject", "more"),
    [
        ("Ann <ann@customer.example>", "Delivery failed", ""),
        ("Ann <ann@customer.example>", "Undelivered Mail Returned to Sender", ""),
        ("Ann <ann@customer.example>", "Fwd: Undelivered Mail Returned to Sender", ""),
        ("Ann <ann@customer.example>", "Away", "Return-Path: <>\n"),
        ("Ann <ann@customer.example>", "Away", "Auto-Submitted: auto-replied\n"),
        ("Parcels <no-reply@carrier.example>", "Delivery failed", ""),
        ("System Administrator <it@customer.example>", "Delivery problem", ""),
    ],
)
def test_who_is_no_mail_server_may_write_of_a_delivery_that_failed(sender: str, subject: str, more: str) -> None:
    """Customers, their automatic answers and carriers write of parcels, and name addresses."""
    assert mail(sender, subject, "The parcel could not be delivered.\n\nQuestions: bob@elsewhere.example\n", more).bounce is None


@pytest.mark.shows("10.8")
def test_an_automatic_answer_that_quotes_us_is_no_bounce() -> None:
    """What we have written of a parcel comes back in it, with our Message-ID."""
    text = f"I am away.\n\n> Your parcel could not be delivered to ann@customer.example.\n> Message-ID: {OURS}\n"
    assert mail("Ann <ann@customer.example>", "Away", text, "Return-Path: <>\n").bounce is None


def test_the_servers_own_addresses_are_no_recipients() -> None:
    """Whom to ask, and who has written, stand in the same words."""
    said = "Could not be delivered. Contact <support@mx.example>, or postmaster@mx.example.\n\nann@customer.example: unknown user\n"
    found = read_words("Delivery failed", said, {"help@shop.example"})
    assert found is not None
    assert (found.recipient, found.certain) == ("ann@customer.example", True)


def test_what_a_server_says_ends_where_the_copy_of_our_mail_begins() -> None:
    """A status code or an address in our own mail tells nothing."""
    said = "Could not be delivered to <ann@customer.example>.\n\nMessage headers follow.\n\n"
    found = read_words("Delivery failed", f"{said}Subject: 550 5.1.1\nTo: bob@x.example\n", set())
    assert found is not None
    assert "5.1.1" not in found.words
    assert found.recipient == "ann@customer.example"


def test_a_long_text_of_a_server_is_read_no_further_than_its_beginning() -> None:
    """What is far behind is the copy of our mail; it costs nothing."""
    assert read_words("", " " * 100_000 + "could not be delivered to <ann@customer.example>", set()) is None
