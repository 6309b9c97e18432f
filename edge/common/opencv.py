"""OpenCV without its type annotations.

They declare that every operation may return any type of number, where it returns the type of its input; each use
would need a cast. So OpenCV is not type-checked in files about pixels; their own results are annotated.
"""

from typing import Any

import cv2

cv: Any = cv2
