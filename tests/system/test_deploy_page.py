"""The page about using the files without edge-mnist tells the truth: what can run here runs, from the page itself."""

import functools
import http.server
import math
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.edge.data import held_out as mnist
from edge_mnist.export.formats.micro_c_source import to_c_source
from tests.conftest import REPOSITORY
from tests.stand_ins.chromium import Page, browser_runtime, page

__all__ = ["browser_runtime", "page"]

TEXT = (REPOSITORY / "docs" / "guides" / "deploy-the-files.md").read_text()
COUNT = 40
MOST_WRONG = 1
CPP_MAIN = """
#include <cstdio>
int main() {
    Ort::Env env;
    Ort::Session session(env, "standard-int8.onnx", Ort::SessionOptions{});
    std::array<std::uint8_t, 784> pixels;
    while (std::fread(pixels.data(), 1, 784, stdin) == 784) std::printf("%d ", classify(session, pixels));
}
"""


def _snippet(heading: str, language: str) -> str:
    """The one block of this language below the heading."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    (found,) = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return found


@pytest.fixture
def digits(sample: mnist.Images) -> mnist.Images:
    return sample.take(range(COUNT))


@pytest.fixture
def folder(tmp_path: Path, digits: mnist.Images) -> Path:
    """A folder with the shipped files and some digits, and nothing of the project."""
    for path in SHIPPED.glob("standard-*.*"):
        shutil.copy(path, tmp_path)
    np.save(tmp_path / "digits.npy", digits.pixels)
    return tmp_path


@pytest.mark.parametrize("heading", ["LiteRT in Python", "ONNX Runtime in Python"])
@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_the_python_of_the_page_reads_digits(heading: str, precision: str, folder: Path, digits: mnist.Images) -> None:
    code = _snippet(heading, "python").replace("standard-int8", f"standard-{precision}")

    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)

    _check([int(word) for word in done.stdout.strip("[] \n").split()], digits)


def test_the_javascript_of_the_page_reads_digits(
    browser_runtime: Path, page: Page, folder: Path, digits: mnist.Images
) -> None:
    for path in browser_runtime.iterdir():
        shutil.copy(path, folder)
    (folder / "classify.js").write_text(_snippet("ONNX Runtime in the browser", "javascript"))
    (folder / "index.html").write_text('<!doctype html><link rel="icon" href="data:,">')
    script = """
        const { classify } = await import("./classify.js");
        const found = [];
        for (const pixels of given[0]) found.push(await classify(Uint8Array.from(pixels)));
        return found;
    """

    with _serving(folder) as url:
        page.open(url)
        found = page.run(script, digits.pixels.reshape(COUNT, -1).tolist())

    _check(found, digits)


def test_the_cpp_of_the_page_reads_digits(folder: Path, digits: mnist.Images) -> None:
    root = os.environ.get("ONNXRUNTIME_ROOT")
    if root is None or shutil.which("g++") is None:
        pytest.skip("needs g++ and ONNX Runtime's headers: set ONNXRUNTIME_ROOT to a folder with include/ and lib/")
    (folder / "main.cpp").write_text(_snippet("ONNX Runtime in C++", "cpp") + CPP_MAIN)
    options = [f"-I{root}/include", f"-L{root}/lib", f"-Wl,-rpath,{root}/lib", "-lonnxruntime"]

    subprocess.run(["g++", "-std=c++17", "main.cpp", *options, "-o", "main"], cwd=folder, check=True)
    done = subprocess.run([folder / "main"], cwd=folder, input=digits.pixels.tobytes(), capture_output=True, check=True)

    _check([int(word) for word in done.stdout.split()], digits)


def test_the_c_of_the_page_fits_the_header_that_export_writes(tmp_path: Path) -> None:
    name = "standard-int8.tflite"
    header = to_c_source((SHIPPED / name).read_bytes(), name, arena_bytes=20_000).header
    code = _snippet("TensorFlow Lite Micro", "cpp")

    defined = {*re.findall(r"#define (\w+)", header), "standard_int8_tflite"}
    assert set(re.findall(r"\bSTANDARD_INT8_\w+|\bstandard_int8_\w+", code)) <= defined
    assert re.findall(r"resolver\.\w+\(\);", code) == re.findall(r"resolver\.\w+\(\);", header)
    assert re.findall(r"OpResolver<\d+>", code) == re.findall(r"OpResolver<\d+>", header)

    include = os.environ.get("TFLM_INCLUDE")
    if include is None or shutil.which("g++") is None:
        pytest.skip("the syntax needs g++ and TFLite Micro's headers: set TFLM_INCLUDE to their folder")
    (tmp_path / "standard_int8.h").write_text(header)
    (tmp_path / "main.cpp").write_text(code)
    subprocess.run(["g++", "-std=c++17", "-fsyntax-only", f"-I{include}", "main.cpp"], cwd=tmp_path, check=True)


def test_the_table_has_the_scales_of_the_shipped_files() -> None:
    stated = dict(re.findall(r"\| `([\w-]+-int8\.tflite)` \| int8 \| `(.*?)` \|", TEXT))

    assert sorted(stated) == ["nano-int8.tflite", "standard-int8.tflite"]
    for name, formula in stated.items():
        output = Interpreter(str(SHIPPED.parent / name.partition("-")[0] / name)).get_output_details()[0]
        scale, zero_point = output["quantization"]
        assert formula == f"(q - {zero_point}) * {scale:.6g}"
        assert output["dtype"] == np.int8
    for path in SHIPPED.parent.glob("*/*-float32.tflite"):
        assert Interpreter(str(path)).get_output_details()[0]["dtype"] == np.float32


def test_the_page_states_the_range_of_the_logits() -> None:
    output = Interpreter(str(SHIPPED / "standard-int8.tflite")).get_output_details()[0]
    scale, zero_point = output["quantization"]

    assert f"a step is {scale:.3f}, and logits lie between {(-128 - zero_point) * scale:.2f} and " in TEXT
    assert math.isclose((127 - zero_point) * scale, 7.20, abs_tol=0.005)


def _check(found: list[int], digits: mnist.Images) -> None:
    assert len(found) == COUNT
    assert sum(one != label for one, label in zip(found, digits.labels, strict=True)) <= MOST_WRONG


class _Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


@contextmanager
def _serving(folder: Path) -> Iterator[str]:
    """An HTTP server of a folder on this machine."""
    handler = functools.partial(_Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
