"""Shares in percent, for people: how they are written, and that nobody is ever quite sure."""

# Beyond these a model's own certainty has nothing more to say.
NEARLY_CERTAIN, NEARLY_EXCLUDED = 0.999, 0.001
# Only this near to either end are tenths of a percent worth reading.
FINE = 0.01
# Smaller p-values differ in nothing that matters.
LEAST_P = 1e-4


def format_percent(share: float, places: int = 2) -> str:
    """A share of 1 in percent: `99.64 %`."""
    return f"{100 * share:.{places}f} %"


def format_confidence(confidence: float) -> str:
    """How sure a model is, as on the web page: `87 %`, `99.2 %`; never 100 %, which nothing is, and never 0 %."""
    if confidence > NEARLY_CERTAIN:
        return f"> {format_percent(NEARLY_CERTAIN, 1)}"
    if confidence < NEARLY_EXCLUDED:
        return f"< {format_percent(NEARLY_EXCLUDED, 1)}"
    return format_percent(confidence, 0 if FINE <= confidence <= 1 - FINE else 1)


def format_p(p: float) -> str:
    """A p-value in a table, `0.04`; none is ever 0."""
    return f"< {LEAST_P:g}" if p < LEAST_P else f"{p:.2g}"


def describe_p(p: float) -> str:
    """A p-value in a sentence, `p = 0.04`."""
    return f"p {format_p(p)}" if p < LEAST_P else f"p = {format_p(p)}"
