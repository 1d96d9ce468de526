"""Bring the catalogues up to date: texts out of the code, into each language, compiled. `--check` only says whether they are.

Usage: python -m tools.translations [--check] [LANGUAGE …]   A language that is named and has no catalogue gets one.
"""

from __future__ import annotations

import argparse
import datetime as dt
import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cs_plugin"
FOLDER = PACKAGE / "translations"
DOMAIN = "cs_plugin"
METHODS = [("templates/**.html", "jinja2.ext:babel_extract"), ("templates/**.txt", "jinja2.ext:babel_extract"), ("**.py", "python")]
# In templates the language is bound already; the functions of `i18n` take it before the text.
KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    **dict.fromkeys(("_", "marked", "say", "MenuName")),
    **dict.fromkeys(("_n", "_count"), (1, 2)),
    "_c": ((1, "c"), 2),
    "gettext": (2,),
    "ngettext": (2, 3),
}
COMMENT = "Translators:"


def extracted() -> Catalog:
    """Return every text of the package."""
    catalogue = _empty(None)
    for path, line, message, comments, context in extract_from_dir(str(PACKAGE), METHODS, keywords=KEYWORDS, comment_tags=(COMMENT,)):
        if message and message != ("", ""):
            catalogue.add(message, None, [(path, line)], auto_comments=comments, context=context)
    return catalogue


def _empty(language: str | None) -> Catalog:
    return Catalog(
        locale=language, project="cs-plugin", domain=DOMAIN, charset="utf-8", fuzzy=False, copyright_holder="the cs-plugin authors",
        header_comment="# Texts of cs-plugin, under the licence of the project.",
    )


def languages() -> list[str]:
    """Return the languages that have a catalogue."""
    return sorted(path.parent.parent.name for path in FOLDER.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))


def catalogue_of(language: str) -> Catalog:
    """Return the catalogue of a language, an empty one where there is none."""
    path = FOLDER / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    if not path.exists():
        return _empty(language)
    with path.open("rb") as reading:
        return read_po(reading, locale=language, domain=DOMAIN)


def updated(language: str, template: Catalog) -> Catalog:
    """Return the catalogue of a language with the texts of now; what is gone is dropped."""
    catalogue = catalogue_of(language)
    catalogue.update(template, no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    return catalogue


def as_po(catalogue: Catalog) -> bytes:
    """Return a catalogue as text. Dates and line numbers stay out: they change with every edit and say nothing."""
    writing = io.BytesIO()
    write_po(writing, catalogue, width=140, sort_output=True, no_location=True, omit_header=False)
    lines = writing.getvalue().decode().splitlines(keepends=True)
    return "".join(line for line in lines if "-Date: " not in line and "Generated-By" not in line).encode()


def as_mo(catalogue: Catalog) -> bytes:
    """Return a catalogue compiled."""
    # A catalogue without dates would be given those of this minute.
    catalogue.creation_date = catalogue.revision_date = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    writing = io.BytesIO()
    write_mo(writing, catalogue)
    return writing.getvalue()


def wanted_files(named: list[str]) -> dict[Path, bytes]:
    """Return what each file of the catalogues should hold."""
    template = extracted()
    files = {FOLDER / f"{DOMAIN}.pot": as_po(template)}
    for language in sorted({*languages(), *named}):
        po = as_po(updated(language, template))
        folder = FOLDER / language / "LC_MESSAGES"
        files[folder / f"{DOMAIN}.po"] = po
        files[folder / f"{DOMAIN}.mo"] = as_mo(read_po(io.BytesIO(po), locale=language, domain=DOMAIN))
    return files


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("languages", nargs="*")
    arguments = parser.parse_args()
    stale = [path for path, content in wanted_files(arguments.languages).items() if not path.exists() or path.read_bytes() != content]
    if arguments.check:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not up to date: run python -m tools.translations")
        return 1 if stale else 0
    files = wanted_files(arguments.languages)
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[path])
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
