"""Every page in every language of the desk: no text of ours stands there in English, and the page says which language it is in and how it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest
from sqlalchemy import update

from cs_plugin import Employee, Language, i18n
from cs_plugin.rules.languages import direction
from cs_plugin.store.models import ContactText
from tests.hosts.store import EVERYTHING, JAN, MARIE, Store
from tests.hosts.writing import do, token_of
from tests.letterbox import LETTERS, Letter, fill
from tests.test_translations import forms, messages_of
from tools.translations import languages

# What people see or hear of an element beside its text.
SPOKEN = ("aria-label", "title", "placeholder", "alt", "data-selected")
# What stands in a text area is what somebody writes, in whichever language.
SILENT = frozenset({"script", "style", "code", "textarea"})
PLACEHOLDER = re.compile(r"%\(\w+\)s")
# What a text needs besides its placeholders so that it can be known again.
ENOUGH_LETTERS = 5

ADMIN = "/cs-admin/customer-service"
ADMIN_PAGES = (
    f"{ADMIN}/?shop=all",
    f"{ADMIN}/?shop=all&messages=nothing+like+this",
    f"{ADMIN}/?view=spam&shop=all",
    f"{ADMIN}/?id=x&shop=all",
    f"{ADMIN}/1/?shop=all",
    f"{ADMIN}/1/?shop=shop-2",
    f"{ADMIN}-contacts/?shop=all",
    f"{ADMIN}-contacts/new/?shop=all",
    f"{ADMIN}-contacts/1/?shop=all",
    f"{ADMIN}-contacts/1/delete/?shop=all",
    f"{ADMIN}-predefined-messages/?shop=all",
    f"{ADMIN}-predefined-messages/new/?shop=all",
    f"{ADMIN}-failed-mails/?shop=all",
    f"{ADMIN}-options/?shop=all",
    f"{ADMIN}-options/?shop=shop-1",
    f"{ADMIN}-permissions/?shop=all",
)


@dataclass
class Words(HTMLParser):
    """The words of a page: its texts, and what is said of pictures, buttons and fields."""

    found: list[str] = field(default_factory=list)
    root: dict[str, str | None] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    @classmethod
    def of(cls, page: str) -> Words:
        """Read a page."""
        words = cls()
        words.feed(page)
        return words

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take what is said of an element, and which language it is in."""
        named = dict(attrs)
        if "lang" in named and "dir" in named and not self.root:
            self.root = named
        if tag in SILENT:
            self._open.append(tag)
        self.found += [value for name in SPOKEN if (value := named.get(name))]

    def handle_endtag(self, tag: str) -> None:
        """Hear again what stands behind a script."""
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        """Take a text."""
        if not self._open and data.strip():
            self.found.append(" ".join(data.split()))


def english_of(language: str) -> Iterator[re.Pattern[str]]:
    """Yield the texts that a page in this language should not have: those which are translated into something else."""
    for message in messages_of(language):
        for text in forms(message.id):
            parts = PLACEHOLDER.split(" ".join(text.split()))
            if not text or i18n.gettext(language, text) == text or sum(map(len, "".join(parts).split())) < ENOUGH_LETTERS:
                continue
            yield re.compile(".+".join(map(re.escape, parts)))


def left_in_english(pages: dict[str, str], language: str) -> list[tuple[str, str]]:
    """Return the texts of ours that stand in English, with their pages."""
    patterns = list(english_of(language))
    words = {(address, word) for address, page in pages.items() for word in Words.of(page).found}
    return sorted((address, word) for address, word in words if any(pattern.fullmatch(word) for pattern in patterns))


@pytest.fixture
def speaking(store: Store) -> Store:
    """A store with conversations, whose visitors may choose every language of the desk."""
    store.answers.languages = [Language(code, code) for code in ("en", *languages())]
    # What the owner calls their contacts is the owner's.
    do(store, lambda bench: bench.session.execute(update(ContactText).values(title="--", description="-")))
    fill(store, LETTERS)
    return store


@pytest.mark.shows("9.2")
@pytest.mark.parametrize("language", languages())
def test_no_admin_page_is_left_in_english(speaking: Store, language: str) -> None:
    """An employee of each language reads all pages in it, in its direction."""
    employee = Employee("9", "Noor", "Berg", "noor@desk.example", language=language)
    speaking.answers.employees[employee.id] = employee
    speaking.answers.grants[employee.id] = EVERYTHING
    client = speaking.client(employee=employee)
    pages = {address: client.get(address) for address in ADMIN_PAGES}
    assert [address for address, page in pages.items() if page.status_code >= 400] == []
    texts = {address: page.text for address, page in pages.items()}
    for address, text in texts.items():
        root = Words.of(text).root
        assert (root.get("lang"), root.get("dir")) == (language, direction(language)), address
    assert left_in_english(texts, language) == []


@pytest.mark.shows("9.2")
@pytest.mark.parametrize("language", languages())
def test_no_storefront_page_is_left_in_english(speaking: Store, language: str) -> None:
    """A visitor of each language reads contact form, conversation and orders in it, and what is wrong with what they sent."""
    client = speaking.client(customer=JAN)
    asked = {"Accept-Language": language}
    (thread_id,) = fill(speaking, [Letter("?", JAN.email, "Jan", "Kowalski", JAN.id, language=language)])
    link = f"/customer-service/thread/{token_of(speaking, thread_id)}"
    pages = {
        address: client.get(address, headers=asked)
        for address in (
            "/customer-service/contact?shop=1",
            link,
            link[:-1],
            "/customer-service/my-messages",
            "/customer-service/order/15",
            "/customer-service/order/none",
        )
    }
    wrong = client.post("/customer-service/contact?shop=1", data={"email": "x", "message": ""}, headers=asked)
    texts = {address: page.text for address, page in pages.items()} | {"a post": wrong.text}
    assert left_in_english(texts, language) == []


def test_what_is_left_in_english_is_seen(speaking: Store) -> None:
    """The page of somebody who reads English is full of it."""
    page = speaking.client(employee=MARIE).get(ADMIN_PAGES[0]).text
    seen = {word for _address, word in left_in_english({"": page}, "de")}
    assert {"Bulk actions", "Customer Service", "Last message", "Any date"} <= seen
