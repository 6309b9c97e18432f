"""Studies of networks: refusals, confidence, and the zoo."""
