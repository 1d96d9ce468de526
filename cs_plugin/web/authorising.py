"""Authorising a mailbox with its provider: the way there, and the way back, bound to the session, the employee and what it was begun for."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import session, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from cs_plugin import i18n
from cs_plugin.desk.mailboxes import authorise, context_of
from cs_plugin.desk.option_authorisations import PASSWORD, Given, GivenUp
from cs_plugin.desk.options import OptionsDraft, may_configure, save_options
from cs_plugin.errors import CustomerServiceError, InvalidInputError, KeyLostError, NotFoundError, NotPermittedError, SealedElsewhereError
from cs_plugin.i18n import marked as _
from cs_plugin.mail.oauth import NOT_INSTALLED, PROVIDERS, AuthorisationError, Leave, NotWhatWasAskedError, OAuthClient, is_installed
from cs_plugin.rules.inquiry import clean_line
from cs_plugin.rules.mailbox_settings import Authorisation, protocol_of
from cs_plugin.rules.shops import Context, Shop, read_context
from cs_plugin.store import mailbox_setup
from cs_plugin.store.locking import let_go
from cs_plugin.store.models import Mailbox
from cs_plugin.store.oauth_tokens import Tokens, is_known
from cs_plugin.store.options import Options
from cs_plugin.sync.authorisation import tokens_of
from cs_plugin.web.leading_on import lead_on
from cs_plugin.web.mounted import Mounted
from cs_plugin.web.reading import Visit

_KEPT = "cs_oauth"
_BACK = "cs_mailboxes.authorised"
_AGAIN = "again"
# How many seconds somebody may take to agree.
_LASTS = 15 * 60
_NOT_OURS = _("This authorisation was not begun here, or was begun too long ago. Please begin again.")
_REFUSED = _("The authorisation was not given: %(words)s")
_FAILED = _("The provider did not take the authorisation: %(words)s")
_GIVEN = _("The mailbox is authorised.")


@dataclass(frozen=True, slots=True)
class Goal:
    """What an authorisation is asked for: a mailbox of its own, by its id, or that of a context's options; and where that mailbox lies.

    `place` is protocol, server and user. What comes back is of use for nothing else: whoever changes the server meanwhile gets no token.
    """

    place: tuple[str, str, str]
    mailbox_id: int | None = None
    context: Context | None = None

    @classmethod
    def of_mailbox(cls, row: Mailbox) -> Goal:
        """Return that of a mailbox with a form of its own."""
        return cls((row.protocol, row.server, row.username), mailbox_id=row.id)

    @classmethod
    def of_options(cls, context: Context, options: Options) -> Goal:
        """Return that of the mailbox that the resolved options of a context describe."""
        value = options.__getitem__
        return cls((protocol_of(value), value("imap_url"), value("imap_user")), context=context)

    @classmethod
    def read(cls, kept: Mapping[str, Any], shops: Sequence[Shop]) -> Goal:
        """Return what was kept. Raise KeyError, TypeError, ValueError for what says nothing."""
        protocol, server, user = (str(one) for one in kept["place"])
        if "mailbox" in kept:
            return cls((protocol, server, user), mailbox_id=int(kept["mailbox"]))
        context = read_context(kept["context"], shops)
        if context is None:
            raise ValueError("context")
        return cls((protocol, server, user), context=context)

    def kept(self) -> dict[str, Any]:
        """Return it as a session keeps it."""
        which = {"mailbox": self.mailbox_id} if self.context is None else {"context": str(self.context)}
        return {"place": list(self.place), **which}


@dataclass(frozen=True, slots=True)
class CameBack:
    """What became of somebody who came back: what to say, and what it is about, if that is known."""

    message: str
    good: bool = False
    goal: Goal | None = None
    values: Mapping[str, object] = field(default_factory=dict)


def why_not(here: Visit, provider: str) -> str:
    """Return why nobody can authorise with a provider here; empty where they can."""
    if not is_installed():
        return NOT_INSTALLED
    if provider not in here.desk.oauth:
        return _("Not set up on this server: the configuration names no client ID for it.")
    return ""


def begin(here: Visit, client: OAuthClient, goal: Goal) -> ResponseReturnValue:
    """Send whoever owns a mailbox to its provider, and remember in the session who asked, and for what."""
    protocol, _server, user = goal.place
    begun = client.begin(_redirect(here), protocol=protocol, account=user)
    session[_KEPT] = {
        "state": begun.state,
        "verifier": here.desk.vault.seal(begun.verifier, _place(here)),
        "provider": client.provider.name,
        "employee": here.actor().employee.id,
        "at": here.now.timestamp(),
        **goal.kept(),
    }
    title = i18n.gettext(here.employee_language, _("Authorise with %(provider)s"), provider=client.provider.title)
    return lead_on(here, begun.url, title)


def once_more(here: Visit, args: MultiDict[str, str]) -> ResponseReturnValue | None:
    """Let somebody who comes back from a provider without the session that they went with come again, from a page of ours; None for anybody else.

    The cookie of a host's session may be `Strict`.
    """
    if _KEPT in session or _AGAIN in args or "state" not in args:
        return None
    return lead_on(here, f"?{urlencode([*args.items(multi=True), (_AGAIN, '1')])}", i18n.gettext(here.employee_language, _("Customer Service")))


def come_back(here: Visit, args: Mapping[str, str]) -> CameBack:
    """Take what somebody brings back from a provider, once. The provider is asked while no transaction is open."""
    kept = session.pop(_KEPT, None)
    found = _kept(here, kept, args.get("state", ""))
    if found is None:
        return CameBack(_NOT_OURS)
    goal, client, verifier = found
    if args.get("error") or not args.get("code"):
        words = clean_line(args.get("error_description") or args.get("error") or "--", 200)
        return CameBack(_REFUSED, goal=goal, values={"words": words})
    if not _may_authorise(here, goal):
        return CameBack(_NOT_OURS)
    let_go(here.desk.session())
    try:
        leave = client.finish(_redirect(here), args["code"][:4_096], verifier, protocol=goal.place[0])
    except NotWhatWasAskedError as error:
        return CameBack(error.words, goal=goal)
    except AuthorisationError as error:
        return CameBack(_FAILED, goal=goal, values={"words": error.words})
    try:
        given_up = _keep(here, goal, client, tokens_of(leave, here.desk.clock()))
    except InvalidInputError as error:
        _give_back_at_once(here, client, goal, leave)
        return CameBack(error.message, goal=goal, values=error.values)
    except (NotFoundError, NotPermittedError):
        _give_back_at_once(here, client, goal, leave)
        return CameBack(_NOT_OURS)
    give_back(here.desk, given_up)
    return CameBack(_GIVEN, good=True, goal=goal)


def _may_authorise(here: Visit, goal: Goal) -> bool:
    """Say whether what it was begun for is still this employee's to change."""
    context = goal.context
    if goal.mailbox_id is not None:
        row = mailbox_setup.find_mailbox(here.desk.session(), goal.mailbox_id)
        context = context_of(row) if row is not None else None
    return context is not None and may_configure(here.grants, context, here.shops)


def _keep(here: Visit, goal: Goal, client: OAuthClient, tokens: Tokens) -> Sequence[GivenUp]:
    """Keep what was given for what it was begun for, and return what that takes the place of. Raise as the desk does."""
    provider, actor = client.provider.name, here.actor()
    if goal.context is None:
        mailbox_id = goal.mailbox_id or 0
        return here.desk.do(lambda bench: authorise(bench, actor, mailbox_id, Given(Authorisation(0, provider, *goal.place), tokens)))
    given = Given(Authorisation(0, provider, *goal.place), tokens)
    draft = OptionsDraft(goal.context, {PASSWORD: {"": given}})
    return here.desk.do(lambda bench: save_options(bench, actor, draft))


def _give_back_at_once(here: Visit, client: OAuthClient, goal: Goal, leave: Leave) -> None:
    """Give back what could not be kept, unless another mailbox of that account needs it."""
    session = here.desk.session()
    needed = is_known(session, client.provider.name, goal.place[2])
    let_go(session)
    if not needed:
        client.revoke(leave.refresh_token)


def give_back(desk: Mounted, given_up: Iterable[GivenUp]) -> None:
    """Give authorisations back to their providers that nothing points to any more, whether or not they take them. No transaction may be open."""
    for one in given_up:
        client = desk.oauth.get(one.provider)
        if client is None:
            continue
        try:
            secret = desk.vault.open(one.sealed, one.place)
        except (KeyLostError, SealedElsewhereError):
            continue
        client.revoke(secret)


def _redirect(here: Visit) -> str:
    """Return the address to come back to, which the provider knows: one that a request makes up is refused there."""
    app = here.desk.app
    public = app.config["CS_ADMIN_PUBLIC_URL"]
    if not public:
        return url_for(_BACK, _external=True)
    # Where the application is mounted below a path, the public address has that already.
    return f"{public.rstrip('/')}{urlsplit(app.url_map.bind('localhost').build(_BACK)).path}"


def _kept(here: Visit, kept: Any, state: str) -> tuple[Goal, OAuthClient, str] | None:
    """Return what was begun, where the session holds it, for this employee, not too long ago, under this state; None otherwise."""
    try:
        good = (
            hmac.compare_digest(str(kept["state"]).encode(), state.encode())
            and kept["employee"] == here.actor().employee.id
            and 0 <= here.now.timestamp() - float(kept["at"]) <= _LASTS
            and kept["provider"] in {one.name for one in PROVIDERS}
        )
        if not good:
            return None
        return Goal.read(kept, here.shops), here.desk.oauth[kept["provider"]], here.desk.vault.open(kept["verifier"], _place(here))
    except (CustomerServiceError, KeyError, TypeError, ValueError):
        return None


def _place(here: Visit) -> str:
    return f"authorising {here.actor().employee.id}"
