"""What a Raspberry Pi's throttling bits say."""

from collections.abc import Sequence

from ..edge.doctor.health import SINCE_START, THROTTLE_BITS


def describe_bits(told: Sequence[int]) -> str:
    """In words, of all values that were seen; a machine that has no such bits says so.

    Args:
        told: Values of `vcgencmd get_throttled`.
    """
    if not told:
        return "this machine does not tell"
    now = [words for bit, words in THROTTLE_BITS if any(bits >> bit & 1 for bits in told)]
    since = [words for bit, words in THROTTLE_BITS if any(bits >> (bit + SINCE_START) & 1 for bits in told)]
    parts = [f"{', '.join(now)} while measuring"] if now else []
    parts += (
        [f"{', '.join(earlier)} since it was started"] if (earlier := [one for one in since if one not in now]) else []
    )
    return "; ".join(parts) or "none, now or since it was started"
