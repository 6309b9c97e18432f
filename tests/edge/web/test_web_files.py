"""What browsers load: the page and its files, onnxruntime-web, and the benchmark report."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge_mnist.edge.web.browser_runtime import FILES
from tests.stand_ins.web_server import serving


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """Of a server with the shipped model and no camera."""
    with serving() as (_, client):
        yield client


def test_the_page_and_its_files_come_with_their_types_and_are_asked_for_anew(client: httpx.Client) -> None:
    page = client.get("/")

    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Cache-Control"] == "no-cache"
    again = client.get("/", headers={"If-None-Match": page.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    script = client.get("/static/main.js")
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"


@pytest.mark.parametrize("path", ["/static/", "/static", "/static/nonesuch.js", "/static/../cli.py", "/docs", "/redoc",
                                  "/static/%2e%2e%2fcli.py", "/runtime/..%2fhosts", "/runtime/"])  # fmt: skip
def test_nothing_but_the_listed_files_is_served(client: httpx.Client, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 404
    assert answer.json()["error"].endswith(".")


def test_onnxruntime_web_is_handed_out_where_it_is_installed(
    client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in FILES:
        (tmp_path / Path(name).name).write_bytes(name.encode())
    (tmp_path / "package.json").write_text('{"version": "1.2.3"}')
    (tmp_path / "secret.js").write_text("no")

    assert client.get("/v1/model").json()["browser_runtime"] is None
    monkeypatch.setenv("EDGE_MNIST_WEB_RUNTIME", str(tmp_path))

    answers = {Path(name).name: client.get(f"/runtime/{Path(name).name}") for name in FILES}
    assert [answer.text for answer in answers.values()] == list(FILES)
    assert answers["ort-wasm-simd-threaded.wasm"].headers["Content-Type"] == "application/wasm"
    assert answers["ort.wasm.min.mjs"].headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert client.get("/runtime/secret.js").status_code == 404
    assert client.get("/v1/model").json()["browser_runtime"] == "1.2.3"


@pytest.mark.parametrize("name", [Path(name).name for name in FILES])
def test_onnxruntime_web_is_sent_again_only_when_it_changed(
    client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).write_bytes(b"one")
    monkeypatch.setenv("EDGE_MNIST_WEB_RUNTIME", str(tmp_path))
    known = {"If-None-Match": client.get(f"/runtime/{name}").headers["ETag"]}

    again = client.get(f"/runtime/{name}", headers=known)
    (tmp_path / name).write_bytes(b"another")
    changed = client.get(f"/runtime/{name}", headers=known)

    assert (again.status_code, again.content) == (304, b"")
    assert (again.headers["ETag"], again.headers["Cache-Control"]) == (known["If-None-Match"], "no-cache")
    assert (changed.status_code, changed.content) == (200, b"another")


def test_a_home_that_the_service_may_not_look_into_has_no_onnxruntime_web(
    client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = os.stat

    def refuse(path: Any, *args: Any, **options: Any) -> os.stat_result:
        if str(path).startswith(str(tmp_path)):
            raise PermissionError(13, "Permission denied", str(path))
        return look(path, *args, **options)

    monkeypatch.setenv("EDGE_MNIST_WEB_RUNTIME", str(tmp_path))
    # As with ProtectHome=yes; root, as which tests may run, is refused nothing else.
    monkeypatch.setattr(os, "stat", refuse)

    model, file = client.get("/v1/model"), client.get("/runtime/ort.wasm.min.mjs")

    assert (model.status_code, model.json()["browser_runtime"]) == (200, None)
    assert file.status_code == 404


def test_the_report_is_shown_in_a_sandbox(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    report.write_text("<h1>fast</h1>")

    with serving(report=report) as (_, client):
        answer = client.get("/v1/report")

    assert answer.text == "<h1>fast</h1>"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'; ")
