"""The error of training and of `explain`."""

from ..edge.common.errors import EdgeMnistError


class TrainError(EdgeMnistError):
    """A model cannot be trained or explained; the message gives the reason."""
