"""Processes: children within limits, signals, and how a process ends."""
