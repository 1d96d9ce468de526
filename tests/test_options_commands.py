"""`flask cs options`: what the form in the admin does, with the same checks, and no password on the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cs_plugin.desk.options import password_of
from cs_plugin.rules.options import BY_NAME, OPTIONS
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context
from cs_plugin.store.options import read_options, read_own_options
from tests.hosts.store import DUBAI, PARIS, Store
from tests.hosts.writing import look

EUROPE, IN_PARIS = Context(Breadth.GROUP, "1"), Context(Breadth.SHOP, "1")
MAILBOX = ("imap_url=mail.example.com", "imap_port=993", "imap_ssl=on", "imap_user=desk", "imap_password", "-")


def run(store: Store, *words: str, typed: str | None = None) -> Any:
    """Run `flask cs options …`."""
    return store.app.test_cli_runner().invoke(args=["cs", "options", *words], input=typed)


def own(store: Store, context: Context = ALL_SHOPS) -> dict[tuple[str, str], Any]:
    """Return what a context has of its own."""
    return dict(look(store, read_own_options).of(context))


def password(store: Store) -> str:
    """Return the password that holds in Paris, opened."""
    return password_of(store.desk.vault, look(store, lambda session: read_options(session, PARIS)))


@pytest.mark.shows("8.7")
def test_a_value_is_told_with_where_it_comes_from(any_store: Store) -> None:
    """On every database: the default, one's own, the group's, that of all shops; with --json the same for programs."""
    store = any_store
    assert run(store, "get", "after_reply", "--shop", "1").output == "close\ndefault\n"
    assert run(store, "set", "after_reply", "keep").output == "Saved: after_reply.\n"
    assert run(store, "get", "after_reply").output == "keep\nown\n"
    assert run(store, "get", "after_reply", "--shop", "1").output == "keep\ninherited from all shops\n"
    assert run(store, "set", "after_reply=close", "--group", "1").exit_code == 0
    assert run(store, "get", "after_reply", "--shop", "1").output == "close\ninherited from group Europe\n"
    told = json.loads(run(store, "get", "after_reply", "--shop", "1", "--json").output)
    assert (told["name"], told["value"], told["origin"], told["source"]) == ("after_reply", "close", "inherited", "group Europe")
    assert run(store, "unset", "after_reply", "--group", "1").output == "Inherited again: after_reply.\n"
    assert run(store, "get", "after_reply", "--shop", "1").output == "keep\ninherited from all shops\n"
    assert run(store, "get", "after_reply", "--shop", DUBAI.id).output == "keep\ninherited from all shops\n"


@pytest.mark.shows("9.2")
def test_a_text_is_told_and_changed_in_its_language(store: Store) -> None:
    """Others stay; one that is set nowhere is that of the default language; without --language it is that one."""
    run(store, "set", "default_message", "Hello", "--shop", "1")
    run(store, "set", "default_message=Bonjour", "--language", "fr", "--group", "1")
    assert own(store, IN_PARIS) == {("default_message", "en"): "Hello"}
    assert run(store, "get", "default_message", "--shop", "1").output == "Hello\nown\n"
    assert run(store, "get", "default_message", "--shop", "1", "--language", "fr").output == "Bonjour\ninherited from group Europe\n"
    assert run(store, "get", "default_message", "--shop", "1", "--language", "ar").output == "Hello\nown, in en\n"
    assert run(store, "get", "default_message").output == "Dear Customer,\n\nRegards,\nCustomer service\ndefault\n"
    run(store, "set", "default_message", "-", "--shop", "1", "--language", "ar", typed="أهلا\r\nوسهلا\n")
    assert own(store, IN_PARIS) == {("default_message", "en"): "Hello", ("default_message", "ar"): "أهلا\nوسهلا"}
    run(store, "unset", "default_message", "--shop", "1", "--language", "en")
    assert own(store, IN_PARIS) == {("default_message", "ar"): "أهلا\nوسهلا"}
    run(store, "unset", "default_message", "--shop", "1")
    assert own(store, IN_PARIS) == {}


def test_every_option_is_listed(store: Store) -> None:
    """A line each, in the order of the form, long texts cut; with --json whole."""
    run(store, "set", "default_message", "x" * 100)
    lines = run(store, "list", "--shop", "1").output.splitlines()
    assert [line.split()[0] for line in lines] == ["OPTION", *BY_NAME]
    assert lines[0].split() == ["OPTION", "VALUE", "ORIGIN"]
    assert f"default_message (en)   {'x' * 59}…  inherited from all shops" in lines
    told = json.loads(run(store, "list", "--json").output)
    assert [one["name"] for one in told] == [option.name for option in OPTIONS]
    assert "x" * 100 in [one["value"] for one in told]


@pytest.mark.shows("8.2")
def test_a_mailbox_is_set_in_one_call(any_store: Store) -> None:
    """On every database; half of it cannot be saved, so that its fields go together. Taken away in one, too."""
    store = any_store
    assert run(store, "set", *MAILBOX, typed="a secret of mine\n").output == "Saved: imap_url, imap_port, imap_ssl, imap_user, imap_password.\n"
    assert password(store) == "a secret of mine"
    assert own(store)["imap_port", ""] == 993
    assert run(store, "unset", "imap_url", "imap_port", "imap_user", "imap_password", "imap_ssl").exit_code == 0
    assert own(store) == {}


@pytest.mark.shows("8.2")
def test_a_password_is_asked_for_or_read_and_never_shown(store: Store) -> None:
    """Hidden while it is typed; of what is kept only that it is."""
    assert run(store, "get", "imap_password").output == "(none)\ndefault\n"
    ended = run(store, "set", *MAILBOX[:-1], typed="typed at the prompt\n")
    assert ended.exit_code == 0
    assert "IMAP password: " in ended.stderr
    assert password(store) == "typed at the prompt"
    assert run(store, "set", "imap_password", "-", typed=" with blanks \r\nanother line\n").exit_code == 0
    assert password(store) == " with blanks "
    assert run(store, "get", "imap_password", "--shop", "1").output == "(kept)\ninherited from all shops\n"
    for ended in (run(store, "list"), run(store, "list", "--json"), run(store, "get", "imap_password", "--json")):
        assert "(kept)" in ended.output
        assert "with blanks" not in ended.output
        assert own(store)["imap_password", ""] not in ended.output


@pytest.mark.parametrize(
    "words", [("imap_password=hunter2",), ("imap_password", "hunter2"), ("imap_url=a.example", "imap_password", "hunter2", "imap_port=1")]
)
def test_a_password_on_the_command_line_is_refused(store: Store, words: tuple[str, ...]) -> None:
    """Others of the machine could read it there; the error does not repeat it."""
    ended = run(store, "set", *words)
    assert ended.exit_code == 2
    assert "never written on the command line" in ended.output
    assert "hunter2" not in ended.output
    assert own(store) == {}


@pytest.mark.shows("8.4")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("after_reply=keep", "imap_port=99999"), ["imap_port: Enter a whole number from 1 to 65535."]),
        (("after_reply=keep", "imap_url=mail.example.com"), [f"{name}: IMAP configuration is not correct" for name in ("imap_port", "imap_user")]),
        (
            ("after_reply=keep", "imap_ssl=on", "imap_tls=yes"),
            ["imap_ssl: This cannot be used together with /tls.", "imap_tls: This cannot be used together with /ssl."],
        ),
        (("after_reply=keep", "reopen_days=never"), ["reopen_days: Enter a whole number from 1 to 3650."]),
        (("after_reply=burn",), ["after_reply: Choose one of the list. There are: close, keep."]),
        (("after_reply=keep", "allow_file_uploading=perhaps"), ["allow_file_uploading: Choose yes or no."]),
        (("default_message", "x" * 20_001, "--language", "fr"), ["default_message-fr: This field cannot be longer than 20000 characters"]),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_half_saved(store: Store, words: tuple[str, ...], told: list[str]) -> None:
    """Each option with what is wrong, by the checks of the form; the command ends with 1."""
    ended = run(store, "set", *words)
    assert ended.exit_code == 1
    lines = ended.stderr.splitlines()
    assert set(told) <= set(lines)
    assert lines[-1] == "Error: Nothing was saved."
    assert ended.stdout == ""
    assert own(store) == {}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("get", "aftr_reply"), "There is no option aftr_reply. There are: allow_file_uploading, default_message, "),
        (("set", "aftr_reply=keep"), "There is no option aftr_reply. There are: "),
        (("unset", "aftr_reply"), "There is no option aftr_reply. There are: "),
        (("get", "after_reply", "--shop", "9"), "There is no shop 9. There are: 1 (Paris), 2 (Berlin), 3 (Dubai)."),
        (("list", "--group", "9"), "There is no group 9. There are: 1 (Europe), 2 (Gulf)."),
        (("list", "--group", ""), "There is no group . There are: 1 (Europe), 2 (Gulf)."),
        (("set", "after_reply=keep", "--shop", "9"), "There is no shop 9. There are: 1 (Paris), 2 (Berlin), 3 (Dubai)."),
        (("unset", "after_reply", "--shop", "9"), "There is no shop 9."),
        (("get", "default_message", "--language", "xx"), "There is no language xx. There are: en, fr, ar."),
        (("set", "default_message", "x", "--language", "xx"), "There is no language xx. There are: en, fr, ar."),
        (("list", "--language", "xx"), "There is no language xx. There are: en, fr, ar."),
        (("set", "imap_password", "-"), "imap_password: the standard input holds no password."),
    ],
)
def test_what_there_is_not_is_told_with_what_there_is(store: Store, words: tuple[str, ...], told: str) -> None:
    """A shop, a group, an option, a language, a password; the command ends with 1."""
    ended = run(store, *words)
    assert ended.exit_code == 1
    assert f"Error: {told}" in ended.stderr
    assert own(store) == {}


@pytest.mark.parametrize(
    "words",
    [
        ("list", "--shop", "1", "--group", "1"),
        ("set", "after_reply"),
        ("set", "after_reply=keep", "after_reply=close"),
        ("set",),
        ("unset",),
        ("get",),
    ],
)
def test_a_slip_is_a_usage_message(store: Store, words: tuple[str, ...]) -> None:
    """And not a traceback."""
    assert run(store, *words).exit_code == 2


@pytest.mark.parametrize(("words", "kept"), [("on", True), ("YES", True), ("true", True), ("1", True), ("off", None), ("No", None), ("false", None)])
def test_a_switch_is_written_as_people_do(store: Store, words: str, kept: bool | None) -> None:
    """For all shops, what equals the default is no value of its own."""
    assert run(store, "set", "closing_question", words).exit_code == 0
    assert own(store).get(("closing_question", "")) is kept


def test_a_value_may_hold_an_equals_sign_and_be_empty(store: Store) -> None:
    """Only the first one parts a pair, and none does after a name that stands alone."""
    run(store, "set", "default_message", "after_reply=keep", "--shop", "1")
    assert own(store, IN_PARIS) == {("default_message", "en"): "after_reply=keep"}
    run(store, "set", "default_message=", "--shop", "1")
    assert own(store, IN_PARIS) == {("default_message", "en"): ""}


def test_names_of_the_host_cannot_drive_a_terminal(store: Store) -> None:
    """Names come from elsewhere: no control character of theirs reaches a screen."""
    store.answers.shops = (PARIS.__class__("1", "Pa\x1b]0;owned\x07ris", group_id="1", group_name="Eu\x9b2Jrope\u202e"),)
    run(store, "set", "after_reply=keep", "--group", "1")
    outputs = [run(store, "get", "after_reply", "--shop", "1", *more).output for more in ((), ("--json",))]
    outputs += [run(store, "list", "--shop", "1").output, run(store, "list", "--shop", "9").output]
    assert "inherited from group Eu2Jrope" in outputs[0]
    assert [output for output in outputs if any(mark in output for mark in "\x1b\x07\x9b\u202e")] == []


def test_a_host_that_names_no_shops_is_told(store: Store) -> None:
    """By the hook whose answer is of no use, and not by a traceback."""
    store.answers.shops = ["Paris"]  # type: ignore[list-item]  # what a careless host answers
    for words in (("list",), ("get", "after_reply", "--shop", "1"), ("set", "after_reply=keep"), ("unset", "after_reply")):
        ended = run(store, *words)
        assert ended.exit_code == 1
        assert "Error: cs_list_shops answered" in ended.stderr
