"""`edge-mnist measure ...`: studies beside the benchmark."""
