"""What can still be read of a post that is too large: its texts, so that nobody writes them twice."""

from __future__ import annotations

from collections.abc import Iterator

from flask import request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData
from werkzeug.wsgi import get_input_stream

_READ_ON = 150_000_000   # bytes; a larger post is refused unread
_CHUNK = 1 << 16
_BUFFER = 1 << 20
_MOST_TEXT = 400_000     # bytes of all texts together
_MOST_PARTS = 200


def texts_of_oversized_post() -> MultiDict[str, str]:
    """Read the post to its end, throw the files away while they arrive, and return the texts.

    It is read to its end also because a browser that is answered in the middle of its sending shows a broken connection, not the page. A post of no
    known length, or of one that nobody should wait for, is not read; nor is one whose reading has begun: then there is no text.
    """
    boundary = request.mimetype_params.get("boundary", "")
    length = request.content_length
    # Werkzeug keeps the stream on the request once anything has begun to read it.
    begun = "stream" in request.__dict__ or "form" in request.__dict__
    texts: MultiDict[str, str] = MultiDict()
    if request.mimetype != "multipart/form-data" or not boundary or length is None or length > _READ_ON or begun:
        return texts
    try:
        for name, text in _texts(boundary, length):
            texts.add(name, text)
    except (ValueError, OSError, HTTPException):
        # A form that breaks off or makes no sense has no more texts than were found before.
        return texts
    return texts


def _texts(boundary: str, length: int) -> Iterator[tuple[str, str]]:
    name: str | None = None
    parts: list[bytes] = []
    weight = 0
    for event in _events(MultipartDecoder(boundary.encode("latin-1", "replace"), _BUFFER, max_parts=_MOST_PARTS), length):
        if isinstance(event, Field | File):
            name, parts = (event.name if isinstance(event, Field) else None), []
        elif isinstance(event, Data) and name is not None:
            weight += len(event.data)
            parts.append(event.data)
            if weight > _MOST_TEXT:
                name = None
            elif not event.more_data:
                yield name, b"".join(parts).decode("utf-8", "replace")


def _events(decoder: MultipartDecoder, length: int) -> Iterator[Event]:
    stream, left = get_input_stream(request.environ), length
    while left > 0 and (chunk := stream.read(min(_CHUNK, left))):
        left -= len(chunk)
        decoder.receive_data(chunk)
        while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
            yield event
