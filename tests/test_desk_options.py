"""Saving options: all of what somebody wants, or nothing of it, and everything that is wrong told at its field."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, product
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select

from cs_plugin import Employee, Language, Shop, health, i18n
from cs_plugin.desk import Bench
from cs_plugin.desk.options import OptionsDraft, mailbox_of, may_configure, password_of, save_options, wrong_with
from cs_plugin.desk.purging import kept_since_in_shops
from cs_plugin.errors import InvalidInputError, NotFoundError, NotPermittedError
from cs_plugin.rules.mailbox_settings import IMAP_FIELDS, INCOMPLETE, REFUSED_PAIRS, Encryption, Security, security_of
from cs_plugin.rules.options import BY_NAME, MAX_LINE, MAX_TEXT
from cs_plugin.rules.permissions import ALL, Actor, Grants
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context, line_of
from cs_plugin.store.models import Option
from cs_plugin.store.options import Options, read_own_options
from tests.hosts.store import BERLIN, DUBAI, MARIE, PARIS, Store
from tests.hosts.writing import do, look

EUROPE, GULF, IN_PARIS, IN_BERLIN = Context(Breadth.GROUP, "1"), Context(Breadth.GROUP, "2"), Context(Breadth.SHOP, "1"), Context(Breadth.SHOP, "2")
MAILBOX = {"imap_url": "mail.example.com", "imap_port": "993", "imap_user": "desk", "imap_password": "a password"}
REGARDS = "Dear Customer,\n\nRegards,\nCustomer service"


def draft(wanted: Mapping[str, object], context: Context = ALL_SHOPS) -> OptionsDraft:
    """Return a draft; a value that is a mapping is one by language, None takes it away."""
    return OptionsDraft(context, {name: value if isinstance(value, Mapping) or value is None else {"": value} for name, value in wanted.items()})


def save(store: Store, wanted: Mapping[str, object], context: Context = ALL_SHOPS, actor: Actor | None = None) -> None:
    """Save what is wanted, as somebody who may do everything unless said otherwise."""
    do(store, lambda bench: save_options(bench, actor or store.actor(), draft(wanted, context)))


def wrong(store: Store, wanted: Mapping[str, object], context: Context = ALL_SHOPS) -> list[tuple[str, str]]:
    """Return what is wrong, by field; what is told is also refused, and nothing of it is kept."""
    before = rows(store)
    errors = do(store, lambda bench: wrong_with(bench, draft(wanted, context)))
    if errors:
        with pytest.raises(InvalidInputError) as raised:
            save(store, wanted, context)
        assert str(raised.value) == str(errors[0])
        assert rows(store) == before
    return [(error.field, error.message % error.values if error.values else error.message) for error in errors]


def rows(store: Store) -> list[tuple[object, ...]]:
    """Return everything that is kept."""
    def all_of(session: Any) -> list[tuple[object, ...]]:
        found = session.scalars(select(Option).where(Option.name.in_(BY_NAME)).order_by(Option.id))
        return [(row.name, row.breadth, row.breadth_id, row.language, row.value, row.encrypted, row.changed_at) for row in found]

    return look(store, all_of)


def own(store: Store, context: Context = ALL_SHOPS) -> dict[str, Any]:
    """Return what a context has of its own; a text under its name and language."""
    return {f"{name}-{language}" if language else name: value for (name, language), value in look(store, read_own_options).of(context).items()}


def options(store: Store, context: Context = IN_PARIS) -> Options:
    """Return what holds in a context."""
    return look(store, read_own_options).along(line_of(context, store.answers.shops))


# --- The mailbox --------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("8.3")
@pytest.mark.parametrize("pair", REFUSED_PAIRS, ids="-".join)
def test_flags_that_contradict_each_other_are_refused_at_both(store: Store, pair: tuple[str, str]) -> None:
    """Together, and one added to the other; each alone is fine."""
    first, second = (f"This cannot be used together with /{name.removeprefix('imap_').replace('_', '-')}." for name in pair[::-1])
    told = {(pair[0], first), (pair[1], second)}
    assert set(wrong(store, dict.fromkeys(pair, True))) == told
    save(store, {pair[0]: True})
    assert set(wrong(store, {pair[1]: True})) == told
    save(store, {pair[0]: False, pair[1]: True})
    assert own(store) == {pair[1]: True}


@pytest.mark.shows("8.3")
def test_these_pairs_are_refused_and_no_others(store: Store) -> None:
    """The four of the description, whatever else is on."""
    flags = ["pop3", "norsh", "ssl", "validate_cert", "novalidate_cert", "tls", "notls"]
    refused = [pair for pair in combinations(flags, 2) if wrong(store, {f"imap_{flag}": True for flag in pair})]
    assert refused == [("ssl", "tls"), ("ssl", "notls"), ("validate_cert", "novalidate_cert"), ("tls", "notls")]


@pytest.mark.shows("8.3")
@pytest.mark.parametrize(
    ("flags", "comes_to"),
    [
        ((), Security(Encryption.OFFERED, verify=True)),
        (("imap_ssl",), Security(Encryption.TLS, verify=True)),
        (("imap_tls", "imap_validate_cert"), Security(Encryption.STARTTLS, verify=True)),
        (("imap_notls",), Security(Encryption.NONE, verify=True)),
        (("imap_ssl", "imap_novalidate_cert"), Security(Encryption.TLS, verify=False)),
        (("imap_norsh",), Security(Encryption.OFFERED, verify=True)),
    ],
)
def test_flags_come_to_one_security(store: Store, flags: tuple[str, ...], comes_to: Security) -> None:
    """Certificates are verified unless that was switched off; without a flag STARTTLS is used where it is offered."""
    save(store, dict.fromkeys(flags, True))
    assert security_of(options(store).__getitem__) == comes_to


@pytest.mark.shows("8.4")
def test_a_mailbox_is_filled_in_whole_or_not_at_all(store: Store) -> None:
    """Each of the missing fields is told; all four and none are valid. An option saved along with half a mailbox is not saved either."""
    for filled in product((False, True), repeat=4):
        wanted = {name: MAILBOX[name] if there else "" for name, there in zip(IMAP_FIELDS, filled, strict=True)}
        missing = [name for name, there in zip(IMAP_FIELDS, filled, strict=True) if not there]
        if len(missing) in (0, 4):
            save(store, wanted)
            assert mailbox_of(store.desk.vault, options(store)).is_filled is not bool(missing)
            assert sorted(own(store)) == ([] if missing else sorted(IMAP_FIELDS))
        else:
            assert wrong(store, {"after_reply": "keep", **wanted}) == [(name, INCOMPLETE) for name in missing]


@pytest.mark.shows("8.2")
def test_a_blank_password_keeps_the_one_there_is(store: Store) -> None:
    """And one that is typed replaces it."""
    save(store, MAILBOX)
    save(store, {**MAILBOX, "imap_user": "another", "imap_password": ""})
    assert password_of(store.desk.vault, options(store)) == "a password"
    save(store, {"imap_password": " another one "})
    assert password_of(store.desk.vault, options(store)) == " another one "
    assert own(store)["imap_user"] == "another"


@pytest.mark.shows("8.5")
def test_a_kept_password_is_not_used_for_another_server(store: Store) -> None:
    """Not where the server is changed, and not where a shop that inherits it writes a server of its own; entered again it is taken."""
    save(store, MAILBOX)
    told = [("imap_password", "The kept password is the one for mail.example.com. Enter the one for this server.")]
    assert wrong(store, {"imap_url": "evil.example", "imap_password": ""}) == told
    assert wrong(store, {"imap_url": "evil.example"}) == told
    assert wrong(store, {"imap_url": "evil.example"}, IN_PARIS) == told
    # The same server in another shape is the same server.
    assert wrong(store, {"imap_url": "MAIL.example.com."}) == []
    save(store, {"imap_url": "paris.example", "imap_password": "of Paris"}, IN_PARIS)
    assert password_of(store.desk.vault, options(store)) == "of Paris"
    assert password_of(store.desk.vault, options(store, IN_BERLIN)) == "a password"


@pytest.mark.shows("8.5")
@pytest.mark.parametrize("flag", ["imap_notls", "imap_novalidate_cert"])
def test_a_kept_password_is_not_used_over_a_weaker_line(store: Store, flag: str) -> None:
    """Somebody on the way to the server would read it: who weakens the connection enters it again, also in a shop that inherits the rest."""
    save(store, MAILBOX)
    told = [("imap_password", "The kept password was given for a safer connection. Enter it again.")]
    assert wrong(store, {flag: True}) == told
    assert wrong(store, {**MAILBOX, flag: True, "imap_password": ""}) == told
    assert wrong(store, {flag: True}, IN_PARIS) == told
    save(store, {flag: True, "imap_password": "of Paris"}, IN_PARIS)
    assert password_of(store.desk.vault, options(store)) == "of Paris"
    assert password_of(store.desk.vault, options(store, IN_BERLIN)) == "a password"
    # Better than it was given for is no reason to ask again, nor is the weaker line once more.
    save(store, {flag: False}, IN_PARIS)
    assert mailbox_of(store.desk.vault, options(store)).is_filled
    assert password_of(store.desk.vault, options(store)) == "of Paris"
    save(store, {flag: True}, IN_PARIS)
    assert wrong(store, {flag: True, "imap_url": "evil.example"}, IN_PARIS) == [
        ("imap_password", "The kept password is the one for mail.example.com. Enter the one for this server.")
    ]


def test_an_emptied_mailbox_forgets_its_password(store: Store) -> None:
    """Nothing of it lies in the database any more."""
    save(store, MAILBOX)
    save(store, dict.fromkeys(IMAP_FIELDS, ""))
    assert rows(store) == []


@pytest.mark.shows("8.5")
def test_a_shop_can_have_no_mailbox_where_the_others_have_one(store: Store) -> None:
    """Checked and left empty, all four are its own and empty; that stays so when something else is saved."""
    save(store, MAILBOX)
    save(store, dict.fromkeys(IMAP_FIELDS, ""), IN_PARIS)
    assert own(store, IN_PARIS) == {"imap_url": "", "imap_port": None, "imap_user": "", "imap_password": ""}
    save(store, {"imap_pop3": True, "after_reply": "keep"}, IN_PARIS)
    assert mailbox_of(store.desk.vault, options(store)).missing == IMAP_FIELDS
    assert mailbox_of(store.desk.vault, options(store, IN_BERLIN)).is_filled


@pytest.mark.shows("8.5")
def test_a_mailbox_may_be_half_inherited(store: Store) -> None:
    """What counts as filled in are the values that hold."""
    save(store, MAILBOX)
    save(store, {"imap_port": "143", "imap_tls": True}, EUROPE)
    assert mailbox_of(store.desk.vault, options(store)).port == 143
    assert mailbox_of(store.desk.vault, options(store)).is_filled
    assert wrong(store, {"imap_user": ""}, IN_PARIS) == [("imap_user", INCOMPLETE)]


@pytest.mark.shows("8.3")
def test_what_a_narrower_context_has_is_not_contradicted_from_above(store: Store) -> None:
    """A flag, and a mailbox, that would leave a shop with half of one: the shop is named, and nothing is saved."""
    save(store, {"imap_tls": True}, IN_PARIS)
    assert wrong(store, {"imap_ssl": True}) == [("imap_ssl", "This does not go together with what Paris has of its own.")]
    assert wrong(store, {"imap_ssl": True}, EUROPE) == [("imap_ssl", "This does not go together with what Paris has of its own.")]
    assert wrong(store, {"imap_ssl": True}, GULF) == []
    save(store, {"imap_tls": None}, IN_PARIS)
    save(store, MAILBOX)
    save(store, {"imap_port": "143"}, EUROPE)
    told = "This does not go together with what Europe has of its own."
    assert wrong(store, dict.fromkeys(IMAP_FIELDS, "")) == [("imap_url", told)]
    assert wrong(store, dict.fromkeys(IMAP_FIELDS)) == [("imap_url", told)]
    save(store, {"imap_port": None}, EUROPE)
    save(store, dict.fromkeys(IMAP_FIELDS))
    assert rows(store) == []


def test_a_shop_that_is_wrong_already_keeps_nobody_from_saving(store: Store) -> None:
    """A host moved it into another group, and it contradicts itself: that is told there, and not at all shops."""
    save(store, {"imap_tls": True}, Context(Breadth.SHOP, "3"))
    save(store, {"imap_ssl": True}, EUROPE)
    store.answers.shops = (PARIS, BERLIN, Shop("3", "Dubai", group_id="1", group_name="Europe"))
    save(store, {"imap_pop3": True, "imap_norsh": True})
    save(store, {"imap_norsh": True}, EUROPE)
    assert {field for field, _words in wrong(store, {"imap_norsh": True}, Context(Breadth.SHOP, "3"))} == {"imap_ssl", "imap_tls"}
    save(store, {"after_reply": "keep"}, Context(Breadth.SHOP, "3"))


@pytest.mark.shows("8.4")
def test_everything_that_is_wrong_is_told_at_once(store: Store) -> None:
    """Fields, flags and what is missing; a field is told once, by what is wrong with what was typed."""
    wanted = {"imap_url": "http://x", "imap_port": "65536", "imap_user": "", "imap_password": "x", "imap_ssl": True, "imap_tls": True}
    told = wrong(store, {**wanted, "reopen_days": "never", "default_message": {"fr": "x" * (MAX_TEXT + 1)}})
    assert [field for field, _words in told] == ["imap_url", "imap_port", "reopen_days", "default_message-fr", "imap_ssl", "imap_tls", "imap_user"]


# --- What fields hold ---------------------------------------------------------------------------------------------------------------------------

SERVERS = {
    "mail.example.com": "mail.example.com",
    " Mail.Example.COM ": "mail.example.com",
    "mail.example.com.": "mail.example.com",
    "localhost": "localhost",
    "mail_server": "mail_server",
    "bücher.example": "bücher.example",
    "BÜCHER.example": "bücher.example",
    "xn--bcher-kva.example": "xn--bcher-kva.example",
    "почта.рф": "почта.рф",
    "mail。example": "mail.example",
    "192.0.2.1": "192.0.2.1",
    "::1": "::1",
    "[::1]": "::1",
    "2001:DB8:0:0::1": "2001:db8::1",
}
NO_SERVERS = [
    "http://x", "imap://mail.example.com", "a b", "mail.example.com:993", "desk@mail.example.com", "mail.example.com/inbox", "*", "{mail}",
    ".", "..", "a..b", ".a", "-a.b", "a-.b", "x" * 64 + ".example", "l." * 123 + "examples", "ü" * 60,
    "1.2.3", "1.2.3.256", "１２７.０.０.１", "[::1", "[1.2.3.4]", "fe80::1%eth0",
]  # fmt: skip
NO_PORTS: list[object] = [
    "0", "65536", "-1", "+5", "9_9", "９９３", "٩٩٣", "9.0", "0x1", "imap", "1 2", "1\0", "9" * 5_000, 10**5_000, 0, True, 99.0, ["1"],
]  # fmt: skip


@pytest.mark.shows("8.4")
@pytest.mark.parametrize(("typed", "kept"), SERVERS.items())
def test_a_server_is_kept_in_one_shape(typed: str, kept: str) -> None:
    """So that the same server is the same, however it was typed."""
    assert BY_NAME["imap_url"].checked(typed) == kept
    assert BY_NAME["imap_url"].checked(kept) == kept


@pytest.mark.shows("8.4")
@pytest.mark.parametrize("typed", NO_SERVERS)
def test_what_is_no_server_is_refused(typed: str) -> None:
    """A host name or an address only."""
    with pytest.raises(InvalidInputError, match=r"imap_url: Enter a host name or an address only, such as mail\.server\.com\."):
        BY_NAME["imap_url"].checked(typed)


@pytest.mark.shows("8.4")
@pytest.mark.parametrize(
    ("typed", "kept"), [("1", 1), ("65535", 65_535), (" 993 ", 993), ("0993", 993), (993, 993), ("", None), (" ", None), (None, None)]
)
def test_a_port_is_a_number_or_nothing(typed: object, kept: int | None) -> None:
    """From 1 to 65535."""
    assert BY_NAME["imap_port"].checked(typed) == kept


@pytest.mark.shows("8.4")
@pytest.mark.parametrize("typed", NO_PORTS, ids=range(len(NO_PORTS)))
def test_what_is_no_port_is_refused(typed: object) -> None:
    """Digits of other scripts, what Python's int() would take besides, and what would break it."""
    with pytest.raises(InvalidInputError, match="imap_port: Enter a whole number from 1 to 65535"):
        BY_NAME["imap_port"].checked(typed)


NOT_HELD: list[tuple[str, object]] = [
    ("imap_user", "desk\r\nA1 LOGOUT"),
    ("imap_user", "desk\0"),
    ("imap_user", "x" * (MAX_LINE + 1)),
    ("imap_user", "\ud800"),
    ("imap_user", "\u202edesk"),
    ("imap_user", 7),
    ("imap_password", "secret\r\nDELE 1"),
    ("imap_password", "secret\n"),
    ("imap_password", "sec\0ret"),
    ("imap_password", "x" * (MAX_LINE + 1)),
    ("imap_password", b"secret"),
    ("imap_url", "mail.example.com\r\nx"),
    ("imap_url", "mail\0.example.com"),
    ("imap_url", None),
    ("default_message", "x" * (MAX_TEXT + 1)),
    ("default_message", 7),
    ("after_reply", "burn"),
    ("after_reply", ["close"]),
    ("after_reply", None),
    ("allow_file_uploading", "on"),
    ("allow_file_uploading", None),
    ("files_per_message", "51"),
    ("files_per_message", "9" * 30),
    ("file_types", "pdf;png"),
    ("file_types", "../etc"),
    ("file_types", "x" * 11),
]


def test_what_an_option_cannot_hold_is_refused_at_its_field(store: Store) -> None:
    """Line ends would be commands to a mail server; no value is repeated in the error, and none breaks anything."""
    for name, typed in NOT_HELD:
        language = "fr" if name == "default_message" else ""
        ((field, words),) = [one for one in wrong(store, {name: {language: typed}}) if one[1] != INCOMPLETE]
        assert field == (f"{name}-fr" if language else name)
        assert str(typed) not in words


def test_a_text_is_kept_with_plain_line_ends(store: Store) -> None:
    """A browser's two characters a line are counted and kept as one; control characters are left out."""
    save(store, {"default_message": {"en": "Hello\r\n\0there\x07"}})
    assert own(store) == {"default_message-en": "Hello\nthere"}
    save(store, {"default_message": {"en": "\r\n" * MAX_TEXT}})
    assert own(store) == {"default_message-en": "\n" * MAX_TEXT}


def test_file_types_are_kept_in_one_shape(store: Store) -> None:
    """However they are written, each once; all of them in the shape of the default are no value of its own."""
    save(store, {"file_types": " .PDF, png  pdf"})
    assert own(store) == {"file_types": "pdf png"}
    save(store, {"file_types": "PDF, TXT, png .jpg jpeg gif webp zip doc docx rtf"})
    assert own(store) == {}


# --- Inheriting ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("8.7")
def test_unchecking_gives_the_inherited_value_back(any_store: Store) -> None:
    """On every database; what was not named stays, and what is checked is its own even where it equals the inherited one."""
    store = any_store
    save(store, {"after_reply": "keep", "name_shown": "full"}, EUROPE)
    save(store, {"after_reply": "close", "name_shown": "full"}, IN_PARIS)
    assert own(store, IN_PARIS) == {"after_reply": "close", "name_shown": "full"}
    save(store, {"after_reply": None}, IN_PARIS)
    assert options(store)["after_reply"] == "keep"
    assert own(store, IN_PARIS) == {"name_shown": "full"}
    assert own(store, EUROPE) == {"after_reply": "keep", "name_shown": "full"}


def test_all_shops_keep_only_what_differs_from_the_default(store: Store) -> None:
    """What equals it follows it."""
    save(store, {"after_reply": "keep", "reopen_days": "30", "default_message": {"en": REGARDS, "fr": i18n.gettext("fr", REGARDS)}})
    assert own(store) == {"after_reply": "keep"}
    save(store, {"after_reply": "close"})
    assert rows(store) == []


@pytest.mark.shows("9.2")
def test_a_text_left_empty_in_another_language_is_inherited(store: Store) -> None:
    """From the group in that language, else it is that of the default language; an empty text in the default language is a text of its own."""
    save(store, {"default_message": {"en": "Hello", "fr": "Bonjour d'Europe", "ar": " "}}, EUROPE)
    save(store, {"default_message": {"en": "Hello from Paris", "fr": "", "ar": ""}}, IN_PARIS)
    assert own(store, IN_PARIS) == {"default_message-en": "Hello from Paris"}
    said = [options(store).text("default_message", language, "en") for language in ("en", "fr", "ar")]
    assert said == ["Hello from Paris", "Bonjour d'Europe", "Hello from Paris"]
    save(store, {"default_message": {"en": "", "fr": "", "ar": ""}}, IN_PARIS)
    assert own(store, IN_PARIS) == {"default_message-en": ""}


def test_the_translated_default_is_kept_beside_a_text_of_the_default_language(store: Store) -> None:
    """Without it, the text of the default language would stand there."""
    french = i18n.gettext("fr", REGARDS)
    save(store, {"default_message": {"fr": french, "en": "Hello", "ar": "Hello"}})
    assert own(store) == {"default_message-en": "Hello", "default_message-fr": french}


def test_a_language_alone_can_be_changed_and_taken_away(store: Store) -> None:
    """The others stay as they are, also one that the host does not list any more."""
    save(store, {"default_message": {"en": "Hello", "fr": "Bonjour", "ar": "أهلا"}}, IN_PARIS)
    store.answers.languages = (Language("en", "English"), Language("fr", "Français"))
    save(store, {"default_message": {"fr": None}}, IN_PARIS)
    save(store, {"default_message": {"en": "Hi", "ar": "أهلا"}}, IN_PARIS)
    assert own(store, IN_PARIS) == {"default_message-en": "Hi", "default_message-ar": "أهلا"}
    save(store, {"default_message": None}, IN_PARIS)
    assert rows(store) == []


def test_saving_the_same_again_writes_nothing(store: Store) -> None:
    """The time of the last change stays."""
    wanted = {**MAILBOX, "after_reply": "keep", "default_message": {"en": "Hello"}}
    save(store, wanted)
    before = rows(store)
    store.clock.forward(hours=1)
    save(store, {**wanted, "imap_password": ""})
    assert rows(store) == before


# --- Who, and where -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("8.7")
@pytest.mark.parametrize(
    ("shops", "contexts"),
    [
        (ALL, {ALL_SHOPS, EUROPE, GULF, IN_PARIS}),
        (["1", "2", "3"], {EUROPE, GULF, IN_PARIS}),
        (["1", "2"], {EUROPE, IN_PARIS}),
        (["1"], {IN_PARIS}),
        (["3"], {GULF}),
        ([], set()),
    ],
)
def test_options_are_changed_by_whoever_configures_every_shop_of_the_context(store: Store, shops: Any, contexts: set[Context]) -> None:
    """All shops include those of tomorrow: for them it takes the permission everywhere."""
    actor = Actor(MARIE, Grants.of({"view": ALL, "reply": ALL, "configure": shops}))
    for context in (ALL_SHOPS, EUROPE, GULF, IN_PARIS):
        assert may_configure(actor.grants, context, (PARIS, BERLIN, DUBAI)) is (context in contexts)
        if context in contexts:
            save(store, {"after_reply": "keep"}, context, actor)
        else:
            with pytest.raises(NotPermittedError):
                save(store, {"after_reply": "keep"}, context, actor)
        assert bool(own(store, context)) is (context in contexts)


def test_a_shop_that_is_not_viewed_is_not_configured(store: Store) -> None:
    """Nothing is granted where nothing may be seen."""
    actor = Actor(Employee("9"), Grants.of({"view": ["2"], "configure": ALL}))
    with pytest.raises(NotPermittedError):
        save(store, {"after_reply": "keep"}, IN_PARIS, actor)
    save(store, {"after_reply": "keep"}, IN_BERLIN, actor)


UNKNOWN: list[tuple[Context, dict[str, object], str]] = [
    (Context(Breadth.SHOP, "9"), {}, "context"),
    (Context(Breadth.SHOP, ""), {}, "context"),
    (Context(Breadth.GROUP, "9"), {}, "context"),
    (Context(Breadth.GROUP, ""), {}, "context"),
    (ALL_SHOPS, {"aftr_reply": "keep"}, "option"),
    (ALL_SHOPS, {"aftr_reply": None}, "option"),
    (ALL_SHOPS, {"default_message": {"xx": "?"}}, "language"),
    (ALL_SHOPS, {"default_message": {"": "?"}}, "language"),
    (ALL_SHOPS, {"after_reply": {"fr": "keep"}}, "language"),
]


def test_what_there_is_not_is_not_found(store: Store) -> None:
    """A context, an option, a language: whatever a link or a form names, nothing is written."""
    for context, wanted, kind in UNKNOWN:
        with pytest.raises(NotFoundError) as raised:
            save(store, wanted, context)
        assert raised.value.kind == kind
        with pytest.raises(NotFoundError):
            do(store, lambda bench, wanted=wanted, context=context: wrong_with(bench, draft(wanted, context)))
    assert rows(store) == []


@pytest.mark.shows("8.3")
@pytest.mark.parametrize("contexts", [(ALL_SHOPS, ALL_SHOPS), (ALL_SHOPS, IN_PARIS)], ids=["the same", "a wider and a narrower"])
def test_of_two_halves_that_contradict_each_other_one_is_refused(any_store: Store, contexts: tuple[Context, Context]) -> None:
    """Saved at the same moment, each would look good alone: on every database exactly one is kept."""
    store, halves = any_store, (("imap_ssl", contexts[0]), ("imap_tls", contexts[1]))
    for _round in range(5):
        start = Barrier(2)

        def half(name: str, context: Context, start: Barrier = start) -> bool:
            start.wait(timeout=30)
            try:
                save(store, {name: True}, context)
            except InvalidInputError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            saved = list(pool.map(lambda one: half(*one), halves))
        assert sorted(saved) == [False, True]
        held = options(store)
        assert (held["imap_ssl"], held["imap_tls"]) == tuple(saved)
        for name, context in halves:
            save(store, {name: None}, context)


@pytest.mark.parametrize("database_url", ["postgresql", "mariadb"], indirect=True)
def test_a_save_is_judged_by_what_others_have_committed_meanwhile(any_store: Store) -> None:
    """Also where its transaction had read before: on MariaDB a plain query would go on showing the older options.

    On SQLite a transaction that writes is alone from its beginning.
    """
    store = any_store
    with store.desk.sessions() as session:
        bench = store.desk.bench(session)
        assert read_own_options(session).of(ALL_SHOPS) == {}
        save(store, {"imap_tls": True})
        with pytest.raises(InvalidInputError, match="imap_ssl"):
            save_options(bench, store.actor(), draft({"imap_ssl": True}))


# --- Where shops come and go ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("9.1")
def test_a_shop_that_is_left_alone_keeps_its_options_and_may_change_them(any_store: Store) -> None:
    """Nothing speaks of several then: what it and its group had of their own is what all shops have, on the page and in commands."""
    store = any_store
    save(store, {"after_reply": "keep", "name_shown": "full"})
    save(store, {"reopen_days": "7", "name_shown": "shop"}, EUROPE)
    save(store, {**MAILBOX, "name_shown": "first", "default_message": {"fr": "Bonjour"}}, IN_PARIS)
    save(store, {"reopen_days": "99"}, GULF)
    store.answers.shops = (PARIS,)
    run = store.app.test_cli_runner().invoke
    assert run(args=["cs", "options", "get", "reopen_days"]).stdout == "7\nown\n"
    page = store.client(employee=MARIE).get("/cs-admin/customer-service-options/").text
    assert 'value="mail.example.com"' in page
    save(store, {"reopen_days": "8", "imap_password": ""})
    held = options(store)
    assert (held["after_reply"], held["name_shown"], held["reopen_days"], held["imap_port"]) == ("keep", "first", 8, 993)
    assert held.text("default_message", "fr", "en") == "Bonjour"
    assert password_of(store.desk.vault, held) == "a password"
    assert (own(store, IN_PARIS), own(store, EUROPE), own(store, GULF)) == ({}, {}, {"reopen_days": 99})


def test_a_shop_alone_in_its_group_is_a_shop_like_any(store: Store) -> None:
    """With others beside the group each context keeps what is its own."""
    save(store, {"reopen_days": "7"}, GULF)
    save(store, {"after_reply": "keep"})
    assert own(store, GULF) == {"reopen_days": 7}
    assert options(store, Context(Breadth.SHOP, DUBAI.id))["reopen_days"] == 7


# --- What an older version, or somebody's own hand, has left in the rows ---------------------------------------------------------------------------


def put_by_hand(store: Store, name: str, value: str, context: Context = ALL_SHOPS, language: str = "") -> None:
    """Put a row into the table, whatever stands in it."""

    def put(bench: Bench) -> None:
        row = Option(name=name, breadth=context.breadth, breadth_id=context.id, language=language, value=value, changed_at=bench.now)
        bench.session.add(row)

    do(store, put)


OF_NO_USE = [
    ("after_reply", '"archive"'),
    ("after_reply", "{broken"),
    ("after_reply", ""),
    ("reopen_days", '"many"'),
    ("reopen_days", "99999999"),
    ("file_types", "[" * 100_000),
    ("closing_question", "1"),
    ("imap_url", '"https://mail.example.com/"'),
    ("imap_password", "[1]"),
    ("default_message", "null"),
]


@pytest.mark.parametrize(("name", "value"), OF_NO_USE, ids=range(len(OF_NO_USE)))
def test_a_value_of_no_use_counts_as_not_set(store: Store, name: str, value: str) -> None:
    """The inherited one holds, else the default; what is right beside it stays, and saving the option clears it away."""
    language = "en" if name == "default_message" else ""
    put_by_hand(store, name, value, IN_PARIS, language)
    put_by_hand(store, "retention_days", "90", IN_PARIS)
    put_by_hand(store, "an_option_of_yesterday", "{", IN_PARIS)
    held = options(store)
    assert held.values == {("retention_days", ""): 90}
    save(store, {name: None}, IN_PARIS)
    assert [row[0] for row in rows(store)] == ["retention_days"]


def test_a_term_that_nobody_can_read_erases_nothing(store: Store) -> None:
    """It may have said that everything is kept; the other shops go by what holds there."""
    put_by_hand(store, "retention_days", "30")
    put_by_hand(store, "retention_days", "{broken", IN_PARIS)
    assert sorted(do(store, kept_since_in_shops)) == [BERLIN.id, DUBAI.id]


def test_a_value_of_no_use_is_written_over(any_store: Store) -> None:
    """On every database, by a new value and by what comes to the default."""
    store = any_store
    put_by_hand(store, "after_reply", "{broken")
    put_by_hand(store, "reopen_days", "-5")
    save(store, {"after_reply": "keep", "reopen_days": "30"})
    assert own(store) == {"after_reply": "keep"}
    assert [row[0] for row in rows(store)] == ["after_reply"]


def test_values_of_no_use_are_told(store: Store) -> None:
    """By the check, with the line that clears them away, and by the commands; of a shop that is gone nobody is told."""

    def told() -> list[tuple[str, tuple[str, ...]]]:
        with store.app.app_context():
            return [(one.what, one.lines) for one in health.check(store.desk) if one.subject == "Options"]

    assert told() == []
    put_by_hand(store, "after_reply", '"archive"', IN_PARIS)
    put_by_hand(store, "after_reply", '"archive"', Context(Breadth.SHOP, "99"))
    assert told() == [("What is kept of after_reply (shop Paris) cannot be used.", ("flask cs options unset --shop 1 after_reply",))]
    run = store.app.test_cli_runner().invoke
    shown = run(args=["cs", "options", "get", "after_reply", "--shop", "1"])
    assert (shown.exit_code, shown.stdout) == (0, "close\ndefault\n")
    assert shown.stderr == "after_reply: What is kept for shop Paris cannot be used: set it anew, or unset it.\n"
    assert run(args=["cs", "options", "unset", "--shop", "1", "after_reply"]).exit_code == 0
    assert told() == []


@pytest.mark.shows("8.7")
def test_the_page_opens_on_values_of_no_use(store: Store) -> None:
    """So does the contact form; each would break on them."""
    for name, value in OF_NO_USE:
        if not any(name == row[0] for row in rows(store)):
            put_by_hand(store, name, value, language="en" if name == "default_message" else "")
    assert store.client(employee=MARIE).get("/cs-admin/customer-service-options/").status_code == 200
    assert store.client().get("/customer-service/contact").status_code == 200
