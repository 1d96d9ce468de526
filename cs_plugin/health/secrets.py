"""Passwords that are kept, and whether the keys that open them are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cs_plugin import desk
from cs_plugin.health.findings import Finding, advice, good, kept_from_the_log, wrong
from cs_plugin.rules.options import BY_NAME
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context, Shop, contexts_of, name_of
from cs_plugin.store.sealed import Secret
from cs_plugin.web.mounted import Mounted

SUBJECT = "Kept passwords"
_NEW_KEY = "python -c 'import secrets; print(secrets.token_hex(32))'"


def look_at_secrets(here: Mounted) -> Iterator[Finding]:
    """Say which passwords no key opens, which need an old key, and whether they hang on SECRET_KEY."""
    with here.sessions() as session:
        keeping = desk.look_at_secrets(session, here.vault)
    lost: Sequence[Secret] = ()
    if keeping.lost:
        with kept_from_the_log(), here.app.test_request_context():
            shops = here.host.shops()
        # What a shop had that is gone is for nobody's mail.
        lost = [secret for secret in keeping.lost if secret.context in contexts_of(shops)]
    if lost:
        yield wrong(
            SUBJECT,
            f"No key opens {told(lost, shops)}.",
            "What they are for stands still: mail of these mailboxes is not fetched.",
            "put the key that CS_ENCRYPTION_KEYS had before behind the first one, or enter each password again:",
            *dict.fromkeys(_entered_again(secret) for secret in lost),
        )
    if keeping.older:
        needs = "1 password still needs" if len(keeping.older) == 1 else f"{len(keeping.older)} passwords still need"
        yield advice(SUBJECT, f"{needs} an old key.", "Once that is left out, no key opens them.", "flask cs reencrypt")
    some = (*keeping.first, *keeping.older)
    if some and not here.app.config["CS_ENCRYPTION_KEYS"]:
        yield advice(
            SUBJECT,
            "CS_ENCRYPTION_KEYS is not set: passwords are encrypted with a key made from SECRET_KEY.",
            "On the day SECRET_KEY changes, no key opens what is kept.",
            _NEW_KEY,
            'app.config["CS_ENCRYPTION_KEYS"] = [os.environ["CS_ENCRYPTION_KEY"]]',
            "flask cs reencrypt",
        )
    elif some and not lost:
        yield good(SUBJECT, f"{len(some)} kept, and all of them can be read.")


def _entered_again(secret: Secret) -> str:
    """Return how a secret is given once more: that of an option by a command, that of a mailbox on its page."""
    return f"flask cs options set{choice(secret.context)} {secret.name}" if secret.name in BY_NAME else f"on the page Mailboxes: {secret.name}"


def told(secrets: Sequence[Secret], shops: Sequence[Shop]) -> str:
    """Return which secrets these are and whose, as people say it."""
    return ", ".join(f"{secret.name} ({whose(secret.context, shops)})" for secret in secrets)


def whose(context: Context, shops: Sequence[Shop]) -> str:
    """Return a context as people say it: "all shops", "group Europe", "shop Paris"; one that the host does not list any more by its id.

    Names come from the host: what would drive a terminal is left out.
    """
    name = "".join(character for character in name_of(context, shops) if character.isprintable())
    return "all shops" if context == ALL_SHOPS else f"{context.breadth} {name or context.id}"


def choice(context: Context) -> str:
    """Return how a command is told a context."""
    return "" if context.breadth is Breadth.ALL else f" --{context.breadth} {context.id}"
