"""The rules: what holds without a database, a clock or a host."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as some

from cs_plugin.errors import NotPermittedError
from cs_plugin.rules.inquiry import Channel, Inquiry, Sender, address_key, clean_line, clean_text, fold, preview
from cs_plugin.rules.languages import base, best_of, direction
from cs_plugin.rules.matching import decide
from cs_plugin.rules.options import BY_NAME, OPTIONS, Kind
from cs_plugin.rules.outgoing import Refused
from cs_plugin.rules.people import Customer, Employee
from cs_plugin.rules.permissions import ALL, DEFAULT_GRANTS, NO_GRANTS, Grants, Permission
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context, Shop, read_context, shop_at
from cs_plugin.rules.status import AFTER, Happening, Status
from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.sorting import NEWEST_FIRST, Sort, read_sort

PARIS = Shop("1", "Paris", "https://shop.example/fr", group_id="1")
BERLIN = Shop("2", "Berlin", "https://shop.example", group_id="1")
LONE = Shop("3-a", "Lone", "https://lone.example")
SHOPS = (PARIS, BERLIN, LONE)


@pytest.mark.shows("2.1", "2.2", "2.3")
def test_what_each_happening_makes_of_a_status() -> None:
    """The whole table, so that a change of it is a change of this."""
    opens = {Happening.CUSTOMER_BEGAN, Happening.NOTE_BEGAN, Happening.CUSTOMER_WROTE, Happening.MAIL_BOUNCED}
    closes = {Happening.EMPLOYEE_BEGAN, Happening.EMPLOYEE_REPLIED}
    assert {one for one in Happening if AFTER[one] is Status.OPEN} == opens
    assert {one for one in Happening if AFTER[one] is Status.CLOSED} == closes
    assert {one for one in Happening if AFTER[one] is None} == set(Happening) - opens - closes
    assert set(AFTER) == set(Happening)


class NoThreads:
    """Threads of which none is found, and what was asked for."""

    def __init__(self, *, link: int | None = None, order: int | None = None) -> None:
        self.link, self.order, self.asked = link, order, list[str]()

    def by_link(self, token: str) -> int | None:
        """Return the thread of a token."""
        self.asked.append(token)
        return self.link

    def newest_of_order(self, order_id: str, *, customer_id: str | None, address: str) -> int | None:
        """Return the thread of an order."""
        self.asked.append(f"{order_id}/{customer_id}/{address}")
        return self.order


def sent(*, verified: bool = True, channel: Channel = Channel.FORM, token: str | None = None, order: str | None = None) -> Inquiry:
    """Return an inquiry."""
    return Inquiry(channel, "1", "en", Sender("jan@example.com", customer_id="7", verified=verified), "text", thread_token=token, order_id=order)


@pytest.mark.shows("2.6")
def test_a_link_decides_before_an_order() -> None:
    """Whoever came by a thread's link writes into that thread, whatever order they name."""
    decision = decide(sent(token="t", order="15"), NoThreads(link=3, order=4))
    assert (decision.thread_id, decision.reason) == (3, "carries_a_thread_link")
    decision = decide(sent(token="forged", order="15"), NoThreads(order=4))
    assert (decision.thread_id, decision.reason) == (4, "is_about_an_order_that_has_a_thread")


@pytest.mark.shows("2.6")
def test_a_typed_address_leads_nowhere() -> None:
    """Without a link, and without being signed in, an inquiry begins a thread and no thread is even looked for."""
    threads = NoThreads(link=3, order=4)
    assert decide(sent(verified=False, order="15"), threads).thread_id is None
    assert decide(sent(verified=False), threads).reason == "begins_a_thread"
    assert decide(sent(channel=Channel.MAIL, order="15"), threads).thread_id is None
    assert threads.asked == []


@pytest.mark.shows("12.1")
def test_nothing_is_granted_that_is_not_named() -> None:
    """And nothing in a shop that may not be viewed."""
    grants = Grants.of({"view": [1, "2"], "reply": ALL, "delete": ("2", "3")})
    assert [grants.allow(Permission.VIEW, shop) for shop in "123"] == [True, True, False]
    assert [grants.allow(Permission.REPLY, shop) for shop in "123"] == [True, True, False]
    assert [grants.allow(Permission.DELETE, shop) for shop in "123"] == [False, True, False]
    assert not grants.allow_somewhere(Permission.EXPORT)
    assert not grants.allow_everywhere(Permission.REPLY)
    with pytest.raises(NotPermittedError) as refused:
        grants.require(Permission.DELETE, "1")
    assert (refused.value.permission, refused.value.shop_id) == ("delete", "1")


@pytest.mark.shows("12.1")
def test_grants_without_viewing_are_worth_nothing() -> None:
    """Who may reply but not view can do neither."""
    grants = Grants.of({"reply": ALL, "sql": ALL})
    assert [grants.allow_somewhere(one) for one in Permission] == [False] * len(Permission)
    assert [NO_GRANTS.allow(one, "1") for one in Permission] == [False] * len(Permission)
    assert [one for one in Permission if DEFAULT_GRANTS.allow_everywhere(one)] == [Permission.VIEW, Permission.REPLY]


@pytest.mark.parametrize("answer", [{"veiw": ALL}, {"view": "12"}, {"view": None}, {"view": 1}, {"view": True}])
def test_a_hosts_answer_that_cannot_be_meant_is_refused(answer: dict[str, object]) -> None:
    """A slip must not grant, and "12" must not mean shops 1 and 2."""
    with pytest.raises(ValueError, match=r"veiw|expected"):
        Grants.of(answer)


@pytest.mark.parametrize(
    ("text", "context"),
    [
        ("all", ALL_SHOPS),
        ("group-1", Context(Breadth.GROUP, "1")),
        ("shop-2", Context(Breadth.SHOP, "2")),
        ("shop-3-a", Context(Breadth.SHOP, "3-a")),
        ("group-", None),
        ("shop-", None),
        ("group-9", None),
        ("shop-9", None),
        ("all-1", None),
        ("ALL", None),
        ("", None),
        (None, None),
        ("shop-\x00", None),
    ],
)
def test_a_context_is_read_as_urls_write_it(text: str | None, context: Context | None) -> None:
    """What names nothing that is there is no context, and what is read can be written again."""
    assert read_context(text, SHOPS) == context
    if context is not None:
        assert str(context) == text


def test_a_context_holds_its_shops() -> None:
    """All, a group's, or one."""
    assert ALL_SHOPS.shops(SHOPS) == SHOPS
    assert Context(Breadth.GROUP, "1").shops(SHOPS) == (PARIS, BERLIN)
    assert Context(Breadth.SHOP, "3-a").shops(SHOPS) == (LONE,)


@pytest.mark.parametrize(
    ("url", "shop"),
    [
        ("https://shop.example/fr/cart", PARIS),
        ("https://shop.example/fr", PARIS),
        ("https://shop.example/fr?x=1", PARIS),
        ("https://shop.example/french", BERLIN),
        ("https://shop.example.evil.example/", None),
        ("https://lone.example/", LONE),
        ("", None),
    ],
)
def test_a_page_belongs_to_the_shop_whose_url_it_begins_with(url: str, shop: Shop | None) -> None:
    """The longest beginning wins, and a beginning ends where a part of the path does."""
    assert shop_at(url, SHOPS) == shop


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Jan@Example.com", "jan@example.COM", True),
        (" jan@example.com ", "jan@example.com", True),
        ("jose\u0301@example.com", "josé@example.com", True),
        # Two people's, though a search may hold their letters for one.
        ("bob@straße.example", "bob@strasse.example", False),
        ("ıvan@example.com", "ivan@example.com", False),
        ("ﬁn@example.com", "fin@example.com", False),
        ("ａｄｍｉｎ@example.com", "admin@example.com", False),
        ("jan+1@example.com", "jan@example.com", False),
    ],
)
def test_two_addresses_are_one_only_where_case_alone_differs(one: str, other: str, same: bool) -> None:
    """An address decides who is told what: letters that merely look alike are not enough."""
    assert (address_key(one) == address_key(other)) is same


@given(some.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    """What is stored folded meets what is asked folded."""
    assert fold(fold(text)) == fold(text)


@given(some.text())
def test_a_clean_text_is_one_that_every_database_holds(text: str) -> None:
    """No NUL, no half letters, and nothing more to clean; cleaning takes away, it does not invent."""
    cleaned = clean_text(text)
    assert clean_text(cleaned) == cleaned
    cleaned.encode("utf-8")
    assert all(c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs") for c in cleaned)


@given(some.text(alphabet=some.characters(), max_size=60), some.integers(0, 40))
def test_a_clean_line_is_one_short_line(text: str, limit: int) -> None:
    """Whatever is put in, it can stand in a header."""
    line = clean_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
    assert line == line.strip()


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_no_kind_of_line_end_passes_into_a_header(end: str) -> None:
    """Headers are not begun by what somebody writes as a name or a subject."""
    assert len(clean_line(f"Jan{end}Bcc: all@example.com", 100).splitlines()) == 1


def test_a_preview_is_the_beginning_on_one_line() -> None:
    """At most 160 characters, whatever is long."""
    assert preview("  one\n\n two  ") == "one two"
    assert len(preview("word " * 1000)) <= 160
    assert preview("😀" * 500) == "😀" * 160


def test_names_as_lists_show_them() -> None:
    """"J. Doe", and an address where the host knows no name."""
    assert Employee("2", "John", "Doe").short_name == "J. Doe"
    assert Employee("2", "", "Doe").short_name == "Doe"
    assert Employee("2", email="j@x.example").name == "j@x.example"
    assert Employee("2").name == "2"
    assert Customer("7", "jan@example.com").name == "jan@example.com"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [(["fr-CA"], "fr"), (["pt_BR"], "pt-BR"), (["pt"], "pt-BR"), (["xx", None, "", "EN"], "en"), (["xx"], None), ([], None)],
)
def test_a_language_is_found_exactly_or_by_its_base(wanted: list[str | None], found: str | None) -> None:
    """Hosts and browsers write codes in many ways."""
    assert best_of(wanted, ["en", "fr", "pt-BR", "pt-PT"]) == found


def test_the_direction_of_a_language() -> None:
    """By its base, however it is written."""
    assert [direction(code) for code in ("ar", "he-IL", "fa_IR", "en", "arn")] == ["rtl", "rtl", "rtl", "ltr", "ltr"]
    assert base("pt_BR") == "pt"


def test_every_option_can_hold_its_default() -> None:
    """A default that its own form would refuse would be a trap."""
    for option in OPTIONS:
        assert BY_NAME[option.name] is option
        if option.kind is Kind.CHOICE:
            assert option.default in [value for value, _label in option.choices]
        if option.kind is Kind.NUMBER:
            assert option.least is not None
            assert option.most is not None
            assert option.least <= option.default <= option.most
        assert len(option.name) <= 64


@pytest.mark.shows("6.9")
@pytest.mark.parametrize(
    ("text", "sort"),
    [("-customer", Sort("customer", descending=True)), ("customer", Sort("customer", descending=False)), ("--id", NEWEST_FIRST), ("", NEWEST_FIRST),
     (None, NEWEST_FIRST), ("subject; DROP TABLE", NEWEST_FIRST), ("-", NEWEST_FIRST)],
)
def test_a_sort_is_read_as_urls_write_it(text: str | None, sort: Sort) -> None:
    """By the name of a column that sorts; newest first for anything else."""
    assert read_sort(text) == sort
    assert read_sort(str(sort)) == sort


def test_a_filter_knows_what_it_searches() -> None:
    """Only text is counted up to a bound."""
    assert ThreadFilter().is_empty
    assert not ThreadFilter(private=False).is_empty
    assert not ThreadFilter(private=False).searches_text
    assert ThreadFilter(message="x").searches_text


def test_a_servers_words_name_the_address_once() -> None:
    """Many servers repeat the recipient in their answer, in whatever case; where they do not, it stands behind their words."""
    assert Refused("eva@example.com", "550 5.1.1 No such user", permanent=True).words == "550 5.1.1 No such user (eva@example.com)"
    assert Refused("eva@example.com", "550 5.1.1 <Eva@example.com>: unknown", permanent=True).words == "550 5.1.1 <Eva@example.com>: unknown"
