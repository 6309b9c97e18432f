"""Where live readings go: terminal, files, a window, the web page, a broker; each in its own time."""
