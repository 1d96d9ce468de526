"""The first of the SQL manager's two locks: what is typed is read by a parser, and only what is known to be harmless goes on.

It is an allow-list throughout: of nodes of the syntax tree, of their parts, of functions, tables, columns and types. What goes to the database
is not the text but what is written anew from the tree: so parser and database cannot read one text in two ways, and no comment reaches the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from cs_plugin.errors import RefusedQueryError
from cs_plugin.i18n import marked as _
from cs_plugin.store.models import Delivery
from cs_plugin.store.sql_views import COLUMNS, FUNCTIONS, HIDDEN, INDEXES, columns_of

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.dialects.dialect import Dialect

LONGEST = 20_000      # characters of a query
_MOST_TOKENS = 8_000
_DEEPEST = 30         # parentheses, and words that nest, in each other
_DEEPEST_TREE = 150   # nodes above each other; writing a tree down takes a call or more for each

_PARSERS: Mapping[str, str] = {"sqlite": "sqlite", "postgresql": "postgres", "mysql": "mysql"}

# Parts of the syntax. Each is a class of sqlglot, by its name: one that a later version brings is refused until it stands here.
_NODES = frozenset(
    [
        "Select", "From", "Join", "Where", "Group", "Having", "Order", "Ordered", "Limit", "Offset", "Distinct", "Subquery", "With", "CTE",
        "Union", "Intersect", "Except", "Table", "TableAlias", "Column", "Identifier", "Alias", "Star", "Literal", "Null", "Boolean", "Paren",
        "Tuple", "And", "Or", "Not", "EQ", "NEQ", "GT", "GTE", "LT", "LTE", "NullSafeEQ", "NullSafeNEQ", "Is", "In", "Between", "Like", "ILike",
        "Escape", "Match", "MatchAgainst", "Add", "Sub", "Mul", "Div", "IntDiv", "Mod", "Neg", "DPipe", "Case", "If", "Cast", "DataType",
        "DataTypeParam", "Exists", "Any", "All", "Filter", "Window", "WindowSpec", "Interval", "Var",
    ]
)
# Functions of which sqlglot has a class of its own.
_FUNCTIONS = frozenset(
    [
        "Count", "Sum", "Avg", "Min", "Max", "Coalesce", "Nullif", "Lower", "Upper", "Length", "Trim", "Substring", "Round", "Abs", "Concat",
        "ConcatWs", "Floor", "Ceil", "Greatest", "Least", "StrPosition", "Left", "Right", "RowNumber", "Rank", "DenseRank", "Lag", "Lead",
        "FirstValue", "LastValue", "Date", "TsOrDsToDate", "TsOrDsToTimestamp", "TimeToStr", "TimestampTrunc", "Extract", "CurrentDate",
        "CurrentTimestamp", "Year", "Month", "Day", "Hour", "Minute", "DayOfWeek", "Quarter", "TimestampDiff", "DateDiff", "WithinGroup",
        "PercentileCont", "Stddev",
    ]
)
# Functions without a value in parentheses, and others that ask the database for the time and for nothing else.
_CLOCK = frozenset({"now"})
# Of a node that could bring more along than its children show: which of its parts may be filled.
_PARTS: Mapping[str, frozenset[str]] = {
    "Select": frozenset(["expressions", "from", "joins", "where", "group", "having", "order", "limit", "offset", "distinct", "with"]),
    "Union": frozenset(["this", "expression", "distinct", "order", "limit", "offset", "with"]),
    "Intersect": frozenset(["this", "expression", "distinct", "order", "limit", "offset", "with"]),
    "Except": frozenset(["this", "expression", "distinct", "order", "limit", "offset", "with"]),
    "Table": frozenset({"this", "alias", "joins"}),
    "Subquery": frozenset({"this", "alias", "joins"}),
    "Column": frozenset({"this", "table"}),
    "Join": frozenset({"this", "on", "using", "kind", "side"}),
    "With": frozenset({"expressions"}),
    "CTE": frozenset({"this", "alias"}),
    "TableAlias": frozenset({"this", "columns"}),
    "Limit": frozenset({"expression"}),
    "Offset": frozenset({"expression"}),
    "Ordered": frozenset({"this", "desc", "nulls_first"}),
    "Group": frozenset({"expressions"}),
    "Distinct": frozenset({"expressions"}),
    "Star": frozenset(),
    "Cast": frozenset({"this", "to"}),
    "DataType": frozenset({"this", "expressions", "nested"}),
    "In": frozenset({"this", "expressions", "query"}),
    "Identifier": frozenset({"this", "quoted"}),
}
_TYPES = frozenset(
    [
        "TEXT", "VARCHAR", "CHAR", "NCHAR", "INT", "BIGINT", "UBIGINT", "SMALLINT", "DECIMAL", "DOUBLE", "FLOAT", "DATE", "DATETIME",
        "TIMESTAMP", "TIMESTAMPTZ", "TIME", "BOOLEAN", "UINT",
    ]
)
_QUERIES = frozenset({"Select", "Union", "Intersect", "Except"})
# Bare words that a query may need: units of time, and what stands in place of a number after LIMIT is none of them.
_WORDS = frozenset([
    "year", "quarter", "month", "week", "day", "dow", "doy", "isodow", "hour", "minute", "second", "epoch", "days", "months", "years", "hours",
    "minutes", "weeks",
])

_WRITES = _("Only one SELECT is allowed here. It reads; nothing of the store can be changed with it.")
_UNREADABLE = _("This is not SQL that can be read here, near line %(line)s: %(near)s")
_NOT_ALLOWED = _("This is not allowed here: %(what)s")


@dataclass(frozen=True, slots=True)
class Checked:
    """A query that has been read and found harmless: as it goes to the database, and the names that it gives to its own parts."""

    sql: str
    names: frozenset[str] = frozenset()


def is_installed() -> bool:
    """Say whether the parser is there: sqlglot comes with the extra "sql"."""
    return find_spec("sqlglot") is not None


def checked(text: str, language: str, most_rows: int) -> Checked:
    """Read a query of "sqlite", "postgresql" or "mysql", and return it as it may run, with at most `most_rows` rows.

    Raise RefusedQueryError, with what to tell whoever typed it, for everything that is not one harmless SELECT.
    """
    from sqlglot.errors import SqlglotError  # a second of work for whoever never opens the manager

    try:
        return _checked(text, language, most_rows)
    except SqlglotError as error:
        first: Mapping[str, Any] = next(iter(getattr(error, "errors", ())), {})
        near = str(first.get("highlight") or "")[:60]
        raise RefusedQueryError(_UNREADABLE, line=first.get("line") or 1, near=near or "…") from error
    except RecursionError as error:
        raise RefusedQueryError(_("This query is nested too deeply.")) from error


def _checked(text: str, language: str, most_rows: int) -> Checked:
    from sqlglot.dialects.dialect import Dialect

    if len(text) > LONGEST:
        raise RefusedQueryError(_("A query has at most %(most)s characters here."), most=LONGEST)
    if any((ord(one) < 32 and one not in "\t\r\n") or 0xD800 <= ord(one) < 0xE000 for one in text):
        raise RefusedQueryError(_("This query holds characters that cannot be typed."))
    dialect = Dialect.get_or_raise(_PARSERS[language])
    tree = _tree(text, dialect)
    checker = _Checker(language)
    checker.check(tree)
    tree = _bounded(_without_unreleased(_without_stars(tree)), most_rows)
    return Checked(tree.sql(dialect, comments=False, unsupported_level=_raise_at_once()), frozenset(checker.given))


def _tree(text: str, dialect: Dialect) -> exp.Expression:
    tokens = dialect.tokenize(text)
    _look_at_tokens(tokens)
    statements = [one for one in dialect.parser(error_level=_raise_at_once()).parse(tokens, text) if one is not None]
    if len(statements) != 1:
        raise RefusedQueryError(_("Only one query at a time can be run here."))
    tree: exp.Expression = statements[0]
    if type(tree).__name__ not in _QUERIES:
        raise RefusedQueryError(_WRITES)
    return tree


def _raise_at_once() -> Any:
    from sqlglot.errors import ErrorLevel

    return ErrorLevel.IMMEDIATE


def _look_at_tokens(tokens: list[Any]) -> None:
    """Refuse, before anything is parsed, what would be too much for the parser, and comments that MariaDB runs."""
    if not tokens:
        raise RefusedQueryError(_("Type a query first."))
    if len(tokens) > _MOST_TOKENS:
        raise RefusedQueryError(_("This query is too long."))
    if any(comment.lstrip().startswith(("!", "M!", "+")) for token in tokens for comment in token.comments):
        raise RefusedQueryError(_NOT_ALLOWED, what="/*! … */")
    if tokens[0].text.upper() not in ("SELECT", "WITH", "("):
        raise RefusedQueryError(_WRITES)
    depth = deepest = prefixes = 0
    for token in tokens:
        words = token.text.upper()
        depth += {"(": 1, "CASE": 1, "[": 1, "{": 1, ")": -1, "END": -1, "]": -1, "}": -1}.get(words, 0)
        prefixes = prefixes + 1 if words in ("NOT", "-", "+", "~", "!", "SELECT", "EXISTS", "INTERVAL", "DISTINCT", "BINARY") else 0
        deepest = max(deepest, depth + prefixes)
    if deepest > _DEEPEST:
        raise RefusedQueryError(_("This query is nested too deeply."))


class _Checker:
    """Look at every node of a tree."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.given = set[str]()   # the names that WITH gives
        self._read_here = {**COLUMNS, **(INDEXES if language == "sqlite" else {})}

    def check(self, tree: exp.Expression) -> None:
        """Raise RefusedQueryError at the first node that is not allowed."""
        nodes = list(tree.walk())
        for node in nodes:
            self._kind(node)
            self._parts(node)
            self._alias(node)
        if any(_depth(node) > _DEEPEST_TREE for node in nodes):
            raise RefusedQueryError(_("This query is nested too deeply."))
        self._tables(tree)
        self._names(nodes)

    def _kind(self, node: exp.Expression) -> None:
        kind = type(node).__name__
        if kind == "Anonymous":
            name = str(node.this).lower()
            if name not in FUNCTIONS[self.language] | _CLOCK or not isinstance(node.this, str):
                raise RefusedQueryError(_("The function %(name)s is not offered here."), name=str(node.this)[:60])
        elif kind not in _NODES and kind not in _FUNCTIONS:
            raise RefusedQueryError(_NOT_ALLOWED, what=_word_of(node))
        elif kind == "DataType" and getattr(node.this, "name", "") not in _TYPES:
            raise RefusedQueryError(_NOT_ALLOWED, what=f"CAST … AS {getattr(node.this, 'name', '')}")
        elif kind == "Var" and str(node.this).lower() not in _WORDS:
            raise RefusedQueryError(_NOT_ALLOWED, what=str(node.this)[:60])
        elif kind in ("Limit", "Offset") and not (type(node.expression).__name__ == "Literal" and node.expression.name.isdecimal()):
            raise RefusedQueryError(_("LIMIT and OFFSET want a number."))
        elif kind == "Select" and not node.expressions:
            raise RefusedQueryError(_("Say after SELECT what you want to see."))

    def _parts(self, node: exp.Expression) -> None:
        allowed = _PARTS.get(type(node).__name__)
        if allowed is None:
            return
        for name, value in node.args.items():
            if value not in (None, [], False, "") and name.rstrip("_") not in allowed:
                raise RefusedQueryError(_NOT_ALLOWED, what=name.rstrip("_").replace("_", " ").upper())

    def _alias(self, node: exp.Expression) -> None:
        """Refuse names that would hide what is read: for the columns of a table by their places, and for tables in parentheses."""
        kind, alias = type(node).__name__, node.args.get("alias")
        if alias is None or kind not in ("Table", "Subquery"):
            return
        if kind == "Table" and type(alias).__name__ == "TableAlias" and alias.args.get("columns"):
            raise RefusedQueryError(_NOT_ALLOWED, what=f"AS {node.alias[:40]} (…)")
        if kind == "Subquery" and type(node.this).__name__ not in _QUERIES:
            raise RefusedQueryError(_NOT_ALLOWED, what=f"(…) AS {node.alias[:40]}")

    def _tables(self, tree: exp.Expression) -> None:
        """Let queries read views, and what a WITH in front of the whole has named before: nothing else has that name there."""
        withs = [node for node in tree.walk() if type(node).__name__ == "With"]
        if any(one.parent is not tree for one in withs):
            raise RefusedQueryError(_("WITH can only stand at the beginning."))
        seen = set[int]()
        for cte in withs[0].expressions if withs else ():
            self._read(cte.this, seen)
            name = self._plain(cte.args["alias"].this)
            if name in self._read_here or name in self.given:
                raise RefusedQueryError(_("The name %(name)s is taken."), name=name)
            self.given.add(name)
        self._read(tree, seen)

    def _read(self, query: exp.Expression, seen: set[int]) -> None:
        for node in query.walk():
            if type(node).__name__ == "Table" and id(node) not in seen:
                seen.add(id(node))
                if type(node.this).__name__ != "Identifier" or self._plain(node.this) not in {*self._read_here, *self.given}:
                    sentence = _("There is no view %(name)s here. The views that can be read are listed on this page.")
                    raise RefusedQueryError(sentence, name=node.name[:60])

    def _plain(self, identifier: exp.Expression) -> str:
        """Return a name as the database takes it: MariaDB tells capital letters apart, and so does PostgreSQL in quotes."""
        name = str(identifier.this)
        exact = self.language == "mysql" or (self.language == "postgresql" and bool(identifier.args.get("quoted")))
        return name if exact else name.lower()

    def _names(self, nodes: Sequence[exp.Expression]) -> None:
        """Let columns be those of the views that are read, and those that the query itself has named.

        A name that one view offers and another one hides must say whose it is; a name that a query gives never opens a hidden one.
        """
        known, read_as = self._known(nodes)
        views = {view for read in read_as.values() for view in read}
        for node in nodes:
            kind = type(node).__name__
            if kind == "Column" and type(node.this).__name__ != "Star":
                self._column(node, known, read_as, views)
            elif kind == "Join":
                for one in node.args.get("using") or ():
                    self._column(one, known, read_as, views)

    def _known(self, nodes: Sequence[exp.Expression]) -> tuple[set[str], dict[str, set[str]]]:
        """Return the names that columns may have, and for each name of a table or part of the query which views it stands for."""
        known, read_as = set[str](), dict[str, set[str]]()
        for node in nodes:
            kind = type(node).__name__
            if kind == "Table":
                name = self._plain(node.this)
                known |= self._read_here.get(name, frozenset())
                read_as.setdefault((node.alias or node.name).lower(), set()).update({name} & set(self._read_here))
            elif kind == "Subquery" and node.alias:
                read_as.setdefault(node.alias.lower(), set())
            elif kind == "Alias":
                known.add(node.alias.lower())
            elif kind == "TableAlias":
                known |= {str(one.name).lower() for one in node.args.get("columns") or ()}
        return known, read_as

    def _column(self, node: exp.Expression, known: set[str], read_as: Mapping[str, set[str]], views: set[str]) -> None:
        name = node.name.lower()
        whose = str(getattr(node, "table", "") or "").lower()
        hidden = any(name in HIDDEN.get(view, ()) for view in views)
        if read_as.get(whose):
            offered = name in known and all(name in self._read_here[view] for view in read_as[whose])
        elif whose in read_as:
            # A part of the query: it gives what it was let read, and a name that no view offers is nothing that it needs.
            offered = name in known and (not hidden or any(name in columns for columns in self._read_here.values()))
        else:
            offered = name in known and not hidden and (bool(whose) or not read_as.get(name))
        # An index of SQLite is asked by its own name: cs_fts_message MATCH '…'.
        if not offered and not (type(node.parent).__name__ == "Match" and not whose and name in INDEXES):
            raise RefusedQueryError(_("There is no column %(name)s here. The columns that can be read are listed on this page."), name=node.name[:60])


def _depth(node: exp.Expression) -> int:
    depth, above = 0, node.parent
    while above is not None and depth <= _DEEPEST_TREE:
        depth, above = depth + 1, above.parent
    return depth


def _word_of(node: exp.Expression) -> str:
    name = getattr(type(node), "sql_names", None)
    if callable(name):
        try:
            return str(name()[0])
        except Exception:  # noqa: BLE001 - only a word for a sentence
            return type(node).__name__
    return type(node).__name__.upper()


def _without_stars(tree: exp.Expression) -> exp.Expression:
    """Let * stand for the columns of the view alone: whoever may read some columns may not ask a table for all."""
    from sqlglot import exp

    for exists in list(tree.find_all(exp.Exists)):
        if isinstance(exists.this, exp.Select) and len(exists.this.expressions) == 1 and isinstance(exists.this.expressions[0], exp.Star):
            exists.this.set("expressions", [exp.Literal.number(1)])
    stars = [star for star in tree.find_all(exp.Star) if not isinstance(star.parent, exp.Count)]
    if not stars:
        return tree
    for table in list(tree.find_all(exp.Table)):
        if table.name in COLUMNS:
            chosen = exp.Select(expressions=[exp.column(name) for name in columns_of(table.name)])
            joins, alias = table.args.get("joins"), table.alias or table.name
            named = exp.TableAlias(this=exp.to_identifier(alias))
            table.replace(exp.Subquery(this=chosen.from_(exp.to_table(table.name)), alias=named, joins=joins))
    return tree


def _without_unreleased(tree: exp.Expression) -> exp.Expression:
    """Let the views of messages and of their files hold no reply that is not released yet: it counts nowhere until then."""
    from sqlglot import exp

    held = exp.column("delivery").eq(exp.Literal.string(Delivery.HELD.value))
    messages = exp.Select(expressions=[exp.column("id")]).from_(exp.to_table("cs_message")).where(held)
    released: Mapping[str, exp.Expression] = {
        "cs_message": exp.not_(held.copy()),
        "cs_attachment": exp.not_(exp.In(this=exp.column("message_id"), query=exp.Subquery(this=messages))),
    }
    for table in list(tree.find_all(exp.Table)):
        clause = released.get(table.name.lower())
        if clause is None:
            continue
        chosen = exp.Select(expressions=[exp.column(name) for name in columns_of(table.name.lower())])
        joins, alias = table.args.get("joins"), table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name))
        plain = exp.to_table(table.name.lower())
        table.replace(exp.Subquery(this=chosen.from_(plain).where(clause.copy()), alias=alias, joins=joins))
    return tree


def _bounded(tree: exp.Expression, most_rows: int) -> exp.Expression:
    """Give a query a limit, or bring its own down to it."""
    from sqlglot import exp

    limit = tree.args.get("limit")
    wanted = int(limit.expression.name) if limit is not None else most_rows
    tree.set("limit", exp.Limit(expression=exp.Literal.number(min(wanted, most_rows))))
    return tree
