"""Text whose lines were broken to be joined again (RFC 3676, format=flowed)."""

from __future__ import annotations


def joined(text: str, *, delete_space: bool) -> str:
    """Return text with its flowed lines joined: one that ends in a blank goes on in the next of the same depth. "-- " ends a line for good."""
    lines: list[str] = []
    parts: list[str] = []
    depth = 0
    for line in text.split("\n"):
        rest = line.lstrip(">")
        marks = line[: len(line) - len(rest)]
        rest = rest.removeprefix(" ")   # stuffed (section 4.4), or behind the marks
        if parts and (len(marks) != depth or rest == "-- "):
            lines.append("".join(parts))
            parts = []
        if not parts:
            depth = len(marks)
            parts.append(f"{marks} " if marks else "")
        if rest.endswith(" ") and rest != "-- ":
            parts.append(rest[:-1] if delete_space else rest)
            continue
        lines.append("".join(parts) + rest)
        parts = []
    if parts:
        lines.append("".join(parts))
    return "\n".join(lines)
