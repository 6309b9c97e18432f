"""The report of a benchmark run."""
