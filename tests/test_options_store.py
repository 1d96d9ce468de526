"""Options are inherited: a shop's own value, else its group's, else that for all shops, else the default; texts each language for itself."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import event, func, select, update
from sqlalchemy.orm import Session

from cs_plugin.rules.options import BY_NAME, OPTIONS, Kind
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context, Shop
from cs_plugin.store.models import Option
from cs_plugin.store.options import Options, inherit_option, read_options, set_option
from cs_plugin.store.preferences import preferences_of, set_preference
from tests.hosts.store import BERLIN, DUBAI, PARIS, Store
from tests.hosts.writing import do, look

EUROPE, IN_PARIS = Context(Breadth.GROUP, "1"), Context(Breadth.SHOP, "1")
LONE = Shop("4", "Lone")


def put(store: Store, name: str, value: Any, context: Context = ALL_SHOPS, language: str = "") -> None:
    """Set an option."""
    do(store, lambda bench: set_option(bench.session, name, value, bench.now, context=context, language=language))


def inherit(store: Store, name: str, context: Context) -> None:
    """Take an option's own value away."""
    do(store, lambda bench: inherit_option(bench.session, name, context=context))


def options(store: Store, shop: Shop) -> Options:
    """Return what holds for a shop."""
    return look(store, lambda session: read_options(session, shop))


def test_an_option_that_nobody_set_has_its_default(any_store: Store) -> None:
    """Every declared option answers."""
    held = options(any_store, PARIS)
    for option in OPTIONS:
        if option.kind is Kind.TEXT_PER_LANGUAGE:
            assert held.text(option.name, "fr", "en") is None
        else:
            assert held[option.name] == option.default


def test_the_nearest_value_holds(any_store: Store) -> None:
    """Shop before group before all; taking a value away gives the inherited one back."""
    store, shops = any_store, (PARIS, BERLIN, DUBAI, LONE)

    def holds() -> list[object]:
        return [options(store, shop)["name_shown"] for shop in shops]

    put(store, "name_shown", "full", IN_PARIS)
    assert holds() == ["full", "first", "first", "first"]
    put(store, "name_shown", "shop", EUROPE)
    assert holds() == ["full", "shop", "first", "first"]
    put(store, "name_shown", "first", ALL_SHOPS)
    assert holds() == ["full", "shop", "first", "first"]
    put(store, "name_shown", "full", ALL_SHOPS)
    assert holds() == ["full", "shop", "full", "full"]
    inherit(store, "name_shown", IN_PARIS)
    assert holds() == ["shop", "shop", "full", "full"]
    inherit(store, "name_shown", EUROPE)
    inherit(store, "name_shown", ALL_SHOPS)
    assert holds() == ["first"] * 4
    assert look(store, lambda session: session.scalar(select(func.count()).where(Option.name == "name_shown"))) == 0


@pytest.mark.shows("9.2")
def test_each_language_of_a_text_is_inherited_for_itself(any_store: Store) -> None:
    """A shop's own French text stands beside the English one for all; what has no text in a language falls back to the default language."""
    store = any_store

    def said(shop: Shop, language: str) -> str | None:
        return options(store, shop).text("default_message", language, "en")

    put(store, "default_message", "Hello", language="en")
    put(store, "default_message", "Bonjour de Paris", IN_PARIS, "fr")
    put(store, "default_message", "Bonjour", EUROPE, "fr")
    assert [said(shop, "fr") for shop in (PARIS, BERLIN, DUBAI)] == ["Bonjour de Paris", "Bonjour", "Hello"]
    assert [said(shop, "en") for shop in (PARIS, BERLIN, DUBAI)] == ["Hello"] * 3
    assert said(PARIS, "ar") == "Hello"
    put(store, "default_message", "", IN_PARIS, "fr")
    assert said(PARIS, "fr") == ""


def test_a_false_value_is_a_value(any_store: Store) -> None:
    """Off, zero and empty are set, not inherited."""
    store = any_store
    put(store, "allow_file_uploading", True)
    put(store, "allow_file_uploading", False, IN_PARIS)
    put(store, "files_per_message", 0, IN_PARIS)
    assert options(store, PARIS)["allow_file_uploading"] is False
    assert options(store, PARIS)["files_per_message"] == 0
    assert options(store, BERLIN)["allow_file_uploading"] is True


def test_setting_a_value_twice_keeps_one_row(any_store: Store) -> None:
    """The later value holds, with the time of its change."""
    store = any_store
    put(store, "after_reply", "keep")
    later = store.clock.forward(hours=1)
    put(store, "after_reply", "close")
    rows = look(store, lambda session: list(session.scalars(select(Option).where(Option.name == "after_reply"))))
    assert [(row.value, row.changed_at) for row in rows] == [('"close"', later)]


def test_a_value_that_a_later_version_left_behind_is_passed_over(any_store: Store) -> None:
    """An option that this version does not know harms nothing."""
    store = any_store
    put(store, "after_reply", "keep")
    do(store, lambda bench: bench.session.execute(update(Option).where(Option.name == "after_reply").values(name="of_tomorrow")))
    assert options(store, PARIS)["after_reply"] == BY_NAME["after_reply"].default


def test_an_option_that_is_not_declared_cannot_be_set(store: Store) -> None:
    """A slip in a name fails at once."""
    with pytest.raises(KeyError):
        put(store, "aftr_reply", "keep")


def test_options_are_read_with_one_query(any_store: Store) -> None:
    """A request reads them once."""
    store = any_store
    put(store, "after_reply", "keep", EUROPE)

    def read(session: Session) -> None:


        session.connection()
        counted: list[int] = []
        event.listen(session.get_bind(), "before_cursor_execute", lambda *_: counted.append(1))
        held = read_options(session, PARIS)
        assert held["after_reply"] == "keep"
        assert counted == [1]

    look(store, read)


@pytest.mark.shows("6.9")
def test_a_preference_is_remembered_for_each_employee(any_store: Store) -> None:
    """What one chose is not another's, and any value that JSON holds comes back."""
    store = any_store
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    def choose(session: Session) -> None:
        set_preference(session, "A", "page_size", 20, now)
        set_preference(session, "A", "page_size", 300, now)
        set_preference(session, "a", "page_size", None, now)
        set_preference(session, "A", "folded", {"contact": True}, now)
        session.commit()

    look(store, choose)
    assert look(store, lambda session: preferences_of(session, "A")) == {"page_size": 300, "folded": {"contact": True}}
    assert look(store, lambda session: preferences_of(session, "a")) == {"page_size": None}
    assert look(store, lambda session: preferences_of(session, "B")) == {}
