"""Photographs with labels, scored."""
