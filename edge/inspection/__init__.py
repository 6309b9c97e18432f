"""What a model file holds, without running it."""
