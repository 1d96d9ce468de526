"""Mails with HTML, as a run hands them to the desk: their bytes are really kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cs_plugin.rules.incoming import Landed
from cs_plugin.store.files import Content
from tests.hosts.mailing import mail, take
from tests.hosts.store import Store

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c626001000000ffff03000006000557bfabd4"
    "0000000049454e44ae426082"
)
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='parent.ran=1'><script>parent.ran=1</script></svg>"


def take_html(
    store: Store, html: str, *, parts: Sequence[tuple[str, str, bytes, str]] = (), text: str = "Where is my parcel?", **changes: Any
) -> Landed:
    """Let the desk receive a mail with HTML; each part is a name, a type, bytes and a Content-ID."""
    whole = [Content("mail.eml", "message/rfc822", text.encode()), Content("mail.html", "text/html", html.encode("utf-8", "replace"))]
    original, page, *kept = store.desk.files.keep_several([*whole, *(Content(name, kind, content) for name, kind, content, _id in parts)])
    files = tuple((file, content_id) for file, (*_what, content_id) in zip(kept, parts, strict=True))
    return take(store, mail(text, html=html, **changes), original=original, html=page, files=files)
