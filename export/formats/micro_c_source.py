"""C source for TFLite Micro: an int8 `.tflite` file as an array, and what firmware has to know to run it.

A microcontroller has no file system to load a model from; it is compiled in. Beside the bytes, the author of the
firmware needs the tensors' scales, the operators to register, and the size of the arena to reserve. All three are
easily guessed wrong if they are not written down beside it.
"""

import hashlib
import re
from dataclasses import dataclass

import numpy as np

from .micro_arena import ALIGNMENT
from .micro_model import MicroModel, MicroTensor, read_micro_model

BYTES_PER_LINE = 16
# The resolver's methods are the operators' names in camel case, except for these.
IRREGULAR_METHODS = {
    "BATCH_MATMUL": "AddBatchMatMul",
    "CUMSUM": "AddCumSum",
    "PADV2": "AddPadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
}
# What the header says of the arena's size.
_MEASURED = """\
Its size was measured with 64-bit pointers and TFLite Micro's own reference kernels:
 * where pointers are shorter it needs less; optimized kernels (CMSIS-NN, ESP-NN) need scratch buffers beyond it. Begin
 * with more, ask MicroInterpreter::arena_used_bytes(), and keep as much as it says."""
_NOT_MEASURED = """\
Its size was not measured here: install edge-mnist[micro] (Linux on x86-64) and export
 * again, or begin with more than enough, ask MicroInterpreter::arena_used_bytes(), and keep as much as it says."""


@dataclass(frozen=True)
class CSource:
    """A header and a source file for firmware: C11, C17 and C23, or C++11 and later; the source includes the header."""

    header_name: str
    header: str
    source_name: str
    source: str


def to_c_source(content: bytes, file_name: str, arena_bytes: int | None) -> CSource:
    """Convert an int8 TFLite file to C source; equal arguments give equal text.

    The array is `NAME_tflite`, aligned to 16 bytes, NAME being `c_identifier(file_name)`; macros begin with NAME in
    capitals.

    Args:
        content: The file: one network with one input of pixels and one output.
        file_name: The name of the file, such as `standard-int8.tflite`.
        arena_bytes: The smallest arena in which TFLite Micro runs the file; None if it was not measured.

    Raises:
        ExportError: The file cannot run on TFLite Micro, see `read_micro_model`.
    """
    model, name = read_micro_model(content, file_name), c_identifier(file_name)
    header = _header(model, content, file_name, arena_bytes)
    return CSource(f"{name}.h", header, f"{name}.c", _source(content, file_name, name))


def c_identifier(file_name: str) -> str:
    """Make an identifier that C and C++ accept and do not reserve: `standard_int8` from `standard-int8.tflite`."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", file_name.removesuffix(".tflite")).strip("_").lower()
    return name if name[:1].isalpha() else f"model_{name}".rstrip("_")


def resolver_method(operator: str) -> str:
    """Return the method of MicroMutableOpResolver that registers an operator: AddConv2D for CONV_2D."""
    words = (word if word[0].isdigit() else word.capitalize() for word in operator.split("_"))
    return IRREGULAR_METHODS.get(operator, f"Add{''.join(words)}")


def _header(model: MicroModel, content: bytes, file_name: str, arena_bytes: int | None) -> str:
    pixels, logits, name = model.pixels, model.logits, c_identifier(file_name)
    macro = name.upper()
    arena = "" if arena_bytes is None else f"\n#define {macro}_ARENA_BYTES {arena_bytes}"
    return f"""\
{_header_comment(model, content, file_name)}
 * {_NOT_MEASURED if arena_bytes is None else _MEASURED}
 */
#ifndef {macro}_H_
#define {macro}_H_

#define {macro}_SIZE_BYTES {len(content)}{arena}
#define {macro}_INPUT_SHAPE {{{", ".join(map(str, pixels.shape))}}}
#define {macro}_INPUT_BYTES {pixels.elements}
#define {macro}_INPUT_SCALE {_scale(pixels)}f
#define {macro}_INPUT_ZERO_POINT ({pixels.zero_points[0]})
#define {macro}_OUTPUT_SCALE {_scale(logits)}f
#define {macro}_OUTPUT_ZERO_POINT ({logits.zero_points[0]})
#define {macro}_NUM_CLASSES {logits.shape[-1]}

#ifdef __cplusplus
extern "C" {{
#endif

extern const unsigned char {name}_tflite[{macro}_SIZE_BYTES];

#ifdef __cplusplus
}}
#endif

#endif /* {macro}_H_ */
"""


def _header_comment(model: MicroModel, content: bytes, file_name: str) -> str:
    calls = [
        f"resolver.{resolver_method(name)}();  // {name}: {count}" for name, count in model.count_operators().items()
    ]
    resolver = f"tflite::MicroMutableOpResolver<{len(calls)}> resolver;"
    lines = "\n".join(f" *   {line}" for line in (resolver, *calls))
    return f"""\
/* {_printable(file_name)} for TFLite Micro. Written by edge-mnist: do not edit, export again.
 *
 * SHA-256 of its {len(content):,} bytes:
 *   {hashlib.sha256(content).hexdigest()}
 *
 * Input: {model.pixels}, pixel + zero point; pixels go from 0 = paper to 255 = ink.
 * Output: {model.logits}, logits; the class is the index of the largest.
 * Real value = (integer - zero point) * scale.
 *
 * Its operators, and how often it has them:
{lines}
 *
 * The arena has to be aligned to {ALIGNMENT} bytes."""


def _source(content: bytes, file_name: str, name: str) -> str:
    lines = (content[start : start + BYTES_PER_LINE] for start in range(0, len(content), BYTES_PER_LINE))
    array = "\n".join("    " + " ".join(f"0x{byte:02x}," for byte in line) for line in lines)
    return f"""\
/* {_printable(file_name)}, see {name}.h. */
#include "{name}.h"

/* A keyword in C++ and in C23; in C11 and C17 this header makes it one. */
#ifndef __cplusplus
#include <stdalign.h>
#endif

alignas({ALIGNMENT}) const unsigned char {name}_tflite[{name.upper()}_SIZE_BYTES] = {{
{array}
}};
"""


def _scale(tensor: MicroTensor) -> str:
    """Format a scale in the fewest digits that give the same float32; always with a point or exponent, for C."""
    return str(np.float32(tensor.scales[0]))


def _printable(file_name: str) -> str:
    """Return a file name that cannot end a comment."""
    return re.sub(r"[^A-Za-z0-9 ._-]", "_", file_name)
