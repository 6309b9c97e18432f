"""The drawing kit: Matplotlib's SVG with the colours of the page, readable in light and dark mode.

Matplotlib draws with placeholder colours, which become the page's variables. Figures are made without pyplot, so no
backend, window or global state is touched. Blue and orange are distinct for the colour-blind, and no information
depends on colour alone.
"""

import io
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..terminal.text import clean, escape_html, one_line
from .page import Svg, explain_missing_package

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Placeholder colours that nothing else has; the page's variables replace them.
INK, SOFT, LINE, PAPER = "#010101", "#020202", "#030303", "#040404"
FIRST, SECOND, THIRD, WARN = "#050505", "#060606", "#070707", "#080808"
VARIABLES = {INK: "ink", SOFT: "soft", LINE: "line", PAPER: "paper", FIRST: "first", SECOND: "second", THIRD: "third",
             WARN: "warn"}  # fmt: skip
# Okabe and Ito's colours that are visible on white and on black; further items reuse them.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#c98a00", "#56b4e9", "#8a6fd1")
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    # A class may be named `$x$`.
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 10,
    "text.color": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "legend.facecolor": PAPER,
    "legend.edgecolor": "none",
    "legend.labelcolor": INK,
    "legend.framealpha": 0.8,
    "lines.linewidth": 1.8,
}
# Inches: small enough for a phone to show with legible letters.
SIZE, WIDE = (4.6, 3.1), 5.0
# Height of a line of labels, in points.
LINE_HIGH = 12


def draw(name: str, size: tuple[float, float], paint: Callable[["Axes"], None], heading: str | None = None) -> Svg:
    """Draw an SVG of one set of axes for a page.

    Args:
        name: Name of the chart, unique on its page.
        size: Inches across and up.
        paint: Function that paints on the axes.
        heading: Text above the axes; the name if None.

    Raises:
        EdgeMnistError: Matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: PLC0415 - of an extra
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise explain_missing_package(error) from error

    content = io.StringIO()
    # The salt makes the ids inside a drawing unique in the page, and equal each time.
    with warnings.catch_warnings(), matplotlib.rc_context({**SETTINGS, "svg.hashsalt": name}):
        # The reader's browser has other fonts than Matplotlib; names from other machines may be longer than a chart.
        warnings.simplefilter("ignore", UserWarning)
        figure = Figure(size, layout="constrained")
        axes = figure.add_subplot(title=one_line(name if heading is None else heading))
        paint(axes)
        for artist in axes.findobj():
            artist.set_clip_on(False)
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None})
    return Svg(_adapt(clean(content.getvalue()), name))


def make_file(chart: Svg) -> str:
    """Make an SVG file of a chart, with the colours of the pages."""
    style = (Path(__file__).parent / "templates" / "colours.css").read_text()
    opening = '<svg xmlns="http://www.w3.org/2000/svg" style="background: var(--paper)"'
    return chart.replace("<svg", opening, 1).replace(">", f"><style>\n{style}</style>", 1) + "\n"


def annotate(artist: Any, tip: str, link: str) -> None:
    """Give a mark a text that browsers show on hovering, and a link to an anchor of the page."""
    if tip:
        artist.set_gid(f"tip:{one_line(tip)}")
    if link:
        artist.set_url(f"#{link}")


def label_ends(axes: "Axes", ends: Mapping[str, tuple[float, float, str]]) -> None:
    """Write names beside the last points of curves, apart from one another: x, y and colour by name."""
    figure: Any = axes.figure
    figure.draw_without_rendering()
    scale = 72 / figure.dpi
    heights = {name: float(axes.transData.transform((x, y))[1]) * scale for name, (x, y, _) in ends.items()}
    ceiling = float(axes.bbox.y1) * scale
    for name in sorted(ends, key=lambda one: -heights[one]):
        place = min(heights[name], ceiling)
        ceiling = place - LINE_HIGH
        x, y, colour = ends[name]
        axes.annotate(
            name, (x, y), (6, place - heights[name]), textcoords="offset points", va="center", fontsize=9, color=colour,
            annotation_clip=False,
        )  # fmt: skip


def label_log_axis(axes: "Axes", low: float, high: float) -> None:
    """Label the horizontal axis from `low` to `high`: 1, 2 and 5 times powers of ten, fewer for a wide range."""
    from matplotlib.ticker import LogLocator, MaxNLocator  # noqa: PLC0415 - of an extra

    if low <= 0:
        raise ValueError(f"expected values above 0 for a logarithmic axis, got {low}.")
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    factors = (1, 2, 5) if high / low < 100 else (1, 3) if high / low < 3000 else (1,)
    axes.xaxis.set_major_locator(MaxNLocator(4) if high / low < 6 else LogLocator(subs=factors))
    # With k for thousands: long labels would overlap on a phone.
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}" if value < 1000 else f"{value / 1000:g}k")
    axes.minorticks_off()


def _adapt(svg: str, name: str) -> str:
    """Make Matplotlib's SVG a short part of a page: the page's colours and fonts, links, tips, only ids in use."""
    svg = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    opening = f'<svg class="chart" role="img" aria-label="{escape_html(name)}" '
    svg = re.sub(
        r'.*?<svg [^>]*?(viewBox="[^"]*")[^>]*>', lambda found: f"{opening}{found[1]}>", svg, count=1, flags=re.DOTALL
    )
    svg = svg.replace("xlink:href=", "href=").replace(' target="_blank"', "")
    # A link is named by the tip of its mark.
    svg = re.sub(r'(<g id="tip:([^"]*)">(?:(?!<g id="tip:|<a ).)*<a )', r'\1aria-label="\2" ', svg, flags=re.DOTALL)
    svg = re.sub(r"<a href=", '<a aria-label="Details" href=', svg)
    svg = re.sub(r'<g id="tip:([^"]*)">', r"<g><title>\1</title>", svg)
    svg = re.sub(r'<g id="(break|threshold)">', r'<g class="\1">', svg)
    used = set(re.findall(r'href="#([^"]+)"', svg))
    svg = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", svg)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable})")
    svg = re.sub(r" font-family: [^;]*;", "", svg)
    svg = re.sub(r' (?:d|x|y|transform)="[^"]*"', lambda found: re.sub(r"(\.\d\d)\d+", r"\1", found[0]), svg)
    return re.sub(r"\s*\n\s*", " ", svg)
