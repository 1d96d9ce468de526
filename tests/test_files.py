"""Files: whole on the disk before anybody is told of them, and only of the kinds that they say they are."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import os
import signal
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from sqlalchemy import event, func, select

from cs_plugin.desk import Bench
from cs_plugin.errors import InvalidInputError
from cs_plugin.rules.inquiry import StoredFile
from cs_plugin.store import files
from cs_plugin.store.files import TYPES, FileStore, check_content, extension_of, file_name, taken_down
from cs_plugin.store.models import Attachment, Blob, Message, OutboxFile, SetAsideMail, Thread
from tests.hosts.store import MARIE, Store
from tests.hosts.visitor import Visitor, a_file, value_of
from tests.hosts.visitor import errors as told_at
from tests.hosts.writing import begin, do, look, messages_of, token_of
from tests.servers.processes import wait_until


def png() -> bytes:
    """Return a picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0\xff\xff\xff")) + chunk(b"IEND", b"")


def archive(**members: str) -> bytes:
    """Return a zip archive."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as writing:
        for name, text in members.items():
            writing.writestr(name, text)
    return held.getvalue()


def compound_file(*streams: str) -> bytes:
    """Return a compound file as old office programs write it ([MS-CFB]): header, allocation table, directory."""
    header = bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 16 + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + b"\0" * 6
    header += struct.pack("<IIIIIIIIII", 0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0, 0) + b"\xff" * 432
    table = struct.pack("<II", 0xFFFFFFFD, 0xFFFFFFFE) + b"\xff" * 504
    directory = b""
    for name in ("Root Entry", *streams):
        letters = name.encode("utf-16-le") + b"\0\0"
        directory += letters.ljust(64, b"\0") + struct.pack("<H", len(letters)) + b"\x05\x01" + b"\xff" * 12 + b"\0" * 48
    return (header.ljust(512, b"\xff")[:512] + table[:512] + directory).ljust(2048, b"\0")


WORD = {"[Content_Types].xml": "<Types/>", "word/document.xml": "<w:document/>"}
PDF = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffdb004300") + b"\x08" * 64 + bytes.fromhex("ffd9")
CAMERA = bytes.fromhex("ffd8ffe10016") + b"Exif\0\0II*\0" + b"\0" * 10 + bytes.fromhex("ffdb004300") + b"\x08" * 64 + bytes.fromhex("ffd9")
GIF = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"
WEBP = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0"
WAVE = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x44\xac\0\0\x88\x58\x01\0\x02\0\x10\0data\0\0\0\0"
RTF = rb"{\rtf1\ansi\deff0 {\fonttbl {\f0 Courier;}} Hello}"
PROGRAM = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0" + b"\0" * 200
ELF = b"\x7fELF\x02\x01\x01" + b"\0" * 60
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!DOCTYPE html><html><body><script>alert(1)</script></body></html>"
POEM = "Grüße aus Żabno,\r\n\tпривет, 你好 😀\n"

GOOD = {
    "leaflet.pdf": PDF,
    "pixel.png": png(),
    "photo.jpg": JPEG,
    "camera.JPEG": CAMERA,
    "wave.gif": GIF,
    "GIF87.gif": GIF.replace(b"89a", b"87a"),
    "modern.webp": WEBP,
    "all.zip": archive(**{"a.txt": "hello"}),
    "nothing-in-it.zip": archive(),
    "letter.doc": compound_file("WordDocument", "1Table"),
    "letter.docx": archive(**WORD),
    "letter.rtf": RTF,
    "utf8.txt": POEM.encode(),
    "utf8-with-mark.txt": POEM.encode("utf-8-sig"),
    "utf16.txt": POEM.encode("utf-16"),
    "utf16-big.txt": b"\xfe\xff" + POEM.encode("utf-16-be"),
    "latin1.txt": "Grüße, Müller\n".encode("latin-1"),
    "old-windows.txt": "“Don’t” – 5 €".encode("cp1252"),
    "empty.txt": b"",
    "mzungu.txt": b"Mzungu is a word, and so is MZ.",
    "log.txt": b"\x1b[32mgreen\x1b[0m\n",
    "comparison.txt": b"<5 pieces came, >3 are broken",
}

BAD = {
    "page.txt": HTML,
    "page-behind-blanks.txt": b"\n\n   " + HTML,
    "page-in-utf16.txt": HTML.decode().encode("utf-16"),
    "comment.txt": b"<!-- x --><script>alert(1)</script>",
    "picture.svg": SVG,
    "svg.txt": SVG,
    "xml.txt": b'\xef\xbb\xbf<?xml version="1.0"?>' + SVG,
    "svg.png": SVG,
    "page.jpg": HTML,
    "page.pdf": HTML,
    "page.doc": HTML,
    "page.rtf": HTML,
    "program.txt": PROGRAM,
    "program.pdf": PROGRAM,
    "program.jpg": PROGRAM,
    "program.zip": PROGRAM,
    "program.doc": PROGRAM,
    "program.docx": PROGRAM,
    "linux.txt": ELF,
    "pixel.exe": png(),
    "invoice.pdf.exe": PDF,
    "invoice.exe.pdf": PROGRAM,
    "pixel.pdf": png(),
    "leaflet.png": PDF,
    "leaflet.txt": PDF,
    "letter.txt": RTF,
    "wave.webp": WAVE,
    "film.webp": b"RIFF\x1a\0\0\0AVI LIST",
    "any.docx": archive(**{"a.txt": "hello"}),
    "sheet.docx": archive(**{"[Content_Types].xml": "<Types/>", "xl/workbook.xml": "<x/>"}),
    "macros.docx": archive(**WORD, **{"word/vbaProject.bin": "macro"}),
    "sheet.doc": compound_file("Workbook"),
    "installer.doc": compound_file("\x05SummaryInformation", "!Property"),
    "cut-off.zip": archive(**{"a.txt": "hello"})[:-10],
    "self-extracting.zip": PROGRAM + archive(**{"a.txt": "hello"}),
    "gif-and-page.gif": b"GIF89a=1;/*<script>alert(1)</script>*/",
    "png-and-page.png": png()[:40] + HTML,
    "jpg-and-jar.jpg": JPEG + archive(**{"Evil.class": "x"}),
    "gif-and-jar.gif": GIF + archive(**{"Evil.class": "x"}),
    "php.jpg": JPEG[:24] + b"<?php system($_GET['c']); ?>" + JPEG[24:],
    "empty.pdf": b"",
    "empty.png": b"",
    "empty.zip": b"",
    "empty.docx": b"",
    "no-extension": PDF,
    ".htaccess": b"deny from all",
    "utf16-without-mark.txt": POEM.encode("utf-16-le"),
    "null.txt": b"text\0more",
    "notes.csv": b"a,b",
}


def kept_as(folder: Path, name: str, content: bytes) -> str:
    """Return the type under which a file would be kept."""
    path = folder / "upload"
    path.write_bytes(content)
    return check_content(path, name, frozenset(TYPES))


@pytest.mark.shows("3.3")
@pytest.mark.parametrize("name", GOOD)
def test_a_file_is_taken_whose_content_agrees_with_its_extension(tmp_path: Path, name: str) -> None:
    """Every allowed kind, as the programs of customers write it, text in the encodings that they have."""
    assert kept_as(tmp_path, name, GOOD[name]) == TYPES[extension_of(name)][0]


@pytest.mark.shows("3.3")
@pytest.mark.parametrize("name", BAD)
def test_a_file_is_refused_whose_content_is_anothers(tmp_path: Path, name: str) -> None:
    """Renamed pages, programs and pictures, files that are two things at once, and kinds that nobody allowed."""
    with pytest.raises(InvalidInputError) as refused:
        kept_as(tmp_path, name, BAD[name])
    assert (refused.value.field, refused.value.message) == ("file", "Bad file extension")


@pytest.mark.shows("3.3")
def test_an_extension_that_the_shop_does_not_allow_is_refused(tmp_path: Path) -> None:
    """Also where the content is what it says."""
    path = tmp_path / "upload"
    path.write_bytes(PDF)
    with pytest.raises(InvalidInputError, match="Bad file extension"):
        check_content(path, "leaflet.pdf", frozenset({"png"}))


def crowded(entries: int, *, told: int | None = None, zip64: bool = False) -> bytes:
    """Return an archive with so many entries in its directory; `told` is how many its end says there are."""
    entry = b"PK\1\2" + struct.pack("<HHHHHHIIIHHHHHII", 20, 20, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    member = b"PK\3\4" + struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 33, 0, 0, 0, 1, 0) + b"a"
    directory = entry * entries
    said = entries if told is None else told
    if not zip64:
        return member + directory + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, min(said, 0xFFFF), min(said, 0xFFFF), len(directory), len(member), 0)
    long_end = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, said, said, len(directory), len(member))
    locator = b"PK\6\7" + struct.pack("<IQI", 0, len(member + directory), 1)
    return member + directory + long_end + locator + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)


@pytest.mark.parametrize("zip64", [False, True])
@pytest.mark.parametrize(("entries", "told"), [(5_001, None), (5_001, 1), (200_000, None), (200_000, 1)])
def test_an_archive_with_too_many_files_is_refused_before_its_directory_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: int, told: int | None, *, zip64: bool
) -> None:
    """Whatever its end says of their number: a long directory is refused by its length, and none of its entries is taken apart."""
    taken_apart = 0

    class Counted(zipfile.ZipInfo):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            nonlocal taken_apart
            taken_apart += 1
            super().__init__(*args, **kwargs)

    monkeypatch.setattr(zipfile, "ZipInfo", Counted)
    for name in ("any.zip", "any.docx"):
        with pytest.raises(InvalidInputError, match="too many files") as refused:
            kept_as(tmp_path, name, crowded(entries, told=told, zip64=zip64))
        assert refused.value.values == {"most": 5_000}
    # One more than may be still fits the length that is read; its entries are counted before anything is made of them.
    assert taken_apart == (0 if entries > 5_001 else 2 * entries)


@pytest.mark.parametrize("zip64", [False, True])
def test_an_archive_with_as_many_files_as_may_be_is_taken(tmp_path: Path, *, zip64: bool) -> None:
    """Five thousand."""
    assert kept_as(tmp_path, "any.zip", crowded(5_000, zip64=zip64)) == "application/zip"


def test_each_kind_that_can_be_allowed_has_a_sample() -> None:
    """A new extension comes with a file that is taken and one that is refused."""
    assert {extension_of(name) for name in GOOD} == set(TYPES)
    assert set(TYPES) - {"jpeg", "gif"} <= {extension_of(name) for name in BAD}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("invoice.pdf", "invoice.pdf"),
        ("C:\\Users\\me\\invoice.pdf", "invoice.pdf"),
        ("../../etc/passwd.txt", "passwd.txt"),
        ("/", "file"),
        ("", "file"),
        ("...", "file"),
        (" . ", "file"),
        ("a\r\nSet-Cookie: x=1.txt", "a Set-Cookie: x=1.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("nul\x00.txt", "nul.txt"),
        ("half\ud800.txt", "half.txt"),
        ("фото 漢字.jpg", "фото 漢字.jpg"),
        ("a" * 300 + ".pdf", "a" * 196 + ".pdf"),
        ("a." + "x" * 500, "a." + "x" * 198),
        ("x" * 500, "x" * 200),
        ("name.", "name"),
    ],
)
def test_a_name_can_stand_in_a_header_and_on_a_disk(given: str, expected: str) -> None:
    """No folders, no line ends, no characters that turn the direction, never more than 200 characters, its extension kept."""
    assert file_name(given) == expected
    assert len(file_name(given)) <= 200


def store_in(folder: Path) -> FileStore:
    """Return a file store in a folder."""
    return FileStore(str(folder / "kept"))


def source(folder: Path, content: bytes) -> Path:
    """Return a local file."""
    path = folder / "source"
    path.write_bytes(content)
    return path


def test_a_kept_file_is_whole_and_known(tmp_path: Path) -> None:
    """Size, digest and bytes agree, the key tells nothing of the name, and the same file kept twice has two keys."""
    kept, content = store_in(tmp_path), os.urandom(3_000_000)
    first, second = (kept.keep(source(tmp_path, content), "../a name.pdf", "application/pdf") for _ in range(2))
    assert (first.name, first.size, first.sha256) == ("a name.pdf", 3_000_000, hashlib.sha256(content).digest())
    assert kept.read(first.key) == content
    assert len(first.key) == 32
    assert first.key != second.key
    kept.remove(first.key)
    kept.remove(first.key)
    assert kept.read(second.key) == content
    with pytest.raises(FileNotFoundError):
        kept.open(first.key)


def test_nothing_stays_of_a_file_that_could_not_be_kept(tmp_path: Path) -> None:
    """Where the disk is full no half of a file is left under any name."""
    kept = store_in(tmp_path)
    with pytest.raises(IsADirectoryError):
        kept.keep(tmp_path, "folder.pdf", "application/pdf")
    assert [path for path in (tmp_path / "kept").rglob("*") if path.is_file()] == []


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written under another name and brought to the disk, then renamed, then its folder is brought to the disk."""
    kept, order = store_in(tmp_path), []
    real_sync, real_rename = os.fsync, os.rename

    def note_sync(descriptor: int) -> None:
        order.append("folder" if Path(f"/proc/self/fd/{descriptor}").resolve().is_dir() else "file")
        real_sync(descriptor)

    def note_rename(old: str, new: str) -> None:
        order.append("renamed")
        real_rename(old, new)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "rename", note_rename)
    kept.keep(source(tmp_path, PDF), "a.pdf", "application/pdf")
    assert order == ["file", "renamed", "folder", "folder"]


def test_files_can_lie_in_any_store_that_fsspec_opens(tmp_path: Path) -> None:
    """A store without disks of its own, such as an object store, needs no syncing."""
    kept = FileStore("memory://desk")
    stored = kept.keep(source(tmp_path, PDF), "a.pdf", "application/pdf")
    assert kept.read(stored.key) == PDF
    kept.remove(stored.key)
    with pytest.raises(FileNotFoundError):
        kept.read(stored.key)


class Endless(io.RawIOBase):
    """A stream that never ends, and counts what was read."""

    def __init__(self) -> None:
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        """Give as much as is asked for."""
        self.given += size
        return b"x" * size


@pytest.mark.shows("2.9")
def test_a_file_that_is_too_large_is_refused_while_it_is_read() -> None:
    """No more than the limit is taken down, whatever follows."""
    stream = Endless()
    reading: IO[bytes] = stream  # type: ignore[assignment]
    with pytest.raises(InvalidInputError, match="too large"), taken_down(reading, 1_000_000):
        pytest.fail("it was taken down")
    assert stream.given == 1_000_001


@pytest.mark.shows("2.9")
@pytest.mark.parametrize("size", [0, 1, 999, 1000])
def test_a_file_up_to_the_limit_is_taken_down_whole(size: int) -> None:
    """And it is gone from its temporary place afterwards."""
    with taken_down(io.BytesIO(b"y" * size), 1000) as path:
        assert path.read_bytes() == b"y" * size
    assert not path.exists()


def test_a_file_of_a_message_is_found_by_that_message_alone(any_store: Store) -> None:
    """An attachment is given for its own message, in its order; for another's id, or one that cannot be, there is none."""
    store = any_store
    stored = tuple(StoredFile(f"{name}.pdf", "application/pdf", 5_000_000_000, b"d" * 32, name * 32) for name in "abc")
    mine, other = begin(store, "mine", files=stored), begin(store, "other")
    message, strange = messages_of(store, mine)[0].id, messages_of(store, other)[0].id
    assert look(store, lambda session: files.stored_files(session, message)) == stored
    assert look(store, lambda session: files.stored_files(session, strange)) == ()
    ids = look(store, lambda session: list(session.scalars(select(files.Attachment.id).order_by(files.Attachment.id))))
    found = look(store, lambda session: files.attachment_of(session, message, ids[1]))
    assert found is not None
    assert (found[0].name, found[1].key, found[1].size) == ("b.pdf", "b" * 32, 5_000_000_000)
    for wrong in ((strange, ids[1]), (message, 0), (message, 10**40), (10**40, ids[1]), (message, ids[-1] + 1)):
        assert look(store, lambda session, wrong=wrong: files.attachment_of(session, *wrong)) is None


def test_a_file_that_is_attached_and_mailed_is_one_blob(any_store: Store) -> None:
    """Its bytes are known by their key, once."""
    store = any_store
    stored = StoredFile("a.pdf", "application/pdf", 5, b"d" * 32, "k" * 32)
    begin(store, "one", files=(stored,))
    begin(store, "two", files=(stored,))
    assert look(store, lambda session: len(session.scalars(select(Blob)).all())) == 1


# --- Sweeping


def lay(store: Store, folder: Path, *, age: dt.timedelta, row: bool = True) -> StoredFile:
    """Keep a file that is so old, with a row of its own or without."""
    stored, written = store.desk.files.keep(source(folder, PDF), "a.pdf", "application/pdf"), store.clock() - age
    path = Path(store.desk.files.url) / stored.key[:2] / stored.key
    os.utime(path, (written.timestamp(), written.timestamp()))
    if row:
        do(store, lambda bench: files.blob_of(bench.session, stored, written))
    return stored


def is_there(store: Store, stored: StoredFile) -> bool:
    """Say whether the bytes are there."""
    return (Path(store.desk.files.url) / stored.key[:2] / stored.key).exists()


def test_a_sweep_takes_what_nothing_refers_to_and_nothing_else(any_store: Store, tmp_path: Path) -> None:
    """Day-old bytes without a row, or whose row nobody names, go; what a message, a mail or a set-aside mail needs stays, and so does what is new."""
    store, old, new = any_store, dt.timedelta(hours=25), dt.timedelta(hours=23)
    unused = [lay(store, tmp_path, age=old), lay(store, tmp_path, age=old, row=False)]
    fresh = [lay(store, tmp_path, age=new), lay(store, tmp_path, age=new, row=False)]
    needed = [lay(store, tmp_path, age=old) for _user in range(5)]
    message = messages_of(store, begin(store))[0].id

    def use(bench: Bench) -> None:
        attached, queued, original, html, aside = (files.blob_of(bench.session, one, bench.now).id for one in needed)
        bench.session.add_all(
            [
                Attachment(message_id=message, blob_id=attached, name="a.pdf", content_type="application/pdf", size=5),
                OutboxFile(outbox_id=1, blob_id=queued, name="a.pdf", content_type="application/pdf"),
                SetAsideMail(blob_id=aside, cause="broken", created_at=bench.now),
            ]
        )
        bench.session.get_one(Message, message).original_blob_id = original
        bench.session.get_one(Message, message).html_blob_id = html

    do(store, use)
    half, strange = (Path(store.desk.files.url) / "ab" / name for name in ("ab" + "0" * 30 + ".part", "notes.txt"))
    for path in (half, strange):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, (0, 0))
    swept = store.app.test_cli_runner().invoke(args=["cs", "sweep"])
    assert swept.output == "3 files removed.\n"
    assert [is_there(store, one) for one in unused] == [False, False]
    assert all(is_there(store, one) for one in (*fresh, *needed))
    assert (half.exists(), strange.exists()) == (False, True)
    keys = look(store, lambda session: set(session.scalars(select(Blob.key))))
    assert keys == {one.key for one in (fresh[0], *needed)}


def test_a_store_without_files_is_swept_in_peace(store: Store) -> None:
    """Before the first file there is not even a folder."""
    assert store.app.test_cli_runner().invoke(args=["cs", "sweep"]).output == "0 files removed.\n"


def test_a_sweep_lists_any_store_that_fsspec_opens(store: Store, tmp_path: Path) -> None:
    """Also one without folders of its own."""
    kept = FileStore("memory://swept")
    stored = kept.keep(source(tmp_path, PDF), "a.pdf", "application/pdf")
    with store.desk.sessions() as session:
        assert files.sweep(session, kept, dt.datetime.now(dt.UTC) - dt.timedelta(days=1)) == 0
        assert files.sweep(session, kept, dt.datetime.now(dt.UTC) + dt.timedelta(days=1)) == 1
    with pytest.raises(FileNotFoundError):
        kept.read(stored.key)


def test_a_file_that_is_taken_into_use_while_the_sweep_looks_stays(any_store: Store, tmp_path: Path) -> None:
    """Between the look and the deletion somebody attaches it: row and bytes are still there afterwards; on every database."""
    store = any_store
    stored = lay(store, tmp_path, age=dt.timedelta(hours=25))
    message = messages_of(store, begin(store))[0].id
    blob_id = look(store, lambda session: session.scalar(select(Blob.id)))
    done: list[str] = []

    def meanwhile(_connection: object, cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("DELETE FROM cs_blob") and not done:
            done.append(statement)
            columns = "(message_id, blob_id, position, name, content_type, size, content_id, scanned)"
            values = f"({message}, {blob_id}, 0, 'a.pdf', 'application/pdf', 5, '', '')"
            cursor.execute(f"INSERT INTO cs_attachment {columns} VALUES {values}")  # type: ignore[attr-defined]

    with store.app.app_context(), store.desk.sessions() as session:
        event.listen(session.get_bind(), "before_cursor_execute", meanwhile)
        swept = files.sweep(session, store.desk.files, store.clock() - files.UNUSED_LASTS)
        event.remove(session.get_bind(), "before_cursor_execute", meanwhile)
    assert done
    assert swept == 0
    assert is_there(store, stored)
    assert [one.key for one in look(store, lambda session: files.stored_files(session, message))] == [stored.key]


def test_an_upload_that_is_cut_off_leaves_nothing_that_is_served_and_the_sweep_clears_it(store: Store, tmp_path: Path) -> None:
    """The process is killed in the middle of a file: no key leads to what it wrote, and a day later that is gone."""
    pipe = tmp_path / "endless"
    os.mkfifo(pipe)
    code = "import sys, pathlib; from cs_plugin.store.files import FileStore; FileStore(sys.argv[1]).keep(pathlib.Path(sys.argv[2]), 'a.pdf', 'x/y')"
    folder = Path(store.desk.files.url)
    with subprocess.Popen([sys.executable, "-c", code, str(folder), str(pipe)]) as killed, pipe.open("wb", buffering=0) as writing:
        writing.write(b"%PDF" * 10_000)
        wait_until(lambda: any(folder.rglob("*.part")), seconds=30, what="the beginning of the file")
        killed.kill()
    assert killed.returncode == -signal.SIGKILL
    (left,) = [path for path in folder.rglob("*") if path.is_file()]
    with pytest.raises(FileNotFoundError):
        store.desk.files.open(left.name.removesuffix(".part"))
    assert store.app.test_cli_runner().invoke(args=["cs", "sweep"]).output == "0 files removed.\n"
    assert left.exists()
    os.utime(left, (0, 0))
    assert store.app.test_cli_runner().invoke(args=["cs", "sweep"]).output == "1 files removed.\n"
    assert not left.exists()


def test_what_a_killed_upload_left_in_the_temporary_folder_is_cleared_after_a_day(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of ours alone, and never what is being taken down at this moment; a link that somebody laid there leads nowhere."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    precious = tmp_path / "precious"
    precious.mkdir()
    old, others = tmp_path / "cs_plugin-upload-old", tmp_path / "somebody-elses"
    for folder in (old, others):
        folder.mkdir()
        (folder / "upload").write_bytes(PDF)
        os.utime(folder, (0, 0))
    link = tmp_path / "cs_plugin-upload-link"
    link.symlink_to(precious)
    os.utime(link, (0, 0), follow_symlinks=False)
    with taken_down(io.BytesIO(PDF), 1000) as present, store.desk.sessions() as session:
        files.sweep(session, store.desk.files, dt.datetime.now(dt.UTC))
        assert present.exists()
    assert (old.exists(), others.exists(), precious.exists()) == (False, True, True)


# --- A store that is full, or out of reach


class Refusing(MemoryFileSystem):
    """A file store whose client has an error of its own, as those of object stores do."""

    protocol = "refusing"

    def _open(self, path: str, mode: str = "rb", **options: object) -> object:
        raise LookupError(f"no bucket for {path}: {mode}, {len(options)}")


def test_whatever_a_file_store_raises_is_an_error_of_the_system(tmp_path: Path) -> None:
    """Whoever sends a file is told of it like of a full disk."""
    fsspec.register_implementation("refusing", Refusing, clobber=True)
    kept = FileStore("refusing://desk")
    with pytest.raises(OSError, match="no bucket"):
        kept.keep(source(tmp_path, PDF), "a.pdf", "application/pdf")
    with pytest.raises(OSError, match="no bucket"):
        kept.open("0" * 32)


@pytest.mark.shows("2.8")
@pytest.mark.parametrize("url", ["refusing://desk", "a file in the way"])
def test_where_no_file_can_be_kept_the_sender_is_told_and_keeps_the_text(store: Store, tmp_path: Path, url: str) -> None:
    """A store out of reach, or a folder that cannot be made: an error, the text still in the form, and no thread; without the file it goes."""
    fsspec.register_implementation("refusing", Refusing, clobber=True)
    (tmp_path / "a file in the way").write_bytes(b"")
    store.desk.files = FileStore(url if ":" in url else str(tmp_path / url))
    visitor = Visitor(store)
    visitor.open()
    answer = visitor.write("Here is my receipt.", files=[a_file("receipt.txt")])
    assert answer.status_code == 422
    assert "An error occurred while sending the message, please try again." in told_at(answer.text)["file"]
    assert value_of(answer.text, "text") == "Here is my receipt."
    assert look(store, lambda session: session.scalar(select(func.count()).select_from(Thread))) == 0
    assert visitor.write("Here is my receipt.").status_code == 303


# --- Downloads


def with_a_file(store: Store, folder: Path, name: str = "a.pdf") -> tuple[int, str, StoredFile]:
    """Let a message with a file come in; return its thread, the address of the file in the admin, and the file."""
    stored = store.desk.files.keep(source(folder, PDF), name, "application/pdf")
    thread_id = begin(store, files=(stored,))
    message = messages_of(store, thread_id)[0].id
    attachment = look(store, lambda session: session.scalar(select(Attachment.id)))
    return thread_id, f"/files/{message}/{attachment}", stored


@pytest.mark.parametrize(
    ("headers", "method"), [({}, "GET"), ({}, "HEAD"), ({"Range": "bytes=0-3"}, "GET"), ({"Range": "bytes=-1,9-"}, "GET"), ({"Range": "x"}, "HEAD")]
)
def test_a_download_is_whole_and_says_how_long_it_is(store: Store, tmp_path: Path, headers: dict[str, str], method: str) -> None:
    """Whatever range is asked for, and also where only its head is: one length, the true one."""
    thread_id, path, _stored = with_a_file(store, tmp_path, "résumé ”x” .pdf")
    client = store.client(employee=MARIE)
    for address in (f"/cs-admin/customer-service/{thread_id}{path}", f"/customer-service/thread/{token_of(store, thread_id)}{path}"):
        answer = client.open(address, method=method, headers=headers)
        assert answer.status_code == 200, address
        assert answer.headers["Content-Length"] == str(len(PDF))
        assert answer.data == (PDF if method == "GET" else b"")
        assert answer.headers["Content-Type"] == "application/pdf"
        assert "filename*=UTF-8''r%C3%A9sum%C3%A9" in answer.headers["Content-Disposition"]
        assert answer.headers["Accept-Ranges"] == "none"
        assert "no-store" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("sandbox")


@pytest.mark.parametrize("why", ["gone", "unreadable"])
def test_a_file_whose_bytes_cannot_be_had_says_so(store: Store, tmp_path: Path, why: str) -> None:
    """404, and a page with the reason, for employee and customer alike; the log names the file."""
    thread_id, path, stored = with_a_file(store, tmp_path)
    kept = Path(store.desk.files.url) / stored.key[:2] / stored.key
    kept.unlink()
    if why == "unreadable":
        kept.mkdir()
    client = store.client(employee=MARIE)
    for address in (f"/cs-admin/customer-service/{thread_id}{path}", f"/customer-service/thread/{token_of(store, thread_id)}{path}"):
        answer = client.get(address)
        assert answer.status_code == 404
        assert "This file is no longer there" in answer.text
