"""The base of every failure that a user can cause or mend. The command turns each into one sentence and exit code 1."""


class EdgeMnistError(Exception):
    """Its message says what was expected, what came, and what to do."""


class RuntimeUnavailableError(EdgeMnistError):
    """The runtime is not installed here, or cannot run the file; the message says what to do."""
