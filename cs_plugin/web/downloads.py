"""Send a kept file: always as a download, never as something that a browser runs on the shop's own origin."""

from __future__ import annotations

import io
import logging
from typing import IO

from flask import Response, send_file
from werkzeug.exceptions import NotFound

from cs_plugin.mail.files_without_keys import without_keys
from cs_plugin.store.files import content_types
from cs_plugin.store.models import Attachment, Blob
from cs_plugin.web.mounted import Mounted

log = logging.getLogger(__name__)

_UNKNOWN = "application/octet-stream"
_KNOWN = content_types()


class FileGoneError(NotFound):
    """Say that a file is known and its bytes cannot be had: whoever asked for it may have it, and is told so."""


def send_attachment(desk: Mounted, attachment: Attachment, blob: Blob, *, keys: bool = True) -> Response:
    """Return an attachment as a download. Whoever calls has made sure that it is this person's to see. Raise FileGoneError where its bytes are gone.

    Without `keys` nothing is left in it by which the conversation could be opened as its customer, as far as it can be read here.
    The name is quoted as RFC 6266 and RFC 5987 want it, so that it reaches the disk in every alphabet. It is sent whole, whatever range is asked for
    (RFC 9110, section 14.2, allows that): a part of a file says nothing of what it is.
    """
    content_type = attachment.content_type if attachment.content_type in _KNOWN else _UNKNOWN
    if keys:
        return _sent(desk, blob, content_type, attachment.name)
    given = without_keys(_read(desk, blob), attachment.name, content_type)
    return _as_download(io.BytesIO(given.content), given.content_type, given.name, len(given.content))


def send_original(desk: Mounted, blob: Blob, name: str) -> Response:
    """Return a mail as it came as a download, likewise. Raise FileGoneError where its bytes are gone."""
    return _sent(desk, blob, "message/rfc822", name)


def _sent(desk: Mounted, blob: Blob, content_type: str, name: str) -> Response:
    return _as_download(_opened(desk, blob), content_type, name, blob.size)


def _read(desk: Mounted, blob: Blob) -> bytes:
    with _opened(desk, blob) as opened:
        try:
            return opened.read()
        except OSError as error:
            raise FileGoneError from error


def _opened(desk: Mounted, blob: Blob) -> IO[bytes]:
    try:
        return desk.files.open(blob.key)
    except OSError as error:
        log.error("file %s (%s) cannot be read: %s", blob.key, blob.id, error)  # noqa: TRY400 - where it happened tells nothing
        raise FileGoneError from error


def _as_download(opened: IO[bytes], content_type: str, name: str, size: int) -> Response:
    response = send_file(opened, mimetype=content_type, as_attachment=True, download_name=name, conditional=False, etag=False)
    response.content_length = size
    response.headers["Accept-Ranges"] = "none"
    response.headers["X-Content-Type-Options"] = "nosniff"
    # Should a browser show it all the same, nothing in it may run or load.
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cache-Control"] = "no-store"
    return response
