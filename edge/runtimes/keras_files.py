"""Load `.keras` files of any origin: in Keras's safe mode, and first in a child process within limits.

A kilobyte of configuration can ask for layers of any size, and a zip file of 3 MB can hold gigabytes. Keras itself is
imported only when a file is loaded; nothing else on the edge needs it.
"""

import hashlib
import importlib
import io
import math
import zipfile
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from ..bundle.contract import IMAGE_SHAPE
from ..bundle.folder import SOURCE_NAME, list_shipped_hashes
from ..common.errors import EdgeMnistError
from ..common.files import explain_full_disk
from ..common.kinds import KERAS, ZIP, describe_mistake, identify_kind
from ..common.processes.child import ChildError, Limits, call_in_child, first_line
from ..common.scratch import scratch_folder
from ..common.terminal.text import printable

# Bytes allowed beyond four times the file's size: Keras does not compress weights, and configurations are small.
FREE_BYTES = 64_000_000
UNPACKED = 4
# TensorFlow itself takes 0.8 GB; on the slowest machines its import takes a minute.
LIMITS = Limits(memory_bytes=4_000_000_000, cpu_s=180, seconds=900)
# Nothing is computed on a GPU, because no limit covers its memory.
ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
# As many images as an export runs at once.
BATCH = 500
CONFIG, METADATA = "config.json", "metadata.json"
# A hundred layers take 100 kB; a larger configuration is not read to explain an error.
MOST_CONFIG_BYTES = 4_000_000

_passed: set[str] = set()


def load_keras_file(content: bytes, origin: str) -> Any:
    """Load a Keras file; a file from outside this package is first tried in a child, which takes one import of Keras.

    Args:
        content: The file's bytes.
        origin: Name of the file in error messages.

    Returns:
        The Keras model, not compiled.

    Raises:
        EdgeMnistError: It is not a `.keras` file, cannot be loaded safely, or takes far more memory than its size.
    """
    if identify_kind(content) not in {KERAS, ZIP}:
        raise EdgeMnistError(f"{origin}: expected a .keras file, {describe_mistake(content)}")
    digest = hashlib.sha256(content).hexdigest()
    try:
        if digest not in list_shipped_hashes() and digest not in _passed:
            _check_sizes(content)
            call_in_child(_try, content, LIMITS, raises=(EdgeMnistError,), environment=ENVIRONMENT)
            _passed.add(digest)
        return load_here(content)
    except ChildError as error:
        reason = f"the process that loaded it {error}"
    except Exception as error:
        # Keras, h5py and layers of all kinds raise any exception.
        reason = first_line(error)
    code, version = _explain(content)
    # Where a class is missing, Keras tells how to program one, at length.
    why = f".{code}" if code else f" ({reason})."
    raise EdgeMnistError(f"{origin}: cannot be loaded as a Keras model{why}{version}{explain_full_disk()}")


def load_here(content: bytes) -> Any:
    """Load a file in this process: one that is a child, or one that has tried the file in a child.

    Raises:
        Exception: Any error that Keras raises for the file.
    """
    keras = importlib.import_module("keras")
    with scratch_folder() as folder:
        # Keras loads from files only; this one holds exactly the bytes that were checked.
        path = folder / SOURCE_NAME
        path.write_bytes(content)
        return keras.saving.load_model(path, compile=False, safe_mode=True)


def _try(content: bytes) -> bytes:
    """Load a file and run it once if it takes images."""
    model = load_here(content)
    inputs = getattr(model, "inputs", None) or []
    bytes_claimed = 4 * model.count_params() if inputs else 0
    if bytes_claimed > UNPACKED * len(content) + FREE_BYTES:
        raise EdgeMnistError(f"its layers take {bytes_claimed:,} bytes, but the file has {len(content):,}")
    if len(inputs) == 1 and math.prod(inputs[0].shape[1:] or [0]) == math.prod(IMAGE_SHAPE):
        try:
            model.predict_on_batch(np.zeros((BATCH, *inputs[0].shape[1:]), inputs[0].dtype))
        except Exception as error:
            # An error of this call only, such as a name that is not a valid scope, is handled when the file is loaded.
            return first_line(error).encode()
    return b""


def _check_sizes(content: bytes) -> None:
    """Refuse an archive that unpacks to far more than its own size.

    Raises:
        EdgeMnistError: It does, is not a `.keras` file, or is packed in a way that Keras never uses.
        zipfile.BadZipFile: It is not an archive.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
    if CONFIG not in {entry.filename for entry in entries}:
        raise EdgeMnistError(f"it has no {CONFIG}, which every .keras file has")
    if any(entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} for entry in entries):
        raise EdgeMnistError("its members are neither stored nor deflated")
    if (unpacked := sum(entry.file_size for entry in entries)) > UNPACKED * len(content) + FREE_BYTES:
        raise EdgeMnistError(f"it unpacks to {unpacked:,} bytes, but the file has {len(content):,}")


def _explain(content: bytes) -> tuple[str, str]:
    """Explain from the file itself why it cannot be loaded: by its code, and by its version, as sentences to append.

    Each is empty if there is nothing to explain.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if archive.getinfo(CONFIG).file_size > MOST_CONFIG_BYTES:
                return "", ""
            foreign = sorted(set(_foreign_classes(msgspec.json.decode(archive.read(CONFIG)))))
            version = str(msgspec.json.decode(archive.read(METADATA)).get("keras_version", ""))
    except Exception:
        # This only explains an error; if the file is too damaged for that, the error stands alone.
        return "", ""
    code = older = ""
    if "Lambda" in foreign:
        code += " It has a Lambda layer, whose code would run when loaded: replace it with keras.ops or layers."
    if others := [name for name in foreign if name != "Lambda"]:
        code += (
            f" {', '.join(others)[:200]} {'is' if len(others) == 1 else 'are'} not part of Keras, and a .keras "
            "file contains no code: rebuild the model with Keras's own layers or keras.ops, copy the weights, "
            "and save it."
        )
    if version[:2] in {"1.", "2."}:
        older = (
            f" It was saved by Keras {printable(version)[:20]}; Keras 3 cannot read all its files: build the same "
            "network with Keras 3, load its weights into that (set_weights), and save it."
        )
    return code, older


def _foreign_classes(config: Any) -> Iterator[str]:
    """Yield names of classes in a model's configuration that are not Keras's own, and of its layers that are code."""
    if isinstance(config, dict):
        name, module = config.get("class_name"), config.get("module", "keras")
        is_own = isinstance(module, str) and module.split(".")[0] in {"keras", "builtins"}
        is_own = is_own and config.get("registered_name") in {None, name} and name != "Lambda"
        if name == "function" and module == "builtins":
            yield printable(str(config.get("config")))
        elif isinstance(name, str) and not is_own:
            yield printable(name)
        for value in config.values():
            yield from _foreign_classes(value)
    elif isinstance(config, list):
        for value in config:
            yield from _foreign_classes(value)
