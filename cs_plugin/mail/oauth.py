"""OAuth 2 (RFC 6749, with PKCE, RFC 7636): leave of a provider to read a mailbox, had, renewed and given back over the network."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cs_plugin.errors import CustomerServiceError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import clean_line

if TYPE_CHECKING:
    from authlib.integrations.requests_client import OAuth2Session

_NO_RENEWAL = _("The provider gave an authorisation that cannot be renewed. Take away the access of this store in the account, and begin again.")
_NO_MAIL = _("The provider gave an authorisation that does not let mail be read. Begin again, and allow everything that is asked for.")
NOT_INSTALLED = _("Authlib is not installed on this server: install cs-plugin[oauth].")
# What a provider says when its leave is over: expired, revoked by its owner, or given for a password that has changed since (RFC 6749, section 5.2).
_ENDED = frozenset({"invalid_grant", "interaction_required", "consent_required", "login_required"})
_MOST_WORDS = 300
# An answer without a lifetime is taken for a short one (RFC 6749, section 4.2.2, only recommends to tell it).
_LASTS = 600
_LONGEST = 30 * 24 * 3600


class AuthorisationError(CustomerServiceError):
    """Say that a provider did not give what it was asked for; `ended` where only a new authorisation helps, else it may do so later."""

    def __init__(self, words: str, *, ended: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.ended = ended


class NotWhatWasAskedError(AuthorisationError):
    """Say, in a sentence that can be shown, that what a provider gave is of no use: it cannot be renewed, or is not for mail."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider of mailboxes: its name and title, where it is asked, for what, and its mail servers by protocol: (server, port).

    `asks` are further parameters of the page on which somebody agrees. Without a `revoke` address there is no giving back.
    """

    name: str
    title: str
    authorise: str
    token: str
    revoke: str
    scopes: Mapping[str, str]
    servers: Mapping[str, tuple[str, int]]
    asks: Mapping[str, str] = field(default_factory=dict)


# https://developers.google.com/identity/protocols/oauth2/web-server, https://developers.google.com/workspace/gmail/imap/xoauth2-protocol;
# https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
PROVIDERS: tuple[Provider, ...] = (
    Provider(
        "google",
        "Google",
        authorise="https://accounts.google.com/o/oauth2/v2/auth",
        token="https://oauth2.googleapis.com/token",  # noqa: S106 - an address
        revoke="https://oauth2.googleapis.com/revoke",
        scopes={"imap": "https://mail.google.com/", "pop3": "https://mail.google.com/"},
        servers={"imap": ("imap.gmail.com", 993), "pop3": ("pop.gmail.com", 995)},
        # Only so does an answer hold what renews it, also the second time.
        asks={"access_type": "offline", "prompt": "consent"},
    ),
    Provider(
        "microsoft",
        "Microsoft",
        authorise="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
        token="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",  # noqa: S106 - an address
        revoke="",
        scopes={
            "imap": "https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
            "pop3": "https://outlook.office.com/POP.AccessAsUser.All offline_access",
        },
        servers={"imap": ("outlook.office365.com", 993), "pop3": ("outlook.office365.com", 995)},
        asks={"prompt": "select_account"},
    ),
)


@dataclass(frozen=True, slots=True)
class Begun:
    """An authorisation that somebody is sent away for: where to, and what has to come back with them."""

    url: str
    state: str
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Leave:
    """What a provider gave: a token to sign in with for `lasts` seconds, what renews it ("" where that stays as it was), and what it is good for."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    lasts: int
    scopes: str = ""


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """The store, as a provider knows it. `timeout` is in seconds, for each step."""

    provider: Provider
    client_id: str
    client_secret: str = field(repr=False)
    timeout: float = 20.0

    def begin(self, redirect: str, *, protocol: str, account: str) -> Begun:
        """Return where whoever owns the mailbox is sent; `redirect` is where they come back to. It talks to nobody."""
        verifier = secrets.token_urlsafe(48)
        with _plainly(), self._session(redirect, self.provider.scopes[protocol]) as session:
            hint = {"login_hint": account} if "@" in account else {}
            url, state = session.create_authorization_url(self.provider.authorise, code_verifier=verifier, **self.provider.asks, **hint)
        return Begun(url, state, verifier)

    def finish(self, redirect: str, code: str, verifier: str, *, protocol: str) -> Leave:
        """Exchange the code with which somebody came back. Raise AuthorisationError, NotWhatWasAskedError for what does not read mail."""
        with _plainly(), self._session(redirect) as session:
            found = session.fetch_token(
                self.provider.token, grant_type="authorization_code", code=code, code_verifier=verifier, **self._politely()
            )
        leave = _leave(found)
        # Whoever agrees may leave a tick out. A provider that says nothing of it has given what was asked for (RFC 6749, section 5.1).
        mail, *given = (_last_word(one) for one in (self.provider.scopes[protocol].split()[0], *leave.scopes.split()))
        if given and mail not in given:
            raise NotWhatWasAskedError(_NO_MAIL, ended=True)
        if not leave.refresh_token:
            raise NotWhatWasAskedError(_NO_RENEWAL, ended=True)
        return leave

    def refresh(self, refresh_token: str) -> Leave:
        """Return a new token to sign in with. Raise AuthorisationError, `ended` where the leave is over."""
        with _plainly(), self._session() as session:
            found = session.refresh_token(self.provider.token, refresh_token=refresh_token, **self._politely())
        leave = _leave(found)
        return leave if leave.refresh_token != refresh_token else replace(leave, refresh_token="")

    def revoke(self, refresh_token: str) -> bool:
        """Give a leave back (RFC 7009), and say whether the provider took it. It raises nothing: here it is forgotten in any case."""
        if not self.provider.revoke or not refresh_token:
            return False
        try:
            with _plainly(), self._session() as session:
                answer = session.revoke_token(self.provider.revoke, token=refresh_token, token_type_hint="refresh_token", **self._politely())  # noqa: S106
        except AuthorisationError:
            return False
        return bool(answer.status_code == 200)

    def _politely(self) -> dict[str, Any]:
        # Whoever answers with another address would have the client's secret sent there.
        return {"timeout": self.timeout, "allow_redirects": False}

    @contextmanager
    def _session(self, redirect: str | None = None, scope: str | None = None) -> Iterator[OAuth2Session]:
        from authlib.integrations.requests_client import OAuth2Session

        session = OAuth2Session(
            self.client_id,
            self.client_secret or None,
            token_endpoint_auth_method="client_secret_post" if self.client_secret else "none",
            revocation_endpoint_auth_method="client_secret_post" if self.client_secret else "none",
            scope=scope,
            redirect_uri=redirect,
            code_challenge_method="S256",
        )
        # A .netrc of the account that the server runs under is nothing for these addresses.
        session.trust_env = False
        with session:
            yield session


def is_installed() -> bool:
    """Say whether what speaks OAuth 2 can be imported: by doing so."""
    try:
        import authlib.integrations.requests_client  # noqa: F401
    except ImportError:
        return False
    return True


def provider_at(name: str, *, tenant: str, endpoints: Mapping[str, Mapping[str, str]]) -> Provider:
    """Return a provider with its addresses filled in; `endpoints` may name others for it: {"google": {"token": "https://…"}}."""
    provider = next(one for one in PROVIDERS if one.name == name)
    others = endpoints.get(name, {})
    urls = {step: others.get(step, getattr(provider, step)).replace("{tenant}", tenant) for step in ("authorise", "token", "revoke")}
    return replace(provider, **urls)


def _leave(found: Any) -> Leave:
    """Read what a provider answered (RFC 6749, section 5.1), of which nothing is taken for granted."""
    access_token, refresh_token = found.get("access_token"), found.get("refresh_token") or ""
    if not _is_token(access_token) or not (refresh_token == "" or _is_token(refresh_token)):
        raise AuthorisationError(_("The provider's answer holds no token."))
    try:
        lasts = int(found.get("expires_in") or _LASTS)
    except (TypeError, ValueError):
        lasts = _LASTS
    return Leave(access_token, refresh_token, min(max(lasts, 0), _LONGEST), clean_line(str(found.get("scope") or ""), 500))


def _last_word(scope: str) -> str:
    # National clouds put other hosts before what is the same.
    return scope.lower().rstrip("/").rpartition("/")[2]


def _is_token(text: object) -> bool:
    # What signs in over a line of a mail protocol holds nothing that would end that line (RFC 6750, section 2.1).
    return isinstance(text, str) and 0 < len(text) <= 16_384 and text.isascii() and text.isprintable() and " " not in text


@contextmanager
def _plainly() -> Iterator[None]:
    """Turn what the libraries raise into AuthorisationError. Raise it as well where they are not installed."""
    try:
        import requests
        from authlib.common.errors import AuthlibBaseError
    except ImportError as error:
        raise AuthorisationError(NOT_INSTALLED) from error
    try:
        yield
    except ImportError as error:
        raise AuthorisationError(NOT_INSTALLED) from error
    except AuthlibBaseError as error:
        raise AuthorisationError(_words(f"{error.error or ''} {error.description or ''}"), ended=error.error in _ENDED) from error
    except requests.RequestException as error:
        raise AuthorisationError(_words(f"HTTP {error.response.status_code}" if error.response is not None else type(error).__name__)) from error
    except (ValueError, TypeError, AttributeError) as error:
        # A page in the place of JSON, or JSON that is no object.
        raise AuthorisationError(_words(type(error).__name__)) from error


def _words(said: str) -> str:
    return clean_line(said.strip(), _MOST_WORDS) or "--"
