"""Errors of the export."""

from ..edge.common.errors import EdgeMnistError


class ExportError(EdgeMnistError):
    """An exported file would not be what its card promises."""
