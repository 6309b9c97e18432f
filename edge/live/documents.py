"""The JSON form of live events: for JSON Lines, the broker, and the web API.

Fields that `edge-mnist run --json` also has keep their name and meaning.

Every event:
    event        "reading" or "camera".
    source       The camera, as the user named it.

A reading, which is one frame:
    frame        Number of the frame among those that were read, from 0.
    captured_at  Time of capture: ISO 8601, UTC, milliseconds, e.g. "2025-03-01T12:00:00.250Z".
    announced    The current announcement: the stable digits of each row as a string, top to bottom.
    is_new       Whether `announced` changed with this frame.
    rows         The digits of each row of this frame alone, stable or not.
    digits       The digits of `rows`, in that order, each with
                   digit       0 to 9,
                   confidence  the probability of this digit, 0 to 1, calibrated: the product of
                   digit_probability, that it is a digit (null if the model's card has none), and
                   class_probability, that it is this digit, given that it is one,
                   score       the log odds that it is a digit, as the model was trained, nats,
                   box         [x, y, width, height], pixels of the frame.
    truncated    Whether the frame has more shapes than are classified, so that digits may be missing.
    tracks       Digits followed over frames, in reading order: digit, confidence, smoothed, score and box, and
                   track       the track's number, never used again,
                   stable      whether it is part of `announced`.
    frame_size   [width, height], pixels.
    latency_ms   Time from the frame's capture to this event.
    timing_ms    Milliseconds per stage: capture, find, frame, infer, track, draw, publish; the last two are of the
                 frame before.
    rates        camera_fps and read_fps: frames per second that arrived and that were read, over the last seconds;
                 skipped: frames since the start that newer ones replaced before they were read;
                 damaged: frames since the start that were left out because data of them were lost.

A change of the camera:
    state        "open", "lost" (new attempts follow) or "ended".
    message      A description of the camera, or why it was lost, for people.
    at           Time of the change, in the form of `captured_at`.
"""

from datetime import UTC, datetime
from typing import Any

from ..reading.reader import Digit
from .events import CameraChange, Event, Sighting

# The last second of the year 9999; later dates cannot be written.
LATEST_S = 253_402_300_799.0


def describe_event(event: Event) -> dict[str, Any]:
    """Convert the event for `json.dumps`; the module's docstring says what each field means."""
    return _describe_change(event) if isinstance(event, CameraChange) else _describe_sighting(event)


def format_time(seconds: float) -> str:
    """Format seconds since 1970 as ISO 8601 in UTC with milliseconds; later times become the end of the year 9999."""
    return datetime.fromtimestamp(min(seconds, LATEST_S), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _describe_change(change: CameraChange) -> dict[str, Any]:
    return {
        "event": "camera",
        "source": change.source,
        "state": change.state,
        "message": change.message,
        "at": format_time(change.at),
    }


def _describe_sighting(sighting: Sighting) -> dict[str, Any]:
    rates = sighting.rates
    return {
        "event": "reading",
        "source": sighting.source,
        "frame": sighting.index,
        "captured_at": format_time(sighting.captured_at),
        "announced": list(sighting.rows),
        "is_new": sighting.is_new,
        "rows": list(sighting.reading.rows),
        "digits": [_describe_seen(digit) for digit in sighting.reading.digits],
        "truncated": sighting.reading.truncated,
        "tracks": [
            {"track": track.number, **_describe_digit(track.digit), "stable": track.stable} for track in sighting.tracks
        ],
        "frame_size": list(sighting.frame_size),
        "latency_ms": round(sighting.latency_ms, 3),
        "timing_ms": {stage: round(ms, 3) for stage, ms in sighting.timing_ms.items()},
        "rates": {
            "camera_fps": round(rates.camera_fps, 2),
            "read_fps": round(rates.read_fps, 2),
            "skipped": rates.skipped,
            "damaged": rates.damaged,
        },
    }


def _describe_seen(digit: Digit) -> dict[str, Any]:
    factors = {"digit_probability": digit.digit_probability, "class_probability": digit.class_probability}
    return {**_describe_digit(digit), **factors}


def _describe_digit(digit: Digit) -> dict[str, Any]:
    box = digit.box
    return {
        "digit": digit.digit,
        "confidence": digit.confidence,
        "score": digit.score,
        "box": [box.x, box.y, box.width, box.height],
    }
