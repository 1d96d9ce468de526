"""Secrets at rest: passwords are sealed before they reach a row, and opened by whoever connects with them, nowhere else."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cs_plugin.errors import ConfigurationError, KeyLostError, SealedElsewhereError

_MIN_KEY = 16


class Vault:
    """Seal and open secrets with `keys`, each any text of at least 16 characters: the first seals, all of them open.

    Blanks and line ends around a key do not count: a file that holds one ends with a line end, and who copies it leaves that out.

    A secret is sealed for one place, such as the server that it signs in to, and opens for no other: whoever may change the server's name
    would otherwise have the password sent to one of their own.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys or any(len(key.strip()) < _MIN_KEY for key in keys):
            raise ConfigurationError(f"CS_ENCRYPTION_KEYS must hold at least one key, each of at least {_MIN_KEY} characters")
        self._first, *_others = fernets = [Fernet(_derived(key)) for key in keys]
        self._all = MultiFernet(fernets)

    def seal(self, secret: str, place: str) -> str:
        """Return a secret, sealed for a place, as a text that a row can hold."""
        return self._first.encrypt(json.dumps([place, secret]).encode()).decode()

    def open(self, sealed: str, place: str) -> str:
        """Return what was sealed. Raise KeyLostError where no key opens it, SealedElsewhereError where it was sealed for another place."""
        sealed_for, secret = self._opened(sealed)
        if sealed_for != place:
            raise SealedElsewhereError(sealed_for)
        return secret

    def opens(self, sealed: str, place: str) -> bool:
        """Say whether a secret is to be had for a place."""
        try:
            self.open(sealed, place)
        except (KeyLostError, SealedElsewhereError):
            return False
        return True

    def has_key_for(self, sealed: str) -> bool:
        """Say whether any key opens it, whatever it was sealed for."""
        try:
            self._opened(sealed)
        except KeyLostError:
            return False
        return True

    def is_sealed_anew(self, sealed: str) -> bool:
        """Say whether the first key opens it, so that no other key is needed for it."""
        try:
            self._first.decrypt(sealed.encode())
        except (InvalidToken, ValueError):
            return False
        return True

    def seal_anew(self, sealed: str) -> str:
        """Return what was sealed with any key, sealed with the first. Raise KeyLostError where no key opens it."""
        try:
            return self._all.rotate(sealed.encode()).decode()
        except (InvalidToken, ValueError) as error:
            raise KeyLostError from error

    def _opened(self, sealed: str) -> tuple[str, str]:
        try:
            place, secret = json.loads(self._all.decrypt(sealed.encode()))
        except (InvalidToken, ValueError, TypeError) as error:
            raise KeyLostError from error
        return place, secret


def _derived(key: str) -> bytes:
    """Return the key of Fernet that a text of any length stands for (HKDF, RFC 5869)."""
    return base64.urlsafe_b64encode(HKDF(SHA256(), length=32, salt=None, info=b"cs_plugin secrets").derive(key.strip().encode()))
