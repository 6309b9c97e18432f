"""Scores on labelled photographs."""
