"""Post-training quantization: how weights are rounded and ranges chosen."""
