"""C source for TFLite Micro: it compiles to the file's very bytes and says what the file says, or is not written."""

import hashlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edge_mnist.edge.bundle.shipped import SHIPPED
from edge_mnist.export.errors import ExportError
from edge_mnist.export.formats.micro_c_source import c_identifier, resolver_method, to_c_source
from edge_mnist.export.formats.micro_model import TFLM_OPERATORS

from .test_micro_model import NAME, changed

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
COMPILERS = {"c11": "cc", "c17": "cc", "c++17": "g++"}
# Writes the array on standard output, and what the compiler made of the header on standard error.
MAIN = """
#include <stdint.h>
#include <stdio.h>
#include "standard_int8.h"
int main(void) {
    const int shape[] = STANDARD_INT8_INPUT_SHAPE;
    fprintf(stderr, "%d %d %d ", (int)(sizeof(shape) / sizeof(shape[0])), shape[1], shape[2]);
    fprintf(stderr, "%d %d ", (int)STANDARD_INT8_SIZE_BYTES, (int)((uintptr_t)standard_int8_tflite % 16));
    fprintf(stderr, "%.9g %d ", STANDARD_INT8_INPUT_SCALE, STANDARD_INT8_INPUT_ZERO_POINT);
    fprintf(stderr, "%.9g %d ", STANDARD_INT8_OUTPUT_SCALE, STANDARD_INT8_OUTPUT_ZERO_POINT);
    fprintf(stderr, "%d %d", STANDARD_INT8_INPUT_BYTES, STANDARD_INT8_NUM_CLASSES);
    return fwrite(standard_int8_tflite, 1, sizeof(standard_int8_tflite), stdout) != sizeof(standard_int8_tflite);
}
"""
# Measured with tflite-micro 0.dev20261023182759, 64 bits.
ARENA_BYTES = 14_512


@pytest.fixture(scope="module")
def content() -> bytes:
    return (SHIPPED / NAME).read_bytes()


def _ends(content: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    interpreter = Interpreter(model_content=content)
    return interpreter.get_input_details()[0], interpreter.get_output_details()[0]


@pytest.mark.parametrize("standard", COMPILERS)
def test_the_compiled_array_is_the_file(content: bytes, tmp_path: Path, standard: str) -> None:
    compiler = shutil.which(COMPILERS[standard])
    if compiler is None:
        pytest.skip(f"needs {COMPILERS[standard]}, a C compiler")
    files = to_c_source(content, NAME, ARENA_BYTES)
    (tmp_path / files.header_name).write_text(files.header)
    (tmp_path / files.source_name).write_text(files.source)
    (tmp_path / "main.c").write_text(MAIN)

    subprocess.run([compiler, f"-std={standard}", *WARNINGS, files.source_name, "main.c"], cwd=tmp_path, check=True)
    program = subprocess.run([tmp_path / "a.out"], capture_output=True, check=True)

    pixels, logits = _ends(content)
    rank, height, width, size, misalignment, *facts, input_bytes, classes = program.stderr.decode().split()
    assert program.stdout == content
    assert (int(rank), int(height), int(width)) == (4, 28, 28)
    assert (int(size), int(misalignment)) == (len(content), 0)
    assert (np.float32(facts[0]), int(facts[1])) == pixels["quantization"]
    assert (np.float32(facts[2]), int(facts[3])) == logits["quantization"]
    assert (int(input_bytes), int(classes)) == (784, 10)


def test_a_c_program_and_a_cpp_array_link(content: bytes, tmp_path: Path) -> None:
    if shutil.which("cc") is None or shutil.which("g++") is None:
        pytest.skip("needs cc and g++, a C and a C++ compiler")
    files = to_c_source(content, NAME, ARENA_BYTES)
    (tmp_path / files.header_name).write_text(files.header)
    (tmp_path / "array.cpp").write_text(files.source)
    (tmp_path / "main.c").write_text(MAIN)

    subprocess.run(["cc", "-c", "main.c"], cwd=tmp_path, check=True)
    subprocess.run(["g++", "array.cpp", "main.o"], cwd=tmp_path, check=True)

    assert subprocess.run([tmp_path / "a.out"], capture_output=True, check=True).stdout == content


def test_the_header_may_be_included_twice(content: bytes, tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("needs cc, a C compiler")
    files = to_c_source(content, NAME, ARENA_BYTES)
    (tmp_path / files.header_name).write_text(files.header)
    # Read again, it would define a macro otherwise than it is now.
    (tmp_path / "main.c").write_text(
        f'#include "{files.header_name}"\n#undef STANDARD_INT8_SIZE_BYTES\n#define STANDARD_INT8_SIZE_BYTES 1\n'
        f'#include "{files.header_name}"\n'
    )

    compiled = subprocess.run(["cc", "-c", *WARNINGS, "main.c"], cwd=tmp_path, capture_output=True, check=False)

    assert compiled.stderr == b""


def test_equal_files_give_equal_source(content: bytes) -> None:
    assert to_c_source(content, NAME, ARENA_BYTES) == to_c_source(bytes(bytearray(content)), NAME, ARENA_BYTES)


def test_the_array_is_aligned_by_word_and_not_by_luck(content: bytes, tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc, which can tell an object's alignment")
    files = to_c_source(content, NAME, ARENA_BYTES)
    assertion = '_Static_assert(__alignof__(standard_int8_tflite) == 16, "not what the source says");\n'
    (tmp_path / files.header_name).write_text(files.header)
    (tmp_path / files.source_name).write_text(files.source + assertion)

    subprocess.run(["gcc", "-c", files.source_name], cwd=tmp_path, check=True)


def test_lines_are_short_and_bytes_two_digits(content: bytes) -> None:
    files = to_c_source(content, NAME, ARENA_BYTES)

    assert f"\n    {' '.join(f'0x{byte:02x},' for byte in content[:16])}\n" in files.source
    assert max(map(len, (files.header + files.source).splitlines())) <= 120


def test_the_header_names_hash_and_resolver_calls(content: bytes) -> None:
    header = to_c_source(content, NAME, ARENA_BYTES).header

    assert hashlib.sha256(content).hexdigest() in header
    assert "MicroMutableOpResolver<4> resolver;" in header
    assert re.findall(r"resolver\.(\w+)\(\);  // (\w+): (\d+)", header) == [
        ("AddQuantize", "QUANTIZE", "1"),
        ("AddConv2D", "CONV_2D", "5"),
        ("AddMean", "MEAN", "1"),
        ("AddFullyConnected", "FULLY_CONNECTED", "1"),
    ]
    assert "#define STANDARD_INT8_ARENA_BYTES 14512\n" in header


def test_an_arena_that_was_not_measured_has_no_size_but_a_hint(content: bytes) -> None:
    header = to_c_source(content, NAME, None).header

    assert "ARENA_BYTES" not in header
    assert "was not measured here: install edge-mnist[micro]" in header


@pytest.mark.parametrize(
    ("operator", "method"),
    [
        ("CONV_2D", "AddConv2D"),
        ("DEPTHWISE_CONV_2D", "AddDepthwiseConv2D"),
        ("L2_POOL_2D", "AddL2Pool2D"),
        ("RELU6", "AddRelu6"),
        ("ADD_N", "AddAddN"),
        ("BATCH_TO_SPACE_ND", "AddBatchToSpaceNd"),
        ("SELECT_V2", "AddSelectV2"),
        ("BATCH_MATMUL", "AddBatchMatMul"),
        ("CUMSUM", "AddCumSum"),
        ("PADV2", "AddPadV2"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", "AddUnidirectionalSequenceLSTM"),
    ],
)
def test_resolver_methods_are_spelled_as_tflm_spells_them(operator: str, method: str) -> None:
    assert operator in TFLM_OPERATORS
    assert resolver_method(operator) == method


@pytest.mark.parametrize(
    ("file_name", "identifier"),
    [
        (NAME, "standard_int8"),
        ("my own (2).tflite", "my_own_2"),
        ("8bit.tflite", "model_8bit"),
        ("größe.tflite", "gr_e"),
        ("__reserved__.tflite", "reserved"),
        ("数字.tflite", "model"),
        (".tflite", "model"),
        ("a.b.tflite", "a_b"),
    ],
)
def test_any_file_name_becomes_an_identifier(file_name: str, identifier: str) -> None:
    assert c_identifier(file_name) == identifier
    assert re.fullmatch(r"[a-z]+(_?[a-z0-9])*", identifier)


@pytest.mark.parametrize("file_name", ["*/ int x; /*.tflite", 'a"\n#error.tflite', "int.tflite", "??/.tflite"])
def test_a_hostile_file_name_is_still_valid_c(content: bytes, tmp_path: Path, file_name: str) -> None:
    if shutil.which("cc") is None:
        pytest.skip("needs cc, a C compiler")
    files = to_c_source(content, file_name, ARENA_BYTES)
    (tmp_path / files.header_name).write_text(files.header)
    (tmp_path / files.source_name).write_text(files.source)

    subprocess.run(["cc", "-std=c11", "-c", *WARNINGS, files.source_name], cwd=tmp_path, check=True)
    preprocessed = subprocess.run(
        ["cc", "-E", files.source_name], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert "int x;" not in preprocessed.stdout


def test_a_scale_of_one_is_a_float_literal(content: bytes) -> None:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.outputs[0]].quantization.scale = [1.0]

    assert "_OUTPUT_SCALE 1.0f\n" in to_c_source(changed(content, change), NAME, ARENA_BYTES).header


def test_what_tflite_micro_cannot_run_is_not_written() -> None:
    content = (SHIPPED / "standard-float32.tflite").read_bytes()

    with pytest.raises(ExportError, match=r"it has FLOAT32 tensors\. Export with --int8"):
        to_c_source(content, "standard-float32.tflite", ARENA_BYTES)
