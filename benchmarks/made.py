"""The data of the benchmarks: a store with ten shops, one of which holds one thread in a hundred, written straight into the tables.

What stands in a row depends on its number alone, so that the same store is made on each database and on each day.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cs_plugin.cli.group import cs
from cs_plugin.rules.inquiry import AuthorKind, Channel, address_key, fold, preview
from cs_plugin.rules.languages import Language
from cs_plugin.rules.people import Employee
from cs_plugin.rules.shops import Shop
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import schema
from cs_plugin.store.employees import remember
from cs_plugin.store.models import NEVER, Contact, ContactShop, ContactText, Message, SearchText, Thread, ThreadEvent
from cs_plugin.web import rounds
from tests.hosts.store import Store

SHOPS = tuple(
    Shop(str(number), name, f"https://{name.lower()}.example", colour, "1", "Europe", "en", f"{name.lower()}@shop.example")
    for number, (name, colour) in enumerate(
        [
            ("Paris", "#2b7fb8"), ("Berlin", "#b0568f"), ("Madrid", "#5b8c3a"), ("Rome", "#8a6d1f"), ("Vienna", "#3a7a8c"),
            ("Warsaw", "#8c3a3a"), ("Lisbon", "#4b5fb8"), ("Prague", "#7a4b8c"), ("Dublin", "#2f8c6b"), ("Malta", "#b86a2b"),
        ],
        1,
    )
)  # fmt: skip
LARGE, SMALL = SHOPS[0], SHOPS[-1]
LANGUAGES = (Language("en", "English"), Language("fr", "Français"), Language("de", "Deutsch"), Language("es", "Español"), Language("pl", "Polski"))
EMPLOYEES = tuple(
    Employee(str(number), first, last, f"{first.lower()}@desk.example")
    for number, (first, last) in enumerate(
        [
            ("Marie", "Dubois"), ("John", "Doe"), ("Layla", "Haddad"), ("Anna", "Nowak"), ("Piotr", "Lis"), ("Ines", "Costa"),
            ("Hugo", "Moreau"), ("Greta", "Lang"), ("Omar", "Said"), ("Lucia", "Ferri"), ("Nils", "Berg"), ("Vera", "Pavlova"),
        ],
        1,
    )
)  # fmt: skip
TYPES = ("Orders", "Returns", "Products", "Invoices")

# The threads of many messages, in a large shop and in the small one, and how many they hold.
LONG_THREADS = {LARGE.id: 50, SMALL.id: 37}
LONG = 500

# What is searched: a word of some 20 messages however many there are, one of two in five, three of them in a row, and one that nobody wrote.
RARE, COMMON, PHRASE, ABSENT = "zephyrine", "parcel", "where is the parcel", "quixotry"

# Threads were begun evenly over three years.
_END = dt.datetime(2026, 11, 21, 17, 0)  # noqa: DTZ001 - written as the databases keep moments, in UTC
SPAN = dt.timedelta(days=3 * 365)
_SEED, _TEXTS, _BATCH = 20261121, 10_000, 5_000
_FIRST = "Anna Jan Ewa Luc Élodie Max Paula Ivan Sofia Tom Zoë Karl Nina Omar Ruth Igor Lea Ben Ida Łukasz".split()  # noqa: SIM905 - read as one line
_LAST = "Kowalski Berg Novak Żak Meyer Rossi Silva Müller Petit Jansen Horvat Olsen Weiss Marín Duarte Keller Simon Fabre".split()  # noqa: SIM905
_WORDS = (  # noqa: SIM905 - as above
    "the order and I it is was my for to a not you we have has this that on in of with but when from will can your since week please "
    "delivery carrier address invoice refund money return size colour wrong broken missing jug cup plate lamp chair table blanket shirt shoes "
    "box label number day days Monday Tuesday Friday yesterday today morning post office neighbour door signed received sent waiting answer "
    "question thank thanks hello regards customer account payment card bank transfer discount voucher code checkout basket stock available "
    "again still already never always soon later before after between small large blue green white black indigo ceramic wooden cotton wool"
).split()


@dataclass(frozen=True, slots=True)
class Text:
    """A text as messages hold it, with what is kept of it."""

    whole: str
    words: str
    first: str


def fill(store: Store, threads: int) -> None:
    """Write a store of so many threads into tables of the first revision, which the migrations then bring up to date as they do an old store."""
    engine = store.desk.engine
    with store.desk.sessions() as session:
        contacts = _first_rows(session, store.clock())
        session.commit()
    held = sa.MetaData()
    held.reflect(engine, only=[_table(model).name for model in (Thread, Message, SearchText)])
    indexes = [index for table in held.tables.values() for index in table.indexes]
    # Indexes are made faster than kept.
    for index in indexes:
        index.drop(engine)
    stories = _stories(threads, contacts, _texts())
    while some := list(islice(stories, _BATCH)):
        _write(engine, held, Thread, (thread for thread, _messages in some))
        _write(engine, held, Message, (message for _thread, messages in some for message in messages))
        _write(engine, held, SearchText, (_searched(message) for _thread, messages in some for message in messages))
    for index in indexes:
        index.create(engine)
    if engine.dialect.name == "postgresql":
        _count_on(engine)


def bring_up(store: Store) -> None:
    """Do what a shop does with an old store: migrate, mend what is searched, and let a worker do the work of a day."""
    schema.upgrade(store.desk.engine)
    _tell_history(store.desk.engine)
    analyse(store.desk.engine)
    if "reindex" in cs.commands:
        done = store.app.test_cli_runner().invoke(args=["cs", "reindex"])
        assert done.exit_code == 0, done.output
    let_a_worker_look(store)
    analyse(store.desk.engine)


def _tell_history(engine: sa.Engine) -> None:
    """Write, of each closed thread, that it was closed with the last that was said in it, unless it stands there already."""
    thread, event = _table(Thread), _table(ThreadEvent)
    by = {"actor_kind": "employee", "actor_id": "1", "actor_name": "Marie Dubois", "via": "page"}
    its: dict[str, Any] = {"kind": "status", **by, "details": {"before": Status.OPEN.value, "after": Status.CLOSED.value}}
    values = [sa.literal(value, event.c[name].type) for name, value in its.items()]
    closed = sa.select(thread.c.id, *values, thread.c.last_activity_at).where(thread.c.status == Status.CLOSED)
    with engine.begin() as connection:
        if connection.scalar(sa.select(event.c.id).limit(1)) is None:
            connection.execute(sa.insert(event).from_select(["thread_id", *its, "created_at"], closed))


def let_a_worker_look(store: Store) -> None:
    """Do what a worker does beside the web processes all day: its chores, and the totals of what has changed since its last look."""
    rounds.queue_chores(store.desk)
    while rounds.do_jobs(store.desk):
        pass
    rounds.bring_up_totals(store.desk)


def _searched(message: Mapping[str, Any]) -> dict[str, Any]:
    return {"message_id": message["id"], "thread_id": message["thread_id"], "words": message["words"]}


def analyse(engine: sa.Engine) -> None:
    """Let the database look at what it holds, as a shop does that is well kept."""
    kind = engine.dialect.name
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        names = [name for name in sa.inspect(connection).get_table_names() if name.startswith("cs_")]
        if kind == "sqlite":
            connection.exec_driver_sql("ANALYZE")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        for name in names if kind != "sqlite" else ():
            connection.exec_driver_sql(f"VACUUM ANALYZE {name}" if kind == "postgresql" else f"ANALYZE TABLE {name}")


def _first_rows(session: Session, now: dt.datetime) -> list[int]:
    """Write the employees and some more contacts; return the ids of all contacts."""
    remember(session, EMPLOYEES, now)
    for place, title in enumerate(TYPES, 10):
        texts = [ContactText(language="en", title=title)]
        shops = [ContactShop(shop_id=shop.id) for shop in SHOPS]
        session.add(Contact(email="desk@shop.example", save_messages=True, position=place, created_at=now, texts=texts, shops=shops))
    session.flush()
    return list(session.scalars(sa.select(Contact.id).order_by(Contact.id)))


def _texts() -> list[Text]:
    """Make what people write: common words often, rare ones seldom, one text in five and twenty with the phrase."""
    chance = random.Random(_SEED)
    weights = [1 / place for place in range(1, len(_WORDS) + 1)]
    made = []
    for number in range(_TEXTS):
        words = chance.choices(_WORDS, weights, k=chance.randint(6, 34))
        if number % 5 < 2:
            words.insert(chance.randrange(len(words)), COMMON)
        if number % 25 == 0:
            words[1:1] = PHRASE.split()
        whole = " ".join(words).capitalize() + "."
        made.append(_text(whole))
    return made


def _text(whole: str) -> Text:
    return Text(whole, fold(whole), preview(whole))


def _stories(threads: int, contacts: Sequence[int], texts: Sequence[Text]) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Tell the threads one after another, each with its messages: one, two, three or four in turn, which are 2.5."""
    chance = random.Random(_SEED)
    # Some in every shop, and five in the small one.
    rare = {int(threads * (place + 0.5) / 15) for place in range(15)} | {37 + 100 * (threads * place // 500) for place in range(5)}
    message_id = 0
    for number in range(1, threads + 1):
        size = LONG if number in LONG_THREADS.values() else 1 + number % 4
        said = [texts[chance.randrange(_TEXTS)] for _ in range(size)]
        if number in rare:
            said[0] = _text(f"{said[0].whole[:-1]} {RARE}.")
        thread = _thread(number, threads, contacts, chance)
        messages, at = [], dt.datetime.fromisoformat(thread["created_at"])
        for place, text in enumerate(said, 1):
            # An answer comes within some hours, and so does what the customer says to it.
            step = 600 + chance.randrange(30_000) if place > 1 else 0
            at = min(at + dt.timedelta(seconds=step), _END)
            messages.append(_message(thread, message_id + place, text, _written(at), step if place % 2 == 0 else None))
        if size > 1 and chance.random() < 0.05:
            messages[-1].update(_A_NOTE)
        message_id += size
        thread.update(_kept(messages))
        yield thread, messages


def _thread(number: int, threads: int, contacts: Sequence[int], chance: random.Random) -> dict[str, Any]:
    person = chance.randrange(1 + threads * 6 // 10)
    name = f"{_FIRST[person % len(_FIRST)]} {_LAST[person // 7 % len(_LAST)]}"
    address = f"{name.lower().replace(' ', '.')}{person}@example.com"
    known = person % 10 < 7
    luck = chance.random()
    return {
        "id": number,
        "shop_id": SMALL.id if number % 100 == 37 else str(1 + number * 7919 % 9),
        "language": LANGUAGES[min(person % 9, 4)].code,
        "contact_id": contacts[number * 31 % len(contacts)] if luck < 0.97 else None,
        "folder": Folder.LIST.value if luck < 0.985 else Folder.SPAM.value,
        "status": (Status.OPEN if luck < 0.06 else Status.PENDING1 if luck < 0.09 else Status.PENDING2 if luck < 0.12 else Status.CLOSED).value,
        "assignee_id": EMPLOYEES[person % len(EMPLOYEES)].id if number % 2 else None,
        "address": address,
        "address_hash": address_key(address),
        "address_sort": fold(address),
        "customer_id": str(person) if known else None,
        "customer_verified": int(known),
        "customer_name": name if known else "",
        "customer_sort": fold(name) if known else "",
        "order_id": str(number) if number % 10 < 3 else None,
        "token_nonce": f"{number:032x}",
        "created_at": _written(_END - SPAN + SPAN * (number / (threads + 1))),
        "version": 1,
    }


_A_NOTE = {
    "private": 1, "author_kind": AuthorKind.EMPLOYEE.value, "author_name": "Marie Dubois", "author_id": "1", "channel": Channel.DESK.value,
    "released_at": None, "response_seconds": None,
}  # fmt: skip


def _message(thread: Mapping[str, Any], message_id: int, text: Text, moment: str, answered_after: int | None) -> dict[str, Any]:
    """Write a message: an employee's where it answers after so many seconds, else the customer's."""
    by_customer = answered_after is None
    return {
        "id": message_id,
        "thread_id": thread["id"],
        "home_thread_id": thread["id"],
        "shop_id": thread["shop_id"],
        "author_kind": (AuthorKind.CUSTOMER if by_customer else AuthorKind.EMPLOYEE).value,
        "author_id": None if by_customer else "1",
        "author_name": thread["customer_name"] if by_customer else "Marie Dubois",
        "author_address": thread["address"] if by_customer else "",
        "private": 0,
        "channel": (Channel.FORM if by_customer else Channel.DESK).value,
        "text": text.whole,
        "words": text.words,
        "preview": text.first,
        "language": thread["language"],
        "released_at": None if by_customer else moment,
        "response_seconds": None if answered_after is None else float(answered_after),
        "created_at": moment,
    }


def _kept(messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Work out what is kept on a thread, as `store.threads.recompute` does."""
    public = [one for one in messages if not one["private"]]
    customers = [one for one in public if one["author_kind"] == AuthorKind.CUSTOMER.value]
    answers = [one for one in public if one["author_kind"] == AuthorKind.EMPLOYEE.value]
    notes = [one["id"] for one in messages if one["private"]]
    waiting = [one["created_at"] for one in customers if not answers or one["id"] > answers[-1]["id"]]
    last = customers[-1]
    return {
        "last_customer_message_id": last["id"],
        "last_customer_at": last["created_at"],
        "last_customer_sort": last["created_at"],
        "last_customer_text": last["preview"],
        "newest_note_id": notes[-1] if notes else None,
        "private": int(bool(notes)),
        "customer_messages": len(customers),
        "employee_messages": len(answers),
        "waiting_since": min(waiting, default=None),
        "last_activity_at": messages[-1]["created_at"],
    }


def _written(moment: dt.datetime) -> str:
    """Write a moment as all three databases read it."""
    return moment.isoformat(" ", "microseconds")


def _write(engine: sa.Engine, held: sa.MetaData, model: type[Any], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows in large pieces, past the ORM; what a row does not say has the value that the model gives it."""
    table = _table(model)
    plain = {column.name: _default(column) for column in table.columns if column.name in held.tables[table.name].columns}
    pick = itemgetter(*plain)
    values = (pick({**plain, **row}) for row in rows)
    columns = ", ".join(engine.dialect.identifier_preparer.quote(name) for name in plain)
    raw = engine.raw_connection()
    try:
        cursor: Any = raw.cursor()
        if engine.dialect.name == "postgresql":
            cursor.execute("SET TIME ZONE 'UTC'")
            with cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
                for one in values:
                    copy.write_row(one)
        else:
            mark = "?" if engine.dialect.name == "sqlite" else "%s"
            statement = f"INSERT INTO {table.name} ({columns}) VALUES ({', '.join([mark] * len(plain))})"
            while batch := list(islice(values, _BATCH)):
                cursor.executemany(statement, batch)
        raw.commit()
    finally:
        raw.close()


def _table(model: type[Any]) -> sa.Table:
    return cast(sa.Table, model.__table__)


def _default(column: sa.Column[Any]) -> Any:
    """Return what SQLAlchemy writes into a column that nobody names, as a driver takes it."""
    default: Any = column.default
    if default is None:
        return None
    if default.is_callable:
        return "{}"
    value = default.arg
    if value is NEVER:
        return "1970-01-01 00:00:00.000000"
    return int(value) if isinstance(value, bool) else getattr(value, "value", value)


def _count_on(engine: sa.Engine) -> None:
    """Let new rows get the ids after ours."""
    with engine.begin() as connection:
        for name in ("cs_thread", "cs_message"):
            connection.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT max(id) FROM {name}))")
