"""Stage 4, benchmarks: what quantization costs in accuracy and what it buys in latency, on this machine."""
