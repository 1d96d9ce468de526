"""Every option in every scope and language, against a model that walks a dictionary: through the store, through saving, and through the commands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import pytest

from cs_plugin import i18n
from cs_plugin.desk.options import OptionsDraft, password_of, save_options
from cs_plugin.rules.mailbox_settings import IMAP_FIELDS, IMAP_FLAGS
from cs_plugin.rules.options import OPTIONS, Kind, Option
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context, Shop, line_of
from cs_plugin.store.options import Options, inherit_option, read_options, read_own_options, set_option
from tests.hosts.store import BERLIN, DUBAI, PARIS, Store
from tests.hosts.writing import do, look

LONE = Shop("4", "Lone")
SHOPS = (PARIS, BERLIN, DUBAI, LONE)

# --- The model: what each place inherits from, and a walk ---------------------------------------------------------------------------------------

INHERITS = {"Paris": "Europe", "Berlin": "Europe", "Dubai": "Gulf", "Lone": "all", "Europe": "all", "Gulf": "all", "all": None}
CONTEXTS = {
    "all": ALL_SHOPS,
    "Europe": Context(Breadth.GROUP, "1"),
    "Gulf": Context(Breadth.GROUP, "2"),
    **{shop.name: Context(Breadth.SHOP, shop.id) for shop in SHOPS},
}
# What is set where in a round: each of these scopes has a value of its own, or not.
SCOPES = ("all", "Europe", "Paris")
LANGUAGES = ("en", "fr", "ar")
CALLED = {"all": "all shops", "Europe": "group Europe"}
Own = Mapping[tuple[str, str, str], Any]   # values under (place, option, language)


def walk(own: Own, place: str | None, name: str, language: str) -> tuple[str, Any] | None:
    """Return the nearest place that has a value of its own, and that value."""
    while place is not None:
        if (place, name, language) in own:
            return place, own[place, name, language]
        place = INHERITS[place]
    return None


def expected(own: Own, place: str, option: Option, language: str) -> tuple[str | None, Any]:
    """Return what holds in a place, and where it comes from; None where nobody has set it."""
    found = walk(own, place, option.name, language)
    if found is None and language:
        found = walk(own, place, option.name, "en")
    if found is not None:
        return found
    return None, i18n.gettext(language, option.default) if language else option.default


def languages_of(option: Option) -> tuple[str, ...]:
    """Return the languages in which an option has values."""
    return LANGUAGES if option.kind is Kind.TEXT_PER_LANGUAGE else ("",)


def sample(option: Option, scope: str, language: str = "") -> Any:
    """Return a value for a scope: one that no scope beside it has, as far as the option has so many, and that is not the default for all shops."""
    number = SCOPES.index(scope)
    match option.kind:
        case Kind.SWITCH:
            return (not option.default, option.default, not option.default)[number]
        case Kind.NUMBER | Kind.PORT:
            return (option.most or 0) - number
        case Kind.CHOICE:
            keys = [key for key, _label in option.choices]
            others = [key for key in keys if key != option.default]
            return (others[0], option.default, others[-1])[number]
        case Kind.SERVER:
            return f"{scope.lower()}.example.com"
        case Kind.TEXT_PER_LANGUAGE:
            return f"{scope} says it in {language}"
        case Kind.LINE if option.name == "file_types":
            return ("png", "pdf png", "txt")[number]
        case _:
            return f"{option.name} of {scope}"


def test_the_samples_are_what_the_options_can_hold() -> None:
    """A table of values that nothing could be would show nothing; and every kind is in it."""
    for option, scope in product(OPTIONS, SCOPES):
        for language in languages_of(option):
            assert option.checked(sample(option, scope, language)) == sample(option, scope, language)
        assert sample(option, "all", "en") != option.default
    assert {option.kind for option in OPTIONS} == set(Kind)


# --- Through the store --------------------------------------------------------------------------------------------------------------------------


def held(options: Options, option: Option, language: str) -> Any:
    """Return what the store says that holds."""
    if not language:
        return options[option.name]
    said = options.text(option.name, language, "en")
    return i18n.gettext(language, option.default) if said is None else said


@pytest.mark.shows("8.7", "9.2")
def test_the_store_agrees_with_the_model_in_every_scope_and_language(any_store: Store) -> None:
    """On SQLite every option, and every text in all 512 combinations of scope and language; on the servers a part of them."""
    store, sqlite = any_store, any_store.desk.engine.dialect.name == "sqlite"
    store.answers.shops = SHOPS
    checked = 0
    with store.desk.sessions() as session:
        for option in OPTIONS:
            keys = [(scope, option.name, language) for scope in SCOPES for language in languages_of(option)]
            step = 1 if sqlite else 37 if len(keys) > 3 else 3
            for chosen in list(product((False, True), repeat=len(keys)))[::step]:
                own = {key: sample(option, key[0], key[2]) for key, there in zip(keys, chosen, strict=True) if there}
                for (place, name, language), value in own.items():
                    set_option(session, name, value, store.clock(), context=CONTEXTS[place], language=language)
                for shop in SHOPS:
                    options = read_options(session, shop)
                    for language in languages_of(option):
                        assert held(options, option, language) == expected(own, shop.name, option, language)[1], (own, shop, language)
                        checked += 1
                for place, name, language in own:
                    inherit_option(session, name, context=CONTEXTS[place], language=language)
    assert checked == (len(OPTIONS) - 1) * 8 * 4 + 512 * 4 * 3 if sqlite else checked > 400


# --- Through saving and the commands ------------------------------------------------------------------------------------------------------------

# Of the flags several contradict each other: they have a table of their own, one by one.
TOGETHER = [option for option in OPTIONS if option.name not in IMAP_FLAGS]


def chosen_in(round_: int, option: Option, number: int, language: str) -> frozenset[str]:
    """Return the scopes in which an option has a value of its own in a round: in eight rounds each has had every combination.

    The fields of a mailbox go together: filled in half it cannot be saved.
    """
    turn = 0 if option.name in IMAP_FIELDS else number + 3 * len(language) * (1 + LANGUAGES.index(language) if language else 1)
    bits = (round_ * 3 + turn) % 8
    return frozenset(scope for bit, scope in enumerate(SCOPES) if bits & (1 << bit))


def own_in(round_: int) -> dict[tuple[str, str, str], Any]:
    """Return the values of their own that the scopes have in a round."""
    own = {}
    for number, option in enumerate(TOGETHER):
        for language in languages_of(option):
            for scope in chosen_in(round_, option, number, language):
                own[scope, option.name, language] = sample(option, scope, language)
    return own


def draft(scope: str, own: Own) -> OptionsDraft:
    """Return the draft by which a scope has just these of its own: what it does not have is unchecked."""
    wanted: dict[str, Mapping[str, object] | None] = {}
    for option in TOGETHER:
        values = {language: own.get((scope, option.name, language)) for language in languages_of(option)}
        there = {language: value if isinstance(value, bool) else str(value) for language, value in values.items() if value is not None}
        # A text that is left out in one language is an empty field; the one of the default language is taken away.
        wanted[option.name] = {**dict.fromkeys(values, None), **there} if there and option.kind is Kind.TEXT_PER_LANGUAGE else there or None
    return OptionsDraft(CONTEXTS[scope], wanted)


def listed(store: Store, place: str, language: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of `flask cs options list` for a place."""
    context = CONTEXTS[place]
    where = [] if context == ALL_SHOPS else [f"--{context.breadth}", context.id]
    ended = store.app.test_cli_runner().invoke(args=["cs", "options", "list", "--json", "--language", language, *where])
    assert ended.exit_code == 0, ended.output
    yield from json.loads(ended.stdout)


def origin(source: str | None, place: str) -> tuple[str, str]:
    """Return how the commands tell where a value comes from."""
    if source is None:
        return "default", ""
    return "own" if source == place else "inherited", CALLED.get(source, f"shop {source}")


@pytest.mark.shows("8.7")
def test_what_is_saved_holds_everywhere_and_the_commands_tell_it(any_store: Store) -> None:
    """Round after round some values come and others go, in every combination; on the servers two rounds, and no commands."""
    store, sqlite = any_store, any_store.desk.engine.dialect.name == "sqlite"
    store.answers.shops = SHOPS
    actor = store.actor()
    for round_ in range(8) if sqlite else (1, 6):
        own = own_in(round_)
        for scope in SCOPES:
            do(store, lambda bench, scope=scope, own=own: save_options(bench, actor, draft(scope, own)))
        kept = look(store, read_own_options)
        for place, option in product(CONTEXTS, TOGETHER):
            options = kept.along(line_of(CONTEXTS[place], SHOPS))
            for language in languages_of(option):
                value = expected(own, place, option, language)[1]
                found = password_of(store.desk.vault, options) if option.kind is Kind.SECRET else held(options, option, language)
                assert found == value, (round_, place, option.name, language)
        for place, language in product(CONTEXTS, LANGUAGES if sqlite else ()):
            for row in listed(store, place, language):
                option = next(one for one in OPTIONS if one.name == row["name"])
                source, value = expected(own, place, option, row["language"])
                said = ("(kept)" if value else "(none)") if option.kind is Kind.SECRET else value
                assert (row["value"], (row["origin"], row["source"])) == (said, origin(source, place)), (round_, place, row)


@pytest.mark.shows("8.7")
@pytest.mark.parametrize("name", IMAP_FLAGS)
def test_a_flag_is_inherited_like_any_option(store: Store, name: str) -> None:
    """Each alone, in every combination of scopes, asked for by `flask cs options get`."""
    option = next(one for one in OPTIONS if one.name == name)
    store.answers.shops = SHOPS
    runner = store.app.test_cli_runner()
    for chosen in product((False, True), repeat=3):
        own = {(scope, name, ""): sample(option, scope) for scope, there in zip(SCOPES, chosen, strict=True) if there}
        for scope in SCOPES:
            value = own.get((scope, name, ""))
            wanted = OptionsDraft(CONTEXTS[scope], {name: None if value is None else {"": value}})
            do(store, lambda bench, wanted=wanted: save_options(bench, store.actor(), wanted))
        for place, where in (("Paris", ["--shop", "1"]), ("Europe", ["--group", "1"]), ("Lone", ["--shop", "4"])):
            source, value = expected(own, place, option, "")
            kind, whose = origin(source, place)
            came = f"inherited from {whose}" if kind == "inherited" else kind
            assert runner.invoke(args=["cs", "options", "get", name, *where]).output == f"{'on' if value else 'off'}\n{came}\n", (own, place)
