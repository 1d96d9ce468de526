"""Accessibility, checked by axe-core in the page itself. Its file is vendored, with its licence, under vendor/axe-core (version 4.14.1, MPL-2.0)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import playwright.sync_api

SCRIPT = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"

# The desk answers for its own pages; the navigation bar around them is the host's.
OURS = ".cs-desk, .cs-storefront"


def violations(page: playwright.sync_api.Page, *, within: str = OURS) -> list[str]:
    """Return what axe-core finds wrong on a page, a line each: rule, what it says, and the elements. The page's own language is checked too."""
    # Evaluated rather than loaded by a tag: a strict Content-Security-Policy would refuse the tag.
    page.evaluate(SCRIPT.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate(
        """async (within) => {
            // Whatever was opened last has moved the page by then: where it scrolls meanwhile, colours are held against the wrong background.
            await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
            const ours = await axe.run({ include: [[within]] });
            const rules = ["html-has-lang", "html-lang-valid", "document-title", "landmark-one-main", "page-has-heading-one"];
            const whole = await axe.run({ runOnly: rules });
            return [...ours.violations, ...whole.violations];
        }""",
        within,
    )
    return [f"{one['id']}: {one['help']}: {[node['target'] for node in one['nodes']][:5]}" for one in found]
