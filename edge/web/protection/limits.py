"""Limits at work: how clients share what the web server accepts, and which must come back later."""

import asyncio
import errno
import ipaddress
import math
import sys
import time
import warnings
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from PIL import Image
from starlette.requests import Request

from ...media.pictures import open_header
from ..errors import RequestRefusedError
from ..settings import WebLimits

# The process or the system lacks these when a file is opened or a connection accepted.
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class RateLimiter:
    """A token bucket for each client; used on the event loop's thread only."""

    def __init__(
        self, per_second: float, burst: int, most_clients: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start with full buckets.

        Args:
            per_second: Requests per second by which a bucket fills; 0 switches the limiter off.
            burst: Requests that a full bucket holds.
            most_clients: Buckets that are kept; the least recently seen client is dropped first.
            clock: Function that returns seconds.
        """
        self._per_second = per_second
        self._burst = burst
        self._most_clients = most_clients
        self._clock = clock
        # Client: requests left, and the time of that count. The least recently seen is first.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of clients that are remembered."""
        return len(self._buckets)

    def check(self, client: str) -> None:
        """Count a request.

        Raises:
            RefusedError: 429, the client's bucket is empty.
        """
        if not self._per_second:
            return
        now = self._clock()
        left, at = self._buckets.pop(client, (float(self._burst), now))
        left = min(self._burst, left + (now - at) * self._per_second)
        self._buckets[client] = (left - 1 if left >= 1 else left, now)
        if len(self._buckets) > self._most_clients:
            self._buckets.popitem(last=False)
        if left < 1:
            raise RequestRefusedError(
                429,
                "rate",
                f"Too many requests from your address, at most {self._per_second:g} per second are allowed: slow down.",
                retry_after_s=math.ceil((1 - left) / self._per_second),
            )


def may_take(most: int, others: int, own: int) -> bool:
    """Whether a client may have `own` of `most` places: half of those that others leave, rounded up."""
    return 2 * own <= most - others + 1


class Slots:
    """A number of places that clients share; used on the event loop's thread only.

    Attributes:
        used: Places that are taken.
    """

    def __init__(self, most: int, reason: str, message: str) -> None:
        """Start with all places free; `reason` and `message` answer a client that finds none."""
        self.used = 0
        self._most = most
        self._reason = reason
        self._message = message
        self._by_client: Counter[str] = Counter()

    @contextmanager
    def hold(self, client: str, count: int = 1) -> Iterator[None]:
        """Hold places while the block runs.

        Raises:
            RefusedError: 503, this client may not have that many.
        """
        self.take(client, count)
        try:
            yield
        finally:
            self.release(client, count)

    def take(self, client: str, count: int) -> None:
        """Take places; `release` returns them.

        Raises:
            RefusedError: 503, this client may not have that many.
        """
        own = self._by_client[client]
        if not may_take(self._most, self.used - own, own + count):
            raise RequestRefusedError(503, self._reason, self._message, retry_after_s=1)
        self.used += count
        self._by_client[client] += count

    def release(self, client: str, count: int) -> None:
        """Return places."""
        self.used -= count
        self._by_client[client] -= count
        if not self._by_client[client]:
            del self._by_client[client]


@lru_cache(maxsize=4096)
def name_client(address: str) -> str:
    """Name the client of a request: its IPv4 address, or the /64 network that one household's IPv6 addresses share."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.IPv6Network((parsed, 64), strict=False))


def find_client(scope: Mapping[str, Any]) -> str:
    """Find the client that an ASGI request counts for."""
    return name_client(scope["client"][0]) if scope.get("client") else "-"


# Media types of pictures. Pages of other sites can only send forms and plain text without a preflight request.
MEDIA_TYPES = (
    "image/png",
    "image/jpeg",
    "image/webp",
    "image/gif",
    "image/bmp",
    "image/tiff",
    "image/x-portable-anymap",
    "application/octet-stream",
)


@dataclass(frozen=True)
class UploadKind:
    """What a route receives.

    Attributes:
        noun: Name for messages.
        accepts: Function that returns whether a media type is accepted, in lower case, or empty if none was sent.
        advice: What to send instead of another media type.
    """

    noun: str
    accepts: Callable[[str], bool]
    advice: str


PICTURE = UploadKind(
    "picture",
    lambda media_type: media_type.startswith("image/") or media_type == "application/octet-stream",
    "send the file's bytes as the body with Content-Type image/png, image/jpeg or the like",
)


class Uploads:
    """A receiver of request bodies; used on the event loop's thread only."""

    def __init__(self, limits: WebLimits) -> None:
        self._limits = limits
        self._held_bytes = Slots(limits.held_bytes, "memory", "Too many pictures are being uploaded: try again.")

    @asynccontextmanager
    async def receive(self, request: Request, kind: UploadKind = PICTURE) -> AsyncIterator[bytes]:
        """Receive a request's body. Its bytes count as held by its client until the block ends.

        Raises:
            RefusedError: 415 for another media type, 413 for more bytes than allowed, announced or sent, 408 if it
                takes too long, 503 if other requests hold too many bytes.
        """
        _check_media_type(request.headers.get("content-type", ""), kind)
        self._check_length(request.headers.get("content-length", "0"), kind)
        body, client = bytearray(), find_client(request.scope)
        try:
            async with asyncio.timeout(self._limits.body_s):
                async for chunk in request.stream():
                    if len(body) + len(chunk) > self._limits.upload_bytes:
                        raise self._too_long(kind)
                    self._held_bytes.take(client, len(chunk))
                    body += chunk
        except TimeoutError as error:
            self._held_bytes.release(client, len(body))
            message = f"The {kind.noun} did not arrive within {self._limits.body_s:g} seconds: send a smaller one."
            raise RequestRefusedError(408, "slow", message, headers={"Connection": "close"}) from error
        except BaseException:
            self._held_bytes.release(client, len(body))
            raise
        try:
            yield bytes(body)
        finally:
            self._held_bytes.release(client, len(body))

    def _check_length(self, content_length: str, kind: UploadKind) -> None:
        """Refuse by the announced length before anything is received."""
        if content_length.isdecimal() and int(content_length) > self._limits.upload_bytes:
            raise self._too_long(kind)

    def _too_long(self, kind: UploadKind) -> RequestRefusedError:
        most = self._limits.upload_bytes / 1_000_000
        return RequestRefusedError(413, "bytes", f"The {kind.noun} has more than {most:g} MB: send a smaller one.")


def _check_media_type(content_type: str, kind: UploadKind) -> None:
    media_type = content_type.partition(";")[0].strip().lower()
    if not kind.accepts(media_type):
        raise RequestRefusedError(
            415, "type", f"Expected a {kind.noun}, got Content-Type {media_type or 'none'}: {kind.advice}."
        )


def count_pixels(content: bytes) -> int:
    """Count the pixels in a picture's header without decoding; 0 for anything but a picture."""
    try:
        with warnings.catch_warnings():
            # Warnings are about the size, which is checked here, and about metadata.
            warnings.simplefilter("ignore")
            with open_header(content) as image:
                return image.width * image.height
    except Image.DecompressionBombError:
        # More than Pillow's limit, so more than any limit here.
        return sys.maxsize
    except Exception:
        return 0
