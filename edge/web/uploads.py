"""Pictures on their way in: nothing is taken that is too large, too slow, or of no kind that is read."""

import asyncio
import sys
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from PIL import Image
from starlette.requests import Request

from ..pictures import open_header
from .limits import Slots, WebLimits, find_client
from .refusals import RefusedError

# What a picture may be called. Pages of other sites can only send forms and plain text without asking first.
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


class Uploads:
    """Receives pictures; used on the event loop's thread alone."""

    def __init__(self, limits: WebLimits) -> None:
        self._limits = limits
        self._held_bytes = Slots(limits.held_bytes, "memory", "Too many pictures are on their way: try again.")

    @asynccontextmanager
    async def receive(self, request: Request) -> AsyncIterator[bytes]:
        """A request's body. Its bytes count as held by its client until the block ends.

        Raises:
            RefusedError: 415 for another media type, 413 for more bytes than allowed, said or sent, 408 when it takes
                too long, 503 when too many bytes of others are held.
        """
        _check_media_type(request.headers.get("content-type", ""))
        self._check_length(request.headers.get("content-length", "0"))
        body, client = bytearray(), find_client(request.scope)
        try:
            async with asyncio.timeout(self._limits.body_s):
                async for chunk in request.stream():
                    if len(body) + len(chunk) > self._limits.upload_bytes:
                        raise self._too_long()
                    self._held_bytes.take(client, len(chunk))
                    body += chunk
        except TimeoutError as error:
            self._held_bytes.release(client, len(body))
            message = f"The picture did not arrive within {self._limits.body_s:g} seconds: send a smaller one."
            raise RefusedError(408, "slow", message, headers={"Connection": "close"}) from error
        except BaseException:
            self._held_bytes.release(client, len(body))
            raise
        try:
            yield bytes(body)
        finally:
            self._held_bytes.release(client, len(body))

    def _check_length(self, content_length: str) -> None:
        """Refuse by what the client says before anything is received."""
        if content_length.isdecimal() and int(content_length) > self._limits.upload_bytes:
            raise self._too_long()

    def _too_long(self) -> RefusedError:
        most = self._limits.upload_bytes / 1_000_000
        return RefusedError(413, "bytes", f"The picture has more than {most:g} MB: send a smaller one.")


def _check_media_type(content_type: str) -> None:
    media_type = content_type.partition(";")[0].strip().lower()
    if not media_type.startswith("image/") and media_type != "application/octet-stream":
        raise RefusedError(
            415,
            "type",
            f"Expected a picture, got Content-Type {media_type or 'none'}: send the file's bytes as the body with "
            "Content-Type image/png, image/jpeg or the like.",
        )


def count_pixels(content: bytes) -> int:
    """Look into a picture's header, decoding nothing; 0 for what is no picture."""
    try:
        with warnings.catch_warnings():
            # About size, which is what is looked at, and about metadata.
            warnings.simplefilter("ignore")
            with open_header(content) as image:
                return image.width * image.height
    except Image.DecompressionBombError:
        # More than Pillow likes, so more than any limit here.
        return sys.maxsize
    except Exception:
        return 0
