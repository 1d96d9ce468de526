"""A browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import playwright.sync_api
from playwright.sync_api import expect, sync_playwright

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

# What a page needs to say how far it is: an attribute that goes once it has loaded, its deferred scripts included.
_LOADING = """
    const mark = () => document.readyState !== "complete" && document.documentElement?.setAttribute("data-loading", "");
    new MutationObserver((_changes, watcher) => {
        mark();
        if (document.documentElement) watcher.disconnect();
    }).observe(document, { childList: true });
    mark();
    addEventListener("load", () => document.documentElement.removeAttribute("data-loading"));
"""
# How long is waited for what a page must come to show: a machine that does other work besides may take its time.
_PATIENCE = 20_000


class Browser:
    """A running browser."""

    def __init__(self, chromium: playwright.sync_api.Browser) -> None:
        """Use a browser that `browsing` started."""
        self._chromium = chromium

    def of_process(self, address: str) -> playwright.sync_api.Browser:
        """Drive another browser, which was started with `--remote-debugging-port` and listens at that address; its end is its starter's."""
        return self._chromium.browser_type.connect_over_cdp(address)

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
        context.add_init_script(_LOADING)
        context.on("page", _patiently)
        try:
            yield context
        finally:
            context.close()


def _patiently(page: playwright.sync_api.Page) -> None:
    """Let whatever is done to a page, and expected of it, wait until it has loaded: a button that is clicked before its script runs does nothing."""
    page.add_locator_handler(page.locator("html[data-loading]"), lambda: page.wait_for_load_state("load"), no_wait_after=True)


@contextmanager
def browsing() -> Iterator[Browser]:
    """Start a browser and end it after the block. Chromium gets a home of its own: it does not start without one."""
    expect.set_options(timeout=_PATIENCE)
    home = tempfile.TemporaryDirectory(prefix="cs-browser-", ignore_cleanup_errors=True)
    with home as folder, sync_playwright() as play:
        environment: dict[str, str | float | bool] = {**os.environ, "HOME": folder}
        chromium = play.chromium.launch(executable_path=find_program("chromium"), args=ARGUMENTS, env=environment)
        try:
            yield Browser(chromium)
        finally:
            chromium.close()
