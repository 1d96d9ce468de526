"""Pictures of pages, to look at: each at three widths, light and dark.

    python -m tools.pictures --sign-in /staff/sign-in --email … --password … /path /other/path

takes them from a server that is running, by default the one that `make demo` starts. A picture is named for its
page, its width and its colours.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

from playwright.sync_api import BrowserContext

from tests.servers.browser import Browser, ColourScheme, browsing

WIDTHS = (1440, 1024, 390)
HEIGHT = 900
SCHEMES: tuple[ColourScheme, ...] = ("light", "dark")


def main() -> int:
    """Take the pictures that the command line asks for and print where they are; return an exit code."""
    wanted = _arguments().parse_args()
    wanted.to.mkdir(parents=True, exist_ok=True)
    with browsing() as browser:
        for picture in take_pictures(browser, wanted):
            print(picture)
    return 0


def take_pictures(browser: Browser, wanted: argparse.Namespace) -> Iterator[Path]:
    """Visit every page once for each width and colour scheme, signed in if asked; yield the files."""
    for width in WIDTHS:
        for scheme in SCHEMES:
            with browser.context(viewport=(width, HEIGHT), colour_scheme=scheme, locale=wanted.locale) as context:
                if wanted.sign_in:
                    sign_in(context, urljoin(wanted.address, wanted.sign_in), wanted.email, wanted.password)
                for path in wanted.paths:
                    name = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "home"
                    yield take_picture(
                        context, urljoin(wanted.address, path), wanted.to / f"{name}-{width}-{scheme}.png"
                    )


def sign_in(context: BrowserContext, address: str, email: str, password: str) -> None:
    """Fill in and send a form with an e-mail address and a password."""
    page = context.new_page()
    page.goto(address)
    page.locator("[name=email]").fill(email)
    page.locator("[name=password]").fill(password)
    with page.expect_navigation():
        page.locator("[name=password]").press("Enter")
    page.close()


def take_picture(context: BrowserContext, address: str, picture: Path) -> Path:
    """Take a picture of a whole page, once it asks for nothing more."""
    page = context.new_page()
    page.goto(address, wait_until="networkidle")
    page.screenshot(path=picture, full_page=True)
    page.close()
    return picture


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.pictures", description="Take pictures of pages.")
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a page's path, as /admin/")
    parser.add_argument("--address", default="http://127.0.0.1:5000", help="the running server (%(default)s)")
    parser.add_argument("--to", type=Path, default=Path(".demo/pictures"), help="the folder for pictures (%(default)s)")
    parser.add_argument("--locale", default="en-GB", help="the visitor's language (%(default)s)")
    parser.add_argument("--sign-in", metavar="PATH", help="the page of the sign-in form; without it nobody signs in")
    parser.add_argument("--email", default="", help="who signs in")
    parser.add_argument("--password", default="", help="and with what")
    return parser


if __name__ == "__main__":
    sys.exit(main())
