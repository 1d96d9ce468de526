"""The look-ups behind `rules.mail_matching`: where the keys in a mail lead to, in a fixed number of queries, and only within the mail's own shops."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from cs_plugin.rules.incoming import IncomingMail
from cs_plugin.rules.inquiry import address_key
from cs_plugin.rules.mail_matching import Clues, FoundThread, Key
from cs_plugin.rules.merging import MOVED_BY_HAND
from cs_plugin.rules.signing import Signer, Tag, TagKind, nonce_of_employee, tags_in_addresses, tags_in_message_ids, tags_in_subject
from cs_plugin.store.locking import MOST_MERGES
from cs_plugin.store.matching import message_id_key
from cs_plugin.store.models import Attachment, Blob, Message, Participant, Thread, ThreadAlias
from cs_plugin.store.scope import Scope
from cs_plugin.store.types import can_be_id

# Of a mail that names more, the newest are looked up: those behind have been answered by them.
_MOST_REFERENCES = 100
_MOST_TAGS = 20
_AT_ONCE = 500   # digests in one query

_OURS = (Key.SENT.value, Key.FORWARDED.value, Key.COPIED.value)
_OUTSIDE = (Key.FORWARDED.value, Key.OUTSIDE.value)
_KINDS = [key.value for key in Key if key is not Key.TAG]
_COLUMNS = (
    Thread.id,
    Thread.shop_id,
    Thread.contact_id,
    Thread.folder,
    Thread.address,
    Thread.address_hash,
    Thread.customer_id,
    Thread.customer_verified,
    Thread.token_nonce,
    Thread.merged_into_id,
)


@dataclass(frozen=True, slots=True)
class _Named:
    """What a mail names: tags by where they stand, and Message-IDs as digests, the nearest first."""

    in_addresses: tuple[Tag, ...]
    in_subject: tuple[Tag, ...]
    in_ids: tuple[Tag, ...]
    own: bytes | None
    answered: tuple[bytes, ...]
    bounced: tuple[bytes, ...]

    @property
    def tags(self) -> tuple[Tag, ...]:
        return (*self.in_addresses, *self.in_subject, *self.in_ids)

    @property
    def hashes(self) -> set[bytes]:
        return {*self.answered, *self.bounced, *([self.own] if self.own else [])}


def read_clues(session: Session, scope: Scope, signer: Signer, mail: IncomingMail, employee_id: str | None) -> Clues:
    """Return where the keys in a mail lead to among the threads of a scope. `employee_id` is whose address has sent it, None for nobody's.

    Tags that are forged, revoked or of threads elsewhere lead nowhere, as does a Message-ID that was neither sent nor received for these shops.
    """
    (clues,) = read_clues_of_several(session, scope, signer, [(mail, employee_id)])
    return clues


def read_clues_of_several(
    session: Session, scope: Scope, signer: Signer, mails: Sequence[tuple[IncomingMail, str | None]]
) -> list[Clues]:
    """Return the clues of several mails likewise, each with whose address has sent it: in as many queries as for one."""
    named = [_named_in(mail) for mail, _employee_id in mails]
    aliases = _aliases(session, scope, {one for each in named for one in each.hashes})
    of_keys = {row.thread_id for each in named for key in (*each.answered, *each.bounced) for row in aliases.get(key, ())}
    threads = _threads(session, scope, {*of_keys, *(tag.thread_id for each in named for tag in each.tags)})
    led_outside = any(row.kind in _OUTSIDE for rows in aliases.values() for row in rows)
    found = _Found(threads, _participants(session, threads), _outsiders(session, threads) if led_outside else {})
    return [_Lookup(signer, each, employee_id, aliases, found).clues() for each, (_mail, employee_id) in zip(named, mails, strict=True)]


def keys_of(mail: IncomingMail) -> frozenset[bytes | int]:
    """Return what a mail is known by and leads by: digests of Message-IDs, its own among them, and the ids of threads that its tags name.

    What becomes of two mails that have none of these in common, and lead to no thread in common, does not depend on which comes first.
    """
    named = _named_in(mail)
    return frozenset({*named.hashes, *(tag.thread_id for tag in named.tags)})


def threads_named(session: Session, scope: Scope, mails: Iterable[IncomingMail]) -> set[int]:
    """Return the threads of a scope that the keys in these mails may lead to, whether they are good or not."""
    named = [_named_in(mail) for mail in mails]
    of_keys = session.scalars(_threads_of_keys(scope), {"hashes": sorted({one for each in named for one in each.hashes})})
    wanted = {one for one in (*of_keys, *(tag.thread_id for each in named for tag in each.tags)) if can_be_id(one)}
    merged = session.execute(_threads_of_ids(scope), {"ids": sorted(wanted)}) if wanted else ()
    return {one for row in merged for one in (row.id, row.merged_into_id) if one is not None}


def messages_like(
    session: Session, message_ids: Collection[int], address: str, subject: str, text: str, files: Collection[bytes]
) -> list[tuple[int, int, int | None]]:
    """Return those of these messages that are the very same, the first one first: each with its thread and that thread's contact.

    It is the same sender, the same words, and the same files by their SHA-256.
    """
    if not message_ids:
        return []
    query = (
        select(Message.id, Message.thread_id, Thread.contact_id, Message.author_address, Message.subject, Message.text)
        .join(Thread, Thread.id == Message.thread_id)
        .where(Message.id.in_(sorted(message_ids)))
        .order_by(Message.id)
    )
    # Compared here: MariaDB's usual collation holds "e" and "é" for one.
    said = address_key(address), subject, text
    alike = [row for row in session.execute(query) if (address_key(row.author_address or ""), row.subject, row.text) == said]
    carried: dict[int, list[bytes]] = defaultdict(list)
    if alike:
        parts = select(Attachment.message_id, Blob.sha256).join(Blob, Blob.id == Attachment.blob_id)
        for message_id, sha256 in session.execute(parts.where(Attachment.message_id.in_([row.id for row in alike]))):
            carried[message_id].append(bytes(sha256))
    return [(row.id, row.thread_id, row.contact_id) for row in alike if sorted(carried[row.id]) == sorted(files)]


def _named_in(mail: IncomingMail) -> _Named:
    # The last of References is the mail that is answered (RFC 5322, section 3.6.4), as is In-Reply-To, which some programs fill in alone.
    nearest = tuple(dict.fromkeys((*reversed(mail.in_reply_to), *reversed(mail.references))))[:_MOST_REFERENCES]
    bounced = (mail.bounce.message_id,) if mail.bounce and mail.bounce.message_id else ()
    return _Named(
        in_addresses=tags_in_addresses(mail.written_to)[:_MOST_TAGS],
        in_subject=tags_in_subject(mail.subject)[:_MOST_TAGS],
        in_ids=tags_in_message_ids(nearest)[:_MOST_TAGS],
        own=message_id_key(mail.message_id) if mail.message_id else None,
        answered=tuple(message_id_key(one) for one in nearest),
        bounced=tuple(message_id_key(one) for one in bounced),
    )


def _aliases(session: Session, scope: Scope, hashes: Collection[bytes]) -> Mapping[bytes, Sequence[Any]]:
    found: dict[bytes, list[Any]] = defaultdict(list)
    wanted = sorted(hashes)
    for start in range(0, len(wanted), _AT_ONCE):
        for row in session.execute(_aliases_of_keys(scope), {"hashes": wanted[start : start + _AT_ONCE]}):
            found[bytes(row.hash)].append(row)
    return found


# Queries of every batch of mails: each is put together once, which takes longer than the database does.


def _bound(name: str) -> Any:
    return bindparam(name, expanding=True)


@lru_cache(maxsize=64)
def _threads_of_keys(scope: Scope) -> Select[Any]:
    theirs = ThreadAlias.kind.in_(_KINDS), scope.covers(cast(Any, ThreadAlias.shop_id))
    return select(ThreadAlias.thread_id).where(ThreadAlias.hash.in_(_bound("hashes")), *theirs)


@lru_cache(maxsize=64)
def _aliases_of_keys(scope: Scope) -> Select[*tuple[Any, ...]]:
    alias = ThreadAlias
    theirs = alias.kind.in_(_KINDS), alias.hash.in_(_bound("hashes")), alias.revoked_at.is_(None), scope.covers(cast(Any, alias.shop_id))
    query = select(alias.kind, alias.hash, alias.thread_id, alias.message_id, Message.matched_by)
    return query.outerjoin(Message, Message.id == alias.message_id).where(*theirs).order_by(alias.id)


@lru_cache(maxsize=64)
def _threads_of_ids(scope: Scope) -> Select[*tuple[Any, ...]]:
    return select(*_COLUMNS).where(Thread.id.in_(_bound("ids")), scope.covers(Thread.shop_id))


@lru_cache(maxsize=1)
def _participants_of_threads() -> Select[*tuple[Any, ...]]:
    return select(Participant.thread_id, Participant.address_hash).where(Participant.thread_id.in_(_bound("ids")))


def _threads(session: Session, scope: Scope, ids: Collection[int]) -> dict[int, Any]:
    """Return these threads and those that they were merged into, by id."""
    found: dict[int, Any] = {}
    wanted = {one for one in ids if can_be_id(one)}
    for _time in range(MOST_MERGES):
        wanted -= found.keys()
        if not wanted:
            break
        rows = session.execute(_threads_of_ids(scope), {"ids": sorted(wanted)}).all()
        found |= {row.id: row for row in rows}
        wanted = {row.merged_into_id for row in rows if row.merged_into_id is not None}
    return found


def _participants(session: Session, threads: Mapping[int, Any]) -> Mapping[int, set[bytes]]:
    found: dict[int, set[bytes]] = defaultdict(set)
    if threads:
        for thread_id, address_hash in session.execute(_participants_of_threads(), {"ids": sorted(threads)}):
            found[thread_id].add(bytes(address_hash))
    return found


def _outsiders(session: Session, threads: Mapping[int, Any]) -> Mapping[int, set[bytes]]:
    """Return digests of the addresses that threads were forwarded to."""
    found: dict[int, set[bytes]] = defaultdict(set)
    alias = ThreadAlias
    theirs = alias.thread_id.in_(sorted(threads)), alias.kind.in_(_OUTSIDE), alias.address_hash.is_not(None), alias.revoked_at.is_(None)
    for thread_id, address_hash in session.execute(select(alias.thread_id, alias.address_hash).where(*theirs)):
        found[thread_id].add(bytes(address_hash or b""))
    return found


@dataclass(frozen=True, slots=True)
class _Lookup:
    signer: Signer
    named: _Named
    employee_id: str | None
    aliases: Mapping[bytes, Sequence[Any]]
    found: _Found

    def clues(self) -> Clues:
        named, found = self.named, self.found
        of_own = self._rows([named.own] if named.own else [])
        if any(row.kind in _OURS for row in of_own):
            return Clues(own=True)
        known = [row.message_id for row in of_own if row.kind == Key.RECEIVED and row.message_id]
        last = next((rows for rows in map(self.aliases.get, named.answered) if rows), ())
        # A bounce comes to the envelope's address, and some servers name the mail that it is about nowhere but in In-Reply-To or References.
        bounced = self._rows((*named.bounced, *named.answered))
        return Clues(
            known=tuple(dict.fromkeys(known)),
            employee_tags=found.by_tags(self._of_employee((*named.in_addresses, *named.in_ids))),
            moved=found.by_aliases(row for row in last if row.matched_by == MOVED_BY_HAND),
            address_tags=found.by_tags(self._good(TagKind.ADDRESS, named.in_addresses)),
            answered=found.by_aliases(row for row in self._rows(named.answered) if row.kind != Key.COPIED),
            subject_tags=found.by_tags(self._good(TagKind.SUBJECT, named.in_subject)),
            bounced=found.by_aliases(row for row in bounced if row.kind in _OURS),
        )

    def _rows(self, keys: Iterable[bytes]) -> list[Any]:
        return [row for key in keys for row in self.aliases.get(key, ())]

    def _good(self, kind: TagKind, tags: Iterable[Tag]) -> list[int]:
        # A thread that is not there costs the same verification as one that is.
        threads = self.found.threads
        return [tag.thread_id for tag in tags if self.signer.verify(kind, tag, _nonce(threads, tag)) and tag.thread_id in threads]

    def _of_employee(self, tags: Iterable[Tag]) -> list[int]:
        employee_id, threads = self.employee_id, self.found.threads
        if employee_id is None:
            return []
        good = self.signer.verify
        return [
            tag.thread_id
            for tag in tags
            if good(TagKind.EMPLOYEE, tag, nonce_of_employee(_nonce(threads, tag), employee_id)) and tag.thread_id in threads
        ]


@dataclass(frozen=True, slots=True)
class _Found:
    """Threads by id, those that others were merged into among them; digests of addresses: that employees have added, and that each was sent on to."""

    threads: Mapping[int, Any]
    added: Mapping[int, set[bytes]]
    outside: Mapping[int, set[bytes]]

    def by_tags(self, thread_ids: Iterable[int]) -> tuple[FoundThread, ...]:
        return self._several((one, Key.TAG, None) for one in thread_ids)

    def by_aliases(self, rows: Iterable[Any]) -> tuple[FoundThread, ...]:
        return self._several((row.thread_id, Key(row.kind), row.message_id) for row in rows)

    def _several(self, keys: Iterable[tuple[int, Key, int | None]]) -> tuple[FoundThread, ...]:
        found = [self._one(*key) for key in keys]
        return tuple(dict.fromkeys(one for one in found if one is not None))

    def _one(self, thread_id: int, key: Key, message_id: int | None) -> FoundThread | None:
        line = self._line(thread_id)
        if not line:
            return None
        last = line[-1]
        # An address may be empty, where a mail came from nobody; that is no address of anybody's.
        own = frozenset(bytes(row.address_hash) for row in line if row.address)
        return FoundThread(
            id=last.id,
            home_id=thread_id,
            shop_id=last.shop_id,
            contact_id=last.contact_id,
            folder=last.folder,
            own_addresses=own,
            addresses=own.union(*(self.added[row.id] for row in line if row.id in self.added)),
            customer_id=next((row.customer_id for row in reversed(line) if row.customer_verified and row.customer_id), None),
            key=key,
            message_id=message_id,
            outsiders=frozenset().union(*(self.outside.get(row.id, ()) for row in line)),
        )

    def _line(self, thread_id: int) -> list[Any]:
        """Return a thread and those that it was merged into, one after the other; nothing where one of them is not of the scope, or in a circle."""
        line: list[Any] = []
        number: int | None = thread_id
        while number is not None:
            row = self.threads.get(number)
            if row is None or len(line) >= MOST_MERGES:
                return []
            line.append(row)
            number = row.merged_into_id
        return line


def _nonce(threads: Mapping[int, Any], tag: Tag) -> str:
    row = threads.get(tag.thread_id)
    return row.token_nonce if row is not None else "none"
