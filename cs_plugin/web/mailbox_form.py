"""The form of a mailbox: what stands in its fields, kept or as somebody typed it, and what that asks of the desk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from werkzeug.datastructures import MultiDict

from cs_plugin.desk.mailboxes import FLAGS, MailboxDraft, context_of
from cs_plugin.desk.option_mailboxes import DELETE, IMAP, LEAVE, MOVE, POP3
from cs_plugin.i18n import marked as _
from cs_plugin.mail.mailbox import INBOX, MailServer
from cs_plugin.mail.oauth import PROVIDERS
from cs_plugin.rules.options import BY_NAME
from cs_plugin.rules.shops import ALL_SHOPS, Context, Shop, read_context
from cs_plugin.store.models import Mailbox, OAuthToken
from cs_plugin.store.vault import Vault
from cs_plugin.web.options_form import TYPED_PASSWORD, open_typed

PROTOCOLS: tuple[tuple[str, str], ...] = ((IMAP, "IMAP"), (POP3, "POP3"))
AFTERWARDS: tuple[tuple[str, str], ...] = (
    (LEAVE, _("Leave it on the server")),
    (DELETE, _("Delete it from the server")),
    (MOVE, _("Move it to a folder")),
)
# What a field is called where something is wrong with it.
LABELS: Mapping[str, str] = {
    "context": _("Fetched for"),
    "name": _("Name"),
    "contact_id": _("Contact"),
    "address": _("Email address"),
    "protocol": _("Protocol"),
    "server": _("Server"),
    "port": _("Port"),
    "username": _("User"),
    "password": _("Password"),
    "sign_in": _("Sign in with"),
    "folder": _("Folder"),
    "afterwards": _("Afterwards"),
    "move_to": _("Move to"),
    **{name: BY_NAME[name].label for name in FLAGS},
}
_LINES = ("name", "address", "server", "port", "username", "folder", "move_to")
_SWITCHES = ("create_threads", "takes_plus_tags", "active")
_MOST = 1_000   # characters of a field that are looked at; what is wrong with a longer one is told all the same


@dataclass(frozen=True)
class MailboxForm:
    """The form. `password` is one that was typed and is not saved yet; no page shows it."""

    values: Mapping[str, str]
    flags: frozenset[str] = frozenset()
    switches: frozenset[str] = frozenset()
    password: str = field(default="", repr=False)

    def draft(self, shops: tuple[Shop, ...]) -> MailboxDraft:
        """Return what the form asks of the desk."""
        values = self.values
        contact = values["contact_id"]
        filled = _with_provider(values)
        rest: dict[str, Any] = {**{name: filled[name] for name in _LINES}, **{name: name in self.switches for name in _SWITCHES}}
        return MailboxDraft(
            # A context that there is not is refused as such.
            context=read_context(values["context"], shops) or Context(ALL_SHOPS.breadth, "--"),
            contact_id=(int(contact) if contact.isascii() and contact.isdigit() and len(contact) < 20 else -1) if contact else None,
            protocol=values["protocol"],
            password=self.password,
            sign_in=values["sign_in"],
            flags=self.flags,
            afterwards=values["afterwards"],
            **rest,
        )

    def server(self, draft: MailboxDraft, password: str) -> MailServer:
        """Return the mailbox to connect to; for a form with nothing wrong in it."""
        checked = {name: BY_NAME[option].checked(getattr(draft, name)) for name, option in (("server", "imap_url"), ("port", "imap_port"))}
        user = BY_NAME["imap_user"].checked(draft.username)
        folder = draft.folder.strip() or INBOX
        return MailServer(checked["server"], checked["port"], user, password, draft.protocol == POP3, draft.security, folder)


def new_form(context: Context) -> MailboxForm:
    """Return the form of a mailbox that is not there yet."""
    values = dict.fromkeys(("contact_id", "sign_in", *_LINES), "")
    more = {"context": str(context), "protocol": IMAP, "afterwards": LEAVE, "folder": INBOX}
    return MailboxForm({**values, **more}, switches=frozenset({"create_threads", "active"}))


def kept_form(row: Mailbox, token: OAuthToken | None) -> MailboxForm:
    """Return the form with what is kept of a mailbox: never its password."""
    values = {
        **{name: str(getattr(row, name) or "") for name in _LINES},
        "context": str(context_of(row)),
        "contact_id": str(row.contact_id or ""),
        "protocol": row.protocol,
        "afterwards": row.afterwards,
        "sign_in": token.provider if token is not None else "",
    }
    return MailboxForm(values, frozenset(row.flags), frozenset(name for name in _SWITCHES if getattr(row, name)))


def posted_form(fields: MultiDict[str, str], before: MailboxForm, vault: Vault, employee_id: str) -> MailboxForm:
    """Return the form as somebody filled it in; what it leaves out stands as it was."""
    said = {name: fields[name][:_MOST] for name in before.values if name in fields}
    typed = fields.get("password", "")[:_MOST] or open_typed(vault, fields.get(TYPED_PASSWORD, ""), employee_id)
    flags, switches = (_among(fields.getlist(name), known) for name, known in (("flags", FLAGS), ("switches", _SWITCHES)))
    return replace(before, values={**before.values, **said}, flags=flags, switches=switches, password=typed)


def _among(texts: Iterable[str], known: Iterable[str]) -> frozenset[str]:
    return frozenset(texts) & frozenset(known)


def _with_provider(values: Mapping[str, str]) -> Mapping[str, str]:
    """Return the values, with the server of the chosen provider where none is named."""
    provider = next((one for one in PROVIDERS if one.name == values["sign_in"]), None)
    if provider is None or values["server"].strip() or values["protocol"] not in provider.servers:
        return values
    server, port = provider.servers[values["protocol"]]
    return {**values, "server": server, "port": values["port"].strip() or str(port)}
