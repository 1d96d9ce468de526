"""Secrets at rest: which keys they need, and sealing them anew when the key has changed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from cs_plugin.desk.bench import Bench
from cs_plugin.errors import KeyLostError
from cs_plugin.store import sealed
from cs_plugin.store.locking import wait_for_turn
from cs_plugin.store.sealed import Secret
from cs_plugin.store.vault import Vault


@dataclass(frozen=True, slots=True)
class Keeping:
    """How secrets are kept: those that the first key opens, those that only another one opens, and those that none does."""

    first: tuple[Secret, ...] = ()
    older: tuple[Secret, ...] = ()
    lost: tuple[Secret, ...] = ()


def look_at_secrets(session: Session, vault: Vault) -> Keeping:
    """Return how every secret is kept."""
    return _sorted(vault, [*sealed.secrets(session)])


def seal_secrets_anew(bench: Bench) -> Keeping:
    """Seal every secret with the first key; return how they were kept before. What no key opens stays as it is: its key may be found again."""
    # Nobody saves a password meanwhile that would be written over.
    wait_for_turn(bench.session)
    found: list[Secret] = []

    def anew(secret: Secret) -> str:
        found.append(secret)
        try:
            return secret.sealed if bench.vault.is_sealed_anew(secret.sealed) else bench.vault.seal_anew(secret.sealed)
        except KeyLostError:
            return secret.sealed

    sealed.write_anew(bench.session, anew)
    return _sorted(bench.vault, found)


def _sorted(vault: Vault, secrets: list[Secret]) -> Keeping:
    first, older, lost = list[Secret](), list[Secret](), list[Secret]()
    for secret in secrets:
        if vault.is_sealed_anew(secret.sealed):
            first.append(secret)
        else:
            (older if vault.has_key_for(secret.sealed) else lost).append(secret)
    return Keeping(tuple(first), tuple(older), tuple(lost))
