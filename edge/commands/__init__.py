"""The commands of the edge, a file each."""
