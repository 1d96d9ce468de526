"""The pictures of the products, drawn as SVG: the store needs no files and no other host for them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from string import Template

# A drawing stands on a wall and a table; `deep`, `body` and `light` are the shades of its glaze or cloth.
FOLDER = Path(__file__).parent / "drawings"

# light, body and deep shade; wall, its lit corner, and the table.
_PALETTES = {
    "fjord": ("#8fb0b3", "#4f7c85", "#2c505a", "#dfe3dc", "#f2f2ec", "#cfc7b8"),
    "fig": ("#a9819b", "#74456a", "#4a2846", "#eadfdc", "#f7f0ec", "#d3c2b4"),
    "chalk": ("#fbf8f1", "#ebe4d5", "#c5b9a2", "#c9d3ce", "#e0e7e2", "#a89a83"),
    "heath": ("#d3a6a0", "#b3746e", "#7f4a48", "#efe3da", "#f9f2eb", "#d6c0aa"),
    "moss": ("#b9c09a", "#838d60", "#555d3a", "#e9e6da", "#f6f4ea", "#cbbfa4"),
    "amber": ("#ecc98c", "#cf9a4d", "#96682a", "#e3ded6", "#f4f1ea", "#b9a78e"),
    "night": ("#7b8da6", "#47597a", "#283652", "#e5dfd5", "#f5f1e9", "#c4b199"),
}


@cache
def draw(drawing: str, palette: str) -> str:
    """Return a product's picture as an SVG document."""
    light, body, deep, wall, wall_light, table = _PALETTES[palette]
    shades = {"light": light, "body": body, "deep": deep}
    room = {"wall": wall, "wall_light": wall_light, "table": table}
    return _template("scene").substitute(shades, **room, drawing=_template(drawing).substitute(shades))


def _template(name: str) -> Template:
    return Template((FOLDER / f"{name}.svg").read_text(encoding="utf-8"))
