"""The Options page: labels and tooltips letter for letter, one Save, errors at their fields, what is inherited from where, and who may see what."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

import pytest
from flask import render_template
from sqlalchemy import event, select

from cs_plugin import ALL, Language, Shop
from cs_plugin.rules.options import OPTIONS
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context, line_of
from cs_plugin.store.models import EmployeePreference, Job, Option
from cs_plugin.store.options import Options, read_own_options, set_option
from cs_plugin.store.vault import Vault
from cs_plugin.web.options_page import options_page
from cs_plugin.web.reading import page_words, visit
from tests.hosts.sheet import ADDRESS, Clerk, Sheet, tree
from tests.hosts.store import EVERYTHING, JOHN, LAYLA, MARIE, Store
from tests.hosts.writing import do, look

EUROPE, GULF = Context(Breadth.GROUP, "1"), Context(Breadth.GROUP, "2")
IN_PARIS, IN_BERLIN, IN_DUBAI = (Context(Breadth.SHOP, number) for number in "123")
GOOD_MAILBOX = {"imap_url": "imap.example.com", "imap_port": "993", "imap_user": "desk", "imap_password": "correct horse"}
INCOMPLETE = "IMAP configuration is not correct"
NOT_SAVED = "Nothing was saved. What you typed is still here."
INFORMATION = (
    "If you want to apply specific settings to a store or a group of shops, you need to select the parameter to modify, "
    "bring your modifications and then save."
)

# What the specification says (8.1 and 8.2), copied out of it: option, label, tooltip.
SPECIFIED = (
    ("allow_file_uploading", "Allow file uploading", "Allow customers to upload files using the contact page."),
    (
        "default_message",
        "Default message",
        "Please fill out the message fields that appear by default when you answer a thread on the customer service page",
    ),
    ("imap_url", "IMAP URL", "URL for your IMAP server (ie.: mail.server.com)."),
    ("imap_port", "IMAP port", "Port to use to connect to your IMAP server."),
    ("imap_user", "IMAP user", "User to use to connect to your IMAP server."),
    ("imap_password", "IMAP password", "Password to use to connect to your IMAP server."),
    (
        "delete_messages",
        "Delete messages",
        "Delete messages after synchronization. If you do not enable this option, the synchronization will take more time.",
    ),
    ("create_new_threads", "Create new threads", "Create new threads for unrecognized emails."),
    ("imap_pop3", "IMAP options (/pop3)", "Use POP3 instead of IMAP."),
    ("imap_norsh", "IMAP options (/norsh)", "Do not use RSH or SSH to establish a preauthenticated IMAP sessions."),
    ("imap_ssl", "IMAP options (/ssl)", "Use the Secure Socket Layer (TLS/SSL) to encrypt the session."),
    ("imap_validate_cert", "IMAP options (/validate-cert)", "Validate certificates from the TLS/SSL server."),
    (
        "imap_novalidate_cert",
        "IMAP options (/novalidate-cert)",
        "Do not validate certificates from the TLS/SSL server. This is only needed if a server uses self-signed certificates.",
    ),
    (
        "imap_tls",
        "IMAP options (/tls)",
        "Force use of start-TLS to encrypt the session, and reject connection to servers that do not support it.",
    ),
    ("imap_notls", "IMAP options (/notls)", "Do not use start-TLS to encrypt the session, even with servers that support it."),
)
# 8.8, the labels.
FURTHER = {
    "reopen_closed": "Reopen closed threads",
    "after_reply": "After a reply",
    "name_shown": "Name shown to customers",
    "assign_on_first_reply": "Assign on first reply",
    "unknown_sender": "Mail from an unknown sender",
}


@pytest.fixture
def client(store: Store) -> Any:
    """Marie, who may do everything. Layla views Paris and Dubai, and configures Dubai; she reads English here."""
    store.answers.employees[LAYLA.id] = replace(LAYLA, language="en")
    store.answers.grants[LAYLA.id] = {"view": ["1", "3"], "configure": ["3"]}
    return store.client(employee=MARIE)


@pytest.fixture
def clerk(client: Any) -> Clerk:
    """Marie at the options of all shops."""
    return Clerk(client)


@pytest.fixture
def layla(client: Any, store: Store) -> Any:
    """Layla's client."""
    return store.client(employee=LAYLA)


def own(store: Store, context: Context = ALL_SHOPS) -> Mapping[tuple[str, str], Any]:
    """Return what a context has of its own."""
    return look(store, lambda session: dict(read_own_options(session).of(context)))


def options(store: Store, context: Context = ALL_SHOPS) -> Options:
    """Return what holds in a context."""
    return look(store, lambda session: read_own_options(session).along(line_of(context, store.answers.shops)))


def put(store: Store, name: str, value: Any, context: Context = ALL_SHOPS, language: str = "") -> None:
    """Set an option without the page."""
    do(store, lambda bench: set_option(bench.session, name, value, bench.now, context=context, language=language))


def password(store: Store, context: Context = ALL_SHOPS, server: str = "imap.example.com") -> str:
    """Return the password that is kept in a context for a server."""
    return store.desk.vault.open(options(store, context)["imap_password"], server)


# --- What stands on it


@pytest.mark.shows("8.1", "8.2")
def test_labels_and_tooltips_are_those_of_the_specification(clerk: Clerk) -> None:
    """Letter for letter; what else there is to say stands beside the tooltip's own sentence."""
    assert [(name, clerk.sheet.label(name), clerk.sheet.help(name)[0]) for name, _label, _tooltip in SPECIFIED] == list(SPECIFIED)


@pytest.mark.shows("8.1", "8.2", "8.3", "8.8")
def test_the_page_has_every_option_under_its_heading(clerk: Clerk) -> None:
    """The specified ones in their order, then the further ones; /norsh says that it has no effect."""
    sheet = clerk.sheet
    assert sheet.names[: len(SPECIFIED)] == [name for name, _label, _tooltip in SPECIFIED]
    assert sorted(sheet.names) == sorted(option.name for option in OPTIONS)
    assert [node.text for node in sheet.form.all("h2")] == ["Contact options", "Customer service options", "Further options"]
    assert [node.text for node in sheet.form.all("h3")] == ["Mailbox", "Connection", "Conversations", "Files"]
    assert {name: sheet.label(name) for name in FURTHER} == FURTHER
    assert sheet.help("imap_norsh")[1:] == ["This option has no effect: no remote shell is ever used."]


@pytest.mark.shows("8.1", "8.2", "8.3", "8.8")
def test_a_new_desk_has_the_specified_defaults(clerk: Clerk) -> None:
    """File uploading and assigning are on, every toggle of the mailbox is off, and its four fields are empty."""
    sheet = clerk.sheet
    switches = {node.has["name"] for node in sheet.form.all(role="switch") if "checked" in node.has}
    assert switches == {"allow_file_uploading", "assign_on_first_reply"}
    assert sheet.value("default_message-en") == "Dear Customer,\n\nRegards,\nCustomer service"
    assert [sheet.value(name) for name in GOOD_MAILBOX] == ["", "", "", ""]
    assert [sheet.value(name) for name in ("reopen_closed", "after_reply", "name_shown", "unknown_sender")] == ["always", "close", "first", "thread"]


@pytest.mark.shows("8.1")
def test_the_default_message_has_a_field_in_each_installed_language(store: Store, client: Any) -> None:
    """Those that are not enabled are there too, and marked; without scripts they stand below each other, each with its name."""
    store.answers.languages = (Language("en", "English"), Language("fr", "Français"), Language("pl", "Polski", enabled=False))
    sheet = Clerk(client).sheet
    row = sheet.row("default_message")
    labels = {node.has["for"]: node.text for node in row.all("label")}
    assert labels == {
        "cs-option-default_message-en": "Default message English",
        "cs-option-default_message-fr": "Default message Français",
        "cs-option-default_message-pl": "Default message Polski (disabled)",
    }
    choice = next(row.all("select"))
    assert [node.text for node in choice.all("option")] == ["English", "Français", "Polski (disabled)"]
    assert "hidden" in choice.has
    assert "name" not in choice.has


def test_with_one_language_no_language_is_named(store: Store, client: Any) -> None:
    """The label is that of the field, and nothing offers languages."""
    store.answers.languages = (Language("en", "English"),)
    row = Clerk(client).sheet.row("default_message")
    assert [node.has["for"] for node in row.all("label")] == ["cs-option-default_message-en"]
    assert [*row.all("select")] == []


def test_nothing_on_the_page_needs_a_style_or_a_script_within_it(client: Any) -> None:
    """A strict Content-Security-Policy refuses neither."""
    for query in ("?shop=all", "?shop=shop-1"):
        page = tree(client.get(ADDRESS + query).text)
        ours = page.one("main", class_="cs-desk")
        assert [node for node in ours.all() if "style" in node.has or any(name.startswith("on") for name in node.has)] == []
        assert [node.text for node in ours.all("script") if node.text or "src" not in node.has] == []
        assert [*ours.all("style")] == []


def test_the_form_can_stand_on_another_page(store: Store, client: Any) -> None:
    """It brings all that it needs, and goes to the Options page in the context of the page that it stands on."""
    there = {"path": "/cs-admin/customer-service/?shop=shop-1", "headers": {"X-Employee": MARIE.id}}
    with store.app.test_request_context(**there):
        html = render_template("cs_plugin/admin/_options.html", **page_words("en"), options=options_page(visit()))
    sheet = Sheet(html)
    assert sheet.form.has["action"] == ADDRESS + "?shop=shop-1"
    assert len(sheet.names) == len(OPTIONS)


@pytest.mark.shows("8.7")
def test_the_page_costs_a_known_number_of_queries(store: Store, client: Any) -> None:
    """However many options, shops and languages there are: one for all options, and one for what the employee has closed."""
    seen: list[str] = []
    with store.app.app_context():
        event.listen(store.desk.engine, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))

    def ours(query: str) -> list[str]:
        seen.clear()
        client.get(ADDRESS + query)
        return [table for statement in seen for table in re.findall(r"FROM (cs_option|cs_employee_preference)\b", statement)]

    before = [ours("?shop=all"), ours("?shop=shop-1")], len(seen)
    assert before[0] == [["cs_option"], ["cs_option", "cs_employee_preference"]]
    for context in (ALL_SHOPS, EUROPE, IN_PARIS, IN_DUBAI):
        put(store, "name_shown", "full", context)
        put(store, "default_message", "Hello", context, "fr")
    store.answers.shops = (*store.answers.shops, *(Shop(str(number), f"Shop {number}") for number in range(4, 40)))
    assert ([ours("?shop=all"), ours("?shop=shop-1")], len(seen)) == before


# --- Saving


@pytest.mark.shows("8.4")
def test_one_save_writes_both_blocks(store: Store, clerk: Clerk) -> None:
    """Every field of the page at once; what is as it was by default is not written."""
    sheet = clerk.save(
        **GOOD_MAILBOX,
        allow_file_uploading=False,
        **{"default_message-fr": "Bonjour,"},
        imap_ssl=True,
        name_shown="full",
        reopen_closed="within",
        reopen_days="14",
        file_types="pdf png",
    )
    kept = {name: value for (name, _language), value in own(store).items() if name != "imap_password"}
    assert kept == {
        "allow_file_uploading": False,
        "default_message": "Bonjour,",
        "imap_url": "imap.example.com",
        "imap_port": 993,
        "imap_user": "desk",
        "imap_ssl": True,
        "name_shown": "full",
        "reopen_closed": "within",
        "reopen_days": 14,
        "file_types": "pdf png",
    }
    assert password(store) == "correct horse"
    assert [sheet.value(name) for name in ("imap_url", "imap_port", "imap_ssl", "name_shown")] == ["imap.example.com", "993", True, "full"]
    assert sheet.value("default_message-fr") == "Bonjour,"


@pytest.mark.shows("8.4", "8.7")
def test_every_database_keeps_what_was_saved_and_closed(any_store: Store) -> None:
    """Texts of every alphabet, a password, a shop's own value, and the message that was put away."""
    clerk = Clerk(any_store.client(employee=MARIE))
    clerk.save(**GOOD_MAILBOX, **{"default_message-ar": "أهلاً 🙂"})
    clerk.open("?shop=shop-1")
    clerk.save(own=["name_shown"], name_shown="full")
    clerk.post(action="close")
    assert INFORMATION not in clerk.open("?shop=shop-1").html
    assert (password(any_store), own(any_store, IN_PARIS)) == ("correct horse", {("name_shown", ""): "full"})
    assert own(any_store)["default_message", "ar"] == "أهلاً 🙂"


@pytest.mark.shows("8.4")
def test_saving_an_untouched_page_changes_nothing(store: Store, clerk: Clerk) -> None:
    """For all shops, in a group and in a shop."""
    put(store, "name_shown", "full", EUROPE)
    before = look(store, lambda session: [(row.name, row.value, row.breadth) for row in session.scalars(select(Option))])
    for query in ("?shop=all", "?shop=group-1", "?shop=shop-1"):
        clerk.open(query)
        clerk.save()
    assert look(store, lambda session: [(row.name, row.value, row.breadth) for row in session.scalars(select(Option))]) == before


@pytest.mark.shows("8.4")
@pytest.mark.parametrize("missing", list(GOOD_MAILBOX))
def test_a_mailbox_that_is_filled_in_half_is_refused(store: Store, clerk: Clerk, missing: str) -> None:
    """The missing field is marked, what was typed is kept, and nothing else of the form is saved either."""
    sheet = clerk.refused(**{**GOOD_MAILBOX, missing: ""}, name_shown="full")
    assert sheet.errors() == {missing: INCOMPLETE}
    assert sheet.summary() == [NOT_SAVED, f"{sheet.label(missing)}: {INCOMPLETE}"]
    assert sheet.value("name_shown") == "full"
    assert [sheet.value(name) for name in GOOD_MAILBOX if name not in (missing, "imap_password")] == [
        value for name, value in GOOD_MAILBOX.items() if name not in (missing, "imap_password")
    ]
    assert own(store) == {}


@pytest.mark.shows("8.4")
def test_four_empty_fields_are_a_good_answer(store: Store, clerk: Clerk) -> None:
    """A mailbox is taken away by emptying them; its password goes with it."""
    clerk.save(**GOOD_MAILBOX)
    clerk.save(**dict.fromkeys(GOOD_MAILBOX, ""))
    assert own(store) == {}


@pytest.mark.shows("8.3")
@pytest.mark.parametrize(
    ("one", "other"),
    [("imap_ssl", "imap_tls"), ("imap_ssl", "imap_notls"), ("imap_tls", "imap_notls"), ("imap_validate_cert", "imap_novalidate_cert")],
)
def test_contradicting_flags_are_refused_at_both_fields(store: Store, clerk: Clerk, one: str, other: str) -> None:
    """Each names the other."""
    flags = {name: re.sub("[()]|IMAP options ", "", clerk.sheet.label(name)) for name in (one, other)}
    sheet = clerk.refused(**{one: True, other: True})
    assert sheet.errors() == {one: f"This cannot be used together with {flags[other]}.", other: f"This cannot be used together with {flags[one]}."}
    assert own(store) == {}


@pytest.mark.shows("8.3")
def test_notls_warns_at_its_field(store: Store, clerk: Clerk) -> None:
    """The warning stands beside the switch, and is read with it; the style sheet shows it while the switch is on."""
    row = clerk.sheet.row("imap_notls")
    warning = row.one(class_="cs-option-warning")
    assert warning.text == "The password then goes over the line for everybody to read."
    assert warning.has["id"] in clerk.sheet.control("imap_notls").has["aria-describedby"].split()


PORT, SERVER = "Enter a whole number from 1 to 65535.", "Enter a host name or an address only, such as mail.server.com."
KEPT_NOT = "This text has a character that cannot be kept."


@pytest.mark.shows("8.4", "8.8")
@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("imap_port", "0", PORT),
        ("imap_port", "65536", PORT),
        ("imap_port", "9" * 400, PORT),
        ("imap_port", "١٢", PORT),
        ("imap_port", "1_0", PORT),
        ("imap_url", "https://imap.example.com", SERVER),
        ("imap_url", "imap.example.com:993", SERVER),
        ("imap_url", "a b", SERVER),
        ("imap_url", "999.1.1.1", SERVER),
        ("imap_user", "a\0b", KEPT_NOT),
        ("imap_user", "x" * 300, "This field cannot be longer than 254 characters"),
        ("imap_password", "x" * 300, "This field cannot be longer than 254 characters"),
        ("imap_password", "a\0b", KEPT_NOT),
        ("name_shown", "\0", "Choose one of the list."),
        ("name_shown", "nobody", "Choose one of the list."),
        ("reopen_days", "", "Enter a whole number from 1 to 3650."),
        ("reopen_days", "-1", "Enter a whole number from 1 to 3650."),
        ("file_size_mb", "1e1", "Enter a whole number from 1 to 100."),
        ("file_types", "pdf\nexe", KEPT_NOT),
    ],
)
def test_what_an_option_cannot_hold_is_told_at_its_field(store: Store, clerk: Clerk, field: str, typed: str, told: str) -> None:
    """Nothing is saved, and what was typed still stands there, unless it is a secret or was none of a list's."""
    sheet = clerk.refused(**{**GOOD_MAILBOX, field: typed})
    assert sheet.errors() == {field: told}
    if field not in ("imap_password", "name_shown"):
        assert sheet.value(field) == typed.replace("\0", "\ufffd") if "\0" not in typed else True
    assert own(store) == {}


@pytest.mark.shows("8.4")
def test_an_error_in_a_language_names_field_and_language(store: Store, clerk: Clerk) -> None:
    """At the field and at the top; the list of languages marks where it is, and begins there."""
    sheet = clerk.refused(**{"default_message-fr": "x" * 20_001, "default_message-en": "Hello"})
    told = "Default message (Français): This field cannot be longer than 20000 characters"
    assert sheet.errors() == {"default_message-fr": told}
    assert sheet.summary() == [NOT_SAVED, told]
    choice = next(sheet.row("default_message").all("select"))
    assert [(node.text, "selected" in node.has) for node in choice.all("option")] == [("English", False), ("Français (!)", True), ("العربية", False)]
    assert sheet.value("default_message-en") == "Hello"
    assert len(str(sheet.value("default_message-fr"))) == 20_001


@pytest.mark.shows("8.1")
def test_texts_that_were_shown_are_those_that_are_used(store: Store, clerk: Clerk) -> None:
    """Once the default language has a text of its own, others keep the translated one that stood in their field; an emptied one falls back."""
    sheet = clerk.save(**{"default_message-en": "Hello", "default_message-ar": ""})
    assert str(sheet.value("default_message-fr")).startswith("Bonjour,")
    assert options(store).text("default_message", "fr", "en") == sheet.value("default_message-fr")
    assert (sheet.value("default_message-ar"), sheet.control("default_message-ar").has["placeholder"]) == ("", "Hello")
    assert options(store).text("default_message", "ar", "en") == "Hello"


@pytest.mark.shows("8.4")
def test_imap_that_cannot_be_imported_is_told(store: Store, clerk: Clerk) -> None:
    """Once a mailbox is filled in, unless it is fetched by POP3; everything else is saved as ever."""
    with without_imap():
        sheet = clerk.refused(**GOOD_MAILBOX, imap_ssl=True)
        assert sheet.errors() == {"imap_url": "imap is not installed on this server"}
        assert own(store) == {}
        clerk.save(**dict.fromkeys(GOOD_MAILBOX, ""), imap_ssl=False, name_shown="full")
        clerk.save(**GOOD_MAILBOX, imap_pop3=True)
    assert options(store)["imap_url"] == "imap.example.com"


WITHOUT = """
import sys
from pathlib import Path

sys.modules["imapclient"] = None   # what makes "import imapclient" fail

from cs_plugin.web.options_page import options_page
from cs_plugin.web.reading import page_words, visit
from tests.hosts.sheet import Clerk
from tests.hosts.store import MARIE, make_store

store = make_store(f"sqlite:///{sys.argv[1]}/store.sqlite", Path(sys.argv[1]))
clerk = Clerk(store.client(employee=MARIE))
mailbox = {"imap_url": "imap.example.com", "imap_port": "993", "imap_user": "desk", "imap_password": "correct horse"}
print(clerk.refused(**mailbox).errors())
clerk.save(imap_pop3=True)
print(clerk.sheet.value("imap_pop3"))
"""


@pytest.mark.shows("8.4")
def test_a_desk_starts_on_a_server_without_imap(tmp_path: Path) -> None:
    """In a process of its own, in which the library cannot be imported from the beginning."""
    command = [sys.executable, "-c", WITHOUT, str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.splitlines() == ["{'imap_url': 'imap is not installed on this server'}", "True"], done.stderr


@contextmanager
def without_imap() -> Iterator[None]:
    """Keep imapclient from being imported."""

    class Missing(MetaPathFinder):
        def find_spec(self, name: str, path: object, target: object = None) -> None:
            if name.partition(".")[0] == "imapclient":
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    taken = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "imapclient"}
    missing = Missing()
    sys.meta_path.insert(0, missing)
    try:
        yield
    finally:
        sys.meta_path.remove(missing)
        sys.modules.update(taken)


# --- The password


@pytest.mark.shows("8.2")
def test_a_password_is_never_sent_back(store: Store, clerk: Clerk) -> None:
    """Neither a kept one nor one that was just typed, on any page; the field says that one is kept."""
    pages = [clerk.refused(**{**GOOD_MAILBOX, "imap_user": ""}).html]
    pages.append(clerk.save(imap_user="desk", imap_password="correct horse").html)
    pages.append(clerk.refused(imap_port="0").html)
    assert [page for page in pages if "correct horse" in page] == []
    assert clerk.open("?shop=all").control("imap_password").has["placeholder"] == "kept; an empty field keeps it"
    assert clerk.sheet.control("imap_password").has["value"] == ""


@pytest.mark.shows("8.2", "8.5")
def test_a_blank_password_keeps_the_one_there_is_for_its_server_alone(store: Store, clerk: Clerk) -> None:
    """With another server's name it has to be typed again: it would otherwise be sent there."""
    clerk.save(**GOOD_MAILBOX)
    clerk.save(imap_user="other", imap_password="")
    assert password(store) == "correct horse"
    sheet = clerk.refused(imap_url="elsewhere.example.com", imap_password="")
    assert sheet.errors() == {"imap_password": "The kept password is the one for imap.example.com. Enter the one for this server."}
    clerk.save(imap_password="battery staple")
    assert password(store, server="elsewhere.example.com") == "battery staple"


@pytest.mark.shows("8.2", "8.4")
def test_a_typed_password_survives_a_save_that_failed(store: Store, clerk: Clerk) -> None:
    """It is carried by the form, sealed, and the field says so; the next save takes it without its being typed again."""
    sheet = clerk.refused(**{**GOOD_MAILBOX, "imap_port": ""})
    assert sheet.control("imap_password").has["placeholder"] == "typed, not saved yet"
    clerk.save(imap_port="993", imap_password="")
    assert password(store) == "correct horse"


@pytest.mark.shows("8.2")
def test_a_sealed_password_opens_for_its_typist_alone(store: Store, clerk: Clerk) -> None:
    """Another employee's, one that was tampered with, and the sealed text of the database itself: none of them is taken for a typed one."""
    store.answers.grants[JOHN.id] = EVERYTHING
    sealed = clerk.refused(**{**GOOD_MAILBOX, "imap_port": ""}).sent()["typed_password"][0]
    john = Clerk(store.client(employee=JOHN))
    kept = store.desk.vault.seal("correct horse", "imap.example.com")
    for forged in (sealed, sealed[:-4] + "AAAA", kept, "\0", "x" * 10_000):
        sheet = john.refused(**{**GOOD_MAILBOX, "imap_password": ""}, typed_password=forged)
        assert sheet.errors() == {"imap_password": INCOMPLETE}


@pytest.mark.shows("8.2")
def test_a_password_that_no_key_opens_is_told_at_its_field_and_the_rest_goes_on(store: Store, clerk: Clerk) -> None:
    """On the page as it is opened; other fields are saved, and a new password mends it."""
    clerk.save(**GOOD_MAILBOX)
    store.desk.vault = Vault(["quite another key, long enough"])
    sheet = clerk.open("?shop=all")
    lost = "The kept password cannot be read: the key that encrypted it is gone. Enter the password again."
    assert sheet.errors() == {"imap_password": lost}
    assert sheet.summary() == []
    clerk.save(name_shown="full")
    assert options(store)["name_shown"] == "full"
    assert clerk.save(imap_password="battery staple").errors() == {}
    assert password(store) == "battery staple"


def test_a_password_for_another_server_is_told_in_a_shop_that_changed_the_server(store: Store, client: Any) -> None:
    """A shop's own server with the inherited password of another: told as the page is opened."""
    clerk = Clerk(client)
    clerk.save(**GOOD_MAILBOX)
    put(store, "imap_url", "paris.example.com", IN_PARIS)
    told = clerk.open("?shop=shop-1").errors()
    assert told == {"imap_password": "The kept password is the one for imap.example.com. Enter the one for this server."}


# --- Forms that are old, forged or broken


def test_an_expired_form_saves_nothing_and_keeps_what_was_typed(store: Store, clerk: Clerk) -> None:
    """The page signs itself anew: sending it once more saves it."""
    sheet = clerk.refused(csrf_token="old", **GOOD_MAILBOX, **{"default_message-fr": "Bonjour"})
    assert sheet.summary() == ["This page had been open for too long, and nothing was changed. Please try again."]
    assert own(store) == {}
    assert sheet.value("default_message-fr") == "Bonjour"
    clerk.save()
    assert password(store) == "correct horse"


@pytest.mark.shows("8.7")
def test_a_form_of_other_shops_is_not_saved_for_these(store: Store, clerk: Clerk) -> None:
    """A group that is gone, or a form without a context, would otherwise be saved for whatever was looked at last."""
    clerk.open("?shop=group-2")
    clerk.client.get(ADDRESS + "?shop=shop-1")
    store.answers.shops = store.answers.shops[:2]
    sheet = clerk.refused(own=["name_shown"], name_shown="full")
    assert sheet.summary() == ["Nothing was saved: this form was made for other shops. Please look at it, and save once more."]
    assert Clerk(clerk.client).refused(context=None, name_shown="full").summary() == sheet.summary()
    assert (own(store), own(store, IN_PARIS)) == ({}, {})


@pytest.mark.parametrize(
    "hostile",
    [
        {"own": ["nothing", "\0", "imap_url" * 400]},
        {"default_message-xx": "Hej", "default_message-": "x", "default_message": "x", "nothing-en": "x"},
        {"name_shown": ["full", "shop"], "imap_port": ["", "0"], "context": ["all", "shop-9"]},
        {"action": "\0"},
        {"action": "answer", "test": "9" * 300},
        {"action": "answer", "test": "-1"},
        {"action": "answer", "test": "١"},
        {"typed_password": "\udcff".encode("utf-8", "surrogatepass").decode("latin-1")},
    ],
    ids=["boxes", "languages", "repeated fields", "action", "huge number", "negative number", "other digits", "seal"],
)
def test_no_form_value_breaks_the_page(store: Store, clerk: Clerk, hostile: dict[str, Any]) -> None:
    """Fields that the page does not have are passed over, the first of a repeated one counts, and nothing is an error of the server."""
    for query in ("?shop=all", "?shop=shop-1"):
        clerk.open(query)
        assert clerk.post(**hostile).status_code in (200, 303, 422)
    assert {name for name, _language in own(store)} <= {"name_shown"}
    assert own(store, IN_PARIS) == {}


def test_texts_that_are_too_long_together_are_told_and_kept(store: Store, clerk: Clerk) -> None:
    """A post beyond any good form is not taken; as much of it as can be read stands in the form again."""
    answer = clerk.post(**{"default_message-en": "Hello", "default_message-fr": "x" * 600_000})
    assert answer.status_code == 413
    assert clerk.sheet.summary() == ["Nothing was saved: these texts are too long together."]
    assert clerk.sheet.value("default_message-en") == "Hello"
    assert own(store) == {}


def test_fields_that_are_missing_stay_as_they_are(store: Store, clerk: Clerk) -> None:
    """A form that knows of fewer options or languages than there are takes nothing away; a switch that is off is not sent."""
    clerk.save(name_shown="full", **{"default_message-fr": "Bonjour"}, closing_question=True)
    clerk.save(name_shown=None, **{"default_message-fr": None}, closing_question=False)
    assert own(store) == {("name_shown", ""): "full", ("default_message", "fr"): "Bonjour"}


def test_a_text_in_a_language_that_is_not_listed_any_more_stays(store: Store, clerk: Clerk) -> None:
    """In a shop too, where every text of a checked box is its own."""
    put(store, "default_message", "Hej", IN_PARIS, "pl")
    clerk.open("?shop=shop-1")
    clerk.save(**{"default_message-en": "Hello"})
    assert own(store, IN_PARIS)["default_message", "pl"] == "Hej"


def test_line_ends_are_kept_as_they_were_typed(store: Store, clerk: Clerk) -> None:
    """Browsers send CR LF; the desk keeps line feeds, and a blank line at the beginning."""
    clerk.save(**{"default_message-en": "\r\nDear\r\nCustomer"})
    assert own(store)["default_message", "en"] == "\nDear\nCustomer"
    assert clerk.sheet.value("default_message-en") == "\nDear\nCustomer"


# --- Several shops


@pytest.mark.shows("8.7")
def test_in_a_group_and_in_a_shop_each_field_has_a_box(store: Store, clerk: Clerk) -> None:
    """Unchecked, it shows what is inherited; nothing is disabled that only a script could wake."""
    put(store, "name_shown", "full")
    put(store, "after_reply", "keep", EUROPE)
    assert clerk.sheet.boxes() == {}
    for query, checked in (("?shop=group-1", {"after_reply"}), ("?shop=shop-1", set())):
        sheet = clerk.open(query)
        assert list(sheet.boxes()) == sheet.names
        assert {name for name, on in sheet.boxes().items() if on} == checked
        assert (sheet.value("name_shown"), sheet.value("after_reply")) == ("full", "keep")
        assert [node for node in sheet.form.all() if "disabled" in node.has] == []


@pytest.mark.shows("8.7")
def test_a_checked_box_makes_a_value_of_its_own_and_an_unchecked_one_gives_the_inherited_back(store: Store, clerk: Clerk) -> None:
    """Whatever stands in the field: the box decides. Shop before group before all."""
    clerk.save(name_shown="full")
    clerk.open("?shop=group-1")
    clerk.save(own=["name_shown"], name_shown="shop")
    clerk.open("?shop=shop-1")
    assert clerk.sheet.value("name_shown") == "shop"
    clerk.save(own=["name_shown"], name_shown="first", after_reply="keep")
    assert own(store, IN_PARIS) == {("name_shown", ""): "first"}
    assert [options(store, one)["name_shown"] for one in (IN_PARIS, IN_BERLIN, IN_DUBAI)] == ["first", "shop", "full"]
    assert clerk.save(own=[]).value("name_shown") == "shop"
    assert own(store, IN_PARIS) == {}
    clerk.open("?shop=group-1")
    assert clerk.save(own=[]).value("name_shown") == "full"


@pytest.mark.shows("8.5", "8.7")
def test_a_shop_may_have_a_mailbox_of_its_own(store: Store, clerk: Clerk) -> None:
    """The four fields are its own; the flags it takes from all shops."""
    clerk.save(**GOOD_MAILBOX, imap_ssl=True)
    clerk.open("?shop=shop-3")
    clerk.save(own=list(GOOD_MAILBOX), imap_url="dubai.example.com", imap_port="143", imap_user="gulf", imap_password="open sesame")
    assert password(store, IN_DUBAI, "dubai.example.com") == "open sesame"
    assert (options(store, IN_DUBAI)["imap_ssl"], options(store, IN_PARIS)["imap_url"]) == (True, "imap.example.com")
    clerk.save(own=[])
    assert own(store, IN_DUBAI) == {}


@pytest.mark.shows("8.7")
def test_customised_fields_have_a_drop_down_of_groups_and_shops(store: Store, clerk: Clerk) -> None:
    """For all shops every one of them, in a group it and its shops, in a shop none; each leads to its context."""
    put(store, "name_shown", "full", IN_PARIS)
    put(store, "name_shown", "full", IN_DUBAI)
    put(store, "default_message", "Bonjour", EUROPE, "fr")
    sheet = clerk.open("?shop=all")
    europe = [("Group: Europe", "Inherited", "group-1"), ("Paris", "Customized", "shop-1"), ("Berlin", "Inherited", "shop-2")]
    assert sheet.elsewhere("name_shown") == [*europe, ("Group: Gulf", "Inherited", "group-2"), ("Dubai", "Customized", "shop-3")]
    assert next(sheet.row("name_shown").all("summary")).text == "Name shown to customers: 2 customized"
    assert [mark for _name, mark, _context in sheet.elsewhere("default_message")] == ["Customized", *["Inherited"] * 4]
    assert [name for name in sheet.names if sheet.elsewhere(name)] == ["default_message", "name_shown"]
    assert all(link.has["data-context"] == link.has["href"].partition("shop=")[2] for link in sheet.row("name_shown").all("a"))
    assert len([*sheet.row("name_shown").all("rect")]) == 3
    assert clerk.open("?shop=group-1").elsewhere("name_shown") == europe
    assert clerk.open("?shop=group-2").elsewhere("default_message") == []
    assert [name for name in clerk.sheet.names if clerk.open("?shop=shop-1").elsewhere(name)] == []


@pytest.mark.shows("8.7")
def test_the_message_is_closed_for_good_by_an_employee_in_a_context(store: Store, clerk: Clerk) -> None:
    """Letter for letter, in a group or a shop; closing it keeps what was typed, and says nothing to others or elsewhere."""
    store.answers.grants[JOHN.id] = EVERYTHING
    assert INFORMATION not in clerk.sheet.html
    assert INFORMATION in clerk.open("?shop=shop-1").html
    assert clerk.post(own=["name_shown"], name_shown="shop", action="close").status_code == 200
    assert INFORMATION not in clerk.sheet.html
    assert (clerk.sheet.value("name_shown"), clerk.sheet.boxes()["name_shown"], own(store, IN_PARIS)) == ("shop", True, {})
    assert INFORMATION not in clerk.open("?shop=shop-1").html
    assert INFORMATION in clerk.open("?shop=shop-2").html
    assert INFORMATION in store.client(employee=JOHN).get(ADDRESS + "?shop=shop-1").text


def test_closing_the_message_needs_a_genuine_form(store: Store, clerk: Clerk) -> None:
    """Nothing is remembered otherwise; and a shop's id may be as long as the database lets it."""
    clerk.open("?shop=shop-1")
    clerk.refused(action="close", csrf_token="forged")
    assert look(store, lambda session: session.scalars(select(EmployeePreference)).all()) == []
    store.answers.shops = (*store.answers.shops, Shop("l" * 64, "Long"))
    clerk.open(f"?shop=shop-{'l' * 64}")
    assert clerk.post(action="close").status_code == 200
    assert INFORMATION not in clerk.open(f"?shop=shop-{'l' * 64}").html


@pytest.mark.shows("8.7", "9.1")
def test_with_one_shop_nothing_speaks_of_shops(store: Store, client: Any) -> None:
    """No box, no drop-down, no message, no picker; an address that names a context is that of the one page."""
    store.answers.shops = (Shop("1", "Paris", "https://paris.example", group_id="1", group_name="Europe"),)
    put(store, "name_shown", "full", IN_PARIS)
    for query in ("", "?shop=shop-1", "?shop=group-1"):
        sheet = Clerk(client, query).sheet
        words = sheet.page.one("main", class_="cs-desk").text.replace("The shop's name", "")
        assert re.findall(r"(?i)\b(?:shops?|group|context|inherited|customized|Paris|Europe)\b", words) == []
        assert sheet.boxes() == {}
        assert "data-context" not in sheet.html
        assert "shop=" not in sheet.form.has["action"]
    clerk = Clerk(client)
    # Since there were several, it has this of its own: what is shown is what holds.
    assert clerk.sheet.value("name_shown") == "full"
    clerk.save(after_reply="keep")
    assert own(store) == {("after_reply", ""): "keep", ("name_shown", ""): "full"}
    assert own(store, IN_PARIS) == {}


# --- Who may see and change what


@pytest.mark.shows("9.1", "12.1")
def test_only_shops_that_the_employee_may_see_are_named(store: Store, layla: Any) -> None:
    """Berlin is named nowhere, not in a drop-down, not by a number; her context of all shops can be looked at."""
    for context in (EUROPE, IN_PARIS, IN_BERLIN, IN_DUBAI):
        put(store, "name_shown", "full", context)
    sheet = Clerk(layla).sheet
    assert [context for _name, _mark, context in sheet.elsewhere("name_shown")] == ["group-1", "shop-1", "group-2", "shop-3"]
    assert next(sheet.row("name_shown").all("summary")).text.endswith("3 customized")
    assert "Berlin" not in sheet.html
    assert layla.get(ADDRESS + "?shop=shop-2").status_code == 200
    assert "Berlin" not in layla.get(ADDRESS + "?shop=shop-2").text


@pytest.mark.shows("8.7", "12.1")
def test_a_context_that_is_not_wholly_theirs_can_be_looked_at_only(store: Store, layla: Any) -> None:
    """All fields are disabled, the page says why and leads to what they may change; a post is refused."""
    put(store, "name_shown", "full")
    clerk = Clerk(layla)
    sheet = clerk.sheet
    assert [node.has for node in sheet.form.all() if node.tag in ("select", "textarea") and "disabled" not in node.has and "name" in node.has] == []
    assert sheet.sent().keys() == {"csrf_token", "context"}
    assert sheet.value("name_shown") == "full"
    note = sheet.page.one(role="note")
    why = "These options hold for all shops: you can look at them, but only those who may configure every shop can change them."
    assert note.text.startswith(why)
    assert [link.has["data-context"] for link in note.all("a")] == ["group-2", "shop-3"]
    assert [node.text for node in sheet.page.all("button") if node.text in ("Save", "Test connection")] == []
    for action in ("", "test", "close", "answer"):
        assert layla.post(ADDRESS + "?shop=all", data={"csrf_token": "", "context": "all", "action": action, "name_shown": "shop"}).status_code == 403
    assert own(store) == {("name_shown", ""): "full"}


@pytest.mark.shows("12.1")
def test_options_of_shops_that_they_may_not_configure_are_not_shown(store: Store, layla: Any) -> None:
    """She may view the threads of Paris, and learns nothing of its mailbox; neither by its group."""
    for context in (EUROPE, IN_PARIS):
        put(store, "imap_user", "secret-user", context)
    for query in ("?shop=shop-1", "?shop=group-1"):
        answer = layla.get(ADDRESS + query)
        assert answer.status_code == 200
        assert "You may not configure these shops." in answer.text
        assert "cs-options-form" not in answer.text
        assert "secret-user" not in answer.text
        assert layla.post(ADDRESS + query, data={"context": query.partition("=")[2], "imap_user": "x"}).status_code == 403
    assert own(store, IN_PARIS) == {("imap_user", ""): "secret-user"}


@pytest.mark.shows("8.7", "12.1")
def test_they_arrange_what_is_wholly_theirs(store: Store, layla: Any) -> None:
    """Her shop, and the group that has no other."""
    clerk = Clerk(layla, "?shop=shop-3")
    clerk.save(own=["name_shown"], name_shown="full")
    clerk.open("?shop=group-2")
    clerk.save(own=["after_reply"], after_reply="keep")
    assert (own(store, IN_DUBAI), own(store, GULF)) == ({("name_shown", ""): "full"}, {("after_reply", ""): "keep"})


@pytest.mark.shows("9.1", "12.1")
def test_who_sees_one_shop_of_several_arranges_that_one(store: Store, client: Any) -> None:
    """There is no picker; each box says what comes from elsewhere, and no other shop is named."""
    store.answers.grants[JOHN.id] = {"view": ["3"], "configure": ["3"]}
    clerk = Clerk(store.client(employee=JOHN), "?shop=all")
    assert set(clerk.sheet.boxes()) == set(clerk.sheet.names)
    clerk.save(own=["name_shown"], name_shown="full")
    assert own(store, IN_DUBAI) == {("name_shown", ""): "full"}
    assert re.findall("Paris|Berlin|Europe", clerk.sheet.html) == []


@pytest.mark.shows("12.1")
def test_the_page_needs_the_permission_to_configure(store: Store, client: Any) -> None:
    """Whoever only reads and answers gets neither the page nor its menu, by GET or POST."""
    store.answers.grants[JOHN.id] = {"view": ALL, "reply": ALL}
    john = store.client(employee=JOHN)
    assert [john.get(ADDRESS).status_code, john.post(ADDRESS).status_code, john.get(f"{ADDRESS}test/1/").status_code] == [403, 403, 403]
    assert "customer-service-options" not in john.get("/cs-admin/customer-service/").text
    assert "customer-service-options" in client.get("/cs-admin/customer-service/").text


# --- "Test connection"


@pytest.mark.shows("8.4")
def test_a_test_is_asked_for_with_what_was_typed_and_saves_nothing(store: Store, clerk: Clerk) -> None:
    """The form comes back as it was typed, with a button that asks for the answer; the job's row holds no password."""
    assert clerk.post(**GOOD_MAILBOX, name_shown="full", action="test").status_code == 200
    assert own(store) == {}
    assert clerk.sheet.value("imap_url") == "imap.example.com"
    assert clerk.sheet.value("name_shown") == "full"
    assert "correct horse" not in clerk.sheet.html
    assert "Show the result" in [node.text for node in clerk.sheet.form.all("button")]
    (job,) = look(store, lambda session: session.scalars(select(Job)).all())
    assert (job.kind, "correct horse" in str(job.payload)) == ("test_connection", False)
    assert sheet_of_answer(clerk).control("imap_password").has["placeholder"] == "typed, not saved yet"
    clerk.save()
    assert password(store) == "correct horse"


def sheet_of_answer(clerk: Clerk) -> Sheet:
    """Ask for the answer of a test, and return the page."""
    assert clerk.post(action="answer").status_code == 200
    return clerk.sheet


@pytest.mark.shows("8.3", "8.4")
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (dict.fromkeys(GOOD_MAILBOX, ""), dict.fromkeys(GOOD_MAILBOX, INCOMPLETE)),
        ({"imap_password": ""}, {"imap_password": INCOMPLETE}),
        ({"imap_port": "99999"}, {"imap_port": PORT}),
        (
            {"imap_ssl": True, "imap_tls": True},
            {"imap_ssl": "This cannot be used together with /tls.", "imap_tls": "This cannot be used together with /ssl."},
        ),
    ],
    ids=["empty", "no password", "bad port", "refused pair"],
)
def test_what_cannot_be_tried_is_told_at_its_fields(store: Store, clerk: Clerk, changes: dict[str, Any], told: dict[str, str]) -> None:
    """No job is queued; what is wrong elsewhere in the form does not matter."""
    sheet = clerk.refused(**{**GOOD_MAILBOX, **changes, "reopen_days": "none"}, action="test")
    assert sheet.errors() == told
    assert sheet.summary()[0] == "The connection was not tested. Please look at these fields first."
    assert look(store, lambda session: session.scalars(select(Job)).all()) == []


@pytest.mark.shows("8.2", "8.5")
def test_a_test_takes_the_kept_password_for_its_own_server_alone(store: Store, clerk: Clerk) -> None:
    """Whoever may change the server's name must not have the password sent to one of their own; an inherited one counts as kept."""
    clerk.save(**GOOD_MAILBOX)
    assert clerk.post(action="test", imap_port="143").status_code == 200
    other = "The kept password is the one for imap.example.com. Enter the one for this server."
    assert clerk.refused(action="test", imap_url="evil.example.com").errors() == {"imap_password": other}
    weaker = "The kept password was given for a safer connection. Enter it again."
    assert clerk.refused(action="test", imap_url="imap.example.com", imap_notls=True).errors() == {"imap_password": weaker}
    clerk.open("?shop=shop-1")
    assert clerk.post(action="test").status_code == 200
    assert clerk.refused(action="test", own=["imap_password"]).errors() == {"imap_password": INCOMPLETE}
    clerk.open("?shop=shop-1")
    assert clerk.refused(action="test", own=["imap_url"], imap_url="evil.example.com").errors() == {"imap_password": other}
    assert len(look(store, lambda session: session.scalars(select(Job).where(Job.kind == "test_connection")).all())) == 2


@pytest.mark.shows("12.1")
def test_nobody_sees_the_answer_to_another_employees_test(store: Store, clerk: Clerk) -> None:
    """Nor one that there is not."""
    store.answers.grants[JOHN.id] = EVERYTHING
    clerk.post(**GOOD_MAILBOX, action="test")
    address = f"{ADDRESS}test/{look(store, lambda session: session.scalar(select(Job.id)))}/"
    assert clerk.client.get(address).json["done"] is False
    assert store.client(employee=JOHN).get(address).status_code == 404
    assert [clerk.client.get(f"{ADDRESS}test/{number}/").status_code for number in (0, 99, 10**30)] == [404, 404, 404]
