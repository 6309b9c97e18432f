"""The documentation site: it builds without a warning, and readers can use it in light, in dark and on a phone."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import edge_mnist
from edge_mnist.benchmarks.commands.benchmark import Benchmark
from edge_mnist.cli import COMMANDS
from tests.conftest import REPOSITORY
from tests.stand_ins.chromium import Page, page
from tests.stand_ins.file_server import serve_folder
from tests.stand_ins.page_audit import audit

__all__ = ["page"]

WIDE, PHONE = 1280, 390
SHOWN = ("", "start/browser/", "guides/read-pictures/", "reference/cli/", "reference/card-and-bundle/", "results/")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=REPOSITORY, check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with serve_folder(site) as server:
        yield f"{server}/"


def test_every_public_name_is_on_the_page_for_python(site: Path) -> None:
    text = (site / "reference" / "python" / "index.html").read_text()

    missing = [
        name for name in edge_mnist.__all__ if f'id="edge_mnist.{name}"' not in text and f"<code>em.{name}<" not in text
    ]

    assert missing == []


def test_every_command_is_on_the_page_for_commands(site: Path) -> None:
    text = (site / "reference" / "cli" / "index.html").read_text()
    names = [*COMMANDS, *(f"benchmark-{name}" for name in Benchmark.subcommands), "measure-zoo"]

    assert [name for name in names if f'id="edge-mnist-{name}"' not in text] == []


def test_the_schemas_are_on_the_site(site: Path) -> None:
    assert '"ModelCard"' in (site / "reference" / "card.schema.json").read_text()
    assert '"/v1/read"' in (site / "reference" / "openapi.json").read_text()


def test_every_page_passes_the_audit_wide_and_on_a_phone(page: Page, site: Path, address: str) -> None:
    paths = sorted(str(path.relative_to(site)) for path in site.rglob("*.html"))
    found: dict[str, set[str]] = {}

    for path in paths:
        page.show(WIDE, 900, "light")
        page.driver.get(address + path)
        found[path] = audit(page)
        page.show(PHONE, 844, "dark", touch=True)
        found[path] |= audit(page)

    assert len(paths) > 50
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "light"), (WIDE, "dark")])
@pytest.mark.parametrize("path", SHOWN)
def test_a_page_passes_the_audit_in_the_other_colours(
    page: Page, address: str, path: str, width: int, scheme: str
) -> None:
    page.show(width, 844, scheme)

    page.open(address + path)

    assert audit(page) == set()
