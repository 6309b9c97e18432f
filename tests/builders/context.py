"""Photographs and windows for tests of the context network."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_mnist.edge.reading import context
from edge_mnist.edge.reading.context import SIDE, Windows
from tests.builders.ink import Gray


def draw_photograph(seed: int) -> Gray:
    """Smooth blots of several sizes."""
    random = np.random.default_rng(seed)
    layers = [cv2.GaussianBlur(random.normal(0, 1, (300, 400)), (0, 0), blur) * blur for blur in (2, 6, 20)]
    return np.clip(128 + 60 * np.sum(layers, axis=0), 0, 255).astype(np.uint8)


def random_windows(count: int) -> Windows:
    random = np.random.default_rng(9)
    windows = random.integers(0, 256, (count, SIDE, SIDE, 2), np.uint8)
    return np.stack([cv2.GaussianBlur(window, (0, 0), 1 + place % 4) for place, window in enumerate(windows)])


def load_network(path: Path, monkeypatch: pytest.MonkeyPatch) -> context.ContextNetwork:
    """As the reader loads the shipped file."""
    monkeypatch.setattr(context, "NETWORK", str(path))
    return context.load_context_network.__wrapped__()
