"""Format shares in percent for people; a confidence is never shown as 0 or 100 %."""

# Beyond these limits a model's own certainty is not meaningful.
NEARLY_CERTAIN, NEARLY_EXCLUDED = 0.999, 0.001
# Only this close to either end are tenths of a percent meaningful.
FINE = 0.01
# Differences between smaller p-values do not matter.
LEAST_P = 1e-4


def format_percent(share: float, places: int = 2) -> str:
    """Format a fraction as a percentage: `99.64 %`."""
    return f"{100 * share:.{places}f} %"


def format_confidence(confidence: float) -> str:
    """Format a model's confidence as on the web page: `87 %`, `99.2 %`; never 100 % and never 0 %."""
    if confidence > NEARLY_CERTAIN:
        return f"> {format_percent(NEARLY_CERTAIN, 1)}"
    if confidence < NEARLY_EXCLUDED:
        return f"< {format_percent(NEARLY_EXCLUDED, 1)}"
    return format_percent(confidence, 0 if FINE <= confidence <= 1 - FINE else 1)


def format_p(p: float) -> str:
    """Format a p-value for a table, `0.04`; never 0."""
    return f"< {LEAST_P:g}" if p < LEAST_P else f"{p:.2g}"


def describe_p(p: float) -> str:
    """Describe a p-value in a sentence, `p = 0.04`."""
    return f"p {format_p(p)}" if p < LEAST_P else f"p = {format_p(p)}"
