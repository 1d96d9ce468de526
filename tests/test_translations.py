"""Catalogues: whole, compiled, and with the placeholders of the texts that they translate."""

from __future__ import annotations

import datetime as dt
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


@pytest.mark.shows("9.2")
def test_the_languages_of_the_desk_are_there() -> None:
    """A shop in any of these needs no translation of its own."""
    assert {"ar", "de", "es", "fr", "it", "nl", "pl", "pt"} <= set(languages())
    assert i18n.languages() == ("en", *languages())


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


MOMENT, NEXT_DAY, NEXT_YEAR = (dt.datetime(*day, tzinfo=dt.UTC) for day in ((2026, 11, 21, 18, 42), (2026, 11, 22), (2027, 1, 2)))


@pytest.mark.shows("9.2")
@pytest.mark.parametrize(
    ("language", "this_year", "last_year", "full"),
    [
        ("en", "21 Nov 18:42", "21 Nov 26 18:42", "21 Nov 2026 18:42"),
        ("en-US", "Nov 21 18:42", "Nov 21, 26 18:42", "Nov 21, 2026 18:42"),
        ("fr", "21 nov. 18:42", "21 nov. 26 18:42", "21 nov. 2026 18:42"),
        ("de", "21. Nov. 18:42", "21. Nov. 26 18:42", "21. Nov. 2026 18:42"),
        ("pt-BR", "21 de nov. 18:42", "21 de nov. de 26 18:42", "21 de nov. de 2026 18:42"),
        ("pl", "21 lis 18:42", "21 lis 26 18:42", "21 lis 2026 18:42"),
        ("fi", "21.11. 18.42", "21.11.26 18.42", "21.11.2026 18.42"),
        ("ja", "11月21日 18:42", "26年11月21日 18:42", "2026年11月21日 18:42"),
        ("tlh", "21 Nov 18:42", "21 Nov 26 18:42", "21 Nov 2026 18:42"),
    ],
)
def test_dates_are_written_as_the_language_does(language: str, this_year: str, last_year: str, full: str) -> None:
    """In its order, with its signs; a language that nobody knows as English does."""
    assert i18n.date_and_hour(language, MOMENT, i18n.UTC, NEXT_DAY) == this_year
    assert i18n.date_and_hour(language, MOMENT, i18n.UTC, NEXT_YEAR) == last_year
    assert i18n.full_date_and_hour(language, MOMENT, i18n.UTC) == full


@pytest.mark.shows("9.2")
@pytest.mark.parametrize(("language", "written"), [("en", "12,345.5"), ("de", "12.345,5"), ("fr", "12 345,5"), ("pl", "12 345,5")])
def test_numbers_are_written_as_the_language_does(language: str, written: str) -> None:
    """With its signs; blanks that do not break count as blanks."""
    assert re.sub(r"\s", " ", i18n.number(language, 12_345.5)) == written
