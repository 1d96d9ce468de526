"""Languages as the host tells of them, which one a text is shown in, and which way it runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# The languages that are written from right to left, by their ISO 639 codes.
RIGHT_TO_LEFT = frozenset({"ar", "ckb", "dv", "fa", "he", "ku", "ps", "sd", "ug", "ur", "yi"})


@dataclass(frozen=True, slots=True)
class Language:
    """A language of the shop: an IETF code such as "en" or "pt-BR", its own name, and whether visitors may choose it."""

    code: str
    name: str
    enabled: bool = True

    @property
    def direction(self) -> str:
        """Return "rtl" or "ltr"."""
        return direction(self.code)


def direction(code: str) -> str:
    """Return "rtl" for a language written from right to left, else "ltr"."""
    return "rtl" if base(code) in RIGHT_TO_LEFT else "ltr"


def base(code: str) -> str:
    """Return the language of a code without its region: "pt" of "pt_BR"."""
    return code.replace("_", "-").split("-")[0].lower()


def best_of(wanted: Iterable[str | None], known: Sequence[str]) -> str | None:
    """Return the first wanted code that is known, exactly or by its base language; None where none is."""
    exact = {code.replace("_", "-").lower(): code for code in known}
    bases = {base(code): code for code in reversed(known)}
    for code in wanted:
        if not code:
            continue
        found = exact.get(code.replace("_", "-").lower()) or bases.get(base(code))
        if found:
            return found
    return None
