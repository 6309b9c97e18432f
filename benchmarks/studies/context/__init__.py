"""The small network that judges a shape by its surroundings: frames, training, weight of the evidence."""
