"""onnxruntime-web comes whole, as it is known, or not at all: with an npm of this test's own."""

import base64
import hashlib
import io
import shutil
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_mnist.edge.commands import serve
from edge_mnist.edge.common.errors import EdgeMnistError
from edge_mnist.edge.web import browser_runtime as fetch_runtime
from edge_mnist.edge.web.browser_runtime import runtime_dir, runtime_version
from tests.conftest import edge_mnist

CONTENT = {
    "package/dist/ort.wasm.min.mjs": b"export {};",
    "package/dist/ort-wasm-simd-threaded.mjs": b"export {};",
    "package/dist/ort-wasm-simd-threaded.wasm": b"\0asm",
    "package/package.json": b'{"version": "1.30.0"}',
    "package/dist/ort.webgl.min.mjs": b"not needed",
}


@pytest.fixture(autouse=True)
def _own_cache_and_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with these files, whose hash is the expected one."""
    path = tmp_path / "package.tgz"
    with tarfile.open(path, "w:gz") as package:
        for name, content in CONTENT.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            package.addfile(member, io.BytesIO(content))
    digest = hashlib.sha512(path.read_bytes()).digest()
    monkeypatch.setattr(fetch_runtime, "SHA512", base64.b64encode(digest).decode())
    return path


def test_three_files_and_the_manifest_are_kept_and_nothing_else(tmp_path: Path, archive: Path) -> None:
    _install_npm(tmp_path, f"/bin/cp {archive} $PWD/onnxruntime-web.tgz")

    result = CliRunner().invoke(fetch_runtime.main)

    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in runtime_dir().iterdir()) == [
        "ort-wasm-simd-threaded.mjs",
        "ort-wasm-simd-threaded.wasm",
        "ort.wasm.min.mjs",
        "package.json",
    ]
    assert runtime_version(runtime_dir()) == "1.30.0"
    assert list(runtime_dir().parent.iterdir()) == [runtime_dir()]


def test_what_is_there_already_is_not_fetched_again_but_a_damaged_one_is(tmp_path: Path, archive: Path) -> None:
    _install_npm(tmp_path, f"/bin/cp {archive} $PWD/onnxruntime-web.tgz; echo called >> {tmp_path}/calls")
    CliRunner().invoke(fetch_runtime.main)

    again = CliRunner().invoke(fetch_runtime.main)
    assert "already" in again.output
    (runtime_dir() / "ort.wasm.min.mjs").unlink()
    assert runtime_version(runtime_dir()) is None
    CliRunner().invoke(fetch_runtime.main)

    assert runtime_version(runtime_dir()) == "1.30.0"
    assert (tmp_path / "calls").read_text() == "called\n" * 2


def test_another_package_than_the_known_one_is_refused_and_nothing_kept(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_runtime, "SHA512", "A" * 86 + "==")
    _install_npm(tmp_path, f"/bin/cp {archive} $PWD/onnxruntime-web.tgz")

    with pytest.raises(EdgeMnistError, match="expected SHA-512 AAAAAAAAAAAA…, npm returned"):
        fetch_runtime.fetch_runtime()

    assert list(runtime_dir().parent.iterdir()) == []


def test_a_failing_npm_is_reported_in_one_sentence(tmp_path: Path) -> None:
    _install_npm(tmp_path, "echo 'npm error code ENOTFOUND' >&2; exit 1")

    result = CliRunner().invoke(fetch_runtime.main)

    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("Error: npm could not get onnxruntime-web 1.30.0 (ENOTFOUND).")
    assert list(runtime_dir().parent.iterdir()) == []


def test_a_machine_without_npm_is_told_what_to_install() -> None:
    with pytest.raises(EdgeMnistError, match="apt install npm"):
        fetch_runtime.fetch_runtime()


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")

    with pytest.raises(EdgeMnistError, match="cannot be written"):
        fetch_runtime.fetch_runtime()


def test_serve_fetches_it_first_on_request(tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install_npm(tmp_path, f"/bin/cp {archive} $PWD/onnxruntime-web.tgz")
    served: list[object] = []
    monkeypatch.setattr(serve, "_serve", lambda *_: served.append(runtime_version(runtime_dir())))

    first, second = edge_mnist("serve", "--fetch-runtime"), edge_mnist("serve", "--fetch-runtime")

    assert served == ["1.30.0", "1.30.0"]
    assert first.stderr.splitlines()[-1] == f"{runtime_dir()} holds onnxruntime-web 1.30.0."
    assert second.stderr == f"{runtime_dir()} already holds onnxruntime-web 1.30.0.\n"


def test_serve_without_npm_is_one_sentence_and_serves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "_serve", lambda *_: pytest.fail("it serves"))

    result = edge_mnist("serve", "--fetch-runtime", "-q")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: npm is needed to fetch onnxruntime-web, but is not on the PATH: apt install npm.\n"


def _install_npm(folder: Path, script: str) -> None:
    """The only program on the path. It runs where it is called, which is where it puts the package."""
    npm = folder / "bin" / "npm"
    npm.parent.mkdir(exist_ok=True)
    npm.write_text(f"#!/bin/sh\n{script}\n")
    npm.chmod(0o755)
    assert shutil.which("npm") == str(npm)
