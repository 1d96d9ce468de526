"""Options in a context: what it has of its own and what it inherits, what somebody wants of them, and whether that goes together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cs_plugin import i18n
from cs_plugin.desk.bench import Bench
from cs_plugin.desk.option_authorisations import (
    PASSWORD,
    Awaited,
    Given,
    GivenUp,
    authorisation_of,
    give_up,
    is_valid,
    trouble_with_authorisation,
    with_rows,
)
from cs_plugin.errors import InvalidInputError, KeyLostError, NotFoundError, NotPermittedError, SealedElsewhereError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.mailbox_settings import (
    IMAP_FIELDS,
    IMAP_FLAGS,
    Authorisation,
    MailboxSettings,
    Security,
    place_of_password,
    security_of,
    wrong_fields,
    wrong_flags,
)
from cs_plugin.rules.options import BY_NAME, Kind
from cs_plugin.rules.permissions import Actor, Grants, Permission
from cs_plugin.rules.shops import ALL_SHOPS, Context, Shop, contexts_of, line_of, name_of
from cs_plugin.store.locking import wait_for_turn
from cs_plugin.store.options import Key, Options, OwnOptions, inherit_option, read_own_options, set_option
from cs_plugin.store.vault import Vault

_IMAP = frozenset({*IMAP_FIELDS, *IMAP_FLAGS})


@dataclass(frozen=True, slots=True)
class OptionsDraft:
    """What somebody wants of the options of a context.

    `wanted` holds, under an option's name, its own values by language (an empty one where it has none): as forms send them, a secret as it was
    typed, an empty one to keep what there is, `Awaited` or `Given` for an authorisation in its place. None in the place of all of them takes away
    what the context has of its own, in the place of a text that in one language. What is not named stays as it is, whether it is an option or a
    language.
    """

    context: Context
    wanted: Mapping[str, Mapping[str, object] | None]

    def __repr__(self) -> str:
        # A password that was just typed is among the values: names alone may reach a traceback or a log.
        return f"OptionsDraft({self.context}, {', '.join(self.wanted)})"


def may_configure(grants: Grants, context: Context, shops: Sequence[Shop]) -> bool:
    """Say whether an employee may change the options of a context: they configure every shop of it, those of tomorrow included."""
    if context == ALL_SHOPS:
        return grants.allow_everywhere(Permission.CONFIGURE)
    members = context.shops(shops)
    return bool(members) and all(grants.allow(Permission.CONFIGURE, shop.id) for shop in members)


def wrong_with(bench: Bench, draft: OptionsDraft) -> list[InvalidInputError]:
    """Return everything that is wrong with a draft; fields are the options' names, "default_message-fr" for a text in a language.

    Raise NotFoundError for a context, an option or a language that there is not.
    """
    before = read_own_options(bench.session).seen_from(draft.context, bench.shops)
    _require_known(bench, draft, before)
    return _Plan.of(bench, draft, before).wrong


def save_options(bench: Bench, actor: Actor, draft: OptionsDraft) -> tuple[GivenUp, ...]:
    """Write what a draft wants, or nothing of it; return the authorisations that it leaves nothing to point to, to be given back after the commit.

    Raise InvalidInputError for the first field that is wrong, NotFoundError for a context, an option or a language that there is not,
    NotPermittedError where the employee may not configure every shop of the context.
    """
    if draft.context not in contexts_of(bench.shops):
        raise NotFoundError("context", draft.context)
    if not may_configure(actor.grants, draft.context, bench.shops):
        raise NotPermittedError(Permission.CONFIGURE)
    # Two halves of a pair that is refused, each saved by somebody else at the same moment, would both look good alone.
    wait_for_turn(bench.session)
    kept = read_own_options(bench.session, to_change=True)
    before = kept.seen_from(draft.context, bench.shops)
    _require_known(bench, draft, before)
    plan = _Plan.of(bench, draft, before)
    for error in plan.wrong:
        raise error
    own = with_rows(bench, actor, draft.context, plan.own, _given(draft))
    _write(bench, draft, kept, own)
    # What a shop that is alone now had of its own is that of all shops from here on: nobody could change it otherwise.
    for context in kept.by_context.keys() - before.by_context.keys():
        for name, language in kept.of(context):
            inherit_option(bench.session, name, context=context, language=language)
    return give_up(bench, kept, before.with_own(draft.context, own))


def _given(draft: OptionsDraft) -> Given | None:
    wanted = (draft.wanted.get(PASSWORD) or {}).get("")
    return wanted if isinstance(wanted, Given) else None


def _write(bench: Bench, draft: OptionsDraft, kept: OwnOptions, wanted: Mapping[Key, Any]) -> None:
    own = kept.of(draft.context)
    cleared = {key for context, key in kept.of_no_use if context == draft.context and key[0] in draft.wanted}
    for name, language in (own.keys() | cleared) - wanted.keys():
        inherit_option(bench.session, name, context=draft.context, language=language)
    for (name, language), value in wanted.items():
        if (name, language) not in own or own[name, language] != value:
            set_option(bench.session, name, value, bench.now, context=draft.context, language=language)


def _require_known(bench: Bench, draft: OptionsDraft, before: OwnOptions) -> None:
    if draft.context not in contexts_of(bench.shops):
        raise NotFoundError("context", draft.context)
    own = before.of(draft.context)
    for name, values in draft.wanted.items():
        if name not in BY_NAME:
            raise NotFoundError("option", name)
        languages = {one.code for one in bench.languages} if BY_NAME[name].kind is Kind.TEXT_PER_LANGUAGE else {""}
        for language in values or ():
            # A text may stay in a language that the host does not list any more.
            if language not in languages and (name, language) not in own:
                raise NotFoundError("language", language)


# --- The mailbox that options describe ------------------------------------------------------------------------------------------------------------


def mailbox_of(vault: Vault, options: Options) -> MailboxSettings:
    """Return the mailbox that resolved options describe; its password counts where it is to be had, and was given for this very server.

    An authorisation counts as the password.
    """
    has_password = bool(options[PASSWORD]) and trouble_with_password(vault, options) is None
    return MailboxSettings.of(options.__getitem__, has_password=has_password)


def password_of(vault: Vault, options: Options) -> str:
    """Return the password of the mailbox; empty where none is kept, or an authorisation in its place. Raise KeyLostError, SealedElsewhereError.

    One that was given for a line that others can read, or a server that nobody vouches for, is of use for a better line as well; never the other
    way round: whoever may switch /notls on has not been told the password.
    """
    sealed, server = options[PASSWORD], options["imap_url"]
    if not sealed or authorisation_of(options) is not None:
        return ""
    if security_of(options.__getitem__).is_weakened:
        return vault.open(sealed, _weakened(server))
    try:
        return vault.open(sealed, server)
    except SealedElsewhereError as error:
        if error.place == _weakened(server):
            return vault.open(sealed, error.place)
        raise


def _weakened(server: str) -> str:
    """Return the place of a password that was given for any line to a server."""
    return place_of_password(server, Security(verify=False))


def trouble_with_password(vault: Vault, options: Options) -> InvalidInputError | None:
    """Return why a kept password, or the authorisation in its place, is of no use here; None where it is, or where there is none."""
    if (trouble := trouble_with_authorisation(options)) is not None:
        return trouble
    try:
        password_of(vault, options)
    except (KeyLostError, SealedElsewhereError) as error:
        return of_no_use(error, options["imap_url"], PASSWORD)
    return None


def of_no_use(error: KeyLostError | SealedElsewhereError, server: str, field: str) -> InvalidInputError:
    """Return in words why a kept password does not sign in to a server."""
    if isinstance(error, KeyLostError):
        return InvalidInputError(field, _("The kept password cannot be read: the key that encrypted it is gone. Enter the password again."))
    given_for = error.place.partition(" ")[0]
    if given_for == server:
        return InvalidInputError(field, _("The kept password was given for a safer connection. Enter it again."))
    return InvalidInputError(field, _("The kept password is the one for %(server)s. Enter the one for this server."), server=given_for or "--")


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
            if values is None:
                _take_away(own, name)
            elif name != PASSWORD:
                _take_values(bench, own, name, values, wrong)
        if draft.context == ALL_SHOPS:
            _drop_defaults(bench, own, draft.wanted.keys())
        # Last: it is sealed for the server that the other fields come to.
        _take_password(bench, draft, before, own, wrong)
        if _IMAP & draft.wanted.keys():
            wrong += _wrong_mailbox(bench, draft, before, own, told={error.field for error in wrong})
        return cls(own, wrong)


def _take_away(own: dict[Key, Any], name: str) -> None:
    for key in [key for key in own if key[0] == name]:
        del own[key]


def _take_values(bench: Bench, own: dict[Key, Any], name: str, values: Mapping[str, object], wrong: list[InvalidInputError]) -> None:
    """Put an option's values among a context's own, and add to `wrong` what it cannot hold."""
    option = BY_NAME[name]
    for language, value in values.items():
        if option.kind is Kind.TEXT_PER_LANGUAGE and _is_left_empty(bench, language, value):
            own.pop((name, language), None)
            continue
        try:
            own[name, language] = option.checked(value)
        except InvalidInputError as error:
            wrong.append(InvalidInputError(f"{name}-{language}" if language else name, error.message, **error.values))


def _is_left_empty(bench: Bench, language: str, value: object) -> bool:
    """Say whether a text is none of its own: in the default language an empty one is a text like any other, in another one it is inherited."""
    return value is None or (isinstance(value, str) and not value.strip() and language != bench.languages[0].code)


def _drop_defaults(bench: Bench, own: dict[Key, Any], names: Collection[str]) -> None:
    """Take away from all shops what would hold there anyway: where a later version has another default, it follows that."""
    default_language = bench.languages[0].code
    # The default language comes first: where its text is no more than the default, the others do not fall back to it, but have defaults of their own.
    for name, language in sorted((key for key in own if key[0] in names), key=lambda key: key[1] != default_language):
        option = BY_NAME[name]
        default = option.default
        if option.kind is Kind.TEXT_PER_LANGUAGE:
            default = i18n.gettext(language, default)
            if language != default_language:
                default = own.get((name, default_language), default)
        if own[name, language] == default:
            del own[name, language]


def _take_password(bench: Bench, draft: OptionsDraft, before: OwnOptions, own: dict[Key, Any], wrong: list[InvalidInputError]) -> None:
    """Put the password among a context's own values: the one that was typed, else the one that is kept, else none."""
    values = draft.wanted.get(PASSWORD)
    if not values:
        return
    kept = own.pop((PASSWORD, ""), "")
    after = before.with_own(draft.context, own).along(line_of(draft.context, bench.shops))
    if isinstance(values[""], Awaited | Given):
        _take_authorisation(bench, values[""], kept, after, own)
        return
    try:
        typed = BY_NAME[PASSWORD].checked(values[""])
    except InvalidInputError as error:
        wrong.append(error)
        typed = ""
    if typed:
        server = after["imap_url"]
        own[PASSWORD, ""] = bench.vault.seal(typed, place_of_password(server, security_of(after.__getitem__)))
    elif kept and any(after[name] for name in IMAP_FIELDS if name != PASSWORD):
        own[PASSWORD, ""] = kept
    elif draft.context != ALL_SHOPS:
        # The box is checked and nothing is there: this context has no mailbox, whatever the others have.
        own[PASSWORD, ""] = ""


def _take_authorisation(bench: Bench, wanted: Awaited | Given, kept: str, inherited: Options, own: dict[Key, Any]) -> None:
    """Put an authorisation among a context's own values; while it is waited for, whatever signs in to this mailbox goes on doing so."""
    if isinstance(wanted, Given):
        own[PASSWORD, ""] = wanted.authorisation.kept
    elif wanted.at_once:
        own[PASSWORD, ""] = Authorisation.wanted(wanted.provider, inherited.__getitem__).kept
    elif kept and signs_in(bench, Options({**inherited.values, (PASSWORD, ""): kept})):
        own[PASSWORD, ""] = kept
    elif not signs_in(bench, inherited):
        own[PASSWORD, ""] = Authorisation.wanted(wanted.provider, inherited.__getitem__).kept


def signs_in(bench: Bench, options: Options) -> bool:
    """Say whether resolved options hold what may sign in: a password that can be opened for this line, or an authorisation that is of use."""
    found = authorisation_of(options)
    if not options[PASSWORD] or trouble_with_password(bench.vault, options) is not None:
        return False
    return found is None or is_valid(bench, found)


def _wrong_mailbox(
    bench: Bench, draft: OptionsDraft, before: OwnOptions, own: Mapping[Key, Any], *, told: Collection[str]
) -> Iterator[InvalidInputError]:
    """Yield what is wrong with the mailbox of the context; with nothing wrong there, what a narrower one could no longer be with what it has.

    Fields of `told` have been found wrong already.
    """
    after, shops = before.with_own(draft.context, own), bench.shops
    errors = [error for error in _wrong_at(bench.vault, after.along(line_of(draft.context, shops))) if error.field not in told]
    yield from errors
    if errors or told:
        return
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
    settings = MailboxSettings.of(options.__getitem__, has_password=bool(options[PASSWORD]))
    yield from wrong_fields(settings)
    if not settings.is_filled:
        return
    if (trouble := trouble_with_authorisation(options)) is not None:
        yield trouble
    try:
        password_of(vault, options)
    except SealedElsewhereError as error:
        yield of_no_use(error, options["imap_url"], PASSWORD)
    except KeyLostError:
        # It is told where it stands, and keeps nobody from saving anything else.
        return
