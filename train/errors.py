"""Errors of training."""

from ..edge.common.errors import EdgeMnistError


class AncestorError(EdgeMnistError):
    """A bundle cannot be learned from; the message names it and says why."""
