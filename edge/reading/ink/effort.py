"""Limit the search for lines in a frame: by a number of steps, so that the same frame is read the same everywhere."""

from dataclasses import dataclass

from ...common.opencv import Gray

# The effort of a search, in fits: for any frame, for each pixel of it, and at most. A frame that takes more is a
# pattern. A fit of this many pixels takes twice as long as one of few, and a look at a window of this many as a fit.
FITS, FITS_PER_PIXEL, MOST_FITS = 120, 450e-6, 400
PIXELS_OF_FIT, PIXELS_OF_WINDOW = 4000, 40_000


@dataclass
class Effort:
    """The effort that the search for lines may still take in a frame.

    Attributes:
        left: Fits that are left.
        is_short: Whether a search was given up because there were too few.
    """

    left: float
    is_short: bool = False

    @staticmethod
    def for_frame(mask: Gray) -> "Effort":
        """Return the effort for a frame as large as this mask."""
        return Effort(min(MOST_FITS, FITS + FITS_PER_PIXEL * mask.size))

    def spend(self, fits: float) -> bool:
        """Spend some, and return whether there was enough."""
        self.left -= fits
        self.is_short |= self.left < 0
        return self.left >= 0
