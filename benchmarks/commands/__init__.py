"""The commands of the benchmarks, a file each."""
