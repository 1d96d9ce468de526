"""The plugin manager of one application, the answers of a host that gives none, and how one plugin's error is kept from the others."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pluggy

from cs_plugin import hookspecs
from cs_plugin.errors import HookError
from cs_plugin.hookspecs import PROJECT, hookimpl, hookspec
from cs_plugin.rules.languages import Language
from cs_plugin.rules.people import Employee
from cs_plugin.rules.shops import Shop

log = logging.getLogger(__name__)

# The hooks that a host fires at the desk; the desk implements them, and a host's own manager gets that implementation.
FIRED_BY_HOST = (
    "cs_mount",
    "cs_contact_form_submitted",
    "cs_order_message_posted",
    "cs_order_panel",
    "cs_customer_order_panel",
    "cs_admin_header",
    "cs_customer_changed",
    "cs_customers_merged",
    "cs_customer_erased",
)


class DefaultAnswers:
    """Answer what a host leaves unanswered: one shop, English, nobody signed in."""

    @hookimpl(trylast=True)
    def cs_list_employees(self) -> Sequence[Employee]:
        """Know nobody."""
        return ()

    @hookimpl(trylast=True)
    def cs_list_shops(self) -> Sequence[Shop]:
        """Know one shop."""
        return (Shop(id="1", name=""),)

    @hookimpl(trylast=True)
    def cs_list_languages(self) -> Sequence[Language]:
        """Know English."""
        return (Language("en", "English"),)


def hook_names() -> tuple[str, ...]:
    """Return the names of all hooks, in the order of `hookspecs`."""
    return tuple(name for name, value in vars(hookspecs).items() if name.startswith("cs_") and hasattr(value, f"{PROJECT}_spec"))


def make_manager(plugins: Iterable[object], *, entry_points: bool) -> pluggy.PluginManager:
    """Make the plugin manager of one application.

    Later plugins are asked before earlier ones, all of them before the default answers. Raise HookError for a hook that does not exist
    or that is implemented with an argument it does not have.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(DefaultAnswers(), "cs_plugin.defaults")
    if entry_points:
        manager.load_setuptools_entrypoints(PROJECT)
    for plugin in plugins:
        register(manager, plugin)
    check_pending(manager)
    return manager


def register(manager: pluggy.PluginManager, plugin: object) -> None:
    """Register a plugin, an object or a module. Raise HookError where its hooks do not fit the specifications."""
    try:
        manager.register(plugin)
    except pluggy.PluginValidationError as error:
        raise HookError(f"plugin {plugin!r} does not fit: {error}") from error


def check_pending(manager: pluggy.PluginManager) -> None:
    """Raise HookError for an implementation of a hook that does not exist: a misspelt one stops the start, not the customer."""
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise HookError(str(error)) from error


def fire_from(foreign: pluggy.PluginManager, desk_hooks: object) -> None:
    """Let a host fire the desk's hooks through its own plugin manager, of whatever project name.

    Specifications and implementations are marked again for that name: a plain `register` finds nothing there, silently.
    """
    spec_marker, impl_marker = pluggy.HookspecMarker(foreign.project_name), pluggy.HookimplMarker(foreign.project_name)
    foreign.add_hookspecs(SimpleNamespace(**{name: _respecified(getattr(hookspecs, name), spec_marker) for name in hook_names()}))
    foreign.register(SimpleNamespace(**{name: impl_marker(_copy(getattr(desk_hooks, name))) for name in FIRED_BY_HOST}), PROJECT)


def hear_from(foreign: pluggy.PluginManager, own: pluggy.PluginManager) -> None:
    """Let what plugins of a host's own manager answer and hear reach the desk, those registered later included."""
    bridges = {name: hookimpl(_bridge(foreign, name)) for name in hook_names() if name not in FIRED_BY_HOST}
    own.register(SimpleNamespace(**bridges), f"{PROJECT}.bridge.{foreign.project_name}")


def ask(manager: pluggy.PluginManager, name: str, /, **arguments: object) -> Any:
    """Ask a question: return the first answer that is not None.

    An implementation that raises is logged and passed over, so that the next one is asked; None where nobody answers.
    """
    return next((answer for answer in _answers(manager, name, arguments) if answer is not None), None)


def ask_strictly(manager: pluggy.PluginManager, name: str, /, **arguments: object) -> Any:
    """Ask a question on which access rests: an implementation that raises is not passed over, its error goes to the caller."""
    return getattr(manager.hook, name)(**arguments)


def collect(manager: pluggy.PluginManager, name: str, /, **arguments: object) -> list[Any]:
    """Fill a place: return all answers that are not None, in order of registration; one that raises is logged and left out."""
    return [answer for answer in reversed(list(_answers(manager, name, arguments))) if answer is not None]


def tell(manager: pluggy.PluginManager, name: str, /, **arguments: object) -> None:
    """Tell an event to all listeners; one that raises is logged, the others still hear it."""
    for _ in _answers(manager, name, arguments):
        pass


def _answers(manager: pluggy.PluginManager, name: str, arguments: Mapping[str, object]) -> Iterable[Any]:
    caller = getattr(manager.hook, name)
    implementations = caller.get_hookimpls()
    if any(one.hookwrapper or getattr(one, "wrapper", False) for one in implementations):
        # A wrapper wants to stand around the whole call, so that the call cannot be taken apart.
        yield from _wrapped(caller, arguments)
        return
    for one in reversed(implementations):
        try:
            yield one.function(*[arguments[argument] for argument in one.argnames])
        except Exception:  # noqa: BLE001 - a plugin may raise anything, and the desk's work goes on
            log.exception("%s of plugin %s raised; it is passed over", name, one.plugin_name)


def _wrapped(caller: pluggy.HookCaller, arguments: Mapping[str, object]) -> Iterable[Any]:
    try:
        answer = caller(**arguments)
    except Exception:  # noqa: BLE001 - as above
        log.exception("%s raised inside a wrapper; it is passed over", caller.name)
        return
    yield from answer if isinstance(answer, list) else [answer]


def _bridge(foreign: pluggy.PluginManager, name: str) -> Callable[..., Any]:
    spec = getattr(hookspecs, name)

    def bridge(**arguments: object) -> Any:
        if spec.__dict__[f"{PROJECT}_spec"]["firstresult"]:
            return ask_strictly(foreign, name, **arguments)
        answers = collect(foreign, name, **arguments)
        return answers or None

    names = list(inspect.signature(spec).parameters)
    # pluggy passes arguments by position, in the order of the signature that it reads here.
    def positional(*values: object) -> Any:
        return bridge(**dict(zip(names, values, strict=True)))

    positional.__name__ = name
    positional.__signature__ = inspect.signature(spec)  # type: ignore[attr-defined]
    return positional


def _respecified(spec: Any, marker: pluggy.HookspecMarker) -> Any:
    options = spec.__dict__[f"{PROJECT}_spec"]
    return marker(firstresult=options["firstresult"], historic=options["historic"])(_copy(spec))


def _copy(function: Any) -> Callable[..., Any]:
    def copy(*values: object, **named: object) -> Any:
        return function(*values, **named)

    copy.__name__ = function.__name__
    copy.__doc__ = function.__doc__
    copy.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return copy


__all__ = ["DefaultAnswers", "ask", "ask_strictly", "check_pending", "collect", "fire_from", "hear_from", "hook_names", "make_manager", "register", "tell"]
