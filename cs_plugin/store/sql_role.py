"""The SQL manager's second lock on servers: a user of its own that may read the views and nothing else, looked at before each query.

What is looked for is what the user may do, not what it should not: anything beyond reading the columns of the views is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from cs_plugin.store.sql_views import COLUMNS, VIEWS

Thing = TypeVar("Thing")
_MOST_NAMED = 5

# --- PostgreSQL -------------------------------------------------------------------------------------------------------------------------------------

_PG_SELF = """
SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, current_user = session_user, current_user
FROM pg_catalog.pg_roles WHERE rolname = current_user
"""
_PG_MEMBER = """
SELECT rolname FROM pg_catalog.pg_roles
WHERE rolname <> current_user AND pg_catalog.pg_has_role(current_user, oid, 'MEMBER') ORDER BY rolname
"""
_PG_OURS = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'"
_PG_READS = f"""
SELECT n.nspname, c.relname, a.attname, n.nspname = pg_catalog.current_schema()
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND {_PG_OURS}
  AND pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')
ORDER BY 1, 2, a.attnum
"""  # noqa: S608 - made of constants
_PG_WRITES = f"""
SELECT n.nspname || '.' || c.relname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE {_PG_OURS} AND CASE
  WHEN c.relkind IN ('r', 'p', 'v', 'm', 'f') THEN pg_catalog.has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
    OR pg_catalog.has_any_column_privilege(c.oid, 'INSERT, UPDATE, REFERENCES')
  WHEN c.relkind = 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'USAGE, SELECT, UPDATE')
  ELSE false END
ORDER BY 1
"""  # noqa: S608 - as above
_PG_MAKES = """
SELECT 'SCHEMA ' || pg_catalog.quote_ident(nspname) FROM pg_catalog.pg_namespace
WHERE pg_catalog.has_schema_privilege(oid, 'CREATE') AND nspname NOT LIKE 'pg\\_temp%' AND nspname NOT LIKE 'pg\\_toast%'
UNION ALL
SELECT 'DATABASE ' || pg_catalog.quote_ident(pg_catalog.current_database())
WHERE pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
"""
_PG_DOES = f"""
SELECT n.nspname || '.' || p.proname FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.prosecdef AND {_PG_OURS} AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE') ORDER BY 1
"""  # noqa: S608 - as above


def faults_on_postgresql(connection: Connection) -> list[str]:
    """Return what a role may do beyond reading the views, and what it still lacks, as lines that put it right."""
    *powers, itself, role = connection.exec_driver_sql(_PG_SELF).one()
    if any(powers) or not itself:
        made = made_on_postgresql(connection.engine.url.database, "cs_sql")
        return [f"-- {role} is no plain role; the SQL manager wants one without any power:", *made]
    who = _pg(role)
    members = list(connection.exec_driver_sql(_PG_MEMBER).scalars())
    found = [f"REVOKE {_pg(one)} FROM {who};" for one in members]
    found += [f"REVOKE ALL ON {one} FROM {who}, PUBLIC;" for one in _some(connection.exec_driver_sql(_PG_WRITES).scalars())]
    found += [f"REVOKE CREATE ON {one} FROM {who}, PUBLIC;" for one in _some(connection.exec_driver_sql(_PG_MAKES).scalars())]
    found += [f"REVOKE EXECUTE ON FUNCTION {one} FROM {who}, PUBLIC;" for one in _some(connection.exec_driver_sql(_PG_DOES).scalars())]
    held: dict[str, set[str]] = {}
    strange = dict[str, list[str]]()
    for schema, table, column, ours in connection.exec_driver_sql(_PG_READS):
        if ours and column in COLUMNS.get(table, ()):
            held.setdefault(table, set()).add(column)
        else:
            strange.setdefault(f"{_pg(schema)}.{_pg(table)}", []).append(column)
    found += [f"REVOKE ALL ON {table} FROM {who}, PUBLIC;   -- it reads {', '.join(columns[:3])}" for table, columns in _some(strange.items())]
    return found or _missing(held, who, "", _plain)


# --- MariaDB and MySQL ------------------------------------------------------------------------------------------------------------------------------

_MY_NOTHING = re.compile(r"GRANT USAGE ON \*\.\* TO .+")
_MY_COLUMNS = re.compile(r"GRANT SELECT \((?P<columns>(?:`[^`]+`(?:, ?)?)+)\) ON `(?P<database>(?:[^`]|``)+)`\.`(?P<table>[^`]+)` TO [^()]+")
_MY_OPTION = " WITH GRANT OPTION"
_SECRETS = re.compile(r" IDENTIFIED .*$")


def faults_on_mariadb(connection: Connection) -> list[str]:
    """Return what a user may do beyond reading the views, and what it still lacks, as lines that put it right."""
    user, database = connection.exec_driver_sql("SELECT CURRENT_USER(), DATABASE()").one()
    who = "@".join(_text(part) for part in str(user).rsplit("@", 1))
    found, held = [], dict[str, set[str]]()
    for line in (*_grants(connection, "CURRENT_USER()"), *_of_everybody(connection)):
        chosen = None if _MY_OPTION in line else _MY_COLUMNS.fullmatch(line)
        columns = set(re.findall(r"`([^`]+)`", chosen["columns"])) if chosen else set()
        if chosen and chosen["database"] in (database, str(database).replace("_", "\\_")) and columns <= COLUMNS.get(chosen["table"], frozenset()):
            held.setdefault(chosen["table"], set()).update(columns)
        elif not _MY_NOTHING.fullmatch(line) or _MY_OPTION in line:
            found.append(f"-- too much: {_SECRETS.sub('', line)}")
    if found:
        made = made_on_mariadb(database, "cs_sql")
        return [f"-- {who} may do more than read the views; take this away from it, or make another:", *_some(found), *made]
    return _missing(held, who, f"{_my(str(database))}.", _my)


def _grants(connection: Connection, whose: str) -> Iterator[str]:
    for (line,) in connection.exec_driver_sql(f"SHOW GRANTS FOR {whose}"):
        yield _SECRETS.sub("", str(line))


def _of_everybody(connection: Connection) -> Sequence[str]:
    """Return what MariaDB has granted to everybody; older servers, and MySQL, know no such thing."""
    version = str(connection.exec_driver_sql("SELECT VERSION()").scalar_one())
    numbers = tuple(int(one) for one in re.findall(r"\d+", version)[:2])
    if "mariadb" not in version.lower() or numbers < (10, 11):
        return ()
    return [line for line in _grants(connection, "PUBLIC") if not line.startswith("GRANT USAGE ON *.*")]


# --- The lines that make such a user ----------------------------------------------------------------------------------------------------------------


def made_on_postgresql(database: str | None, role: str) -> list[str]:
    """Return the lines that make a role for the SQL manager."""
    who = _pg(role) if not role.isidentifier() else role
    connect = f"GRANT CONNECT ON DATABASE {_pg(database or '')} TO {who};"
    return [f"CREATE ROLE {who} LOGIN PASSWORD '…';", connect, *_missing({}, who, "", _plain)]


def made_on_mariadb(database: str | None, user: str) -> list[str]:
    """Return the lines that make a user for the SQL manager."""
    who = f"{_text(user)}@'%'"
    return [f"CREATE USER {who} IDENTIFIED BY '…';", *_missing({}, who, f"{_my(database or '')}.", _my)]


def _missing(held: Mapping[str, set[str]], who: str, before: str, write: Callable[[str], str]) -> list[str]:
    """Return a GRANT for each view of which a column cannot be read yet."""
    lacking = [view for view in VIEWS if not COLUMNS[view.name] <= held.get(view.name, set())]
    return [f"GRANT SELECT ({', '.join(write(one) for one in view.columns)}) ON {before}{write(view.name)} TO {who};" for view in lacking]


def _some(found: Iterable[Thing]) -> list[Thing]:
    return list(found)[:_MOST_NAMED]


def _plain(name: str) -> str:
    return name


def _pg(name: str) -> str:
    return _quoted(name, '"')


def _my(name: str) -> str:
    return _quoted(name, "`")


def _text(text: str) -> str:
    return _quoted(text, "'")


def _quoted(name: str, quote: str) -> str:
    return f"{quote}{name.replace(quote, quote * 2)}{quote}"
