"""Many pictures: reading on all cores or a cluster, and results in files that survive interruptions."""
