"""The files of drafts: while a draft names them they stay, however long it lies; then they go as whatever else nobody has sent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import StoredFile
from cs_plugin.store.files import blob_of
from cs_plugin.store.models import Blob, Draft, DraftFile

# Bytes that all drafts of one employee hold at most.
MOST_HELD = 250_000_000
_QUIET = {"synchronize_session": False}


def as_details(files: Sequence[StoredFile]) -> list[list[Any]]:
    """Return files as the details of a draft keep them."""
    return [[one.name, one.content_type, one.size, one.sha256.hex(), one.key] for one in files]


def files_in(details: Mapping[str, Any]) -> tuple[StoredFile, ...]:
    """Return the files that the details of a draft name."""
    return tuple(StoredFile(name, kind, size, bytes.fromhex(sha256), key) for name, kind, size, sha256, key in details.get("files", ()))


def hold(session: Session, row: Draft, now: dt.datetime) -> None:
    """Let a locked draft hold the files that it names, and no others; what it holds no longer is as new as what was just uploaded."""
    session.flush()
    named = {blob_of(session, one, now).id for one in files_in(row.details)}
    held = set(session.scalars(select(DraftFile.blob_id).where(DraftFile.draft_id == row.id)))
    if named == held:
        return
    gone = DraftFile.draft_id == row.id, DraftFile.blob_id.in_(sorted(held - named))
    session.execute(delete(DraftFile).where(*gone), execution_options=_QUIET)
    # A form may still show them, a reply take them along.
    session.execute(update(Blob).where(Blob.id.in_(sorted(held - named))).values(created_at=now), execution_options=_QUIET)
    session.add_all(DraftFile(draft_id=row.id, blob_id=one) for one in sorted(named - held))
    session.flush()


def held_by(session: Session, employee_id: str) -> int:
    """Return how many bytes the drafts of an employee hold."""
    theirs = select(DraftFile.blob_id).join(Draft, Draft.id == DraftFile.draft_id).where(Draft.employee_id == employee_id)
    return int(session.scalar(select(func.coalesce(func.sum(Blob.size), 0)).where(Blob.id.in_(theirs))) or 0)
