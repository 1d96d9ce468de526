"""The documentation is run: the tutorial from an empty folder, command by command, and every block of the other pages."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from flask_login import LoginManager, UserMixin, login_user
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from werkzeug import Request, Response

from tests.hosts.window import Window
from tests.servers.processes import HOST, free_port, wait_until

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

ROOT = Path(__file__).parent.parent
TUTORIAL = "docs/getting-started.md"
OTHER_KIND = "docs/another-kind-of-store.md"
PATIENCE = 60.0  # seconds; longer than anything takes that is going to happen
STAYS = ("flask run", "flask cs work")  # commands that go on until they are ended


# --- Reading a document


@dataclass(frozen=True)
class Block:
    """A block of code: its language, its text, and the file that the sentence above it names last."""

    language: str
    text: str
    file: str


def blocks(document: str, *languages: str) -> list[Block]:
    """Return the code blocks of a document in these languages."""
    found = re.finditer(r"((?:[^\n]+\n)*)\n?^```(\w+)\n(.*?)^```", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)
    named = [(one[2], one[3], re.findall(r"`([\w/]+\.(?:py|html))`", one[1])) for one in found]
    return [Block(language, text, files[-1] if files else "") for language, text, files in named if language in languages]


def test_every_block_of_the_tutorial_is_a_command_or_stands_in_a_file() -> None:
    """A block that no test runs is a block that nobody knows to be right."""
    text = (ROOT / TUTORIAL).read_text()
    found = blocks(TUTORIAL, "sh", "python", "html", "text")
    assert len(found) == text.count("\n```") / 2
    assert [block for block in found if block.language in ("python", "html") and not block.file] == []


# --- The tutorial, from an empty folder


def forwarding(port: int) -> WSGIApplication:
    """Return an application that hands requests on to a server of this machine."""

    @Request.application
    def forward(request: Request) -> Response:
        connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
        path = request.full_path if request.query_string else request.path
        connection.request(request.method, path, body=request.get_data(), headers=dict(request.headers))
        answer = connection.getresponse()
        return Response(answer.read(), answer.status, list(answer.headers.items()))

    return forward


@dataclass
class Terminal:
    """The reader's terminal in the folder of the tutorial. What goes on and on writes into a file named after itself."""

    folder: Path
    environment: Mapping[str, str]
    said: str = ""
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def run(self, line: str) -> None:
        """Run a line as it stands, in the virtual environment where there is one; what goes on is left running."""
        activated = f". .venv/bin/activate; {line}" if (self.folder / ".venv").exists() else line
        command = ["bash", "-e", "-c", f"exec {line}" if activated == line and line in STAYS else activated.replace("; flask", "; exec flask")]
        if line in STAYS:
            with self.log(line).open("wb") as output:
                self.running[line] = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=output, stderr=subprocess.STDOUT)
            return
        ran = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)
        self.said += ran.stdout
        assert ran.returncode == 0, f"{line}\n{ran.stdout}\n{ran.stderr}"

    def log(self, line: str) -> Path:
        """Return the file with what a running command shows."""
        return self.folder / f"{line.replace(' ', '-')}.log"

    def shows(self, line: str, pattern: str) -> re.Match[str]:
        """Wait until a running command has shown something, and return it."""
        wait_until(lambda: re.search(pattern, self.log(line).read_text()) is not None, seconds=PATIENCE, what=f"{pattern} in {self.log(line)}")
        found = re.search(pattern, self.log(line).read_text())
        assert found is not None
        return found

    def end(self) -> None:
        """End what is running."""
        for process in self.running.values():
            process.terminate()
            process.wait(PATIENCE)
        self.running.clear()


def take(step: Block, terminal: Terminal) -> None:
    """Do what a block asks for: run its lines, or write it to its file, at the end where there is one already."""
    if step.language == "sh":
        for line in step.text.splitlines():
            if "activate" not in line:
                terminal.run(line)
        return
    written = terminal.folder / step.file
    written.parent.mkdir(exist_ok=True)
    with written.open("a") as file:
        file.write(("\n\n" if file.tell() else "") + step.text)


def follow_the_tutorial(folder: Path, environment: Mapping[str, str], *, installed: bool) -> Terminal:
    """Take all steps in their order, with the conversation after the store was started; return the terminal with all that was said in it.

    Where the package is `installed` already, the first block, which does that, is left out.
    """
    port = free_port()
    terminal = Terminal(folder, {**environment, "FLASK_RUN_PORT": str(port), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"})
    steps = blocks(TUTORIAL, "sh", "python", "html")
    assert steps[0].text == "python -m venv .venv\n. .venv/bin/activate\npip install cs-plugin flask-login\n"
    try:
        for step in steps[1 if installed else 0 :]:
            take(step, terminal)
            if "flask run" in step.text:
                terminal.shows("flask run", "Running on")
                converse(terminal, forwarding(port))
            if "flask cs work" in step.text:
                terminal.shows("flask cs work", "The worker has begun")
        (told,) = blocks(TUTORIAL, "text")
        assert [line for line in told.text.splitlines() if words(line) not in words(terminal.said)] == []
        terminal.said = ""
        terminal.run("flask cs doctor")
        assert "SQLite keeps its journal" not in terminal.said
        assert words("ok The desk's tables are at") in words(terminal.said)
    finally:
        terminal.end()
    return terminal


def words(text: str) -> str:
    """Return a text without its line ends, which come where the terminal is at its end."""
    return " ".join(text.split())


def converse(terminal: Terminal, store: WSGIApplication) -> None:
    """Do what the tutorial says of the first conversation: as Ida without an account, as Marie of the staff, as Jan with an order."""
    text, here = (ROOT / TUTORIAL).read_text(), "http://127.0.0.1:5000"
    addresses = re.findall(r"<http://127\.0\.0\.1:5000([^>]*)>", text)
    assert addresses == ["/customer-service/contact", "/sign-in", "/admin/customer-service/", "/orders/2?token=only-ida-knows"]
    ida, marie, jan = (Window(store, here) for _ in range(3))
    jan.open(addresses[1])
    assert "XKBKNABJK" in jan.submit(email="jan@example.com", password="jan")
    ida.open(addresses[0])
    jan.open("/orders/1")
    # Whoever sends a form sooner is a machine.
    time.sleep(2.5)
    (service,) = re.findall(r'<option value="(\d+)">Customer service', ida.page)
    assert "Your message has been successfully sent to our team." in ida.submit(contact=service, email="ida@example.com", text="Where is my parcel?")
    assert "Message successfully sent" in jan.submit("post_key", text="The jug is broken.")
    marie.open(addresses[1])
    marie.submit(email="marie@store.example", password="marie")
    threads = marie.open(addresses[2])
    assert "ida@example.com" in threads
    assert "Where is my parcel?" in threads
    marie.open("/admin/customer-service/1")
    marie.submit(button=("then", "close"), text="It leaves today.")
    assert "The message was successfully sent to the customer." in marie.page
    link = terminal.shows("flask run", r"(?s)It leaves today\..*?http://127\.0\.0\.1:\d+(/customer-service/thread/[\w.-]+)")[1]
    assert "It leaves today." in Window(store, here).open(link)
    order = marie.open("/admin/order/details/?id=1")
    assert "only-ida-knows" not in marie.open("/admin/order/") + marie.open("/admin/order/details/?id=2") + marie.open("/admin/order/edit/?id=2")
    assert "scrypt" not in marie.open("/admin/user/") + marie.open("/admin/user/edit/?id=1")
    assert "Messages (1)" in order
    assert "The jug is broken." in order
    assert "The jug is broken." in jan.open("/orders/1")
    assert "The jug is broken." in jan.open("/customer-service/my-messages")
    assert "cs-order-form" in Window(store, here).open(addresses[3])
    assert Window(store, here).status_of("/orders/2?token=only-jan-knows") == 404
    assert jan.status_of("/admin/customer-service/") == 403
    assert Window(store, here).status_of("/admin/customer-service/") == 302


def test_the_tutorial_leads_from_an_empty_folder_to_a_desk_that_answers(tmp_path: Path) -> None:
    """Every file as it stands, every command really run, and the conversation as it is told; the packages are those of this environment."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    follow_the_tutorial(tmp_path, environment, installed=True)


@pytest.mark.long
def test_the_tutorial_is_followed_in_an_empty_environment_in_under_ten_minutes(tmp_path: Path) -> None:
    """A Python without packages, the wheel of this tree for `cs-plugin`, and all that it needs from the package index."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    (tmp_path / "constraints").write_text(f"cs-plugin @ {wheel.as_uri()}\n")
    empty = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    path = [entry for entry in empty["PATH"].split(os.pathsep) if ".venv" not in entry]
    folder = tmp_path / "my_store"
    folder.mkdir()
    (tmp_path / "bin").mkdir()
    # "python" is whatever made the environment of the tests, without what is installed there.
    (tmp_path / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    begun = time.monotonic()
    environment = {**empty, "PATH": os.pathsep.join([str(tmp_path / "bin"), *path]), "PIP_CONSTRAINT": str(tmp_path / "constraints")}
    follow_the_tutorial(folder, environment, installed=False)
    seconds = time.monotonic() - begun
    print(f"\nThe tutorial took {seconds:.0f} seconds.")
    assert seconds < 600
    assert "pytest" not in subprocess.run([folder / ".venv/bin/pip", "list"], capture_output=True, text=True, check=True).stdout


# --- A store of another kind


def run_blocks(document: str, folder: Path) -> dict[str, Any]:
    """Run the Python blocks of a document in their order, in a folder, and make the desk's tables before anything is written."""
    names: dict[str, Any] = {"__name__": "my_store"}
    for block in blocks(document, "python"):
        code = block.text.replace("sqlite:///store.sqlite", f"sqlite:///{folder}/store.sqlite")
        if "app_context()" in code:
            assert names["app"].test_cli_runner().invoke(args=["cs", "upgrade"]).exit_code == 0
        exec(compile(code, document, "exec"), names)
        if isinstance(names.get("app"), Flask):
            names["app"].instance_path = str(folder)
    return names


def test_a_store_with_answers_by_hand_is_mounted_as_it_stands(tmp_path: Path) -> None:
    """Each block runs in its order; then whoever is staff sees what the store's own contact form has taken, and the store's mailer has the mail."""
    names = run_blocks(OTHER_KIND, tmp_path)
    client = names["app"].test_client()
    assert client.get("/customer-service/contact").status_code == 200
    assert client.get("/cs-admin/customer-service/").status_code == 403
    assert "Where is my parcel?" in client.get("/cs-admin/customer-service/", headers={"X-User": "marie"}).text
    assert names["app"].test_cli_runner().invoke(args=["cs", "deliver"]).exit_code == 0
    assert [recipients for recipients, _subject, _text in names["OUTBOX"]] == [("jan@store.example",)]


def test_fragments_stand_in_a_page_of_the_store(tmp_path: Path) -> None:
    """The HTML block shows the form and the link; everything that the table names can be called."""
    app = run_blocks(OTHER_KIND, tmp_path)["app"]
    (template,) = blocks(OTHER_KIND, "html")
    called = "".join(re.findall(r"^\| `(\{\{.*?\}\})` \|", (ROOT / OTHER_KIND).read_text(), re.MULTILINE))
    assert called.count("{{") == 6
    app.add_url_rule("/about", "about", lambda: app.jinja_env.from_string(template.text).render())
    app.add_url_rule("/all", "all", lambda: app.jinja_env.from_string(called).render(order={"id": 15}, token=""))
    page = app.test_client().get("/about").text
    assert 'class="cs-contact-form"' in page
    assert 'href="/customer-service/contact' in page
    assert app.test_client().get("/all").status_code == 200


# --- The README


class Base(DeclarativeBase):
    """The tables of the README's store."""


class User(UserMixin, Base):
    """Anybody with an account."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    is_admin: Mapped[bool]


class Order(Base):
    """What somebody bought."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int]
    created_at: Mapped[str]
    total: Mapped[int]


def test_the_readmes_block_mounts_the_desk(tmp_path: Path) -> None:
    """What the README shows is all that it takes, in ten lines at most."""
    app = Flask("store", instance_path=str(tmp_path))
    app.config.update(SECRET_KEY="a secret that is long enough", SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/store.sqlite", CS_MAIL_URL="memory:")
    db = SQLAlchemy(app, model_class=Base)
    LoginManager(app).user_loader(lambda key: db.session.get(User, int(key)))
    with app.app_context():
        db.create_all()
        db.session.add(User(id=1, email="marie@example.com", is_admin=True))
        db.session.commit()
    app.add_url_rule("/sign-in", "sign_in", lambda: str(login_user(db.session.get(User, 1))))
    (block,) = blocks("README.md", "python")
    assert len([line for line in block.text.splitlines() if line.strip()]) <= 10
    exec(compile(block.text, "README.md", "exec"), {"app": app, "db": db, "User": User, "Order": Order, "__name__": "store"})
    assert app.test_cli_runner().invoke(args=["cs", "upgrade"]).exit_code == 0
    client = app.test_client()
    assert client.get("/cs-admin/customer-service/").status_code == 403
    client.get("/sign-in")
    assert client.get("/cs-admin/customer-service/").status_code == 200


@pytest.mark.parametrize("document", sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]))
def test_links_lead_to_files_that_are_there(document: str) -> None:
    """No document points at a file that does not exist."""
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / document).read_text())
    assert [target for target in targets if not ((ROOT / document).parent / target).exists()] == []
