"""Files: hostile on the way in, whole on the disk before a row tells of them, and unguessable by name."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import fsspec
import puremagic
from sqlalchemy import select
from sqlalchemy.orm import Session

from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import StoredFile, clean_line
from cs_plugin.store.models import Attachment, Blob

_CHUNK = 1 << 20

# For each extension: the type under which it is served, and the extensions that its content may look like.
TYPES: dict[str, tuple[str, frozenset[str]]] = {
    "pdf": ("application/pdf", frozenset({"pdf", "ai", "fdf"})),
    "txt": ("text/plain", frozenset()),
    "png": ("image/png", frozenset({"png", "apng"})),
    "jpg": ("image/jpeg", frozenset({"jpg", "jpeg", "jfif", "jpe", "spiff"})),
    "jpeg": ("image/jpeg", frozenset({"jpg", "jpeg", "jfif", "jpe", "spiff"})),
    "gif": ("image/gif", frozenset({"gif"})),
    "webp": ("image/webp", frozenset({"webp"})),
    "zip": ("application/zip", frozenset({"zip"})),
    "doc": ("application/msword", frozenset({"doc", "dot", "msi", "ole", "xls", "ppt", "wps"})),
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", frozenset({"docx", "zip"})),
    "rtf": ("application/rtf", frozenset({"rtf"})),
}


def file_name(given: str) -> str:
    """Return a name that can stand in a header and on a disk: no folders, control or bidi characters, at most 200 characters."""
    name = clean_line(given.replace("\\", "/").rsplit("/", 1)[-1], 1000).strip(". ")
    stem, dot, extension = name.rpartition(".")
    return (stem[: 200 - len(extension) - 1] + dot + extension if dot else name[:200]) or "file"


def extension_of(name: str) -> str:
    """Return the extension of a name in lower case, without its dot."""
    return name.rpartition(".")[2].lower() if "." in name else ""


@dataclass(frozen=True, slots=True)
class FileStore:
    """Keep bytes under a folder or an object store's URL, as fsspec opens it."""

    url: str

    def keep(self, source: Path, name: str, content_type: str) -> StoredFile:
        """Copy a local file into the store and return what a row has to know of it. It is whole and on the disk when this returns."""
        filesystem, root = self._open()
        key = secrets.token_hex(16)
        final = f"{root}/{key[:2]}/{key}"
        filesystem.makedirs(final.rsplit("/", 1)[0], exist_ok=True)
        whole, size = hashlib.sha256(), 0
        with source.open("rb") as reading, filesystem.open(final + ".part", "wb") as writing:
            while chunk := reading.read(_CHUNK):
                whole.update(chunk)
                size += len(chunk)
                writing.write(chunk)
            _sync(writing)
        filesystem.mv(final + ".part", final)
        return StoredFile(file_name(name), content_type, size, whole.digest(), key)

    def open(self, key: str) -> IO[bytes]:
        """Open the bytes of a key. Raise FileNotFoundError where they are gone."""
        filesystem, root = self._open()
        opened: IO[bytes] = filesystem.open(f"{root}/{key[:2]}/{key}", "rb")
        return opened

    def read(self, key: str) -> bytes:
        """Return the bytes of a key. Raise FileNotFoundError where they are gone."""
        with self.open(key) as reading:
            return reading.read()

    def remove(self, key: str) -> None:
        """Remove the bytes of a key, if they are there."""
        filesystem, root = self._open()
        path = f"{root}/{key[:2]}/{key}"
        if filesystem.exists(path):
            filesystem.rm(path)

    def _open(self) -> tuple[Any, str]:
        filesystem, root = fsspec.core.url_to_fs(self.url)
        return filesystem, str(root).rstrip("/")


def _sync(writing: Any) -> None:
    writing.flush()
    # Only a local file has a descriptor; an object store answers for its own disks.
    local = getattr(writing, "f", writing)
    if hasattr(local, "fileno"):
        os.fsync(local.fileno())


@contextmanager
def taken_down(stream: IO[bytes], limit: int) -> Iterator[Path]:
    """Copy a stream into a local file of at most `limit` bytes and yield its path. Raise InvalidInputError where it is longer."""
    with tempfile.TemporaryDirectory(prefix="cs_plugin") as folder:
        path = Path(folder) / "upload"
        with path.open("wb") as writing:
            shutil.copyfileobj(_bounded(stream, limit), writing)
        yield path


class _Bounded:
    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream, self._left = stream, limit

    def read(self, size: int) -> bytes:
        chunk = self._stream.read(min(size, self._left + 1))
        self._left -= len(chunk)
        if self._left < 0:
            raise InvalidInputError("file", _("The file is too large."))
        return chunk


def _bounded(stream: IO[bytes], limit: int) -> Any:
    return _Bounded(stream, limit)


def check_content(path: Path, name: str, allowed: Collection[str]) -> str:
    """Return the type under which a file may be kept. Raise InvalidInputError where its extension is not allowed or its content is another's."""
    extension = extension_of(name)
    if extension not in allowed or extension not in TYPES:
        raise InvalidInputError("file", _("Bad file extension"))
    content_type, looks = TYPES[extension]
    good = _is_text(path) if not looks else bool(looks & _looks_like(path))
    if not good:
        raise InvalidInputError("file", _("Bad file extension"))
    return content_type


def _looks_like(path: Path) -> set[str]:
    try:
        return {match.extension.lstrip(".").lower() for match in puremagic.magic_file(str(path)) if match.byte_match}
    except (puremagic.PureError, ValueError):
        return set()


def _is_text(path: Path) -> bool:
    """Say whether a file reads as text: an empty one does, one with a NUL does not, nor one that looks like a picture or a program."""
    head = path.read_bytes()[:65536]
    return b"\0" not in head and not head.lstrip()[:1000].lower().startswith((b"<!doctype html", b"<html", b"<script", b"%pdf", b"mz"))


def blob_of(session: Session, stored: StoredFile, now: dt.datetime) -> Blob:
    """Return the row of a stored file, made if it is new."""
    blob = session.scalars(select(Blob).where(Blob.key == stored.key)).one_or_none()
    if blob is None:
        blob = Blob(sha256=stored.sha256, size=stored.size, key=stored.key, created_at=now)
        session.add(blob)
        session.flush()
    return blob


def attach(session: Session, message_id: int, stored: Collection[StoredFile], now: dt.datetime) -> None:
    """Attach stored files to a message, in their order."""
    for position, one in enumerate(stored):
        blob = blob_of(session, one, now)
        session.add(
            Attachment(message_id=message_id, blob_id=blob.id, position=position, name=one.name, content_type=one.content_type, size=one.size)
        )
    session.flush()


def stored_files(session: Session, message_id: int) -> tuple[StoredFile, ...]:
    """Return the files of a message as whoever mails them needs them."""
    query = (
        select(Attachment.name, Attachment.content_type, Attachment.size, Blob.sha256, Blob.key)
        .join(Blob, Blob.id == Attachment.blob_id)
        .where(Attachment.message_id == message_id)
        .order_by(Attachment.position)
    )
    return tuple(StoredFile(*row) for row in session.execute(query))


def attachment_of(session: Session, message_id: int, attachment_id: int) -> tuple[Attachment, Blob] | None:
    """Return an attachment of that very message, with its blob."""
    query = select(Attachment, Blob).join(Blob, Blob.id == Attachment.blob_id)
    row = session.execute(query.where(Attachment.id == attachment_id, Attachment.message_id == message_id)).one_or_none()
    return None if row is None else (row[0], row[1])
