"""The parts of `edge-mnist run`: what it prints, and reading on many processors and machines."""
