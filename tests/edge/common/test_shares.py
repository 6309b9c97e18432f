"""Shares as people read them: in one style, and no model is ever quite sure."""

import numpy as np
import pytest

from edge_mnist.edge.commands.running.output import FrameResult, format_digits
from edge_mnist.edge.common.terminal.formatting import format_confidence, format_percent
from edge_mnist.edge.media.sources import SourceFrame
from edge_mnist.edge.reading.ink.shapes import Box
from edge_mnist.edge.reading.reader import Digit, Reading
from tests.conftest import REPOSITORY


def test_a_share_is_in_percent() -> None:
    assert (format_percent(0.99641), format_percent(0.5, 0), format_percent(1, 1)) == ("99.64 %", "50 %", "100.0 %")


@pytest.mark.parametrize(
    ("confidence", "text"),
    [(1.0, "> 99.9 %"), (0.99901, "> 99.9 %"), (0.999, "99.9 %"), (0.9912, "99.1 %"), (0.99, "99 %"),
     (0.874, "87 %"), (0.01, "1 %"), (0.0054, "0.5 %"), (0.001, "0.1 %"),
     (0.0009, "< 0.1 %"), (0.0, "< 0.1 %")],
)  # fmt: skip
def test_no_confidence_is_all_or_nothing(confidence: float, text: str) -> None:
    assert format_confidence(confidence) == text


def test_the_page_is_as_sure_as_the_terminal() -> None:
    script = (REPOSITORY / "edge/web/static/result.js").read_text(encoding="utf-8")

    assert (
        f'share > 0.999 ? "{format_confidence(1.0)}" : `${{(100 * share).toFixed(share > 0.99 ? 1 : 0)}} %`' in script
    )


def test_the_terminal_never_says_that_a_reading_is_certain() -> None:
    box = Box(1, 2, 30, 40)
    digits = (Digit(4, 0.99999, 9.0, box), Digit(7, 0.9996, 9.0, box))
    frame = SourceFrame(
        "page.png", None, None, np.zeros((1, 1), np.uint8), lambda: np.zeros((1, 1, 3), np.uint8), False, 1.0
    )

    text = format_digits(FrameResult(frame, Reading(("47",), digits, {"find": 1.0}), None))

    assert "(least certain: 7, > 99.9 %)" in text
    assert text.count("> 99.9 %") == 3
    assert "100" not in text
