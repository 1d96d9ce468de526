"""Names of files in a mail: hostile text, or none at all."""

from __future__ import annotations

import re
from collections.abc import Collection

from cs_plugin.rules.inquiry import clean_line

_LONGEST = 150   # letters; in UTF-8 mostly within the 255 bytes that a file system takes
_LONGEST_EXTENSION = 16
# What a name must not hold for it to be saved everywhere; a path before it is left out.
_UNSAFE = re.compile(r'[<>:"|?*\x00-\x1f]')
# The extension of a file that comes without one. Those of pages are those of text: nothing of a mail is opened as a page.
_EXTENSIONS = {
    "text/plain": "txt", "text/html": "html", "text/csv": "csv", "text/calendar": "ics", "text/vcard": "vcf", "text/x-vcard": "vcf",
    "text/rtf": "rtf", "text/xml": "xml", "text/rfc822-headers": "txt", "message/rfc822": "eml", "message/global": "eml",
    "message/delivery-status": "txt", "message/disposition-notification": "txt", "message/feedback-report": "txt", "message/partial": "eml",
    "image/jpeg": "jpg", "image/jpg": "jpg", "image/pjpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp",
    "image/heic": "heic", "image/tiff": "tif", "image/svg+xml": "svg", "image/bmp": "bmp", "application/pdf": "pdf", "application/zip": "zip",
    "application/json": "json", "application/msword": "doc", "application/vnd.ms-excel": "xls", "application/rtf": "rtf",
    "application/xml": "xml", "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx", "application/ms-tnef": "dat", "application/vnd.ms-tnef": "dat",
    "application/pgp-signature": "asc", "application/pgp-encrypted": "asc", "application/pkcs7-signature": "p7s",
    "application/x-pkcs7-signature": "p7s", "application/pkcs7-mime": "p7m", "application/x-pkcs7-mime": "p7m", "audio/mpeg": "mp3",
    "audio/ogg": "ogg", "audio/mp4": "m4a", "audio/wav": "wav", "video/mp4": "mp4", "video/quicktime": "mov", "video/3gpp": "3gp",
}  # fmt: skip
_STEMS = {"image": "image", "message": "message", "text": "text", "audio": "audio", "video": "video"}


def file_name(said: str, content_type: str) -> str:
    """Return a name as it may be shown and saved: without a path, control and bidi characters, cut before its extension.

    It is made up where none is said.
    """
    last = said.replace("\\", "/").rstrip("/ ").rpartition("/")[2]
    name = _UNSAFE.sub("_", clean_line(last, 2_000)).lstrip(". ").rstrip(". ")
    extension = _EXTENSIONS.get(content_type, "")
    if not name.strip("_"):
        name = _STEMS.get(content_type.partition("/")[0], "attachment")
    stem, dot, own = name.rpartition(".")
    if not dot or not stem:
        return f"{name[:_LONGEST]}.{extension}" if extension else name[:_LONGEST]
    if len(own) > _LONGEST_EXTENSION:
        return name[:_LONGEST].rstrip(". ")
    return f"{stem[: _LONGEST - len(own) - 1].rstrip('. ')}.{own}"


def kept_apart(name: str, taken: Collection[str], numbers: dict[str, int]) -> str:
    """Return a name that no other file of the mail has, without regard to case: "a (2).pdf". `numbers` keeps how far each name has got."""
    if name.casefold() not in taken:
        return name
    stem, dot, extension = name.rpartition(".")
    stem, extension = (stem, f".{extension}") if dot and stem else (name, "")
    while True:
        numbers[name] = numbers.get(name, 1) + 1
        numbered = f"{stem} ({numbers[name]}){extension}"
        if numbered.casefold() not in taken:
            return numbered
