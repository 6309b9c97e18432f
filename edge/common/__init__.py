"""The ground: what has no domain. It imports nothing else of the project."""
