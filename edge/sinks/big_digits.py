"""Digits to be read from across a room, of half blocks: each character of a terminal is two square points."""

# Five rows of three points, top to bottom, as bits.
_POINTS = (
    (0b111, 0b101, 0b101, 0b101, 0b111),
    (0b010, 0b110, 0b010, 0b010, 0b111),
    (0b111, 0b001, 0b111, 0b100, 0b111),
    (0b111, 0b001, 0b111, 0b001, 0b111),
    (0b101, 0b101, 0b111, 0b001, 0b001),
    (0b111, 0b100, 0b111, 0b001, 0b111),
    (0b111, 0b100, 0b111, 0b101, 0b111),
    (0b111, 0b001, 0b001, 0b001, 0b001),
    (0b111, 0b101, 0b111, 0b101, 0b111),
    (0b111, 0b101, 0b111, 0b001, 0b111),
)
_BLOCKS = " ▄▀█"
# Points for each of those above, the largest first.
_SCALES = (2, 1)


def draw_big(rows: tuple[str, ...], width: int, height: int) -> list[str]:
    """Rows of digits, as large as fits.

    Args:
        rows: Digits only.
        width: Of the room, characters.
        height: The same in lines.

    Returns:
        Lines of text, an empty one between rows; rows as they are where even small digits do not fit.
    """
    for scale in _SCALES:
        lines = "\n\n".join("\n".join(_draw_row(row, scale)) for row in rows).split("\n")
        if len(lines) <= height and max(map(len, lines)) <= width:
            return lines
    return list(rows)


def _draw_row(row: str, scale: int) -> list[str]:
    """Two rows of points a line; between digits there is a column as wide as a point of them."""
    points = [[_POINTS[int(digit)][i // scale] for digit in row] for i in range(5 * scale)]
    if len(points) % 2:
        points.append([0] * len(row))
    return [
        (" " * scale).join(_draw_line(*pair, scale) for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(points[::2], points[1::2], strict=True)
    ]


def _draw_line(upper: int, lower: int, scale: int) -> str:
    return "".join(scale * _BLOCKS[2 * (upper >> bit & 1) + (lower >> bit & 1)] for bit in (2, 1, 0))
