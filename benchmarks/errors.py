"""The error of measurements, comparisons and reports."""

from ..edge.common.errors import EdgeMnistError


class BenchmarkError(EdgeMnistError):
    """Something cannot be measured, compared or reported; the message gives the reason."""
