"""A posted form of the storefront: bounded while it arrives, its files kept before anything else is judged, so that no error loses them."""

from __future__ import annotations

import datetime as dt
import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from flask import current_app, request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import LengthRequired, RequestEntityTooLarge

from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import StoredFile, digest
from cs_plugin.store.files import file_name
from cs_plugin.store.options import Options
from cs_plugin.web import floods
from cs_plugin.web.mounted import Mounted
from cs_plugin.web.oversized import texts_of_oversized_post
from cs_plugin.web.reading import form_is_genuine
from cs_plugin.web.seals import open_seal, seal
from cs_plugin.web.uploads import NO_FILES, UploadLimits, bound_request, keep_uploads

log = logging.getLogger(__name__)

FAILED = _("An error occurred while sending the message, please try again.")
EXPIRED = _(
    "This form had expired, and nothing was sent. What you wrote is kept: please send it once more. "
    "Should this happen again, let this site set its cookie."
)
FORM_LASTS = dt.timedelta(hours=24)
# A form that had expired keeps the files that come with it, but not for ever.
_KEEPS_FILES = 2 * FORM_LASTS
_MOST_TOLD = 20   # files that are named one by one
_MOST_BROUGHT_BACK = 100   # references that are looked at: more than any message may have files
# Bytes that no message refers to are swept after a day (`flask cs sweep`); a form never offers to send what may be gone.
FILES_LAST = dt.timedelta(hours=20)
# A draft holds the files of an employee's form for longer, and its page stands open for days.
_FILES_OF_DRAFTS_LAST = dt.timedelta(days=7)
_CHOOSE_AGAIN = _("This file is no longer there: please choose it again.")
_FORM, _FILE = "form", "kept file"


@dataclass(frozen=True, slots=True)
class FormKey:
    """What makes a form's post idempotent, and tells when the form was made (`at`, aware)."""

    nonce: str
    at: dt.datetime

    @classmethod
    def new(cls, at: dt.datetime) -> FormKey:
        """Return the key of a form that is made at that moment."""
        return cls(secrets.token_hex(16), at)

    @classmethod
    def read(cls, text: str) -> FormKey | None:
        """Read a key that came back; None for one that is not ours."""
        found = open_seal(_FORM, text)
        return cls(str(found.value), found.at) if found else None

    def __str__(self) -> str:
        return seal(_FORM, self.nonce, self.at)

    def expired(self, now: dt.datetime) -> bool:
        """Say whether the form is too old to be taken."""
        return now - self.at > FORM_LASTS

    def of_post(self, *parts: str, files: Iterable[StoredFile] = ()) -> str:
        """Return the key of one post: the same form with other words in it, sent after a step back in the browser, is another post."""
        return digest("post", self.nonce, *parts, *(file.sha256.hex() for file in files)).hex()


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that has been accepted, and the sealed reference under which the form carries it."""

    file: StoredFile
    reference: str


@dataclass(frozen=True, slots=True)
class FileError:
    """What is wrong with a file, and which one (empty where it is all of them)."""

    error: InvalidInputError
    name: str = ""


@dataclass(frozen=True, slots=True)
class Posting:
    """One post of a form. `key` is None where the form was not made by us; `expired` says that nothing of it may be taken."""

    fields: MultiDict[str, str] = field(default_factory=MultiDict)
    kept: tuple[KeptFile, ...] = ()
    file_errors: tuple[FileError, ...] = ()
    key: FormKey | None = None
    expired: bool = False
    too_large: bool = False

    @property
    def files(self) -> tuple[StoredFile, ...]:
        """Return the accepted files."""
        return tuple(kept.file for kept in self.kept)

    def next_key(self, now: dt.datetime, earned: dt.timedelta = dt.timedelta(0)) -> FormKey:
        """Return the key of the form that is shown again: the same, unless it may not be taken any more.

        Whoever has had a form of ours before need not look at the next one for the time (`earned`) that tells people from programs.
        """
        if self.key is not None and not self.expired:
            return self.key
        return FormKey.new(now - earned if self.key is not None else now)


def files_allowed(options: Options) -> UploadLimits:
    """Return what customers may attach in a shop: nothing, where the option says so."""
    return UploadLimits.of(options) if options["allow_file_uploading"] else NO_FILES


def min_fill() -> dt.timedelta:
    """Return how long people need at least for a form (CS_FORM_MIN_SECONDS)."""
    return dt.timedelta(seconds=float(current_app.config["CS_FORM_MIN_SECONDS"]))


def filled_in_by_a_program(posting: Posting, website: str | None, now: dt.datetime) -> bool:
    """Say whether a program filled in the form: it wrote where people see nothing (`website`), or faster than people read."""
    return bool(website) or posting.key is None or now - posting.key.at < min_fill()


def read_posting(desk: Mounted, limits: UploadLimits, now: dt.datetime, *, of_employee: bool = False) -> Posting:
    """Read the posted form of this request and keep its good files; what is wrong with the others stands in `file_errors`.

    `of_employee` says that the host knows who posts it, and lets them answer.
    """
    try:
        bound_request(limits)
        fields, uploads = request.form, request.files.getlist("file")
    except (RequestEntityTooLarge, LengthRequired):
        return _oversized(desk, limits, now)
    key = FormKey.read(fields.get("post_key", ""))
    expired = key is None or key.expired(now) or not form_is_genuine(limits)
    chosen = [upload for upload in uploads if upload.filename]
    may_leave = not expired or _may_leave_files(key, limits, now, of_employee=of_employee)
    may_leave = may_leave and (of_employee or not chosen or floods.keeps_files())
    lasts = _FILES_OF_DRAFTS_LAST if of_employee else FILES_LAST
    kept, errors = _keep_files(desk, fields.getlist("kept_file"), chosen if may_leave else [], limits, now, lasts=lasts)
    if not may_leave:
        errors = (*errors, *(FileError(InvalidInputError("file", _CHOOSE_AGAIN), file_name(one.filename or "")) for one in chosen[:_MOST_TOLD]))
    return Posting(fields, kept, errors, key, expired)


def _may_leave_files(key: FormKey | None, limits: UploadLimits, now: dt.datetime, *, of_employee: bool) -> bool:
    """Say whether a form that is not taken may leave bytes here all the same.

    One that somebody has written on for too long may: they need not look for their file again. It is told by our seal, by its age, and by a token
    of that very browser's session, which may be as old as the form; an employee may have signed in anew, and has another session then. Whoever posts
    without our cookie, or copies one form for ever, does not fill the disk; what an honest form leaves and nobody sends is swept.
    """
    return key is not None and now - key.at <= _KEEPS_FILES and (of_employee or form_is_genuine(limits, lasts=_KEEPS_FILES))


def _oversized(desk: Mounted, limits: UploadLimits, now: dt.datetime) -> Posting:
    texts = texts_of_oversized_post()
    message = _("The file is too large.") if limits.most else _("Files cannot be attached here.")
    kept, errors = _keep_files(desk, texts.getlist("kept_file"), [], limits, now)
    too_large = FileError(InvalidInputError("file", message))
    return Posting(texts, kept, (*errors, too_large), FormKey.read(texts.get("post_key", "")), too_large=True)


def _keep_files(
    desk: Mounted,
    references: Sequence[str],
    uploads: Sequence[FileStorage],
    limits: UploadLimits,
    now: dt.datetime,
    *,
    lasts: dt.timedelta = FILES_LAST,
) -> tuple[tuple[KeptFile, ...], tuple[FileError, ...]]:
    kept, errors = _brought_back(desk, references, now, lasts)
    chosen = [upload for upload in uploads if upload.filename]
    if (kept or chosen) and not limits.most:
        return (), (FileError(InvalidInputError("file", _("Files cannot be attached here."))),)
    if len(kept) + len(chosen) > limits.most:
        errors.append(FileError(InvalidInputError("file", _("Too many files: %(most)s at most."), most=limits.most)))
        chosen = chosen[: max(0, limits.most - len(kept))]
    for upload in chosen:
        try:
            kept.extend(_kept_file(file, now) for file in _keep(desk, upload, limits, kept))
        except InvalidInputError as error:
            errors.append(FileError(error, file_name(upload.filename or "")))
    return tuple(kept[: limits.most]), tuple(errors)


def _keep(desk: Mounted, upload: FileStorage, limits: UploadLimits, kept: Sequence[KeptFile]) -> tuple[StoredFile, ...]:
    left = UploadLimits(limits.types, 1, limits.each, max(0, limits.together - sum(one.file.size for one in kept)))
    try:
        return keep_uploads(desk, [upload], left)
    except OSError as error:
        log.exception("an uploaded file could not be kept")
        raise InvalidInputError("file", FAILED) from error


def kept_again(files: Iterable[StoredFile], now: dt.datetime) -> tuple[KeptFile, ...]:
    """Return files that are kept here as a form brings them back."""
    return tuple(_kept_file(file, now) for file in files)


def _kept_file(file: StoredFile, now: dt.datetime) -> KeptFile:
    value = [file.name, file.content_type, file.size, file.sha256.hex(), file.key]
    return KeptFile(file, seal(_FILE, value, now))


def _brought_back(
    desk: Mounted, references: Sequence[str], now: dt.datetime, lasts: dt.timedelta = FILES_LAST
) -> tuple[list[KeptFile], list[FileError]]:
    """Return the files that an earlier post of this form has left, each once; those that are gone are told, never passed over."""
    kept: dict[str, KeptFile] = {}
    errors: list[FileError] = []
    # Each costs a signature: a form of tens of thousands, which anybody can post, would keep a process busy for seconds.
    for reference in references[:_MOST_BROUGHT_BACK]:
        found = open_seal(_FILE, reference)
        if found is None:
            continue
        name, content_type, size, sha256, key = found.value
        if now - found.at > lasts or not _is_there(desk, key):
            errors.append(FileError(InvalidInputError("file", _CHOOSE_AGAIN), name))
        else:
            kept[key] = KeptFile(StoredFile(name, content_type, size, bytes.fromhex(sha256), key), reference)
    return list(kept.values()), errors


def files_named(references: Sequence[str]) -> list[StoredFile]:
    """Return the files under these references, each once, whether or not they are still there: what is not our seal is passed over."""
    found = (open_seal(_FILE, one) for one in references[:_MOST_BROUGHT_BACK])
    named = {one.value[4]: one.value for one in found if one is not None}
    return [StoredFile(name, kind, size, bytes.fromhex(sha256), key) for name, kind, size, sha256, key in named.values()]


def bring_back(desk: Mounted, references: Sequence[str], now: dt.datetime) -> tuple[tuple[KeptFile, ...], tuple[FileError, ...]]:
    """Return the files under these references, and those of them that are no longer there."""
    kept, errors = _brought_back(desk, references, now)
    return tuple(kept), tuple(errors)


def _is_there(desk: Mounted, key: str) -> bool:
    try:
        desk.files.open(key).close()
    except OSError:
        return False
    return True


def file_sentences(posting: Posting, say: Callable[..., str]) -> list[tuple[str, str]]:
    """Return what is wrong with the files, as (name, sentence) in a language; the name is empty where it is all of them."""
    return sentences(posting.file_errors, say)


def sentences(errors: Iterable[FileError], say: Callable[..., str]) -> list[tuple[str, str]]:
    """Return errors of files likewise."""
    return [(one.name, say(one.error.message, **one.error.values)) for one in errors]
