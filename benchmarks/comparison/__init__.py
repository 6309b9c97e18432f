"""Models side by side, runs one after the other."""
