"""The loop over epochs, and its parts."""
