"""The loop over epochs, and what it needs."""
