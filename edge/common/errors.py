"""The base of every failure that a user can cause or fix. The command turns each into one sentence and exit code 1."""

from collections.abc import Iterable

OUT_OF_MEMORY = "not enough memory. Close other programs, or raise the limit (ulimit -v, or a service's MemoryMax)."


# Backends of Keras, for training.
BACKENDS = ("tensorflow", "jax", "torch")


class EdgeMnistError(Exception):
    """An expected failure; the message says what was expected, what arrived, and what to do."""


class ArgumentError(EdgeMnistError, ValueError):
    """An argument of a Python call is not valid; the message says what was expected, what came, and what to do."""


class RuntimeUnavailableError(EdgeMnistError):
    """The runtime is not installed here, or cannot run the file; the message says what to do."""


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Check that an argument is one of these words.

    Raises:
        ArgumentError: It is not; the message lists them.
    """
    known = list(choices)
    if value not in known:
        raise ArgumentError(f"expected {name} among {', '.join(known)}, got {value!r}.")


class MissingPackageError(EdgeMnistError):
    """A package of an extra is not installed; the message names the extra."""


def explain_missing(error: ModuleNotFoundError, task: str, extra: str) -> Exception:
    """Explain which package a task lacks and which extra provides it; return our own mistakes unchanged.

    Args:
        error: Error of the import.
        task: Name of the command, or of the function.
        extra: Extra whose packages it needs; empty if none.
    """
    package = (error.name or "").partition(".")[0]
    if not extra or package in {"", "edge_mnist"}:
        return error
    # The extras provide only the first of the backends.
    provider = f"'edge-mnist[{extra}]'" if package not in BACKENDS[1:] else package
    return MissingPackageError(f"{task} needs the package {package}: pip install {provider}")


def format_error(error: Exception) -> str:
    """Name an unexpected error, as drivers raise them."""
    return OUT_OF_MEMORY if isinstance(error, MemoryError) else f"{type(error).__name__}: {error}"
