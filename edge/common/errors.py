"""The base of every failure that a user can cause or fix. The command turns each into one sentence and exit code 1."""

OUT_OF_MEMORY = "not enough memory. Close other programs, or raise the limit (ulimit -v, or a service's MemoryMax)."


class EdgeMnistError(Exception):
    """An expected failure; the message says what was expected, what arrived, and what to do."""


class RuntimeUnavailableError(EdgeMnistError):
    """The runtime is not installed here, or cannot run the file; the message says what to do."""


def format_error(error: Exception) -> str:
    """Name an unexpected error, as drivers raise them."""
    return OUT_OF_MEMORY if isinstance(error, MemoryError) else f"{type(error).__name__}: {error}"
