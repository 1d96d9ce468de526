"""What the form of the options shows: its rows with their fields, what is wrong at them, and which groups and shops have values of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from typing import Any

from flask import url_for

from cs_plugin import i18n
from cs_plugin.desk.option_authorisations import PASSWORD
from cs_plugin.desk.options import may_configure, trouble_with_password
from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import digest
from cs_plugin.rules.languages import Language
from cs_plugin.rules.mailbox_settings import MailboxSettings
from cs_plugin.rules.options import BLOCK_TITLES, BY_NAME, OPTIONS, Block, Option
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context, Shop, contexts_of, line_of, name_of
from cs_plugin.store.oauth_tokens import VALID
from cs_plugin.store.options import read_own_options
from cs_plugin.store.preferences import preferences_of
from cs_plugin.web.connection import TestAnswer
from cs_plugin.web.option_authorisation import AuthorisationBlock, authorisation_block
from cs_plugin.web.options_form import Entry, OptionsForm, Place, field_of, kept_form, seal_typed
from cs_plugin.web.reading import Visit
from cs_plugin.web.sync_block import SyncBlock, block_of_options

_INFORMATION = _(
    "If you want to apply specific settings to a store or a group of shops, you need to select the parameter to modify, "
    "bring your modifications and then save."
)
_FOR_EVERYONE = _("These options hold for all shops: you can look at them, but only those who may configure every shop can change them.")
_FOR_THE_GROUP = _("These options also hold for shops that you may not configure: you can look at them, but not change them.")
_NOT_THEIRS = _("You may not configure these shops.")
_ORDER = {option.name: position for position, option in enumerate(OPTIONS)}
# What is told at a field for as long as its switch is on.
_WARNINGS: Mapping[str, str] = {"imap_notls": BY_NAME["imap_notls"].more_help}


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A group or a shop in the drop-down of an option, and whether it has a value of its own; `shop` is None for a group."""

    context: Context
    name: str
    shop: Shop | None
    customized: bool


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a row: an option has one for each of its languages, with `language` None where it has none."""

    name: str
    language: Language | None
    value: str | bool
    inherited: str | bool
    error: str


@dataclass(frozen=True, slots=True)
class Row:
    """An option on the page: its fields, what stands in an empty one, and what is told while its switch is on."""

    entry: Entry
    fields: Sequence[Field]
    elsewhere: Sequence[Elsewhere]
    changed: bool
    placeholder: str
    warning: str

    @property
    def option(self) -> Option:
        """Return the option."""
        return self.entry.option

    @property
    def customized(self) -> int:
        """Return how many groups and shops have a value of their own."""
        return sum(one.customized for one in self.elsewhere)

    @property
    def first(self) -> Field:
        """Return the field that is shown first: the first that is wrong, else the first of all."""
        return next((one for one in self.fields if one.error), self.fields[0])


@dataclass(frozen=True, slots=True)
class Section:
    """Rows under a heading of their own, or under none."""

    title: str
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that is wrong, for the top of the page: a sentence, and the field that it leads to."""

    field: str
    sentence: str


@dataclass(frozen=True)
class Errors:
    """What is wrong with a form, in the employee's language: with the whole of it, at its fields, and as the top of the page lists it."""

    whole: str = ""
    at: Mapping[str, str] = field(default_factory=dict)
    told: Sequence[Told] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """A try of the connection: its number, and its answer; None for one that is not this employee's."""

    job_id: int
    answer: TestAnswer | None


@dataclass(frozen=True)
class OptionsPage:
    """All that `_options.html` shows. `blocks` hold titles and sections; `theirs` what the employee may change, where it is not this."""

    address: str
    context: Context
    context_name: str
    inherits: bool
    read_only: str
    blocks: Sequence[tuple[str, Sequence[Section]]]
    information: str
    theirs: Sequence[tuple[Context, str]]
    errors: Errors
    sealed_password: str
    changed: int
    trial: Trial | None
    authorisation: AuthorisationBlock | None = None
    sync: SyncBlock | None = None


class OptionsHere:
    """The options of a context, as the employee of this request may see and change them."""

    def __init__(self, here: Visit) -> None:
        """Stand for a request; what is kept is read once, when it is asked for."""
        self.here = here

    @cached_property
    def context(self) -> Context:
        """Return the context of the form. Where there is one shop it is that of all; whoever sees one of several arranges that one."""
        shops, visible = self.here.shops, self.here.visible_shops
        if len(shops) == 1:
            return ALL_SHOPS
        return Context(Breadth.SHOP, visible[0].id) if len(visible) == 1 else self.here.context

    @cached_property
    def place(self) -> Place:
        """Return where the options are edited, with what is kept."""
        here = self.here
        kept = read_own_options(here.desk.session()).seen_from(self.context, here.shops)
        return Place(self.context, line_of(self.context, here.shops), here.languages, kept)

    @cached_property
    def kept(self) -> OptionsForm:
        """Return the form with what is kept."""
        return kept_form(self.place)

    @cached_property
    def may_change(self) -> bool:
        """Say whether the employee may configure the whole context."""
        return may_configure(self.here.grants, self.context, self.here.shops)

    @cached_property
    def may_look(self) -> bool:
        """Say whether the employee may configure any shop of the context, and so what that shop takes from it."""
        return any(self.here.grants.allow(Permission.CONFIGURE, shop.id) for shop in self.context.shops(self.here.shops))

    @property
    def address(self) -> str:
        """Return the address of the page in this context."""
        several = len(self.here.visible_shops) > 1
        return url_for("cs_options.index_view", shop=str(self.context)) if several else url_for("cs_options.index_view")

    @property
    def closed_name(self) -> str:
        """Return the name under which the closing of the message is remembered; the ids of shops may be longer than a name."""
        return f"options_message:{digest(str(self.context)).hex()[:32]}"

    def say(self, message: str, /, **values: object) -> str:
        """Return a text in the employee's language."""
        return i18n.gettext(self.here.employee_language, message, **values)

    def page(self, form: OptionsForm, errors: Errors, trial: Trial | None = None) -> OptionsPage:
        """Return what the page shows of a form."""
        changed = form.changed(self.kept) if self.may_change else frozenset()
        return OptionsPage(
            address=self.address,
            context=self.context,
            context_name=name_of(self.context, self.here.visible_shops),
            inherits=self.place.inherits,
            read_only=self._why_read_only(),
            blocks=self._blocks(form, errors, changed) if self.may_look else (),
            information=_INFORMATION if self._informs() else "",
            theirs=() if self.may_change else self._theirs(),
            errors=errors,
            sealed_password=seal_typed(self.here.desk.vault, form.password, self.here.actor().employee.id) if form.password else "",
            changed=len(changed),
            trial=trial,
            authorisation=self._authorisation if self.may_look else None,
        )

    # --- What is wrong ------------------------------------------------------------------------------------------------------------------------

    def standing_errors(self) -> Errors:
        """Return what is wrong with what is kept: a password that nobody can use any more."""
        trouble = trouble_with_password(self.here.desk.vault, self.place.resolved) if self.may_look else None
        return Errors(at={trouble.field: self.say(trouble.message, **trouble.values)} if trouble else {})

    def errors(self, whole: str, wrong: Iterable[InvalidInputError]) -> Errors:
        """Return what is wrong, the first thing at each field."""
        at: dict[str, str] = {}
        told: list[Told] = []
        # In the order of the page, and the languages of a text in theirs.
        for error in sorted(wrong, key=lambda error: _ORDER[_name_of(error)]):
            if error.field not in at:
                at[error.field], sentence = self._sentences(error)
                told.append(Told(error.field, sentence))
        return Errors(self.say(whole), at, told)

    def _sentences(self, error: InvalidInputError) -> tuple[str, str]:
        """Return what is said at a field, and what at the top of the page, where the field is named in any case."""
        code = error.field.partition("-")[2]
        option, what = BY_NAME[_name_of(error)], self.say(error.message, **error.values)
        label = self.say(option.label) + (f" ({option.flag})" if option.flag else "")
        if code and len(self.place.languages) > 1:
            language = next((one.name for one in self.place.languages if one.code == code), code)
            named = self.say(_("%(field)s (%(language)s): %(what)s"), field=label, language=language, what=what)
            return named, named
        return what, self.say(_("%(field)s: %(what)s"), field=label, what=what)

    # --- What the page shows --------------------------------------------------------------------------------------------------------------------

    def _informs(self) -> bool:
        """Say whether the page explains its check boxes: until the employee has closed that for good."""
        if not (self.place.inherits and self.may_change):
            return False
        return self.closed_name not in preferences_of(self.here.desk.session(), self.here.actor().employee.id)

    def _why_read_only(self) -> str:
        if self.may_change:
            return ""
        if not self.may_look:
            return _NOT_THEIRS
        return _FOR_EVERYONE if self.context == ALL_SHOPS else _FOR_THE_GROUP

    def _theirs(self) -> Sequence[tuple[Context, str]]:
        """Return the contexts that the employee may change, with their names."""
        here = self.here
        return [(one, name_of(one, here.visible_shops)) for one in contexts_of(here.visible_shops) if may_configure(here.grants, one, here.shops)]

    def _blocks(self, form: OptionsForm, errors: Errors, changed: frozenset[str]) -> Sequence[tuple[str, Sequence[Section]]]:
        rows = {option.name: self._row(form, option, errors, option.name in changed) for option in OPTIONS}
        return [(BLOCK_TITLES[block], _sections(rows[one.name] for one in OPTIONS if one.block is block)) for block in Block]

    def _row(self, form: OptionsForm, option: Option, errors: Errors, changed: bool) -> Row:
        entry = form.entries[option.name]
        languages = {one.code: one for one in self.place.languages}
        fields = []
        for code, value in entry.values.items():
            name = field_of(option, code)
            fields.append(Field(name, languages.get(code), value, entry.inherited[code], errors.at.get(name, "")))
        placeholder = self._about_password(form) if option.name == PASSWORD else self.place.fallback(option)
        return Row(entry, fields, self._elsewhere(option), changed, placeholder, _WARNINGS.get(option.name, ""))

    def _about_password(self, form: OptionsForm) -> str:
        if form.password:
            return self.say(_("typed, not saved yet"))
        if (block := self._authorisation) is not None and block.state:
            return self.say(_("an authorisation stands in its place")) if block.state == VALID else ""
        return self.say(_("kept; an empty field keeps it")) if self.place.resolved[PASSWORD] else ""

    @cached_property
    def _authorisation(self) -> AuthorisationBlock | None:
        return authorisation_block(self.here, self.place)

    @cached_property
    def _members(self) -> Sequence[tuple[Context, str, Shop | None]]:
        """Return the groups and shops of the context that the employee may see, with their names; a group counts among its own."""
        visible = self.here.visible_shops
        if self.context.breadth is Breadth.SHOP or len(visible) < 2:
            return ()
        by_id = {shop.id: shop for shop in visible}
        found = [one for one in contexts_of(self.context.shops(visible)) if one != ALL_SHOPS]
        return [(one, name_of(one, visible), by_id[one.id] if one.breadth is Breadth.SHOP else None) for one in found]

    def _elsewhere(self, option: Option) -> Sequence[Elsewhere]:
        """Return what the drop-down of an option lists; nothing where nobody has a value of their own."""
        found = [Elsewhere(one, name, shop, self.place.kept.has(one, option.name)) for one, name, shop in self._members]
        return found if any(one.customized for one in found) else ()


def options_page(here: Visit, place: str = "options") -> OptionsPage:
    """Return what `_options.html` shows of the options that are kept, on whatever page it stands; `place` names that for the "Sync" block."""
    options = OptionsHere(here)
    return replace(options.page(options.kept, options.standing_errors()), sync=sync_of(options, place))


def sync_of(options: OptionsHere, place: str) -> SyncBlock | None:
    """Return the "Sync" block of the mailbox that the kept options describe; None where they describe none."""
    resolved = options.place.resolved
    is_filled = MailboxSettings.of(resolved.__getitem__, has_password=bool(resolved[PASSWORD])).is_filled
    return block_of_options(options.here, options.context, place) if is_filled else None


def _sections(rows: Iterable[Row]) -> Sequence[Section]:
    return [Section(title, list(members)) for title, members in groupby(rows, key=_section_of)]


def _name_of(error: InvalidInputError) -> str:
    """Return the name of the option in which something is wrong, in whatever language."""
    return error.field.partition("-")[0]


def _section_of(row: Row) -> Any:
    return row.option.section
