"""Labelled images: their sources and their splits."""
