"""Files: hostile on the way in, whole on the disk before a row tells of them, and unguessable by name."""

from __future__ import annotations

import codecs
import datetime as dt
import hashlib
import os
import re
import secrets
import shutil
import struct
import tempfile
import time
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import fsspec
import puremagic
from fsspec.implementations.local import LocalFileSystem
from sqlalchemy import ColumnElement, and_, delete, select
from sqlalchemy.orm import Session

from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import StoredFile, clean_line
from cs_plugin.store.locking import insert_if_absent, insert_rows, locking
from cs_plugin.store.models import Attachment, Blob, Draft, DraftFile, Message, OutboxFile, SetAsideMail
from cs_plugin.store.numbering import insert_numbered
from cs_plugin.store.scope import Scope
from cs_plugin.store.types import can_be_id

_CHUNK = 1 << 20

_JPEG = ("image/jpeg", frozenset({"jpg", "jpeg", "jfif", "jpe"}))
_ZIP = frozenset({"zip", "docx"})

# Every extension that may be allowed at all: the type under which it is served, and the signatures of which its content may be, as puremagic
# calls them; text has none.
TYPES: dict[str, tuple[str, frozenset[str]]] = {
    "pdf": ("application/pdf", frozenset({"pdf"})),
    "txt": ("text/plain", frozenset()),
    "png": ("image/png", frozenset({"png", "apng"})),
    "jpg": _JPEG,
    "jpeg": _JPEG,
    "gif": ("image/gif", frozenset({"gif"})),
    "webp": ("image/webp", frozenset({"webp"})),
    "zip": ("application/zip", _ZIP),
    "doc": ("application/msword", frozenset({"doc"})),
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", _ZIP),
    "rtf": ("application/rtf", frozenset({"rtf"})),
}


def file_name(given: str) -> str:
    """Return a name that can stand in a header and on a disk: no folders, control or bidi characters, at most 200 characters."""
    name = clean_line(given.replace("\\", "/").rsplit("/", 1)[-1], 1000).strip(". ")
    stem, dot, extension = name.rpartition(".")
    # Only what can be an extension is spared when a name is cut.
    fits = dot and len(extension) < 20
    return (stem[: 200 - len(extension) - 1] + dot + extension if fits else name[:200]).strip(". ") or "file"


def extension_of(name: str) -> str:
    """Return the extension of a name in lower case, without its dot."""
    return name.rpartition(".")[2].lower() if "." in name else ""


# A key of ours in its folder, whole or still being written.
_OURS = re.compile(r"(?P<folder>[0-9a-f]{2})/(?P<name>[0-9a-f]{32}(\.part)?)")


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that are to be kept, and what they are called."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class FileStore:
    """Keep bytes under a folder or an object store's URL, as fsspec opens it."""

    url: str

    def keep(self, source: Path, name: str, content_type: str) -> StoredFile:
        """Copy a local file into the store and return what a row has to know of it. It is whole and on the disk when this returns.

        Raise OSError where the store is full, not writable or out of reach.
        """
        key = secrets.token_hex(16)
        with _errors_of_the_system():
            filesystem, root = self._open()
            final = f"{root}/{key[:2]}/{key}"
            filesystem.makedirs(final.rsplit("/", 1)[0], exist_ok=True)
            try:
                size, digest = _copy(source, filesystem, final + ".part")
                filesystem.mv(final + ".part", final)
            except BaseException:
                # What went wrong is told, and not that nothing could be cleared away either: that is swept.
                with suppress(Exception):
                    filesystem.rm(final + ".part")
                raise
            _sync_folder(filesystem, final.rsplit("/", 1)[0])
        return StoredFile(file_name(name), content_type, size, digest, key)

    def keep_several(self, contents: Sequence[Content]) -> list[StoredFile]:
        """Keep bytes as `keep` does a file, many at once: they lie in one folder, so that it is brought onto the disk once for all of them.

        What was kept when it raises OSError is swept.
        """
        folder = secrets.token_hex(1)
        keys = [folder + secrets.token_hex(15) for _one in contents]
        if not keys:
            return []
        with _errors_of_the_system():
            filesystem, root = self._open()
            place = f"{root}/{folder}"
            filesystem.makedirs(place, exist_ok=True)
            for key, one in zip(keys, contents, strict=True):
                with filesystem.open(f"{place}/{key}.part", "wb") as writing:
                    writing.write(one.content)
            # All of them are written before the first is waited for: the disk then takes them in one go.
            for key in keys:
                _sync_file(filesystem, f"{place}/{key}.part")
                filesystem.mv(f"{place}/{key}.part", f"{place}/{key}")
            _sync_folder(filesystem, place)
        return [
            StoredFile(file_name(one.name), one.content_type, len(one.content), hashlib.sha256(one.content).digest(), key)
            for key, one in zip(keys, contents, strict=True)
        ]

    def open(self, key: str) -> IO[bytes]:
        """Open the bytes of a key. Raise FileNotFoundError where they are gone, OSError where the store cannot be read."""
        with _errors_of_the_system():
            filesystem, root = self._open()
            opened: IO[bytes] = filesystem.open(f"{root}/{key[:2]}/{key}", "rb")
        return opened

    def read(self, key: str) -> bytes:
        """Return the bytes of a key. Raise FileNotFoundError where they are gone."""
        with self.open(key) as reading:
            return reading.read()

    def remove(self, key: str) -> None:
        """Remove the bytes of a key, if they are there. Raise OSError where the store does not let us."""
        with _errors_of_the_system(), suppress(FileNotFoundError):
            filesystem, root = self._open()
            path = f"{root}/{key[:2]}/{key}"
            if filesystem.exists(path):
                filesystem.rm(path)

    def kept(self, *, after: str = "") -> Iterator[Sequence[str]]:
        """Yield the keys of what is kept, in their order, some at once; also of what was never kept whole. What is not ours is passed over."""
        filesystem, root = self._open()
        folders = sorted(str(folder) for folder in filesystem.ls(root, detail=False)) if filesystem.exists(root) else ()
        for folder in folders:
            if folder.rpartition("/")[2] < after[:2]:
                continue
            found = (_OURS.fullmatch("/".join(str(path).split("/")[-2:])) for path in filesystem.find(folder))
            keys = sorted(match["name"] for match in found if match and match["name"].startswith(match["folder"]) and match["name"] > after)
            for start in range(0, len(keys), _ROWS_AT_ONCE):
                yield keys[start : start + _ROWS_AT_ONCE]

    def is_older(self, key: str, before: dt.datetime) -> bool:
        """Say whether the bytes of a key were written before a moment."""
        filesystem, root = self._open()
        return _is_older(filesystem, f"{root}/{key[:2]}/{key}", before)

    def _open(self) -> tuple[Any, str]:
        filesystem, root = fsspec.core.url_to_fs(self.url)
        return filesystem, str(root).rstrip("/")


@contextmanager
def _errors_of_the_system() -> Iterator[None]:
    """Let what a file store raises be an OSError: the clients of object stores have errors of their own, and whoever sends a file is to be told."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"the file store failed: {type(error).__name__}: {error}") from error


def _is_older(filesystem: Any, path: str, before: dt.datetime) -> bool:
    try:
        written: dt.datetime = filesystem.modified(path)
    except FileNotFoundError:
        # Whoever was writing it has given it its name, or it was removed.
        return False
    return (written if written.tzinfo else written.replace(tzinfo=dt.UTC)) < before


def _copy(source: Path, filesystem: Any, target: str) -> tuple[int, bytes]:
    """Copy a local file, and return how many bytes it has and their SHA-256."""
    whole, size = hashlib.sha256(), 0
    with source.open("rb") as reading, filesystem.open(target, "wb") as writing:
        while chunk := reading.read(_CHUNK):
            whole.update(chunk)
            size += len(chunk)
            writing.write(chunk)
        writing.flush()
        if isinstance(filesystem, LocalFileSystem):
            # An object store answers for its own disks.
            os.fsync(writing.fileno())
    return size, whole.digest()


def _sync_file(filesystem: Any, path: str) -> None:
    if isinstance(filesystem, LocalFileSystem):
        descriptor = os.open(path, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sync_folder(filesystem: Any, folder: str) -> None:
    """Bring a new name onto the disk: until its folder is there too, a power cut takes the renamed file with it."""
    if not isinstance(filesystem, LocalFileSystem) or os.name != "posix":
        return
    for path in (folder, folder.rsplit("/", 1)[0]):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


_TAKEN_DOWN = "cs_plugin-upload-"


@contextmanager
def taken_down(stream: IO[bytes], limit: int) -> Iterator[Path]:
    """Copy a stream into a local file of at most `limit` bytes and yield its path. Raise InvalidInputError where it is longer."""
    with tempfile.TemporaryDirectory(prefix=_TAKEN_DOWN) as folder:
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
    if (looks and not looks & _looks_like(path)) or (extension in PROOFS and not PROOFS[extension](path)):
        raise InvalidInputError("file", _("Bad file extension"))
    return content_type


def _looks_like(path: Path) -> set[str]:
    try:
        return {match.extension.lstrip(".").lower() for match in puremagic.magic_file(str(path)) if match.byte_match}
    except (puremagic.PureError, ValueError):
        return set()


# What a browser would take for a page, whatever it is called (https://mimesniff.spec.whatwg.org, section 7.1), and documents of other kinds.
_NO_PLAIN_TEXT = re.compile(
    r"<(!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p|svg|\?xml|\?php)\b|<!--|%pdf-|%!ps-adobe|\{\\rtf",
    re.IGNORECASE,
)
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def _is_text(path: Path) -> bool:
    """Say whether a file reads as text: UTF-16 with its byte order mark, else UTF-8, else one byte a letter. An empty one does.

    A NUL, as every program has one, or what a browser would take for a page is no text.
    """
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-16" if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return not _CONTROLS.search(text) and not _NO_PLAIN_TEXT.match(text.lstrip())


def _is_only_a_picture(path: Path) -> bool:
    """Say whether a picture is nothing else besides: neither a page, which old browsers find in one, nor an archive, which stands at its end."""
    with path.open("rb") as reading:
        # Far more than any browser looks at; in a whole photograph such words come up by chance.
        head = reading.read(8_192)
    return not re.search(rb"<(script|html|body|iframe|svg|!doctype|\?php)\b", head, re.IGNORECASE) and not zipfile.is_zipfile(path)


def _is_webp(path: Path) -> bool:
    # Sounds and films begin with RIFF as well.
    return path.read_bytes()[8:12] == b"WEBP" and _is_only_a_picture(path)


_MOST_IN_ZIP = 5_000
_LONGEST_DIRECTORY = 200 * _MOST_IN_ZIP   # bytes: room for 5,000 entries with long names


class _Directory:
    """A file out of which `zipfile` reads an archive's directory, which it does in one go: a long one is refused before it is read.

    How many entries there are the end of the archive says, and nothing makes it true: its length is what the work rests on, also in zip64.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.seek, self.tell = file.seek, file.tell
        self._read = file.read

    def read(self, size: int = -1) -> bytes:
        if size > _LONGEST_DIRECTORY:
            raise _too_many_in_zip()
        # Without a size the end is read, which is as long as a comment may be.
        return self._read(size if size >= 0 else _LONGEST_DIRECTORY)


def _too_many_in_zip() -> InvalidInputError:
    return InvalidInputError("file", _("The archive holds too many files: %(most)s at most."), most=_MOST_IN_ZIP)


def _names_in_zip(path: Path) -> list[str] | None:
    """Return the names in an archive; None where it is none. Raise InvalidInputError where there are too many to look at."""
    try:
        with path.open("rb") as reading, zipfile.ZipFile(cast(IO[bytes], _Directory(reading))) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error):
        return None
    if len(names) > _MOST_IN_ZIP:
        raise _too_many_in_zip()
    return names


def _is_zip(path: Path) -> bool:
    return _names_in_zip(path) is not None


def _is_docx(path: Path) -> bool:
    names = _names_in_zip(path) or []
    # With macros the extension would be docm.
    return "[Content_Types].xml" in names and "word/document.xml" in names and "word/vbaProject.bin" not in names


def _is_doc(path: Path) -> bool:
    # The directory of the compound file names its streams ([MS-CFB], section 2.6.1); an installer or a spreadsheet has the same signature.
    return "WordDocument".encode("utf-16-le") in path.read_bytes()


# What a signature does not tell: many kinds share one, and a file may be two things at once.
PROOFS: dict[str, Callable[[Path], bool]] = {
    "txt": _is_text,
    "png": _is_only_a_picture,
    "jpg": _is_only_a_picture,
    "jpeg": _is_only_a_picture,
    "gif": _is_only_a_picture,
    "webp": _is_webp,
    "zip": _is_zip,
    "doc": _is_doc,
    "docx": _is_docx,
}


def blob_of(session: Session, stored: StoredFile, now: dt.datetime) -> Blob:
    """Return the row of a stored file, made if it is new: a draft may make it at the moment at which its reply is sent."""
    theirs = select(Blob).where(Blob.key == stored.key)
    blob = session.scalars(theirs).one_or_none()
    if blob is None:
        insert_if_absent(session, Blob, ["key"], {"sha256": stored.sha256, "size": stored.size, "key": stored.key, "created_at": now})
        blob = session.scalars(locking(session, theirs)).one()
    return blob


def attach(session: Session, message_id: int, stored: Collection[StoredFile], now: dt.datetime) -> None:
    """Attach stored files to a message, in their order."""
    for position, one in enumerate(stored):
        blob = blob_of(session, one, now)
        session.add(
            Attachment(message_id=message_id, blob_id=blob.id, position=position, name=one.name, content_type=one.content_type, size=one.size)
        )
    session.flush()


def blobs_of(session: Session, stored: Collection[StoredFile], now: dt.datetime) -> dict[str, int]:
    """Return the ids of the rows of stored files by their keys, made where they are new: in a few statements, however many they are."""
    wanted = {one.key: one for one in stored}
    known = select(Blob.key, Blob.id).where(Blob.key.in_(sorted(wanted)))
    found = {row.key: row.id for row in session.execute(known)} if wanted else {}
    new: list[dict[str, Any]] = [
        {"sha256": one.sha256, "size": one.size, "key": key, "created_at": now} for key, one in sorted(wanted.items()) if key not in found
    ]
    ids = insert_numbered(session, Blob, new)
    return found | {row["key"]: number for row, number in zip(new, ids, strict=True)}


def attach_parts(session: Session, parts: Mapping[int, Collection[tuple[StoredFile, str]]], blobs: Mapping[str, int]) -> None:
    """Attach the parts of mails to messages, by their ids, in their order: each is a file and its Content-ID, or an empty text."""
    rows = [
        {
            "message_id": message_id,
            "blob_id": blobs[one.key],
            "position": position,
            "name": one.name[:255],
            "content_type": one.content_type[:127],
            "size": one.size,
            "content_id": content_id[:255],
        }
        for message_id, several in parts.items()
        for position, (one, content_id) in enumerate(several)
    ]
    insert_rows(session, Attachment, rows)


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
    if not can_be_id(message_id) or not can_be_id(attachment_id):
        return None
    query = select(Attachment, Blob).join(Blob, Blob.id == Attachment.blob_id)
    row = session.execute(query.where(Attachment.id == attachment_id, Attachment.message_id == message_id)).one_or_none()
    return None if row is None else (row[0], row[1])


def original_of(session: Session, scope: Scope, thread_id: int, message_id: int) -> Blob | None:
    """Return the mail that a message of a thread of the scope came by, as it came; None where it came by none."""
    if not can_be_id(message_id) or not can_be_id(thread_id):
        return None
    there = Message.id == message_id, Message.thread_id == thread_id, scope.covers(Message.shop_id)
    return session.scalars(select(Blob).join(Message, Message.original_blob_id == Blob.id).where(*there)).one_or_none()


def content_types() -> frozenset[str]:
    """Return every type under which a checked file may be kept."""
    return frozenset(content_type for content_type, _looks in TYPES.values())


# What a form has kept and nobody has sent is of no use any more after that.
UNUSED_LASTS = dt.timedelta(days=1)
_ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Swept:
    """How far a sweep is: how many files it has removed, and the key up to which it has looked through the store; empty while it looks at rows."""

    files: int = 0
    after: str = ""


def sweep(
    session: Session, store: FileStore, before: dt.datetime, *, tell: Callable[[Swept], object] = lambda _swept: None, begun: Swept = Swept()
) -> int:
    """Remove bytes from before a moment that nothing refers to, with a row or without one, and return how many files they were.

    It commits on its way: bytes go only after their row is gone for good, and no transaction stays open while the store is asked. `tell` is told
    on the way how far it is; one that was `begun` goes on there, for a large store is not looked through in one go.
    """
    swept = begun.files
    if not begun.after:
        _clear_uploads_cut_off()
        # Drafts go with their thread, with their employee, and in time; what they held is nobody's then.
        session.execute(delete(DraftFile).where(DraftFile.draft_id.not_in(select(Draft.id))), execution_options={"synchronize_session": False})
        session.commit()
    while rows := session.execute(select(Blob.id, Blob.key).where(Blob.created_at < before, _unused()).limit(_ROWS_AT_ONCE)).all():
        ids = [row.id for row in rows]
        # Asked again by the very statement that deletes: somebody may have taken one of them into use meanwhile.
        session.execute(delete(Blob).where(Blob.id.in_(ids), _unused()), execution_options={"synchronize_session": False})
        kept = set(session.scalars(select(Blob.id).where(Blob.id.in_(ids))))
        session.commit()
        gone = [row.key for row in rows if row.id not in kept]
        for key in gone:
            store.remove(key)
        swept += len(gone)
        tell(Swept(swept, begun.after))
    session.commit()
    for keys in store.kept(after=begun.after):
        # Age first: what is old and has no row now never gets one.
        old = [key for key in keys if store.is_older(key, before)]
        known = set(session.scalars(select(Blob.key).where(Blob.key.in_(old)))) if old else set()
        session.commit()
        for key in set(old) - known:
            store.remove(key)
            swept += 1
        tell(Swept(swept, keys[-1]))
    return swept


def _clear_uploads_cut_off() -> None:
    """Remove what uploads have left in the system's temporary folder whose process was killed: nobody else ever does."""
    yesterday = time.time() - UNUSED_LASTS.total_seconds()
    for folder in Path(tempfile.gettempdir()).glob(f"{_TAKEN_DOWN}*"):
        with suppress(OSError):
            # Whatever anybody may lay there under such a name: a link is not followed, and what is not ours cannot be removed.
            if folder.lstat().st_mtime < yesterday:
                shutil.rmtree(folder)


def _unused() -> ColumnElement[bool]:
    """Match blobs that no attachment, queued mail, message, set-aside mail or draft refers to."""
    users = (Attachment.blob_id, OutboxFile.blob_id, Message.original_blob_id, Message.html_blob_id, SetAsideMail.blob_id, DraftFile.blob_id)
    return and_(*(Blob.id.not_in(select(column).where(column.is_not(None))) for column in users))
