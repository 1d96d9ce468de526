"""Receive many mails in one transaction: those that do not depend on each other are written at once, the others in the order in which they came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from cs_plugin.desk.bench import Bench
from cs_plugin.desk.receiving import Blocked, blocked_among
from cs_plugin.desk.receiving_mail import Plan, VettedMail, carry_out, plan_of, take
from cs_plugin.rules.incoming import Landed
from cs_plugin.rules.mail_matching import Clues, FoundThread
from cs_plugin.store.mail_clues import keys_of, read_clues_of_several
from cs_plugin.store.scope import Scope


def receive_mails(bench: Bench, mails: Sequence[VettedMail]) -> list[Landed]:
    """Receive mails as `receive_mail` does one after the other, in far fewer statements. Call `expect_mails` before.

    What becomes of each is what would become of it by itself, also where it answers or repeats one that came before it here.
    """
    return _Several(bench, mails).all()


@dataclass
class _Several:
    """Mails on their way into the desk, named by their place among them."""

    bench: Bench
    mails: Sequence[VettedMail]
    landed: dict[int, Landed] = field(default_factory=dict)
    _clues: dict[int, Clues] = field(default_factory=dict)
    _named: list[frozenset[bytes | int]] = field(default_factory=list)

    def all(self) -> list[Landed]:
        self._named = [keys_of(one.arrived.mail) for one in self.mails]
        blocked = blocked_among(self.bench.session, {one.sender.address for one in self.mails if one.sender.address})
        left = list(range(len(self.mails)))
        while left:
            left = self._some(left, blocked)
        return [self.landed[one] for one in range(len(self.mails))]

    def _some(self, left: Sequence[int], blocked: Blocked) -> list[int]:
        """Receive some of the mails that are left, and return the others: those that depend on one of these."""
        self._read_clues(left)
        planned, later, touched = list[tuple[int, Plan]](), list[int](), set[bytes | int]()
        for turn, number in enumerate(left):
            keys = self._keys(number)
            if not keys.isdisjoint(touched):
                # It waits, and so does whatever depends on it.
                later.append(number)
                touched |= keys
                continue
            plan = plan_of(self.bench, self.mails[number], self._clues[number], blocked)
            if plan is None and (planned or later):
                # What goes by itself goes in its turn.
                later += left[turn:]
                break
            touched |= keys
            if plan is None:
                self._by_itself(number)
            else:
                planned.append((number, plan))
        self._carry_out(planned)
        for number in later:
            if not self._keys(number).isdisjoint(touched):
                del self._clues[number]
        return later

    def _carry_out(self, planned: Sequence[tuple[int, Plan]]) -> None:
        landed = carry_out(self.bench, [(self.mails[number], plan) for number, plan in planned])
        for (number, _plan), one in zip(planned, landed, strict=True):
            if one is not None:
                self.landed[number] = one
            else:
                self._by_itself(number)

    def _by_itself(self, number: int) -> None:
        self.landed[number] = take(self.bench, self.mails[number], self._clues[number])

    def _read_clues(self, numbers: Sequence[int]) -> None:
        """Read the clues of mails that have none, or of which another one may have changed them since."""
        by_scope: dict[Scope, list[int]] = {}
        for number in numbers:
            if number not in self._clues:
                by_scope.setdefault(self.mails[number].scope, []).append(number)
        for scope, some in by_scope.items():
            asked = [(one.arrived.mail, one.employee.id if one.employee else None) for one in (self.mails[number] for number in some)]
            found = read_clues_of_several(self.bench.session, scope, self.bench.signer, asked)
            self._clues.update(zip(some, found, strict=True))

    def _keys(self, number: int) -> frozenset[bytes | int]:
        """Return what others depend on it by: its keys, and the threads that they lead to."""
        clues = self._clues[number]
        told = (getattr(clues, one.name) for one in fields(clues))
        found = (one for several in told if isinstance(several, tuple) for one in several)
        return self._named[number].union(one.id for one in found if isinstance(one, FoundThread))
