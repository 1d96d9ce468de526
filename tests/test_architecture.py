"""What the import contracts cannot see: scopes on every read, nothing of Flask's globals below the web, nothing kept in a process."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy.orm import Session

import cs_plugin
from cs_plugin.store import list_rows, matches, ranges, sorting, threads
from cs_plugin.store.models import Thread
from cs_plugin.store.scope import Scope

PACKAGE = Path(cs_plugin.__file__).parent
EDGES = ("adapters", "cli", "extension.py", "health", "tasks.py", "web", "worker.py")

# Functions of these rooms that take a session and neither a Scope nor a thread, each with the reason why it may.
UNSCOPED = {
    "public_message": "is the customer's own read, of a thread that a signed link or the customer's account has opened",
    "public_messages": "is the customer's own read, as above",
    "recompute": "writes what follows from the messages of threads that the caller has locked, and returns nothing",
}


def modules() -> Iterator[ModuleType]:
    """Every module of the package but the migrations, which Alembic runs."""
    for found in pkgutil.walk_packages([str(PACKAGE)], "cs_plugin."):
        if not found.name.startswith("cs_plugin.migrations"):
            yield importlib.import_module(found.name)


def public_functions_with_session() -> dict[str, inspect.Signature]:
    """The public functions of the list's rooms that are given a session, with their signatures."""
    found = {}
    rooms = (threads, list_rows, matches, ranges, sorting)
    functions = [found for room in rooms for found in inspect.getmembers(room, inspect.isfunction) if found[1].__module__ == room.__name__]
    for name, function in functions:
        if name.startswith("_"):
            continue
        signature = inspect.signature(function, eval_str=True)
        if any(one.annotation is Session for one in signature.parameters.values()):
            found[name] = signature
    return found


def test_every_read_of_threads_takes_a_scope() -> None:
    """There is no query of threads that forgets whose they are; what is handed a thread was given it by a read that took one.

    An exemption is named with its reason.
    """
    functions = public_functions_with_session()
    assert {"list_page", "get", "matching_ids", "rows", "messages"} <= set(functions)
    without = [
        name for name, signature in functions.items() if not any(one.annotation in (Scope, Thread) for one in signature.parameters.values())
    ]
    assert sorted(without) == sorted(UNSCOPED)


BELOW_THE_EDGES = sorted(path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in EDGES)


@pytest.mark.parametrize("path", BELOW_THE_EDGES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_below_the_web_takes_the_application_from_the_air(path: Path) -> None:
    """A room is handed what it needs: `current_app`, `g`, `request` and `session` are the edges'."""
    names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
    assert names.isdisjoint({"current_app", "has_request_context", "g", "request"})


def test_no_module_keeps_anything_that_changes() -> None:
    """Two applications in a process share nothing, and a second process misses nothing: constants are frozen or never written to."""
    kept = {}
    for module in modules():
        for name, value in vars(module).items():
            if isinstance(value, bytearray | set) and not name.startswith("__"):
                kept[f"{module.__name__}.{name}"] = type(value).__name__
    assert kept == {}


def assigned_in(path: Path) -> set[str]:
    """The names that stand alone on the left of an assignment at the top of a module."""
    top = ast.parse(path.read_text()).body
    plain = [target for node in top if isinstance(node, ast.Assign) for target in node.targets]
    return {target.id for target in plain if isinstance(target, ast.Name)} | {
        node.target.id for node in top if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


MUTATORS = {"append", "extend", "insert", "add", "update", "setdefault", "pop", "popitem", "clear", "remove", "discard", "sort"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_function_writes_to_what_its_module_holds(path: Path) -> None:
    """No `global`, no item set and no method that changes a list, a set or a dict of the module."""
    tree, own = ast.parse(path.read_text()), assigned_in(path)
    written = []
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        local = {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}
        for node in ast.walk(function):
            if isinstance(node, ast.Global):
                written += node.names
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del) and isinstance(node.value, ast.Name):
                written += [node.value.id] if node.value.id in own - local else []
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
                written += [node.func.value.id] if node.func.attr in MUTATORS and node.func.value.id in own - local else []
    assert written == []


def test_the_looks_for_writing_see_what_they_look_for(tmp_path: Path) -> None:
    """A look that finds nothing anywhere would pass for the wrong reason."""
    module = tmp_path / "module.py"
    module.write_text("KEPT = {}\ndef keep(key):\n    KEPT[key] = 1\n")
    with pytest.raises(AssertionError, match="KEPT"):
        test_no_function_writes_to_what_its_module_holds(module)
