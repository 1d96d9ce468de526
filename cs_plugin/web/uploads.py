"""Uploads: checked, scanned and kept before any lock is taken; refused while they arrive where they are too large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import LengthRequired, RequestEntityTooLarge

from cs_plugin.errors import InvalidInputError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import StoredFile
from cs_plugin.store.files import check_content, file_name, taken_down
from cs_plugin.store.options import Options
from cs_plugin.web.mounted import Mounted

_MB = 1_000_000
_BESIDES_FILES = 512_000   # what the texts of a form may weigh


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What the options of a shop allow. Sizes count bytes."""

    types: frozenset[str]
    most: int
    each: int
    together: int

    @classmethod
    def of(cls, options: Options) -> UploadLimits:
        """Read them from the options of a shop."""
        types = frozenset(word.strip(".,").lower() for word in str(options["file_types"]).replace(",", " ").split())
        return cls(types, int(options["files_per_message"]), int(options["file_size_mb"]) * _MB, int(options["files_size_mb"]) * _MB)


NO_FILES = UploadLimits(types=frozenset(), most=0, each=0, together=0)


def bound_request(limits: UploadLimits) -> None:
    """Refuse a request body that is larger than any good form, before its form is read.

    Raise RequestEntityTooLarge (413); LengthRequired (411) where only a length could bound it.
    """
    most = limits.together + _BESIDES_FILES
    if request.content_length is not None and request.content_length > most:
        raise RequestEntityTooLarge
    try:
        request.max_content_length = most
    except AttributeError as error:
        # Before Flask 3.1 the limit is the application's; a body that does not tell its length cannot be bounded there.
        if request.content_length is None and request.environ.get("wsgi.input_terminated"):
            raise LengthRequired from error


def keep_uploads(desk: Mounted, uploads: Sequence[FileStorage], limits: UploadLimits) -> tuple[StoredFile, ...]:
    """Check, scan and keep uploaded files; fields left empty are passed over. Raise InvalidInputError for the first that is refused."""
    chosen = [upload for upload in uploads if upload.filename]
    if len(chosen) > limits.most:
        raise InvalidInputError("file", _("Too many files: %(most)s at most."), most=limits.most)
    kept: list[StoredFile] = []
    for upload in chosen:
        left = limits.together - sum(one.size for one in kept)
        kept.append(_keep(desk, upload, limits, min(limits.each, left)))
    return tuple(kept)


def _keep(desk: Mounted, upload: FileStorage, limits: UploadLimits, most: int) -> StoredFile:
    name = file_name(upload.filename or "")
    with taken_down(upload.stream, most) as path:
        content_type = check_content(path, name, limits.types)
        if desk.host.scan(path, name):
            raise InvalidInputError("file", _("This file was refused: the scanner found something harmful in it."))
        return desk.files.keep(path, name, content_type)
