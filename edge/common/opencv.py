"""OpenCV without its annotations.

They say of every operation that it may give any type of number, where it gives the type that it was given; each use
would need a cast. So OpenCV goes unchecked in the files that are all about pixels; what they return is annotated.
"""

from typing import Any

import cv2

cv: Any = cv2
