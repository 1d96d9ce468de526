"""Pictures of mails, to look at: each in several languages, at two widths, light and dark.

    python -m tools.mail_pictures --to .demo/mails

A small store with the desk mounted on it sends them: what is seen is what a customer, a contact and an employee would get. Their text parts lie
beside the pictures.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cs_plugin import desk
from cs_plugin.mail.transport import MemoryTransport
from cs_plugin.rules.inquiry import Channel, Inquiry, Sender
from cs_plugin.rules.shops import Shop
from cs_plugin.store.models import Contact, Mailbox
from tests.hosts.store import MARIE, Store, make_store
from tests.servers.browser import ColourScheme, browsing

WIDTHS = (700, 390)
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
        "Fjord & Fig, 12 rue des Potiers, 75011 Paris",
    ),
    "fr": Words(
        "Élodie",
        "Garçon",
        "Où est mon colis ?",
        "Bonsoir,\n\nJe n'ai toujours pas de numéro de suivi pour ma commande XKBKNABJK. Pourriez-vous vérifier ?",
        "Bonjour Madame,\n\nLe transporteur a retrouvé votre colis à Lyon. Il repart lundi matin.\n\nCordialement,\nMarie",
        "Merci beaucoup !",
        "Fjord & Fig, 12 rue des Potiers, 75011 Paris",
    ),
    "ar": Words(
        "ليلى",
        "حداد",
        "أين طردي؟",
        "مساء الخير،\n\nلم يصلني بعد رقم التتبع للطلب XKBKNABJK. هل يمكنكم التحقق من ذلك؟",
        "عزيزتي ليلى،\n\nعثرت شركة الشحن على طردك في ليون، وسيغادر صباح يوم الاثنين برقم جديد.\n\nمع التحية،\nماري",
        "شكرًا جزيلًا!",
        "فيورد آند فيغ، دبي",
    ),
}


def main() -> int:
    """Take the pictures and print where they are; return an exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.mail_pictures", description="Take pictures of mails.")
    parser.add_argument("--to", type=Path, default=Path(".demo/mails"), help="the folder for pictures (%(default)s)")
    parser.add_argument("languages", nargs="*", default=list(SPOKEN), metavar="LANGUAGE", help=f"of {', '.join(SPOKEN)}")
    wanted = parser.parse_args()
    wanted.to.mkdir(parents=True, exist_ok=True)
    for picture in take_pictures(wanted.languages, wanted.to):
        print(picture)
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
    thread_id = _write(store, language, words, words.question)
    _answer(store, thread_id, words.answer)
    _write(store, language, words, words.second, thread_id=thread_id)
    with store.desk.sessions() as session:
        session.add(Mailbox(address="contact@mail.example", protocol="imap", created_at=store.clock()))
        session.commit()
    _answer(store, thread_id, words.answer)
    with store.desk.sessions() as session:
        session.query(Contact).update({Contact.save_messages: False})
        session.commit()
    _write(store, language, words, words.question, subject=words.subject)
    store.desk.office.deliver()
    transport = store.desk.transport
    assert isinstance(transport, MemoryTransport)
    names = ("confirmation", "contact_notice", "reply", "new_message", "reply-by-mail", "passed_on", "confirmation-without-thread")
    return dict(zip(names, (mail.message for mail in transport.sent), strict=True))


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


def _answer(store: Store, thread_id: int, text: str) -> None:
    store.clock.forward(minutes=20)
    store.desk.do(lambda bench: desk.reply(bench, store.actor(MARIE), thread_id, desk.Answer(text)))


if __name__ == "__main__":
    sys.exit(main())
