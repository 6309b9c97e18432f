"""The targets of a benchmark, and the start of their processes."""
