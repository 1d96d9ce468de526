"""The form of the options: what stands in its fields, kept or as somebody typed it, and what that asks of the desk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from werkzeug.datastructures import MultiDict

from cs_plugin import i18n
from cs_plugin.desk.option_authorisations import PASSWORD, Awaited, authorisation_of
from cs_plugin.desk.options import OptionsDraft, mailbox_of, password_of, trouble_with_password
from cs_plugin.errors import InvalidInputError, KeyLostError, SealedElsewhereError
from cs_plugin.rules.inquiry import clean_text
from cs_plugin.rules.languages import Language
from cs_plugin.rules.mailbox_settings import IMAP_FIELDS, IMAP_FLAGS, INCOMPLETE, Authorisation, MailboxSettings, wrong_flags
from cs_plugin.rules.options import OPTIONS, Kind, Option
from cs_plugin.rules.shops import ALL_SHOPS, Context
from cs_plugin.store.options import Key, Options, OwnOptions
from cs_plugin.store.vault import Vault

OWN, TYPED_PASSWORD = "own", "typed_password"
_CONNECTION = (*IMAP_FIELDS, *IMAP_FLAGS)
Value = str | bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where options are edited: a context, the contexts that it takes them from (itself first), the languages, and what is kept."""

    context: Context
    line: Sequence[Context]
    languages: Sequence[Language]
    kept: OwnOptions

    @property
    def inherits(self) -> bool:
        """Say whether there is anything to inherit, so that each field has a check box."""
        return self.context != ALL_SHOPS

    @property
    def resolved(self) -> Options:
        """Return the options that hold here."""
        return self.kept.along(self.line)

    def languages_of(self, option: Option) -> Sequence[str]:
        """Return the languages in which a form asks for an option; an empty one for what has none."""
        return [one.code for one in self.languages] if option.kind is Kind.TEXT_PER_LANGUAGE else [""]

    def shown(self, options: Options, option: Option, language: str) -> Value:
        """Return what a field shows of options: never a secret, and no text in a language that takes that of the default one."""
        if option.kind is Kind.SECRET:
            return ""
        if option.kind is Kind.SWITCH:
            return bool(options[option.name])
        if option.kind is Kind.TEXT_PER_LANGUAGE:
            return self._text(options, option, language)
        value = options[option.name]
        return "" if value is None else str(value)

    def fallback(self, option: Option) -> str:
        """Return the text that stands for an empty one: that of the default language, where somebody has set it."""
        return str(self.resolved.values.get((option.name, self.languages[0].code), "")) if option.kind is Kind.TEXT_PER_LANGUAGE else ""

    def _text(self, options: Options, option: Option, language: str) -> str:
        default = self.languages[0].code
        if (option.name, language) in options.values:
            return str(options.values[option.name, language])
        return "" if (option.name, default) in options.values else i18n.gettext(language, option.default)


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands in the form for an option, by language.

    `own` says that the context has a value of its own, or is to have it; `inherited` is what it has otherwise; `asked` holds the languages
    of which a posted form said anything.
    """

    option: Option
    own: bool
    values: Mapping[str, Value]
    inherited: Mapping[str, Value]
    asked: frozenset[str] = frozenset()

    def differs(self, other: Entry) -> bool:
        """Say whether saving would change anything about the option."""
        return self.own != other.own or (self.own and self.values != other.values)


@dataclass(frozen=True)
class OptionsForm:
    """The form in a place. `password` is one that was typed and is not saved yet; no page shows it.

    `awaits` is the provider that an authorisation in its place is asked of, where one is.
    """

    place: Place
    entries: Mapping[str, Entry]
    password: str = field(default="", repr=False)
    awaits: str = ""

    def draft(self) -> OptionsDraft:
        """Return what the form asks of the desk: everything that it said, and nothing of what it left out."""
        wanted = {name: self._wanted(entry) for name, entry in self.entries.items() if not entry.own or entry.asked}
        return OptionsDraft(self.place.context, wanted)

    def awaiting(self, provider: str) -> OptionsForm:
        """Return the form of somebody who asks a provider for an authorisation: it is the context's own, whether or not its box was checked."""
        password = replace(self.entries[PASSWORD], own=True, asked=frozenset({""}))
        return replace(self, entries={**self.entries, PASSWORD: password}, awaits=provider)

    def draft_once_authorised(self) -> OptionsDraft:
        """Return what the form would ask of the desk if the authorisation that it waits for were there."""
        draft = self.draft()
        return replace(draft, wanted={**draft.wanted, PASSWORD: {"": Awaited(self.awaits, at_once=True)}})

    def changed(self, kept: OptionsForm) -> frozenset[str]:
        """Return the names of the options that saving would change."""
        found = {name for name, entry in self.entries.items() if entry.differs(kept.entries[name])}
        return frozenset(found | ({PASSWORD} if self.password else set()))

    def names_a_mailbox(self) -> bool:
        """Say whether any field of the mailbox is filled in, the password aside."""
        options = self.typed_options()
        return any(options[name] for name in IMAP_FIELDS if name != PASSWORD)

    def fills_a_mailbox(self) -> bool:
        """Say whether this context would have a mailbox of its own making that is fetched by IMAP; for a form with nothing wrong in it."""
        has_own = any(self.entries[name].own for name in IMAP_FIELDS)
        options = self.typed_options()
        return has_own and all(options[name] for name in IMAP_FIELDS if name != PASSWORD) and not options["imap_pop3"]

    # --- The connection that the form describes ---------------------------------------------------------------------------------------------

    def typed_options(self) -> Options:
        """Return the options that would hold here; what cannot be kept counts as not said."""
        own: dict[Key, Any] = {}
        for name, entry in self.entries.items():
            if entry.own:
                own |= {(name, language): value for language, value in self._good(entry)}
        if self.entries[PASSWORD].own:
            # A box that is checked with nothing in the field inherits no password.
            own[PASSWORD, ""] = self.place.kept.of(self.place.context).get((PASSWORD, ""), "")
        return self.place.kept.with_own(self.place.context, own).along(self.place.line)

    def wrong_connection(self, vault: Vault) -> Iterator[InvalidInputError]:
        """Yield what keeps the described mailbox from being tried."""
        bad = list(self._bad_fields())
        yield from bad
        options = self.typed_options()
        yield from wrong_flags(options.__getitem__)
        trouble = None if self.password else trouble_with_password(vault, options)
        has_password = bool(self.password or options[PASSWORD])
        settings = MailboxSettings.of(options.__getitem__, has_password=has_password)
        told = {error.field for error in bad}
        for name in settings.missing:
            if name not in told:
                yield InvalidInputError(name, INCOMPLETE)
        if trouble is not None:
            yield trouble

    def authorisation(self) -> Authorisation | None:
        """Return the authorisation that would sign in; None where a password would."""
        return None if self.password else authorisation_of(self.typed_options())

    def connection(self, vault: Vault) -> tuple[MailboxSettings, str]:
        """Return the described mailbox and its password, empty where an authorisation signs in; for a form with nothing wrong in its connection."""
        options = self.typed_options()
        settings = mailbox_of(vault, options)
        return settings, self.password or password_of(vault, options)

    # --- Reading what was typed -------------------------------------------------------------------------------------------------------------

    def _wanted(self, entry: Entry) -> Mapping[str, object] | None:
        if not entry.own:
            return None
        if entry.option.name == PASSWORD:
            return {"": Awaited(self.awaits) if self.awaits and not self.password else self.password}
        return {language: entry.values[language] for language in entry.asked}

    def _good(self, entry: Entry) -> Iterator[tuple[str, Any]]:
        for language, value in entry.values.items():
            try:
                yield language, entry.option.checked(value)
            except InvalidInputError:
                continue

    def _bad_fields(self) -> Iterator[InvalidInputError]:
        for name in _CONNECTION:
            entry = self.entries[name]
            try:
                entry.option.checked(self.password if name == PASSWORD else entry.values[""])
            except InvalidInputError as error:
                if entry.own:
                    yield error


def kept_form(place: Place) -> OptionsForm:
    """Return the form as it stands with what is kept."""
    return OptionsForm(place, {option.name: _kept_entry(place, option) for option in OPTIONS})


def posted_form(place: Place, fields: MultiDict[str, str], vault: Vault, employee_id: str) -> OptionsForm:
    """Return the form as somebody filled it in; what it leaves out stands as it is kept."""
    own = frozenset(fields.getlist(OWN))
    entries = {option.name: _posted_entry(place, option, fields, own=not place.inherits or option.name in own) for option in OPTIONS}
    form = OptionsForm(place, entries)
    typed = fields.get(PASSWORD, "") or open_typed(vault, fields.get(TYPED_PASSWORD, ""), employee_id)
    # One that was typed before goes with its mailbox: nobody could empty a field that shows nothing.
    wanted = entries[PASSWORD].own and (fields.get(PASSWORD) or form.names_a_mailbox())
    return replace(form, password=typed) if typed and wanted else form


def seal_typed(vault: Vault, password: str, employee_id: str) -> str:
    """Return a password that is not saved yet, sealed for the form of the employee who typed it."""
    return vault.seal(password, _typed_place(employee_id))


def open_typed(vault: Vault, sealed: str, employee_id: str) -> str:
    """Return a password that `seal_typed` has sealed; empty for anything else."""
    try:
        return vault.open(sealed, _typed_place(employee_id)) if sealed else ""
    except (KeyLostError, SealedElsewhereError):
        return ""


def field_of(option: Option, language: str) -> str:
    """Return the name of an option's field, as errors name it too."""
    return f"{option.name}-{language}" if language else option.name


def _kept_entry(place: Place, option: Option) -> Entry:
    languages = place.languages_of(option)
    inherited = place.kept.along(place.line[1:])
    return Entry(
        option,
        own=not place.inherits or place.kept.has(place.context, option.name),
        values={language: place.shown(place.resolved, option, language) for language in languages},
        inherited={language: place.shown(inherited, option, language) for language in languages},
    )


def _posted_entry(place: Place, option: Option, fields: MultiDict[str, str], *, own: bool) -> Entry:
    kept = _kept_entry(place, option)
    names = {language: field_of(option, language) for language in kept.values}
    if option.kind is Kind.SWITCH:
        # A switch that is off is not posted; one that a script has put to sleep, since it is inherited, is not posted either.
        return Entry(option, own, {"": names[""] in fields} if own else kept.inherited, kept.inherited, frozenset({""}))
    said = {language: clean_text(fields[name]) if language else fields[name] for language, name in names.items() if name in fields}
    if option.kind is Kind.SECRET:
        return Entry(option, own, kept.values, kept.inherited, frozenset(said))
    return Entry(option, own, {**(kept.values if own else kept.inherited), **said}, kept.inherited, frozenset(said))


def _typed_place(employee_id: str) -> str:
    return f"typed:{employee_id}"
