"""The package as it is installed: a wheel in an empty environment carries everything, and so do sdist and editable install."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# What a host needs and no import names.
CARRIED = (
    "cs_plugin/py.typed",
    "cs_plugin/hookspecs.py",
    "cs_plugin/migrations/env.py",
    "cs_plugin/migrations/versions/0001_first.py",
    "cs_plugin/templates/cs_plugin/admin/threads.html",
    "cs_plugin/templates/cs_plugin/mail/reply/body.html",
    "cs_plugin/static/cs_plugin/desk.css",
    "cs_plugin/static/cs_plugin/desk.js",
    "cs_plugin/translations/cs_plugin.pot",
    "cs_plugin/translations/fr/LC_MESSAGES/cs_plugin.mo",
    "cs_plugin/translations/ar/LC_MESSAGES/cs_plugin.mo",
)
JOURNEY = """
import tempfile
from pathlib import Path
from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy
from cs_plugin import ALL, CustomerService, Employee, hookimpl
import cs_plugin

class Answers:
    @hookimpl
    def cs_current_employee(self):
        return Employee("1", "Marie", "Dubois", "marie@example.com", language="fr")

folder = Path(tempfile.mkdtemp())
app = Flask("store", instance_path=str(folder))
app.config.update(SECRET_KEY="a secret that is long enough", SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/store.sqlite", CS_MAIL_URL="memory:")
db = SQLAlchemy(app)
CustomerService(app, db=db, plugins=[Answers()])
assert app.test_cli_runner().invoke(args=["cs", "upgrade"]).exit_code == 0
page = app.test_client().get("/cs-admin/customer-service/")
assert page.status_code == 200, page.status_code
assert "Service client" in page.text, page.text[:2000]
for name in ("desk.css", "desk.js", "chrome.js", "storefront.css"):
    assert app.test_client().get(f"/customer-service/static/{name}").status_code == 200, name
assert app.test_client().get("/customer-service/contact").status_code == 200
print("walked", Path(cs_plugin.__file__).parent)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist of this tree."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)], check=True, capture_output=True)
    return folder


def test_the_wheel_carries_everything(built: Path) -> None:
    """Templates, migrations, static files and translations travel in the wheel."""
    names = set(zipfile.ZipFile(next(built.glob("*.whl"))).namelist())
    assert [name for name in CARRIED if name not in names] == []


def test_the_wheel_carries_nothing_else(built: Path) -> None:
    """Neither tests nor examples, nor a stray file of somebody's machine."""
    names = zipfile.ZipFile(next(built.glob("*.whl"))).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"cs_plugin"}


def test_the_sdist_carries_everything(built: Path) -> None:
    """A wheel can be built from the sdist alone."""
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert [name for name in CARRIED if name not in names] == []
    assert not [name for name in names if name.startswith((".venv", "tests", ".demo"))]


def test_a_wheel_in_an_empty_environment_walks_the_whole_way(built: Path, tmp_path: Path) -> None:
    """Installed from the wheel, with nothing of this checkout in reach, the desk mounts, makes its tables and shows its pages in French."""
    environment = tmp_path / "empty"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", *_wheels(built)], check=True, capture_output=True)
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([str(python), "-c", JOURNEY], check=False, capture_output=True, text=True, cwd=tmp_path, env=clean)
    assert done.returncode == 0, done.stderr
    assert str(environment) in done.stdout


def _wheels(built: Path) -> list[str]:
    return [str(next(built.glob("*.whl")))]
