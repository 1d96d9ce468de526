"""The plugin manager of one application, the answers of a host that gives none, and how one plugin's error is kept from the others."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import wraps
from types import SimpleNamespace
from typing import Any

import pluggy

from cs_plugin import hookspecs
from cs_plugin.errors import HookError
from cs_plugin.hookspecs import PROJECT, hookimpl
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
    "cs_action_fields",
    "cs_action_posted",
    "cs_leave_event",
    "cs_customer_changed",
    "cs_customers_merged",
    "cs_customer_erased",
)

# Questions whose error goes to whoever asked: access, safety and "it was sent" must not be guessed from what is left.
STRICT = frozenset({"cs_current_employee", "cs_list_grants", "cs_check_captcha", "cs_scan_file", "cs_send_mail"})

_DEFAULTS = f"{PROJECT}.defaults"


class Kind(StrEnum):
    """What a hook is for."""

    QUESTION = "question"
    EVENT = "event"
    PLACE = "place"
    FIRED_BY_HOST = "fired by the host"


class DefaultAnswers:
    """Answer what a host leaves unanswered: one shop, English, nobody to assign to.

    They hold for a host that says nothing, not for one whose answer raised: its shops are not guessed.
    """

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
    return tuple(name for name, value in vars(hookspecs).items() if hasattr(value, f"{PROJECT}_spec"))


def kind_of(name: str) -> Kind:
    """Return what a hook is for."""
    if name in FIRED_BY_HOST:
        return Kind.FIRED_BY_HOST
    if _options_of(name)["firstresult"]:
        return Kind.QUESTION
    answer = inspect.signature(getattr(hookspecs, name)).return_annotation
    return Kind.EVENT if answer in (None, "None") else Kind.PLACE


def _options_of(name: str) -> Mapping[str, Any]:
    options: Mapping[str, Any] = getattr(getattr(hookspecs, name), f"{PROJECT}_spec")
    return options


def make_manager(plugins: Iterable[object], *, entry_points: bool) -> pluggy.PluginManager:
    """Make the plugin manager of one application.

    Later plugins are asked before earlier ones, all of them before the default answers. Raise HookError for a hook that
    does not exist or that is implemented with an argument it does not have.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(DefaultAnswers(), _DEFAULTS)
    if entry_points:
        try:
            manager.load_setuptools_entrypoints(PROJECT)
        except pluggy.PluginValidationError as error:
            raise HookError(f"an installed plugin does not fit: {error}") from error
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
    Raise HookError where a plugin that the host has registered already does not fit.
    """
    specified = pluggy.HookspecMarker(foreign.project_name)
    implemented = pluggy.HookimplMarker(foreign.project_name)
    specs: Any = SimpleNamespace(
        **{
            name: specified(firstresult=_options_of(name)["firstresult"])(_copy(getattr(hookspecs, name)))
            for name in hook_names()
        }
    )
    try:
        foreign.add_hookspecs(specs)
    except pluggy.PluginValidationError as error:
        raise HookError(f"a plugin of {foreign.project_name!r} does not fit: {error}") from error
    copies = {name: implemented(_copy(getattr(desk_hooks, name))) for name in FIRED_BY_HOST}
    foreign.register(SimpleNamespace(**copies), PROJECT)


def hear_from(foreign: pluggy.PluginManager, own: pluggy.PluginManager) -> None:
    """Let what plugins of a host's own manager answer and hear reach the desk, those registered later included.

    Raise HookError for a hook `cs_…` that one of them implements and that does not exist.
    """
    for name, caller in vars(foreign.hook).items():
        needed = any(not one.optionalhook for one in caller.get_hookimpls())
        if name.startswith("cs_") and needed and not caller.has_spec():
            raise HookError(f"unknown hook {name!r} in a plugin of {foreign.project_name!r}")
    bridges = {name: hookimpl(_bridge(foreign, name)) for name in hook_names() if name not in FIRED_BY_HOST}
    own.register(SimpleNamespace(**bridges), f"{PROJECT}.bridge.{foreign.project_name}")


class _Several(tuple[Any, ...]):
    """The answers of all plugins of a host's own manager; a place takes them one by one."""

    __slots__ = ()


def _bridge(foreign: pluggy.PluginManager, name: str) -> Callable[..., Any]:
    spec = getattr(hookspecs, name)
    names = tuple(inspect.signature(spec).parameters)

    # pluggy reads the names of the arguments from what is wrapped, and passes values in their order.
    @wraps(spec, updated=())
    def bridge(*values: object) -> Any:
        arguments = dict(zip(names, values, strict=True))
        if kind_of(name) is Kind.QUESTION:
            return ask(foreign, name, **arguments)
        return _Several(collect(foreign, name, **arguments)) or None

    return bridge


def _copy(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that can be marked anew: a method cannot, and the original keeps its own mark."""

    @wraps(function, updated=())
    def copy(*values: object, **named: object) -> Any:
        return function(*values, **named)

    return copy


def _wrapper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a copy of a wrapper, which pluggy wants to be a generator."""

    @wraps(function, updated=())
    def around(*values: object, **named: object) -> Any:
        return (yield from function(*values, **named))

    return around


def ask(manager: pluggy.PluginManager, name: str, /, **arguments: object) -> Any:
    """Ask a question: return the first answer that is not None; None where nobody answers.

    An implementation that raises is logged and passed over, so that the next one is asked; but the error goes to the
    caller where the question is one of STRICT.
    """
    answers = _Call(manager, name, arguments).answers_of_all()
    return answers[0] if answers else None


def collect(manager: pluggy.PluginManager, name: str, /, **arguments: object) -> list[Any]:
    """Fill a place: return all answers that are not None, in order of registration; one that raises is logged and left out."""
    answers: list[Any] = []
    for answer in reversed(_Call(manager, name, arguments).answers_of_all()):
        answers.extend(answer if isinstance(answer, _Several) else [answer])
    return answers


def tell(manager: pluggy.PluginManager, name: str, /, **arguments: object) -> None:
    """Tell an event to all listeners; one that raises is logged, the others still hear it."""
    _Call(manager, name, arguments).answers_of_all()


@dataclass
class _Call:
    """One call of a hook, in which each implementation is kept apart: pluggy itself ends the whole call at the first error."""

    manager: pluggy.PluginManager
    name: str
    arguments: Mapping[str, Any]
    begun: bool = False
    failed: bool = False
    answers: list[Any] = field(default_factory=list)

    def answers_of_all(self) -> list[Any]:
        """Call every implementation, of a question those up to the first answer; return the answers, the last registered first."""
        implementations = getattr(self.manager.hook, self.name).get_hookimpls()
        if any(one.wrapper or one.hookwrapper for one in implementations):
            return self._inside_wrappers(implementations)
        return self._one_by_one(implementations)

    def _one_by_one(self, implementations: Sequence[pluggy.HookImpl]) -> list[Any]:
        for one in reversed(implementations):
            if one.wrapper or one.hookwrapper:
                continue
            named = {name: self.arguments[name] for name in one.kwargnames if name in self.arguments}
            self._guarded(one)(*[self.arguments[name] for name in one.argnames], **named)
            if self.answers and self._asks_for_one:
                break
        return self.answers

    def _inside_wrappers(self, implementations: Sequence[pluggy.HookImpl]) -> list[Any]:
        """Let pluggy itself put the wrappers around; it does so in a manager of this call alone, which holds guarded copies."""
        stage = pluggy.PluginManager(PROJECT)
        stage.add_hookspecs(hookspecs)
        for one in implementations:
            mark = hookimpl(
                wrapper=one.wrapper, hookwrapper=one.hookwrapper, tryfirst=one.tryfirst, trylast=one.trylast
            )
            kept = _wrapper(one.function) if one.wrapper or one.hookwrapper else self._guarded(one)
            stage.register(SimpleNamespace(**{self.name: mark(kept)}))
        try:
            result = getattr(stage.hook, self.name)(**self.arguments)
        except Exception:
            if self.name in STRICT:
                raise
            log.exception("a wrapper of %s raised; it is passed over", self.name)
            return self.answers if self.begun else self._one_by_one(implementations)
        if self._asks_for_one:
            return [] if result is None else [result]
        return list(result)

    @property
    def _asks_for_one(self) -> bool:
        return bool(_options_of(self.name)["firstresult"])

    def _guarded(self, one: pluggy.HookImpl) -> Callable[..., Any]:
        @wraps(one.function, updated=())
        def guarded(*values: object, **named: object) -> Any:
            self.begun = True
            if self.failed and one.plugin_name == _DEFAULTS:
                return None
            try:
                answer = one.function(*values, **named)
            except Exception:
                if self.name in STRICT:
                    raise
                self.failed = True
                log.exception("%s of plugin %s raised; it is passed over", self.name, one.plugin_name)
                return None
            if answer is not None:
                self.answers.append(answer)
            return answer

        return guarded
