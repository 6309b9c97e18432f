"""Destinations of live readings: terminal, files, a window, the web page, a broker; each on its own thread."""
