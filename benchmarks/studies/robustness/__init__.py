"""The robustness of float32 and int8 to corrupted images."""
