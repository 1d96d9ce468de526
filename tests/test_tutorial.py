"""The documentation is run: every block of the tutorial in its order, and the README's in a store."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

ROOT = Path(__file__).parent.parent


def blocks(document: str, language: str) -> list[str]:
    """Return the code blocks of a document in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)


def test_the_tutorial_leads_to_a_desk_that_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each Python block runs in its order; then the commands have made tables, and the pages that the text names are there."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "my_store"}
    python = blocks("docs/getting-started.md", "python")
    assert len(python) == 4
    for block in python[:3]:
        exec(compile(block.replace("sqlite:///store.sqlite", f"sqlite:///{tmp_path}/store.sqlite"), "docs/getting-started.md", "exec"), names)
    app = names["app"]
    app.instance_path = str(tmp_path)
    commands = [line.split(" cs ")[1] for line in "".join(blocks("docs/getting-started.md", "sh")).splitlines() if " cs " in line]
    assert commands == ["upgrade"]
    for command in commands:
        assert app.test_cli_runner().invoke(args=["cs", command]).exit_code == 0
    exec(compile(python[3], "docs/getting-started.md", "exec"), names)
    client = app.test_client()
    assert client.get("/customer-service/contact").status_code == 200
    assert client.get("/cs-admin/customer-service/").status_code == 403
    threads = client.get("/cs-admin/customer-service/", headers={"X-User": "marie"})
    assert "Where is my parcel?" in threads.text


def test_the_template_lines_of_the_tutorial_show_the_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The HTML block, in a page of the store, shows the form and the link."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "my_store"}
    for block in blocks("docs/getting-started.md", "python")[:3]:
        exec(compile(block.replace("sqlite:///store.sqlite", f"sqlite:///{tmp_path}/store.sqlite"), "docs/getting-started.md", "exec"), names)
    app = names["app"]
    (template,) = blocks("docs/getting-started.md", "html")
    app.add_url_rule("/about", view_func=lambda: app.jinja_env.from_string(template).render())
    app.test_cli_runner().invoke(args=["cs", "upgrade"])
    page = app.test_client().get("/about").text
    assert 'class="cs-contact-form"' in page
    assert 'href="/customer-service/contact' in page


def test_the_readmes_block_mounts_the_desk(tmp_path: Path) -> None:
    """What the README shows is all that it takes."""
    app = Flask("store", instance_path=str(tmp_path))
    app.config.update(SECRET_KEY="a secret that is long enough", SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/store.sqlite", CS_MAIL_URL="memory:")
    db = SQLAlchemy(app)

    class Somebody:
        is_authenticated = is_staff = True
        id, first_name, last_name, email = 1, "Marie", "Dubois", "marie@example.com"

    (block,) = blocks("README.md", "python")
    exec(compile(block, "README.md", "exec"), {"app": app, "db": db, "current_user": Somebody(), "__name__": "store"})
    assert app.test_cli_runner().invoke(args=["cs", "upgrade"]).exit_code == 0
    assert app.test_client().get("/cs-admin/customer-service/").status_code == 200


@pytest.mark.parametrize("document", sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]))
def test_links_lead_to_files_that_are_there(document: str) -> None:
    """No document points at a file that does not exist."""
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / document).read_text())
    assert [target for target in targets if not ((ROOT / document).parent / target).exists()] == []
