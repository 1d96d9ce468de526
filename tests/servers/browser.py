"""A browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import playwright.sync_api
from playwright.sync_api import sync_playwright

from tools.programs import find_program

# Pages are looked at without anything from elsewhere: a style sheet or script of another host is a fault to see.
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)

ColourScheme = Literal["light", "dark"]


class Browser:
    """A running browser."""

    def __init__(self, chromium: playwright.sync_api.Browser) -> None:
        """Use a browser that `browsing` started."""
        self._chromium = chromium

    @contextmanager
    def context(
        self,
        *,
        viewport: tuple[int, int] = (1280, 900),
        colour_scheme: ColourScheme = "light",
        locale: str = "en-GB",
        timezone: str = "UTC",
        javascript: bool = True,
    ) -> Iterator[playwright.sync_api.BrowserContext]:
        """Open a window without cookies, `viewport` pixels wide and high, for a visitor of that taste and language."""
        width, height = viewport
        context = self._chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=colour_scheme,
            locale=locale,
            timezone_id=timezone,
            java_script_enabled=javascript,
        )
        try:
            yield context
        finally:
            context.close()


@contextmanager
def browsing() -> Iterator[Browser]:
    """Start a browser and end it after the block. Chromium gets a home of its own: it does not start without one."""
    home = tempfile.TemporaryDirectory(prefix="cs-browser-", ignore_cleanup_errors=True)
    with home as folder, sync_playwright() as play:
        environment: dict[str, str | float | bool] = {**os.environ, "HOME": folder}
        chromium = play.chromium.launch(executable_path=find_program("chromium"), args=ARGUMENTS, env=environment)
        try:
            yield Browser(chromium)
        finally:
            chromium.close()
