"""The form of the options, read as somebody without scripts reads it: its rows, what is told at them, and what it would send."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

ADDRESS = "/cs-admin/customer-service-options/"
_VOID = frozenset({"input", "link", "meta", "br", "hr", "img", "path", "use", "rect", "circle"})


@dataclass
class Node:
    """An element of a page."""

    tag: str
    has: dict[str, str]
    inside: list[Node | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the words in it, blanks run together."""
        return re.sub(r"\s+", " ", self.whole).strip()

    @property
    def whole(self) -> str:
        """Return the text in it as it stands."""
        return "".join(one if isinstance(one, str) else one.whole for one in self.inside)

    def all(self, tag: str = "", **has: str) -> Iterator[Node]:
        """Yield the elements below it with that tag and those attributes; "class_" is one of its classes."""
        for one in self.inside:
            if isinstance(one, Node):
                if (not tag or one.tag == tag) and all(one.says(name, value) for name, value in has.items()):
                    yield one
                yield from one.all(tag, **has)

    def says(self, name: str, value: str) -> bool:
        """Say whether an attribute has a value."""
        return value in self.has.get("class", "").split() if name == "class_" else self.has.get(name.replace("_", "-")) == value

    def one(self, tag: str = "", **has: str) -> Node:
        """Return the only such element."""
        (found,) = self.all(tag, **has)
        return found


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Node("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        self._open[-1].inside.append(node)
        if tag not in _VOID:
            self._open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].inside.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        while len(self._open) > 1 and self._open.pop().tag != tag:
            pass

    def handle_data(self, data: str) -> None:
        self._open[-1].inside.append(data)


def tree(html: str) -> Node:
    """Return a page as its elements."""
    builder = _Builder()
    builder.feed(html)
    return builder.root


class Sheet:
    """The page of the options as it was answered."""

    def __init__(self, html: str) -> None:
        """Read a page that has the form."""
        self.html = html
        self.page = tree(html)
        self.form = self.page.one("form", id="cs-options-form")

    @property
    def names(self) -> list[str]:
        """Return the names of the options, in the order of the page."""
        return [node.has["data-option"] for node in self.form.all() if "data-option" in node.has]

    def row(self, name: str) -> Node:
        """Return the row of an option."""
        return self.form.one(data_option=name)

    def control(self, field_: str) -> Node:
        """Return a field."""
        return self.form.one(id=f"cs-option-{field_}")

    def value(self, field_: str) -> str | bool:
        """Return what stands in a field; whether it is on, for a switch."""
        node = self.control(field_)
        if node.tag == "textarea":
            return node.whole.removeprefix("\n")
        if node.tag == "select":
            return next(one.has["value"] for one in node.all("option") if "selected" in one.has)
        return "checked" in node.has if node.has.get("type") == "checkbox" else node.has["value"]

    def label(self, name: str) -> str:
        """Return the label of an option, with what stands in brackets."""
        parts = [node for node in self.row(name).one(class_="cs-option-name").inside if isinstance(node, Node)]
        (found,) = [node for node in parts if "data-help" not in node.has]
        return found.text

    def help(self, name: str) -> list[str]:
        """Return the sentences of an option's tooltip."""
        return [node.text for node in self.row(name).one(role="tooltip").all("span")]

    def boxes(self) -> dict[str, bool]:
        """Return the check boxes before the fields, and whether each is checked."""
        return {node.has["value"]: "checked" in node.has for node in self.form.all("input", name="own")}

    def errors(self) -> dict[str, str]:
        """Return what is told at the fields; each field says that it is invalid, and names its error."""
        lines = [node for node in self.form.all("p", class_="cs-error") if "id" in node.has]
        told = {node.has["id"].removeprefix("cs-option-").removesuffix("-error"): node.text for node in lines}
        for name in told:
            control = self.control(name)
            assert control.has["aria-invalid"] == "true", name
            assert f"cs-option-{name}-error" in control.has["aria-describedby"].split(), name
        return told

    def summary(self) -> list[str]:
        """Return what the top of the page says of what is wrong: the headline, then each thing, with a link to its field."""
        lines = list(self.page.all("div", class_="cs-is-bad"))
        if not lines:
            return []
        links = list(lines[0].all("a"))
        assert all(any(self.form.all(id=link.has["href"][1:])) for link in links)
        return [lines[0].one("b").text, *(link.text for link in links)]

    def elsewhere(self, name: str) -> list[tuple[str, str, str]]:
        """Return the drop-down of an option: its name, its mark, and the context that its link chooses."""
        return [
            (link.one(class_="cs-elsewhere-name").text, [*link.all("span")][-1].text, link.has["href"].partition("shop=")[2])
            for link in self.row(name).all("a")
        ]

    def sent(self) -> dict[str, list[str]]:
        """Return what the form would send as it stands."""
        sent: dict[str, list[str]] = {}
        for node in self.form.all():
            name = node.has.get("name", "")
            if not name or "disabled" in node.has or node.tag == "button":
                continue
            if node.tag in ("input", "textarea") and (node.has.get("type") != "checkbox" or "checked" in node.has):
                sent.setdefault(name, []).append(node.whole.removeprefix("\n") if node.tag == "textarea" else node.has.get("value", ""))
            elif node.tag == "select":
                chosen = [one.has["value"] for one in node.all("option") if "selected" in one.has] or [next(node.all("option")).has["value"]]
                sent.setdefault(name, []).extend(chosen)
        return sent


class Clerk:
    """Somebody at the options, without scripts: `sheet` is the page before them."""

    def __init__(self, client: Any, query: str = "?shop=all") -> None:
        """Open the page with a client that is signed in."""
        self.client = client
        self.open(query)

    def open(self, query: str) -> Sheet:
        """Open the page of a context."""
        answer = self.client.get(ADDRESS + query)
        assert answer.status_code == 200, answer.status_code
        self.sheet = Sheet(answer.text)
        return self.sheet

    def post(self, *, own: Sequence[str] | None = None, **changes: Any) -> Any:
        """Send the form with these fields filled in; True and False stand for a switch or a button, None leaves a field out. Return the answer.

        `own` are the boxes that are checked besides, of the fields that the form does not say to be inherited.
        """
        sent: dict[str, Any] = {**self.sheet.sent()}
        if own is not None:
            sent["own"] = list(own)
        for name, value in changes.items():
            if value is None or value is False:
                sent.pop(name, None)
            else:
                sent[name] = "y" if value is True else value
        answer = self.client.post(self.sheet.form.has["action"], data=sent, content_type="multipart/form-data")
        if answer.status_code == 303:
            self.sheet = Sheet(self.client.get(answer.location).text)
        elif "cs-options-form" in answer.text:
            self.sheet = Sheet(answer.text)
        return answer

    def save(self, **changes: Any) -> Sheet:
        """Send the form, which is saved, and return the page that says so."""
        answer = self.post(**changes)
        assert answer.status_code == 303, self.sheet.summary()
        assert "The settings have been successfully updated." in self.sheet.html
        return self.sheet

    def refused(self, **changes: Any) -> Sheet:
        """Send the form, which is not saved, and return the page that says why."""
        answer = self.post(**changes)
        assert answer.status_code == 422
        assert "The settings have been successfully updated." not in self.sheet.html
        return self.sheet
