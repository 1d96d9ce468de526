"""Send a kept file: always as a download, never as something that a browser runs on the shop's own origin."""

from __future__ import annotations

from flask import Response, abort, send_file

from cs_plugin.store.files import content_types
from cs_plugin.store.models import Attachment, Blob
from cs_plugin.web.mounted import Mounted

_UNKNOWN = "application/octet-stream"
_KNOWN = content_types()


def send_attachment(desk: Mounted, attachment: Attachment, blob: Blob) -> Response:
    """Return an attachment as a download. Whoever calls has made sure that it is this person's to see. A file whose bytes are gone is a 404.

    The name is quoted as RFC 6266 and RFC 5987 want it, so that it reaches the disk in every alphabet.
    """
    content_type = attachment.content_type if attachment.content_type in _KNOWN else _UNKNOWN
    try:
        opened = desk.files.open(blob.key)
    except FileNotFoundError:
        abort(404)
    response = send_file(opened, mimetype=content_type, as_attachment=True, download_name=attachment.name, conditional=False, etag=False)
    response.content_length = blob.size
    response.headers["X-Content-Type-Options"] = "nosniff"
    # Should a browser show it all the same, nothing in it may run or load.
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cache-Control"] = "no-store"
    return response
