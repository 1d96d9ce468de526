"""Options in a context: what it has of its own and what it inherits, what somebody wants of them, and whether that goes together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cs_plugin import i18n
from cs_plugin.desk.bench import Bench
from cs_plugin.errors import InvalidInputError, KeyLostError, NotFoundError, NotPermittedError, SealedElsewhereError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import clean_text
from cs_plugin.rules.mailbox_settings import IMAP_FIELDS, IMAP_FLAGS, MailboxSettings, wrong_fields, wrong_flags
from cs_plugin.rules.options import BY_NAME, Kind
from cs_plugin.rules.permissions import Actor, Grants, Permission
from cs_plugin.rules.shops import ALL_SHOPS, Context, Shop, contexts_of, line_of, name_of
from cs_plugin.store.locking import wait_for_turn
from cs_plugin.store.options import Key, Options, OwnOptions, inherit_option, read_own_options, sealed_options, set_option
from cs_plugin.store.vault import Vault

_PASSWORD = "imap_password"  # noqa: S105 - the name of an option
_IMAP = frozenset({*IMAP_FIELDS, *IMAP_FLAGS})


@dataclass(frozen=True, slots=True)
class OptionsDraft:
    """What somebody wants of the options of a context.

    `wanted` holds, under an option's name, its own values by language (an empty one where it has none): as forms send them, a secret as it was
    typed, an empty one to keep what there is. None takes its own value away; what is not named stays as it is.
    """

    context: Context
    wanted: Mapping[str, Mapping[str, object] | None]


def may_configure(grants: Grants, context: Context, shops: Sequence[Shop]) -> bool:
    """Say whether an employee may change the options of a context: they configure every shop of it, those of tomorrow included."""
    if context == ALL_SHOPS:
        return grants.allow_everywhere(Permission.CONFIGURE)
    members = context.shops(shops)
    return bool(members) and all(grants.allow(Permission.CONFIGURE, shop.id) for shop in members)


def wrong_with(bench: Bench, draft: OptionsDraft) -> list[InvalidInputError]:
    """Return everything that is wrong with a draft; fields are the options' names, "default_message-fr" for a text in a language."""
    return _Plan.of(bench, draft, read_own_options(bench.session)).wrong


def save_options(bench: Bench, actor: Actor, draft: OptionsDraft) -> None:
    """Write what a draft wants, or nothing of it.

    Raise InvalidInputError for the first field that is wrong, NotFoundError for a context that there is not, NotPermittedError where the
    employee may not configure every shop of it.
    """
    if draft.context not in contexts_of(bench.shops):
        raise NotFoundError("context", draft.context)
    if not may_configure(actor.grants, draft.context, bench.shops):
        raise NotPermittedError(Permission.CONFIGURE)
    # Two halves of a pair that is refused, each saved by somebody else at the same moment, would both look good alone.
    wait_for_turn(bench.session)
    before = read_own_options(bench.session)
    plan = _Plan.of(bench, draft, before)
    for error in plan.wrong:
        raise error
    own = before.of(draft.context)
    for name, language in own.keys() - plan.own.keys():
        inherit_option(bench.session, name, context=draft.context, language=language)
    for (name, language), value in plan.own.items():
        if (name, language) not in own or own[name, language] != value:
            set_option(bench.session, name, value, bench.now, context=draft.context, language=language)


# --- The mailbox that options describe ------------------------------------------------------------------------------------------------------------


def mailbox_of(vault: Vault, options: Options) -> MailboxSettings:
    """Return the mailbox that resolved options describe; its password counts where it is to be had, and was given for this very server."""
    sealed = options[_PASSWORD]
    return MailboxSettings.of(options.__getitem__, has_password=bool(sealed) and vault.opens(sealed, options["imap_url"]))


def password_of(vault: Vault, options: Options) -> str:
    """Return the password of the mailbox; empty where none is kept. Raise KeyLostError, SealedElsewhereError."""
    return vault.open(options[_PASSWORD], options["imap_url"]) if options[_PASSWORD] else ""


def trouble_with_password(vault: Vault, options: Options) -> InvalidInputError | None:
    """Return why a kept password is of no use here; None where it is, or where none is kept."""
    try:
        password_of(vault, options)
    except KeyLostError:
        return InvalidInputError(_PASSWORD, _("The kept password cannot be read: the key that encrypted it is gone. Enter the password again."))
    except SealedElsewhereError as error:
        message = _("The kept password is the one for %(server)s. Enter the one for this server.")
        return InvalidInputError(_PASSWORD, message, server=error.place or "--")
    return None


def seal_options_anew(bench: Bench) -> tuple[int, int]:
    """Seal every kept secret with the first key; return how many were sealed anew, and how many no key opens, which stay as they are."""
    sealed = lost = 0
    for row in sealed_options(bench.session):
        token = json.loads(row.value)
        if bench.vault.is_sealed_anew(token):
            continue
        try:
            anew = bench.vault.seal_anew(token)
        except KeyLostError:
            lost += 1
            continue
        set_option(bench.session, row.name, anew, bench.now, context=Context(row.breadth, row.breadth_id), language=row.language)
        sealed += 1
    return sealed, lost


# --- What a draft comes to ------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Plan:
    """What a context would have of its own, and what is wrong with that."""

    own: Mapping[Key, Any]
    wrong: list[InvalidInputError]

    @classmethod
    def of(cls, bench: Bench, draft: OptionsDraft, before: OwnOptions) -> _Plan:
        own, wrong = dict(before.of(draft.context)), list[InvalidInputError]()
        for name, values in draft.wanted.items():
            if name == _PASSWORD:
                continue
            for key in [key for key in own if key[0] == name]:
                del own[key]
            if values is not None:
                own |= _checked(bench, draft.context, name, values, wrong)
        if not wrong:
            _keep_password(bench, draft, before, own)
            wrong = [*_wrong_mailbox(bench, draft, before, own)]
        return cls(own, wrong)


def _checked(bench: Bench, context: Context, name: str, values: Mapping[str, object], wrong: list[InvalidInputError]) -> dict[Key, Any]:
    """Return an option's own values, and add to `wrong` what it cannot hold."""
    option, kept = BY_NAME[name], dict[Key, Any]()
    for language, value in values.items():
        try:
            checked = option.checked(clean_text(value) if option.kind is Kind.TEXT_PER_LANGUAGE and isinstance(value, str) else value)
        except InvalidInputError as error:
            wrong.append(InvalidInputError(f"{name}-{language}" if language else name, error.message, **error.values))
            continue
        if _is_own(bench, context, name, language, checked):
            kept[name, language] = checked
    return kept


def _is_own(bench: Bench, context: Context, name: str, language: str, value: Any) -> bool:
    """Say whether a value is kept: an empty text of another language than the default means "as in the default language".

    For all shops, what equals the default is no value of its own: it follows the default.
    """
    option = BY_NAME[name]
    if option.kind is not Kind.TEXT_PER_LANGUAGE:
        return context != ALL_SHOPS or bool(value != option.default)
    if not value.strip() and language != bench.languages[0].code:
        return False
    return context != ALL_SHOPS or bool(value != i18n.gettext(language, option.default))


def _keep_password(bench: Bench, draft: OptionsDraft, before: OwnOptions, own: dict[Key, Any]) -> None:
    """Put the password into what the context has of its own: the one that was typed, else the one that is kept, else none."""
    if _PASSWORD not in draft.wanted:
        return
    own.pop((_PASSWORD, ""), None)
    values = draft.wanted[_PASSWORD]
    if values is None:
        return
    after = before.with_own(draft.context, own).along(line_of(draft.context, bench.shops))
    typed, kept = str(values.get("", "")), before.of(draft.context).get((_PASSWORD, ""), "")
    if typed:
        own[_PASSWORD, ""] = bench.vault.seal(typed, after["imap_url"])
    elif kept and any(after[name] for name in IMAP_FIELDS if name != _PASSWORD):
        own[_PASSWORD, ""] = kept
    elif draft.context != ALL_SHOPS:
        # The box is checked and nothing is there: this context has no mailbox, whatever the others have.
        own[_PASSWORD, ""] = ""


def _wrong_mailbox(bench: Bench, draft: OptionsDraft, before: OwnOptions, own: Mapping[Key, Any]) -> Iterator[InvalidInputError]:
    """Yield what is wrong with the mailbox of the context, then what a narrower context could no longer be with what it has of its own."""
    if not _IMAP & draft.wanted.keys():
        return
    after, shops = before.with_own(draft.context, own), bench.shops
    yield from _wrong_at(bench.vault, after.along(line_of(draft.context, shops)))
    for narrower in contexts_of(draft.context.shops(shops)):
        line = line_of(narrower, shops)
        if narrower == draft.context or draft.context not in line or not any(after.has(narrower, name) for name in _IMAP):
            continue
        errors = list(_wrong_at(bench.vault, after.along(line)))
        if errors and not any(_wrong_at(bench.vault, before.along(line))):
            field = next((error.field for error in errors if error.field in draft.wanted), "imap_url")
            yield InvalidInputError(field, _("This does not go together with what %(shop)s has of its own."), shop=name_of(narrower, shops))


def _wrong_at(vault: Vault, options: Options) -> Iterator[InvalidInputError]:
    yield from wrong_flags(options.__getitem__)
    settings = MailboxSettings.of(options.__getitem__, has_password=bool(options[_PASSWORD]))
    missing = list(wrong_fields(settings))
    yield from missing
    trouble = trouble_with_password(vault, options) if settings.is_filled else None
    # One that no key opens is told where it stands, and keeps nobody from saving anything else.
    if trouble is not None and "server" in trouble.values:
        yield trouble
