"""Which threads hold certain words: the clauses that ask each database's index, and those that look at one thread after the other.

Words are taken whole, as a text that is contained: nothing in them is an operator, a wildcard or a quote. They come folded.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Select, column, exists, false, func, literal, literal_column, not_, or_, select, table, text, union_all
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import Grouping
from sqlalchemy.sql.functions import FunctionElement

from cs_plugin.rules.inquiry import clean_text, fold
from cs_plugin.rules.status import Folder
from cs_plugin.store.fulltext import MESSAGES, THREADS
from cs_plugin.store.models import Message, SearchText, Thread, ThreadWords
from cs_plugin.store.scope import Scope
from cs_plugin.store.types import can_be_id

# An index of three letters finds nothing shorter: for that the newest messages, or threads, of the scope are looked through.
SHORTEST = 3
SCANNED = 5_000
# So many trigrams of a phrase are asked for: those left out are held by what is looked at again, and each costs a list of its own.
_TRIGRAMS = 12

# Where SQLAlchemy asks a clause to group itself and ours needs no parentheses.
_AMONG = (None, operators.and_, operators.or_, operators._asbool, operators.comma_op)


class ByDialect(FunctionElement[bool]):
    """A clause that each database has in words of its own: SQLite's, PostgreSQL's and MariaDB's."""

    type = Boolean()
    inherit_cache = True

    def __init__(self, sqlite: ColumnElement[bool], postgresql: ColumnElement[bool], mariadb: ColumnElement[bool]) -> None:
        super().__init__(sqlite, postgresql, mariadb)

    def self_group(self, against: Any = None) -> Any:
        """Stand among others as the clause that it is: where there are no booleans, SQLAlchemy writes "= 1" behind a function."""
        return self if against in _AMONG else Grouping(self)

    def _negate(self) -> Any:
        return ByDialect(*(not_(one) for one in self.clauses))


def _compile(place: int, element: ByDialect, compiler: Any, **options: Any) -> str:
    return str(compiler.process(list(element.clauses)[place].self_group(against=operators.and_), **options))


for _place, _names in enumerate((("sqlite", "default"), ("postgresql",), ("mysql", "mariadb"))):
    for _name in _names:
        compiles(ByDialect, *([] if _name == "default" else [_name]))(partial(_compile, _place))


def folded(words: str) -> str:
    """Return words as they are searched. Cleaned: PostgreSQL takes no NUL, and no database a lone surrogate."""
    return fold(clean_text(words))


def is_short(words: str) -> bool:
    """Say whether folded words are too short for an index."""
    return len(words) < SHORTEST


def contains(held: Any, words: str) -> ColumnElement[bool]:
    """Return the clause that holds where a folded column contains folded words."""
    # LIKE without ESCAPE: PostgreSQL's index serves no other, and its escape character is this one. SQLite has none unless it is told.
    escaped = re.sub(r"([\\%_])", r"\\\1", words)
    return ByDialect(func.instr(held, words) > 0, held.like(f"%{escaped}%"), func.instr(held, words) > 0)


# --- Where words stand ------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """A table of words: the columns that are searched, any of them, the key of its rows, and SQLite's index of it."""

    key: Any
    thread_id: Any
    columns: Sequence[Any]
    fts: str

    def holds(self, words: str) -> ColumnElement[bool]:
        """Return the clause that holds for rows that contain the words."""
        return or_(*(contains(one, words) for one in self.columns))

    def in_thread(self, words: str) -> ColumnElement[bool]:
        """Return the clause that looks at the rows of one thread after the other."""
        # PostgreSQL would turn an EXISTS without OFFSET into a search of the whole table.
        plain = select(literal(1)).select_from(self.thread_id.class_).where(self.thread_id == Thread.id, self.holds(words)).correlate(Thread)
        mariadb = Thread.id.in_(self.found(words, "mariadb"))
        return ByDialect(exists(plain), exists(plain.offset(0)), mariadb)

    def found(self, words: str, dialect: str) -> Select[Any]:
        """Return the query of threads in which an index finds the words, one for each row."""
        if dialect == "sqlite":
            fts = table(self.fts, column("rowid"))
            match = literal_column(self.fts).bool_op("MATCH")(self._trigrams(words))
            return select(self.thread_id).select_from(fts).join(self.thread_id.class_, self.key == fts.c.rowid).where(match, self.holds(words))
        if dialect == "postgresql":
            return select(self.thread_id).where(self.holds(words))
        beginnings = beginnings_of(words)
        if not beginnings:
            return select(self.thread_id).where(false())
        wanted = " ".join(f"+{one}*" for one in beginnings)
        several = [select(self.thread_id).where(match_against(one, wanted), contains(one, words)) for one in self.columns]
        if len(several) == 1:
            return several[0]
        together = union_all(*several).subquery()
        return select(together.c.thread_id)

    def _trigrams(self, words: str) -> str:
        every = list(dict.fromkeys(words[start : start + SHORTEST] for start in range(len(words) - SHORTEST + 1)))
        step = -(-len(every) // _TRIGRAMS)
        terms = " AND ".join('"' + one.replace('"', '""') + '"' for one in every[::step])
        if self.fts == MESSAGES:
            return terms
        return " OR ".join(f"({{{one.name}}} : ({terms}))" for one in self.columns)


def match_against(held: Any, wanted: str) -> ColumnElement[bool]:
    """Return MariaDB's clause for words of its full-text index."""
    clause: ColumnElement[bool] = held.match(wanted)   # the dialect writes it IN BOOLEAN MODE
    return clause


def beginnings_of(words: str) -> list[str]:
    """Return what MariaDB's index can be asked for of folded words: the beginnings of words, of three letters and more.

    Only what follows a blank or a plain sign surely begins a word there.
    """
    return re.findall(r"(?:^|(?<=[\s!-&(-/:-@\[-^`{-~]))[^\W_]{3,}", words)


IN_MESSAGES = Place(SearchText.message_id, SearchText.thread_id, (SearchText.words,), MESSAGES)


def _in_threads(*columns: Any) -> Place:
    return Place(ThreadWords.thread_id, ThreadWords.thread_id, columns, THREADS)


# Where the words of each field of a search are looked for.
PLACES: dict[str, tuple[Place, ...]] = {
    "customer": (_in_threads(ThreadWords.customer),),
    "email": (_in_threads(ThreadWords.address),),
    "message": (IN_MESSAGES,),
    "q": (_in_threads(ThreadWords.customer, ThreadWords.address, ThreadWords.about), IN_MESSAGES),
}


# --- Clauses of a list ------------------------------------------------------------------------------------------------------------------------------


def number_in(field: str, words: str) -> int | None:
    """Return the thread that words of the one box for everything name by its number."""
    digits = re.fullmatch(r"#?([0-9]{1,19})", words)
    return int(digits[1]) if field == "q" and digits and can_be_id(int(digits[1])) else None


def threads_with(scope: Scope, folder: Folder, field: str, words: str) -> ColumnElement[bool]:
    """Return the clause that holds for all threads of a list in which a field's words are found, asked of the index."""
    wanted = folded(words)
    if is_short(wanted):
        return _among_newest(scope, folder, field, wanted)
    sqlite, postgresql = (Thread.id.in_(_all_found(field, wanted, dialect)) for dialect in ("sqlite", "postgresql"))
    mariadb = Thread.id.in_(_all_found(field, wanted, "mariadb")) if beginnings_of(wanted) else _among_newest(scope, folder, field, wanted)
    return ByDialect(sqlite, postgresql, mariadb)


def _all_found(field: str, words: str, dialect: str) -> Select[Any]:
    queries = [place.found(words, dialect) for place in PLACES[field]]
    number = number_in(field, words)
    if number is not None:
        queries.append(select(literal(number).label("thread_id")))
    if len(queries) == 1:
        return queries[0]
    together = union_all(*queries).subquery()
    return select(together.c[0])


def threads_one_by_one(field: str, words: str) -> ColumnElement[bool]:
    """Return the same clause for a list that is walked from its newest thread: each thread is looked at by itself."""
    wanted = folded(words)
    number = number_in(field, wanted)
    either = [place.in_thread(wanted) for place in PLACES[field]]
    return or_(*either, *([Thread.id == number] if number is not None else []))


def holding(session: Session, field: str, words: str, thread_ids: Collection[int]) -> set[int]:
    """Return which of these threads hold a field's words, by looking at each of their texts: no index is asked. One query for each place."""
    wanted, ids = folded(words), list(thread_ids)
    found = {one for one in ids if one == number_in(field, wanted)}
    for place in PLACES[field]:
        found.update(session.scalars(select(place.thread_id).where(place.thread_id.in_(ids), place.holds(wanted))))
    return found


def asks_an_index(session: Session, words: str) -> bool:
    """Say whether the database's index can be asked for these words; else the newest are looked through."""
    wanted = folded(words)
    return not is_short(wanted) and (not finds_only_words(session) or bool(beginnings_of(wanted)))


def _among_newest(scope: Scope, folder: Folder, field: str, words: str) -> ColumnElement[bool]:
    either = [
        Thread.id.in_(_newest_messages(scope, words)) if place is IN_MESSAGES else Thread.id.in_(_newest_threads(scope, folder, place, words))
        for place in PLACES[field]
    ]
    number = number_in(field, words)
    return or_(*either, *([Thread.id == number] if number is not None else []))


def _newest_messages(scope: Scope, words: str) -> Select[Any]:
    newest = _newest(scope, Message.id, Message.shop_id, [], (Message.created_at.desc(), Message.id.desc()))
    return select(SearchText.thread_id).where(SearchText.message_id.in_(newest), IN_MESSAGES.holds(words))


def _newest_threads(scope: Scope, folder: Folder, place: Place, words: str) -> Select[Any]:
    newest = _newest(scope, Thread.id, Thread.shop_id, [Thread.folder == folder], (Thread.id.desc(),))
    return select(ThreadWords.thread_id).where(ThreadWords.thread_id.in_(newest), place.holds(words))


def _newest(scope: Scope, key: Any, shop_id: Any, clauses: Sequence[ColumnElement[bool]], order: Sequence[Any]) -> Select[Any]:
    """Return the query of the newest rows of the scope, each shop's from the index of that shop."""
    if not isinstance(scope.shops, frozenset):
        whole = select(key.label("id")).where(*clauses).order_by(key.desc()).limit(SCANNED).correlate(None).subquery()
        return select(whole.c.id)
    if not scope.shops:
        return select(key).where(false())
    each = [
        select(select(key.label("id")).where(shop_id == shop, *clauses).order_by(*order).limit(SCANNED).correlate(None).subquery().c.id)
        for shop in sorted(scope.shops)
    ]
    together = union_all(*each).subquery()
    cut = select(together.c.id).order_by(together.c.id.desc()).limit(SCANNED).subquery()
    return select(cut.c.id)


# --- Asking the index -------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """What an index knows of words: `ids` are all threads with them, or None where there are more than were asked for.

    `few` says that even then they are few enough to be read through rather than to walk the list.
    """

    ids: frozenset[int] | None
    few: bool = False


def ask(session: Session, field: str, words: str, *, most: int) -> Asked:
    """Ask the index for the threads with a field's words, whatever their scope; `most` counts rows of the index."""
    wanted = folded(words)
    dialect = session.get_bind(Thread).dialect.name
    found: set[int] = set()
    for place in PLACES[field]:
        ids, few = _ask(session, place, wanted, dialect, most)
        if ids is None:
            return Asked(None, few)
        found.update(ids)
    number = number_in(field, wanted)
    return Asked(frozenset(found | ({number} if number is not None else set())))


def _ask(session: Session, place: Place, words: str, dialect: str, most: int) -> tuple[Sequence[int] | None, bool]:
    query = place.found(words, "mariadb" if dialect in ("mysql", "mariadb") else dialect)
    if dialect != "sqlite":
        ids = session.scalars(query.limit(most + 1)).all()
        return (ids, False) if len(ids) <= most else (None, dialect != "postgresql")
    # SQLite's index is read from its newest row. How far that reaches back tells how common the words are.
    rows = session.execute(query.add_columns(place.key).order_by(text(f"{place.fts}.rowid DESC")).limit(most + 1)).all()
    if len(rows) <= most:
        return [row[0] for row in rows], False
    reach = (rows[0][1] - rows[-1][1]) / rows[0][1]
    return None, reach > _RARE


# Words whose newest 5,001 rows reach back further than this part of the table are in so few threads that their index is read to its end.
_RARE = 0.08


def finds_only_words(session: Session) -> bool:
    """Say whether the database finds only words and their beginnings, of three letters and more, and nothing within a word: MariaDB."""
    return session.get_bind(Thread).dialect.name in ("mysql", "mariadb")


def plan_each_time(session: Session) -> None:
    """Let PostgreSQL plan the searches of this transaction for their own words: after some runs its plan for any words turns 1 ms into seconds."""
    if session.get_bind(Thread).dialect.name == "postgresql":
        session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"), bind_arguments={"mapper": Thread})


def texts_with(session: Session, thread_ids: Sequence[int], words: str) -> dict[int, str]:
    """Return of these threads the newest message or note in which the words stand, as it was written."""
    holds = (SearchText.thread_id.in_(thread_ids), IN_MESSAGES.holds(folded(words)))
    newest = select(func.max(SearchText.message_id)).where(*holds).group_by(SearchText.thread_id).subquery()
    rows = session.execute(select(Message.thread_id, Message.text).where(Message.id.in_(select(newest))))
    return {row.thread_id: row.text for row in rows}
