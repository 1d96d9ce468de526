"""Catalogues: whole, compiled, and with the placeholders of the texts that they translate."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po

from cs_plugin import i18n
from tests.hosts.store import LAYLA, Store
from tools.translations import FOLDER, extracted, languages

ROOT = Path(__file__).parent.parent
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")


def messages_of(language: str) -> list[Message]:
    """Return the texts of a catalogue, its header aside."""
    with (FOLDER / language / "LC_MESSAGES" / "cs_plugin.po").open("rb") as reading:
        return [message for message in read_po(reading, locale=language) if message.id]


def forms(words: object) -> tuple[str, ...]:
    """Return a text and its plural forms."""
    return tuple(str(one) for one in words) if isinstance(words, tuple | list) else (str(words),)


def test_the_catalogues_are_those_of_the_code() -> None:
    """Template, catalogues and compiled files are what the texts of the code make them."""
    done = subprocess.run([sys.executable, "-m", "tools.translations", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("language", languages())
def test_every_text_is_translated(language: str) -> None:
    """A language that is offered is whole, in every plural form."""
    assert [message.id for message in messages_of(language) if not all(forms(message.string))] == []


@pytest.mark.parametrize("language", languages())
def test_placeholders_are_kept(language: str) -> None:
    """A translation neither loses a placeholder nor makes one up; a plural form may leave the number unsaid."""
    wrong = []
    for message in messages_of(language):
        wanted = {name for form in forms(message.id) for name in PLACEHOLDER.findall(form)}
        for form in forms(message.string):
            found = set(PLACEHOLDER.findall(form))
            if found - wanted or wanted - found - ({"%(n)s"} if message.pluralizable else set()):
                wrong.append((message.id, form))
    assert wrong == []


def test_texts_of_templates_and_of_code_are_both_found() -> None:
    """The command sees a text of a page, of a mail, of a table in the rules, and a plural of a template."""
    known = {forms(message.id)[0] for message in extracted() if message.id}
    assert {"Reply and close", "You get this mail because you wrote to us.", "Default message", "%(n)s thread", "Webmaster"} <= known


def test_a_plural_takes_the_form_of_its_number() -> None:
    """French counts none and one alike."""
    assert i18n.ngettext("fr", "%(n)s thread", "%(n)s threads", 0) == "0 fil de discussion"
    assert i18n.ngettext("fr", "%(n)s thread", "%(n)s threads", 2) == "2 fils de discussion"


@pytest.mark.shows("9.2")
def test_the_admin_speaks_the_employees_language_in_its_direction(store: Store) -> None:
    """Layla reads Arabic, from right to left."""
    page = store.client(employee=LAYLA).get("/cs-admin/customer-service/").text
    assert "خدمة العملاء" in page
    assert 'dir="rtl"' in page


@pytest.mark.shows("9.2")
def test_the_contact_form_speaks_the_visitors_language(store: Store) -> None:
    """A visitor who asks for French gets it; one who asks for a language that the store has not gets the shop's."""
    client = store.client()
    assert "Envoyer" in client.get("/customer-service/contact", headers={"Accept-Language": "fr-CA,fr;q=0.9"}).text
    assert "Send" in client.get("/customer-service/contact", headers={"Accept-Language": "pl"}).text


@pytest.mark.parametrize(("language", "small", "large"), [("en", "184 kB", "2.4 MB"), ("fr", "184 ko", "2,4 Mo"), ("ar", "184 كيلوبايت", "2.4 م.ب")])
def test_sizes_are_written_as_the_language_does(language: str, small: str, large: str) -> None:
    """With its own units."""
    written = [i18n.file_size(language, size) for size in (184_000, 2_400_000)]
    assert [" ".join(one.split()) for one in written] == [small, large]
