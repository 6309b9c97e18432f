"""The wheel on emulated Raspberry Pis: aarch64 processors, Debian's user land, libcamera's virtual camera.

`make test-pi` runs `emulated.py`, which the ordinary tests leave alone. What runs is what a Pi would run, but for the
processor, kernel, sensor and image signal processor: so it tells what is computed, never how fast.
"""
