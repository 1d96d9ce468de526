"""A mail as it was sent: its HTML, cleaned, as a document of its own that a browser gives no origin, no script and no address to fetch from.

The thread's page shows it in a sandboxed frame. Such a document has no origin, so that a browser sends no cookie of the shop's with what it fetches:
the pictures that came in the mail stand in it themselves.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator, Mapping, Sequence

from flask import Response, current_app, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from markupsafe import Markup

from cs_plugin.mail.clean_html import NO_IMAGES, cleaned
from cs_plugin.rules.languages import direction
from cs_plugin.rules.permissions import Permission
from cs_plugin.store.files import FileStore
from cs_plugin.store.locking import let_go
from cs_plugin.store.mail_html import KeptHtml, KeptPicture, html_of
from cs_plugin.web.reading import page_words
from cs_plugin.web.thread_page import ThreadPages, number_of

log = logging.getLogger(__name__)

# Bytes of HTML that are read at most; newsletters have a few hundred thousand.
_MOST_HTML = 8_000_000
# Bytes of the mail's own pictures that one document holds at most, however often it shows them.
_MOST_PICTURES = 12_000_000
# What a file begins with that browsers draw and that holds no script, whatever its name and type say. SVG is none of them.
_DRAWN = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF87a", "image/gif"), (b"GIF89a", "image/gif"))
_LONGEST_BEGINNING = 16

# A link opens a page of its own, which is not sandboxed with the mail; nothing else leaves the document.
_SANDBOX = "sandbox allow-popups allow-popups-to-escape-sandbox; frame-ancestors 'self'"
_POLICY = "default-src 'none'; img-src {images}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


class OriginalPages(ThreadPages):
    """The HTML of a message, beside the pages of its thread."""

    @expose("/<thread_id>/messages/<message_id>/html")
    def thread_html(self, thread_id: str, message_id: str) -> ResponseReturnValue:
        """Show the HTML of a mail to whoever may see its thread; what opens the conversation as its customer only to whoever may answer."""
        here, session = self.here, self.here.desk.session()
        kept = html_of(session, here.granted, number_of(thread_id), number_of(message_id))
        let_go(session)
        if kept is None:
            return self._where_it_stands(number_of(thread_id), number_of(message_id))
        remote = request.args.get("pictures") == "all"
        html, left_out = _read(here.desk.files, kept, remote=remote, keys=here.grants.allow(Permission.REPLY, kept.shop_id))
        policy = _POLICY.format(images="data: https:" if remote else "data:")
        language = here.employee_language
        template = current_app.jinja_env.get_template("cs_plugin/admin/original_html.html")
        words = {**page_words(language), "kept": kept, "html": html, "left_out": left_out, "policy": policy, "direction": direction(language)}
        return _alone(Response(template.render(words), mimetype="text/html"), policy)


def _read(files: FileStore, kept: KeptHtml, *, remote: bool, keys: bool) -> tuple[Markup | None, bool]:
    """Return the cleaned HTML, None where it cannot be shown, and whether pictures elsewhere were left out."""
    if kept.size > _MOST_HTML:
        return None, False
    try:
        html = files.read(kept.key).decode("utf-8", "replace")
    except OSError as error:
        log.error("the HTML of a mail, %s, cannot be read: %s", kept.key, error)  # noqa: TRY400 - where it happened tells nothing
        return None, False
    images = _Pictures(files, kept.pictures) if kept.pictures else NO_IMAGES
    shown = cleaned(html, images=images, remote=remote, keys=keys)
    return Markup(shown.html), shown.left_out  # noqa: S704 - cleaned


def _alone(response: Response, policy: str) -> Response:
    """Let a document be by itself, wherever it is opened."""
    response.headers["Content-Security-Policy"] = f"{_SANDBOX}; {policy}"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "private, no-store"
    return response


class _Pictures(Mapping[str, str]):
    """The pictures of a mail by their Content-ID, as they stand in a document; read when they are first shown, and no more than its bound in all."""

    def __init__(self, files: FileStore, parts: Sequence[KeptPicture]) -> None:
        self._files = files
        self._parts = {name: one for one in reversed(parts) for name in (one.content_id.lower(), one.content_id)}
        self._read: dict[str, str] = {}
        self._left = _MOST_PICTURES

    def __getitem__(self, content_id: str) -> str:
        """Return a picture as the value of an attribute. Raise KeyError where there is none, none that is drawn, or no room for it."""
        part = self._parts[content_id]
        if part.size > self._left:
            raise KeyError(content_id)
        drawn = self._read.get(part.key)
        if drawn is None:
            drawn = self._read[part.key] = self._drawn(part)
        if not drawn:
            raise KeyError(content_id)
        self._left -= part.size
        return drawn

    def _drawn(self, part: KeptPicture) -> str:
        try:
            content = self._files.read(part.key)
        except OSError as error:
            log.error("a picture of a mail, %s, cannot be read: %s", part.key, error)  # noqa: TRY400 - where it happened tells nothing
            return ""
        kind = kind_of(content[:_LONGEST_BEGINNING])
        return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}" if kind else ""

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)


def kind_of(beginning: bytes) -> str:
    """Return the type of a picture that may stand in a document, by how it begins; empty for anything else."""
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for sign, kind in _DRAWN if beginning.startswith(sign)), "")
