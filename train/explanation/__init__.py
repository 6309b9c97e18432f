"""Which parts of a digit a network goes by: Grad-CAM, and its sheet of heat maps."""
