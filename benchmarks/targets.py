"""What is to be reached, as ratios, and whether it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]

_SERVERS_AND_FILES = ("sqlite", "postgresql", "mariadb")
_TRIGRAMS = ("sqlite", "postgresql")
_SORTED = ("id", "customer", "email", "type", "language", "status", "employee", "message", "private", "-last_message")
_SORTS = tuple(f"sort {name}" for name in _SORTED)
_EQUALITIES = ("filter id", "filter type", "filter language", "filter status", "filter private")
_FOUND = ("rare word", "common word", "absent word", "box: rare word", "box: common word", "box: absent word")


@dataclass(frozen=True, slots=True)
class Target:
    """At most `most`: of the stock view, of bare SQL (floor), of the same case with fewest threads (growth), or without writers (load)."""

    against: str
    cases: tuple[str, ...]
    most: float
    databases: tuple[str, ...] = _SERVERS_AND_FILES


TARGETS = (
    Target("stock", ("first page", "page 10,000", "middle page", "last page", "1,000 rows"), 1 / 3),
    Target("stock", _FOUND, 1 / 30, _TRIGRAMS),
    Target("stock", ("phrase", "box: phrase"), 1 / 5, _TRIGRAMS),
    Target("floor", ("figures of 30 days", "figures of a year"), 6),
    Target("growth", ("first page", "last page", *_SORTS, *_EQUALITIES, "rare word", "box: rare word", "bell", "thread page of 500 messages"), 1.5),
    Target("growth", ("middle page",), 4),
    Target("load", ("post, eight writers (p95)",), 3),
)


def judged(rows: Sequence[Row]) -> list[str]:
    """Return a table of Markdown: each target with the ratio and whether it is met, at the largest number of threads."""
    if not rows:
        return []
    numbers = sorted({row["threads"] for row in rows})
    lines = [f"| against | case | database | scope | ratio at {numbers[-1]:,} | at most | |", "| --- | --- | --- | --- | ---: | ---: | --- |"]
    for target in TARGETS:
        for row in _of(rows, target, numbers[-1]):
            ratio = _ratio(rows, target, row, numbers)
            if ratio is not None:
                met = "met" if ratio <= target.most else "**missed**"
                lines.append(f"| {target.against} | {row['case']} | {row['database']} | {row['scope']} | {ratio:.3g} | {target.most:.3g} | {met} |")
    return lines


def _of(rows: Iterable[Row], target: Target, threads: int) -> list[Row]:
    return [row for row in rows if row["threads"] == threads and row["case"] in target.cases and row["database"] in target.databases]


def _ratio(rows: Iterable[Row], target: Target, row: Row, numbers: Sequence[int]) -> float | None:
    if target.against in ("stock", "floor"):
        theirs = row[f"{target.against}_ms"]
        return row["ours_ms"] / theirs if theirs else None
    other = {**row, "threads": numbers[0]} if target.against == "growth" else {**row, "case": "post, idle (p95)"}
    if other["threads"] == row["threads"] and target.against == "growth":
        return None
    same = [one for one in rows if all(one[name] == other[name] for name in ("case", "database", "threads", "scope"))]
    return row["ours_ms"] / same[0]["ours_ms"] if same and same[0]["ours_ms"] else None
