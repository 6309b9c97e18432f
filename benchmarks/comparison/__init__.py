"""Comparisons of models and of runs."""
