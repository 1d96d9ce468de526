"""Pictures of the desk for the documentation, and to look at: `python -m tools.pictures [--to FOLDER] [NAME …]`.

Starts the example shop in a folder of its own, signs in, and takes each picture at its width, colours and language.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import BrowserContext, Page

from tests.journeys.demo import Demo, demo
from tests.servers.browser import Browser, ColourScheme, browsing

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
HEIGHT = 900
LIST, CONTACT = "/admin/customer-service/?shop=all", "/customer-service/contact"


@dataclass(frozen=True)
class Picture:
    """One picture: its name, the path of its page, who looks (nobody for a visitor), and how."""

    name: str
    path: str
    width: int = 1440
    scheme: ColourScheme = "light"
    employee: str = ""
    whole: bool = True


# "{thread}" stands for a thread with an answer and a note; "{link}" for the customer's link to it.
PICTURES = (
    Picture("threads-1440-light", LIST, employee="marie"),
    Picture("threads-1440-dark", LIST, scheme="dark", employee="marie"),
    Picture("threads-1024-light", LIST, 1024, employee="marie"),
    Picture("threads-390-light", LIST, 390, employee="marie", whole=False),
    Picture("threads-390-dark", LIST, 390, "dark", employee="marie", whole=False),
    Picture("threads-1280-arabic", "/admin/customer-service/", 1280, employee="layla"),
    Picture("thread-1440-light", "{thread}", employee="marie"),
    Picture("thread-1440-dark", "{thread}", scheme="dark", employee="marie"),
    Picture("thread-1024-light", "{thread}", 1024, employee="marie"),
    Picture("thread-390-light", "{thread}", 390, employee="marie"),
    Picture("contacts-1280-light", "/admin/customer-service-contacts/", 1280, employee="marie"),
    Picture("contact-1280-light", "/admin/customer-service-contacts/new/", 1280, employee="marie"),
    Picture("contact-form-1280-light", f"{CONTACT}?language=en", 1280),
    Picture("contact-form-390-dark", f"{CONTACT}?language=en", 390, "dark"),
    Picture("contact-form-390-arabic", f"{CONTACT}?language=ar", 390),
)


def main() -> int:
    """Take the pictures that the command line names, or all; print where they are."""
    parser = argparse.ArgumentParser(prog="python -m tools.pictures", description="Take pictures of the desk.")
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument("--to", type=Path, default=FOLDER, help="the folder (%(default)s)")
    wanted = parser.parse_args()
    wanted.to.mkdir(parents=True, exist_ok=True)
    chosen = [picture for picture in PICTURES if not wanted.names or picture.name in wanted.names]
    with tempfile.TemporaryDirectory() as folder, demo(Path(folder), threads=200) as shop, browsing() as browser:
        for path in take(chosen, shop, browser, wanted.to):
            print(path)
    return 0


def take(pictures: list[Picture], shop: Demo, browser: Browser, folder: Path) -> Iterator[Path]:
    """Take pictures one after the other and yield their files."""
    thread = find_thread(shop, browser)
    for picture in pictures:
        with browser.context(viewport=(picture.width, HEIGHT), colour_scheme=picture.scheme, timezone="Europe/Paris") as context:
            if picture.employee:
                sign_in(context, shop, picture.employee)
            page = context.new_page()
            page.goto(shop.address + picture.path.replace("{thread}", thread), wait_until="networkidle")
            path = folder / f"{picture.name}.png"
            page.screenshot(path=path, full_page=picture.whole)
            yield path


def sign_in(context: BrowserContext, shop: Demo, name: str) -> Page:
    """Sign an employee in to the shop's admin."""
    email, password = shop.sign_in_of(name)
    page = context.new_page()
    page.goto(f"{shop.address}/admin/customer-service/")
    page.locator("[name=email]").fill(email)
    page.locator("[name=password]").fill(password)
    with page.expect_navigation():
        page.locator("[name=password]").press("Enter")
    return page


def find_thread(shop: Demo, browser: Browser) -> str:
    """Return the path of a thread with a note and an answer, the newest there is."""
    with browser.context() as context:
        page = sign_in(context, shop, "marie")
        page.goto(f"{shop.address}/admin/customer-service/?private=yes&status=closed&shop=all")
        rows = page.locator("tr.cs-thread .cs-thread-id a")
        assert rows.count(), "the sample has threads with notes"
        address = rows.first.get_attribute("href")
        assert address is not None
        return address


if __name__ == "__main__":
    sys.exit(main())
