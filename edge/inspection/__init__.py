"""Inspect a model file without running it."""
