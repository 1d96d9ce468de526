"""Pictures of mails, to look at: each in several languages, at two widths, light and dark.

    python -m tools.mail_pictures --to .demo/mails
    python -m tools.mail_pictures --to .demo/mails --sheets docs/pictures/mails

A small store with the desk mounted on it sends them: what is seen is what a customer, a contact and an employee would get. Their text parts lie
beside the pictures.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cs_plugin import desk
from cs_plugin.mail.transport import MemoryTransport
from cs_plugin.rules.inquiry import Channel, Inquiry, Sender
from cs_plugin.rules.shops import Shop
from cs_plugin.store.models import Contact, Mailbox
from tests.hosts.store import JOHN, MARIE, Store, make_store
from tests.servers.browser import ColourScheme, browsing

WIDTHS = (600, 360)
SCHEMES: tuple[ColourScheme, ...] = ("light", "dark")


@dataclass(frozen=True)
class Words:
    """What people write in one language."""

    first_name: str
    last_name: str
    subject: str
    question: str
    answer: str
    second: str
    comment: str
    product: str
    signature: str


SPOKEN = {
    "en": Words(
        "Maria",
        "Lopez",
        "Where is my parcel?",
        "Good evening,\n\nI still have no tracking number for my order XKBKNABJK. Could you look into it?\n\nMaria",
        "Dear Maria,\n\nThe carrier has found your parcel in Lyon. It leaves again on Monday morning with a new number, which you will receive by "
        "mail the moment we have it. If it has not reached you on Wednesday, we send a second jug by express.\n\nRegards,\nMarie",
        "Thank you, that was quick!",
        "Could you trace this one?\nThe customer needs it by Friday.",
        "Stoneware jug, indigo",
        "Fjord & Fig, 12 rue des Potiers, 75011 Paris",
    ),
    "fr": Words(
        "Élodie",
        "Garçon",
        "Où est mon colis ?",
        "Bonsoir,\n\nJe n'ai toujours pas de numéro de suivi pour ma commande XKBKNABJK. Pourriez-vous vérifier ?",
        "Bonjour Madame,\n\nLe transporteur a retrouvé votre colis à Lyon. Il repart lundi matin.\n\nCordialement,\nMarie",
        "Merci beaucoup !",
        "Pourriez-vous localiser ce colis ?",
        "Cruche en grès, indigo",
        "Fjord & Fig, 12 rue des Potiers, 75011 Paris",
    ),
    "ar": Words(
        "ليلى",
        "حداد",
        "أين طردي؟",
        "مساء الخير،\n\nلم يصلني بعد رقم التتبع للطلب XKBKNABJK. هل يمكنكم التحقق من ذلك؟",
        "عزيزتي ليلى،\n\nعثرت شركة الشحن على طردك في ليون، وسيغادر صباح يوم الاثنين برقم جديد.\n\nمع التحية،\nماري",
        "شكرًا جزيلًا!",
        "هل يمكنكم تتبع هذا الطرد؟",
        "إبريق من الخزف الحجري",
        "فيورد آند فيغ، دبي",
    ),
}


def main() -> int:
    """Take the pictures and print where they are; return an exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.mail_pictures", description="Take pictures of mails.")
    parser.add_argument("--to", type=Path, default=Path(".demo/mails"), help="the folder for pictures (%(default)s)")
    parser.add_argument("languages", nargs="*", default=list(SPOKEN), metavar="LANGUAGE", help=f"of {', '.join(SPOKEN)}")
    parser.add_argument("--sheets", type=Path, help="a folder for one picture of all mails in each language besides")
    wanted = parser.parse_args()
    wanted.to.mkdir(parents=True, exist_ok=True)
    for picture in take_pictures(wanted.languages, wanted.to):
        print(picture)
    for sheet in take_sheets(wanted.languages, wanted.to, wanted.sheets) if wanted.sheets else ():
        print(sheet)
    return 0


def take_pictures(languages: Sequence[str], folder: Path) -> Iterator[Path]:
    """Have every mail sent in every language, and yield the files of their pictures."""
    mails = {f"{name}-{language}": message for language in languages for name, message in mails_in(language).items()}
    for name, message in mails.items():
        (folder / f"{name}.txt").write_text(f"{message['Subject']}\n\n{message.get_body(('plain',)).get_content()}", encoding="utf-8")
        (folder / f"{name}.html").write_text(message.get_body(("html",)).get_content(), encoding="utf-8")
    with browsing() as browser:
        for width in WIDTHS:
            for scheme in SCHEMES:
                with browser.context(viewport=(width, 300), colour_scheme=scheme) as context:
                    page = context.new_page()
                    for name in mails:
                        page.goto((folder / f"{name}.html").absolute().as_uri())
                        picture = folder / f"{name}-{width}-{scheme}.png"
                        page.screenshot(path=picture, full_page=True)
                        yield picture


def take_sheets(languages: Sequence[str], folder: Path, to: Path) -> Iterator[Path]:
    """Lay the pictures of all mails side by side, one sheet for each language: the first in the light, the others in the dark and the last narrow."""
    to.mkdir(parents=True, exist_ok=True)
    with browsing() as browser, browser.context(viewport=(1500, 300)) as context:
        page = context.new_page()
        for language in languages:
            width = WIDTHS[-1] if language == languages[-1] else WIDTHS[0]
            scheme = "light" if language == languages[0] else "dark"
            pictures = sorted(folder.glob(f"*-{language}-{width}-{scheme}.png"))
            names = "".join(f'<figure><figcaption>{one.stem}</figcaption><img src="{one.name}"></figure>' for one in pictures)
            sheet = folder / f"sheet-{language}.html"
            sheet.write_text(f"<!doctype html><style>{_SHEET}</style>{names}", encoding="utf-8")
            page.goto(sheet.absolute().as_uri())
            page.screenshot(path=to / f"{language}-{width}-{scheme}.png", full_page=True)
            yield to / f"{language}-{width}-{scheme}.png"


_SHEET = """body { display: flex; flex-wrap: wrap; gap: 8px; align-items: flex-start; margin: 8px; background: #8a8d96; font: 12px sans-serif; }
figure { width: 360px; margin: 0; } img { display: block; width: 100%; }"""


def mails_in(language: str) -> dict[str, Any]:
    """Let a customer write and an employee answer in a language, and return the mails that leave, by name."""
    with tempfile.TemporaryDirectory(prefix="cs-mails-") as folder:
        store = make_store(f"sqlite:///{folder}/store.sqlite", Path(folder))
        store.answers.shops = (Shop("1", "Fjord & Fig", "https://shop.example", default_language=language, email="contact@shop.example"),)
        with store.app.app_context():
            mails = _sent(store, language, SPOKEN[language])
            store.db.session.remove()
            store.db.engine.dispose()
    return mails


def _sent(store: Store, language: str, words: Words) -> dict[str, Any]:
    _with_signature(store, language, words.signature)
    mails: dict[str, Any] = {}

    def named(*names: str) -> None:
        store.desk.office.deliver()
        transport = store.desk.transport
        assert isinstance(transport, MemoryTransport)
        mails.update(zip(names, (mail.message for mail in transport.sent), strict=True))
        transport.sent.clear()

    thread_id = _write(store, language, words, words.question)
    named("confirmation", "contact_notice")
    _answer(store, thread_id, words.answer, cc=("eva@example.com",))
    named("reply", "copy")
    _write(store, language, words, words.second, thread_id=thread_id)
    named("new_message")
    colleague = replace(JOHN, language=language)
    store.answers.employees[JOHN.id] = colleague
    store.desk.do(lambda bench: desk.assign(bench, store.actor(MARIE), thread_id, JOHN.id))
    named("assigned")
    store.desk.do(lambda bench: desk.forward(bench, store.actor(MARIE), thread_id, desk.Target(employee_id=JOHN.id), words.comment))
    named("forward_notice")
    outside = desk.Target(address="depot@carrier.example")
    store.desk.do(lambda bench: desk.forward(bench, store.actor(MARIE), thread_id, outside, words.comment, reference="XKBKNABJK"))
    named("forward")
    with store.desk.sessions() as session:
        session.add(Mailbox(address="contact@mail.example", protocol="imap", created_at=store.clock()))
        session.commit()
    _answer(store, thread_id, words.answer)
    named("reply-by-mail")
    _say_about_order(store, thread_id, words)
    named("order_message")
    with store.desk.sessions() as session:
        session.query(Contact).update({Contact.save_messages: False})
        session.commit()
    _write(store, language, words, words.question, subject=words.subject)
    named("passed_on", "confirmation-without-thread")
    return mails


def _say_about_order(store: Store, thread_id: int, words: Words) -> None:
    from cs_plugin.desk import letters
    from cs_plugin.store.models import Message, Thread

    def work(bench: desk.Bench) -> None:
        thread = bench.session.get_one(Thread, thread_id)
        message = bench.session.query(Message).filter_by(thread_id=thread_id, private=False, author_id=MARIE.id).first()
        assert message is not None
        message.product_name = words.product
        letters.send_order_message(bench, thread, message, MARIE.first_name, (), reference="XKBKNABJK")

    store.desk.do(work)


def _with_signature(store: Store, language: str, signature: str) -> None:
    with store.desk.sessions() as session:
        for contact in session.query(Contact):
            next(text for text in contact.texts if text.language == language).signature = signature
        session.commit()


def _write(store: Store, language: str, words: Words, text: str, *, thread_id: int | None = None, subject: str = "") -> int:
    # Contacts that begin a conversation in the pictures: the second of the two that a store starts with.
    store.clock.forward(minutes=20)
    inquiry = Inquiry(
        channel=Channel.FORM if thread_id is None else Channel.LINK,
        shop_id="1",
        language=language,
        sender=Sender("maria@example.com", words.first_name, words.last_name),
        text=text,
        contact_id=2,
        subject=subject or words.subject,
        thread_token=_token(store, thread_id) if thread_id is not None else None,
    )
    return store.desk.do(lambda bench: desk.receive(bench, inquiry)).thread_id or 0


def _token(store: Store, thread_id: int) -> str:
    from cs_plugin.store.models import Thread

    with store.desk.sessions() as session:
        return store.desk.bench(session).link(session.get_one(Thread, thread_id)).rpartition("/")[2]


def _answer(store: Store, thread_id: int, text: str, *, cc: tuple[str, ...] = ()) -> None:
    store.clock.forward(minutes=20)
    store.desk.do(lambda bench: desk.reply(bench, store.actor(MARIE), thread_id, desk.Answer(text, cc=cc)))


if __name__ == "__main__":
    sys.exit(main())
