"""Adoption of foreign Keras models to the contract of raw pixels in and logits out."""
