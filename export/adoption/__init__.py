"""Keras models from anywhere, brought to the contract of pixels and logits."""
