"""The small network that judges a shape by its surroundings: its frames, its training, and the weight of its evidence."""
