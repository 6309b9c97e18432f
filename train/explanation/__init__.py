"""Explanations of what a network reads: Grad-CAM, and its sheet of heat maps."""
